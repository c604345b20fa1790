//! The torcctl binary; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    torcctl::cli::main()
}
