//! The commands of `docs/tutorial.md`, as a newcomer types them, and what they print.

use std::fs;
use std::path::Path;

use torc_tests::blocks::blocks;
use torc_tests::source::workspace;
use torc_tests::torc::Torc;

use crate::{torc, with_torc_in_path};

/// Where the page has its commands typed.
const PLACE: &str = "/tmp/demo";

/// A command, and the lines that the page has for it.
struct Step {
    command: String,
    prints: Vec<String>,
}

/// Takes the commands of a block in which `$ ` stands before each.
fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step { command: command.to_owned(), prints: Vec::new() });
            }
            (None, Some(step)) => step.prints.push(line.to_owned()),
            (None, None) => panic!("the block does not begin with a command: {line}"),
        }
    }
    steps
}

/// Returns a line without what differs from run to run: numbers, units of time, and the room between
/// columns.
fn essence(line: &str) -> String {
    let mut essence = String::new();
    for letter in line.chars() {
        match letter {
            '0'..='9' if essence.ends_with('0') => {}
            '0'..='9' => essence.push('0'),
            letter => essence.push(letter),
        }
    }
    let words: Vec<_> = essence.split_whitespace().collect();
    words.join(" ").replace("0.0", "0").replace("0 ms", "0 s")
}

fn lines<'a>(text: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    text.into_iter().map(essence).collect()
}

/// Types a command into a shell, and returns what is then seen.
fn typed(torc: &Torc, command: &str) -> String {
    let script = format!("exec 2>&1\n{command}");
    let call = torc.program(Path::new("bash")).args(["-c", &script]);
    let seen = with_torc_in_path(call, torc).run().stdout;
    seen.replace(&*torc.work().to_string_lossy(), PLACE)
}

#[test]
fn the_tutorial_prints_what_it_says() {
    let page = fs::read_to_string(workspace().join("docs/tutorial.md")).unwrap();
    let torc = torc();
    let mut count = 0;
    for block in blocks(&page) {
        if let Some(name) = block.text.lines().next().and_then(|line| line.strip_prefix("name: ")) {
            torc.write(&format!("{name}.yaml"), &block.text);
        }
        if block.language != "text" {
            continue;
        }
        for step in steps(&block.text) {
            count += 1;
            let seen = typed(&torc, &step.command);
            let expected = lines(step.prints.iter().map(String::as_str));
            assert_eq!(lines(seen.lines()), expected, "{}:\n{seen}", step.command);
        }
    }
    assert!(count > 15, "only {count} commands are found");
}

#[test]
fn only_what_differs_from_run_to_run_is_left_out() {
    assert_eq!(essence(" 16  a_3   12.5 ms  8 MiB"), essence("1 a_44 0.3 s 9.1 MiB"));
    assert_ne!(essence("3 jobs completed"), essence("3 jobs: 2 completed"));
    assert_ne!(essence("job1 failed"), essence("job1 completed"));
}
