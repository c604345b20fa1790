//! Actions: what a workflow has done at certain points, run by the worker beside the jobs.
//!
//! The engine says when; here they become attempts in a lane of their own, which takes no room.

use torc_protocol::event::EventKind;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::result::{AttemptResult, Ending, StopCause};
use torc_protocol::spec::{ActionSpec, JobSettings, Trigger as When};
use torc_protocol::status::JobStatus;
use torc_protocol::time::Timestamp;
use torc_protocol::worker::{LaneId, StartJob, WorkerRequest};

use crate::dispatcher::turn::JobChange;
use crate::dispatcher::{Dispatcher, InFlight, Work};
use crate::engine::action::Action;
use crate::engine::hook::{Hook, Trigger};
use crate::engine::job::WorkflowKey;
use crate::store::sql::{Connection, SqlResult};
use crate::store::tables::action::{self, Action as Row};
use crate::store::tables::job;

/// So many actions of a workflow run at a time.
const WIDTH: u32 = 64;

/// Returns how actions are run.
pub(super) fn settings() -> JobSettings {
    JobSettings::default()
}

/// Stores the actions of a workflow; `settings` is the place of those of actions.
pub(super) fn insert(
    connection: &Connection,
    workflow: WorkflowId,
    specs: &[ActionSpec],
    settings: u32,
) -> SqlResult<Vec<Row>> {
    let mut actions = Vec::with_capacity(specs.len());
    for (number, spec) in specs.iter().enumerate() {
        let mut one = Row {
            id: JobId(0),
            name: format!("{}#{}", spec.trigger.as_str(), number + 1),
            trigger: spec.trigger,
            jobs: spec.jobs.clone(),
            persistent: spec.persistent,
            fired: false,
            attempts: 0,
        };
        action::insert(connection, workflow, &mut one, &script(&spec.commands), settings)?;
        actions.push(one);
    }
    Ok(actions)
}

/// Returns one command line for several, which ends with the first that fails.
fn script(commands: &[String]) -> String {
    match commands {
        [only] => only.clone(),
        commands => format!("set -e\n{}", commands.join("\n")),
    }
}

/// Returns the actions as the engine has them.
pub(super) fn of(actions: &[Row]) -> Vec<Hook> {
    let hook = |action: &Row| Hook {
        trigger: match action.trigger {
            When::OnWorkflowStart => Trigger::Start,
            When::OnWorkflowComplete => Trigger::Complete,
            When::OnJobsReady => Trigger::JobsReady,
            When::OnJobsComplete => Trigger::JobsEnded,
            When::OnWorkerStart => Trigger::WorkerStart,
            When::OnWorkerComplete => Trigger::WorkerComplete,
        },
        jobs: action.jobs.clone(),
        fired: action.fired,
    };
    actions.iter().map(hook).collect()
}

impl Dispatcher {
    /// Gives an action to the worker; where there will be none any more, it is never done.
    pub(super) fn fire(&mut self, key: WorkflowKey, hook: u32) -> SqlResult<()> {
        let id = WorkflowId(key.0);
        if self.no_worker {
            self.engine.hook_ended(key, hook, &mut self.turn.actions);
            return Ok(());
        }
        let Some(lane) = self.action_lane(id) else { return Ok(()) };
        let Some(active) = self.active.get_mut(&id) else { return Ok(()) };
        let Some(one) = active.actions.get_mut(hook as usize) else { return Ok(()) };
        one.attempts += 1;
        one.fired = true;
        let attempt = AttemptId { job: one.id, number: AttemptNumber(one.attempts) };
        action::set_fired(self.store.writing()?, attempt.job, true)?;
        let task = job::task(self.store.reading(), attempt.job)?;
        self.note_action(attempt, id, JobStatus::Pending, None);
        let flight = InFlight {
            work: Work::Action(key, hook),
            name: task.name.clone(),
            pid: None,
            started_at: Timestamp::default(),
        };
        self.in_flight.insert(attempt, flight);
        let start = StartJob { attempt, name: task.name, command: task.command, extra: None };
        self.turn.start(lane, start);
        Ok(())
    }

    /// Returns the lane for the actions of a workflow, and opens it at the worker if it is new.
    fn action_lane(&mut self, id: WorkflowId) -> Option<LaneId> {
        self.tell_context(id);
        let active = self.active.get_mut(&id)?;
        if let Some(lane) = active.action_lane {
            return Some(lane);
        }
        // From the other end than the lanes of the engine.
        self.last_action_lane -= 1;
        let lane = self.last_action_lane;
        active.action_lane = Some(lane);
        let settings = settings();
        self.turn.requests.push(WorkerRequest::Lane { lane, width: WIDTH, workflow: id, settings });
        Some(lane)
    }

    /// Takes note of the end of an action.
    pub(super) fn action_ended(
        &mut self,
        attempt: AttemptId,
        (key, hook): (WorkflowKey, u32),
        result: &AttemptResult,
    ) {
        let id = WorkflowId(key.0);
        if result.ending == Ending::Withdrawn && result.stopped.is_none() && !self.no_worker {
            // The worker died before it began.
            self.take_back(id, hook);
            self.turn.actions.push(Action::Fire { workflow: key, hook });
            return;
        }
        let (status, code) = (result.status(), result.return_code());
        if !matches!(result.ending, Ending::Withdrawn) {
            let name = self.action_name(id, hook);
            let reason = result.reason();
            let job_id = attempt.job;
            let kind =
                EventKind::ActionFinished { job_id, name, status, return_code: code, reason };
            self.bus.add(id, result.finished_at, kind);
        }
        let is_to_go_on = self.active.get(&id).is_some_and(|one| one.cause == StopCause::Again);
        if result.stopped == Some(StopCause::Again) && is_to_go_on {
            // To the engine it runs until we end, so that its workflow is left for the next torcd.
            self.note_action(attempt, id, JobStatus::Blocked, None);
            self.turn.to_fire.push(attempt.job);
            return;
        }
        self.note_action(attempt, id, status, Some(code));
        self.engine.hook_ended(key, hook, &mut self.turn.actions);
    }

    /// Forgets an attempt of an action that never began.
    fn take_back(&mut self, id: WorkflowId, hook: u32) {
        let active = self.active.get_mut(&id);
        if let Some(one) = active.and_then(|active| active.actions.get_mut(hook as usize)) {
            one.attempts -= 1;
        }
    }

    fn action_name(&self, id: WorkflowId, hook: u32) -> String {
        let active = self.active.get(&id);
        let action = active.and_then(|active| active.actions.get(hook as usize));
        action.map(|action| action.name.clone()).unwrap_or_default()
    }

    fn note_action(
        &mut self,
        attempt: AttemptId,
        workflow: WorkflowId,
        status: JobStatus,
        return_code: Option<i32>,
    ) {
        let attempts = attempt.number.0;
        let change = JobChange { workflow, status, attempts, return_code };
        self.turn.jobs.insert(attempt.job, change);
    }

    /// Stops what an action still does.
    pub(super) fn stop_action(&mut self, key: WorkflowKey, hook: u32) {
        let Some(active) = self.active.get(&WorkflowId(key.0)) else { return };
        let Some(one) = active.actions.get(hook as usize) else { return };
        let attempt = AttemptId { job: one.id, number: AttemptNumber(one.attempts) };
        if self.in_flight.contains_key(&attempt) {
            let (cause, grace) = (active.cause, active.grace);
            let attempts = vec![attempt];
            self.turn.requests.push(WorkerRequest::Stop { attempts, cause, grace });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::script;

    #[test]
    fn several_commands_end_with_the_first_that_fails() {
        let script = |commands: &[&str]| {
            script(&commands.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(script(&["a b"]), "a b");
        assert_eq!(script(&["a b", "c"]), "set -e\na b\nc");
    }
}
