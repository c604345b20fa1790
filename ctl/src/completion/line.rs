//! What the rest of the line says: which torcd, and which workflow.
//!
//! The line is not finished, so that what is wrong with it is passed over.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches};
use torc_protocol::request::WorkflowSelector;

use crate::completion::values::WORKFLOW;
use crate::context::Globals;

/// The words of a line besides the one at the cursor, as they have been understood.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// The global options.
    pub(super) globals: Globals,
    /// The workflow that is named; none when none is.
    pub(super) workflow: Option<WorkflowSelector>,
    /// The commands, from the first one below the program on.
    pub(super) path: Vec<String>,
}

impl Line {
    /// Reads `words`, of which the first is the program, without that at `index`.
    pub(super) fn read(command: &Command, words: &[OsString], index: usize) -> Self {
        let others = words.iter().enumerate().filter(|(at, _)| *at != index);
        let words: Vec<_> = others.map(|(_, word)| word.clone()).collect();
        let mut lenient = command.clone().ignore_errors(true);
        let Ok(matches) = lenient.try_get_matches_from_mut(words) else { return Self::default() };
        let mut line = Self {
            globals: Globals::from_arg_matches(&matches).unwrap_or_default(),
            ..Self::default()
        };
        let (mut command, mut matches) = (&lenient, &matches);
        while let Some((name, below)) = matches.subcommand() {
            let Some(its) = command.find_subcommand(name) else { break };
            line.path.push(name.to_owned());
            (command, matches) = (its, below);
            line.workflow = workflow(command, matches).or(line.workflow);
        }
        line
    }
}

/// Returns the first value that is called a workflow, if the line has one.
fn workflow(command: &Command, matches: &ArgMatches) -> Option<WorkflowSelector> {
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let named = command
        .get_arguments()
        .filter(|arg| arg.get_value_names().is_some_and(|names| names == [WORKFLOW]))
        .map(|arg| arg.get_id().as_str())
        .find(|id| is_given(id))?;
    matches.try_get_many::<WorkflowSelector>(named).ok()??.next().cloned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::builder::ValueParser;
    use clap::{Arg, Args};
    use torc_protocol::id::WorkflowId;

    use super::*;

    fn command() -> Command {
        let selector = |text: &str| {
            Ok::<_, std::convert::Infallible>(match text.parse() {
                Ok(id) => WorkflowSelector::Id(id),
                Err(_) => WorkflowSelector::Name(text.to_owned()),
            })
        };
        let named = Arg::new("workflow").long("workflow").short('w').value_name(WORKFLOW);
        let logs = Command::new("logs")
            .arg(Arg::new("job").value_name("JOB").required(true))
            .arg(named.value_parser(ValueParser::new(selector)));
        let list = Command::new("list").arg(
            Arg::new("workflow")
                .value_name(WORKFLOW)
                .default_value("9")
                .value_parser(ValueParser::new(selector)),
        );
        let jobs = Command::new("jobs").subcommand_required(true).subcommand(list);
        Globals::augment_args(Command::new("torcctl").subcommand(logs).subcommand(jobs))
    }

    fn read(words: &[&str], index: usize) -> Line {
        let words: Vec<_> = words.iter().map(OsString::from).collect();
        Line::read(&command(), &words, index)
    }

    #[test]
    fn a_line_tells_what_it_names_wherever_that_stands() {
        let line = read(&["torcctl", "logs", "jo", "-w", "night", "--socket", "/s"], 2);
        assert_eq!(line.workflow, Some(WorkflowSelector::Name("night".to_owned())));
        assert_eq!(line.globals.socket.as_deref(), Some(Path::new("/s")));
        assert_eq!(line.path, ["logs"]);
        let line = read(&["torcctl", "--db", "f.db", "logs", "-w", "3", ""], 6);
        assert_eq!(line.workflow, Some(WorkflowSelector::Id(WorkflowId(3))));
        assert_eq!(line.globals.db.as_deref(), Some(Path::new("f.db")));
    }

    #[test]
    fn what_is_wrong_or_missing_in_a_line_is_passed_over() {
        assert_eq!(read(&["torcctl", "logs", ""], 2).workflow, None);
        assert_eq!(read(&["torcctl", "logs", "-w", ""], 3).workflow, None);
        let line = read(&["torcctl", "logs", "--no-such", "-w", "3", "x", "y", ""], 7);
        assert_eq!(line.path, ["logs"]);
        assert_eq!(read(&["torcctl", "nothing", "--socket", ""], 3).path, [""; 0]);
        let line = read(&["torcctl", "jobs", "list", ""], 3);
        assert_eq!((line.workflow, line.path.len()), (None, 2), "a default names nothing");
    }
}
