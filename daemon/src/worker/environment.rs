//! The environment of jobs: that of the workflow, what the settings of a lane add, and the `TORC_*`
//! variables, in the form in which `execve` wants it.
//!
//! All that jobs of a lane share is merged and checked once; a job adds three strings.

use std::ffi::{CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::unistd::{AccessFlags, access};
use torc_protocol::id::{AttemptId, WorkflowId};
use torc_protocol::spec::{JobContext, JobSettings};

/// Where programs are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &[u8] = b"/usr/bin:/bin";

/// Set for each job; what is inherited under these names is dropped.
const OURS: [&str; 6] = [
    "TORC_WORKFLOW_ID",
    "TORC_JOB_ID",
    "TORC_JOB_NAME",
    "TORC_ATTEMPT",
    "TORC_OUTPUT_DIR",
    "TORC_SOCKET",
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
        let added = &settings.environment;
        let replaced = |name: &[u8]| {
            OURS.iter().any(|own| own.as_bytes() == name)
                || added.iter().any(|(other, _)| other.as_bytes() == name)
        };
        let mut entries = Vec::new();
        for entry in shared.context.environment.entries() {
            if name_of(entry).is_some_and(|name| !replaced(name)) {
                entries.push(c_string(entry.to_vec(), "an inherited variable")?);
            }
        }
        for (index, (name, value)) in added.iter().enumerate() {
            if name.is_empty() || name.contains('=') {
                return Err(format!("{name:?} cannot be the name of an environment variable"));
            }
            let later = added[index + 1..].iter().any(|(other, _)| other == name);
            if !later && !OURS.contains(&name.as_str()) {
                entries.push(variable(name, value)?);
            }
        }
        entries.push(variable("TORC_WORKFLOW_ID", &workflow.to_string())?);
        entries.push(variable("TORC_OUTPUT_DIR", &shared.context.output_dir)?);
        entries.push(variable("TORC_SOCKET", &shared.socket)?);
        Ok(Self::index(entries))
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

/// The strings of one attempt, and all pointers that its `execve` takes.
pub(super) struct JobEnvironment {
    /// What `pointers` points to, besides the entries of the lane.
    _own: [CString; 3],
    pointers: Vec<*const c_char>,
}

impl JobEnvironment {
    /// Adds to `shared` what is of this attempt. The result must not outlive `shared`.
    ///
    /// # Errors
    ///
    /// The text says that the name of the job cannot be passed on.
    pub(super) fn new(
        shared: &Environment,
        attempt: AttemptId,
        name: &str,
    ) -> Result<Self, String> {
        let own = [
            variable("TORC_JOB_ID", &attempt.job.to_string())?,
            variable("TORC_JOB_NAME", name)?,
            variable("TORC_ATTEMPT", &attempt.number.to_string())?,
        ];
        let entries = shared.entries.iter().chain(&own).map(|entry| entry.as_ptr());
        let pointers = entries.chain([std::ptr::null()]).collect();
        Ok(Self { _own: own, pointers })
    }

    /// Returns the array for `execve`, ended by a null pointer.
    pub(super) fn pointers(&self) -> &[*const c_char] {
        &self.pointers
    }
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
mod tests {
    use std::ffi::CStr;

    use bytes::Bytes;
    use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
    use torc_protocol::spec::{Environment as Inherited, JobContext, JobSettings};

    use super::{Environment, JobEnvironment, WorkflowContext};

    fn merged(inherited: &str, added: &[(&str, &str)]) -> Result<Environment, String> {
        let context = JobContext {
            environment: Inherited(Bytes::copy_from_slice(inherited.as_bytes())),
            working_dir: "/".to_owned(),
            output_dir: "/out".to_owned(),
        };
        let added = added.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = JobSettings { environment: added.collect(), ..JobSettings::default() };
        let shared = WorkflowContext { context, socket: "/sock".to_owned() };
        Environment::merge(WorkflowId(7), &shared, &settings)
    }

    fn strings(environment: &Environment) -> Vec<&str> {
        environment.entries.iter().map(|entry| entry.to_str().unwrap()).collect()
    }

    const TAIL: [&str; 3] = ["TORC_WORKFLOW_ID=7", "TORC_OUTPUT_DIR=/out", "TORC_SOCKET=/sock"];

    #[test]
    fn settings_replace_what_is_inherited_and_later_ones_win() {
        let environment = merged("A=1\0B=2\0", &[("A", "x"), ("C", "3"), ("A", "y")]).unwrap();
        assert_eq!(strings(&environment), [&["B=2", "C=3", "A=y"][..], &TAIL].concat());
    }

    #[test]
    fn inherited_torc_variables_are_replaced() {
        let environment = merged("TORC_JOB_ID=1\0TORC_SOCKET=old\0TORC_X=1\0", &[]).unwrap();
        assert_eq!(strings(&environment), [&["TORC_X=1"][..], &TAIL].concat());
    }

    #[test]
    fn a_job_adds_its_own_variables() {
        let environment = merged("A=1\0", &[]).unwrap();
        let attempt = AttemptId { job: JobId(4), number: AttemptNumber(2) };
        let job = JobEnvironment::new(&environment, attempt, "j 1").unwrap();
        let (end, entries) = job.pointers().split_last().unwrap();
        assert!(end.is_null());
        // SAFETY: the pointers are of C strings that `environment` and `job` own.
        #[expect(unsafe_code, reason = "what execve will read is read here")]
        let last = entries.iter().map(|entry| unsafe { CStr::from_ptr(*entry) });
        let last: Vec<_> = last.skip(4).map(|entry| entry.to_str().unwrap()).collect();
        assert_eq!(last, ["TORC_JOB_ID=4", "TORC_JOB_NAME=j 1", "TORC_ATTEMPT=2"]);
        assert!(JobEnvironment::new(&environment, attempt, "a\0b").is_err());
    }

    #[test]
    fn names_and_values_that_cannot_be_passed_are_refused() {
        for (name, value) in [("", "x"), ("A=B", "x"), ("A", "x\0y")] {
            assert!(merged("", &[(name, value)]).is_err(), "{name:?} {value:?}");
        }
    }

    #[test]
    fn programs_are_looked_for_on_the_path_of_the_job() {
        let environment = merged("PATH=/a:/b/::/c\0", &[]).unwrap();
        assert_eq!(environment.candidates(b"x"), [&b"/a/x"[..], b"/b/x", b"x", b"/c/x"]);
        assert_eq!(environment.candidates(b"./x"), [b"./x"]);
        assert_eq!(merged("", &[]).unwrap().candidates(b"x"), [&b"/usr/bin/x"[..], b"/bin/x"]);
    }

    #[test]
    fn exported_functions_and_start_files_of_bash_are_noticed() {
        let environment = merged("BASH_FUNC_module%%=() { :; }\0BASH_ENV=/x\0", &[]).unwrap();
        assert!(environment.has_function("module") && !environment.has_function("mod"));
        assert!(environment.has_bash_env && !merged("", &[]).unwrap().has_bash_env);
    }

    #[test]
    fn there_is_always_a_shell() {
        assert!(merged("PATH=/nowhere\0", &[]).unwrap().shell().starts_with("/bin"));
    }
}
