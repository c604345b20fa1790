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
