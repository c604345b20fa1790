//! `torcctl completions`: scripts that complete our command line in a shell.

use std::io::Write;

use clap_complete::Shell;

use crate::error::CliError;
use crate::exit_code;

const EXAMPLES: &str = "\
Examples:
  source <(torcctl completions bash)                                  for this shell
  torcctl completions zsh > ~/.zfunc/_torcctl                         for every one, if in fpath
  torcctl completions fish > ~/.config/fish/completions/torcctl.fish";

/// Print the script that completes torcctl's command line in a shell
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs it, for the command line that is described by `command`.
///
/// # Errors
///
/// When it cannot be written.
pub fn run(mut command: clap::Command, args: &Args) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "torcctl", &mut script);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&script)?;
    stdout.flush()?;
    Ok(exit_code::DONE)
}
