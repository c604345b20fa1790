//! Gives a workflow to the engine: one that was submitted, is run again, or was found at start.

use std::collections::HashMap;

use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::result::StopCause;
use torc_protocol::spec::{
    Capacity, Halt, HaltAfter, JobContext, JobSettings, RunOptions, TimeLimit,
};
use torc_protocol::time::Timestamp;

use crate::dispatcher::{Active, Dispatcher, hooks};
use crate::engine::Moment;
use crate::engine::graph::Graph;
use crate::engine::job::{Job, Rule, Settings, WorkflowKey};
use crate::engine::resources::{Need, Own, Room};
use crate::engine::submission::{self, Limit, Submission};
use crate::store::tables::action::Action;

/// A workflow that is in the database, and is to go on.
pub(super) struct Prepared {
    pub(super) context: JobContext,
    pub(super) settings: Vec<JobSettings>,
    pub(super) options: RunOptions,
    pub(super) jobs: Vec<Job>,
    pub(super) ids: Vec<JobId>,
    pub(super) graph: Graph,
    pub(super) actions: Vec<Action>,
    pub(super) has_files: bool,
    /// So many jobs had failed before this run, and do not count for it.
    pub(super) failed_before: u64,
}

impl Dispatcher {
    /// Gives a workflow to the engine.
    pub(super) fn activate(&mut self, id: WorkflowId, prepared: Prepared) {
        let Prepared { context, settings, options, jobs, ids, graph, actions, .. } = prepared;
        let (has_files, failed_before) = (prepared.has_files, prepared.failed_before);
        let total = jobs.len() as u64;
        let submission = Submission {
            jobs,
            settings: settings.iter().map(|one| engine_settings(one, &options)).collect(),
            graph,
            room: room(&options),
            limit: options.time_limit.map(|limit| self.limit(limit)),
            halt: options.halt.map(|halt| engine_halt(halt, total, failed_before)),
            hooks: hooks::of(&actions),
        };
        let active = Active {
            ids,
            context,
            settings,
            actions,
            has_files,
            told: false,
            action_lane: None,
            limit: submission.limit.zip(options.time_limit),
            // Of what the engine stops unasked, only a halt has no other mark.
            cause: StopCause::Halted,
            grace: None,
            canceled: HashMap::new(),
        };
        self.active.insert(id, active);
        self.turn.changed.insert(id);
        self.engine.submit(WorkflowKey(id.0), submission, &mut self.turn.actions);
    }

    /// Returns a limit by the clock of the engine.
    fn limit(&self, limit: TimeLimit) -> Limit {
        let left = limit.stop_at.since(Timestamp::now());
        Limit { stop_at: self.moment().saturating_add(left.0) }
    }

    /// Takes note of the workflows whose time is over, before the engine stops their jobs.
    pub(super) fn note_limits(&mut self, now: Moment) {
        for active in self.active.values_mut() {
            if let Some((_, limit)) = active.limit.take_if(|(limit, _)| limit.stop_at <= now) {
                active.cause = StopCause::TimeLimit;
                active.grace = Some(limit.grace);
            }
        }
    }
}

/// Returns what the engine needs to know of a kind of job.
pub(super) fn engine_settings(settings: &JobSettings, options: &RunOptions) -> Settings {
    let rules = settings.retry.iter().map(|rule| Rule {
        codes: rule.exit_codes.clone(),
        any: rule.any,
        retries: rule.max_retries,
    });
    Settings {
        need: Need {
            cpus: settings.cpus,
            memory: settings.memory.unwrap_or(0),
            gpus: settings.gpus,
        },
        rules: rules.collect(),
        retry_delay: settings.retry_delay.0,
        cancel_on_failure: settings.cancel_on_blocking_job_failure,
        runtime: settings.runtime.map(|runtime| runtime.0),
        held: !runs_here(&settings.labels, &options.labels),
    }
}

/// Returns whether a run with the labels `ours` runs jobs with the labels `wanted`.
fn runs_here(wanted: &[String], ours: &[String]) -> bool {
    match wanted {
        [] => ours.is_empty(),
        wanted => wanted.iter().all(|label| ours.contains(label)),
    }
}

/// Returns where the jobs of a run find their resources.
pub(super) fn room(options: &RunOptions) -> Room {
    let Capacity { cpus, memory, gpus } = options.capacity;
    match options.max_parallel_jobs {
        Some(jobs) => Room::Count(jobs),
        None if options.capacity.is_empty() => Room::Node,
        None => Room::Own(Own { cpus, memory, gpus }),
    }
}

fn engine_halt(halt: Halt, total: u64, failed_before: u64) -> submission::Halt {
    let after = match halt.after {
        HaltAfter::Jobs(jobs) => jobs,
        HaltAfter::Share(share) => (u128::from(total) * u128::from(share)).div_ceil(10_000) as u64,
    };
    submission::Halt { after: after.max(1).saturating_add(failed_before), now: halt.now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_the_jobs_of_its_labels_and_one_without_those_without() {
        let labels = |labels: &[&str]| labels.iter().map(ToString::to_string).collect::<Vec<_>>();
        let runs = |wanted, ours| runs_here(&labels(wanted), &labels(ours));
        assert!(runs(&[], &[]) && runs(&["a"], &["a"]) && runs(&["a"], &["b", "a"]));
        assert!(!runs(&[], &["a"]) && !runs(&["a"], &[]) && !runs(&["a", "b"], &["a"]));
    }

    #[test]
    fn a_share_of_the_jobs_is_at_least_one() {
        let after = |share, total| {
            engine_halt(Halt { after: HaltAfter::Share(share), now: false }, total, 0).after
        };
        assert_eq!((after(1_000, 100), after(1_001, 100), after(1, 10)), (10, 11, 1));
        assert_eq!(after(0, 10), 1);
    }

    #[test]
    fn what_failed_in_an_earlier_run_does_not_count() {
        let halt = Halt { after: HaltAfter::Jobs(2), now: false };
        assert_eq!(engine_halt(halt, 100, 5).after, 7);
    }
}
