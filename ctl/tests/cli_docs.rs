//! `docs/cli.md` is what the command line says of itself.
//!
//! With `UPDATE=1` in the environment the file is rewritten instead of compared.

use std::path::Path;
use std::{env, fs};

#[test]
fn the_command_reference_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let expected = torcctl::reference::markdown(torcctl::cli::command());
    if env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(&file, &expected).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == expected,
        "docs/cli.md is not what the command line says; \
         run `UPDATE=1 cargo test -p torcctl --test cli_docs`"
    );
}

#[test]
fn every_command_has_a_first_line_and_examples() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.ends_with('.'), "{path}: '{about}'");
        if command.has_subcommands() {
            command.get_subcommands().for_each(|below| check(below, &path));
        } else if !command.is_hide_set() {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.starts_with("Examples:\n"), "{path} has no examples");
        }
    }
    check(&torcctl::cli::command(), "");
}

#[test]
fn the_command_line_is_consistent() {
    torcctl::cli::command().debug_assert();
}

/// Returns the words of a line of examples: what is quoted keeps together, what is told of it is left
/// out. None ends a command: a pipe, a redirection, a `$(` or its end.
fn words(line: &str) -> Vec<Option<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = line.trim_start().chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') if letters.peek() == Some(&' ') => break,
            (None, ' ') => words.extend(word.take().map(Some)),
            (None, '|' | '<' | '>' | '(' | ')' | '&' | ';') => {
                words.extend(word.take().map(Some));
                words.push(None);
            }
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word.map(Some));
    words
}

/// Returns the calls of torcctl in a line of examples.
fn calls(line: &str) -> Vec<Vec<String>> {
    let commands = words(line);
    let commands = commands.split(|word| word.is_none());
    let commands = commands.map(|words| words.iter().flatten().cloned().collect::<Vec<_>>());
    commands.filter(|words| words.first().is_some_and(|word| word == "torcctl")).collect()
}

fn for_each_leaf(
    command: &clap::Command,
    path: &str,
    check: &mut impl FnMut(&str, &clap::Command),
) {
    let path = format!("{path} {}", command.get_name());
    if !command.is_subcommand_required_set() && !command.is_hide_set() {
        check(&path, command);
    }
    command.get_subcommands().for_each(|below| for_each_leaf(below, &path, check));
}

#[test]
fn every_example_is_a_command_line_of_its_command() {
    let mut count = 0;
    for_each_leaf(&torcctl::cli::command(), "", &mut |path, command| {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = after.split("\n\n").next().unwrap_or_default();
        let calls: Vec<_> = examples.lines().skip(1).flat_map(calls).collect();
        for call in &calls {
            count += 1;
            let parsed = torcctl::cli::command().try_get_matches_from(call);
            assert!(parsed.is_ok(), "{path}: {call:?}: {}", parsed.unwrap_err());
        }
        let own: Vec<_> = path.trim_start().split(' ').map(str::to_owned).collect();
        let shows_itself = calls.iter().any(|call| call.starts_with(&own));
        assert!(shows_itself, "{path}: no example of it");
    });
    assert!(count > 100, "only {count} examples are found");
}

#[test]
fn a_line_of_examples_is_taken_apart_as_the_shell_does_it() {
    assert_eq!(
        calls("  id=$(torcctl submit -q 'a b.yaml') && torcctl wait \"$id\"  its 'end'"),
        [vec!["torcctl", "submit", "-q", "a b.yaml"], vec!["torcctl", "wait", "$id"]]
    );
    assert_eq!(calls("  torcctl logs x --stderr | less"), [["torcctl", "logs", "x", "--stderr"]]);
}
