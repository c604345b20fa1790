//! What the documentation names is there: files, headings, commands, flags, exit codes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use torc_tests::source::workspace;

/// A page of the documentation.
struct Page {
    path: PathBuf,
    text: String,
}

/// A piece of code in a page: a line of a block, or a span within a sentence.
struct Code {
    page: String,
    text: String,
}

fn pages() -> Vec<Page> {
    let root = workspace();
    let docs = fs::read_dir(root.join("docs")).expect("there is a directory docs");
    let mut paths: Vec<_> = docs
        .map(|entry| entry.expect("docs can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    let others = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "contrib/README.md"];
    paths.extend(others.map(|name| root.join(name)));
    paths.into_iter().map(page).collect()
}

fn page(path: PathBuf) -> Page {
    let text = fs::read_to_string(&path).expect("a page is text");
    Page { path, text }
}

/// Returns the lines of a page, each with whether it is in a block of code.
fn lines(page: &Page) -> impl Iterator<Item = (bool, &str)> {
    let mut inside = false;
    page.text.lines().filter_map(move |line| {
        if line.starts_with("```") {
            inside = !inside;
            return None;
        }
        Some((inside, line))
    })
}

fn code(page: &Page) -> Vec<Code> {
    let name = page.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = Vec::new();
    for (is_block, line) in lines(page) {
        let texts: Vec<_> =
            if is_block { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        found.extend(texts.iter().map(|&text| Code { page: name.clone(), text: text.to_owned() }));
    }
    found
}

/// Returns the anchor that a heading gets on the usual sites.
fn anchor(heading: &str) -> String {
    heading
        .trim_matches(['#', ' '])
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn has_anchor(path: &Path, wanted: &str) -> bool {
    let page = page(path.to_owned());
    lines(&page)
        .any(|(is_block, line)| !is_block && line.starts_with('#') && anchor(line) == wanted)
}

/// Returns the targets of the links in a page that are not elsewhere on the net.
fn links(page: &Page) -> Vec<String> {
    let prose = lines(page).filter(|(is_block, _)| !is_block).map(|(_, line)| line);
    prose
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut count = 0;
    for page in pages() {
        for link in links(&page) {
            count += 1;
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.path.clone(),
                file => page.path.with_file_name(file),
            };
            assert!(target.exists(), "{}: {link} leads nowhere", page.path.display());
            let is_there = heading.is_empty() || has_anchor(&target, heading);
            assert!(is_there, "{}: {link} names no heading", page.path.display());
        }
    }
    assert!(count > 20, "only {count} links are found");
}

/// Returns the words of a command line up to what ends the command; quotes keep words together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ';' | '|' | '&' | '>' | '<' | ')' | '#' | '·' | '…' | '─') => break,
            (None, ' ') => words.push(String::new()),
            (_, letter) => words.last_mut().expect("there is always one").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns what follows `program` wherever a piece of code calls it, and does not only name the
/// package, as `cargo -p` does.
fn calls<'a>(code: &'a str, program: &str) -> Vec<&'a str> {
    let is_path = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    code.match_indices(&format!("{program} "))
        .filter(|(at, _)| !code[..*at].ends_with(is_path) && !code[..*at].ends_with("-p "))
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
    for code in pages().iter().flat_map(code) {
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
    for code in pages().iter().flat_map(code) {
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
    for code in pages().iter().flat_map(code) {
        let first = words(&code.text).into_iter().next().unwrap_or_default();
        let flag = first.split(['=', '[']).next().unwrap();
        let is_ours = !flag.starts_with("--") || flag == "--" || flags.contains(flag);
        assert!(is_ours, "{}: nothing has the flag {flag}", code.page);
    }
}

/// Returns the codes of a table with code and constant, or with code alone.
fn codes_in(page: &str, heading: &str) -> BTreeSet<u8> {
    let page = page_of(page);
    let section = page.text.split(&format!("\n{heading}\n")).nth(1).expect("there is that section");
    let rows = section.lines().take_while(|line| !line.starts_with("## "));
    let cells = rows.filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    cells.flat_map(|cell| cell.split(", ")).filter_map(|code| code.parse().ok()).collect()
}

fn page_of(name: &str) -> Page {
    page(workspace().join(name))
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
    let page = page_of("docs/exit-codes.md");
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
    let page = page_of("docs/security.md");
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
