//! The kinds of job that a workflow file has: jobs whose settings are equal share them.

use std::collections::HashMap;
use std::sync::Arc;

use torc_protocol::spec::{JobSettings, RetryRule, StdioMode};
use torc_protocol::time::Span;

use crate::commands::running::args::retry_any;
use crate::spec::resolved::{Handler, Job, Stdio, Workflow};

/// What every kind has alike, and what the command line says of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Base {
    /// Where output goes, whatever the file says.
    pub(super) stdio: Option<StdioMode>,
    /// The environment of every job.
    pub(super) environment: Vec<(String, String)>,
    /// How long one attempt may take.
    pub(super) timeout: Option<Span>,
    /// How often a job without a handler is tried again.
    pub(super) retries: u32,
    /// How long to wait before each retry.
    pub(super) retry_delay: Span,
}

/// The kinds.
#[derive(Debug)]
pub(super) struct Kinds {
    /// Their settings.
    pub(super) settings: Vec<JobSettings>,
    /// The places of those of which nobody has said where their output goes.
    pub(super) open: Vec<usize>,
    /// The kind of each job.
    pub(super) of_job: Vec<u32>,
}

/// What tells two kinds apart.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    resources: Option<u32>,
    handler: Option<u32>,
    /// The mode by its number, which unlike the mode has a hash.
    stdio: Option<(u8, bool)>,
    labels: Arc<[String]>,
    cancel: bool,
    ends_slowly: bool,
}

impl Kinds {
    /// Finds the kinds of the jobs of `workflow`.
    pub(super) fn of(workflow: &Workflow, base: &Base) -> Self {
        let mut kinds = Self { settings: Vec::new(), open: Vec::new(), of_job: Vec::new() };
        let mut known = HashMap::new();
        for job in &workflow.jobs {
            let kind = *known.entry(Key::of(job)).or_insert_with(|| kinds.add(workflow, job, base));
            kinds.of_job.push(kind);
        }
        kinds
    }

    fn add(&mut self, workflow: &Workflow, job: &Job, base: &Base) -> u32 {
        let place = self.settings.len();
        if base.stdio.is_none() && job.stdio.is_none() {
            self.open.push(place);
        }
        self.settings.push(settings(workflow, job, base));
        // There are no more kinds than jobs, which are counted in 32 bits.
        place as u32
    }
}

impl Key {
    fn of(job: &Job) -> Self {
        Self {
            resources: job.resources,
            handler: job.handler,
            stdio: job.stdio.map(|stdio| (stdio.mode as u8, stdio.delete_on_success)),
            labels: Arc::clone(&job.labels),
            cancel: job.cancel_on_blocking_job_failure,
            ends_slowly: ends_slowly(job),
        }
    }
}

/// Returns whether the job does something of its own when it is told to end, and needs the time.
fn ends_slowly(job: &Job) -> bool {
    job.supports_termination == Some(true)
}

fn settings(workflow: &Workflow, job: &Job, base: &Base) -> JobSettings {
    let defaults = JobSettings::default();
    let execution = &workflow.execution;
    let resources = job.resources.map(|place| &workflow.resources[place as usize]);
    let handler = job.handler.map(|place| &workflow.handlers[place as usize]);
    let stdio = job.stdio.unwrap_or(Stdio { mode: defaults.stdio, delete_on_success: false });
    JobSettings {
        stdio: base.stdio.unwrap_or(stdio.mode),
        delete_on_success: stdio.delete_on_success,
        retry: retry(handler, base.retries),
        retry_delay: base.retry_delay,
        timeout: base.timeout,
        requirements: resources.map(|resources| resources.name.clone()),
        cpus: resources.map_or(defaults.cpus, |resources| resources.cpus),
        memory: resources.and_then(|resources| resources.memory),
        limit_memory: execution.limit_resources,
        gpus: resources.map_or(0, |resources| resources.gpus),
        runtime: resources.and_then(|resources| resources.runtime),
        grace: if ends_slowly(job) { execution.sigterm_lead } else { defaults.grace },
        termination_signal: execution.termination_signal,
        timeout_code: execution.timeout_exit_code,
        out_of_memory_code: execution.oom_exit_code,
        environment: base.environment.clone(),
        working_dir: None,
        cancel_on_blocking_job_failure: job.cancel_on_blocking_job_failure,
        labels: job.labels.to_vec(),
    }
}

fn retry(handler: Option<&Handler>, retries: u32) -> Vec<RetryRule> {
    let Some(handler) = handler else { return retry_any(retries) };
    let rules = handler.rules.iter().map(|rule| RetryRule {
        exit_codes: rule.exit_codes.clone(),
        any: rule.match_all,
        max_retries: rule.max_retries,
        recovery_script: rule.recovery_script.clone(),
    });
    rules.collect()
}
