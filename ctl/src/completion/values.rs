//! What completes a value, by the word for it in the help.
//!
//! A value that is called `JOB` is a job, in whichever command: so a new command completes its
//! values when it calls them what they are. What is one of a few words, clap knows itself.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::ValueHint;
use clap::{Arg, Command};
use clap_complete::engine::ValueCompleter;
use clap_complete::{ArgValueCompleter, CompletionCandidate, PathCompleter};
use torc_protocol::config::key::SETTINGS;
use torc_protocol::status::JobStatus;

use crate::completion::ask::{self, Wanted};
use crate::completion::candidate::Candidate;
use crate::completion::line::Line;

/// What a workflow is called.
pub(super) const WORKFLOW: &str = "WORKFLOW";

/// What completes a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// A torcd.
    Torcd(Wanted),
    /// A torcd, and the file system.
    TorcdOrPath(Wanted),
    /// The file system.
    Path,
    /// One of these words.
    Words(Vec<String>),
}

/// Adds to every value of `command` what completes it, given the rest of the line.
pub(super) fn attach(command: Command, line: &Arc<Line>, patience: Duration) -> Command {
    attach_below(command, "", line, patience)
}

fn attach_below(command: Command, path: &str, line: &Arc<Line>, patience: Duration) -> Command {
    let columns = |title| words_after(&command, title);
    let (all, sortable) = (columns("Columns: "), columns("Sort by: "));
    let with_completer = |arg: Arg| {
        let source = match name_of(&arg) {
            Some("A,B,C") => Some(Source::Words(all.clone())),
            Some("COLUMN") => Some(Source::Words(sortable.clone())),
            Some("SETTING") => {
                let names = SETTINGS.iter().map(|setting| setting.name.to_owned());
                Some(Source::Words(names.collect()))
            }
            Some(name) => source(path, name),
            None => None,
        };
        match source {
            None => arg,
            Some(Source::Path) => arg.value_hint(ValueHint::AnyPath),
            Some(source) => {
                let asking = Asking { source, line: Arc::clone(line), patience };
                arg.add(ArgValueCompleter::new(asking))
            }
        }
    };
    command.mut_args(with_completer).mut_subcommands(|below| {
        let name = below.get_name().to_owned();
        let path = if path.is_empty() { name } else { format!("{path} {name}") };
        attach_below(below, &path, line, patience)
    })
}

fn name_of(arg: &Arg) -> Option<&str> {
    match arg.get_value_names() {
        Some([name]) => Some(name.as_str()),
        _ => None,
    }
}

/// Returns what completes a value that is called `name` in the command `path`.
fn source(path: &str, name: &str) -> Option<Source> {
    let noun = path.split(' ').next().unwrap_or_default();
    match (name, noun) {
        (WORKFLOW, _) => Some(Source::Torcd(Wanted::Workflows)),
        ("FILE|WORKFLOW", _) => Some(Source::TorcdOrPath(Wanted::Workflows)),
        ("JOB", "retry") => Some(Source::Torcd(Wanted::Jobs(&[JobStatus::Failed]))),
        ("JOB", "jobs") if path == "jobs enable" => {
            Some(Source::Torcd(Wanted::Jobs(&[JobStatus::Disabled])))
        }
        ("JOB", _) | ("GLOB", "jobs" | "results") => Some(Source::Torcd(Wanted::Jobs(&[]))),
        ("GLOB", "workflows") => Some(Source::Torcd(Wanted::WorkflowNames)),
        ("GLOB", "files") => Some(Source::Torcd(Wanted::Files)),
        ("GLOB", "user-data") => Some(Source::Torcd(Wanted::UserData)),
        ("FILE", _) if path == "snapshot verify" => Some(Source::TorcdOrPath(Wanted::Snapshots)),
        ("FILE" | "PATH" | "DIR", _) => Some(Source::Path),
        _ => None,
    }
}

/// Returns the words that the help of `command` lists after `title`.
fn words_after(command: &Command, title: &str) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let list = help.split("\n\n").find_map(|paragraph| paragraph.strip_prefix(title));
    let words = list.unwrap_or_default().split([',', ' ', '\n']);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A value that is to be completed.
struct Asking {
    source: Source,
    line: Arc<Line>,
    patience: Duration,
}

impl Asking {
    /// Returns what a torcd tells in time.
    fn told(&self, wanted: Wanted, prefix: &str) -> Vec<Candidate> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return Vec::new() };
        let asking = ask::ask(wanted, &self.line, prefix);
        let told = runtime.block_on(async { tokio::time::timeout(self.patience, asking).await });
        runtime.shutdown_background();
        let told = told.ok().and_then(Result::ok).unwrap_or_default();
        told.into_iter().filter(Candidate::is_fit).collect()
    }
}

impl ValueCompleter for Asking {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let prefix = current.to_str();
        let told = |wanted| {
            let told = prefix.map(|prefix| self.told(wanted, prefix)).unwrap_or_default();
            told.into_iter().map(CompletionCandidate::from)
        };
        match &self.source {
            Source::Torcd(wanted) => told(*wanted).collect(),
            Source::TorcdOrPath(wanted) => {
                told(*wanted).chain(PathCompleter::any().complete(current)).collect()
            }
            Source::Path => PathCompleter::any().complete(current),
            Source::Words(words) => {
                let begun =
                    words.iter().filter(|word| prefix.is_some_and(|it| word.starts_with(it)));
                begun.map(CompletionCandidate::new).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_completed_by_what_it_is_called() {
        let jobs = |status| Some(Source::Torcd(Wanted::Jobs(status)));
        for (path, name, expected) in [
            ("logs", "JOB", jobs(&[])),
            ("retry", "JOB", jobs(&[JobStatus::Failed])),
            ("results list", "GLOB", jobs(&[])),
            ("files list", "GLOB", Some(Source::Torcd(Wanted::Files))),
            ("run", "FILE|WORKFLOW", Some(Source::TorcdOrPath(Wanted::Workflows))),
            ("", "FILE", Some(Source::Path)),
            ("snapshot verify", "FILE", Some(Source::TorcdOrPath(Wanted::Snapshots))),
            ("exec", "N", None),
        ] {
            assert_eq!(source(path, name), expected, "{path} {name}");
        }
    }

    #[test]
    fn columns_are_those_of_the_help() {
        let list = Command::new("list")
            .arg(Arg::new("columns").long("columns").value_name("A,B,C").value_delimiter(','))
            .arg(Arg::new("sort").long("sort").value_name("COLUMN"))
            .after_help("Examples:\n  x\n\nColumns: id, name,\nstatus\n\nSort by: id, name");
        let root = Command::new("tool").subcommand(list);
        let line = Arc::new(Line::default());
        let complete = |words: &[&str]| -> Vec<String> {
            let mut root = attach(root.clone(), &line, Duration::ZERO);
            let words: Vec<_> = words.iter().map(Into::into).collect();
            let index = words.len() - 1;
            let found = clap_complete::engine::complete(&mut root, words, index, None).unwrap();
            found.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(
            complete(&["tool", "list", "--columns", "id,"]),
            ["id,id", "id,name", "id,status"]
        );
        assert_eq!(complete(&["tool", "list", "--sort", "na"]), ["name"]);
        assert_eq!(complete(&["tool", "list", "--sort", "st"]), [""; 0]);
    }
}
