//! `torcctl jobs`: what a workflow consists of.

mod get;
mod list;
mod set_disabled;

use crate::context::Context;
use crate::error::CliError;

/// Show jobs, set them aside
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    List(list::List),
    Get(get::Get),
    Disable(set_disabled::Disable),
    Enable(set_disabled::Enable),
}

/// Runs it.
///
/// # Errors
///
/// When the job or workflow does not exist, or nobody can be asked.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    match args.verb {
        Verb::List(args) => list::run(ctx, args).await,
        Verb::Get(args) => get::run(ctx, &args).await,
        Verb::Disable(args) => set_disabled::run(ctx, &args.jobs, true).await,
        Verb::Enable(args) => set_disabled::run(ctx, &args.jobs, false).await,
    }
}
