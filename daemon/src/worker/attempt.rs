//! One attempt on this node: what it runs, and what may be done to it when.
//!
//! Its slot thread leads it from phase to phase; the main thread stops it. Signals go to its process
//! group only in phase `Running`, and that ends before its leader is reaped, so a signal can never
//! hit a stranger who got the same number.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use torc_protocol::id::AttemptId;
use torc_protocol::result::{AttemptResult, Ending, Output, StopCause, Usage};
use torc_protocol::time::Timestamp;
use torc_protocol::worker::StartJob;

use super::lock::lock;
use super::setup::LaneSetup;
use super::tail::Tail;

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
        if life.kill_at.is_some_and(|at| at <= Instant::now()) {
            // The main thread came to kill it when there was nothing to kill.
            let _ = killpg(group, Signal::SIGKILL);
        } else if life.stopped.is_some() {
            self.ask_to_end(group);
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
        self.stop_life(&mut lock(&self.life), cause, kill_at)
    }

    /// Stops it because `group` has had its time, unless that is over: the recovery script may end
    /// at the moment at which its time does, and that is not the time of the command after it.
    pub(super) fn time_out(&self, group: Pid, kill_at: Instant) -> Stop {
        let mut life = lock(&self.life);
        if life.phase == Phase::Running(group) {
            self.stop_life(&mut life, StopCause::Timeout, kill_at)
        } else {
            Stop::Nothing
        }
    }

    fn stop_life(&self, life: &mut Life, cause: StopCause, kill_at: Instant) -> Stop {
        match life.phase {
            Phase::Queued | Phase::Ended => return Stop::Nothing,
            Phase::Starting => {}
            Phase::Running(group) if life.stopped.is_none() => self.ask_to_end(group),
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

    /// Kills a process group because it has taken more memory than it may, if it is the one that
    /// runs now.
    pub(super) fn exceed_memory(&self, group: Pid) {
        let mut life = lock(&self.life);
        if life.phase == Phase::Running(group) {
            life.stopped.get_or_insert(StopCause::OutOfMemory);
            let _ = killpg(group, Signal::SIGKILL);
        }
    }

    /// Notes that the kernel has killed one of its processes for want of memory.
    pub(super) fn note_out_of_memory(&self) {
        lock(&self.life).stopped.get_or_insert(StopCause::OutOfMemory);
    }

    /// Kills what is left of its process group. It will have another.
    pub(super) fn pause(&self) {
        self.kill();
        lock(&self.life).phase = Phase::Starting;
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

    /// Returns its result, when it ends now and has used and written nothing.
    pub(super) fn result(&self, ending: Ending, started_at: Timestamp) -> AttemptResult {
        let stopped = self.stopped();
        AttemptResult {
            ending,
            stopped,
            limit_code: self.lane.limit_code(stopped),
            started_at,
            finished_at: Timestamp::now(),
            usage: Usage::default(),
            stdout: Output::None,
            stderr: Output::None,
            lost_output: None,
            recovery_code: None,
            files: None,
        }
    }

    /// Asks a group to end, and wakes up what of it is stopped so that it can.
    fn ask_to_end(&self, group: Pid) {
        // An error means that they are gone.
        let _ = killpg(group, self.lane.termination_signal);
        let _ = killpg(group, Signal::SIGCONT);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use nix::unistd::Pid;
    use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
    use torc_protocol::result::{Ending, OUT_OF_MEMORY_CODE, StopCause};
    use torc_protocol::spec::{Command, JobSettings};
    use torc_protocol::time::Timestamp;
    use torc_protocol::worker::StartJob;

    use super::{Attempt, Stop};
    use crate::worker::setup::LaneSetup;

    pub(in crate::worker) fn attempt(job: u64) -> Attempt {
        let job = StartJob {
            attempt: AttemptId { job: JobId(job), number: AttemptNumber(1) },
            name: "a".to_owned(),
            command: Command::Line("true".to_owned()),
            extra: None,
        };
        let lane = LaneSetup::new(WorkflowId(1), None, JobSettings::default());
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
    fn one_that_should_be_dead_when_it_has_a_process_is_killed() {
        use std::os::unix::process::{CommandExt, ExitStatusExt};
        let attempt = attempt(1);
        assert!(attempt.take());
        attempt.stop(StopCause::Canceled, Instant::now());
        let stubborn = ["-c", "trap '' TERM; while :; do :; done"];
        let mut child =
            std::process::Command::new("sh").args(stubborn).process_group(0).spawn().unwrap();
        attempt.set_running(Pid::from_raw(child.id().cast_signed()));
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn only_the_group_that_runs_can_have_had_its_time() {
        // Groups that no process can have.
        let (script, command) = (Pid::from_raw(i32::MAX - 1), Pid::from_raw(i32::MAX));
        let attempt = attempt(1);
        assert!(attempt.take());
        attempt.set_running(script);
        attempt.pause();
        let now = Instant::now();
        assert_eq!(attempt.time_out(script, now), Stop::Nothing);
        attempt.set_running(command);
        assert_eq!(attempt.time_out(script, now), Stop::Nothing);
        assert_eq!((attempt.stopped(), attempt.kill_at()), (None, None));
        assert_eq!(attempt.time_out(command, now), Stop::Stopping { replaces: None });
        assert_eq!(attempt.stopped(), Some(StopCause::Timeout));
    }

    #[test]
    fn only_the_group_that_runs_can_be_over_its_limit() {
        let attempt = attempt(1);
        assert!(attempt.take());
        attempt.exceed_memory(Pid::from_raw(2));
        assert_eq!(attempt.stopped(), None);
        attempt.note_out_of_memory();
        assert_eq!(attempt.stopped(), Some(StopCause::OutOfMemory));
        let result = attempt.result(Ending::Signaled(9), Timestamp::now());
        assert_eq!(result.return_code(), OUT_OF_MEMORY_CODE);
    }

    #[test]
    fn a_result_is_reported_once() {
        let attempt = attempt(1);
        assert!(attempt.claim_report());
        assert!(!attempt.claim_report());
    }
}
