//! `torcctl daemon`: the user's torcd, which lives on its own.

mod start;
mod stop;

use crate::client::{Client, Peer};
use crate::commands::{snapshot, status};
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::page::{check_format, write_json};
use crate::output::stdout::Stdout;

const EXAMPLES: &str = "\
Examples:
  torcctl daemon start                                   on disk
  torcctl daemon start --in-memory --snapshot runs.db --snapshot-interval-seconds 60
  torcctl daemon stop                                    jobs first, the final snapshot last";

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
    Restart(Restart),
    #[command(after_help = STATUS_EXAMPLES)]
    Status(status::Args),
    SocketPath(SocketPath),
    #[command(hide = true)]
    Detached(start::Detached),
}

const STATUS_EXAMPLES: &str = "\
Examples:
  torcctl daemon status
  torcctl daemon status --format json | jq .snapshot.last.path

Exit codes: 3 no torcd is running";

const RESTART_EXAMPLES: &str = "\
Examples:
  torcctl daemon restart                after an update of torc
  torcctl daemon restart --in-memory    from disk to memory";

/// Stop the user's torcd, and start it again where it was
///
/// Jobs that run are stopped and recorded as terminated; those that wait start afterwards. What is
/// not said anew stays: the place of its database and of its snapshots, and how many of these are
/// kept. The interval of snapshots, and what is said of the final one, have to be given again.
#[derive(clap::Args, Debug)]
#[command(after_help = RESTART_EXAMPLES)]
struct Restart {
    #[command(flatten)]
    stop: stop::StopArgs,
    #[command(flatten)]
    start: start::StartArgs,
}

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
        Verb::SocketPath(_) | Verb::Detached(_) => "a path",
    };
    check_format(ctx.globals.format, what)?;
    match args.verb {
        Verb::Start(args) => start::run(ctx, args).await,
        Verb::Stop(args) => stop::run(ctx, &args).await,
        Verb::Restart(args) => restart(ctx, args).await,
        Verb::Status(args) => status::run(ctx, args).await,
        Verb::SocketPath(_) => socket_path(ctx),
        Verb::Detached(args) => start::become_torcd(&args),
    }
}

/// A final snapshot that failed ends the restart: the next torcd would begin without what it holds.
/// A torcd that cannot be asked where its database is goes on: the next one would look elsewhere.
async fn restart(ctx: &Context, args: Restart) -> Result<u8, CliError> {
    let socket = ctx.socket()?;
    let peer = Client::knock(&socket).await?;
    if let Peer::Foreign(error) = peer {
        return Err(CliError { kind: ErrorKind::Refused, ..error });
    }
    let before = stop::stop(ctx, peer, &socket, &args.stop).await?;
    let mut start = args.start;
    if let stop::Stopped::Asked { status, outcome } = before {
        if let (Some(sentence), false) = (outcome.sentence(), ctx.globals.quiet) {
            eprintln!("{sentence}");
        }
        outcome.check()?;
        start.inherit(ctx, &status);
    }
    start::run(ctx, start).await
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
