//! `--dry-run`: the workflow as it would be submitted, as JSON.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use torc_protocol::spec::{Command, JobSettings, JobSpec, StdioMode, WorkflowSpec};

use crate::spec::expansion::Expansion;
use crate::spec::quote::shell_line;

/// A workflow that is shown, not run. Its jobs are made while they are written.
#[derive(Debug)]
pub struct DryRun<'a> {
    /// The head.
    pub spec: &'a WorkflowSpec,
    /// The jobs.
    pub jobs: &'a Expansion,
    /// The priority of each.
    pub priority: i32,
}

/// A job as it is shown.
#[derive(Serialize)]
struct JobEntry<'a> {
    name: &'a str,
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    argv: Option<&'a [String]>,
    depends_on: [&'a str; 0],
    priority: i32,
    resource_requirements: &'a str,
    #[serde(flatten)]
    settings: &'a SettingsEntry,
}

/// What all jobs of `exec` share. The environment of the submitter is not shown, only what was added.
#[derive(Serialize)]
struct SettingsEntry {
    stdio: StdioMode,
    retries: u32,
    retry_delay_s: f64,
    timeout_s: Option<f64>,
    env: serde_json::Map<String, serde_json::Value>,
    chdir: Option<String>,
}

#[derive(Serialize)]
struct ResourceEntry {
    name: &'static str,
    num_cpus: u32,
    memory_bytes: Option<u64>,
    num_gpus: u32,
}

const RESOURCES: &str = "default";

impl Serialize for DryRun<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let defaults = JobSettings::default();
        let settings = self.spec.settings.first().unwrap_or(&defaults);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.spec.name)?;
        map.serialize_entry("description", &self.spec.description)?;
        map.serialize_entry("working_dir", &self.spec.context.working_dir)?;
        map.serialize_entry("output_dir", &self.spec.context.output_dir)?;
        map.serialize_entry("max_parallel_jobs", &self.spec.options.max_parallel_jobs)?;
        map.serialize_entry("jobs", &Jobs { run: self, settings: settings_of(settings) })?;
        let resources = ResourceEntry {
            name: RESOURCES,
            num_cpus: settings.cpus,
            memory_bytes: settings.memory,
            num_gpus: settings.gpus,
        };
        map.serialize_entry("resource_requirements", &[resources])?;
        map.serialize_entry("files", &[(); 0])?;
        map.end()
    }
}

struct Jobs<'a> {
    run: &'a DryRun<'a>,
    settings: SettingsEntry,
}

impl Serialize for Jobs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(usize::try_from(self.run.jobs.len()).ok())?;
        for job in self.run.jobs.jobs(self.run.priority) {
            list.serialize_element(&entry(&job, &self.settings))?;
        }
        list.end()
    }
}

fn entry<'a>(job: &'a JobSpec, settings: &'a SettingsEntry) -> JobEntry<'a> {
    let (command, argv) = match &job.command {
        Command::Line(line) => (line.clone(), None),
        Command::Argv(argv) => (shell_line(argv), Some(argv.as_slice())),
    };
    JobEntry {
        name: &job.name,
        command,
        argv,
        depends_on: [],
        priority: job.priority,
        resource_requirements: RESOURCES,
        settings,
    }
}

fn settings_of(settings: &JobSettings) -> SettingsEntry {
    let env = settings.environment.iter();
    SettingsEntry {
        stdio: settings.stdio,
        retries: settings.retry.first().map_or(0, |rule| rule.max_retries),
        retry_delay_s: settings.retry_delay.as_secs_f64(),
        timeout_s: settings.timeout.map(|span| span.as_secs_f64()),
        env: env.map(|(name, value)| (name.clone(), value.as_str().into())).collect(),
        chdir: settings.working_dir.clone(),
    }
}
