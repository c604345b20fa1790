//! The options that the commands which run jobs have in common, in groups.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use torc_protocol::config::key::Key;
use torc_protocol::config::settings::Settings;
use torc_protocol::spec::{Capacity, RetryRule, RunOptions, StdioMode};
use torc_protocol::time::Timestamp;

use super::halt::HaltRule;
use super::time_limit::{EndTime, Reserve, time_limit};
use crate::error::CliError;
use crate::spec::duration::Duration;

/// How many jobs run at a time, and until when.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "The run")]
pub(crate) struct PaceArgs {
    /// Run at most so many jobs at a time, whatever their CPUs [env: TORC_MAX_PARALLEL_JOBS]
    /// [default: what the node has room for]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_parallel_jobs: Option<u32>,
    /// Give up when jobs fail: never, soon (start no more), or now (stop all as well)
    ///
    /// ,fail=N says how many have to fail, ,fail=N% which share of all; without, the first does it.
    #[arg(long, value_name = "WHEN[,fail=N|N%]", default_value = "never")]
    pub(crate) halt: HaltRule,
}

impl PaceArgs {
    /// Returns these, with what is set elsewhere where nothing is given.
    #[must_use]
    pub(crate) fn or_set(self, settings: &Settings) -> Self {
        let set = || u32::try_from(settings.number(Key::MaxParallelJobs)?).ok();
        Self { max_parallel_jobs: self.max_parallel_jobs.or_else(set), ..self }
    }
}

/// Returns the directory for files of output: the one that is given, else the one that is set.
pub(crate) fn output_dir(given: Option<PathBuf>, settings: &Settings) -> Option<PathBuf> {
    given.or_else(|| settings.path(Key::OutputDir).map(Path::to_owned))
}

/// What a run may take of the node, until when, and which jobs belong to it.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "The run")]
pub(crate) struct LimitArgs {
    /// Keep so many CPUs for this run [default: those of the node, shared with other workflows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) num_cpus: Option<u32>,
    /// Keep so much memory for it, in GiB
    #[arg(long, value_name = "GIB", value_parser = gibibytes)]
    pub(crate) memory_gb: Option<u64>,
    /// Keep so many GPUs for it
    #[arg(long, value_name = "N")]
    pub(crate) num_gpus: Option<u32>,
    /// Be over in this time (4h, 90m, PT4H)
    ///
    /// Jobs are told to end, and then killed, early enough for the record to be saved in time: 90
    /// and 60 seconds before the end, unless the workflow says otherwise; and never before three
    /// quarters of the time are over. A job whose expected runtime no longer fits is not started.
    #[arg(long, value_name = "TIME", conflicts_with = "end_time")]
    pub(crate) time_limit: Option<Duration>,
    /// Be over at this time: local (2026-03-01T18:00), with a zone (…Z, …+01:00), or in Unix seconds
    ///
    /// Where Slurm sets `SLURM_JOB_END_TIME`, that is the default, unless --time-limit is given;
    /// `none` switches it off.
    #[arg(long, value_name = "WHEN")]
    pub(crate) end_time: Option<EndTime>,
    /// Run only jobs whose labels are all among these [default: only those without labels]
    ///
    /// Jobs without labels do not run then.
    #[arg(long = "label", value_name = "A,B", value_delimiter = ',')]
    pub(crate) labels: Vec<String>,
}

impl LimitArgs {
    /// Returns how the workflow is run, now. `reserve` is what is kept free before the end.
    pub(crate) fn options(
        &self,
        pace: &PaceArgs,
        reserve: Reserve,
    ) -> Result<RunOptions, CliError> {
        let given = self.time_limit.map(|limit| limit.0);
        let mut labels = self.labels.clone();
        labels.retain(|label| !label.is_empty());
        labels.sort_unstable();
        labels.dedup();
        Ok(RunOptions {
            max_parallel_jobs: pace.max_parallel_jobs,
            capacity: Capacity { cpus: self.num_cpus, memory: self.memory_gb, gpus: self.num_gpus },
            labels,
            time_limit: time_limit(given, self.end_time, Timestamp::now(), reserve)?,
            halt: pace.halt.into(),
        })
    }
}

/// What is shown of the jobs, and whether they are waited for.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "The run")]
pub(crate) struct ShowArgs {
    /// Show what jobs write [env: TORC_PRINT] [default: none, but live for `exec -- CMD`]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) print: Option<Print>,
    /// With --print grouped: in the order of the input
    #[arg(long)]
    pub(crate) keep_order: bool,
    /// Submit to the torcd that is running, print the number of the workflow, and return
    #[arg(long, conflicts_with_all = ["standalone", "print", "keep_order"])]
    pub(crate) detach: bool,
}

/// Whether and how the output of jobs is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Print {
    /// As it comes
    Live,
    /// Whole, as jobs end
    Grouped,
    /// Not at all
    None,
}

/// What becomes of the output of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stdio {
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
    /// Thrown away
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

/// Returns the rules by which a job is tried again so many times, however it failed.
pub(crate) fn retry_any(retries: u32) -> Vec<RetryRule> {
    if retries == 0 {
        return Vec::new();
    }
    vec![RetryRule { any: true, max_retries: retries, ..RetryRule::default() }]
}

/// Returns the bytes of a number of GiB.
fn gibibytes(text: &str) -> Result<u64, String> {
    let gib: f64 = text.parse().map_err(|_| format!("'{text}' is no number of GiB"))?;
    let bytes = gib * f64::from(1 << 30);
    // SQLite keeps it as a signed number.
    if bytes >= 1.0 && bytes < i64::MAX as f64 {
        Ok(bytes as u64)
    } else {
        Err(format!("{text} GiB cannot be had"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_in_gibibytes() {
        assert_eq!(gibibytes("1.5"), Ok(3 << 29));
        for text in ["", "x", "-1", "0", "nan", "inf", "1e30"] {
            assert!(gibibytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_count_once_each_in_no_order() {
        let labels = ["b", "a", "", "b"].map(str::to_owned).to_vec();
        let limits = LimitArgs {
            labels,
            end_time: Some(EndTime::Never),
            num_cpus: Some(4),
            ..LimitArgs::default()
        };
        let options = limits.options(&PaceArgs::default(), Reserve::default()).unwrap();
        assert_eq!(options.labels, ["a", "b"]);
        assert_eq!(options.capacity.cpus, Some(4));
        assert_eq!(options.time_limit, None);
        assert_eq!(options.halt, None);
    }
}
