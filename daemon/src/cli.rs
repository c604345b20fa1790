//! The command line of torcd.

mod log;
mod serve;
mod tell;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use torc_protocol::id::Generation;

use crate::cli::serve::Serve;
use crate::cli::tell::Which;
use crate::daemon;
use crate::{snapshot_writer, worker};

/// How a wrong command line ends.
const USAGE: u8 = 2;

/// Run jobs and keep the record of them
///
/// torcd keeps its database in memory or in a file, serves torcctl over a Unix socket, and brings
/// the database to disk by snapshots: on SIGUSR1, on request, on a timer, and before it ends.
#[derive(Debug, Parser)]
#[command(name = "torcd", version, args_conflicts_with_subcommands = true)]
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
}

/// Runs what the command line says, and returns the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.process {
        None => serve(&cli.serve),
        Some(Process::Worker { journal }) => done(worker::run(journal.as_deref())),
        Some(Process::SnapshotWriter { target, keep, generation }) => {
            done(snapshot_writer::run(snapshot_writer::Args { target, keep, generation }))
        }
        Some(Process::Snapshots { which }) => done(tell::tell(which)),
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

fn serve(args: &Serve) -> ExitCode {
    let started = log::start(&args.log)
        .and_then(|log| Ok((log, serve::config_of(args)?)))
        .and_then(|(log, config)| daemon::run(config, log));
    match started {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code)
        }
    }
}
