//! What may be submitted.
//!
//! What is let in here can be recorded, fits into the frames that bring it to a worker and to those
//! who list it, and can start some day.

use torc_protocol::request::{Submit, SubmitFiles};
use torc_protocol::response::{ErrorCode, RequestError};
use torc_protocol::spec::{Command, Environment, JobSettings, JobSpec, RunOptions, WorkflowSpec};
use torc_protocol::time::{Span, Timestamp};

use crate::dispatcher::{Dispatcher, activation};
use crate::engine::resources::{Resource, Shortage};

/// The longest name in bytes, and the longest path.
const MAX_NAME: usize = 4_096;
/// The longest description in bytes.
const MAX_DESCRIPTION: usize = 1024 * 1024;
/// The longest command in bytes: more than systems take unless their limits are raised. Quoted for
/// people it is four times as long at worst, which still fits into a frame.
const MAX_COMMAND: usize = 2 * 1024 * 1024;
/// The largest environment in bytes, of a workflow or added to it by settings.
const MAX_ENVIRONMENT: usize = 6 * 1024 * 1024;
/// The largest list of files of a job in bytes.
const MAX_PATHS: usize = 8 * 1024 * 1024;
/// The longest list of labels in bytes.
const MAX_LABELS: usize = 64 * 1024;
/// What decoding counts for the length of a text, or for a number.
const ENTRY: usize = 8;
/// The largest number of GPUs.
const MAX_GPUS: u32 = 4_096;
/// The largest memory in bytes, an exbibyte.
const MAX_MEMORY: u64 = 1 << 60;
/// The longest time that can be recorded.
const MAX_SPAN: Span = Span(i64::MAX as u64);

/// What a submission has sent so far, that its jobs may name by its place.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) settings: usize,
    pub(super) files: usize,
    pub(super) user_data: usize,
}

impl Dispatcher {
    /// Checks the head of a submission.
    pub(super) fn check_spec(&self, spec: &WorkflowSpec) -> Result<(), RequestError> {
        check_name("workflow", &spec.name)?;
        let metadata = spec.metadata.as_deref().unwrap_or_default();
        let description = spec.description.as_deref().unwrap_or_default();
        check_length("the description", description.len(), MAX_DESCRIPTION)?;
        check_length("the metadata", metadata.len(), MAX_DESCRIPTION)?;
        self.check_options(&spec.options)?;
        for path in [&spec.context.working_dir, &spec.context.output_dir] {
            check_length("the path of a directory", path.len(), MAX_NAME)?;
            if !path.starts_with('/') {
                return Err(invalid(format!("'{path}' is not an absolute path")));
            }
        }
        check_environment(&spec.context.environment)?;
        for action in &spec.actions {
            let commands = action.commands.iter().map(|command| command.len() + ENTRY);
            check_length("the commands of an action", commands.sum(), MAX_COMMAND)?;
        }
        spec.settings.iter().try_for_each(check_settings)?;
        self.check_room(&spec.settings, &spec.options)
    }

    /// Checks how a workflow is to be run.
    pub(super) fn check_options(&self, options: &RunOptions) -> Result<(), RequestError> {
        if options.max_parallel_jobs == Some(0) {
            return Err(invalid("a workflow that may run no job at a time never ends".to_owned()));
        }
        if options.capacity.cpus == Some(0) {
            return Err(invalid("a workflow that has no CPU never ends".to_owned()));
        }
        let gpus = options.capacity.gpus.unwrap_or(0);
        if gpus > MAX_GPUS {
            return Err(invalid(format!("no node has {gpus} GPUs, the limit is {MAX_GPUS}")));
        }
        let labels = options.labels.iter().map(|label| label.len() + ENTRY);
        check_length("the labels of a run", labels.sum(), MAX_LABELS)?;
        if let Some(limit) = options.time_limit.filter(|limit| limit.stop_at <= Timestamp::now()) {
            let late = Timestamp::now().since(limit.stop_at).as_secs_f64();
            return Err(invalid(format!("the time of the run was over {late:.0} s ago"))
                .hint("set a later end, or leave it out"));
        }
        Ok(())
    }

    /// Checks that every kind of job can start some day.
    pub(super) fn check_room(
        &self,
        kinds: &[JobSettings],
        options: &RunOptions,
    ) -> Result<(), RequestError> {
        let room = activation::room(options);
        let shortage = |settings: &JobSettings| {
            let settings = activation::engine_settings(settings, options);
            if settings.held { None } else { self.engine.never_fits(&settings, &room) }
        };
        let Some((settings, shortage)) =
            kinds.iter().find_map(|one| shortage(one).map(|shortage| (one, shortage)))
        else {
            return Ok(());
        };
        let what = match &settings.requirements {
            Some(name) => format!("a job that requires '{name}'"),
            None => "a job".to_owned(),
        };
        let whose = if options.capacity.is_empty() { self.host.as_str() } else { "the run" };
        Err(invalid(format!("{what} can never start: it takes {}", in_words(shortage, whose)))
            .hint("ask for less, or set how many jobs run at a time with `-j`"))
    }
}

/// Returns in words how much a job takes and how much there is.
pub(super) fn in_words(Shortage { of, need, has }: Shortage, whose: &str) -> String {
    let unit = match of {
        Resource::Cpus => "CPUs",
        Resource::Memory => {
            return format!("{} of memory, {whose} has {}", bytes(need), bytes(has));
        }
        Resource::Gpus => "GPUs",
        Resource::Jobs => "jobs at a time",
    };
    format!("{need} {unit}, {whose} has {has}")
}

/// Returns a number of bytes as people write it.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

fn check_settings(settings: &JobSettings) -> Result<(), RequestError> {
    let added = settings.environment.iter().map(variable_bytes);
    check_length("the environment of a job", added.sum(), MAX_ENVIRONMENT)?;
    let rules = settings.retry.iter().map(|rule| {
        rule.exit_codes.len() * ENTRY + rule.recovery_script.as_ref().map_or(0, String::len) + ENTRY
    });
    check_length("the failure handler of a job", rules.sum(), MAX_COMMAND)?;
    let labels = settings.labels.iter().map(|label| label.len() + ENTRY);
    check_length("the labels of a job", labels.sum(), MAX_LABELS)?;
    let requirements = settings.requirements.as_deref().unwrap_or_default();
    check_length("the name of what a job requires", requirements.len(), MAX_NAME)?;
    if settings.memory.is_some_and(|memory| memory > MAX_MEMORY) {
        return Err(invalid("a job takes more memory than there is".to_owned())
            .hint("memory is counted in bytes"));
    }
    let dir = settings.working_dir.as_deref().unwrap_or_default();
    check_length("the path of a directory", dir.len(), MAX_NAME)?;
    let spans = [settings.retry_delay, settings.grace, settings.timeout.unwrap_or_default()];
    if spans.into_iter().any(|span| span > MAX_SPAN) {
        return Err(invalid(
            "a job waits, runs or ends for longer than time is counted".to_owned(),
        )
        .hint("leave the limit out where there is to be none"));
    }
    Ok(())
}

/// Checks files and user data of a submission.
pub(super) fn check_files(added: &SubmitFiles) -> Result<(), RequestError> {
    for file in &added.files {
        check_name("file", &file.name)?;
        check_length("the path of a file", file.path.len(), MAX_NAME)?;
        if file.path.is_empty() || file.path.contains('\0') {
            return Err(invalid(format!("file '{}' has no path: {:?}", file.name, file.path)));
        }
    }
    for value in &added.user_data {
        check_name("user data", &value.name)?;
        let data = value.data.as_deref().unwrap_or_default();
        check_length(&format!("user data '{}'", value.name), data.len(), MAX_COMMAND)?;
    }
    Ok(())
}

/// Checks a job of a submission.
pub(super) fn check_job(job: &JobSpec, known: Known) -> Result<(), RequestError> {
    check_name("job", &job.name)?;
    if job.settings as usize >= known.settings {
        return Err(invalid(format!("job '{}' names settings that were not sent", job.name)));
    }
    let beyond = |places: &[u32], count: usize| places.iter().any(|place| *place as usize >= count);
    if beyond(&job.inputs, known.files) || beyond(&job.outputs, known.files) {
        return Err(invalid(format!("job '{}' names a file that was not sent", job.name)));
    }
    if beyond(&job.input_user_data, known.user_data)
        || beyond(&job.output_user_data, known.user_data)
    {
        return Err(invalid(format!("job '{}' names user data that was not sent", job.name)));
    }
    let added = job.environment.iter().map(variable_bytes);
    check_length(&format!("the environment of job '{}'", job.name), added.sum(), MAX_COMMAND)?;
    let script = job.invocation_script.as_ref().map_or(0, String::len);
    check_length(
        &format!("the command of job '{}'", job.name),
        command_bytes(&job.command) + script,
        MAX_COMMAND,
    )
}

/// Checks that the paths of a job, each of which takes so much room, fit into the frame that brings
/// it to a worker.
pub(super) fn check_paths(job: &JobSpec, path_bytes: &[u32]) -> Result<(), RequestError> {
    let places = job.inputs.iter().chain(&job.outputs);
    let bytes =
        places.map(|place| path_bytes.get(*place as usize).map_or(0, |bytes| *bytes as usize));
    check_length(&format!("the list of files of job '{}'", job.name), bytes.sum(), MAX_PATHS)
}

/// Returns how much room a path takes in a frame, about.
pub(super) fn path_bytes(path: &str) -> u32 {
    (path.len() + ENTRY) as u32
}

fn variable_bytes((name, value): &(String, String)) -> usize {
    name.len() + value.len() + 2 * ENTRY
}

/// Checks the environment that a workflow is run in.
pub(super) fn check_environment(environment: &Environment) -> Result<(), RequestError> {
    check_length("the environment", environment.0.len(), MAX_ENVIRONMENT)
}

/// Checks a command that takes the place of another.
pub(super) fn check_command(command: &Command) -> Result<(), RequestError> {
    check_length("a command", command_bytes(command), MAX_COMMAND)
}

/// Returns how much room a command takes in a frame, about.
pub(super) fn command_bytes(command: &Command) -> usize {
    match command {
        Command::Line(line) => line.len(),
        Command::Argv(argv) => argv.iter().map(|word| word.len() + ENTRY).sum(),
    }
}

/// Checks what names a submission for good.
pub(super) fn check_key(key: &str) -> Result<(), RequestError> {
    if key.is_empty() || key.len() > Submit::MAX_KEY {
        let (length, limit) = (key.len(), Submit::MAX_KEY);
        let message = format!("the key of a submission is {length} bytes long, not 1 to {limit}");
        return Err(invalid(message).hint("take a random one, such as a UUID"));
    }
    Ok(())
}

fn check_name(what: &str, name: &str) -> Result<(), RequestError> {
    check_length(&format!("the name of a {what}"), name.len(), MAX_NAME)?;
    if name.is_empty() || name.contains('\0') {
        return Err(invalid(format!("a {what} needs a name without NUL characters: {name:?}")));
    }
    Ok(())
}

fn check_length(what: &str, length: usize, limit: usize) -> Result<(), RequestError> {
    if length > limit {
        let message = format!("{what} is {length} bytes long, the limit is {limit}");
        return Err(invalid(message).hint("put what is long into a file, and name the file"));
    }
    Ok(())
}

/// Returns the error for what is wrong by itself.
pub(super) fn invalid(message: String) -> RequestError {
    RequestError::new(ErrorCode::InvalidRequest, message)
}
