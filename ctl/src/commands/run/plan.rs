//! From a workflow file to what is submitted.

use std::path::Path;

use serde_json::{Map, Value};
use torc_protocol::spec::{
    ActionSpec, Command, FileSpec, JobSpec, RunOptions, StdioMode, Trigger, UserDataSpec,
    WorkflowSpec,
};

use super::args::FileArgs;
use super::kinds::{Base, Kinds};
use crate::commands::running::job_context::{directory, job_context, variables};
use crate::commands::running::submission::Submission;
use crate::commands::running::time_limit::Reserve;
use crate::error::CliError;
use crate::spec::resolved::{self, Action, Job, Workflow};

/// A workflow file that is to be submitted.
#[derive(Debug)]
pub(crate) struct FilePlan {
    workflow: Workflow,
    spec: WorkflowSpec,
    /// The places of the settings of which nobody has said where their output goes.
    open_stdio: Vec<usize>,
    /// The kind of each job.
    kinds: Vec<u32>,
    /// The names of the variables that the command line gives to every job.
    given: Vec<String>,
}

impl FilePlan {
    /// Makes the plan. What `args` say goes before what the file says.
    pub(crate) fn new(mut workflow: Workflow, args: &FileArgs) -> Result<Self, CliError> {
        rename(&mut workflow, args)?;
        let timeout = args.timeout.map(|duration| duration.0);
        if timeout.is_some_and(|span| span.0 == 0) {
            return Err(CliError::usage("a timeout of 0 would stop every job at once")
                .hint("leave `--timeout` out for no limit"));
        }
        let given = variables(&args.env)?;
        let mut context = job_context(args.output_dir.as_deref())?;
        if let Some(dir) = &args.chdir {
            let dir = directory(dir)?;
            context.working_dir = join(&context.working_dir, &dir);
        }
        let base = Base {
            stdio: args.stdio.map(Into::into),
            environment: [workflow.environment.clone(), given.clone()].concat(),
            timeout,
            retries: args.retries,
            retry_delay: args.retry_delay.unwrap_or_default().0,
        };
        let Kinds { settings, open, of_job } = Kinds::of(&workflow, &base);
        let spec = WorkflowSpec {
            name: workflow.name.clone(),
            description: workflow.description.clone(),
            metadata: metadata(&workflow),
            context,
            settings,
            actions: workflow.actions.iter().map(|it| action(it, workflow.jobs.len())).collect(),
            options: RunOptions::default(),
        };
        let given = given.into_iter().map(|(name, _)| name).collect();
        Ok(Self { workflow, spec, open_stdio: open, kinds: of_job, given })
    }

    /// Returns what the file comes to.
    pub(super) fn into_workflow(self) -> Workflow {
        self.workflow
    }

    /// Returns what is kept free before the end of the run.
    pub(crate) fn reserve(&self) -> Reserve {
        let execution = &self.workflow.execution;
        Reserve { headroom: execution.sigkill_headroom, lead: execution.sigterm_lead }
    }

    /// Settles how it is run.
    pub(crate) fn set_options(&mut self, options: RunOptions) {
        self.spec.options = options;
    }

    fn job(&self, job: &Job, kind: u32) -> JobSpec {
        let own = job.environment.iter().filter(|(name, _)| !self.given.contains(name));
        JobSpec {
            name: job.name.clone(),
            command: Command::Line(job.command.clone()),
            priority: job.priority,
            settings: kind,
            depends_on: job.depends_on.to_vec(),
            inputs: job.inputs.to_vec(),
            outputs: job.outputs.to_vec(),
            input_user_data: job.input_user_data.to_vec(),
            output_user_data: job.output_user_data.to_vec(),
            environment: own.cloned().collect(),
            invocation_script: job.invocation_script.as_deref().map(str::to_owned),
        }
    }
}

impl Submission for FilePlan {
    fn spec(&self) -> &WorkflowSpec {
        &self.spec
    }

    fn set_stdio(&mut self, default: StdioMode) {
        for place in &self.open_stdio {
            self.spec.settings[*place].stdio = default;
        }
    }

    fn files(&self) -> impl Iterator<Item = FileSpec> {
        let files = self.workflow.files.iter();
        files.map(|file| FileSpec { name: file.name.clone(), path: file.path.clone() })
    }

    fn user_data(&self) -> impl Iterator<Item = UserDataSpec> {
        self.workflow.user_data.iter().map(|data| UserDataSpec {
            name: data.name.clone(),
            data: data.data.clone(),
            is_ephemeral: data.is_ephemeral,
        })
    }

    fn jobs(&self) -> impl Iterator<Item = JobSpec> {
        self.workflow.jobs.iter().zip(&self.kinds).map(|(job, kind)| self.job(job, *kind))
    }
}

/// Gives `workflow` the name and the description that were asked for.
fn rename(workflow: &mut Workflow, args: &FileArgs) -> Result<(), CliError> {
    if let Some(name) = &args.name {
        if name.is_empty() {
            return Err(CliError::usage("the name of a workflow cannot be empty")
                .hint("leave `--name` out for the name in the file"));
        }
        workflow.name.clone_from(name);
    }
    if args.description.is_some() {
        workflow.description.clone_from(&args.description);
    }
    Ok(())
}

fn join(base: &str, dir: &str) -> String {
    // Of two texts, and so a text.
    Path::new(base).join(dir).to_string_lossy().into_owned()
}

/// Returns what else the author says of the workflow, as one JSON object; an own key of the metadata
/// stands before ours.
fn metadata(workflow: &Workflow) -> Option<String> {
    let own = workflow.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let mut object = match own {
        Some(Value::Object(object)) => object,
        Some(Value::Null) | None => Map::new(),
        Some(other) => Map::from_iter([("metadata".to_owned(), other)]),
    };
    for (key, text) in [("project", &workflow.project), ("user", &workflow.user)] {
        if let Some(text) = text {
            object.entry(key).or_insert_with(|| text.as_str().into());
        }
    }
    (!object.is_empty()).then(|| Value::Object(object).to_string())
}

fn action(action: &Action, jobs: usize) -> ActionSpec {
    let about_jobs =
        matches!(action.trigger, resolved::Trigger::JobsReady | resolved::Trigger::JobsComplete);
    let all = about_jobs && action.jobs.is_empty();
    ActionSpec {
        trigger: match action.trigger {
            resolved::Trigger::WorkflowStart => Trigger::OnWorkflowStart,
            resolved::Trigger::WorkflowComplete => Trigger::OnWorkflowComplete,
            resolved::Trigger::JobsReady => Trigger::OnJobsReady,
            resolved::Trigger::JobsComplete => Trigger::OnJobsComplete,
            resolved::Trigger::WorkerStart => Trigger::OnWorkerStart,
            resolved::Trigger::WorkerComplete => Trigger::OnWorkerComplete,
        },
        // Places are counted in 32 bits.
        jobs: if all { (0..jobs as u32).collect() } else { action.jobs.clone() },
        commands: action.commands.clone(),
        persistent: action.persistent,
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
