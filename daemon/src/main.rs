//! torcd.

use std::process::ExitCode;

fn main() -> ExitCode {
    torcd::cli::main()
}
