//! A thread that leads one attempt after another from its start to its end.
//!
//! Whatever stalls, be it the output directory, the working directory or the program file, stalls
//! this thread and no other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use torc_protocol::result::{AttemptResult, Ending};
use torc_protocol::time::Timestamp;

use super::attempt::Attempt;
use super::kernel;
use super::life::Life;
use super::shared::{Shared, Urgency};
use super::spawn::Spawner;

/// Runs one attempt after another, for ever.
pub(super) fn run(shared: &Shared) -> ! {
    let mut spawner = Spawner::new();
    shared.lanes.thread_came();
    let mut next = None;
    loop {
        let task = next.unwrap_or_else(|| shared.lanes.wait());
        let begun_at = Timestamp::now();
        let run = || Life::new(shared, &task.attempt, begun_at).run(&mut spawner);
        let result = catch_unwind(AssertUnwindSafe(run));
        let result = result.unwrap_or_else(|_| bury(&task.attempt, begun_at));
        next = shared.lanes.give_back(task.lane);
        let urgency = if next.is_some() { Urgency::CanWait } else { Urgency::Now };
        shared.report(&task.attempt, result, urgency);
    }
}

/// Ends an attempt whose thread has panicked.
fn bury(attempt: &Arc<Attempt>, begun_at: Timestamp) -> AttemptResult {
    let group = attempt.group();
    attempt.release();
    // An error means that it was reaped before the panic.
    let usage = group.and_then(|group| kernel::reap(group).ok()).map(|(_, usage)| usage);
    let ending = Ending::Lost("a defect in the worker; see the log of torcd".to_owned());
    AttemptResult { usage: usage.unwrap_or_default(), ..attempt.result(ending, begun_at) }
}
