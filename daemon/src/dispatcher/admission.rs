//! What may be submitted.
//!
//! What is let in here can be recorded, fits into the frames that bring it to a worker and to those
//! who list it, and can start some day.

use torc_protocol::response::{ErrorCode, RequestError};
use torc_protocol::spec::{Command, JobSettings, JobSpec, WorkflowSpec};
use torc_protocol::time::Span;

/// The longest name in bytes, and the longest path.
const MAX_NAME: usize = 4_096;
/// The longest description in bytes.
const MAX_DESCRIPTION: usize = 1024 * 1024;
/// The longest command in bytes: more than systems take unless their limits are raised. Quoted for
/// people it is four times as long at worst, which still fits into a frame.
const MAX_COMMAND: usize = 2 * 1024 * 1024;
/// The largest environment in bytes, of a workflow or added to it by settings.
const MAX_ENVIRONMENT: usize = 6 * 1024 * 1024;
/// The longest time that can be recorded.
const MAX_SPAN: Span = Span(i64::MAX as u64);

/// Checks the head of a submission; `node` is the name of the node and how many CPUs it has.
pub(super) fn check_spec(
    spec: &WorkflowSpec,
    node: Option<(&str, u32)>,
) -> Result<(), RequestError> {
    check_name("workflow", &spec.name)?;
    let description = spec.description.as_deref().unwrap_or_default();
    check_length("the description", description.len(), MAX_DESCRIPTION)?;
    if spec.max_parallel_jobs == Some(0) {
        return Err(invalid("a workflow that may run no job at a time never ends".to_owned()));
    }
    for path in [&spec.context.working_dir, &spec.context.output_dir] {
        check_length("the path of a directory", path.len(), MAX_NAME)?;
        if !path.starts_with('/') {
            return Err(invalid(format!("'{path}' is not an absolute path")));
        }
    }
    check_length("the environment", spec.context.environment.0.len(), MAX_ENVIRONMENT)?;
    spec.settings.iter().try_for_each(check_settings)?;
    let Some((host, cpus)) = node.filter(|_| spec.max_parallel_jobs.is_none()) else {
        return Ok(());
    };
    match spec.settings.iter().find(|settings| settings.cpus > cpus) {
        None => Ok(()),
        Some(settings) => Err(invalid(format!(
            "a job that takes {} CPUs can never start: {host} has {cpus}",
            settings.cpus
        ))
        .hint("ask for fewer CPUs, or set how many jobs run at a time")),
    }
}

fn check_settings(settings: &JobSettings) -> Result<(), RequestError> {
    let added = settings.environment.iter().map(|(name, value)| name.len() + value.len());
    check_length("the environment of a job", added.sum(), MAX_ENVIRONMENT)?;
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

/// Checks a job of a submission that has `kinds` settings.
pub(super) fn check_job(job: &JobSpec, kinds: usize) -> Result<(), RequestError> {
    check_name("job", &job.name)?;
    if job.settings as usize >= kinds {
        return Err(invalid(format!("job '{}' names settings that were not sent", job.name)));
    }
    check_length(
        &format!("the command of job '{}'", job.name),
        command_bytes(&job.command),
        MAX_COMMAND,
    )
}

/// Returns how much room a command takes in a frame, about.
pub(super) fn command_bytes(command: &Command) -> usize {
    match command {
        Command::Line(line) => line.len(),
        Command::Argv(argv) => argv.iter().map(|word| word.len() + 4).sum(),
    }
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
