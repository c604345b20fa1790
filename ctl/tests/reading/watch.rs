//! `watch`.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use torc_protocol::event::{Event, EventKind};
use torc_protocol::request::Request;
use torc_protocol::response::{Response, WatchItem};
use torc_protocol::status::JobStatus;
use torc_protocol::status::WorkflowStatus::{Completed, Failed, Running};

use crate::script::{Script, text};
use crate::views::{ended, events, finished, got, not_there, state};

/// Returns the lines without their times.
fn without_times(stdout: &[u8]) -> Vec<&str> {
    text(stdout).lines().map(|line| &line["2026-03-01 14:05:09  ".len()..]).collect()
}

#[test]
fn it_begins_with_the_state_and_ends_with_the_workflow() {
    let mut watch = state(3, Running, 5);
    let kinds = vec![
        finished(7, JobStatus::Completed, 0),
        finished(8, JobStatus::Failed, 3),
        ended(Failed),
    ];
    watch.extend([events(3, 5, kinds), Response::End]);
    let (output, requests) = Script::new(vec![got(3, Running), watch]).run(&["watch"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), ""));
    assert_eq!(
        without_times(&output.stdout),
        [
            "workflow 3 'night': running, 2 jobs: 1 ready, 1 running",
            "completed      0      3.1 s  job7",
            "failed         3      3.1 s  job8  exit code 3",
            "failed                       workflow 3  2 jobs: 1 completed, 1 failed",
        ]
    );
    let Request::Watch(watch) = &requests[1] else { panic!("{requests:?}") };
    assert_eq!(watch.from_seq, None);
}

#[test]
fn a_workflow_that_has_ended_is_one_line() {
    let mut watch = state(3, Completed, 5);
    watch.push(Response::End);
    let (output, _) = Script::new(vec![got(3, Completed), watch]).run(&["watch", "3"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let expected = ["workflow 3 'night': completed, 2 jobs: 2 completed"];
    assert_eq!(without_times(&output.stdout), expected);
}

#[test]
fn ndjson_is_the_events_as_they_are_each_once() {
    let first = vec![
        events(3, 5, vec![finished(7, JobStatus::Completed, 0)]),
        Response::Watch(WatchItem::CaughtUp { next_seq: 6 }),
        Response::Watch(WatchItem::Cut { next_seq: 6 }),
        Response::End,
    ];
    let kinds = vec![
        finished(7, JobStatus::Completed, 0),
        EventKind::JobsCanceled { count: 1 },
        ended(Failed),
    ];
    let second = vec![events(3, 5, kinds), Response::End];
    let script = Script::of_connections(vec![vec![got(3, Running), first], vec![second]]);
    let (output, requests) = script.run(&["watch", "3", "--from-seq", "5", "--format", "ndjson"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), ""));
    let told: Vec<Event> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.iter().map(|event| event.seq).collect::<Vec<_>>(), [5, 6, 7]);
    let (Request::Watch(first), Request::Watch(second)) = (&requests[1], &requests[2]) else {
        panic!("{requests:?}")
    };
    assert_eq!((first.from_seq, second.from_seq), (Some(5), Some(6)));
}

#[test]
fn ndjson_has_the_state_where_events_are_not_told() {
    let mut watch = state(3, Running, 5);
    watch.extend([events(3, 5, vec![ended(Completed)]), Response::End]);
    let script = Script::new(vec![got(3, Running), watch]);
    let (output, _) = script.run(&["watch", "--format", "ndjson"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let mut lines = text(&output.stdout).lines();
    let state: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!((&state["next_seq"], &state["state"]["status"]), (&5.into(), &"running".into()));
    assert_eq!(state.get("event"), None);
    serde_json::from_str::<Event>(lines.next().unwrap()).unwrap();
    assert_eq!(lines.next(), None);
}

#[test]
fn a_stream_is_no_array_and_no_table_of_values() {
    for format in ["json", "csv"] {
        let (output, requests) = Script::of_connections(vec![]).run(&["watch", "--format", format]);
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert!(text(&output.stderr).contains("hint: use `--format ndjson`"));
        assert!(requests.is_empty());
    }
}

#[test]
fn events_that_end_before_the_workflow_leave_its_state_to_be_asked_for() {
    let nothing = vec![Response::Watch(WatchItem::CaughtUp { next_seq: 9 }), Response::End];
    let script = Script::new(vec![got(3, Running), nothing, got(3, Completed)]);
    let (output, _) = script.run(&["watch", "3", "--from-seq", "9"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let expected = ["workflow 3 'night': completed, 2 jobs: 2 completed"];
    assert_eq!(without_times(&output.stdout), expected);
}

#[test]
fn a_workflow_that_is_not_there_is_exit_code_six() {
    let (output, _) = Script::new(vec![not_there()]).run(&["watch", "9"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(6), ""));
}

#[test]
fn a_reader_that_leaves_ends_it_even_when_nothing_happens() {
    let script = Script::new(vec![got(3, Running), state(3, Running, 5), Vec::new()]);
    let mut command = script.command(&["watch", "3"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("running"), "{line}");
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), &*stderr), (Some(0), ""));
    script.finish();
}

#[test]
fn ctrl_c_ends_it_with_130() {
    let script = Script::new(vec![got(3, Running), state(3, Running, 5), Vec::new()]);
    let mut child = script.command(&["watch", "3"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    script.finish();
}
