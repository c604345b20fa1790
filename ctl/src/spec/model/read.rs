//! From the tree to the model. Complains about all that can be seen without expanding anything.

use torc_protocol::spec::StdioMode;
use torc_protocol::time::Span;

use super::check::check;
use super::entry::Entry;
use super::{ActionTemplate, FileTemplate, JobTemplate, Located, Text, UserDataTemplate, Workflow};
use crate::spec::complaint::Complaints;
use crate::spec::duration::Duration;
use crate::spec::fields::tables::{SCHEDULER_OPTIONS, WORKFLOW};
use crate::spec::file::node::{Node, Value};
use crate::spec::resolved::{Execution, Handler, Resources, Rule, Stdio, Trigger};
use crate::spec::signal;

/// How often a rule that does not say so tries again.
const DEFAULT_RETRIES: u32 = 3;

/// Returns the workflow that `root` writes. It is complete even when there are complaints, so that
/// others can look for more.
pub fn read(root: &Node, complaints: &mut Complaints) -> Workflow {
    let mut no_effect: Vec<Located<String>> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    check(root, &WORKFLOW, complaints, &mut |field, at| {
        if let Some(reason) = field.no_effect.filter(|_| !seen.contains(&field.name)) {
            seen.push(field.name);
            no_effect
                .push(Located { at, value: format!("'{}' has no effect: {reason}", field.name) });
        }
    });
    let mut reader = Reader { complaints, no_effect };
    reader.workflow(Entry::of(root))
}

struct Reader<'c> {
    complaints: &'c mut Complaints,
    no_effect: Vec<Located<String>>,
}

impl Reader<'_> {
    fn workflow(&mut self, entry: Entry<'_>) -> Workflow {
        let name = self.name(entry);
        let no_jobs = entry.get("jobs").filter(|node| node.value == Value::List(Vec::new()));
        if let Some(node) = no_jobs {
            self.complaints.push_with_hint(node.at, "there are no jobs", "add one");
        }
        self.slurm_defaults(entry);
        let execution = entry.entry("execution_config");
        let stdio = execution.and_then(|execution| stdio(execution.entry("stdio")));
        Workflow {
            name,
            description: entry.plain_text("description"),
            project: entry.plain_text("project"),
            user: entry.plain_text("user"),
            metadata: entry.get("metadata").map(metadata),
            environment: entry.variables("env"),
            parameters: entry.parameters("parameters"),
            parameters_file: entry.text("parameters_file"),
            resources: entry
                .entries("resource_requirements")
                .map(|entry| self.resources(entry))
                .collect(),
            handlers: entry.entries("failure_handlers").map(|entry| self.handler(entry)).collect(),
            schedulers: entry
                .entries("slurm_schedulers")
                .filter_map(|entry| entry.text("name"))
                .collect(),
            files: entry.entries("files").map(file).collect(),
            user_data: entry
                .entries("user_data")
                .enumerate()
                .map(|(index, entry)| user_data(index, entry))
                .collect(),
            jobs: entry.entries("jobs").map(|entry| self.job(entry)).collect(),
            actions: entry.entries("actions").filter_map(|entry| self.action(entry)).collect(),
            execution: execution.map(|entry| self.execution(entry)).unwrap_or_default(),
            stdio,
            no_effect: std::mem::take(&mut self.no_effect),
        }
    }

    fn job(&mut self, entry: Entry<'_>) -> JobTemplate {
        let command = entry.required_text("command");
        if entry.text("command").is_some_and(|text| text.text.trim().is_empty()) {
            self.complaints.push_with_hint(command.at, "the command is empty", "say what to run");
        }
        JobTemplate {
            name: self.name(entry),
            command,
            priority: entry.integer("priority").unwrap_or(0),
            labels: entry.texts("labels"),
            invocation_script: entry.text("invocation_script"),
            environment: entry.variables("env"),
            resources: entry.text("resource_requirements"),
            handler: entry.text("failure_handler"),
            scheduler: entry.text("scheduler"),
            cancel_on_blocking_job_failure: entry
                .bool("cancel_on_blocking_job_failure")
                .unwrap_or(true),
            supports_termination: entry.bool("supports_termination"),
            depends_on: entry.links("depends_on", "depends_on_regexes"),
            inputs: entry.links("input_files", "input_file_regexes"),
            outputs: entry.links("output_files", "output_file_regexes"),
            input_user_data: entry.links("input_user_data", "input_user_data_regexes"),
            output_user_data: entry.links("output_user_data", "output_user_data_regexes"),
            stdio: stdio(entry.entry("stdio")),
            multiplier: entry.multiplier(),
        }
    }

    /// Returns the name of an entry, and complains when it is empty.
    fn name(&mut self, entry: Entry<'_>) -> Text {
        let name = entry.required_text("name");
        if entry.text("name").is_some_and(|text| text.text.is_empty()) {
            self.complaints.push_with_hint(
                name.at,
                "a name cannot be empty",
                "give it one, by which others can call it",
            );
        }
        name
    }

    fn resources(&mut self, entry: Entry<'_>) -> Located<Resources> {
        let name = self.name(entry);
        let nodes = entry.integer("num_nodes").unwrap_or(1);
        let about_nodes = "'num_nodes' above 1 has no effect";
        let is_known = |known: &Located<String>| known.value.starts_with(about_nodes);
        if nodes > 1 && !self.no_effect.iter().any(is_known) {
            let at = entry.get("num_nodes").map_or(entry.at, |node| node.at);
            let value = format!("{about_nodes}: a job runs on one node");
            self.no_effect.push(Located { at, value });
        }
        let value = Resources {
            name: name.text,
            cpus: entry.integer("num_cpus").unwrap_or(1),
            gpus: entry.integer("num_gpus").unwrap_or(0),
            nodes,
            memory: entry.memory("memory"),
            runtime: entry.text("runtime").and_then(|text| self.runtime(&text)),
        };
        Located { at: name.at, value }
    }

    fn runtime(&mut self, text: &Text) -> Option<Span> {
        match text.text.parse::<Duration>() {
            Ok(Duration(Span(0))) => {
                self.complaints.push_with_hint(
                    text.at,
                    "no job can run in a 'runtime' of 0",
                    "leave the field out for no limit",
                );
                None
            }
            Ok(Duration(span)) => Some(span),
            Err(_) => {
                self.complaints.push_with_hint(
                    text.at,
                    format!("'runtime': '{}' is no duration", text.text),
                    "write it as in PT1H30M (ISO 8601), 90m or 1h30m",
                );
                None
            }
        }
    }

    fn handler(&mut self, entry: Entry<'_>) -> Located<Handler> {
        let name = self.name(entry);
        let rules = entry.entries("rules").map(|entry| self.rule(entry)).collect();
        Located { at: name.at, value: Handler { name: name.text, rules } }
    }

    fn rule(&mut self, entry: Entry<'_>) -> Rule {
        let exit_codes: Vec<i32> = entry.integers("exit_codes");
        if exit_codes.contains(&0) {
            let at = entry.get("exit_codes").map_or(entry.at, |node| node.at);
            let message = "a rule cannot be for the exit code 0, which means success";
            self.complaints.push_with_hint(at, message, "remove the 0");
        }
        let match_all = entry.bool("match_all_exit_codes").unwrap_or(false);
        if exit_codes.is_empty() && !match_all {
            let value = "a rule without exit codes has no effect: it fits none".to_owned();
            self.no_effect.push(Located { at: entry.at, value });
        }
        Rule {
            exit_codes,
            match_all,
            recovery_script: entry.plain_text("recovery_script"),
            max_retries: entry.integer("max_retries").unwrap_or(DEFAULT_RETRIES),
        }
    }

    fn action(&mut self, entry: Entry<'_>) -> Option<ActionTemplate> {
        let action_type = entry.text("action_type")?;
        if action_type.text == "schedule_nodes" {
            let value = "'schedule_nodes' has no effect: torc does not submit to Slurm yet";
            if !self.no_effect.iter().any(|known| known.value == value) {
                self.no_effect.push(Located { at: action_type.at, value: value.to_owned() });
            }
            return None;
        }
        let trigger = trigger(&entry.text("trigger_type")?.text)?;
        let commands: Vec<_> = entry.texts("commands").into_iter().map(|text| text.text).collect();
        if commands.is_empty() {
            let message = "an action that runs commands needs the field 'commands'";
            self.complaints.push_with_hint(entry.at, message, "say what to run");
        }
        Some(ActionTemplate {
            at: entry.at,
            trigger,
            commands,
            jobs: entry.links("jobs", "job_name_regexes"),
            persistent: entry.bool("persistent").unwrap_or(false),
        })
    }

    fn execution(&mut self, entry: Entry<'_>) -> Execution {
        let defaults = Execution::default();
        if let Some(mode) = entry.text("mode").filter(|mode| mode.text == "slurm") {
            let value = "'mode: slurm' has no effect: jobs are not run by srun yet".to_owned();
            self.no_effect.push(Located { at: mode.at, value });
        }
        let seconds = |name, default: Span| {
            entry.integer(name).map_or(default, |seconds: u64| Span(seconds * 1_000_000))
        };
        Execution {
            sigkill_headroom: seconds("sigkill_headroom_seconds", defaults.sigkill_headroom),
            sigterm_lead: seconds("sigterm_lead_seconds", defaults.sigterm_lead),
            timeout_exit_code: entry
                .integer("timeout_exit_code")
                .unwrap_or(defaults.timeout_exit_code),
            oom_exit_code: entry.integer("oom_exit_code").unwrap_or(defaults.oom_exit_code),
            termination_signal: entry
                .text("termination_signal")
                .and_then(|text| self.signal(&text))
                .unwrap_or(defaults.termination_signal),
            limit_resources: entry.bool("limit_resources").unwrap_or(defaults.limit_resources),
        }
    }

    fn signal(&mut self, text: &Text) -> Option<i32> {
        let number = signal::number(&text.text);
        if number.is_none() {
            self.complaints.push_with_hint(
                text.at,
                format!("there is no signal '{}'", text.text),
                "write it as in SIGTERM or SIGUSR1",
            );
        }
        number
    }

    fn slurm_defaults(&mut self, entry: Entry<'_>) {
        let Some(Value::Map(options)) = entry.get("slurm_defaults").map(|node| &node.value) else {
            return;
        };
        for (key, _) in options {
            if SCHEDULER_OPTIONS.contains(&key.name.as_str()) {
                self.complaints.push_with_hint(
                    key.at,
                    format!("'{}' cannot be a Slurm default", key.name),
                    "give it in each entry of slurm_schedulers",
                );
            }
        }
    }
}

fn file(entry: Entry<'_>) -> FileTemplate {
    FileTemplate {
        name: entry.required_text("name"),
        path: entry.required_text("path"),
        identifier: entry.text("identifier"),
        modified: entry.number("st_mtime"),
        multiplier: entry.multiplier(),
    }
}

fn user_data(index: usize, entry: Entry<'_>) -> UserDataTemplate {
    let made_up = || Text { at: entry.at, text: format!("user_data_{}", index + 1) };
    UserDataTemplate {
        name: entry.text("name").unwrap_or_else(made_up),
        data: entry.get("data").cloned(),
        is_ephemeral: entry.bool("is_ephemeral").unwrap_or(false),
        multiplier: entry.multiplier(),
    }
}

fn stdio(entry: Option<Entry<'_>>) -> Option<Stdio> {
    let entry = entry?;
    let mode = entry.text("mode").map(|mode| mode.text);
    Some(Stdio {
        mode: match mode.as_deref() {
            Some("capture") => StdioMode::Capture,
            Some("combined") => StdioMode::Combined,
            Some("no_stdout") => StdioMode::NoStdout,
            Some("no_stderr") => StdioMode::NoStderr,
            Some("none") => StdioMode::None,
            _ => StdioMode::Separate,
        },
        delete_on_success: entry.bool("delete_on_success").unwrap_or(false),
    })
}

fn trigger(word: &str) -> Option<Trigger> {
    Some(match word {
        "on_workflow_start" => Trigger::WorkflowStart,
        "on_workflow_complete" => Trigger::WorkflowComplete,
        "on_jobs_ready" => Trigger::JobsReady,
        "on_jobs_complete" => Trigger::JobsComplete,
        "on_worker_start" => Trigger::WorkerStart,
        "on_worker_complete" => Trigger::WorkerComplete,
        _ => return None,
    })
}

/// Returns metadata as JSON text; text that is JSON already stays as it is.
fn metadata(node: &Node) -> String {
    match &node.value {
        Value::String(text) if serde_json::from_str::<serde_json::Value>(text).is_ok() => {
            text.clone()
        }
        _ => node.to_json(&str::to_owned),
    }
}
