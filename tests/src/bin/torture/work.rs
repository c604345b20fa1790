//! The workflows that are run: jobs that leave evidence of themselves which is none of torc's.
//!
//! Each job adds a line to one file as it begins and another as it ends: `s` or `e`, then its
//! workflow, its number, its attempt, and its process or its code.

use serde_json::{Value, json};
use torc_protocol::spec::{
    Command, Environment, JobContext, JobSettings, JobSpec, RetryRule, RunOptions, WorkflowSpec,
};
use torc_protocol::time::Span;

use crate::rng::Rng;

/// A workflow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Workflow {
    /// Its name, which is the key of its submission too.
    pub(crate) name: String,
    /// Its jobs; each waits for earlier ones only.
    pub(crate) jobs: Vec<Job>,
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Job {
    /// What it does.
    pub(crate) kind: Kind,
    /// For so many milliseconds at least.
    pub(crate) ms: u32,
    /// Whether it is tried again, once, when it fails.
    pub(crate) retried: bool,
    /// The places of the jobs that it waits for.
    pub(crate) after: Vec<u32>,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It ends well.
    Completes,
    /// It ends with this code, every time.
    Fails(i32),
    /// It fails the first time.
    FailsOnce,
    /// It ends well, and leaves processes in its group and out of it, which are to go with it.
    Litters,
    /// It ends well, and does not heed a signal to end.
    IsStubborn,
    /// It ends well, and writes so many KiB, which are kept in the database.
    Talks(u32),
}

/// How long jobs of a service have from SIGTERM to SIGKILL.
const GRACE: Span = Span(200_000);

impl Workflow {
    /// Makes one up. Without edges when it is for `torcctl exec`.
    pub(crate) fn new(rng: &mut Rng, number: u32, has_edges: bool) -> Self {
        let count = rng.within(2..=12);
        let shape = rng.pick(&[(2, 'c'), (2, 'f'), (2, 'r'), (1, 'n')]);
        let jobs = (0..count).map(|place| {
            let after = match shape {
                _ if !has_edges || place == 0 => Vec::new(),
                'c' => vec![place - 1],
                // One first, one last, the others between them.
                'f' if place + 1 == count => (1..place).collect(),
                'f' => vec![0],
                'r' => (0..place).filter(|_| rng.chance(1, 4)).collect(),
                _ => Vec::new(),
            };
            Job { after, ..Job::new(rng) }
        });
        Self { name: format!("w{number}"), jobs: jobs.collect() }
    }

    /// Returns how it is submitted over the wire.
    pub(crate) fn spec(&self, context: JobContext, parallel: u32) -> WorkflowSpec {
        let plain = JobSettings { grace: GRACE, ..JobSettings::default() };
        let again = RetryRule { any: true, max_retries: 1, ..RetryRule::default() };
        let retried = JobSettings { retry: vec![again], ..plain.clone() };
        WorkflowSpec {
            name: self.name.clone(),
            context,
            settings: vec![plain, retried],
            options: RunOptions { max_parallel_jobs: Some(parallel), ..RunOptions::default() },
            ..WorkflowSpec::default()
        }
    }

    /// Returns its jobs as they are submitted over the wire.
    pub(crate) fn job_specs(&self) -> Vec<JobSpec> {
        let spec = |(place, job): (usize, &Job)| JobSpec {
            name: name(place),
            command: Command::Line(job.line()),
            settings: u32::from(job.retried),
            depends_on: job.after.clone(),
            ..JobSpec::default()
        };
        self.jobs.iter().enumerate().map(spec).collect()
    }

    /// Returns it as a workflow file.
    pub(crate) fn file(&self) -> Value {
        let jobs = self.jobs.iter().enumerate().map(|(place, job)| {
            let after: Vec<_> = job.after.iter().map(|place| name(*place as usize)).collect();
            let mut entry =
                json!({"name": name(place), "command": job.line(), "depends_on": after});
            if job.retried {
                entry["failure_handler"] = "again".into();
            }
            entry
        });
        let rule = json!({"match_all_exit_codes": true, "max_retries": 1});
        json!({
            "name": self.name,
            "failure_handlers": [{"name": "again", "rules": [rule]}],
            "jobs": jobs.collect::<Vec<_>>(),
        })
    }
}

impl Job {
    fn new(rng: &mut Rng) -> Self {
        let code = rng.within(1..=90) as i32;
        let kib = rng.within(1..=200);
        let kind = rng.pick(&[
            (10, Kind::Completes),
            (1, Kind::Fails(code)),
            (1, Kind::FailsOnce),
            (1, Kind::Litters),
            (1, Kind::Talks(kib)),
        ]);
        let kind = if rng.chance(1, 60) { Kind::IsStubborn } else { kind };
        let ms = rng.pick(&[(5, 0..=0), (4, 1..=40), (2, 40..=150)]);
        Self { kind, ms: rng.within(ms), retried: rng.chance(1, 3), after: Vec::new() }
    }

    /// Returns the line for the shell. It has no brace, which `exec` and workflow files would expand.
    pub(crate) fn line(&self) -> String {
        let sleep = match self.ms {
            0 => String::new(),
            ms => format!("sleep 0.{ms:03}; "),
        };
        let (before, code) = match self.kind {
            Kind::Completes => (String::new(), "0".to_owned()),
            Kind::Fails(code) => (String::new(), code.to_string()),
            Kind::FailsOnce => (String::new(), "$((TORC_ATTEMPT == 1 ? 9 : 0))".to_owned()),
            Kind::Litters => ("sleep 30 & (setsid sleep 30 &) ; ".to_owned(), "0".to_owned()),
            Kind::IsStubborn => ("trap '' TERM; ".to_owned(), "0".to_owned()),
            Kind::Talks(kib) => {
                (format!("head -c {kib}K /dev/zero | tr '\\0' x; "), "0".to_owned())
            }
        };
        format!(
            "echo \"s $TORC_WORKFLOW_ID $TORC_JOB_ID $TORC_ATTEMPT $$\" >> \"$EVIDENCE\"; \
             {before}{sleep}c={code}; \
             echo \"e $TORC_WORKFLOW_ID $TORC_JOB_ID $TORC_ATTEMPT $c\" >> \"$EVIDENCE\"; exit $c"
        )
    }
}

fn name(place: usize) -> String {
    format!("j{place}")
}

/// Returns an environment as it is submitted.
pub(crate) fn environment<'a>(entries: impl IntoIterator<Item = (&'a str, String)>) -> Environment {
    let entries = entries.into_iter().map(|(name, value)| format!("{name}={value}\0"));
    Environment(entries.collect::<String>().into())
}
