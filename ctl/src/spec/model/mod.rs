//! A workflow file as it stands: its entries with their fields, each text with its place, nothing
//! expanded and no name looked up yet.

mod check;
mod entry;
mod read;

pub use read::read;

use super::complaint::Position;
use super::file::node::{Key, Node};
use super::resolved::{Execution, Handler, Resources, Stdio, Trigger};

/// A text and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where it begins.
    pub at: Position,
    /// The text.
    pub text: String,
}

/// A thing and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// Where it begins.
    pub at: Position,
    /// The thing.
    pub value: T,
}

/// A workflow file.
#[derive(Debug)]
pub struct Workflow {
    /// `name`.
    pub name: Text,
    /// `description`.
    pub description: Option<String>,
    /// `project`.
    pub project: Option<String>,
    /// `user`.
    pub user: Option<String>,
    /// `metadata`, as JSON text.
    pub metadata: Option<String>,
    /// `env`.
    pub environment: Vec<(Key, Text)>,
    /// `parameters`, for those who ask for them.
    pub parameters: Vec<(Key, Node)>,
    /// `parameters_file`, for those who ask for it.
    pub parameters_file: Option<Text>,
    /// `resource_requirements`.
    pub resources: Vec<Located<Resources>>,
    /// `failure_handlers`.
    pub handlers: Vec<Located<Handler>>,
    /// The names of `slurm_schedulers`.
    pub schedulers: Vec<Text>,
    /// `files`.
    pub files: Vec<FileTemplate>,
    /// `user_data`.
    pub user_data: Vec<UserDataTemplate>,
    /// `jobs`.
    pub jobs: Vec<JobTemplate>,
    /// `actions` that run commands.
    pub actions: Vec<ActionTemplate>,
    /// `execution_config`.
    pub execution: Execution,
    /// `execution_config.stdio`.
    pub stdio: Option<Stdio>,
    /// What is read and has no effect.
    pub no_effect: Vec<Located<String>>,
}

/// How often an entry is made, and with what.
#[derive(Clone, Debug, Default)]
pub struct Multiplier {
    /// `parameters`.
    pub parameters: Vec<(Key, Node)>,
    /// Whether `parameter_mode` is `zip`.
    pub zip: bool,
    /// `use_parameters`.
    pub use_parameters: Vec<Text>,
    /// `parameters_file`.
    pub file: Option<Text>,
    /// Where `use_parameters_file` asks for the table of the workflow.
    pub use_file: Option<Position>,
}

/// Names, and patterns for names.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// The names.
    pub names: Vec<Text>,
    /// The patterns.
    pub regexes: Vec<Text>,
}

/// An entry of `jobs`.
#[derive(Debug)]
pub struct JobTemplate {
    /// `name`.
    pub name: Text,
    /// `command`.
    pub command: Text,
    /// `priority`.
    pub priority: i32,
    /// `labels`.
    pub labels: Vec<Text>,
    /// `invocation_script`.
    pub invocation_script: Option<Text>,
    /// `env`.
    pub environment: Vec<(Key, Text)>,
    /// `resource_requirements`.
    pub resources: Option<Text>,
    /// `failure_handler`.
    pub handler: Option<Text>,
    /// `scheduler`.
    pub scheduler: Option<Text>,
    /// `cancel_on_blocking_job_failure`.
    pub cancel_on_blocking_job_failure: bool,
    /// `supports_termination`.
    pub supports_termination: Option<bool>,
    /// `depends_on`.
    pub depends_on: Links,
    /// `input_files`.
    pub inputs: Links,
    /// `output_files`.
    pub outputs: Links,
    /// `input_user_data`.
    pub input_user_data: Links,
    /// `output_user_data`.
    pub output_user_data: Links,
    /// `stdio`.
    pub stdio: Option<Stdio>,
    /// Its parameters.
    pub multiplier: Multiplier,
}

/// An entry of `files`.
#[derive(Debug)]
pub struct FileTemplate {
    /// `name`.
    pub name: Text,
    /// `path`.
    pub path: Text,
    /// `identifier`.
    pub identifier: Option<Text>,
    /// `st_mtime`.
    pub modified: Option<f64>,
    /// Its parameters.
    pub multiplier: Multiplier,
}

/// An entry of `user_data`.
#[derive(Debug)]
pub struct UserDataTemplate {
    /// `name`, or one that was made up.
    pub name: Text,
    /// `data`.
    pub data: Option<Node>,
    /// `is_ephemeral`.
    pub is_ephemeral: bool,
    /// Its parameters.
    pub multiplier: Multiplier,
}

/// An entry of `actions` that runs commands.
#[derive(Debug)]
pub struct ActionTemplate {
    /// Where it is.
    pub at: Position,
    /// `trigger_type`.
    pub trigger: Trigger,
    /// `commands`.
    pub commands: Vec<String>,
    /// `jobs` and `job_name_regexes`.
    pub jobs: Links,
    /// `persistent`.
    pub persistent: bool,
}
