//! What can be said of a workflow file on the command line.

use std::path::PathBuf;

use clap::Args;

use crate::commands::running::args::Stdio;
use crate::spec::duration::Duration;

/// What is not said, or said otherwise, in the file.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "The workflow file")]
pub(crate) struct FileArgs {
    /// Name of the workflow [default: that in the file]
    #[arg(short, long)]
    pub(crate) name: Option<String>,
    /// Free text about it [default: that in the file]
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Directory for files of output [env: TORC_EXEC_OUTPUT_DIR] [default: torc_output]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Where output goes, whatever the file says [default: capture in memory, separate on disk]
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) stdio: Option<Stdio>,
    /// Add this to the environment of every job (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Run everything in this directory, where relative paths of files begin, too
    #[arg(long, value_name = "DIR")]
    pub(crate) chdir: Option<PathBuf>,
    /// Stop a job that takes longer (90, 5m, 1h30m, PT5M)
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Duration>,
    /// Try a failed job that has no failure handler again, so many times
    #[arg(long, value_name = "N", default_value_t)]
    pub(crate) retries: u32,
    /// Wait so long before each retry (10, 90s, 5m, PT5M)
    #[arg(long, value_name = "TIME")]
    pub(crate) retry_delay: Option<Duration>,
}

impl FileArgs {
    /// Returns the first option that was given: in a workflow that was submitted it is settled.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.name.is_some(), "--name"),
            (self.description.is_some(), "--description"),
            (self.output_dir.is_some(), "--output-dir"),
            (self.stdio.is_some(), "--stdio"),
            (!self.env.is_empty(), "--env"),
            (self.chdir.is_some(), "--chdir"),
            (self.timeout.is_some(), "--timeout"),
            (self.retries > 0, "--retries"),
            (self.retry_delay.is_some(), "--retry-delay"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, option)| option)
    }
}
