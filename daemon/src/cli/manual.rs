//! What is told below the options of `torcd --help`, and the page of the manual, which has it too.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;
use torc_protocol::config::key::{SETTINGS, Setting};

/// Sections of indented lines, for the help and for the manual.
pub(super) const AFTER_HELP: &str = "\
Examples:
  torcd                                    on disk, at the user's socket
  torcd --in-memory --snapshot runs.db     in memory, from that snapshot on
  torcd --daemonize                        in the background, when it is ready
  torcd --database runs.db --socket ./s    one of its own, beside the user's
  torcd --read-only runs.db --socket ./s   answers questions about a snapshot
  torcd --snapshot runs.db --recover       brings home what a dead one has left

Signals:
  SIGTERM, SIGINT  stop the jobs, take a snapshot, end
  SIGHUP           read the settings again; as SIGTERM while its terminal lasts
  SIGUSR1          take a snapshot
  SIGUSR2          start nothing more, and end when what runs has ended

Exit codes:
  0  ended as asked, and the last snapshot is on disk
  1  the system refused something at the start
  2  the command line is wrong, or what it names cannot be used
  5  ended, and the last snapshot is not on disk; the log says where it is
  7  another torcd listens at the socket, or has the database or the snapshots";

/// More sections, for the manual alone.
const MORE: &str = "\
Files:
  $XDG_RUNTIME_DIR/torc/torcd.sock   the socket, when none is named
  ~/.local/share/torc/torc.db        the database, when none is named
  ~/.config/torc/torc.toml           settings; see torc.toml(5)";

/// Writes the page of the manual, as of a day, to `out`.
pub(super) fn write(command: Command, date: &str, out: &mut dyn Write) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(out, ".TH \"TORCD\" 1 \"{date}\" \"torc {version}\" torc")?;
    let man = Man::new(command.override_usage("torcd [OPTIONS]"));
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    for section in [AFTER_HELP, MORE].iter().flat_map(|text| text.split("\n\n")) {
        let (heading, lines) = section.split_once(":\n").unwrap_or(("Notes", section));
        writeln!(out, ".SH \"{}\"\n.nf", heading_of(heading))?;
        for line in lines.lines() {
            writeln!(out, "{}", escape(line.strip_prefix("  ").unwrap_or(line)))?;
        }
        writeln!(out, ".fi")?;
    }
    writeln!(out, ".SH \"ENVIRONMENT\"")?;
    for setting in SETTINGS.iter().filter(|setting| is_ours(setting)) {
        let (variable, flag) = (escape(setting.variable), escape(setting.flag));
        writeln!(out, ".TP\n\\fB{variable}\\fR\nAs {flag}.")?;
    }
    writeln!(out, ".SH \"SEE ALSO\"\ntorcctl(1), torcctl\\-daemon(1), torc.toml(5)")?;
    Ok(())
}

/// Returns whether a setting is one of torcd's.
fn is_ours(setting: &Setting) -> bool {
    matches!(setting.parts(), ("" | "daemon" | "snapshot", _))
}

fn heading_of(title: &str) -> String {
    match title {
        "Exit codes" => "EXIT STATUS".to_owned(),
        title => title.to_uppercase(),
    }
}

/// Writes a line so that `man` shows the very characters, also when they are copied from there.
fn escape(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len() + 8);
    if line.starts_with(['.', '\'']) {
        escaped.push_str("\\&");
    }
    for letter in line.chars() {
        match letter {
            '\\' => escaped.push_str("\\(rs"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '~' => escaped.push_str("\\(ti"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// Returns what `torcd` calls in the examples, without what is said of it.
    fn examples() -> Vec<Vec<&'static str>> {
        let (examples, _) = AFTER_HELP.split_once("\n\n").unwrap();
        let lines = examples.lines().skip(1).map(|line| line.trim_start());
        lines.map(|line| line.split("  ").next().unwrap_or_default().split(' ').collect()).collect()
    }

    #[test]
    fn every_example_is_a_command_line() {
        assert!(examples().len() > 3);
        for words in examples() {
            let parsed = Cli::command().try_get_matches_from(&words);
            assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn the_page_has_every_section_and_option() {
        let mut page = Vec::new();
        write(Cli::command(), "2026-11-24", &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(page.is_ascii(), "not every formatter takes more: {page}");
        for heading in ["NAME", "OPTIONS", "EXAMPLES", "SIGNALS", "EXIT STATUS", "FILES"] {
            let quoted = format!(".SH \"{heading}\"\n");
            assert!(page.contains(&quoted) || page.contains(&format!(".SH {heading}\n")), "{page}");
        }
        assert!(page.contains("\nSIGUSR2 "), "{page}");
        let is_shown = |arg: &&clap::Arg| !arg.is_hide_set();
        for long in Cli::command().get_arguments().filter(is_shown).filter_map(|arg| arg.get_long())
        {
            let written = format!("\\-\\-{}", long.replace('-', "\\-"));
            assert!(page.contains(&written), "{written}");
        }
    }
}
