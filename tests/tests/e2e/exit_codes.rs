//! The examples of `docs/exit-codes.md`: each line ends with the code that it says.

use std::fs;
use std::path::Path;

use torc_tests::blocks::blocks;
use torc_tests::outcome::Outcome;
use torc_tests::source::workspace;
use torc_tests::torc::Torc;

use crate::{torc, with_torc_in_path};

/// What shows a code, and what stands in its place so that it is told from all else on stdout.
const SHOWN: [&str; 2] = ["echo $?", "echo \"code $?\""];

/// Returns the scripts of the examples: those without and those with a torcd that runs.
fn examples() -> [String; 2] {
    let page = fs::read_to_string(workspace().join("docs/exit-codes.md")).unwrap();
    let all = blocks(&page).into_iter().map(|block| block.text);
    let scripts: Vec<_> = all.filter(|script| script.contains(SHOWN[0])).collect();
    scripts.try_into().unwrap_or_else(|scripts| panic!("these are the examples: {scripts:?}"))
}

/// Returns the codes that stand behind the lines.
fn said(script: &str) -> Vec<String> {
    let lines = script.lines().filter(|line| line.contains(SHOWN[0]));
    let comments = lines.map(|line| line.rsplit_once("# ").map_or("", |(_, comment)| comment));
    comments.map(|said| said.chars().take_while(char::is_ascii_digit).collect()).collect()
}

/// Runs a script and compares its codes with those that it says.
fn check(torc: &Torc, script: &str, whole: &str) {
    let whole = whole.replace(SHOWN[0], SHOWN[1]);
    let call = torc.program(Path::new("bash")).args(["-c", &whole]);
    let outcome: Outcome = with_torc_in_path(call, torc).run();
    let codes: Vec<_> =
        outcome.stdout.lines().filter_map(|line| line.strip_prefix("code ")).collect();
    assert_eq!(codes, said(script), "{outcome}");
}

#[test]
fn the_examples_without_a_torcd_end_as_the_page_says() {
    let [script, _] = examples();
    assert!(said(&script).len() >= 8, "{script}");
    check(&torc(), &script, &script);
}

#[test]
fn the_examples_with_a_torcd_end_as_the_page_says() {
    let [_, script] = examples();
    assert!(said(&script).len() >= 4, "{script}");
    let end = "kill $!; wait; torcctl daemon stop -q --grace 0s";
    check(&torc(), &script, &format!("torcctl daemon start -q\n{script}{end}\n"));
}
