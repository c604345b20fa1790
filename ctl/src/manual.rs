//! The pages of the manual, from the same description of the command line that clap parses by.
//!
//! A page tells what `--help` tells, and where to read on. Global options are told once, in
//! `torcctl(1)`, hidden commands and options not at all.

use std::io;

use clap::{Arg, Command};
use clap_mangen::Man;

use self::roff::{ascii, prose, terms, verbatim};
use crate::exit_code;

mod roff;
mod settings;

/// A page.
#[derive(Debug)]
pub struct Page {
    /// The name of its file, as `torcctl-exec.1`. It ends with the section.
    pub name: String,
    /// Its text, for `man`.
    pub text: String,
}

impl Page {
    /// Returns the page of this title and section, as of a day.
    fn new(title: &str, section: char, date: &str, body: &str) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let head = title.to_uppercase();
        let head = format!(".TH \"{head}\" {section} \"{date}\" \"torc {version}\" torc\n");
        Self { name: format!("{title}.{section}"), text: ascii(&format!("{head}{body}")) }
    }
}

/// What an exit code says.
const EXIT_CODES: &[(u8, &str)] = &[
    (
        exit_code::DONE,
        "All that was asked for is done, and the record is on disk where that was due.",
    ),
    (exit_code::FAILED, "A job did not complete; or a failure that has no code of its own."),
    (exit_code::USAGE, "The command line or a file that it names is wrong. Nothing was started."),
    (exit_code::NO_DAEMON, "No torcd can be reached or started."),
    (exit_code::TIMED_OUT, "A wait is over. What was waited for goes on."),
    (exit_code::NOT_DURABLE, "The record is not on disk. The message says where it is."),
    (exit_code::NOT_FOUND, "What was named is not there."),
    (
        exit_code::REFUSED,
        "What was named is in a state that forbids it, or in use by another torcd.",
    ),
    (exit_code::HUNG_UP, "Ended by SIGHUP, with the record on disk."),
    (exit_code::INTERRUPTED, "Ended by SIGINT, with the record on disk."),
    (exit_code::TERMINATED, "Ended by SIGTERM, with the record on disk."),
];

/// What is no setting, and has no place in a file.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("TORC_COMPLETE_MS", "How long the completion of a word in a shell may take, in milliseconds."),
    ("NO_COLOR", "No colours, whatever its value."),
];

const FILES: &[(&str, &str)] = &[
    ("torc.toml", "Settings: of the host, of the user, of the project; see torc.toml(5)."),
    ("./torc_output/torc.db", "The record that exec and run leave, and that all others read."),
    (
        "$XDG_RUNTIME_DIR/torc/torcd.sock",
        "The socket of the user's torcd; `torcctl daemon socket-path` prints it.",
    ),
];

/// Returns the pages for `root` and all commands below it, and for the file of settings, as of a day
/// (`2026-11-24`).
///
/// # Errors
///
/// None that can happen: they are written to memory.
pub fn pages(mut root: Command, date: &str) -> io::Result<Vec<Page>> {
    root.build();
    let mut pages = Vec::new();
    add(&mut pages, &root, None, date)?;
    pages.push(Page::new("torc.toml", '5', date, &settings::page()));
    Ok(pages)
}

fn add(
    pages: &mut Vec<Page>,
    command: &Command,
    parent: Option<&Command>,
    date: &str,
) -> io::Result<()> {
    pages.push(Page::new(title(command), '1', date, &page(command, parent)?));
    for below in visible(command) {
        add(pages, below, Some(command), date)?;
    }
    Ok(())
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set())
}

fn title(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, parent: Option<&Command>) -> io::Result<String> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let is_told_above = |arg: &Arg| parent.is_some() && arg.is_global_set();
    let own = command
        .clone()
        .override_usage(usage)
        .mut_args(|arg| if is_told_above(&arg) { arg.hide(true) } else { in_a_sentence(arg) });
    let man = Man::new(own);
    let mut head = Vec::new();
    man.render_name_section(&mut head)?;
    man.render_synopsis_section(&mut head)?;
    man.render_description_section(&mut head)?;
    man.render_options_section(&mut head)?;
    let mut text = String::from_utf8(head).map_err(io::Error::other)?;
    if command.has_subcommands() {
        let list = visible(command).map(|below| {
            let about = below.get_about().map(ToString::to_string).unwrap_or_default();
            (format!("{}(1)", title(below)), about)
        });
        text.push_str(&terms("COMMANDS", list));
    }
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    text.push_str(&after_help(&help));
    match parent {
        None => text.push_str(&of_all()),
        Some(_) if !help.contains("Exit codes: ") => {
            text.push_str(&prose("EXIT STATUS", "0 when done; all others are told in torcctl(1)."));
        }
        Some(_) => {}
    }
    text.push_str(&prose("SEE ALSO", &see_also(command, parent)));
    Ok(text)
}

/// Tells the values that `arg` can have in its help: a list of them would be longer than the rest.
fn in_a_sentence(arg: Arg) -> Arg {
    let values = arg.get_possible_values();
    let values = values.iter().filter(|value| !value.is_hide_set()).map(|value| {
        let help = value.get_help().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}{help}", value.get_name())
    });
    let values: Vec<_> = values.collect();
    if values.is_empty() || arg.is_hide_possible_values_set() || !arg.get_action().takes_values() {
        return arg;
    }
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string);
    let help = help.unwrap_or_default();
    arg.hide_possible_values(true).long_help(format!("{help}: {}", values.join(", ")))
}

/// Returns the sections that only the first page has.
fn of_all() -> String {
    let codes = EXIT_CODES.iter().map(|(code, text)| (code.to_string(), (*text).to_owned()));
    let owned = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(term, text)| ((*term).to_owned(), (*text).to_owned())).collect()
    };
    [
        terms("EXIT STATUS", codes),
        terms("ENVIRONMENT", settings::variables().chain(owned(ENVIRONMENT))),
        terms("FILES", owned(FILES)),
    ]
    .concat()
}

/// Returns the sections for what stands below the options in the help.
fn after_help(help: &str) -> String {
    let mut sections = String::new();
    let (mut notes, mut codes) = (Vec::new(), None);
    for paragraph in help.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        if let Some(examples) = paragraph.strip_prefix("Examples:\n") {
            sections.push_str(&verbatim("EXAMPLES", examples));
        } else if let Some(told) = paragraph.strip_prefix("Exit codes: ") {
            codes = Some(told);
        } else {
            notes.push(paragraph);
        }
    }
    if !notes.is_empty() {
        sections.push_str(&prose("NOTES", &notes.join("\n\n")));
    }
    if let Some(codes) = codes {
        sections.push_str(&prose("EXIT STATUS", codes));
    }
    sections
}

fn see_also(command: &Command, parent: Option<&Command>) -> String {
    let mut names: Vec<_> = match parent {
        None => visible(command).map(|below| title(below).to_owned()).collect(),
        Some(parent) => {
            let beside = visible(parent).filter(|it| it.get_name() != command.get_name());
            let beside = beside.take(if parent.has_subcommands() { usize::MAX } else { 0 });
            let is_small = visible(parent).count() < 10;
            let mut names = vec!["torcctl".to_owned()];
            names.extend((title(parent) != "torcctl").then(|| title(parent).to_owned()));
            names.extend(beside.filter(|_| is_small).map(|it| title(it).to_owned()));
            names.extend(visible(command).map(|below| title(below).to_owned()));
            names
        }
    };
    names.push("torcd".to_owned());
    let mut names: Vec<_> = names.iter().map(|name| format!("{name}(1)")).collect();
    names.extend(parent.is_none().then(|| "torc.toml(5)".to_owned()));
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use clap::builder::PossibleValue;

    use super::*;

    fn root() -> Command {
        let list = Command::new("list").about("List them").after_help(
            "Examples:\n  tool jobs list 'a*' ~/x   all\n  tool jobs list -- -y\n\nSort by: id, name\n\n\
             Exit codes: 0 done, 6 not there",
        );
        let quiet = Arg::new("quiet").long("quiet").global(true).help("Say nothing");
        Command::new("tool")
            .about("Do things …")
            .arg(Arg::new("colour").long("colour").help("Which").value_parser([
                PossibleValue::new("red"),
                PossibleValue::new("blue").help("as the sky"),
            ]))
            .version("1.2")
            .disable_help_subcommand(true)
            .arg(quiet.action(clap::ArgAction::SetTrue))
            .subcommand(Command::new("jobs").about("Jobs").subcommand(list))
            .subcommand(Command::new("secret").hide(true))
    }

    fn page_of(name: &str) -> String {
        let mut pages = pages(root(), "2026-11-24").unwrap();
        let at = pages.iter().position(|page| page.name == name).unwrap();
        pages.swap_remove(at).text
    }

    #[test]
    fn every_command_but_the_hidden_has_a_page() {
        let pages = pages(root(), "2026-11-24").unwrap();
        let names: Vec<_> = pages.iter().map(|page| page.name.as_str()).collect();
        assert_eq!(names, ["tool.1", "tool-jobs.1", "tool-jobs-list.1", "torc.toml.5"]);
    }

    #[test]
    fn the_first_page_tells_what_holds_for_all() {
        let page = page_of("tool.1");
        for section in ["EXIT STATUS", "ENVIRONMENT", "FILES", "COMMANDS", "SEE ALSO"] {
            assert!(page.contains(&format!(".SH \"{section}\"\n")), "{section} in {page}");
        }
        assert!(page.contains("\\-\\-quiet"), "{page}");
        assert!(page.starts_with(".TH \"TOOL\" 1 \"2026-11-24\" \"torc "), "{page}");
        assert!(page.contains("\nWhich: red, blue (as the sky)\n"), "{page}");
        assert!(page.contains("Do things \\[u2026]\n"), "{page}");
    }

    #[test]
    fn a_page_keeps_examples_as_they_are_and_leaves_global_options_out() {
        let page = page_of("tool-jobs-list.1");
        let examples = ".SH \"EXAMPLES\"\n.nf\n\
            tool jobs list \\(aqa*\\(aq \\(ti/x   all\ntool jobs list \\-\\- \\-y\n.fi\n";
        assert!(page.contains(examples), "{page}");
        assert!(page.contains(".SH \"NOTES\"\nSort by: id, name\n"), "{page}");
        assert!(page.contains(".SH \"EXIT STATUS\"\n0 done, 6 not there\n"), "{page}");
        assert!(
            page.contains(".SH \"SEE ALSO\"\ntorcctl(1), tool\\-jobs(1), torcd(1)\n"),
            "{page}"
        );
        assert!(!page.contains("quiet"), "{page}");
    }
}
