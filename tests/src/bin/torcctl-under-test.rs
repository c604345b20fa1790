//! torcctl, for the tests of this package: cargo tells a test only of the binaries of its own
//! package.

use std::process::ExitCode;

fn main() -> ExitCode {
    torcctl::cli::main()
}
