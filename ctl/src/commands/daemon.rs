//! `torcctl daemon`: the user's torcd, which lives on its own.

mod command_line;
mod environment;
mod foreign;
mod jobs;
mod log_files;
mod logs;
mod project;
mod restart;
mod start;
mod stop;

use crate::commands::{snapshot, status};
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::output::page::{check_format, write_json};
use crate::output::stdout::Stdout;

const EXAMPLES: &str = "\
Examples:
  torcctl daemon start                                   on disk
  torcctl daemon start --in-memory --snapshot runs.db --snapshot-interval-seconds 60
  torcctl daemon stop                                    jobs first, the final snapshot last
  torcctl daemon restart                                 after an update of torc
  torcctl daemon logs -f                                 what it says meanwhile";

/// Start, stop and look at the user's torcd
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    Start(start::StartArgs),
    Stop(stop::StopArgs),
    Restart(restart::RestartArgs),
    #[command(after_help = STATUS_EXAMPLES)]
    Status(status::Args),
    SocketPath(SocketPath),
    Logs(logs::LogsArgs),
}

const STATUS_EXAMPLES: &str = "\
Examples:
  torcctl daemon status
  torcctl daemon status --format json | jq .snapshot.last.path

Exit codes: 3 no torcd is running";

const SOCKET_EXAMPLES: &str = "\
Examples:
  export TORC_SOCKET=$(torcctl daemon socket-path)";

/// Print where the user's torcd listens, or would
#[derive(clap::Args, Debug)]
#[command(after_help = SOCKET_EXAMPLES)]
struct SocketPath {}

/// Runs it.
///
/// # Errors
///
/// When the torcd cannot be started or stopped, or its final snapshot is not on disk.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    let what = match args.verb {
        Verb::Start(_) | Verb::Restart(_) | Verb::Status(_) => status::NOUN,
        Verb::Stop(_) => snapshot::NOUN,
        Verb::SocketPath(_) => "a path",
        Verb::Logs(_) => "a log",
    };
    check_format(ctx.globals.format, what)?;
    match args.verb {
        Verb::Start(args) => start::run(ctx, args).await,
        Verb::Stop(args) => stop::run(ctx, &args).await,
        Verb::Restart(args) => restart::run(ctx, args).await,
        Verb::Status(args) => status::run(ctx, args).await,
        Verb::SocketPath(_) => socket_path(ctx),
        Verb::Logs(args) => logs::run(ctx, &args).await,
    }
}

fn socket_path(ctx: &Context) -> Result<u8, CliError> {
    let socket = ctx.socket()?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if stdout.format.is_for_programs() {
        write_json(stdout.format, "a path", &socket, stdout.open())?;
    } else {
        stdout.line(&socket.display().to_string())?;
    }
    Ok(exit_code::DONE)
}
