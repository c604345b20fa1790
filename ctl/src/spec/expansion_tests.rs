use super::*;

fn input(commands: &[&str], parameters: &[&str]) -> Input {
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Input { commands: own(commands), parameters: own(parameters), ..Input::default() }
}

fn zip(parameters: &[&str]) -> Input {
    Input { linking: Linking::Zip, ..input(&["{a}{b}"], parameters) }
}

fn lines(input: Input) -> Vec<String> {
    let expansion = Expansion::new(input).unwrap();
    let lines: Vec<_> = expansion
        .jobs(0)
        .map(|job| match job.command {
            Command::Line(line) => format!("{}: {line}", job.name),
            Command::Argv(argv) => format!("{}: {argv:?}", job.name),
        })
        .collect();
    assert_eq!(lines.len() as u64, expansion.len());
    lines
}

fn error(input: Input) -> String {
    Expansion::new(input).unwrap_err().to_string()
}

#[test]
fn the_first_parameter_is_the_slowest_and_commands_are_slower_still() {
    let jobs = lines(input(&["x {a}{b}", "y {b}"], &["a=1:2", "b=[u,v]"]));
    let expected = [
        "job1: x 1u",
        "job2: x 1v",
        "job3: x 2u",
        "job4: x 2v",
        "job5: y u",
        "job6: y v",
        "job7: y u",
        "job8: y v",
    ];
    assert_eq!(jobs, expected);
}

#[test]
fn zip_goes_side_by_side() {
    assert_eq!(lines(zip(&["a=1:3", "b=[x,y,z]"])), ["job1: 1x", "job2: 2y", "job3: 3z"]);
}

#[test]
fn zip_of_unequal_lengths_names_them() {
    let message = error(zip(&["a=1:3", "b=[x,y]"]));
    assert_eq!(message, "cannot zip parameters of unequal lengths: a has 3, b has 2");
}

#[test]
fn files_come_after_commands_and_words_stay_apart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cmds");
    std::fs::write(&file, "# x\nthree\n\nfour\n").unwrap();
    let both = Input { files: vec![file], ..input(&["one", "two"], &[]) };
    assert_eq!(lines(both), ["job1: one", "job2: two", "job3: three", "job4: four"]);
    let argv = ["echo", "{i} x"].map(str::to_owned).to_vec();
    let words = Input { argv, ..input(&[], &["i=1:2"]) };
    assert_eq!(lines(words), [r#"job1: ["echo", "1 x"]"#, r#"job2: ["echo", "2 x"]"#]);
}

#[test]
fn without_parameters_commands_are_left_alone() {
    let text = r#"echo '{"a":{"b":1}}' {{x}} {i}"#;
    let expansion = Expansion::new(input(&[text], &[])).unwrap();
    assert_eq!(expansion.jobs(0).next().unwrap().command, Command::Line(text.to_owned()));
    assert!(expansion.unknown_names().is_empty());
}

#[test]
fn unknown_names_are_collected_once() {
    let expansion = Expansion::new(input(&["{j} {i}", "{j} {k}"], &["i=1:3"])).unwrap();
    assert_eq!(expansion.unknown_names(), ["j", "k"]);
}

#[test]
fn mistakes_are_found_before_any_job_is_made() {
    assert_eq!(error(input(&[], &[])), "nothing to run");
    assert_eq!(error(input(&["x", " "], &[])), "command 2 is empty");
    assert_eq!(
        error(input(&["sim {i:q}"], &["i=1:3"])),
        "cannot fill {i:q}: 'q' is no format (in the command: sim {i:q})"
    );
    assert_eq!(
        error(input(&["x {a}{b}"], &["a=1:10000", "b=1:10000"])),
        "this makes 100000000 jobs, and the limit is 10000000"
    );
}

#[test]
fn priority_is_that_of_every_job() {
    let expansion = Expansion::new(input(&["x", "y"], &[])).unwrap();
    assert!(expansion.jobs(-3).all(|job| job.priority == -3 && job.settings == 0));
}
