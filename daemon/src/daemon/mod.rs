//! The composition root: builds everything from the bottom up, waits for the end, and takes it down
//! from the top.
//!
//! - `database`: finds the database a home; `adoption`: and what it begins with; `begun`: what the
//!   workers of dead daemons had begun.
//! - `build`: the parts, each with what it needs of those below.
//! - `ending`: stop the jobs, save, say goodbye, close.

mod adoption;
mod begun;
mod build;
mod database;
mod ending;
mod start_error;

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use torc_protocol::time::Span;

use crate::config::Config;
use crate::daemon::ending::End;
use crate::daemon::start_error::FAILED;
use crate::lines::Lines;
use crate::server::Listening;
use crate::signals::{Signals, Wish};
use crate::sys;

pub use crate::daemon::start_error::StartError;

/// The grace of jobs when whoever started us is gone, or the system asks us to end.
const END_GRACE: Span = Span(5_000_000);
/// How long lines have to get out at the very end.
const FLUSH: Duration = Duration::from_secs(2);

/// Runs a daemon until it is told to end, and returns its exit code.
///
/// # Errors
///
/// When it cannot start.
pub fn run(config: Config, stderr: Lines) -> Result<u8, StartError> {
    sys::signals::survive_file_size_limit().map_err(StartError::system("ignore a signal"))?;
    sys::process::adopt_orphans().map_err(StartError::system("adopt orphans"))?;
    // All paths are absolute by now, and a file system must not stay mounted for our sake.
    std::env::set_current_dir("/").map_err(StartError::system("go to /"))?;
    let lifeline = if config.lifeline {
        Some(sys::process::take_stdin().map_err(StartError::system("take standard input"))?)
    } else {
        None
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::system("start the event loop"))?;
    let code = runtime.block_on(async {
        // Before there is a socket by which we could be found: SIGUSR1 kills who does not expect it.
        let signals = Signals::install().map_err(StartError::system("install signal handlers"))?;
        let listening = Listening::bind(&config.socket)?;
        let lifeline = lifeline
            .map(pipe::Receiver::from_file)
            .transpose()
            .map_err(StartError::system("watch standard input (is it a pipe?)"))?;
        serve(config, listening, signals, lifeline).await
    });
    stderr.flush(FLUSH);
    // A thread that hangs on a dead file system must not keep us.
    runtime.shutdown_background();
    code
}

async fn serve(
    config: Config,
    listening: Listening,
    mut signals: Signals,
    mut lifeline: Option<pipe::Receiver>,
) -> Result<u8, StartError> {
    let opened = tokio::select! {
        opened = database::open(&config) => opened?,
        // The file system of the target may not answer, and there is nothing to save yet.
        () = unwanted(&mut signals, &mut lifeline) => {
            return Err(StartError::new(FAILED, "told to end before the database was loaded"));
        }
    };
    let (shutdown, mut shutdowns) = mpsc::unbounded_channel();
    let stdout =
        Lines::to(std::io::stdout(), "stdout").map_err(StartError::system("start a thread"))?;
    let socket = config.socket.display().to_string();
    let (recover, taken) = (config.recover, opened.taken.newest);
    let mut built = build::build(config, opened, listening, shutdown, &stdout)?;
    stdout.say(format!("TORCD_READY socket={socket} pid={}", std::process::id()));
    if taken && !recover {
        // It is nowhere but here.
        built.core.trigger_snapshot();
    }
    let end = loop {
        if recover {
            // All that is wanted comes at the end.
            break End { grace: Some(END_GRACE), client: None };
        }
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::Snapshot => built.core.trigger_snapshot(),
                Wish::End => break End { grace: Some(END_GRACE), client: None },
            },
            Some(request) = shutdowns.recv() => {
                break End { grace: request.grace, client: Some(request) };
            }
            () = built.core.lost() => {
                tracing::error!("the dispatcher has broken down, so torcd ends");
                break End { grace: Some(END_GRACE), client: None };
            }
            () = cut(&mut lifeline) => break End { grace: Some(END_GRACE), client: None },
        }
    };
    let code = ending::end(built, end, &mut signals, &mut shutdowns).await;
    stdout.flush(FLUSH);
    Ok(code)
}

/// Waits until we are told to end, before there is anything to end.
async fn unwanted(signals: &mut Signals, lifeline: &mut Option<pipe::Receiver>) {
    loop {
        tokio::select! {
            wish = signals.next() => if wish == Wish::End {
                return;
            },
            () = cut(lifeline) => return,
        }
    }
}

/// Waits until whoever holds the other end of our standard input is gone.
async fn cut(lifeline: &mut Option<pipe::Receiver>) {
    match lifeline {
        Some(pipe) => while matches!(pipe.read(&mut [0; 64]).await, Ok(read) if read > 0) {},
        None => std::future::pending().await,
    }
}
