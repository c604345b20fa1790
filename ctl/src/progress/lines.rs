//! Progress in words: the text of a line without a terminal, and beside the bar on one.

use std::time::Duration;

use torc_protocol::time::Span;

use crate::progress::model::Model;
use crate::style;

/// Returns how far `model` is after `elapsed`: done and total, running, failed, rate, time left.
#[must_use]
pub fn line(model: &Model, elapsed: Duration) -> String {
    let counts = &model.counts;
    let done = counts.ended();
    let mut parts = vec![format!("{done}/{} done", counts.total)];
    let mut add = |number: u64, word: &str| {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    };
    add(counts.running, "running");
    add(counts.failed, "failed");
    add(counts.canceled, "canceled");
    add(counts.terminated, "terminated");
    add(model.retried, "retried");
    let seconds = elapsed.as_secs_f64();
    // Jobs that were withdrawn took no time, and those that are being stopped take what they like.
    let ran = done.saturating_sub(counts.canceled);
    if ran > 0 && seconds > 0.0 {
        let rate = ran as f64 / seconds;
        parts.push(format!("{} jobs/s", three_digits(rate)));
        let left = counts.total.saturating_sub(done);
        if left > 0 && counts.canceled == 0 {
            let eta = Duration::from_secs_f64((left as f64 / rate).min(1e9));
            parts.push(format!("ETA {}", style::duration(Span::from(eta))));
        }
    }
    parts.join(", ")
}

fn three_digits(rate: f64) -> String {
    match rate {
        _ if rate >= 99.95 => format!("{rate:.0}"),
        _ if rate >= 9.995 => format!("{rate:.1}"),
        _ => format!("{rate:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use torc_protocol::view::JobCounts;

    use super::*;

    fn model(counts: JobCounts) -> Model {
        Model { counts, ..Model::default() }
    }

    #[test]
    fn a_line_says_what_is_known() {
        let counts = JobCounts { total: 200, ready: 200, ..JobCounts::default() };
        assert_eq!(line(&model(counts), Duration::from_secs(10)), "0/200 done");
        let counts = JobCounts { completed: 98, failed: 2, running: 4, ..counts };
        assert_eq!(
            line(&model(counts), Duration::from_secs(10)),
            "100/200 done, 4 running, 2 failed, 10.0 jobs/s, ETA 10.0 s"
        );
        let counts = JobCounts { canceled: 99, running: 1, ..counts };
        assert_eq!(
            line(&model(counts), Duration::from_secs(10)),
            "199/200 done, 1 running, 2 failed, 99 canceled, 10.0 jobs/s"
        );
        let counts = JobCounts { total: 2000, completed: 2000, ..JobCounts::default() };
        assert_eq!(line(&model(counts), Duration::from_millis(900)), "2000/2000 done, 2222 jobs/s");
    }
}
