//! Commands × parameters = jobs, always in the same order.
//!
//! Command-major, and of the parameters the first is the slowest: `job7` is the same command every
//! time. Jobs are made one by one as they are asked for, so that millions of them need no memory.

use std::path::PathBuf;

use thiserror::Error;
use torc_protocol::spec::{Command, JobSpec};

use crate::spec::commands_file::{CommandsFile, CommandsFileError};
use crate::spec::parameter::{self, Parameter, ParameterError};
use crate::spec::quote::shell_line;
use crate::spec::template::{Template, TemplateError};
use crate::spec::value::Value;

/// More jobs than this are taken for a mistake.
pub const MAX_JOBS: u64 = 10_000_000;

/// Why commands cannot be expanded.
#[derive(Debug, Error)]
pub enum ExpansionError {
    /// There is nothing to run.
    #[error("nothing to run")]
    Nothing,
    /// A command is empty.
    #[error("command {0} is empty")]
    EmptyCommand(usize),
    /// A file of commands cannot be used.
    #[error(transparent)]
    File(#[from] CommandsFileError),
    /// A parameter cannot be used.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A placeholder in a command cannot be filled.
    #[error("cannot fill {error} (in the command: {command})")]
    Template {
        /// The command.
        command: String,
        /// What is wrong.
        error: TemplateError,
    },
    /// There would be too many jobs.
    #[error("this makes {0} jobs, and the limit is {MAX_JOBS}")]
    TooMany(u128),
}

/// How parameters combine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Linking {
    /// Every value with every other.
    #[default]
    Product,
    /// The first values, then the second ones, and so on.
    Zip,
}

/// What is to be expanded.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Commands; they come first.
    pub commands: Vec<String>,
    /// Files of commands; `-` is stdin.
    pub files: Vec<PathBuf>,
    /// A program and its arguments; they come last.
    pub argv: Vec<String>,
    /// Parameters, `NAME=VALUE`.
    pub parameters: Vec<String>,
    /// How they combine.
    pub linking: Linking,
}

/// Jobs that are known to be good, yet to be made.
#[derive(Clone, Debug)]
pub struct Expansion {
    sources: Vec<Source>,
    parameters: Vec<Parameter>,
    linking: Linking,
    combinations: u64,
    jobs: u64,
    unknown: Vec<String>,
}

#[derive(Clone, Debug)]
enum Source {
    Line(String),
    File(CommandsFile),
    Argv(Vec<String>),
}

#[derive(Clone, Copy, Debug)]
enum RawCommand<'a> {
    Line(&'a str),
    Argv(&'a [String]),
}

impl Expansion {
    /// Reads all that `input` names and checks it.
    ///
    /// # Errors
    ///
    /// When anything in it is wrong.
    pub fn new(input: Input) -> Result<Self, ExpansionError> {
        let parameters = parameter::parse_all(&input.parameters)?;
        let combinations = combinations(&parameters, input.linking)?;
        let mut sources = Vec::new();
        for (index, command) in input.commands.into_iter().enumerate() {
            if command.trim().is_empty() {
                return Err(ExpansionError::EmptyCommand(index + 1));
            }
            sources.push(Source::Line(command));
        }
        for file in &input.files {
            sources.push(Source::File(CommandsFile::read(file)?));
        }
        if !input.argv.is_empty() {
            sources.push(Source::Argv(input.argv));
        }
        let mut expansion = Self {
            sources,
            parameters,
            linking: input.linking,
            combinations: 0,
            jobs: 0,
            unknown: Vec::new(),
        };
        let commands = expansion.commands().count() as u64;
        if commands == 0 {
            return Err(ExpansionError::Nothing);
        }
        let jobs = combinations.saturating_mul(u128::from(commands));
        if jobs > u128::from(MAX_JOBS) {
            return Err(ExpansionError::TooMany(jobs));
        }
        expansion.jobs = jobs as u64;
        expansion.combinations = combinations as u64;
        expansion.unknown = expansion.check_placeholders()?;
        Ok(expansion)
    }

    /// Returns how many jobs there are; at least one.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.jobs
    }

    /// Returns whether there are none; always false.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs == 0
    }

    /// Returns the names in braces that are no parameters and stay as they are, each once.
    #[must_use]
    pub fn unknown_names(&self) -> &[String] {
        &self.unknown
    }

    /// Returns the jobs, `job1` first.
    pub fn jobs(&self, priority: i32) -> impl Iterator<Item = JobSpec> {
        let make = move |(index, command)| JobSpec {
            name: format!("job{}", index + 1),
            command,
            priority,
            ..JobSpec::default()
        };
        self.commands().flat_map(|command| self.expand(command)).enumerate().map(make)
    }

    fn commands(&self) -> impl Iterator<Item = RawCommand<'_>> {
        self.sources.iter().flat_map(|source| {
            let (one, many) = match source {
                Source::Line(line) => (Some(RawCommand::Line(line)), None),
                Source::Argv(argv) => (Some(RawCommand::Argv(argv)), None),
                Source::File(file) => (None, Some(file.commands().map(RawCommand::Line))),
            };
            one.into_iter().chain(many.into_iter().flatten())
        })
    }

    fn expand<'a>(&'a self, command: RawCommand<'a>) -> impl Iterator<Item = Command> + 'a {
        let words = self.templates(command, |_| {});
        (0..self.combinations).map(move |index| self.fill(command, &words, index))
    }

    /// Returns the templates of a command's words; none are needed without parameters.
    fn templates<'a>(
        &self,
        command: RawCommand<'a>,
        mut unknown: impl FnMut(&'a str),
    ) -> Vec<Template<'a>> {
        if self.parameters.is_empty() {
            return Vec::new();
        }
        let mut parse = |word: &'a str| Template::parse(word, &self.parameters, &mut unknown);
        match command {
            RawCommand::Line(line) => vec![parse(line)],
            RawCommand::Argv(argv) => argv.iter().map(|word| parse(word)).collect(),
        }
    }

    fn fill(&self, command: RawCommand<'_>, words: &[Template<'_>], index: u64) -> Command {
        if words.is_empty() {
            return match command {
                RawCommand::Line(line) => Command::Line(line.to_owned()),
                RawCommand::Argv(argv) => Command::Argv(argv.to_vec()),
            };
        }
        let values = self.values(index);
        let mut filled = words.iter().map(|word| word.fill(&values));
        match command {
            RawCommand::Line(_) => Command::Line(filled.collect()),
            RawCommand::Argv(_) => Command::Argv(filled.by_ref().collect()),
        }
    }

    fn values(&self, index: u64) -> Vec<Value<'_>> {
        let mut slower = index;
        let mut values: Vec<_> = self
            .parameters
            .iter()
            .rev()
            .map(|parameter| match self.linking {
                Linking::Zip => parameter.get(index),
                Linking::Product => {
                    let value = parameter.get(slower % parameter.len());
                    slower /= parameter.len();
                    value
                }
            })
            .collect();
        values.reverse();
        values
    }

    fn check_placeholders(&self) -> Result<Vec<String>, ExpansionError> {
        let mut unknown: Vec<String> = Vec::new();
        for command in self.commands() {
            let words = self.templates(command, |name| {
                if !unknown.iter().any(|known| known == name) {
                    unknown.push(name.to_owned());
                }
            });
            for word in &words {
                word.check(&self.parameters).map_err(|error| ExpansionError::Template {
                    command: text_of(command),
                    error,
                })?;
            }
        }
        Ok(unknown)
    }
}

fn text_of(command: RawCommand<'_>) -> String {
    match command {
        RawCommand::Line(line) => line.to_owned(),
        RawCommand::Argv(argv) => shell_line(argv),
    }
}

fn combinations(parameters: &[Parameter], linking: Linking) -> Result<u128, ParameterError> {
    let lengths = || parameters.iter().map(Parameter::len);
    match linking {
        Linking::Product => {
            Ok(lengths().fold(1, |product: u128, len| product.saturating_mul(len.into())))
        }
        Linking::Zip => {
            let first = lengths().next().unwrap_or(1);
            if lengths().all(|len| len == first) {
                return Ok(first.into());
            }
            let listed: Vec<_> = parameters
                .iter()
                .map(|parameter| format!("{} has {}", parameter.name, parameter.len()))
                .collect();
            Err(ParameterError::UnequalLengths(listed.join(", ")))
        }
    }
}

#[cfg(test)]
#[path = "expansion_tests.rs"]
mod tests;
