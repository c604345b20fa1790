//! Which jobs `retry` runs again: those that failed, and all that is downstream of them, whether it
//! was canceled because of them or has run with what they left.
//!
//! Pure, and without recursion. What has only not run yet runs with them. Disabled jobs never run,
//! and nothing runs because of them.

use torc_protocol::status::JobStatus;

use super::record::Record;

/// Why a job is retried. Jobs are places in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It failed, or was stopped.
    Failed,
    /// It was canceled because of a job that is retried.
    CanceledWith(u32),
    /// It has run after a job that is retried.
    DependsOn(u32),
    /// It has not run yet.
    NotRun,
}

/// Finds the reason of each job, where `wanted` says which failed jobs are retried.
pub(super) fn failed(record: &Record, wanted: impl Fn(u32) -> bool) -> Vec<Option<Reason>> {
    let mut reasons = vec![None; record.jobs.len()];
    let mut stack = Vec::new();
    for (place, job) in (0..).zip(&record.jobs) {
        if matches!(job.status, JobStatus::Failed | JobStatus::Terminated) && wanted(place) {
            reasons[place as usize] = Some(Reason::Failed);
            stack.push(place);
        }
    }
    // Nothing is to be retried, and so nothing is to be run.
    if stack.is_empty() {
        return reasons;
    }
    while let Some(on) = stack.pop() {
        for dependent in &record.dependents[on as usize] {
            let reason = &mut reasons[*dependent as usize];
            if reason.is_none() {
                *reason = downstream(record, *dependent, on);
                stack.extend(reason.map(|_| *dependent));
            }
        }
    }
    for (reason, job) in reasons.iter_mut().zip(&record.jobs) {
        if reason.is_none() && has_not_run(job.status) {
            *reason = Some(Reason::NotRun);
        }
    }
    reasons
}

/// Returns why `job` runs, which waits for a job `on` that runs; none when it is disabled.
fn downstream(record: &Record, job: u32, on: u32) -> Option<Reason> {
    match record.jobs[job as usize].status {
        JobStatus::Disabled => None,
        status if has_not_run(status) => Some(Reason::NotRun),
        JobStatus::Canceled if record.jobs[on as usize].did_not_complete() => {
            Some(Reason::CanceledWith(on))
        }
        _ => Some(Reason::DependsOn(on)),
    }
}

fn has_not_run(status: JobStatus) -> bool {
    matches!(
        status,
        JobStatus::Blocked | JobStatus::Ready | JobStatus::Pending | JobStatus::Running
    )
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
    fn what_failed_runs_again_with_all_downstream_of_it() {
        let found = failed(&script().record(), |_| true);
        let expected = [
            Some(Reason::Failed),
            Some(Reason::CanceledWith(0)),
            Some(Reason::CanceledWith(1)),
            Some(Reason::Failed),
            Some(Reason::CanceledWith(3)),
            Some(Reason::DependsOn(3)),
            None,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn of_jobs_that_are_named_only_what_hangs_on_them_runs() {
        let found = failed(&script().record(), |job| job == 3);
        let again: Vec<_> = (0..7).filter(|job| found[*job].is_some()).collect();
        assert_eq!(again, [3, 4, 5]);
    }

    #[test]
    fn what_has_run_with_the_results_of_a_failed_job_runs_again() {
        let script = Script::graph("a -> x -> z, a -> off -> w, other")
            .status("a", JobStatus::Failed, Some(1))
            .status("off", JobStatus::Disabled, None);
        let found = failed(&script.record(), |_| true);
        let [x, z] = [Reason::DependsOn(0), Reason::DependsOn(1)].map(Some);
        assert_eq!(found, [Some(Reason::Failed), x, z, None, None, None]);
    }

    #[test]
    fn what_failed_downstream_of_a_job_that_is_named_runs_with_it() {
        let script = Script::graph("a -> b -> c, d")
            .status("a", JobStatus::Failed, Some(1))
            .status("b", JobStatus::Failed, Some(1))
            .status("c", JobStatus::Canceled, None)
            .status("d", JobStatus::Failed, Some(1));
        let found = failed(&script.record(), |job| job == 0);
        let [b, c] = [Reason::DependsOn(0), Reason::CanceledWith(1)].map(Some);
        assert_eq!(found, [Some(Reason::Failed), b, c, None]);
    }

    #[test]
    fn all_downstream_is_found_beyond_what_has_not_run_yet() {
        let script = Script::graph("a -> b -> c").status("a", JobStatus::Failed, Some(1)).status(
            "b",
            JobStatus::Blocked,
            None,
        );
        let found = failed(&script.record(), |_| true);
        let expected = [Reason::Failed, Reason::NotRun, Reason::DependsOn(1)].map(Some);
        assert_eq!(found, expected);
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
