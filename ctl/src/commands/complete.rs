//! `torcctl complete`: candidates for the last of some words, for shells that can call a program.

use std::ffi::OsString;

use crate::completion;
use crate::error::CliError;
use crate::exit_code;

/// Print what may complete the last word of a command line, as JSON
#[derive(clap::Args, Debug)]
#[command(hide = true)]
pub struct Args {
    /// The line, from the program on; its last word may be empty
    #[arg(last = true, required = true, value_name = "WORD")]
    words: Vec<OsString>,
}

/// Runs it.
///
/// # Errors
///
/// None: who cannot be asked has nothing to offer.
pub fn run(args: Args) -> Result<u8, CliError> {
    completion::print_json(args.words);
    Ok(exit_code::DONE)
}
