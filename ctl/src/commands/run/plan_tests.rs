use torc_protocol::time::Span;

use super::*;
use crate::commands::running::args::Stdio;
use crate::spec::complaint::Source;
use crate::spec::workflow_file::understand;

/// Reads a workflow file in YAML.
fn workflow(text: &str) -> Workflow {
    let source = Source { name: "flow.yaml".into(), text: text.into() };
    understand(&source, None, Path::new("")).unwrap_or_else(|error| panic!("{error}"))
}

fn plan_with(text: &str, args: &FileArgs) -> FilePlan {
    FilePlan::new(workflow(text), args).unwrap()
}

fn plan(text: &str) -> FilePlan {
    plan_with(text, &FileArgs::default())
}

const FLOW: &str = "
name: flow
project: climate
metadata: '{\"project\": \"own\", \"year\": 2026}'
env: {A: '1', B: '2'}
resource_requirements:
  - {name: big, num_cpus: 4, memory: 2g, num_gpus: 1, runtime: PT1H}
failure_handlers:
  - name: again
    rules: [{exit_codes: [7], max_retries: 2, recovery_script: ./fix.sh}]
files:
  - {name: raw, path: raw.csv}
  - {name: out, path: out.csv}
execution_config: {sigterm_lead_seconds: 20, timeout_exit_code: 99}
actions:
  - {trigger_type: on_jobs_complete, action_type: run_commands, commands: [date], jobs: [a]}
jobs:
  - {name: a, command: make out, input_files: [raw], output_files: [out], resource_requirements: big}
  - {name: b, command: use out, input_files: [out], failure_handler: again, env: {B: '3', C: '4'}}
  - {name: c, command: plot, depends_on: [b], priority: 5}
";

#[test]
fn jobs_come_with_what_they_wait_for_read_and_write() {
    let plan = plan(FLOW);
    let jobs: Vec<_> = plan.jobs().collect();
    assert_eq!((&jobs[0].inputs[..], &jobs[0].outputs[..]), (&[0][..], &[1][..]));
    assert_eq!((&jobs[1].depends_on[..], &jobs[1].inputs[..]), (&[0][..], &[1][..]));
    assert_eq!((&jobs[2].depends_on[..], jobs[2].priority), (&[1][..], 5));
    let paths: Vec<_> = plan.files().map(|file| file.path).collect();
    assert_eq!(paths, ["raw.csv", "out.csv"]);
    assert_eq!(plan.spec.actions[0].jobs, [0]);
    assert_eq!(plan.spec.actions[0].trigger, Trigger::OnJobsComplete);
}

#[test]
fn settings_say_what_the_file_says() {
    let plan = plan(FLOW);
    let settings = |job: usize| &plan.spec.settings[plan.kinds[job] as usize];
    let big = settings(0);
    assert_eq!((big.cpus, big.memory, big.gpus), (4, Some(2 << 30), 1));
    assert_eq!(big.requirements.as_deref(), Some("big"));
    assert_eq!(big.runtime, Some(Span(3_600_000_000)));
    assert_eq!(big.timeout_code, 99);
    let rule = settings(1).retry_rule(7).unwrap();
    assert_eq!((rule.max_retries, rule.recovery_script.as_deref()), (2, Some("./fix.sh")));
    assert_eq!(settings(1).retry_rule(8), None);
    assert_eq!(plan.reserve().lead, Span(20_000_000));
}

#[test]
fn jobs_of_one_kind_share_their_settings() {
    let text = "
name: sweep
jobs:
  - {name: 'j{i}', command: 'run {i}', parameters: {i: '1:1000'}}
  - {name: last, command: sum, depends_on_regexes: [j], cancel_on_blocking_job_failure: false}
";
    let plan = plan(text);
    assert_eq!(plan.jobs().count(), 1001);
    assert_eq!(plan.spec.settings.len(), 2);
    assert!(plan.spec.settings[0].cancel_on_blocking_job_failure);
    assert!(!plan.spec.settings[1].cancel_on_blocking_job_failure);
}

#[test]
fn the_command_line_wins_over_the_file() {
    let args = FileArgs {
        name: Some("other".to_owned()),
        env: vec!["B=9".to_owned()],
        stdio: Some(Stdio::Combined),
        timeout: Some("5m".parse().unwrap()),
        retries: 1,
        ..FileArgs::default()
    };
    let mut plan = plan_with(FLOW, &args);
    plan.set_stdio(StdioMode::Separate);
    assert_eq!(plan.spec.name, "other");
    let settings = &plan.spec.settings[plan.kinds[1] as usize];
    assert_eq!(settings.stdio, StdioMode::Combined);
    assert_eq!(settings.timeout, Some(Span(300_000_000)));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(settings.environment, [pair("A", "1"), pair("B", "2"), pair("B", "9")]);
    let job = plan.jobs().nth(1).unwrap();
    assert_eq!(job.environment, [pair("C", "4")]);
    let without_handler = &plan.spec.settings[plan.kinds[2] as usize];
    assert_eq!(without_handler.retry_rule(1).map(|rule| rule.max_retries), Some(1));
    assert_eq!(settings.retry_rule(1), None);
}

#[test]
fn output_goes_where_the_file_says_or_where_the_database_is() {
    let text = "
name: x
jobs:
  - {name: a, command: 'true', stdio: {mode: none}}
  - {name: b, command: 'true'}
";
    let mut plan = plan(text);
    plan.set_stdio(StdioMode::Separate);
    let mode = |job: usize| plan.spec.settings[plan.kinds[job] as usize].stdio;
    assert_eq!((mode(0), mode(1)), (StdioMode::None, StdioMode::Separate));
    assert!(plan.writes_files());
}

#[test]
fn what_the_author_says_of_it_becomes_one_object() {
    let value = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let found = plan(FLOW).spec.metadata.unwrap();
    assert_eq!(value(&found), serde_json::json!({"project": "own", "year": 2026}));
    let plain = plan("name: x\njobs: [{name: a, command: 'true'}]");
    assert_eq!(plain.spec.metadata, None);
}

#[test]
fn a_trigger_about_jobs_that_names_none_means_all() {
    let trigger = resolved::Trigger::JobsReady;
    let commands = vec!["date".to_owned()];
    let spec = action(&Action { trigger, commands, jobs: Vec::new(), persistent: false }, 3);
    assert_eq!(spec.jobs, [0, 1, 2]);
}

#[test]
fn a_timeout_or_a_name_that_is_nothing_is_refused() {
    let text = "name: x\njobs: [{name: a, command: 'true'}]";
    let refused = |args: FileArgs| {
        let error = FilePlan::new(workflow(text), &args).unwrap_err();
        assert_eq!(error.exit_code(), crate::exit_code::USAGE);
        error.message
    };
    let timeout = Some("0".parse().unwrap());
    assert!(refused(FileArgs { timeout, ..FileArgs::default() }).contains("timeout of 0"));
    let name = Some(String::new());
    assert!(refused(FileArgs { name, ..FileArgs::default() }).contains("name of a workflow"));
}
