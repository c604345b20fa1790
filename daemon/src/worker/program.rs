//! What a process executes.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use torc_protocol::spec::Command;
use torc_protocol::worker::StartJob;

use super::command_line::{self, Plan};
use super::environment::{Environment, c_string};

/// A program with its arguments.
pub(super) struct Program {
    /// The files that it may be, tried in this order.
    pub(super) candidates: Vec<CString>,
    /// Its arguments, its own name first.
    pub(super) arguments: Vec<CString>,
}

/// What is executed.
pub(super) struct Choice {
    pub(super) program: Program,
    /// What is executed instead when that is not found: with a `BASH_ENV`, a shell may know the
    /// command as a function.
    pub(super) fallback: Option<Program>,
}

impl Choice {
    /// Returns what a job executes.
    ///
    /// # Errors
    ///
    /// The text says why the command cannot be executed at all.
    pub(super) fn of_job(job: &StartJob, environment: &Environment) -> Result<Self, String> {
        let script = job.extra.as_ref().and_then(|extra| extra.invocation_script.as_deref());
        match (script, &job.command) {
            (None, Command::Line(line)) => Self::of_line(line, environment),
            (None, Command::Argv(words)) => {
                Ok(Self { program: direct(words, environment)?, fallback: None })
            }
            (Some(script), Command::Line(line)) => {
                Self::of_line(&format!("{script} {line}"), environment)
            }
            (Some(script), Command::Argv(words)) => {
                Self::of_line(&format!("{script} {}", command_line::join(words)), environment)
            }
        }
    }

    /// Returns what a command line executes.
    ///
    /// # Errors
    ///
    /// As [`Choice::of_job`].
    pub(super) fn of_line(line: &str, environment: &Environment) -> Result<Self, String> {
        let plan = command_line::plan(line, |name| environment.has_function(name));
        let Plan::Direct(words) = plan else {
            return Ok(Self { program: shell(line, environment)?, fallback: None });
        };
        let program = direct(&words, environment)?;
        let fallback = environment.has_bash_env.then(|| shell(line, environment)).transpose()?;
        Ok(Self { program, fallback })
    }
}

fn direct(words: &[String], environment: &Environment) -> Result<Program, String> {
    let name = words.first().filter(|name| !name.is_empty()).ok_or("the command is empty")?;
    let candidates = environment.candidates(name.as_bytes());
    let c_strings = |strings: Vec<Vec<u8>>| -> Result<Vec<CString>, String> {
        strings.into_iter().map(|string| c_string(string, "the command")).collect()
    };
    Ok(Program {
        candidates: c_strings(candidates)?,
        arguments: c_strings(words.iter().map(|word| word.clone().into_bytes()).collect())?,
    })
}

fn shell(line: &str, environment: &Environment) -> Result<Program, String> {
    let shell = environment.shell();
    let name = shell.file_name().unwrap_or(shell.as_os_str()).as_bytes();
    let line = c_string(line.as_bytes().to_vec(), "the command")?;
    Ok(Program {
        candidates: vec![c_string(shell.as_os_str().as_bytes().to_vec(), "the path of the shell")?],
        arguments: vec![c_string(name.to_vec(), "the name of the shell")?, c"-c".to_owned(), line],
    })
}
