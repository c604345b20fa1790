use clap::Parser;

use super::*;
use crate::context::Globals;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    globals: Globals,
    #[command(flatten)]
    args: Args,
}

fn print(line: &[&str]) -> Result<Print, CliError> {
    let line = Line::try_parse_from(std::iter::once(&"exec").chain(line)).unwrap();
    print_mode(&Context::new(line.globals), &line.args)
}

#[test]
fn a_single_command_is_shown_live_and_many_are_not() {
    assert_eq!(print(&["--", "true"]).unwrap(), Print::Live);
    assert_eq!(print(&["-c", "true"]).unwrap(), Print::None);
    assert_eq!(print(&["--print", "none", "--", "true"]).unwrap(), Print::None);
    assert_eq!(print(&["--keep-order", "-c", "true"]).unwrap(), Print::Grouped);
}

#[test]
fn stdout_belongs_to_one_of_jobs_and_programs() {
    assert_eq!(print(&["--format", "json", "--", "true"]).unwrap(), Print::None);
    let refused: [&[&str]; 4] = [
        &["--format", "ndjson", "--print", "live", "-c", "x"],
        &["--format", "csv", "--print", "none", "-c", "x"],
        &["--format", "csv", "-c", "x"],
        &["--keep-order", "--print", "live", "-c", "x"],
    ];
    for line in refused {
        let error = print(line).unwrap_err();
        assert_eq!(error.exit_code(), crate::exit_code::USAGE, "{line:?}");
    }
}
