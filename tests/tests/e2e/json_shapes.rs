//! What every command writes for programs is as the JSON Schemas say. A field that goes, comes or
//! changes its type fails here before it surprises a script.

use std::collections::BTreeSet;

use serde_json::Value;
use torc_tests::outcome::Outcome;
use torc_tests::schema::Schema;
use torc_tests::torc::Torc;

use crate::torc;

/// Jobs in many states: one that is tried again, one that runs, one that waits, one set aside.
const FLOW: &str = "
name: shapes
description: jobs in many states
metadata: '{\"by\": \"a test\"}'
files: [{name: table, path: table.txt}]
user_data: [{name: fit, data: {slope: 3}}]
failure_handlers: [{name: again, rules: [{exit_codes: [3], max_retries: 1}]}]
actions: [{trigger_type: on_workflow_start, action_type: run_commands, commands: [date]}]
jobs:
  - {name: good, command: 'echo out; echo err >&2; echo 1 > ${files.output.table}'}
  - {name: bad, command: exit 3, failure_handler: again}
  - {name: after, command: 'true', depends_on: [bad]}
  - {name: reads, command: 'cat ${files.input.table}', input_user_data: [fit]}
  - {name: lasting, command: 'while [ ! -e go ]; do sleep 0.02; done', priority: -1}
  - {name: aside, command: 'true', depends_on: [lasting]}
  - {name: labelled, command: 'true', labels: [gpu]}
";

/// How a command is asked, and what shape its answer has.
struct Case {
    /// The command, as in `torcctl --help`.
    command: &'static str,
    /// Its arguments.
    args: &'static [&'static str],
    /// What it writes with `--format json`; none where that is refused.
    json: Option<&'static str>,
    /// What each line is with `--format ndjson`.
    ndjson: &'static str,
    /// Its exit code.
    code: i32,
}

const fn case(
    command: &'static str,
    args: &'static [&'static str],
    json: &'static str,
    ndjson: &'static str,
) -> Case {
    Case { command, args, json: Some(json), ndjson, code: 0 }
}

/// What changes nothing.
const READING: &[Case] = &[
    case("status", &[], "status_output", "status_output"),
    case("daemon status", &[], "status_output", "status_output"),
    case("daemon socket-path", &[], "socket_path", "socket_path"),
    case("workflows list", &[], "workflow_list", "workflow"),
    case("workflows get", &["shapes"], "workflow", "workflow"),
    case("jobs list", &[], "job_list", "job"),
    case("jobs list", &["--actions"], "job_list", "job"),
    case("jobs get", &["bad"], "job_detail", "job_detail"),
    case("jobs get", &["reads"], "job_detail", "job_detail"),
    case("results list", &["--all-attempts"], "result_list", "result"),
    case("files list", &[], "file_list", "file"),
    case("user-data list", &[], "user_data_list", "user_data"),
    case("explain", &["after"], "explanation", "explanation"),
    case("snapshot list", &[], "snapshot_file_list", "snapshot_file"),
    case("api", &["--list"], "api_verbs", "api_verb"),
    case("config show", &[], "setting_list", "setting"),
    case("config show", &["snapshot.keep"], "setting", "setting"),
    case("config path", &[], "setting_file_list", "setting_file"),
];

/// What changes something, in an order that makes sense.
const CHANGING: &[Case] = &[
    case("snapshot", &[], "snapshot_outcome", "snapshot_outcome"),
    case("snapshot", &["--wait"], "snapshot_outcome", "snapshot_outcome"),
    Case { code: 4, ..case("snapshot", &["--wait=0"], "snapshot_outcome", "snapshot_outcome") },
    Case {
        code: 5,
        ..case(
            "snapshot",
            &["--wait", "--path", "flow.yaml/x.db"],
            "snapshot_outcome",
            "snapshot_outcome",
        )
    },
    case("snapshot verify", &[], "snapshot_file_list", "snapshot_file"),
    case("snapshot recover", &["--db", "all.db"], "recovery_list", "recovery"),
    case("jobs enable", &["aside"], "disabled_list", "disabled_list"),
    case("jobs disable", &["aside"], "disabled_list", "disabled_list"),
    case("daemon start", &[], "status_output", "status_output"),
    case("submit", &["small.yaml"], "submitted_output", "submitted_output"),
    case("wait", &["latest"], "workflow_list", "workflow"),
    case("exec", &["-c", "true"], "run_summary", "run_line"),
    Case { code: 1, ..case("run", &["mixed.yaml"], "run_summary", "run_line") },
    Case { code: 1, ..case("retry", &["mixed"], "run_summary", "run_line") },
    case("exec", &["--dry-run", "-c", "true"], "exec_dry_run", "exec_dry_run"),
    case("exec", &["--detach", "-c", "true"], "submitted_output", "submitted_output"),
    case("run", &["flow.yaml", "--dry-run"], "run_dry_run", "run_dry_run"),
    case("run", &["mixed", "--dry-run"], "rerun_list", "rerun"),
    case("cancel", &["shapes"], "canceled", "canceled"),
    Case { code: 1, ..case("wait", &["shapes"], "workflow_list", "workflow") },
    case("workflows delete", &["--yes", "mixed"], "deleted_list", "deleted_list"),
    case("daemon restart", &[], "status_output", "status_output"),
    case("daemon stop", &[], "snapshot_outcome", "snapshot_outcome"),
];

/// Commands that a test of their own looks at, or that have no JSON, with the reason.
const OTHERS: &[(&str, &str)] = &[
    ("watch", "ndjson only"),
    ("workflows graph", "its own option says the language"),
    ("logs", "the output of a job, as it is"),
    ("completions", "a script for a shell"),
    ("man", "pages for man"),
    ("help", "a text"),
    ("daemon logs", "lines of a log"),
    ("service print", "units of systemd"),
    ("service install", "needs systemd, or a stand-in: tests/e2e/service.rs"),
    ("service uninstall", "needs systemd, or a stand-in: tests/e2e/service.rs"),
];

/// Returns a home with a torcd in it, and jobs in many states.
fn scene() -> Torc {
    let torc = torc();
    torc.write("flow.yaml", FLOW);
    torc.write("small.yaml", "{name: small, jobs: [{name: a, command: 'true'}]}");
    let mixed = "{name: mixed, jobs: [{name: a, command: 'true'}, {name: b, command: exit 1}]}";
    torc.write("mixed.yaml", mixed);
    torc.args(["daemon", "start", "--in-memory", "--db", "all.db", "-q"]).run().expect(0);
    torc.args(["submit", "flow.yaml", "-q", "-j", "4"]).run().expect(0);
    torc.args(["jobs", "disable", "aside", "-q"]).run().expect(0);
    torc.contents_of("table.txt");
    torc
}

fn ask(torc: &Torc, case: &Case, format: &str) -> Outcome {
    let words = case.command.split(' ').chain(case.args.iter().copied());
    torc.args(words.chain(["--format", format])).run().expect(case.code)
}

/// Returns the values in the output: one, or one a line.
fn check(torc: &Torc, schema: &Schema, case: &Case) {
    if let Some(json) = case.json {
        let value = ask(torc, case, "json").json();
        schema.shape(json).check(&value);
    }
    let shape = schema.shape(case.ndjson);
    for line in ask(torc, case, "ndjson").json_lines() {
        shape.check(&line);
    }
}

#[test]
fn what_reads_writes_what_is_promised() {
    let (torc, schema) = (scene(), Schema::v1());
    for case in READING {
        check(&torc, &schema, case);
    }
    let graph = torc.args(["workflows", "graph", "--as", "json"]).run().expect(0).json();
    schema.shape("graph").check(&graph);
    assert!(graph["edges"].as_array().is_some_and(|edges| !edges.is_empty()));
    for refused in ["logs good", "watch"] {
        torc.args(refused.split(' ').chain(["--format", "json"])).run().expect_refusal(2, "");
    }
    torc.args(["cancel", "-q"]).run().expect(0);
    let lines = torc.args(["watch", "--from-seq", "1", "--format", "ndjson"]).run().expect(1);
    let shape = schema.shape("watch_line");
    lines.json_lines().iter().for_each(|line| shape.check(line));
    torc.args(["daemon", "stop", "-q"]).run().expect(0);
}

#[test]
fn what_changes_something_writes_what_is_promised() {
    let (torc, schema) = (scene(), Schema::v1());
    for case in CHANGING {
        // Twice, once for each form; what can be done but once is done for one of them.
        match case.command {
            "workflows delete" | "daemon stop" => {
                let value = ask(&torc, case, "json").json();
                schema.shape(case.json.unwrap()).check(&value);
            }
            _ => check(&torc, &schema, case),
        }
    }
}

#[test]
fn what_is_read_from_a_file_has_the_same_shape() {
    let (torc, schema) = (torc(), Schema::v1());
    torc.args(["exec", "-c", "true", "-c", "exit 3", "--format", "json"]).run().expect(1);
    for (command, definition) in [
        ("workflows list", "workflow_list"),
        ("jobs list", "job_list"),
        ("results list", "result_list"),
        ("jobs get job2", "job_detail"),
        ("snapshot list", "snapshot_file_list"),
    ] {
        let words = command.split(' ').chain(["--format", "json"]);
        schema.shape(definition).check(&torc.args(words).run().expect(0).json());
    }
}

#[test]
fn what_is_told_of_a_record_that_comes_home_has_its_shape() {
    let (torc, schema) = (torc(), Schema::v1());
    let daemon = torc.daemon(["--in-memory", "--snapshot", "place/torc.db"]);
    torc.args(["exec", "-q", "-c", "true"]).run().expect(0);
    torc.args(["exec", "-q", "--detach", "-c", "true"]).run().expect(0);
    torc.args(["wait", "-q"]).run().expect(0);
    daemon.kill_and_leave();
    for (more, outcome) in [("--dry-run", "planned"), ("-q", "recovered")] {
        let recover = ["snapshot", "recover", "--db", "place/torc.db", "--format", "json", more];
        let told = torc.args(recover).run().expect(0).json();
        schema.shape("recovery_list").check(&told);
        assert_eq!(told[0]["outcome"], outcome);
    }
}

#[test]
fn every_command_is_looked_at() {
    let mut commands = BTreeSet::new();
    let root = torcctl::cli::command();
    let mut open = vec![(String::new(), &root)];
    while let Some((name, command)) = open.pop() {
        let subcommands: Vec<_> =
            command.get_subcommands().filter(|it| !it.is_hide_set()).collect();
        // `snapshot` does something by itself, and has some.
        if subcommands.is_empty() || name == "snapshot" {
            commands.insert(name.clone());
        }
        for subcommand in subcommands {
            let name = format!("{name} {}", subcommand.get_name());
            open.push((name.trim_start().to_owned(), subcommand));
        }
    }
    let cases = READING.iter().chain(CHANGING).map(|case| case.command);
    let seen: BTreeSet<_> =
        cases.chain(OTHERS.iter().map(|(command, _)| *command)).map(str::to_owned).collect();
    assert_eq!(seen, commands);
}

/// A list: its command, the definition of a row, and what a column is called that is not as its field,
/// or follows from others.
const LISTS: [(&str, &str, &[&str], &[&str]); 6] = [
    ("workflows list", "workflow", &[], &["elapsed"]),
    ("jobs list", "job", &[], &[]),
    ("results list", "result", &[], &["cpu"]),
    ("files list", "file", &["modified"], &["modified_at"]),
    ("user-data list", "user_data", &[], &[]),
    ("snapshot list", "snapshot_file", &[], &[]),
];

#[test]
fn the_columns_of_csv_are_the_fields_of_json() {
    let (torc, schema) = (torc(), Schema::v1());
    torc.args(["exec", "-c", "true", "-q"]).run().expect(0);
    for (command, definition, gone, more) in LISTS {
        let csv = torc.args(command.split(' ').chain(["--format", "csv"])).run().expect(0).stdout;
        let header: BTreeSet<_> =
            csv.lines().next().unwrap().split(',').map(str::to_owned).collect();
        let mut expected = schema.leaves(definition);
        for name in gone {
            assert!(expected.remove(*name), "{definition} has no {name}");
        }
        expected.extend(more.iter().map(|name| (*name).to_owned()));
        assert_eq!(header, expected, "{command}");
    }
}

/// Returns the ids that a command writes.
fn ids(torc: &Torc, args: &[&str]) -> Vec<String> {
    let format = ["--format", "id"];
    let written = torc.args(args.iter().copied().chain(format)).run();
    assert_eq!(written.stderr, "", "{written}");
    written.expect(0).stdout.lines().map(str::to_owned).collect()
}

#[test]
fn ids_come_alone() {
    let torc = scene();
    assert_eq!(ids(&torc, &["workflows", "list"]), ["1"]);
    assert_eq!(ids(&torc, &["workflows", "get", "shapes"]), ["1"]);
    assert_eq!(ids(&torc, &["jobs", "list", "--name", "*ad*"]), ["2", "4"]);
    assert_eq!(ids(&torc, &["jobs", "get", "bad"]), ["2"]);
    assert_eq!(ids(&torc, &["results", "list", "--name", "good"]), ["1"]);
    assert_eq!(ids(&torc, &["files", "list"]), ["table.txt"]);
    assert_eq!(ids(&torc, &["user-data", "list"]), ["fit"]);
    let submitted = ids(&torc, &["submit", "small.yaml", "--key", "k"]);
    assert_eq!(submitted, ["2"]);
    assert_eq!(ids(&torc, &["submit", "small.yaml", "--key", "k"]), submitted);
    assert_eq!(ids(&torc, &["wait", "2"]), ["2"]);
    assert_eq!(ids(&torc, &["exec", "-c", "true", "--detach"]), ["3"]);
    assert_eq!(ids(&torc, &["exec", "-c", "true"]), ["4"]);
    let generations = ids(&torc, &["snapshot", "--wait"]);
    let status = torc.args(["status", "--format", "json"]).run().expect(0).json();
    assert_eq!(generations, [status["snapshot"]["last"]["generation"].to_string()]);
    for refused in [
        "snapshot",
        "status",
        "watch",
        "logs good",
        "explain good",
        "cancel",
        "api --list",
        "jobs disable aside",
        "workflows graph",
        "workflows delete 2 -y",
        "daemon stop",
        "jobs list --columns id,name",
        "daemon socket-path",
    ] {
        let words = refused.split(' ').chain(["--format", "id"]);
        let refusal = torc.args(words).run().expect_refusal(2, "");
        assert_eq!(refusal.stdout, "", "{refusal}");
    }
    torc.args(["daemon", "stop", "-q"]).run().expect(0);
}

/// Says nothing, whatever it does.
#[test]
fn quiet_says_nothing_but_errors() {
    let torc = scene();
    for quiet in [
        "wait 2",
        "snapshot --wait",
        "jobs enable aside -w shapes",
        "jobs disable aside -w shapes",
        "daemon start",
        "cancel shapes",
        "snapshot recover --db all.db",
        "workflows delete 2 -y",
        "daemon restart",
        "daemon stop",
    ] {
        if quiet == "wait 2" {
            let submitted = torc.args(["submit", "small.yaml", "-q"]).run().expect(0);
            assert_eq!((submitted.stdout.as_str(), submitted.stderr.as_str()), ("2\n", ""));
        }
        let outcome = torc.args(quiet.split(' ').chain(["-q"])).run().expect(0);
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""), "{outcome}");
    }
    torc.args(["status", "-q"]).run().expect_refusal(3, "no torcd is running");
}

/// Returns the parts of the reply to a request: `torcctl api` writes them a line each.
fn replies(torc: &Torc, requests: &[String]) -> Vec<Value> {
    torc.args(["api"]).stdin(requests.join("\n")).run().json_lines()
}

#[test]
fn every_verb_of_the_api_gives_what_is_promised() {
    let (torc, schema) = (scene(), Schema::v1());
    let listed = torc.args(["api", "--list", "--format", "json"]).run().expect(0).json();
    let (request, reply) = (schema.shape("api_request"), schema.shape("api_reply"));
    let mut requests = Vec::new();
    for verb in listed.as_array().unwrap() {
        request.check(&verb["example"]);
        requests.push(verb["example"].to_string());
    }
    // The watch of the example ends when the workflow does.
    let canceled = torc.args(["cancel", "shapes", "-q"]).run();
    canceled.expect(0);
    torc.args(["wait", "shapes", "-q"]).run().expect(1);
    let replies = replies(&torc, &requests);
    replies.iter().for_each(|part| reply.check(part));
    // Each was answered: by its own reply, or by an error that says why not.
    let mut parts = replies.iter();
    for verb in listed.as_array().unwrap() {
        let first = parts.next().unwrap_or_else(|| panic!("no reply to {verb}"));
        let is_refused = first["error"]["code"].is_string();
        let is_its_own = first.get(verb["reply"].as_str().unwrap()).is_some() || first == "end";
        assert!(is_refused || is_its_own, "{verb}: {first}");
        if verb["has_many_parts"] == true && !is_refused && first != "end" {
            assert!(parts.any(|part| part == "end"), "{verb} has no end");
        }
    }
    assert_eq!(parts.next(), None);
}
