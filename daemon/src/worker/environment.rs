//! The environment of jobs: that of the workflow, what the settings of a lane add, and the `TORC_*`
//! variables, in the form in which `execve` wants it.
//!
//! All that jobs of a lane share is merged and checked once; a job adds three strings. Only a job
//! with an environment or GPUs of its own gets a copy that is merged for it.

mod gpus;
mod job;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::unistd::{AccessFlags, access};
use torc_protocol::id::WorkflowId;
use torc_protocol::spec::{JobContext, JobSettings};
use torc_protocol::worker::StartExtra;

pub(super) use job::JobEnvironment;

/// Where programs are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &[u8] = b"/usr/bin:/bin";

/// Ours alone; what is inherited or asked for under these names is dropped.
const OURS: [&str; 8] = [
    "TORC_WORKFLOW_ID",
    "TORC_JOB_ID",
    "TORC_JOB_NAME",
    "TORC_ATTEMPT",
    "TORC_OUTPUT_DIR",
    "TORC_SOCKET",
    "TORC_GPUS",
    "TORC_RETURN_CODE",
];

/// What the jobs of a workflow share.
pub(super) struct WorkflowContext {
    pub(super) context: JobContext,
    pub(super) socket: String,
}

/// What the jobs of a lane share.
pub(super) struct Environment {
    /// `NAME=VALUE`, all but what differs from job to job.
    entries: Vec<CString>,
    /// The directories of `PATH`, each ended by a slash, or empty for the working directory.
    path: Vec<Vec<u8>>,
    /// The names of functions that a bash would import, mostly none.
    functions: Vec<String>,
    /// Whether a bash would read a file before the command line.
    pub(super) has_bash_env: bool,
    shell: OnceLock<PathBuf>,
}

impl Environment {
    /// Merges the environment for the jobs of a lane.
    ///
    /// # Errors
    ///
    /// The text names the variable that cannot be passed on.
    pub(super) fn merge(
        workflow: WorkflowId,
        shared: &WorkflowContext,
        settings: &JobSettings,
    ) -> Result<Self, String> {
        let mut entries = Vec::new();
        for entry in shared.context.environment.entries() {
            if name_of(entry).is_some_and(|name| !is_ours(name)) {
                entries.push(c_string(entry.to_vec(), "an inherited variable")?);
            }
        }
        overlay(&mut entries, &settings.environment)?;
        entries.push(variable("TORC_WORKFLOW_ID", &workflow.to_string())?);
        entries.push(variable("TORC_OUTPUT_DIR", &shared.context.output_dir)?);
        entries.push(variable("TORC_SOCKET", &shared.socket)?);
        Ok(Self::index(entries))
    }

    /// Returns the environment for a job that adds to it; none for a job that does not.
    ///
    /// # Errors
    ///
    /// The text names the variable that cannot be passed on.
    pub(super) fn extended(&self, extra: &StartExtra) -> Result<Option<Self>, String> {
        if extra.environment.is_empty() && extra.gpus.is_empty() {
            return Ok(None);
        }
        let mut entries = self.entries.clone();
        overlay(&mut entries, &extra.environment)?;
        if !extra.gpus.is_empty() {
            gpus::give(&mut entries, &extra.gpus)?;
        }
        Ok(Some(Self::index(entries)))
    }

    /// Looks up once what is asked for each job.
    fn index(entries: Vec<CString>) -> Self {
        let value = |name: &[u8]| {
            entries.iter().find_map(|entry| {
                entry.to_bytes().strip_prefix(name).and_then(|rest| rest.strip_prefix(b"="))
            })
        };
        let path =
            value(b"PATH").unwrap_or(DEFAULT_PATH).split(|byte| *byte == b':').map(|directory| {
                let mut prefix = directory.to_vec();
                if !matches!(prefix.last(), None | Some(b'/')) {
                    prefix.push(b'/');
                }
                prefix
            });
        let functions = entries.iter().filter_map(|entry| {
            let name = name_of(entry.to_bytes())?.strip_prefix(b"BASH_FUNC_")?;
            let name = name.strip_suffix(b"%%")?;
            Some(String::from_utf8_lossy(name).into_owned())
        });
        Self {
            path: path.collect(),
            functions: functions.collect(),
            has_bash_env: value(b"BASH_ENV").is_some_and(|file| !file.is_empty()),
            shell: OnceLock::new(),
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
        if program.contains(&b'/') {
            return vec![program.to_vec()];
        }
        self.path.iter().map(|directory| [directory, program].concat()).collect()
    }

    /// Returns the shell for command lines: the first bash on `PATH`, else `/bin/bash`, else
    /// `/bin/sh`. It is looked for once; directories of `PATH` that are relative do not count.
    pub(super) fn shell(&self) -> &Path {
        self.shell.get_or_init(|| {
            let on_path = self.path.iter().filter(|directory| directory.first() == Some(&b'/'));
            let mut places = on_path
                .map(|directory| Path::new(std::ffi::OsStr::from_bytes(directory)).join("bash"))
                .chain([PathBuf::from("/bin/bash")]);
            let found = places
                .find(|file| file.is_file() && access(file.as_path(), AccessFlags::X_OK).is_ok());
            found.unwrap_or_else(|| PathBuf::from("/bin/sh"))
        })
    }
}

/// Replaces and adds variables; of two with the same name, the later one counts.
fn overlay(entries: &mut Vec<CString>, added: &[(String, String)]) -> Result<(), String> {
    for (index, (name, value)) in added.iter().enumerate() {
        if name.is_empty() || name.contains('=') {
            return Err(format!("{name:?} cannot be the name of an environment variable"));
        }
        let is_replaced = added[index + 1..].iter().any(|(other, _)| other == name);
        if !is_replaced && !is_ours(name.as_bytes()) {
            remove(entries, &[name]);
            entries.push(variable(name, value)?);
        }
    }
    Ok(())
}

fn remove(entries: &mut Vec<CString>, names: &[&str]) {
    let is_named = |name: &[u8]| names.iter().any(|other| other.as_bytes() == name);
    entries.retain(|entry| !name_of(entry.to_bytes()).is_some_and(is_named));
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
