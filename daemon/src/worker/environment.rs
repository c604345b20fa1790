//! The environment of jobs: that of the workflow, what the settings of a lane add, and the `TORC_*`
//! variables, in the form in which `execve` wants it.
//!
//! All that the jobs of a workflow share is merged and checked once; a lane with variables of its
//! own has a list of its own, in which it shares the strings, and so has a job with an environment
//! or GPUs. Any other job adds three strings.

mod gpus;
mod job;
mod path;

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::path::Path;
use std::sync::Arc;

use torc_protocol::id::WorkflowId;
use torc_protocol::spec::JobContext;
use torc_protocol::worker::StartExtra;

pub(super) use job::JobEnvironment;
use path::SearchPath;

/// Ours alone; what is inherited or asked for under these names is dropped.
const OURS: [&str; 9] = [
    "TORC_WORKFLOW_ID",
    "TORC_JOB_ID",
    "TORC_JOB_NAME",
    "TORC_ATTEMPT",
    "TORC_ATTEMPT_ID",
    "TORC_OUTPUT_DIR",
    "TORC_SOCKET",
    "TORC_GPUS",
    "TORC_RETURN_CODE",
];

/// What the jobs of a workflow share.
pub(super) struct WorkflowContext {
    /// Or why none of its jobs can be started.
    pub(super) environment: Result<Arc<Environment>, String>,
    pub(super) working_dir: String,
    pub(super) output_dir: String,
}

impl WorkflowContext {
    pub(super) fn new(workflow: WorkflowId, context: JobContext, socket: &str) -> Self {
        let environment = Environment::of_workflow(workflow, &context, socket);
        Self {
            environment: environment.map(Arc::new),
            working_dir: context.working_dir,
            output_dir: context.output_dir,
        }
    }
}

/// What the jobs of a workflow, of a lane, or the processes of one job share.
pub(super) struct Environment {
    /// `NAME=VALUE`, all but what differs from job to job.
    entries: Vec<Arc<CStr>>,
    path: Arc<SearchPath>,
    /// The names of functions that a bash would import, mostly none.
    functions: Vec<String>,
    /// Whether a bash would read a file before the command line.
    pub(super) has_bash_env: bool,
}

impl Environment {
    fn of_workflow(
        workflow: WorkflowId,
        context: &JobContext,
        socket: &str,
    ) -> Result<Self, String> {
        let mut entries = Vec::new();
        for entry in context.environment.entries() {
            if name_of(entry).is_some_and(|name| !is_ours(name)) {
                entries.push(c_string(entry.to_vec(), "an inherited variable")?.into());
            }
        }
        entries.push(variable("TORC_WORKFLOW_ID", &workflow.to_string())?.into());
        entries.push(variable("TORC_OUTPUT_DIR", &context.output_dir)?.into());
        entries.push(variable("TORC_SOCKET", socket)?.into());
        Ok(Self::index(entries, None))
    }

    /// Returns this environment with variables replaced and added; of two with the same name, the
    /// later one counts.
    ///
    /// # Errors
    ///
    /// The text names the variable that cannot be passed on.
    pub(super) fn with(self: &Arc<Self>, added: &[(String, String)]) -> Result<Arc<Self>, String> {
        if added.is_empty() {
            return Ok(Arc::clone(self));
        }
        let entries = overlay(&self.entries, added)?;
        Ok(Arc::new(Self::index(entries, Some(&self.path))))
    }

    /// Returns this environment for a job, with what it has of its own.
    ///
    /// # Errors
    ///
    /// As [`Environment::with`].
    pub(super) fn for_job(
        self: &Arc<Self>,
        extra: Option<&StartExtra>,
    ) -> Result<Arc<Self>, String> {
        match extra {
            None => Ok(Arc::clone(self)),
            Some(extra) if extra.gpus.is_empty() => self.with(&extra.environment),
            Some(extra) => {
                let mut entries = overlay(&self.entries, &extra.environment)?;
                gpus::give(&mut entries, &extra.gpus)?;
                Ok(Arc::new(Self::index(entries, Some(&self.path))))
            }
        }
    }

    /// Looks up once what is asked for each job. `known` is used again when it is the same path.
    fn index(entries: Vec<Arc<CStr>>, known: Option<&Arc<SearchPath>>) -> Self {
        let value = |name: &[u8]| {
            entries.iter().find_map(|entry| {
                entry.to_bytes().strip_prefix(name).and_then(|rest| rest.strip_prefix(b"="))
            })
        };
        let functions = entries.iter().filter_map(|entry| {
            let name = name_of(entry.to_bytes())?.strip_prefix(b"BASH_FUNC_")?;
            let name = name.strip_suffix(b"%%")?;
            Some(String::from_utf8_lossy(name).into_owned())
        });
        let search = value(b"PATH");
        let path = known.filter(|known| known.is_of(search)).cloned();
        Self {
            path: path.unwrap_or_else(|| Arc::new(SearchPath::new(search))),
            functions: functions.collect(),
            has_bash_env: value(b"BASH_ENV").is_some_and(|file| !file.is_empty()),
            entries,
        }
    }

    /// Returns whether a bash with this environment has a function of this name.
    pub(super) fn has_function(&self, name: &str) -> bool {
        self.functions.iter().any(|function| function == name)
    }

    /// Returns the files that `program` may be, in the order in which they are to be tried: itself
    /// when it has a slash, else one for each directory of `PATH`.
    pub(super) fn candidates(&self, program: &[u8]) -> Vec<Vec<u8>> {
        self.path.candidates(program)
    }

    /// Returns the shell for command lines: the first bash on `PATH`, else `/bin/bash`, else
    /// `/bin/sh`.
    pub(super) fn shell(&self) -> &Path {
        self.path.shell()
    }
}

/// Returns `entries` without what `added` replaces, and then that; of two with the same name, the
/// later one counts. Takes time in proportion to their number: it may be done on the main thread.
fn overlay(entries: &[Arc<CStr>], added: &[(String, String)]) -> Result<Vec<Arc<CStr>>, String> {
    let mut last = HashMap::with_capacity(added.len());
    for (index, (name, _)) in added.iter().enumerate() {
        if name.is_empty() || name.contains('=') {
            return Err(format!("{name:?} cannot be the name of an environment variable"));
        }
        if !is_ours(name.as_bytes()) {
            last.insert(name.as_bytes(), index);
        }
    }
    let is_kept =
        |entry: &&Arc<CStr>| name_of(entry.to_bytes()).is_none_or(|name| !last.contains_key(name));
    let mut result: Vec<_> = entries.iter().filter(is_kept).cloned().collect();
    for (index, (name, value)) in added.iter().enumerate() {
        if last.get(name.as_bytes()) == Some(&index) {
            result.push(variable(name, value)?.into());
        }
    }
    Ok(result)
}

fn is_ours(name: &[u8]) -> bool {
    OURS.iter().any(|own| own.as_bytes() == name)
}

fn variable(name: &str, value: &str) -> Result<CString, String> {
    c_string(format!("{name}={value}").into_bytes(), name)
}

/// Returns `bytes` as a C string; `what` names it in the message.
///
/// # Errors
///
/// The text says that a NUL cannot be passed to a program.
pub(super) fn c_string(bytes: Vec<u8>, what: &str) -> Result<CString, String> {
    CString::new(bytes)
        .map_err(|_| format!("{what} holds a NUL character, which cannot be passed to a program"))
}

fn name_of(entry: &[u8]) -> Option<&[u8]> {
    entry.iter().position(|byte| *byte == b'=').filter(|at| *at > 0).map(|at| &entry[..at])
}

#[cfg(test)]
mod tests;
