//! From the command line to what is submitted. Everything that can be wrong is found here, before
//! a torcd is started.

use std::env;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path, PathBuf};

use bytes::Bytes;
use torc_protocol::paths;
use torc_protocol::spec::{Environment, JobContext, JobSettings, StdioMode, WorkflowSpec};
use torc_protocol::time::Timestamp;

use super::args::{InputArgs, JobArgs, Link, WorkflowArgs};
use crate::error::{CliError, ErrorKind};
use crate::spec::commands_file::CommandsFileError;
use crate::spec::expansion::{Expansion, ExpansionError, Input, Linking};
use crate::spec::parameter::ParameterError;
use crate::spec::quote::{shell_line, shell_word};
use crate::style;

/// Endings of workflow files.
const WORKFLOW_FILES: &[&str] = &["yaml", "yml", "json", "json5", "kdl"];

/// What is to be submitted.
#[derive(Debug)]
pub(super) struct Plan {
    /// The head. Its one kind of job is complete but for the mode of its output.
    pub(super) spec: WorkflowSpec,
    /// The jobs.
    pub(super) jobs: Expansion,
    /// The priority of each.
    pub(super) priority: i32,
    /// The mode of output that was asked for.
    pub(super) stdio: Option<StdioMode>,
}

impl Plan {
    /// Makes the plan. `commands.md`, section exec, is what it follows.
    pub(super) fn new(
        input: InputArgs,
        workflow: &WorkflowArgs,
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
            name: workflow.name.clone().unwrap_or_else(default_name),
            description: workflow.description.clone(),
            context: context(workflow)?,
            settings: vec![settings],
            max_parallel_jobs: workflow.max_parallel_jobs,
        };
        Ok(Self { spec, jobs, priority: job.priority, stdio: job.stdio.map(Into::into) })
    }

    /// Settles where output goes: as asked for, else `default`.
    pub(super) fn set_stdio(&mut self, default: StdioMode) {
        for settings in &mut self.spec.settings {
            settings.stdio = self.stdio.unwrap_or(default);
        }
    }

    /// Returns whether jobs have files in the output directory whatever they write.
    pub(super) fn writes_files(&self) -> bool {
        self.spec.settings.iter().any(|settings| match settings.stdio {
            StdioMode::Capture | StdioMode::None => false,
            StdioMode::Separate
            | StdioMode::Combined
            | StdioMode::NoStdout
            | StdioMode::NoStderr => true,
        })
    }

    /// Makes the output directory, so that one that cannot be made is found before jobs run.
    pub(super) fn make_output_dir(&self) -> Result<(), CliError> {
        let dir = &self.spec.context.output_dir;
        fs::create_dir_all(dir).map_err(|error| {
            CliError::usage(format!("cannot make the output directory {dir}: {error}"))
                .hint("name another one with `--output-dir DIR`")
        })
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
    let extension = Path::new(first).extension().and_then(|extension| extension.to_str());
    if extension.is_some_and(|extension| WORKFLOW_FILES.contains(&extension)) {
        return CliError::usage(format!("'{first}' is a workflow file, and `exec` takes commands"))
            .hint(
                "workflow files cannot be run yet; `-C FILE` takes a file with a command a line",
            );
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
        retries: job.retries,
        retry_delay: job.retry_delay.unwrap_or_default().0,
        timeout,
        cpus: job.cpus,
        environment: job.env.iter().map(|text| variable(text)).collect::<Result<_, _>>()?,
        working_dir: job.chdir.as_deref().map(chdir).transpose()?,
        ..JobSettings::default()
    })
}

fn variable(text: &str) -> Result<(String, String), CliError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(CliError::usage(format!("'{text}' is no environment variable"))
            .hint("write `--env NAME=VALUE`")),
    }
}

fn chdir(dir: &Path) -> Result<String, CliError> {
    match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => utf8(dir),
        Ok(_) => Err(CliError::usage(format!("{} is not a directory", dir.display()))
            .hint("name one with `--chdir DIR`")),
        Err(error) => Err(CliError::usage(format!("cannot run in {}: {error}", dir.display()))
            .hint("name another directory with `--chdir DIR`")),
    }
}

fn context(workflow: &WorkflowArgs) -> Result<JobContext, CliError> {
    let working_dir = env::current_dir().map_err(|error| {
        CliError::usage(format!("the working directory cannot be used: {error}"))
            .hint("go to one that exists")
    })?;
    let output_dir = workflow.output_dir.as_deref().unwrap_or(Path::new(paths::OUTPUT_DIR));
    Ok(JobContext {
        environment: environment(),
        working_dir: utf8(&working_dir)?,
        output_dir: utf8(&absolute(output_dir)?)?,
    })
}

/// Returns `path` as it is from the root, without looking at the disk.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    path::absolute(path).map_err(|error| {
        CliError::new(ErrorKind::Usage, format!("cannot use {}: {error}", path.display()))
            .hint("name a path that is not empty")
    })
}

fn utf8(path: &Path) -> Result<String, CliError> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        CliError::usage(format!("the path {} is not valid UTF-8", path.display()))
            .hint("rename it, or use another directory")
    })
}

fn environment() -> Environment {
    let mut block = Vec::with_capacity(4096);
    for (name, value) in env::vars_os() {
        block.extend_from_slice(name.as_bytes());
        block.push(b'=');
        block.extend_from_slice(value.as_bytes());
        block.push(0);
    }
    Environment(Bytes::from(block))
}

fn default_name() -> String {
    format!("exec_{}", style::local_time(Timestamp::now()).replace(' ', "_").replace(':', "-"))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
