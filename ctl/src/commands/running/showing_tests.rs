use clap::Parser;

use super::*;
use crate::context::Globals;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    globals: Globals,
    #[command(flatten)]
    show: ShowArgs,
    /// What `exec -- CMD` has.
    #[arg(last = true)]
    argv: Vec<String>,
}

fn print(line: &[&str]) -> Result<Print, CliError> {
    let line = Line::try_parse_from(std::iter::once(&"exec").chain(line)).unwrap();
    let single = !line.argv.is_empty();
    Show::new(&Context::new(line.globals), &line.show, "exec", single).map(|show| show.print)
}

#[test]
fn a_single_command_is_shown_live_and_many_are_not() {
    assert_eq!(print(&["--", "true"]).unwrap(), Print::Live);
    assert_eq!(print(&[]).unwrap(), Print::None);
    assert_eq!(print(&["--print", "none", "--", "true"]).unwrap(), Print::None);
    assert_eq!(print(&["--keep-order"]).unwrap(), Print::Grouped);
}

#[test]
fn stdout_belongs_to_one_of_jobs_and_programs() {
    assert_eq!(print(&["--format", "json", "--", "true"]).unwrap(), Print::None);
    let refused: [&[&str]; 4] = [
        &["--format", "ndjson", "--print", "live"],
        &["--format", "csv", "--print", "none"],
        &["--format", "csv"],
        &["--keep-order", "--print", "live"],
    ];
    for line in refused {
        let error = print(line).unwrap_err();
        assert_eq!(error.exit_code(), crate::exit_code::USAGE, "{line:?}");
    }
}
