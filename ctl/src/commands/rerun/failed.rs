//! Which jobs `retry` runs again: those that failed, and those that were canceled because of them.
//!
//! Pure, and without recursion. What has only not run yet runs with them.

use torc_protocol::status::JobStatus;

use super::record::Record;

/// Why a job is retried. Jobs are places in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It failed, or was stopped.
    Failed,
    /// It was canceled because of a job that is retried.
    CanceledWith(u32),
    /// It has not run yet.
    NotRun,
}

/// Finds the reason of each job, where `wanted` says which failed jobs are retried.
pub(super) fn failed(record: &Record, wanted: impl Fn(u32) -> bool) -> Vec<Option<Reason>> {
    let mut reasons = vec![None; record.jobs.len()];
    let mut stack = Vec::new();
    for (place, job) in (0..).zip(&record.jobs) {
        let reason = match job.status {
            JobStatus::Failed | JobStatus::Terminated if wanted(place) => {
                stack.push(place);
                Reason::Failed
            }
            JobStatus::Blocked | JobStatus::Ready | JobStatus::Pending | JobStatus::Running => {
                Reason::NotRun
            }
            JobStatus::Failed
            | JobStatus::Terminated
            | JobStatus::Completed
            | JobStatus::Canceled
            | JobStatus::Disabled => continue,
        };
        reasons[place as usize] = Some(reason);
    }
    // Nothing is to be retried, and so nothing is to be run.
    if stack.is_empty() {
        reasons.fill(None);
    }
    while let Some(job) = stack.pop() {
        for dependent in &record.dependents[job as usize] {
            let place = *dependent as usize;
            if reasons[place].is_none() && record.jobs[place].status == JobStatus::Canceled {
                reasons[place] = Some(Reason::CanceledWith(job));
                stack.push(*dependent);
            }
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::rerun::record::tests::Script;

    fn script() -> Script {
        Script::graph("a -> b -> c, x -> y, x -> z, off")
            .status("a", JobStatus::Failed, Some(1))
            .status("b", JobStatus::Canceled, None)
            .status("c", JobStatus::Canceled, None)
            .status("x", JobStatus::Terminated, Some(143))
            .status("y", JobStatus::Canceled, None)
            .status("off", JobStatus::Disabled, None)
    }

    #[test]
    fn what_failed_runs_again_with_what_was_canceled_because_of_it() {
        let found = failed(&script().record(), |_| true);
        let expected = [
            Some(Reason::Failed),
            Some(Reason::CanceledWith(0)),
            Some(Reason::CanceledWith(1)),
            Some(Reason::Failed),
            Some(Reason::CanceledWith(3)),
            None,
            None,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn of_jobs_that_are_named_only_what_hangs_on_them_runs() {
        let found = failed(&script().record(), |job| job == 3);
        let again: Vec<_> = (0..7).filter(|job| found[*job].is_some()).collect();
        assert_eq!(again, [3, 4]);
    }

    #[test]
    fn what_has_not_run_yet_runs_with_the_others_but_not_alone() {
        let waiting = |status| {
            Script::graph("a, b").status("a", status, None).status("b", JobStatus::Ready, None)
        };
        let found = failed(&waiting(JobStatus::Failed).record(), |_| true);
        assert_eq!(found, [Some(Reason::Failed), Some(Reason::NotRun)]);
        let found = failed(&waiting(JobStatus::Completed).record(), |_| true);
        assert_eq!(found, [None, None]);
    }
}
