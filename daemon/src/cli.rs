//! The command line of torcd.

mod daemonize;
mod log;
mod manual;
mod serve;
mod tell;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use torc_protocol::id::Generation;

use crate::cli::daemonize::Caller;
use crate::cli::serve::{Serve, Told};
use crate::cli::tell::Which;
use crate::daemon::{self, StartError, Surroundings};
use crate::lines::Lines;
use crate::notify::{Notifier, activation};
use crate::{snapshot_writer, worker};

/// The system refuses.
const FAILED: u8 = 1;
/// How a wrong command line ends.
const USAGE: u8 = 2;
/// How long whoever waits for us has to read why we end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Run jobs and keep the record of them
///
/// torcd keeps its database in memory or in a file, serves torcctl over a Unix socket, and brings
/// the database to disk by snapshots: on SIGUSR1, on request, on a timer, and before it ends.
#[derive(Debug, Parser)]
#[command(name = "torcd", version, args_conflicts_with_subcommands = true)]
#[command(after_help = manual::AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    process: Option<Process>,
    #[command(flatten)]
    serve: Serve,
}

/// The processes that torcd starts itself.
#[derive(Debug, Subcommand)]
enum Process {
    /// Run the jobs of a node; speaks frames over standard input and output
    #[command(hide = true)]
    Worker {
        /// Note each attempt here before it begins
        #[arg(long)]
        journal: Option<PathBuf>,
    },
    /// Bring a copy of a database from standard input to disk
    #[command(hide = true)]
    SnapshotWriter {
        #[arg(long)]
        target: PathBuf,
        #[arg(long)]
        keep: u32,
        #[arg(long)]
        generation: Generation,
    },
    /// Tell of snapshots, a line of JSON each
    #[command(hide = true)]
    Snapshots {
        #[command(subcommand)]
        which: Which,
    },
    /// Print the page of the manual
    #[command(hide = true)]
    Man {
        /// The day that it is of
        date: String,
    },
}

/// Runs what the command line says, and returns the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.process {
        None => serve(cli.serve),
        Some(Process::Worker { journal }) => done(worker::run(journal.as_deref())),
        Some(Process::SnapshotWriter { target, keep, generation }) => {
            done(snapshot_writer::run(snapshot_writer::Args { target, keep, generation }))
        }
        Some(Process::Snapshots { which }) => done(tell::tell(which)),
        Some(Process::Man { date }) => {
            let written = manual::write(Cli::command(), &date, &mut std::io::stdout());
            done(written.map_err(Into::into))
        }
    }
}

fn done(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: Serve) -> ExitCode {
    if flags.daemonize {
        return daemonize::start_and_wait();
    }
    let caller = match flags.detached.then(Caller::leave).transpose() {
        Ok(caller) => caller,
        Err(error) => return end_with(&error, None),
    };
    match run(flags, caller.as_ref()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => end_with(&error, caller.as_ref()),
    }
}

fn run(flags: Serve, caller: Option<&Caller>) -> Result<u8, StartError> {
    let private = flags.lifeline;
    // Whoever is private has its own way to be told of, and to tell.
    let is_supervised = !private && caller.is_none();
    let activated = if is_supervised { activation::activated()? } else { None };
    let told = Told::new(flags, activated.as_ref().map(|activated| activated.path.clone()));
    let config = told.config()?;
    let wanted = log::Wanted {
        level: config.log.clone(),
        file: config.log_file.clone(),
        private,
        caller: caller.map(|caller| caller.stderr.clone()),
    };
    let surroundings = Surroundings {
        begin_log: Box::new(move || log::begin(wanted)),
        tell: Arc::new(move || told.config()),
        stdout: stdout(caller)?,
        activated,
        notifier: if is_supervised { notifier() } else { Notifier::nobody() },
        unit: if is_supervised { activation::unit() } else { None },
    };
    daemon::run(config, surroundings)
}

/// Returns where programs that have started us read what we say. The journal is for people.
fn stdout(caller: Option<&Caller>) -> Result<Lines, StartError> {
    match caller {
        Some(caller) => Ok(caller.stdout.clone()),
        None if log::is_journal(std::io::stdout()) => Ok(Lines::nowhere()),
        None => {
            Lines::to(std::io::stdout(), "stdout").map_err(StartError::system("start a thread"))
        }
    }
}

/// A supervisor that is not there is no reason not to start: the variable may be left over.
fn notifier() -> Notifier {
    Notifier::from_environment().unwrap_or_else(|error| {
        eprintln!(
            "{}",
            log::last_words(&format!("nobody is told how torcd is: NOTIFY_SOCKET: {error}"))
        );
        Notifier::nobody()
    })
}

/// Says why we end, and returns how.
fn end_with(error: &StartError, caller: Option<&Caller>) -> ExitCode {
    match caller {
        Some(caller) => {
            caller.stderr.say(error.to_string());
            caller.stderr.flush(LAST_WORDS);
        }
        None => eprintln!("{}", log::last_words(&error.to_string())),
    }
    ExitCode::from(error.exit_code)
}
