//! `docs/configuration.md` and `contrib/torc.toml` say what the table of settings says.

use std::fs;
use std::process::Command;

use torc_protocol::config::Layer;
use torc_protocol::config::file;
use torc_protocol::config::key::{SETTINGS, Setting};
use torc_protocol::config::value::Kind;
use torc_tests::source::workspace;

/// Returns the two parts of `docs/configuration.md` that follow from the table of settings: the table,
/// and what they mean.
fn settings_in_words() -> (String, String) {
    let of_kind = |kind: Kind| match kind {
        Kind::Word(words) => words.join(", "),
        Kind::Log => "error, warn, info, debug, trace".to_owned(),
        kind => kind.expected(),
    };
    let row = |it: &Setting| {
        let (name, variable, flag) = (it.name, it.variable, it.flag);
        format!("| `{name}` | `{variable}` | `{flag}` | {} | {} |", of_kind(it.kind), it.default)
    };
    let line = |it: &Setting| format!("- `{}`: {}", it.name, it.meaning);
    let all = |each: &dyn Fn(&Setting) -> String| {
        SETTINGS.iter().map(each).collect::<Vec<_>>().join("\n")
    };
    (all(&row), all(&line))
}

#[test]
fn every_setting_is_documented() {
    let page = fs::read_to_string(workspace().join("docs/configuration.md")).unwrap();
    let (table, meanings) = settings_in_words();
    for part in [&table, &meanings] {
        assert!(page.contains(part.as_str()), "docs/configuration.md does not say:\n{part}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, SETTINGS.len(), "there are rows for what is no setting");
    let live: Vec<_> = SETTINGS.iter().filter(|it| it.reloads).map(|it| it.name).collect();
    let told = page.split("new values of ").nth(1).unwrap().split(". ").next().unwrap();
    let named: Vec<_> = told.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, live, "which settings a torcd that runs takes");
}

#[test]
fn every_variable_is_in_the_help_of_its_flag() {
    let torcd = Command::new(env!("CARGO_BIN_EXE_torcd-under-test")).arg("--help").output();
    let torcd = String::from_utf8(torcd.expect("torcd runs").stdout).expect("its help is text");
    // Which is what the help of torcctl says.
    let torcctl = fs::read_to_string(workspace().join("docs/cli.md")).unwrap();
    let help = torcd + &torcctl;
    // Lines break anywhere.
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in &SETTINGS {
        let (variable, flag) = (setting.variable, setting.flag);
        assert!(words.contains(&format!("[env: {variable}]")), "no help names {variable}");
        assert!(words.contains(flag), "no help names {flag}");
    }
}

#[test]
fn the_example_of_settings_is_right_and_complete() {
    let path = workspace().join("contrib/torc.toml");
    let text = fs::read_to_string(&path).unwrap();
    let parse = |text: &str| {
        let parsed = file::parse(Layer::User, &path, text.as_bytes());
        parsed.unwrap_or_else(|error| panic!("{error}"))
    };
    assert_eq!(parse(&text), [], "it sets nothing as it is");
    let is_setting = |line: &&str| !line.starts_with("# ") && *line != "#";
    let without_mark = |line: &str| line.strip_prefix('#').unwrap_or(line).to_owned();
    let all: Vec<_> = text.lines().filter(is_setting).map(without_mark).collect();
    let set: Vec<_> = parse(&all.join("\n")).into_iter().map(|entry| entry.key).collect();
    let keys: Vec<_> = SETTINGS.iter().map(|it| it.key).collect();
    assert_eq!(set, keys, "it has every setting once, in the order of the table");
}
