//! One attempt on this node: what it runs, and what may be done to it when.
//!
//! Its slot thread leads it from phase to phase; the main thread stops it. Signals go to its process
//! group only in phase `Running`, and that ends before its leader is reaped, so a signal can never
//! hit a stranger who got the same number.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use torc_protocol::id::{AttemptId, WorkflowId};
use torc_protocol::result::StopCause;
use torc_protocol::spec::{JobSettings, StdioMode};
use torc_protocol::worker::{LaneId, StartJob};

use super::environment::{Environment, WorkflowContext, c_string};
use super::lock::lock;
use super::output::FileStem;
use super::tail::Tail;

/// What the jobs of a lane share, checked once.
pub(super) struct LaneSetup {
    pub(super) workflow: WorkflowId,
    pub(super) stdio: StdioMode,
    pub(super) timeout: Option<Duration>,
    pub(super) grace: Duration,
    /// Or why none of its jobs can be started.
    pub(super) place: Result<Place, String>,
}

/// Where and as what the jobs of a lane run.
pub(super) struct Place {
    pub(super) environment: Environment,
    pub(super) directory: CString,
    output_dir: PathBuf,
}

impl LaneSetup {
    pub(super) fn new(
        workflow: WorkflowId,
        shared: Option<&WorkflowContext>,
        settings: &JobSettings,
    ) -> Self {
        let place = match shared {
            Some(shared) => Place::new(workflow, shared, settings),
            None => Err(format!("the worker was not told about workflow {workflow}")),
        };
        Self {
            workflow,
            stdio: settings.stdio,
            timeout: settings.timeout.map(Duration::from),
            grace: settings.grace.into(),
            place,
        }
    }

    /// Returns the setup for jobs of a lane that was never opened.
    pub(super) fn unknown(lane: LaneId) -> Self {
        let mut setup = Self::new(WorkflowId(0), None, &JobSettings::default());
        setup.place = Err(format!("the worker was not told about lane {lane}"));
        setup
    }
}

impl Place {
    fn new(
        workflow: WorkflowId,
        shared: &WorkflowContext,
        settings: &JobSettings,
    ) -> Result<Self, String> {
        let mut directory = PathBuf::from(&shared.context.working_dir);
        directory.extend(&settings.working_dir);
        Ok(Self {
            environment: Environment::merge(workflow, shared, settings)?,
            directory: c_string(
                directory.into_os_string().into_encoded_bytes(),
                "the working directory",
            )?,
            output_dir: PathBuf::from(&shared.context.output_dir),
        })
    }

    /// Returns where the files of an attempt are.
    pub(super) fn file_stem(&self, workflow: WorkflowId, attempt: AttemptId) -> FileStem {
        let directory = self.output_dir.join("stdio").join(workflow.to_string());
        FileStem(directory.join(attempt.to_string()))
    }
}

/// One attempt.
pub(super) struct Attempt {
    pub(super) job: StartJob,
    pub(super) lane: Arc<LaneSetup>,
    pub(super) tail: Tail,
    life: Mutex<Life>,
}

#[derive(Default)]
struct Life {
    phase: Phase,
    stopped: Option<StopCause>,
    kill_at: Option<Instant>,
    reported: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Queued,
    /// A slot has it.
    Starting,
    /// It has a process group.
    Running(Pid),
    /// Nothing can be done to it any more.
    Ended,
}

/// What became of the wish to stop an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is being stopped. `replaces` is when it was to be killed until now.
    Stopping { replaces: Option<Instant> },
    /// It was not started, has ended, or will be killed before that time anyway.
    Nothing,
}

impl Attempt {
    pub(super) fn new(job: StartJob, lane: Arc<LaneSetup>) -> Self {
        Self { job, lane, tail: Tail::default(), life: Mutex::default() }
    }

    pub(super) fn id(&self) -> AttemptId {
        self.job.attempt
    }

    /// A slot takes it from the queue; returns false when it was withdrawn.
    pub(super) fn take(&self) -> bool {
        let mut life = lock(&self.life);
        let queued = life.phase == Phase::Queued;
        if queued {
            life.phase = Phase::Starting;
        }
        queued
    }

    /// It has a process group. If it was stopped meanwhile, that takes effect now.
    pub(super) fn set_running(&self, group: Pid) {
        let mut life = lock(&self.life);
        life.phase = Phase::Running(group);
        if life.stopped.is_some() {
            ask_to_end(group);
        }
    }

    /// Withdraws it if it is still queued; then it will not be started, and the caller reports that.
    pub(super) fn withdraw(&self, cause: StopCause) -> bool {
        let mut life = lock(&self.life);
        let queued = life.phase == Phase::Queued;
        if queued {
            life.phase = Phase::Ended;
            life.stopped = Some(cause);
        }
        queued
    }

    /// Asks its processes to end, now or as soon as it has some; they are to be killed at `kill_at`.
    /// The first cause is the one that counts.
    pub(super) fn stop(&self, cause: StopCause, kill_at: Instant) -> Stop {
        let mut life = lock(&self.life);
        match life.phase {
            Phase::Queued | Phase::Ended => return Stop::Nothing,
            Phase::Starting => {}
            Phase::Running(group) if life.stopped.is_none() => ask_to_end(group),
            Phase::Running(_) => {}
        }
        life.stopped.get_or_insert(cause);
        if life.kill_at.is_some_and(|earlier| earlier <= kill_at) {
            return Stop::Nothing;
        }
        Stop::Stopping { replaces: life.kill_at.replace(kill_at) }
    }

    /// Kills its processes, if it has any.
    pub(super) fn kill(&self) {
        if let Phase::Running(group) = lock(&self.life).phase {
            // An error means that they are gone.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }

    /// Kills what is left of its process group; from now on nothing is done to it.
    pub(super) fn release(&self) {
        self.kill();
        lock(&self.life).phase = Phase::Ended;
    }

    /// Returns why it was stopped, if it was.
    pub(super) fn stopped(&self) -> Option<StopCause> {
        lock(&self.life).stopped
    }

    /// Returns its process group, if it has one that was not released.
    pub(super) fn group(&self) -> Option<Pid> {
        match lock(&self.life).phase {
            Phase::Running(group) => Some(group),
            Phase::Queued | Phase::Starting | Phase::Ended => None,
        }
    }

    /// Returns when it is to be killed, if it is being stopped.
    pub(super) fn kill_at(&self) -> Option<Instant> {
        lock(&self.life).kill_at
    }

    /// Returns true once: to the one who is to report its result.
    pub(super) fn claim_report(&self) -> bool {
        !std::mem::replace(&mut lock(&self.life).reported, true)
    }
}

/// Asks a group to end, and wakes up what of it is stopped so that it can.
fn ask_to_end(group: Pid) {
    // An error means that they are gone.
    let _ = killpg(group, Signal::SIGTERM);
    let _ = killpg(group, Signal::SIGCONT);
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
    use torc_protocol::result::StopCause;
    use torc_protocol::spec::{Command, JobSettings};
    use torc_protocol::worker::StartJob;

    use super::{Attempt, LaneSetup, Stop};

    pub(in crate::worker) fn attempt(job: u64) -> Attempt {
        let job = StartJob {
            attempt: AttemptId { job: JobId(job), number: AttemptNumber(1) },
            name: "a".to_owned(),
            command: Command::Line("true".to_owned()),
        };
        let lane = LaneSetup::new(WorkflowId(1), None, &JobSettings::default());
        Attempt::new(job, Arc::new(lane))
    }

    #[test]
    fn a_queued_attempt_is_withdrawn_and_never_taken() {
        let attempt = attempt(1);
        assert!(attempt.withdraw(StopCause::Canceled));
        assert!(!attempt.take() && !attempt.withdraw(StopCause::Shutdown));
        assert_eq!(attempt.stop(StopCause::Shutdown, Instant::now()), Stop::Nothing);
        assert_eq!(attempt.stopped(), Some(StopCause::Canceled));
    }

    #[test]
    fn only_a_shorter_grace_changes_when_it_is_killed() {
        let attempt = attempt(1);
        assert!(attempt.take());
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let stop = |seconds| attempt.stop(StopCause::Canceled, at(seconds));
        assert_eq!(stop(5), Stop::Stopping { replaces: None });
        assert_eq!(stop(9), Stop::Nothing);
        assert_eq!(stop(1), Stop::Stopping { replaces: Some(at(5)) });
        assert_eq!(attempt.kill_at(), Some(at(1)));
    }

    #[test]
    fn the_first_cause_counts() {
        let attempt = attempt(1);
        assert!(attempt.take());
        attempt.stop(StopCause::Timeout, Instant::now());
        attempt.stop(StopCause::Canceled, Instant::now());
        assert_eq!(attempt.stopped(), Some(StopCause::Timeout));
    }

    #[test]
    fn a_result_is_reported_once() {
        let attempt = attempt(1);
        assert!(attempt.claim_report());
        assert!(!attempt.claim_report());
    }
}
