//! Events as people read them: one line each, time first.

use torc_protocol::event::{Event, EventKind};
use torc_protocol::id::{AttemptNumber, WorkflowId};
use torc_protocol::status::JobStatus;
use torc_protocol::time::Timestamp;
use torc_protocol::view::WorkflowView;

use crate::commands::watching;
use crate::style::{Palette, Tone, count, duration, local_time, one_line};

/// Returns the line for an event.
pub(super) fn event(event: &Event, palette: Palette) -> String {
    Line::of(event).write(event.at, palette)
}

/// Returns the line for the state of a workflow.
pub(super) fn state(workflow: &WorkflowView, palette: Palette) -> String {
    let status = palette.paint(workflow.status.into(), workflow.status.as_str());
    let at = workflow.finished_at.unwrap_or_else(Timestamp::now);
    let (name, jobs) = (watching::name(workflow), watching::jobs(workflow.jobs));
    format!("{}  {name}: {status}, {jobs}", local_time(at))
}

/// What stands behind the time.
#[derive(Default)]
struct Line {
    word: &'static str,
    tone: Option<Tone>,
    code: Option<i32>,
    took: Option<String>,
    what: String,
    remarks: Vec<String>,
}

impl Line {
    fn of(event: &Event) -> Self {
        let id = event.workflow_id;
        match &event.kind {
            EventKind::WorkflowSubmitted { name, jobs } => {
                Self::begun("submitted", id, name, *jobs)
            }
            EventKind::WorkflowRestarted { name, jobs } => {
                Self::begun("restarted", id, name, *jobs)
            }
            EventKind::JobStarted { name, attempt, .. } => Self {
                word: "started",
                tone: Some(JobStatus::Running.into()),
                what: one_line(name),
                remarks: number(*attempt),
                ..Self::default()
            },
            EventKind::JobFinished {
                name, attempt, status, return_code, reason, usage, ..
            } => {
                let mut remarks = number(*attempt);
                remarks.extend(Some(one_line(reason)).filter(|reason| !reason.is_empty()));
                let is_retried = !status.is_final();
                remarks.extend(is_retried.then(|| "is tried again".to_owned()));
                let shown = if is_retried { JobStatus::Failed } else { *status };
                Self {
                    word: shown.as_str(),
                    tone: Some(if is_retried { Tone::Warning } else { shown.into() }),
                    code: Some(*return_code),
                    took: Some(duration(usage.wall)),
                    what: one_line(name),
                    remarks,
                }
            }
            EventKind::JobsCanceled { count: number } => Self {
                word: JobStatus::Canceled.as_str(),
                tone: Some(JobStatus::Canceled.into()),
                what: count(*number, "job"),
                remarks: vec!["will not start".to_owned()],
                ..Self::default()
            },
            EventKind::ActionFinished { name, status, return_code, reason, .. } => Self {
                word: status.as_str(),
                tone: Some((*status).into()),
                code: Some(*return_code),
                what: format!("action {}", one_line(name)),
                remarks: Some(one_line(reason)).filter(|it| !it.is_empty()).into_iter().collect(),
                ..Self::default()
            },
            EventKind::WorkflowFinished { status, counts } => Self {
                word: status.as_str(),
                tone: Some((*status).into()),
                what: format!("workflow {id}"),
                remarks: vec![watching::jobs(*counts)],
                ..Self::default()
            },
        }
    }

    fn begun(word: &'static str, id: WorkflowId, name: &str, jobs: u64) -> Self {
        let what = format!("workflow {id} '{}'", one_line(name));
        Self { word, what, remarks: vec![count(jobs, "job")], ..Self::default() }
    }

    fn write(&self, at: Timestamp, palette: Palette) -> String {
        let word = palette.paint(self.tone.unwrap_or(Tone::Plain), &format!("{:<10}", self.word));
        let code = self.code.map_or_else(String::new, |code| code.to_string());
        let took = self.took.as_deref().unwrap_or_default();
        let mut line = format!("{}  {word}  {code:>4}  {took:>9}  {}", local_time(at), self.what);
        if !self.remarks.is_empty() {
            line.push_str("  ");
            line.push_str(&palette.paint(Tone::Dim, &self.remarks.join(", ")));
        }
        line
    }
}

/// Returns which attempt it is, unless it is the first.
fn number(attempt: AttemptNumber) -> Vec<String> {
    if attempt.0 > 1 { vec![format!("attempt {}", attempt.0)] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use torc_protocol::id::JobId;
    use torc_protocol::result::Usage;
    use torc_protocol::status::WorkflowStatus;
    use torc_protocol::time::Span;
    use torc_protocol::view::JobCounts;

    use super::*;

    fn finished(attempt: u32, status: JobStatus, return_code: i32, reason: &str) -> EventKind {
        EventKind::JobFinished {
            job_id: JobId(7),
            name: "align\n7".to_owned(),
            attempt: AttemptNumber(attempt),
            status,
            return_code,
            reason: reason.to_owned(),
            usage: Usage { wall: Span(3_100_000), ..Usage::default() },
        }
    }

    /// Returns the lines without their times, which depend on the zone.
    fn lines(kinds: Vec<EventKind>) -> String {
        let line = |kind| {
            let event = Event { seq: 1, at: Timestamp(0), workflow_id: WorkflowId(3), kind };
            super::event(&event, Palette::PLAIN)[local_time(event.at).len()..].to_owned() + "|\n"
        };
        kinds.into_iter().map(line).collect()
    }

    #[test]
    fn every_kind_of_event_is_one_line() {
        let name = "night".to_owned();
        let counts = JobCounts { total: 12, completed: 10, failed: 2, ..JobCounts::default() };
        let lines = lines(vec![
            EventKind::WorkflowSubmitted { name: name.clone(), jobs: 12 },
            EventKind::JobStarted {
                job_id: JobId(7),
                name: "align_7".to_owned(),
                attempt: AttemptNumber(2),
                pid: 42,
            },
            finished(1, JobStatus::Completed, 0, ""),
            finished(1, JobStatus::Ready, 3, "exit code 3"),
            finished(2, JobStatus::Failed, 3, "exit code 3"),
            finished(1, JobStatus::Terminated, 152, "timed out (signal 15)"),
            EventKind::JobsCanceled { count: 2 },
            EventKind::ActionFinished {
                job_id: JobId(9),
                name: "on_workflow_complete".to_owned(),
                status: JobStatus::Failed,
                return_code: 1,
                reason: "exit code 1".to_owned(),
            },
            EventKind::WorkflowFinished { status: WorkflowStatus::Failed, counts },
            EventKind::WorkflowRestarted { name, jobs: 1 },
        ]);
        insta::assert_snapshot!(lines);
    }
}
