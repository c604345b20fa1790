//! What the jobs of a lane share, checked once.
//!
//! It is made on the main thread, so it is made anew only when something of it has changed.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use torc_protocol::id::{AttemptId, WorkflowId};
use torc_protocol::result::StopCause;
use torc_protocol::spec::{JobSettings, StdioMode};
use torc_protocol::worker::LaneId;

use super::environment::{Environment, WorkflowContext, c_string};
use super::output::FileStem;

/// How the jobs of a lane are run.
pub(super) struct LaneSetup {
    pub(super) workflow: WorkflowId,
    /// Of what it was made.
    shared: Option<Arc<WorkflowContext>>,
    settings: JobSettings,
    pub(super) stdio: StdioMode,
    /// The output of a job that completes is thrown away.
    pub(super) delete_on_success: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) grace: Duration,
    /// What asks a job to end.
    pub(super) termination_signal: Signal,
    /// A job that takes more bytes of memory is killed.
    pub(super) memory_limit: Option<u64>,
    timeout_code: i32,
    out_of_memory_code: i32,
    /// Or why none of its jobs can be started.
    pub(super) place: Result<Place, String>,
}

/// Where and as what the jobs of a lane run.
pub(super) struct Place {
    pub(super) environment: Arc<Environment>,
    pub(super) directory: CString,
    /// The working directory of the workflow, where the paths of its files begin.
    pub(super) files_dir: PathBuf,
    output_dir: PathBuf,
}

impl LaneSetup {
    pub(super) fn new(
        workflow: WorkflowId,
        shared: Option<&Arc<WorkflowContext>>,
        settings: JobSettings,
    ) -> Self {
        let place = match shared {
            Some(shared) => Place::new(shared, &settings),
            None => Err(format!("the worker was not told about workflow {workflow}")),
        };
        let signal = Signal::try_from(settings.termination_signal);
        let unknown =
            format!("there is no signal {} to ask it to end", settings.termination_signal);
        Self {
            workflow,
            shared: shared.cloned(),
            stdio: settings.stdio,
            delete_on_success: settings.delete_on_success,
            timeout: settings.timeout.map(Duration::from),
            grace: settings.grace.into(),
            termination_signal: signal.unwrap_or(Signal::SIGTERM),
            memory_limit: settings.memory.filter(|_| settings.limit_memory),
            timeout_code: settings.timeout_code,
            out_of_memory_code: settings.out_of_memory_code,
            place: signal.map_err(|_| unknown).and(place),
            settings,
        }
    }

    /// Returns `before` when it was made of the same, as it is when only the width of its lane
    /// changes, and else a new one.
    pub(super) fn renew(
        before: Option<Arc<Self>>,
        workflow: WorkflowId,
        shared: Option<&Arc<WorkflowContext>>,
        settings: JobSettings,
    ) -> Arc<Self> {
        let is_same = |before: &Arc<Self>| {
            before.workflow == workflow
                && before.shared.as_ref().map(Arc::as_ptr) == shared.map(Arc::as_ptr)
                && before.settings == settings
        };
        match before.filter(is_same) {
            Some(before) => before,
            None => Arc::new(Self::new(workflow, shared, settings)),
        }
    }

    /// Returns the setup for jobs of a lane that was never opened.
    pub(super) fn unknown(lane: LaneId) -> Self {
        let mut setup = Self::new(WorkflowId(0), None, JobSettings::default());
        setup.place = Err(format!("the worker was not told about lane {lane}"));
        setup
    }

    /// Returns the code for a job that was ended by a limit, if it was.
    pub(super) fn limit_code(&self, stopped: Option<StopCause>) -> i32 {
        match stopped {
            Some(StopCause::OutOfMemory) => self.out_of_memory_code,
            _ => self.timeout_code,
        }
    }
}

impl Place {
    fn new(shared: &WorkflowContext, settings: &JobSettings) -> Result<Self, String> {
        let files_dir = PathBuf::from(&shared.working_dir);
        let mut directory = files_dir.clone();
        directory.extend(&settings.working_dir);
        Ok(Self {
            environment: shared.environment.as_ref()?.with(&settings.environment)?,
            directory: c_string(
                directory.into_os_string().into_encoded_bytes(),
                "the working directory",
            )?,
            files_dir,
            output_dir: PathBuf::from(&shared.output_dir),
        })
    }

    /// Returns where the files of an attempt are.
    pub(super) fn file_stem(&self, workflow: WorkflowId, attempt: AttemptId) -> FileStem {
        let directory = self.output_dir.join("stdio").join(workflow.to_string());
        FileStem(directory.join(attempt.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use torc_protocol::id::WorkflowId;
    use torc_protocol::result::StopCause;
    use torc_protocol::spec::{JobContext, JobSettings};

    use super::LaneSetup;
    use crate::worker::environment::WorkflowContext;

    const WORKFLOW: WorkflowId = WorkflowId(1);

    fn setup(settings: JobSettings) -> LaneSetup {
        LaneSetup::new(WORKFLOW, None, settings)
    }

    fn shared() -> Arc<WorkflowContext> {
        Arc::new(WorkflowContext::new(WORKFLOW, JobContext::default(), "/sock"))
    }

    fn with_variable(value: &str) -> JobSettings {
        let environment = vec![("A".to_owned(), value.to_owned())];
        JobSettings { environment, ..JobSettings::default() }
    }

    #[test]
    fn a_setup_is_made_anew_only_when_something_of_it_has_changed() {
        let (shared, other) = (shared(), shared());
        let renew = |before, shared, value| {
            LaneSetup::renew(before, WORKFLOW, Some(shared), with_variable(value))
        };
        let first = renew(None, &shared, "1");
        let again = |shared, value| renew(Some(Arc::clone(&first)), shared, value);
        assert!(Arc::ptr_eq(&first, &again(&shared, "1")));
        assert!(!Arc::ptr_eq(&first, &again(&shared, "2")));
        assert!(!Arc::ptr_eq(&first, &again(&other, "1")));
        let unknown =
            LaneSetup::renew(Some(Arc::clone(&first)), WORKFLOW, None, with_variable("1"));
        assert!(unknown.place.is_err());
    }

    #[test]
    fn lanes_that_add_no_variable_share_the_environment_of_their_workflow() {
        let shared = shared();
        let environment = |settings| {
            LaneSetup::new(WORKFLOW, Some(&shared), settings).place.ok().unwrap().environment
        };
        let one = environment(JobSettings::default());
        let other = environment(JobSettings { cpus: 2, ..JobSettings::default() });
        assert!(Arc::ptr_eq(&one, &other));
        assert!(!Arc::ptr_eq(&one, &environment(with_variable("1"))));
    }

    #[test]
    fn memory_is_limited_only_when_that_is_asked_for() {
        let with = |memory, limit_memory| {
            setup(JobSettings { memory, limit_memory, ..JobSettings::default() }).memory_limit
        };
        assert_eq!(with(Some(7), true), Some(7));
        assert_eq!(with(Some(7), false), None);
        assert_eq!(with(None, true), None);
    }

    #[test]
    fn each_limit_has_its_code() {
        let settings = JobSettings { timeout_code: 3, out_of_memory_code: 4, ..Default::default() };
        let setup = setup(settings);
        assert_eq!(setup.limit_code(Some(StopCause::Timeout)), 3);
        assert_eq!(setup.limit_code(Some(StopCause::TimeLimit)), 3);
        assert_eq!(setup.limit_code(Some(StopCause::OutOfMemory)), 4);
    }

    #[test]
    fn a_signal_that_does_not_exist_is_refused() {
        let settings = JobSettings { termination_signal: 99, ..JobSettings::default() };
        let refused = setup(settings).place.err().unwrap();
        assert_eq!(refused, "there is no signal 99 to ask it to end");
    }
}
