//! The command line of `exec`, in groups.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use torc_protocol::spec::StdioMode;

use crate::spec::duration::Duration;

/// What to run.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What to run")]
pub(super) struct InputArgs {
    /// Run this command (can be repeated)
    #[arg(short = 'c', long = "command", value_name = "CMD")]
    pub(super) commands: Vec<String>,
    /// Run each line of this file; `-` is stdin (can be repeated)
    ///
    /// Blank lines and lines that begin with # are skipped. They come after the commands of -c.
    #[arg(short = 'C', long = "commands-file", value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Run every command once for each value, in place of {NAME} (can be repeated)
    ///
    /// VALUE is a range (1:10, 1:10:2, 0.1:0.5:0.1; both ends included), a list ([a,b,"c,d"]), a
    /// file with a value a line (@FILE), a 'literal' in quotes that is never parsed, or anything
    /// else as it stands. {NAME:03d} and {NAME:.2f} format numbers; {{ and }} are literal braces.
    /// Without any --param, all braces stay as they are.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(super) parameters: Vec<String>,
    /// How parameters combine
    #[arg(long, value_enum, default_value_t)]
    pub(super) link: Link,
    /// Words that belong to no option: always a mistake, which is explained
    #[arg(hide = true, value_name = "WORD")]
    pub(super) words: Vec<String>,
    /// Run this one command as it stands, without a shell
    #[arg(last = true, value_name = "CMD")]
    pub(super) argv: Vec<String>,
    /// Print the expanded workflow as JSON and start nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// How parameters combine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Link {
    /// Every value with every other, the first parameter slowest
    #[default]
    Product,
    /// The first values, then the second ones, and so on
    Zip,
}

/// What holds for the workflow as a whole.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "The run")]
pub(super) struct WorkflowArgs {
    /// Run at most so many jobs at a time, whatever --cpus says [default: the CPUs that may be used]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_parallel_jobs: Option<u32>,
    /// Name of the workflow [default: exec_ and the time]
    #[arg(short, long)]
    pub(super) name: Option<String>,
    /// Free text about it
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<String>,
    /// Directory for files of output [default: torc_output]
    #[arg(short, long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,
    /// Show what jobs write [default: live with --, else none]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(super) print: Option<Print>,
    /// With --print grouped: in the order of the input
    #[arg(long)]
    pub(super) keep_order: bool,
    /// Submit to the torcd that is running, print the number of the workflow, and return
    #[arg(long, conflicts_with_all = ["standalone", "print", "keep_order"])]
    pub(super) detach: bool,
}

/// Whether and how the output of jobs is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Print {
    /// As it comes
    Live,
    /// Whole, as jobs end
    Grouped,
    /// Not at all
    None,
}

/// What holds for each job.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Each job")]
pub(super) struct JobArgs {
    /// Where output goes [default: capture in memory, separate on disk]
    #[arg(long, value_enum, value_name = "MODE")]
    pub(super) stdio: Option<Stdio>,
    /// Try a failed job again, so many times
    #[arg(long, value_name = "N", default_value_t)]
    pub(super) retries: u32,
    /// Wait so long before each retry (10, 90s, 5m, PT5M)
    #[arg(long, value_name = "TIME")]
    pub(super) retry_delay: Option<Duration>,
    /// Stop a job that takes longer (90, 5m, 1h30m, PT5M)
    #[arg(long, value_name = "TIME")]
    pub(super) timeout: Option<Duration>,
    /// CPUs that it takes; counts without -j
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) cpus: u32,
    /// Add this to its environment (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) env: Vec<String>,
    /// Run it in this directory
    #[arg(long, value_name = "DIR")]
    pub(super) chdir: Option<PathBuf>,
    /// Jobs of higher priority start first
    #[arg(long, value_name = "N", default_value_t, allow_negative_numbers = true)]
    pub(super) priority: i32,
}

/// What becomes of the output of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Stdio {
    /// Kept in the database, what is over 1 MiB in a file
    Capture,
    /// In two files
    Separate,
    /// In one file
    Combined,
    /// In a file for stderr only
    NoStdout,
    /// In a file for stdout only
    NoStderr,
    /// Nowhere
    None,
}

impl From<Stdio> for StdioMode {
    fn from(stdio: Stdio) -> Self {
        match stdio {
            Stdio::Capture => Self::Capture,
            Stdio::Separate => Self::Separate,
            Stdio::Combined => Self::Combined,
            Stdio::NoStdout => Self::NoStdout,
            Stdio::NoStderr => Self::NoStderr,
            Stdio::None => Self::None,
        }
    }
}

/// Where the record of a private torcd is kept.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "The record (of a private torcd)")]
pub(super) struct RecordArgs {
    /// Keep the database in memory and snapshots of it at --db (this is the default)
    #[arg(long, conflicts_with = "on_disk")]
    pub(super) in_memory: bool,
    /// Keep the database itself at --db
    #[arg(long)]
    pub(super) on_disk: bool,
    /// Start with an empty database, and move the one that is there aside
    #[arg(long)]
    pub(super) fresh: bool,
    /// Take the database over from a torcd that has died on another host
    #[arg(long)]
    pub(super) steal: bool,
    /// Keep so many snapshots [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) snapshot_keep: Option<u32>,
    /// Take a snapshot every N seconds as well, when something has changed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) snapshot_interval_seconds: Option<u64>,
}

impl RecordArgs {
    /// Returns whether any of these was given, which makes sense for a private torcd only.
    pub(super) fn any(&self) -> bool {
        self.in_memory
            || self.on_disk
            || self.fresh
            || self.steal
            || self.snapshot_keep.is_some()
            || self.snapshot_interval_seconds.is_some()
    }
}
