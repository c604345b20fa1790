//! Why a job is as it is, in words.

use torc_protocol::request::JobSelector;
use torc_protocol::response::{Explanation, RequestError};
use torc_protocol::status::JobStatus;
use torc_protocol::view::JobView;

use crate::dispatcher::admission::{bytes, in_words};
use crate::dispatcher::input::Reply;
use crate::dispatcher::turn::{Turn, not_recorded};
use crate::dispatcher::{Active, Dispatcher};
use crate::engine::explain::{Explanation as Why, Wait};
use crate::engine::job::{JobKey, WorkflowKey};
use crate::engine::resources::Need;
use crate::store::sql::{Connection, SqlResult};
use crate::store::tables::job;

/// Reasons, and what to do about them.
type Answer = (Vec<String>, Option<String>);

impl Dispatcher {
    pub(super) fn explain(&mut self, selector: &JobSelector, reply: Reply<Explanation>) {
        match self.try_explain(selector) {
            Ok(explanation) => self.turn.reply(reply, explanation),
            Err(error) => Turn::refuse(reply, error),
        }
    }

    fn try_explain(&self, selector: &JobSelector) -> Result<Explanation, RequestError> {
        let job = self.find_job(selector)?;
        let Some(active) = self.active.get(&job.workflow_id) else { return self.at_rest(job) };
        if job.status.is_final() {
            return self.at_rest(job);
        }
        let (reasons, hint) = self.explain_active(&job, active);
        Ok(Explanation { job, reasons, hint })
    }

    fn at_rest(&self, job: JobView) -> Result<Explanation, RequestError> {
        at_rest(self.store.reading(), job).map_err(|error| not_recorded(&error.to_string()))
    }

    fn explain_active(&self, job: &JobView, active: &Active) -> Answer {
        let place = active.ids.binary_search(&job.id).ok();
        let key = place
            .map(|place| JobKey { workflow: WorkflowKey(job.workflow_id.0), index: place as u32 });
        match key.and_then(|key| self.engine.explain(key)) {
            None => explain_ended(job),
            Some(Why::Blocked { first, count }) => self.explain_blocked(active, &first, count),
            Some(Why::Delayed { until }) => {
                let left = until.saturating_sub(self.moment()) as f64 / 1e6;
                let code = job.return_code.unwrap_or(-1);
                let reason =
                    format!("it failed with code {code} and is tried again in {left:.1} s");
                (vec![reason], None)
            }
            Some(Why::Ready { before, wait }) => self.explain_ready(before, &wait),
            Some(Why::Held) => {
                let labels = job.labels.join(",");
                let reason = if labels.is_empty() {
                    "this run has labels, and runs no job without".to_owned()
                } else {
                    format!("it has the labels {labels}, and this run has not all of them")
                };
                let hint = format!("torcctl run {} --label {labels}", job.workflow_id);
                (vec![reason], (!labels.is_empty()).then_some(hint))
            }
            Some(Why::Disabled) => explain_ended(job),
            Some(Why::Pending) => (vec!["the worker has it and starts it next".to_owned()], None),
            Some(Why::Running) => (vec!["it is running".to_owned()], None),
            Some(Why::Ended(_)) => explain_ended(job),
        }
    }

    fn explain_blocked(&self, active: &Active, first: &[u32], count: usize) -> Answer {
        let mut reasons = vec![match count {
            1 => "it waits for 1 job".to_owned(),
            count => format!("it waits for {count} jobs"),
        }];
        for place in first {
            let id = active.ids.get(*place as usize).copied();
            let other = id.and_then(|id| job::by_id(self.store.reading(), id).ok().flatten());
            if let Some(other) = other {
                reasons.push(format!("{} is {}", other.name, other.status));
            }
        }
        if count > first.len() {
            reasons.push(format!("and {} more", count - first.len()));
        }
        (reasons, None)
    }

    fn explain_ready(&self, before: usize, wait: &Wait) -> Answer {
        let mut reasons = Vec::new();
        let mut hint = None;
        match wait {
            Wait::NoWorker => reasons.push("there is no worker".to_owned()),
            Wait::Stopping => reasons.push("torcd is ending".to_owned()),
            Wait::NeverFits(shortage) => {
                reasons
                    .push(format!("it never fits: it takes {}", in_words(*shortage, &self.host)));
                hint = Some("cancel it, or run it on a larger node".to_owned());
            }
            Wait::Count { limit } => {
                reasons.push(format!("{limit} jobs of the workflow run, and no more may"));
            }
            Wait::Room { need, free, total, reserved } => {
                reasons.push(room_in_words(*need, *free, *total));
                let id = reserved.and_then(|key| self.job_id(key));
                let other = id.and_then(|id| job::by_id(self.store.reading(), id).ok().flatten());
                if let Some(other) = other {
                    reasons.push(format!(
                        "room is kept for {}, which was passed over for long",
                        other.name
                    ));
                }
            }
        }
        if before > 0 {
            reasons.push(format!("{before} jobs of its kind start before it"));
        }
        (reasons, hint)
    }
}

fn room_in_words(need: Need, free: Need, total: Need) -> String {
    let mut parts = vec![format!("{} CPUs, {} of {} are free", need.cpus, free.cpus, total.cpus)];
    if need.memory > 0 {
        parts.push(format!(
            "{} of memory, {} of {} is free",
            bytes(need.memory),
            bytes(free.memory),
            bytes(total.memory)
        ));
    }
    if need.gpus > 0 {
        parts.push(format!("{} GPUs, {} of {} are free", need.gpus, free.gpus, total.gpus));
    }
    format!("it takes {}", parts.join("; "))
}

/// Explains a job for which nothing is done any more, or of a workflow that is not running.
///
/// # Errors
///
/// When SQLite fails.
pub fn at_rest(connection: &Connection, job: JobView) -> SqlResult<Explanation> {
    let (mut reasons, hint) = explain_ended(&job);
    if job.status == JobStatus::Canceled {
        let failed = job::first_failed_dependency(connection, job.id)?;
        reasons = vec![match failed {
            Some((name, status)) => format!("it was canceled, because {name} is {status}"),
            None => "it was canceled".to_owned(),
        }];
    }
    Ok(Explanation { job, reasons, hint })
}

/// Explains a job that nothing is done for.
fn explain_ended(job: &JobView) -> Answer {
    let again = |verb: &str| Some(format!("torcctl {verb} {}", job.workflow_id));
    let code = job.return_code.map_or_else(String::new, |code| format!(" with code {code}"));
    match job.status {
        JobStatus::Completed => (vec!["it has completed".to_owned()], None),
        JobStatus::Failed => (vec![format!("it has failed{code}")], again("retry")),
        JobStatus::Terminated => (vec![format!("it was stopped{code}")], again("retry")),
        JobStatus::Canceled => (vec!["it was canceled".to_owned()], again("run")),
        JobStatus::Disabled => {
            let hint = format!("torcctl jobs enable {}", job.id);
            (vec!["it is disabled".to_owned()], Some(hint))
        }
        JobStatus::Blocked | JobStatus::Ready | JobStatus::Pending | JobStatus::Running => {
            (vec!["its workflow is not running".to_owned()], again("run"))
        }
    }
}
