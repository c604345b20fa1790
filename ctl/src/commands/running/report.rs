//! The report at the end, for people, on stderr.

use std::fmt::Write;

use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::view::{JobCounts, Kept, ResultView};

use super::left::Left;
use super::outcome::{FailedAction, FailedJob, Outcome};
use super::saving::{Rest, Saved};
use crate::spec::quote::shell_word;
use crate::style::{self, Palette, Tone};

/// How many failed commands are shown.
pub(crate) const FAILED_SHOWN: usize = 5;
/// A command is cut after so many characters.
const COMMAND_WIDTH: usize = 100;

/// Returns the report. In quiet mode it has only what went wrong, and may be empty.
pub(crate) fn text(outcome: &Outcome, palette: Palette, quiet: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail, here and below.
    match &outcome.idle {
        _ if quiet => {}
        Some(idle) => drop(writeln!(text, "{}", idle.why)),
        None => drop(writeln!(text, "{}", counts_line(outcome, palette))),
    }
    for failed in outcome.failed.iter().take(FAILED_SHOWN) {
        failed_job(&mut text, failed, palette);
    }
    let more = (outcome.counts.failed + outcome.counts.terminated)
        .saturating_sub(outcome.failed.len().min(FAILED_SHOWN) as u64);
    if more > 0 {
        let _ = writeln!(text, "… and {more} more");
    }
    failed_before(&mut text, outcome.failed_before);
    for action in outcome.failed_actions.iter().take(FAILED_SHOWN) {
        failed_action(&mut text, action, palette);
    }
    if let Some(left) = &outcome.left {
        what_is_left(&mut text, outcome, left);
    }
    snapshot(&mut text, outcome, palette, quiet);
    if !quiet {
        look_further(&mut text, outcome);
        go_on(&mut text, outcome);
    }
    text
}

/// Says which commands show more of what failed, when these can find the run.
fn look_further(text: &mut String, outcome: &Outcome) {
    let (Some(first), Some(options)) = (outcome.failed.first(), &outcome.found_by) else { return };
    let name = shell_word(&first.result.name);
    let which = if outcome.is_rerun { format!(" -w {}", outcome.workflow) } else { String::new() };
    let _ = writeln!(
        text,
        "look further: torcctl results list --failed{which}{options} · \
         torcctl logs {name}{which}{options}",
    );
}

/// Says how the rest of a workflow that did not complete is run. What is not at its place has to be
/// brought there first, which is said elsewhere.
fn go_on(text: &mut String, outcome: &Outcome) {
    let is_open = matches!(outcome.status, WorkflowStatus::Failed | WorkflowStatus::Canceled)
        && outcome.saved.kept().is_none();
    if let (true, None, Some(options)) = (is_open, &outcome.idle, &outcome.found_by) {
        let id = outcome.workflow;
        let _ = writeln!(text, "run again only what is needed: torcctl run {id}{options}");
    }
}

fn counts_line(outcome: &Outcome, palette: Palette) -> String {
    let tone = match outcome.status {
        WorkflowStatus::Completed => Tone::Good,
        WorkflowStatus::Failed => Tone::Bad,
        WorkflowStatus::Canceled | WorkflowStatus::Running | WorkflowStatus::Paused => {
            Tone::Warning
        }
    };
    format!(
        "{} in {} (workflow {}, {})",
        palette.paint(tone, &counts(&outcome.counts)),
        style::duration(outcome.elapsed),
        outcome.workflow,
        style::one_line(&outcome.name)
    )
}

fn counts(counts: &JobCounts) -> String {
    let total = style::count(counts.total, "job");
    if counts.completed == counts.total {
        return format!("{total} completed");
    }
    let parts: Vec<_> = [
        (counts.completed, "completed"),
        (counts.failed, "failed"),
        (counts.terminated, "terminated"),
        (counts.canceled, "canceled"),
        (counts.disabled, "disabled"),
        (counts.blocked + counts.ready + counts.pending + counts.running, "left"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, word)| format!("{number} {word}"))
    .collect();
    format!("{total}: {}", parts.join(", "))
}

fn failed_job(text: &mut String, failed: &FailedJob, palette: Palette) {
    let ResultView { name, status, reason, command, .. } = &failed.result;
    let mut what = style::one_line(if reason.is_empty() { status.as_str() } else { reason });
    // The reason of a job that ended by itself says its code, that of one that torc stopped does not.
    if let (JobStatus::Terminated, Some(code)) = (status, failed.result.return_code) {
        let _ = write!(what, ", return code {code}");
    }
    let name = palette.paint((*status).into(), name);
    let _ = writeln!(text, "{name} {status} ({what}): {}", shorten(command));
    for line in &failed.last_lines {
        let _ = writeln!(text, "  {} {line}", palette.paint(Tone::Dim, "|"));
    }
}

/// Says what failed that this run is not to blame for: the exit code is that of the workflow.
fn failed_before(text: &mut String, number: u64) {
    let have = if number == 1 { "has" } else { "have" };
    if number > 0 {
        let jobs = style::count(number, "other job");
        let _ = writeln!(text, "{jobs} of the workflow {have} failed before, and did not run now");
    }
}

fn failed_action(text: &mut String, action: &FailedAction, palette: Palette) {
    let warning = palette.paint(Tone::Warning, "warning:");
    let name = style::one_line(&action.name);
    let reason = style::one_line(&action.reason);
    let _ = writeln!(text, "{warning} the action '{name}' failed: {reason}");
}

fn what_is_left(text: &mut String, outcome: &Outcome, left: &Left) {
    let options = outcome.found_by.as_deref().unwrap_or_default();
    let remedy = left.remedy(outcome.workflow, options);
    let sentence = style::one_line(&left.sentence());
    let _ = writeln!(text, "the workflow is paused: {sentence}\nhint: {remedy}");
}

fn shorten(command: &str) -> String {
    let line = style::one_line(command);
    match line.char_indices().nth(COMMAND_WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn snapshot(text: &mut String, outcome: &Outcome, palette: Palette, quiet: bool) {
    let record = outcome.record.as_deref();
    let (path, reason) = match &outcome.saved {
        Saved::Durable(_) if quiet => return,
        Saved::Durable(Some(view)) => {
            let size = style::size(view.bytes);
            let _ =
                writeln!(text, "snapshot {} ({size}, generation {})", view.path, view.generation);
            return;
        }
        Saved::Durable(None) => {
            let path = record.unwrap_or("the database");
            let _ =
                writeln!(text, "torcd was ended by somebody else; its snapshot is on disk: {path}");
            return;
        }
        Saved::Failed(failure) => {
            let reason = format!("step '{}' failed: {}", failure.phase, failure.reason);
            (failure.path.as_str(), reason)
        }
        Saved::Unknown { reason, .. } => (record.unwrap_or("the database"), reason.clone()),
    };
    let error = palette.paint(Tone::Bad, "error:");
    let _ = match &outcome.saved {
        Saved::Unknown { rest: Rest::Database, .. } => {
            writeln!(text, "{error} the end of this run was not seen to: {reason}")
        }
        saved if saved.is_at_its_place() => writeln!(
            text,
            "{error} not all of this run is recorded: {}",
            reason.split_once("failed: ").map_or(reason.as_str(), |(_, reason)| reason)
        ),
        _ => writeln!(text, "{error} the record of this run is not safe in {path}: {reason}"),
    };
    if let Some(kept) = outcome.saved.kept() {
        let _ = writeln!(text, "it {}", kept_in(kept));
    }
    let _ = writeln!(text, "hint: {}", remedy(outcome, path));
}

/// Returns where a record is instead of at its place, in words.
pub(crate) fn kept_in(kept: &Kept) -> String {
    if kept.in_memory {
        format!("stays in memory, in {}", kept.path)
    } else {
        format!("is saved in {}", kept.path)
    }
}

/// Returns how a record is brought from where it is to `place`, in words.
pub(crate) fn recover(kept: &Kept, place: &str) -> String {
    let place = shell_word(place);
    let limit = if kept.in_memory { ", before this host is rebooted" } else { "" };
    format!(
        "`torcctl snapshot recover --db {place}` brings it there when there is room{limit}; so does \
         the next run with that database"
    )
}

fn remedy(outcome: &Outcome, path: &str) -> String {
    match (&outcome.saved, &outcome.record) {
        (saved, _) if saved.is_at_its_place() => {
            format!(
                "all that was recorded before is on disk, in {path}; `torcctl run latest` does the rest"
            )
        }
        (saved, Some(place)) if let Some(kept) = saved.kept() => recover(kept, place),
        (Saved::Unknown { rest: Rest::Database, .. }, _) => {
            format!("the database {path} has all that was recorded before")
        }
        (Saved::Unknown { .. }, Some(place)) => format!(
            "what was there before is untouched; `torcctl snapshot list --db {}` shows what is there \
             now, and what is left elsewhere",
            shell_word(place)
        ),
        (_, Some(_)) => {
            "what was there before is untouched; make room or name another place with `--db FILE`, \
             and run again"
                .to_owned()
        }
        (_, None) => {
            "what was there before is untouched; torcd still has the record; make room, and \
             `torcctl snapshot --wait`"
                .to_owned()
        }
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
