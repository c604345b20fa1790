//! `torcctl service`: torcd as a service of its user, run by systemd.
//!
//! - `unit`: the text of the units; `place`: their files; `systemd`: who runs them.
//! - `install`, `uninstall`, `print`: one verb each.

mod install;
mod place;
mod print;
pub(super) mod systemd;
mod uninstall;
pub(super) mod unit;

use crate::context::Context;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  torcctl service install        torcd starts when it is needed, and again when it fails
  systemctl --user status torcd
  torcctl daemon logs -f";

/// Let systemd run the user's torcd
///
/// The first connection starts it. What it does is said in torc.toml, for systemd gives it no
/// options.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    Install(install::InstallArgs),
    Uninstall(uninstall::UninstallArgs),
    Print(print::PrintArgs),
}

/// Runs it.
///
/// # Errors
///
/// When there is no systemd that runs services of users, when it refuses, or when a unit that we did
/// not write is in the way.
pub async fn run(ctx: &Context, args: Args) -> Result<u8, CliError> {
    match args.verb {
        Verb::Install(args) => install::run(ctx, &args).await,
        Verb::Uninstall(args) => uninstall::run(ctx, &args).await,
        Verb::Print(args) => print::run(ctx, &args),
    }
}
