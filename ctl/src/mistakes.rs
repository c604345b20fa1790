//! Mistakes on the command line, in our own words: what is wrong, and what was probably meant.
//!
//! clap finds the mistake. What it writes about it becomes an error as all others are, with a hint:
//! the nearest word, where a command of that name is to be found, or what it is called here by those
//! who know it from elsewhere.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};
use torc_protocol::nearest::nearest;

use crate::error::CliError;

/// What commands of other programs are called here; one of several, where it depends.
const COMMANDS: &[(&str, &str)] = &[
    ("abort", "cancel"),
    ("attach", "watch"),
    ("delete", "workflows delete"),
    ("describe", "jobs get"),
    ("info", "status"),
    ("init", "daemon start"),
    ("kill", "cancel"),
    ("list", "workflows list"),
    ("log", "logs"),
    ("ls", "workflows list"),
    ("output", "logs"),
    ("parallel", "exec"),
    ("ps", "jobs list --status running"),
    ("qdel", "cancel"),
    ("qstat", "jobs list"),
    ("qsub", "submit"),
    ("queue", "jobs list"),
    ("remove", "workflows delete"),
    ("rerun", "retry"),
    ("resume", "run latest"),
    ("rm", "workflows delete"),
    ("sacct", "results list"),
    ("save", "snapshot --wait"),
    ("sbatch", "submit"),
    ("scancel", "cancel"),
    ("show", "workflows get"),
    ("sinfo", "status"),
    ("squeue", "jobs list"),
    ("srun", "exec"),
    ("start", "daemon start"),
    ("stop", "cancel|daemon stop"),
    ("tail", "logs -f"),
    ("top", "watch"),
    ("version", "--version"),
    ("why", "explain"),
];

/// What options of other programs are called here.
const OPTIONS: &[(&str, &str)] = &[
    ("--csv", "--format csv"),
    ("--database", "--db"),
    ("--json", "--format json"),
    ("--jobs", "--max-parallel-jobs"),
    ("--ndjson", "--format ndjson"),
    ("--no-color", "--color never"),
    ("--tail", "--follow"),
];

/// Returns the error for a command line that clap has refused. `words` are those after the program.
#[must_use]
pub fn explain(error: &Error, mut root: Command, words: &[OsString]) -> CliError {
    root.build();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let (command, path) = command_of(&root, &words);
    match (error.kind(), text(error, ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(wrong)) => {
            let rest = words.iter().skip_while(|word| **word != wrong).skip(1);
            unknown_command(&root, command, &wrong, &rest.cloned().collect::<Vec<_>>())
        }
        (ErrorKind::UnknownArgument, _) => unknown_argument(error, command, &path),
        _ => other(error, &path),
    }
}

/// Returns the error for a command that `parent` does not have, with the words after it.
#[must_use]
pub fn unknown_command(root: &Command, parent: &Command, wrong: &str, rest: &[String]) -> CliError {
    let path = path_of(parent);
    let error = CliError::usage(format!("`{path}` has no command '{wrong}'"));
    let is_top = path == root.get_name();
    let foreign = is_top.then(|| synonym(COMMANDS, wrong)).flatten();
    let meant = foreign
        .map(|meant| meant.replace('|', &format!("` or `{path} ")))
        .map(|meant| format!("{path} {meant}"))
        .or_else(|| elsewhere(root, wrong))
        .or_else(|| near_command(parent, wrong, rest).map(|meant| format!("{path} {meant}")));
    match meant {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error.hint(format!("`{path} --help` lists those that there are")),
    }
}

fn unknown_argument(error: &Error, command: &Command, path: &str) -> CliError {
    let wrong = text(error, ContextKind::InvalidArg).unwrap_or_default();
    let name = wrong.split(['=', ' ']).next().unwrap_or_default();
    let kind = if wrong.starts_with('-') { "option" } else { "argument" };
    let message = format!("`{path}` takes no {kind} '{wrong}'");
    CliError::usage(message).hint(match near_option(command, name) {
        Some(meant) => format!("did you mean `{meant}`? `{path} --help` shows them all"),
        None => format!("`{path} --help` shows what it takes"),
    })
}

/// Returns any other error: what clap says of it in its first paragraph, and the value that was
/// probably meant.
fn other(error: &Error, path: &str) -> CliError {
    let rendered = error.render().to_string();
    let said = rendered.split("\n\n").next().unwrap_or_default();
    let said = said.trim().strip_prefix("error: ").unwrap_or(said);
    // The parser of a value may have a hint of its own.
    let (said, own) = said.split_once("\nhint: ").map_or((said, None), |(a, b)| (a, Some(b)));
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut message = lines.next().unwrap_or_default().to_owned();
    let details: Vec<_> = lines.collect();
    let (possible, details): (Vec<_>, Vec<_>) =
        details.into_iter().partition(|line| line.starts_with("[possible values:"));
    if !details.is_empty() {
        message = format!("{} {}", message, details.join(", "));
    }
    let possible = possible.first().map(|line| {
        let list = line.trim_start_matches("[possible values: ").trim_end_matches(']');
        format!("it is one of {list}")
    });
    let near =
        text(error, ContextKind::SuggestedValue).map(|near| format!("did you mean `{near}`?"));
    let help = format!("`{path} --help` shows what it takes");
    let hint = match (own, near, possible) {
        (Some(own), _, _) => own.to_owned(),
        (None, Some(near), Some(possible)) => format!("{near} {possible}"),
        (None, near, possible) => near.or(possible).unwrap_or(help),
    };
    CliError::usage(message).hint(hint)
}

/// Returns the command that the words lead to, and its whole name.
fn command_of<'a>(root: &'a Command, words: &[String]) -> (&'a Command, String) {
    let mut command = root;
    for word in words.iter().take_while(|word| *word != "--") {
        command = command.find_subcommand(word).unwrap_or(command);
    }
    (command, path_of(command))
}

fn path_of(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// Returns the command of `parent` that is written most alike, and those after it that the rest
/// names.
fn near_command(parent: &Command, wrong: &str, rest: &[String]) -> Option<String> {
    let names: Vec<_> = visible(parent).flat_map(Command::get_name_and_visible_aliases).collect();
    let near = nearest(wrong, names.iter().copied())?;
    let mut command = parent.find_subcommand(near)?;
    let mut path = command.get_name().to_owned();
    for word in rest {
        let Some(below) = command.find_subcommand(word) else { break };
        command = below;
        path = format!("{path} {}", below.get_name());
    }
    Some(path)
}

/// Returns the option of `command` that is written most alike, or is called so elsewhere.
fn near_option(command: &Command, wrong: &str) -> Option<String> {
    let wrong = wrong.strip_prefix("--")?;
    let own = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(Arg::get_long);
    let foreign = OPTIONS.iter().map(|(foreign, _)| foreign.trim_start_matches('-'));
    let near = format!("--{}", nearest(wrong, own.chain(foreign))?);
    Some(synonym(OPTIONS, &near).map_or(near, str::to_owned))
}

/// Returns the only command below another one that has this name.
fn elsewhere(root: &Command, wrong: &str) -> Option<String> {
    let below = visible(root).flat_map(visible);
    let mut found = below.filter(|command| command.get_name() == wrong).map(path_of);
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set())
}

fn synonym(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(foreign, _)| *foreign == word).map(|(_, ours)| *ours)
}

/// Returns what clap knows of the mistake, the first where there are several.
fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn root() -> Command {
        let format = Arg::new("format").long("format").global(true).value_parser(["table", "json"]);
        let daemon = Command::new("daemon")
            .subcommand_required(true)
            .subcommand(Command::new("start"))
            .subcommand(Command::new("stop"));
        let jobs = Command::new("jobs")
            .subcommand_required(true)
            .subcommand(Command::new("list").visible_alias("ls"))
            .subcommand(Command::new("enable"));
        Command::new("torcctl")
            .disable_help_subcommand(true)
            .subcommand_required(true)
            .arg(format)
            .subcommand(
                Command::new("exec").arg(Arg::new("jobs").short('j').value_parser(positive)),
            )
            .subcommand(Command::new("secret").hide(true))
            .subcommands([jobs, daemon])
    }

    fn positive(text: &str) -> Result<u32, String> {
        match text.parse() {
            Ok(number) => Ok(number),
            Err(error) => Err(format!("{error}\nhint: give a number")),
        }
    }

    fn said(line: &str) -> String {
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        let all = std::iter::once("torcctl".into()).chain(words.clone());
        let error = root().try_get_matches_from(all).unwrap_err();
        explain(&error, root(), &words).to_string()
    }

    #[test]
    fn a_mistyped_command_is_seen_through() {
        assert_eq!(
            said("exce -j 3"),
            "error: `torcctl` has no command 'exce'\nhint: did you mean `torcctl exec`?"
        );
        assert_eq!(
            said("job list --format json"),
            "error: `torcctl` has no command 'job'\nhint: did you mean `torcctl jobs list`?"
        );
        assert_eq!(
            said("daemon strat"),
            "error: `torcctl daemon` has no command 'strat'\n\
             hint: did you mean `torcctl daemon start`?"
        );
    }

    #[test]
    fn a_command_is_found_where_it_is_or_by_its_name_elsewhere() {
        let hint = |line| said(line).split_once("\nhint: ").unwrap().1.to_owned();
        assert_eq!(hint("enable"), "did you mean `torcctl jobs enable`?");
        assert_eq!(hint("kill"), "did you mean `torcctl cancel`?");
        assert_eq!(hint("ps"), "did you mean `torcctl jobs list --status running`?");
        assert_eq!(hint("stop"), "did you mean `torcctl cancel` or `torcctl daemon stop`?");
        assert_eq!(hint("secre"), "`torcctl --help` lists those that there are");
        assert_eq!(hint("jobs dance"), "`torcctl jobs --help` lists those that there are");
    }

    #[test]
    fn a_mistyped_option_or_value_is_seen_through() {
        assert_eq!(
            said("jobs list --formt json"),
            "error: `torcctl jobs list` takes no option '--formt'\n\
             hint: did you mean `--format`? `torcctl jobs list --help` shows them all"
        );
        assert_eq!(
            said("exec --json"),
            "error: `torcctl exec` takes no option '--json'\n\
             hint: did you mean `--format json`? `torcctl exec --help` shows them all"
        );
        assert_eq!(
            said("exec --jsno"),
            "error: `torcctl exec` takes no option '--jsno'\n\
             hint: did you mean `--format json`? `torcctl exec --help` shows them all"
        );
        assert_eq!(
            said("exec --colour"),
            "error: `torcctl exec` takes no option '--colour'\n\
             hint: `torcctl exec --help` shows what it takes"
        );
        assert_eq!(
            said("jobs list --format jsn"),
            "error: invalid value 'jsn' for '--format <format>'\n\
             hint: did you mean `json`? it is one of table, json"
        );
        assert_eq!(
            said("jobs list x"),
            "error: `torcctl jobs list` takes no argument 'x'\n\
             hint: `torcctl jobs list --help` shows what it takes"
        );
    }

    #[test]
    fn the_hint_of_a_value_is_kept() {
        assert_eq!(
            said("exec -j x"),
            "error: invalid value 'x' for '-j <jobs>': invalid digit found in string\n\
             hint: give a number"
        );
        assert!(said("exec -j").ends_with("\nhint: `torcctl exec --help` shows what it takes"));
    }
}
