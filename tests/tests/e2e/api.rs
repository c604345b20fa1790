//! `torcctl api`: lines of JSON in, lines of JSON out.

use serde_json::{Value, json};
use torc_tests::outcome::Outcome;
use torc_tests::torc::Torc;

use crate::{UNTIL_GO, torc};

/// Asks with these lines on stdin.
fn session(torc: &Torc, lines: &[Value]) -> Outcome {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    torc.args(["api"]).stdin(lines.join("\n")).run()
}

fn once(torc: &Torc, request: &Value) -> Outcome {
    torc.args(["api", &request.to_string()]).run()
}

/// Returns the requests that submit a workflow with these jobs: names and command lines.
fn submission(torc: &Torc, jobs: &[(&str, &str)]) -> Vec<Value> {
    let dir = torc.work();
    let context = json!({
        "working_dir": dir,
        "output_dir": dir.join("out"),
        "environment": {"PATH": std::env::var("PATH").unwrap(), "BYTES": {"base64": "//4="}},
    });
    let jobs = jobs.iter().map(|(name, line)| json!({"name": name, "command": {"line": line}}));
    vec![
        json!({"submit": {"spec": {"name": "w", "context": context}, "key": "k"}}),
        json!({"submit_jobs": {"jobs": jobs.collect::<Vec<_>>()}}),
        json!({"submit_commit": {}}),
    ]
}

#[test]
fn a_workflow_is_submitted_watched_and_read() {
    let torc = torc();
    let daemon = torc.daemon::<&str>([]);
    let mut requests =
        submission(&torc, &[("a", "echo out; printf %s \"$BYTES\" >&2"), ("b", "exit 3")]);
    requests.push(json!({"watch": {"from_seq": 1}}));
    requests.push(json!({"list_results": {"status": ["failed"]}}));
    requests.push(json!({"logs": {"job": {"name": {"name": "a"}}}}));
    requests.push(json!({"ping": {}}));
    let replies = session(&torc, &requests).expect(0).json_lines();
    assert_eq!(replies[0], json!({"submit_accepted": {"existing": null}}));
    assert_eq!(replies[1], replies[0]);
    assert_eq!(replies[2], json!({"submitted": {"workflow_id": 1, "jobs": 2, "existed": false}}));
    let ends: Vec<_> = (0..replies.len()).filter(|at| replies[*at] == "end").collect();
    let [watch, results] = ends[..] else { panic!("two replies have many parts: {replies:#?}") };
    let events = replies[3..watch].iter().filter_map(|part| part["watch"]["events"].as_array());
    let last = events.flatten().last().unwrap();
    assert_eq!(last["event"]["workflow_finished"]["status"], "failed");
    assert_eq!(replies[watch + 1]["results"][0]["name"], "b");
    assert_eq!(replies[watch + 1]["results"][0]["return_code"], 3);
    let logs = &replies[results + 1]["logs"];
    assert_eq!(logs["stdout"], json!({"bytes": "out\n"}));
    assert_eq!(logs["stderr"], json!({"bytes": {"base64": "//4="}}));
    assert_eq!(logs["ended"], true);
    assert_eq!(replies.last(), Some(&json!({"pong": {}})));

    // Again with the same key: the first is meant.
    let again = session(&torc, &submission(&torc, &[("a", "true")])[..1]).expect(0);
    assert_eq!(again.json(), json!({"submit_accepted": {"existing": 1}}));
    daemon.end();
}

#[test]
fn an_error_ends_its_request_and_nothing_else() {
    let torc = torc();
    let daemon = torc.daemon::<&str>([]);
    let input = "{\"ping\":{}}\n\n  \n{\"get_workflow\":{\"workflow\":{\"id\":9}}}\nnonsense\n\
                 {\"ping\":{\"loud\":1}}\n{\"list_jobs\":{\"workflow\":{\"name\":\"x\"}}}\n{\"status\":{}}";
    let outcome = torc.args(["api", "-"]).stdin(input).run().expect(6);
    assert_eq!(outcome.stderr, "");
    let replies = outcome.json_lines();
    assert_eq!(replies.len(), 6, "{replies:#?}");
    assert_eq!(replies[0], json!({"pong": {}}));
    assert_eq!(replies[1]["error"]["code"], "not_found");
    assert_eq!(replies[2]["error"]["code"], "invalid_request");
    let words = |at: usize| replies[at]["error"]["message"].as_str().unwrap();
    assert_eq!(words(2), "line 5, column 1: expected value");
    assert_eq!(words(3), "line 6, column 15: unknown field `loud`, there are no fields");
    assert_eq!(replies[4]["error"]["code"], "not_found");
    assert_eq!(replies[5]["status"]["pid"], daemon.pid());
    daemon.end();
}

#[test]
fn the_exit_code_is_that_of_the_kind_of_error() {
    let torc = torc();
    let daemon = torc.daemon::<&str>([]);
    let submit = submission(&torc, &[("a", UNTIL_GO)]);
    session(&torc, &submit).expect(0);
    torc.contents_of("started");
    for (request, code, word) in [
        (json!({"ping": {}}), 0, "pong"),
        (json!({"list_jobs": {"page": {"sort": "colour"}}}), 2, "invalid_request"),
        (json!({"pong": {}}), 2, "invalid_request"),
        (json!({"get_job": {"job": {"id": 99}}}), 6, "not_found"),
        (json!({"delete_workflow": {"workflow": "latest"}}), 7, "wrong_state"),
    ] {
        let outcome = once(&torc, &request).expect(code);
        assert!(outcome.stdout.contains(word), "{outcome}");
        assert_eq!((outcome.stdout.lines().count(), outcome.stderr.as_str()), (1, ""), "{outcome}");
    }
    torc.write("go", "");
    once(&torc, &json!({"watch": {}})).expect(0);
    daemon.end();
}

#[test]
fn what_is_no_request_is_refused_without_a_torcd() {
    let torc = torc();
    let outcome = torc.args(["api", "{\"ping\":"]).run().expect(2);
    assert_eq!(outcome.json()["error"]["code"], "invalid_request");
    for outcome in [once(&torc, &json!({"ping": {}})), session(&torc, &[json!({"ping": {}})])] {
        let refused = outcome.expect_refusal(3, "no torcd is running");
        assert_eq!(refused.stdout, "");
    }
    torc.args(["api", "--list", "--format", "csv"]).run().expect_refusal(2, "CSV");
    torc.args(["api", "--list", "{}"]).run().expect(2);
}

#[test]
fn a_file_is_read_and_not_changed() {
    let torc = torc();
    torc.args(["exec", "-c", "echo hello", "-q"]).run().expect(0);
    let ask = |request: &str| torc.args(["api", request, "--db", "torc_output/torc.db"]).run();
    let logs = ask("{\"logs\":{\"job\":{\"name\":{\"name\":\"job1\"}}}}").expect(0).json();
    assert_eq!(logs["logs"]["stdout"]["bytes"], "hello\n");
    let refused = ask("{\"cancel\":{\"workflow\":\"latest\"}}").expect(3).json();
    assert_eq!(refused["error"]["code"], "unavailable");
}

#[test]
fn snapshots_that_fail_are_told_beside_the_replies() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory", "--snapshot", "torc.db"]);
    // A directory in the way stops root, too.
    std::fs::create_dir(torc.path("torc.db")).unwrap();
    let requests =
        [json!({"snapshot": {"wait": "forever"}}), json!({"ping": {}}), json!({"ping": {}})];
    // That the rest was good does not make it so.
    let replies = session(&torc, &requests).expect(5).json_lines();
    let end = replies.iter().position(|part| part == "end").unwrap();
    assert!(replies[end - 1]["snapshot"]["failed"]["reason"].is_string(), "{replies:#?}");
    let [degraded, pong, last] = &replies[end + 1..] else { panic!("{replies:#?}") };
    assert!(degraded["degraded"]["error"]["reason"].is_string(), "{degraded:#}");
    assert_eq!([pong, last], [&json!({"pong": {}}), &json!({"pong": {}})]);
    std::fs::remove_dir(torc.path("torc.db")).unwrap();
    daemon.end();
}

#[test]
fn a_snapshot_that_is_not_on_disk_is_the_exit_code_whatever_comes_after_it() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory", "--snapshot", "torc.db"]);
    std::fs::create_dir(torc.path("torc.db")).unwrap();
    let snapshot = json!({"snapshot": {"wait": "forever"}});
    once(&torc, &snapshot).expect(5);
    let unknown = json!({"get_workflow": {"workflow": {"id": 9}}});
    session(&torc, &[snapshot.clone(), unknown]).expect(5);
    // Nobody has waited for this one.
    once(&torc, &json!({"snapshot": {}})).expect(0);
    std::fs::remove_dir(torc.path("torc.db")).unwrap();
    once(&torc, &snapshot).expect(0);
    daemon.end();
}

#[test]
fn a_shutdown_whose_final_snapshot_fails_is_told_by_the_exit_code() {
    let torc = torc();
    std::fs::create_dir(torc.path("spill")).unwrap();
    let flags = ["--in-memory", "--snapshot", "torc.db", "--spill-dir", "spill"];
    let mut daemon = torc.daemon(flags);
    session(&torc, &submission(&torc, &[("a", "true")])).expect(0);
    once(&torc, &json!({"watch": {}})).expect(0);
    std::fs::create_dir(torc.path("torc.db")).unwrap();
    let outcome = once(&torc, &json!({"shutdown": {}})).expect(5);
    assert_eq!(outcome.stderr, "");
    let replies = outcome.json_lines();
    let [.., told, end] = &replies[..] else { panic!("{replies:#?}") };
    assert!(told["snapshot"]["failed"]["kept"]["path"].is_string(), "{replies:#?}");
    assert_eq!(end, "end");
    assert_eq!(daemon.exit_code(), 5);
}

#[test]
fn a_torcd_that_is_lost_before_it_tells_of_its_final_snapshot_may_not_have_one() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory", "--snapshot", "torc.db"]);
    session(&torc, &submission(&torc, &[("a", UNTIL_GO)])).expect(0);
    torc.contents_of("started");
    // It waits for the job, and says so.
    let script = "exec torcctl api '{\"shutdown\":{\"running\":\"wait\"}}' > out";
    let path = torc.torcctl_path();
    let path = format!("{}:{}", path.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let shell = torc.program(std::path::Path::new("bash")).args(["-c", script]).env("PATH", path);
    let running = shell.start();
    assert_eq!(torc.contents_of("out"), "{\"snapshot\":{\"jobs\":1}}\n");
    daemon.kill();
    running.wait().expect_refusal(5, "final snapshot may not be on disk");
    torc.write("go", "");
}

#[test]
fn a_line_without_an_end_is_passed_over_in_bounded_memory() {
    let torc = torc();
    let daemon = torc.daemon::<&str>([]);
    let mut input = b"{\"get_workflow\":{\"workflow\":{\"name\":\"".to_vec();
    input.resize(17 * 1024 * 1024, b'x');
    input.extend(b"\"}}}\n{\"ping\":{}}\n");
    // What is two bytes here is far more in a frame.
    let settings = vec![json!({}); 700_000];
    let spec = json!({
        "name": "w", "settings": settings, "context": {"working_dir": "/", "output_dir": "/"},
    });
    input.extend(json!({"submit": {"spec": spec}}).to_string().into_bytes());
    let replies = torc.args(["api"]).stdin(input).run().expect(2).json_lines();
    let message = |at: usize| replies[at]["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(message(0), "line 1: a request has at most 16777216 bytes");
    assert_eq!(replies[1], json!({"pong": {}}));
    assert_eq!(message(2), "the request is too large to be sent");
    daemon.end();
}

#[test]
fn a_torcd_that_goes_ends_an_idle_session_unless_it_was_told_to() {
    let torc = torc();
    let daemon = torc.daemon::<&str>([]);
    // The input stays open as long as the shell has its other end.
    let script = "mkfifo in; exec 3<>in; echo '{\"ping\":{}}' >&3; exec torcctl api < in > out";
    let path = torc.torcctl_path();
    let path = format!("{}:{}", path.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let shell = torc.program(std::path::Path::new("bash")).args(["-c", script]).env("PATH", path);
    let running = shell.start();
    assert_eq!(torc.contents_of("out"), "{\"pong\":{}}\n");
    daemon.kill();
    running.wait().expect_refusal(3, "the connection to torcd failed");

    // What comes after that may still be answered, or not.
    let mut daemon = torc.daemon::<&str>([]);
    let replies = session(&torc, &[json!({"shutdown": {}})]).expect(0).json_lines();
    assert_eq!(replies.last(), Some(&json!("end")));
    assert_eq!(daemon.exit_code(), 0);
}
