//! The composition root: builds everything from the bottom up, waits for the end, and takes it down
//! from the top.
//!
//! - `database`: finds the database a home; `adoption`: and what it begins with; `begun`: what the
//!   workers of dead daemons had begun.
//! - `build`: the parts, each with what it needs of those below.
//! - `reload`: the settings again, while it runs.
//! - `surroundings`: what it has of whoever started it.
//! - `waiting`: for the end of the jobs that run, where that is wished.
//! - `ending`: stop the jobs, save, say goodbye, close.

mod adoption;
mod begun;
mod build;
mod database;
mod ending;
mod reload;
mod start_error;
mod surroundings;
mod waiting;

use std::fs::File;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use torc_protocol::hello::PACKAGE_VERSION;
use torc_protocol::request::RunningJobs;
use torc_protocol::time::Span;

use crate::config::Config;
use crate::daemon::build::Core;
use crate::daemon::ending::End;
use crate::daemon::reload::Reloader;
use crate::daemon::start_error::FAILED;
use crate::daemon::surroundings::Voice;
use crate::daemon::waiting::Waiting;
use crate::handlers::shutdown::ShutdownRequest;
use crate::notify::activation::Activated;
use crate::server::socket::Listening;
use crate::signals::{HangUp, Signals, Wish};
use crate::sys;

pub use crate::daemon::start_error::StartError;
pub use crate::daemon::surroundings::{Log, LogPlace, Surroundings, Threshold};

/// The line on standard output by which whoever started us knows that we serve begins so.
pub const READY: &str = "TORCD_READY ";

/// The grace of jobs when whoever started us is gone, or the system asks us to end.
const END_GRACE: Span = Span(5_000_000);
/// A supervisor is asked to wait for so long at the most until the database is loaded.
const LOADING: Duration = Duration::from_secs(3_600);
/// How long lines have to get out at the very end.
const FLUSH: Duration = Duration::from_secs(2);

/// Runs a daemon until it is told to end, and returns its exit code.
///
/// # Errors
///
/// When it cannot start.
pub fn run(config: Config, surroundings: Surroundings) -> Result<u8, StartError> {
    sys::signals::survive_file_size_limit().map_err(StartError::system("ignore a signal"))?;
    sys::process::adopt_orphans().map_err(StartError::system("adopt orphans"))?;
    // All paths are absolute by now, and a file system must not stay mounted for our sake.
    std::env::set_current_dir("/").map_err(StartError::system("go to /"))?;
    let lifeline = if config.lifeline {
        Some(sys::inherited::take_stdin().map_err(StartError::system("take standard input"))?)
    } else {
        None
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::system("start the event loop"))?;
    let code = runtime.block_on(begin(config, surroundings, lifeline));
    // A thread that hangs on a dead file system must not keep us.
    runtime.shutdown_background();
    code
}

/// Takes the socket, and serves.
async fn begin(
    config: Config,
    surroundings: Surroundings,
    lifeline: Option<File>,
) -> Result<u8, StartError> {
    let Surroundings { begin_log, tell, stdout, activated, notifier, unit } = surroundings;
    // Before there is a socket by which we could be found: SIGUSR1 kills who does not expect it.
    let mut signals = Signals::install(HangUp::here(config.lifeline))
        .map_err(StartError::system("install signal handlers"))?;
    let listening = match activated {
        Some(Activated { listener, path }) => Listening::adopt(listener, &path)?,
        None => Listening::bind(&config.socket)?,
    };
    let mut lifeline = lifeline
        .map(pipe::Receiver::from_file)
        .transpose()
        .map_err(StartError::system("watch standard input (is it a pipe?)"))?;
    // It may be on a file system that takes its time.
    let more_time = notifier.extend(LOADING);
    let log = tokio::select! {
        log = tokio::task::spawn_blocking(begin_log) => {
            log.map_err(|error| StartError::new(FAILED, format!("starting failed: {error}")))??
        }
        () = unwanted(&mut signals, &mut lifeline) => {
            return Err(StartError::new(FAILED, "told to end before there was a log"));
        }
    };
    drop(more_time);
    let voice = Voice { log, stdout, notifier, unit };
    let (pid, socket) = (std::process::id(), config.socket.display());
    tracing::info!("torcd {PACKAGE_VERSION} begins: process {pid}, socket {socket}");
    let reloader = Reloader::new(tell, voice.log.threshold.clone(), config.clone());
    let ended = serve(config, listening, (signals, lifeline), reloader, &voice).await;
    match &ended {
        Ok(code) => tracing::info!("torcd ends with exit code {code}"),
        // Whoever reads standard error is told by our caller.
        Err(error) if matches!(voice.log.place, LogPlace::File(_)) => {
            voice.log.lines.say(error.to_string());
        }
        Err(_) => {}
    }
    voice.notifier.flush(FLUSH);
    voice.stdout.flush(FLUSH);
    voice.log.lines.flush(FLUSH);
    ended
}

async fn serve(
    config: Config,
    listening: Listening,
    (mut signals, mut lifeline): (Signals, Option<pipe::Receiver>),
    mut reloader: Reloader,
    voice: &Voice,
) -> Result<u8, StartError> {
    let begun = Instant::now();
    let loading = voice.notifier.extend(LOADING);
    voice.notifier.status(&format!("loading {}", config.database_place().display()));
    let opened = tokio::select! {
        opened = database::open(&config) => opened?,
        // The file system of the target may not answer, and there is nothing to save yet.
        () = unwanted(&mut signals, &mut lifeline) => {
            return Err(StartError::new(FAILED, "told to end before the database was loaded"));
        }
    };
    let (shutdown, mut shutdowns) = mpsc::unbounded_channel();
    let socket = config.socket.display().to_string();
    let (recover, taken) = (config.recover, opened.taken.newest);
    let mut built = build::build(config, opened, listening, shutdown, voice)?;
    drop(loading);
    voice.stdout.say(format!("{READY}socket={socket} pid={}", std::process::id()));
    let seconds = begun.elapsed().as_secs_f64();
    tracing::info!("the database is {}, loaded in {seconds:.3} s", built.database);
    if taken && !recover {
        // It is nowhere but here.
        built.core.trigger_snapshot();
    }
    let end = if recover {
        // All that is wanted comes at the end.
        End { grace: Some(END_GRACE), running: RunningJobs::Stop, clients: Vec::new() }
    } else {
        let outside = (&mut signals, &mut shutdowns, &mut lifeline);
        until_end(&mut built.core, outside, &mut reloader, voice).await
    };
    Ok(ending::end(built, end, &mut signals, &mut shutdowns).await)
}

/// All that can tell us to end.
type Outside<'a> = (
    &'a mut Signals,
    &'a mut mpsc::UnboundedReceiver<ShutdownRequest>,
    &'a mut Option<pipe::Receiver>,
);

/// Serves until the end is wished for, and returns how it is to be.
async fn until_end(
    core: &mut Core,
    (signals, shutdowns, lifeline): Outside<'_>,
    reloader: &mut Reloader,
    voice: &Voice,
) -> End {
    let mut waiting = Waiting::new(core.dispatcher());
    let asks = loop {
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::Snapshot => core.trigger_snapshot(),
                Wish::Finish => waiting.begin_for_good(),
                Wish::Reload => reload(reloader, voice),
                Wish::End => {
                    tracing::info!("a signal asks torcd to end");
                    break None;
                }
            },
            read = reloader.read() => {
                reloader.apply(read, core.writing.as_mut());
                voice.notifier.reloaded();
            }
            Some(request) = shutdowns.recv() => match request.running {
                RunningJobs::Wait => waiting.begin(request),
                RunningJobs::Stop | RunningJobs::Again => {
                    tracing::info!("a client asks torcd to end");
                    break Some(request);
                }
            },
            () = waiting.end() => {
                tracing::info!("torcd was to end when no job runs, and none does");
                break None;
            }
            () = core.lost() => {
                tracing::error!("the dispatcher has broken down, so torcd ends");
                break None;
            }
            () = cut(lifeline) => break None,
        }
    };
    let (grace, running) = match &asks {
        Some(request) => (request.grace, request.running),
        None => (Some(END_GRACE), RunningJobs::Stop),
    };
    End { grace, running, clients: waiting.into_clients().into_iter().chain(asks).collect() }
}

/// Begins anew what can be: the file of the log may have been moved away, those of the settings may
/// have changed.
fn reload(reloader: &mut Reloader, voice: &Voice) {
    voice.notifier.reloading();
    voice.log.lines.reopen();
    tracing::info!("the log is opened anew");
    reloader.begin();
}

/// Waits until we are told to end, before there is anything to end.
async fn unwanted(signals: &mut Signals, lifeline: &mut Option<pipe::Receiver>) {
    loop {
        tokio::select! {
            wish = signals.next() => if matches!(wish, Wish::End | Wish::Finish) {
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
