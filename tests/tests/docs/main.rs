//! What the documentation names is there: files, headings, commands, flags, exit codes.

mod book;
mod messages;
mod page;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use torc_tests::source::workspace;

use crate::page::{Code, Page, leads_to, pages};

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut count = 0;
    for page in pages() {
        for link in page.links() {
            let Some((target, heading)) = page.target(link) else { continue };
            count += 1;
            assert!(target.exists(), "{}: {link} leads nowhere", page.path.display());
            let is_there = heading.is_empty() || leads_to(&target, heading);
            assert!(is_there, "{}: {link} names no heading", page.path.display());
        }
    }
    assert!(count > 100, "only {count} links are found");
}

fn all_code() -> impl Iterator<Item = Code> {
    pages().into_iter().flat_map(|page| page.code())
}

/// Returns the words of a command line up to what ends the command; quotes keep words together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ';' | '|' | '&' | '>' | '<' | ')' | '#' | '·' | '…' | '─' | '`') => break,
            (None, ' ') => words.push(String::new()),
            (_, letter) => words.last_mut().expect("there is always one").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns what follows `program` wherever a piece of code calls it, and does not only name the
/// package, as cargo does.
fn calls<'a>(code: &'a str, program: &str) -> Vec<&'a str> {
    let is_path = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    let is_package = |before: &str| {
        let command = before.rsplit(['&', ';', '|']).next().unwrap_or_default();
        command.trim_start().starts_with("cargo ") || before.ends_with("-p ")
    };
    code.match_indices(&format!("{program} "))
        .filter(|(at, _)| !code[..*at].ends_with(is_path) && !is_package(&code[..*at]))
        .map(|(at, found)| &code[at + found.len()..])
        .collect()
}

/// Checks a call of torcctl against its own description of the command line.
fn check(words: &[String]) -> Result<(), String> {
    let mut command = torcctl::cli::command();
    command.build();
    let mut at = &command;
    for word in words {
        if word == "--" {
            break;
        }
        let known = |flag: &str| {
            at.get_arguments().any(|argument| match flag.strip_prefix("--") {
                Some(long) => argument.get_long() == Some(long),
                None => argument.get_short() == flag.chars().nth(1),
            })
        };
        if word.starts_with('-') {
            let flag = word.split(['=', '[']).next().unwrap_or_default();
            if !known(flag) {
                return Err(format!("`{}` has no {flag}", at.get_name()));
            }
        } else if let Some(below) = at.find_subcommand(word) {
            at = below;
        } else if at.is_subcommand_required_set() && word.chars().all(char::is_alphabetic) {
            return Err(format!("`{}` has no command {word}", at.get_name()));
        }
    }
    Ok(())
}

#[test]
fn every_command_and_flag_of_torcctl_exists() {
    let mut count = 0;
    for code in all_code() {
        for call in calls(&code.text, "torcctl") {
            count += 1;
            let checked = check(&words(call));
            assert!(checked.is_ok(), "{}: {}: {}", code.page, code.text, checked.unwrap_err());
        }
    }
    assert!(count > 100, "only {count} commands are found");
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    for line in ["exce", "exec --no-such", "exec -Z", "results show", "--no-such exec", "logs -c x"]
    {
        assert!(check(&words(line)).is_err(), "{line}");
    }
    for line in ["exec -j2 -- x --no-such", "snapshot --wait=30; x --no-such", "logs job1 -f"] {
        assert_eq!(check(&words(line)), Ok(()), "{line}");
    }
}

fn flags_of_torcd() -> BTreeSet<String> {
    let torcd = Command::new(env!("CARGO_BIN_EXE_torcd-under-test")).arg("--help").output();
    let help = String::from_utf8(torcd.expect("torcd runs").stdout).expect("its help is text");
    let flags = help.split_whitespace().filter(|word| word.starts_with("--"));
    flags.map(str::to_owned).collect()
}

#[test]
fn every_flag_of_torcd_exists() {
    let flags = flags_of_torcd();
    let mut count = 0;
    for code in all_code() {
        for call in calls(&code.text, "torcd") {
            for flag in words(call).iter().filter(|word| word.starts_with("--")) {
                count += 1;
                assert!(flags.contains(flag), "{}: {}", code.page, code.text);
            }
        }
    }
    assert!(count > 3, "only {count} flags are found");
}

#[test]
fn a_flag_that_is_named_alone_is_one_of_ours() {
    let mut command = torcctl::cli::command();
    command.build();
    let mut below = vec![&command];
    let mut flags = flags_of_torcd();
    while let Some(command) = below.pop() {
        let own = command.get_arguments().filter_map(|argument| argument.get_long());
        flags.extend(own.map(|long| format!("--{long}")));
        below.extend(command.get_subcommands());
    }
    for code in all_code() {
        let first = words(&code.text).into_iter().next().unwrap_or_default();
        let flag = first.split(['=', '[']).next().unwrap();
        let is_ours = !flag.starts_with("--") || flag == "--" || flags.contains(flag);
        assert!(is_ours, "{}: nothing has the flag {flag}", code.page);
    }
}

/// Returns the codes of a table with code and constant, or with code alone.
fn codes_in(page: &str, heading: &str) -> BTreeSet<u8> {
    let page = Page::named(page);
    let section = page.text.split(&format!("\n{heading}\n")).nth(1).expect("there is that section");
    let rows = section.lines().take_while(|line| !line.starts_with("## "));
    let cells = rows.filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    cells.flat_map(|cell| cell.split(", ")).filter_map(|code| code.parse().ok()).collect()
}

#[test]
fn the_exit_codes_are_those_of_the_code() {
    let source = fs::read_to_string(workspace().join("ctl/src/exit_code.rs")).unwrap();
    let constants: BTreeMap<u8, &str> = source
        .lines()
        .filter_map(|line| {
            line.strip_prefix("pub const ")?.strip_suffix(';')?.split_once(": u8 = ")
        })
        .map(|(name, code)| (code.parse().unwrap(), name))
        .collect();
    assert!(constants.len() > 8, "{constants:?}");
    let page = Page::named("docs/exit-codes.md");
    let documented: BTreeMap<u8, &str> = page
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | `"))
        .filter_map(|(code, rest)| Some((code.parse().ok()?, rest.split('`').next()?)))
        .collect();
    assert_eq!(documented, constants);
    let all: BTreeSet<u8> = constants.into_keys().collect();
    assert_eq!(codes_in("README.md", "## Exit codes"), all);
    assert!(codes_in("docs/exit-codes.md", "## torcd").is_subset(&all));
}

#[test]
fn the_limits_are_those_of_the_code() {
    let limits = torcd::seats::Limits::new(1_024);
    let frame = torc_protocol::codec::MAX_FRAME >> 20;
    let page = Page::named("docs/security.md");
    for row in [
        format!("| time to say hello | {} s |", torc_protocol::connection::HELLO_TIMEOUT.as_secs()),
        format!("| one request, one part of a reply | {frame} MiB |"),
        format!("| time that a part of a reply is left unread | {} s |", limits.transfer.as_secs()),
        format!("| {} MiB | whoever has not moved a byte for ", limits.memory >> 20),
        format!("has not moved a byte for {} s goes", limits.patience.as_secs()),
        format!("| clients that watch a workflow | {} |", torcd::event_bus::WATCHERS),
        format!("| {} MiB a stream |", torc_protocol::spec::CAPTURE_LIMIT >> 20),
    ] {
        assert!(page.text.contains(&row), "docs/security.md does not say: {row}");
    }
}
