//! `torcctl help`: the same as `--help`, in the order in which one thinks of it.

use clap::Command;

use crate::error::CliError;
use crate::exit_code;
use crate::mistakes;

const EXAMPLES: &str = "\
Examples:
  torcctl help
  torcctl help exec
  torcctl help jobs list";

/// Show the help of a command
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The command; without it, all commands are listed
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs it, for the command line that is described by `root`.
///
/// # Errors
///
/// When there is no such command, or it cannot be written.
pub fn run(mut root: Command, args: &Args) -> Result<u8, CliError> {
    root.build();
    let mut command = &root;
    for (at, word) in args.command.iter().enumerate() {
        command = command.find_subcommand(word).ok_or_else(|| {
            mistakes::unknown_command(&root, command, word, &args.command[at + 1..])
        })?;
    }
    command.clone().print_long_help()?;
    Ok(exit_code::DONE)
}
