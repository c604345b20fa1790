//! From the command line to what is submitted. Everything that can be wrong is found here, before
//! a torcd is started.

use std::fs;
use std::path::Path;

use torc_protocol::spec::{
    FileSpec, JobSettings, JobSpec, RunOptions, StdioMode, UserDataSpec, WorkflowSpec,
};
use torc_protocol::time::Timestamp;

use super::args::{InputArgs, JobArgs, Link, WorkflowArgs};
use crate::commands::running::args::{PaceArgs, retry_any};
use crate::commands::running::job_context::{directory, job_context, variables};
use crate::commands::running::submission::Submission;
use crate::error::CliError;
use crate::spec::commands_file::CommandsFileError;
use crate::spec::expansion::{Expansion, ExpansionError, Input, Linking};
use crate::spec::file::Format;
use crate::spec::parameter::ParameterError;
use crate::spec::quote::{shell_line, shell_word};
use crate::style;

/// What is to be submitted.
#[derive(Debug)]
pub(super) struct Plan {
    /// The head. Its one kind of job is complete but for the mode of its output.
    pub(super) spec: WorkflowSpec,
    /// The jobs.
    pub(super) jobs: Expansion,
    /// The priority of each.
    pub(super) priority: i32,
    /// Which of them are left out, by their place; of as many as there are jobs, or of none.
    pub(super) skipped: Vec<bool>,
    /// The mode of output that was asked for.
    pub(super) stdio: Option<StdioMode>,
}

impl Plan {
    /// Makes the plan. `commands.md`, section exec, is what it follows.
    pub(super) fn new(
        input: InputArgs,
        workflow: &WorkflowArgs,
        pace: &PaceArgs,
        job: &JobArgs,
    ) -> Result<Self, CliError> {
        check_words(&input)?;
        let settings = settings(job)?;
        let jobs = Expansion::new(Input {
            commands: input.commands,
            files: input.files,
            argv: input.argv,
            parameters: input.parameters,
            linking: match input.link {
                Link::Product => Linking::Product,
                Link::Zip => Linking::Zip,
            },
        })
        .map_err(explain)?;
        let spec = WorkflowSpec {
            name: workflow.name.clone().unwrap_or_else(|| default_name(workflow.resume)),
            description: workflow.description.clone(),
            context: job_context(workflow.output_dir.as_deref())?,
            settings: vec![settings],
            options: RunOptions {
                max_parallel_jobs: pace.max_parallel_jobs,
                halt: pace.halt.into(),
                ..RunOptions::default()
            },
            ..WorkflowSpec::default()
        };
        let stdio = job.stdio.map(Into::into);
        Ok(Self { spec, jobs, priority: job.priority, skipped: Vec::new(), stdio })
    }
}

impl Submission for Plan {
    fn spec(&self) -> &WorkflowSpec {
        &self.spec
    }

    fn set_stdio(&mut self, default: StdioMode) {
        for settings in &mut self.spec.settings {
            settings.stdio = self.stdio.unwrap_or(default);
        }
    }

    fn files(&self) -> impl Iterator<Item = FileSpec> {
        std::iter::empty()
    }

    fn user_data(&self) -> impl Iterator<Item = UserDataSpec> {
        std::iter::empty()
    }

    fn jobs(&self) -> impl Iterator<Item = JobSpec> {
        let skipped = |place: usize| self.skipped.get(place).copied().unwrap_or(false);
        let jobs = self.jobs.jobs(self.priority).enumerate();
        jobs.filter(move |(place, _)| !skipped(*place)).map(|(_, job)| job)
    }
}

fn check_words(input: &InputArgs) -> Result<(), CliError> {
    if let [first, ..] = input.words.as_slice() {
        return Err(stray_words(first, input));
    }
    let others = !input.commands.is_empty() || !input.files.is_empty();
    if !input.argv.is_empty() && others {
        return Err(CliError::usage("`-- CMD` cannot be used together with `-c` or `-C`")
            .hint(format!("give it as `-c {}`", shell_word(&shell_line(&input.argv)))));
    }
    Ok(())
}

fn stray_words(first: &str, input: &InputArgs) -> CliError {
    if Format::of(Path::new(first)).is_some() {
        let file = shell_word(first);
        return CliError::usage(format!("'{first}' is a workflow file, and `exec` takes commands"))
            .hint(format!("did you mean `torcctl run {file}`?"));
    }
    let words = shell_line(&input.words);
    let error = CliError::usage(format!("unexpected word '{first}'"));
    if let Some(command) = input.commands.last() {
        let whole = format!("{command} {words}");
        return error
            .hint(format!("a command is one word to the shell: `-c {}`", shell_word(&whole)));
    }
    if input.words.len() == 1 && Path::new(first).is_file() && !is_executable(first) {
        return error.hint(format!("did you mean `torcctl exec -C {words}`?"));
    }
    let argv =
        if input.argv.is_empty() { words } else { format!("{words} {}", shell_line(&input.argv)) };
    error.hint(format!("did you mean `torcctl exec -- {argv}`?"))
}

fn is_executable(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

fn explain(error: ExpansionError) -> CliError {
    let hint = match &error {
        ExpansionError::Nothing => {
            "give commands with `-c CMD`, `-C FILE` or `-- CMD ARG…`; `torcctl exec --help` has examples"
        }
        ExpansionError::EmptyCommand(_) => "remove it, or say what to run",
        ExpansionError::File(CommandsFileError::Terminal) => {
            "pipe commands into it, or name a file: `-C FILE`"
        }
        ExpansionError::File(CommandsFileError::Empty(_)) => {
            "write a command a line; lines that begin with # do not count"
        }
        ExpansionError::File(_) => "`-C` wants a text file with a command a line",
        ExpansionError::Parameter(ParameterError::UnequalLengths(_)) => {
            "give each as many values, or leave out `--link zip` for every value with every other"
        }
        ExpansionError::Parameter(_) => {
            "see `torcctl exec --help`, `--param`; quote a value that is not to be parsed: NAME=\"'VALUE'\""
        }
        ExpansionError::Template { .. } => {
            "formats are as in {i:03d}, {x:.2f}, {x:.3e}, {n:04x}; write {{ and }} for literal braces"
        }
        ExpansionError::TooMany(_) => "use smaller ranges, or several runs",
    };
    CliError::usage(error.to_string()).hint(hint)
}

fn settings(job: &JobArgs) -> Result<JobSettings, CliError> {
    let timeout = job.timeout.map(|duration| duration.0);
    if timeout.is_some_and(|span| span.0 == 0) {
        return Err(CliError::usage("a timeout of 0 would stop every job at once")
            .hint("leave `--timeout` out for no limit"));
    }
    Ok(JobSettings {
        retry: retry_any(job.retries),
        retry_delay: job.retry_delay.unwrap_or_default().0,
        timeout,
        cpus: job.cpus,
        memory: job.memory.map(|memory| memory.0),
        gpus: job.gpus,
        environment: variables(&job.env)?,
        working_dir: job.chdir.as_deref().map(directory).transpose()?,
        ..JobSettings::default()
    })
}

fn default_name(resume: bool) -> String {
    if resume {
        return "exec".to_owned();
    }
    format!("exec_{}", style::local_time(Timestamp::now()).replace(' ', "_").replace(':', "-"))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
