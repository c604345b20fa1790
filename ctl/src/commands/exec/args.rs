//! The command line of `exec`, in groups.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::commands::running::args::Stdio;
use crate::spec::duration::Duration;
use crate::spec::memory::Memory;

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

/// What the workflow is called, and where its output goes.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "The run")]
pub(super) struct WorkflowArgs {
    /// Name of the workflow [default: exec_ and the time; exec with --resume]
    #[arg(short, long)]
    pub(super) name: Option<String>,
    /// Free text about it
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<String>,
    /// Directory for files of output [env: TORC_EXEC_OUTPUT_DIR] [default: torc_output]
    #[arg(short, long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,
    /// Leave out the commands that completed in the last workflow of this name
    ///
    /// For each command the last workflow that has it decides.
    #[arg(long, conflicts_with_all = ["dry_run", "fresh"])]
    pub(super) resume: bool,
}

/// What holds for each job.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Each job")]
pub(super) struct JobArgs {
    /// Where output goes [env: TORC_STDIO] [default: capture in memory, separate on disk]
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
    /// Memory that it takes, and may take: it is killed when it takes more (512m, 2g, 1.5GiB)
    #[arg(long, value_name = "SIZE")]
    pub(super) memory: Option<Memory>,
    /// GPUs that it takes, for itself
    #[arg(long, value_name = "N", default_value_t)]
    pub(super) gpus: u32,
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
