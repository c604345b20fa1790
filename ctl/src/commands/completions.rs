//! `torcctl completions`: scripts that complete our command line in a shell.

use std::io::Write;

use crate::completion::Shell;
use crate::error::CliError;
use crate::exit_code;

const EXAMPLES: &str = "\
Examples:
  source <(torcctl completions bash)                    in ~/.bashrc
  source <(torcctl completions zsh)                     in ~/.zshrc, after compinit
  torcctl completions fish > ~/.config/fish/completions/torcctl.fish
  torcctl completions nushell > ~/.config/nushell/torcctl.nu

The script asks torcctl at each completion, and that asks the torcd that runs, or reads the file that
`--db` names: workflows, jobs and files are completed by name. It takes at most 0.4 s, and offers less
when torcd does not answer in time; TORC_COMPLETE_MS sets another limit.";

/// Print the script that completes torcctl's command line in a shell
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs it.
///
/// # Errors
///
/// When it cannot be written.
pub fn run(args: &Args) -> Result<u8, CliError> {
    let script = args.shell.script("torcctl")?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(script.as_bytes())?;
    stdout.flush()?;
    Ok(exit_code::DONE)
}
