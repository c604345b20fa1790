//! `run --dry-run`: a resolved workflow as JSON, with names where the workflow itself has numbers.
//!
//! Jobs are written one after the other, so that a million of them need no second copy.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;
use torc_protocol::spec::StdioMode;
use torc_protocol::time::Span;

use crate::spec::resolved::{
    Action, File, Handler, Job, Resources, Rule, Trigger, UserData, Variables, Workflow,
};

/// A workflow that is shown, not run.
#[derive(Debug)]
pub struct Listing<'w>(pub &'w Workflow);

impl Serialize for Listing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let workflow = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &workflow.name)?;
        map.serialize_entry("description", &workflow.description)?;
        map.serialize_entry("project", &workflow.project)?;
        map.serialize_entry("user", &workflow.user)?;
        map.serialize_entry("metadata", &json(workflow.metadata.as_deref()))?;
        map.serialize_entry("env", &Environment(&workflow.environment))?;
        map.serialize_entry("jobs", &Jobs(workflow))?;
        let resources = Each(&workflow.resources, ResourceEntry::of);
        map.serialize_entry("resource_requirements", &resources)?;
        map.serialize_entry("files", &Each(&workflow.files, FileEntry::of))?;
        map.serialize_entry("user_data", &Each(&workflow.user_data, UserDataEntry::of))?;
        map.serialize_entry("failure_handlers", &Each(&workflow.handlers, HandlerEntry::of))?;
        map.serialize_entry("actions", &Actions(workflow))?;
        map.serialize_entry("execution_config", &execution(workflow))?;
        map.serialize_entry("warnings", &workflow.warnings)?;
        map.end()
    }
}

/// A list whose items are converted while they are written.
struct Each<'w, T, E>(&'w [T], fn(&'w T) -> E);

impl<T, E: Serialize> Serialize for Each<'_, T, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(self.1))
    }
}

struct Environment<'w>(&'w Variables);

impl Serialize for Environment<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

struct Jobs<'w>(&'w Workflow);

impl Serialize for Jobs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.jobs.len()))?;
        for job in &self.0.jobs {
            list.serialize_element(&JobEntry::of(job, self.0))?;
        }
        list.end()
    }
}

#[derive(Serialize)]
struct JobEntry<'w> {
    name: &'w str,
    command: &'w str,
    depends_on: Vec<&'w str>,
    priority: i32,
    resource_requirements: Option<&'w str>,
    failure_handler: Option<&'w str>,
    labels: &'w [String],
    env: Environment<'w>,
    invocation_script: Option<&'w str>,
    cancel_on_blocking_job_failure: bool,
    supports_termination: Option<bool>,
    stdio: Option<StdioEntry>,
    input_files: Vec<&'w str>,
    output_files: Vec<&'w str>,
    input_user_data: Vec<&'w str>,
    output_user_data: Vec<&'w str>,
}

impl<'w> JobEntry<'w> {
    fn of(job: &'w Job, workflow: &'w Workflow) -> Self {
        let file = |number: &u32| workflow.files[*number as usize].name.as_str();
        let data = |number: &u32| workflow.user_data[*number as usize].name.as_str();
        let resources = job.resources.map(|number| &workflow.resources[number as usize]);
        let handler = job.handler.map(|number| &workflow.handlers[number as usize]);
        Self {
            name: &job.name,
            command: &job.command,
            depends_on: sorted_names(&job.depends_on, workflow),
            priority: job.priority,
            resource_requirements: resources.map(|resources| resources.name.as_str()),
            failure_handler: handler.map(|handler| handler.name.as_str()),
            labels: &job.labels,
            env: Environment(&job.environment),
            invocation_script: job.invocation_script.as_deref(),
            cancel_on_blocking_job_failure: job.cancel_on_blocking_job_failure,
            supports_termination: job.supports_termination,
            stdio: job.stdio.map(|stdio| StdioEntry {
                mode: stdio_mode(stdio.mode),
                delete_on_success: stdio.delete_on_success,
            }),
            input_files: job.inputs.iter().map(file).collect(),
            output_files: job.outputs.iter().map(file).collect(),
            input_user_data: job.input_user_data.iter().map(data).collect(),
            output_user_data: job.output_user_data.iter().map(data).collect(),
        }
    }
}

fn sorted_names<'w>(jobs: &[u32], workflow: &'w Workflow) -> Vec<&'w str> {
    let name = |number: &u32| workflow.jobs[*number as usize].name.as_str();
    let mut names: Vec<_> = jobs.iter().map(name).collect();
    names.sort_unstable();
    names
}

#[derive(Serialize)]
struct StdioEntry {
    mode: &'static str,
    delete_on_success: bool,
}

/// Returns the word that workflow files have for a mode.
fn stdio_mode(mode: StdioMode) -> &'static str {
    match mode {
        StdioMode::Capture => "capture",
        StdioMode::Separate => "separate",
        StdioMode::Combined => "combined",
        StdioMode::NoStdout => "no_stdout",
        StdioMode::NoStderr => "no_stderr",
        StdioMode::None => "none",
    }
}

#[derive(Serialize)]
struct ResourceEntry<'w> {
    name: &'w str,
    num_cpus: u32,
    num_gpus: u32,
    num_nodes: u32,
    memory_bytes: Option<u64>,
    runtime_s: Option<Seconds>,
}

impl<'w> ResourceEntry<'w> {
    fn of(resources: &'w Resources) -> Self {
        Self {
            name: &resources.name,
            num_cpus: resources.cpus,
            num_gpus: resources.gpus,
            num_nodes: resources.nodes,
            memory_bytes: resources.memory,
            runtime_s: resources.runtime.map(Seconds),
        }
    }
}

/// A span as a number of seconds, whole when it is.
struct Seconds(Span);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.0.is_multiple_of(1_000_000) {
            serializer.serialize_u64(self.0.0 / 1_000_000)
        } else {
            serializer.serialize_f64(self.0.as_secs_f64())
        }
    }
}

#[derive(Serialize)]
struct FileEntry<'w> {
    name: &'w str,
    path: &'w str,
    identifier: Option<&'w str>,
    st_mtime: Option<f64>,
}

impl<'w> FileEntry<'w> {
    fn of(file: &'w File) -> Self {
        Self {
            name: &file.name,
            path: &file.path,
            identifier: file.identifier.as_deref(),
            st_mtime: file.modified,
        }
    }
}

#[derive(Serialize)]
struct UserDataEntry<'w> {
    name: &'w str,
    data: Option<&'w RawValue>,
    is_ephemeral: bool,
}

impl<'w> UserDataEntry<'w> {
    fn of(data: &'w UserData) -> Self {
        Self { name: &data.name, data: json(data.data.as_deref()), is_ephemeral: data.is_ephemeral }
    }
}

/// Returns JSON text as it stands.
fn json(text: Option<&str>) -> Option<&RawValue> {
    text.and_then(|text| serde_json::from_str(text).ok())
}

#[derive(Serialize)]
struct HandlerEntry<'w> {
    name: &'w str,
    rules: Each<'w, Rule, RuleEntry<'w>>,
}

impl<'w> HandlerEntry<'w> {
    fn of(handler: &'w Handler) -> Self {
        Self { name: &handler.name, rules: Each(&handler.rules, RuleEntry::of) }
    }
}

#[derive(Serialize)]
struct RuleEntry<'w> {
    exit_codes: &'w [i32],
    match_all_exit_codes: bool,
    recovery_script: Option<&'w str>,
    max_retries: u32,
}

impl<'w> RuleEntry<'w> {
    fn of(rule: &'w Rule) -> Self {
        Self {
            exit_codes: &rule.exit_codes,
            match_all_exit_codes: rule.match_all,
            recovery_script: rule.recovery_script.as_deref(),
            max_retries: rule.max_retries,
        }
    }
}

struct Actions<'w>(&'w Workflow);

impl Serialize for Actions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.actions.iter().map(|action| ActionEntry::of(action, self.0)))
    }
}

#[derive(Serialize)]
struct ActionEntry<'w> {
    trigger_type: &'static str,
    action_type: &'static str,
    commands: &'w [String],
    jobs: Vec<&'w str>,
    persistent: bool,
}

impl<'w> ActionEntry<'w> {
    fn of(action: &'w Action, workflow: &'w Workflow) -> Self {
        Self {
            trigger_type: trigger_word(action.trigger),
            action_type: "run_commands",
            commands: &action.commands,
            jobs: sorted_names(&action.jobs, workflow),
            persistent: action.persistent,
        }
    }
}

/// Returns the word that workflow files have for a trigger.
fn trigger_word(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::WorkflowStart => "on_workflow_start",
        Trigger::WorkflowComplete => "on_workflow_complete",
        Trigger::JobsReady => "on_jobs_ready",
        Trigger::JobsComplete => "on_jobs_complete",
        Trigger::WorkerStart => "on_worker_start",
        Trigger::WorkerComplete => "on_worker_complete",
    }
}

#[derive(Serialize)]
struct ExecutionEntry {
    sigkill_headroom_seconds: Seconds,
    sigterm_lead_seconds: Seconds,
    timeout_exit_code: i32,
    oom_exit_code: i32,
    termination_signal: i32,
    limit_resources: bool,
}

fn execution(workflow: &Workflow) -> ExecutionEntry {
    let execution = &workflow.execution;
    ExecutionEntry {
        sigkill_headroom_seconds: Seconds(execution.sigkill_headroom),
        sigterm_lead_seconds: Seconds(execution.sigterm_lead),
        timeout_exit_code: execution.timeout_exit_code,
        oom_exit_code: execution.oom_exit_code,
        termination_signal: execution.termination_signal,
        limit_resources: execution.limit_resources,
    }
}
