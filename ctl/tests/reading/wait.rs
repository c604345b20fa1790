//! `wait`.

use torc_protocol::request::{Request, WorkflowSelector};
use torc_protocol::response::{Response, WatchItem};
use torc_protocol::status::WorkflowStatus::{Canceled, Completed, Failed, Paused, Running};
use torc_protocol::view::WorkflowView;

use crate::script::{Script, text};
use crate::views::{ended, events, got, not_there, state};

/// A watch that is asked for and never ends: torcd waits for another request.
fn endless(id: u64) -> Vec<Vec<Response>> {
    vec![state(id, Running, 5), Vec::new()]
}

fn ids(json: &[u8]) -> Vec<u64> {
    let workflows: Vec<WorkflowView> = serde_json::from_slice(json).unwrap();
    workflows.iter().map(|workflow| workflow.id.0).collect()
}

#[test]
fn what_has_ended_already_is_told_at_once() {
    for (status, code, jobs) in [
        (Completed, 0, "2 completed"),
        (Failed, 1, "1 completed, 1 failed"),
        (Canceled, 1, "1 completed, 1 canceled"),
        (Paused, 1, "1 completed, 1 disabled"),
    ] {
        let (output, requests) = Script::new(vec![got(3, status)]).run(&["wait"]);
        assert_eq!(output.status.code(), Some(code), "{status}");
        let expected = format!("workflow 3 'night': {status}, 2 jobs: {jobs}\n");
        assert_eq!((text(&output.stdout), text(&output.stderr)), (&*expected, ""));
        let [Request::GetWorkflow(get)] = &requests[..] else { panic!("{requests:?}") };
        assert_eq!(get.workflow, WorkflowSelector::Latest);
    }
}

#[test]
fn the_end_is_heard_of_and_not_asked_for() {
    let mut watch = state(3, Running, 5);
    watch.push(events(3, 5, vec![ended(Failed)]));
    watch.push(Response::End);
    let script = Script::of_connections(vec![vec![got(3, Running), Vec::new()], vec![watch]]);
    let (output, requests) = script.run(&["wait", "3"]);
    assert_eq!(output.status.code(), Some(1));
    let expected = "workflow 3 'night': failed, 2 jobs: 1 completed, 1 failed\n";
    assert_eq!((text(&output.stdout), text(&output.stderr)), (expected, ""));
    assert_eq!(requests.len(), 2, "{requests:?}");
}

#[test]
fn a_watch_that_is_cut_goes_on_where_it_was() {
    let mut cut = state(3, Running, 5);
    cut.push(Response::Watch(WatchItem::Cut { next_seq: 7 }));
    cut.push(Response::End);
    let rest = vec![events(3, 7, vec![ended(Completed)]), Response::End];
    let script = Script::of_connections(vec![
        vec![got(3, Running), Vec::new()],
        vec![cut, Vec::new()],
        vec![rest],
    ]);
    let (output, requests) = script.run(&["wait", "3"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let [Request::GetWorkflow(_), Request::Watch(first), Request::Watch(second)] = &requests[..]
    else {
        panic!("{requests:?}")
    };
    assert_eq!((first.from_seq, second.from_seq), (None, Some(7)));
}

#[test]
fn all_are_waited_for_and_each_is_named_once() {
    let mut watch = state(4, Running, 5);
    watch.extend([events(4, 5, vec![ended(Completed)]), Response::End]);
    let script = Script::of_connections(vec![
        vec![got(3, Failed), got(4, Running), got(4, Running), Vec::new()],
        vec![watch],
    ]);
    let (output, _) = script.run(&["wait", "3", "4", "night", "--format", "json"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), ""));
    assert_eq!(ids(&output.stdout), [3, 4]);
}

#[test]
fn any_is_the_first_that_ends() {
    let mut watch = state(4, Running, 5);
    watch.extend([events(4, 5, vec![ended(Completed)]), Response::End]);
    let script = Script::of_connections(vec![
        vec![got(3, Running), got(4, Running), Vec::new()],
        endless(3),
        vec![watch],
    ]);
    let (output, _) = script.run(&["wait", "3", "4", "--any", "--format", "ndjson"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let workflow: WorkflowView = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((workflow.id.0, workflow.status), (4, Completed));
    // One that has ended before is it as well, and nothing is watched then.
    let script = Script::new(vec![got(3, Running), got(4, Failed)]);
    let (output, _) = script.run(&["wait", "3", "4", "--any"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_end_of_the_time_is_exit_code_four_and_what_has_ended_is_told() {
    let script = || {
        let first = vec![got(3, Running), got(4, Completed), Vec::new()];
        Script::of_connections(vec![first, endless(3)])
    };
    for (timeout, shown) in [("0.05", "50 ms"), ("0", "0.0 ms")] {
        let (output, _) = script().run(&["wait", "3", "4", "--timeout", timeout]);
        assert_eq!(output.status.code(), Some(4));
        assert_eq!(text(&output.stdout), "workflow 4 'night': completed, 2 jobs: 2 completed\n");
        let expected = format!(
            "error: workflow 3 'night' has not ended after {shown}\n\
             hint: it goes on; `torcctl watch 3` shows how\n"
        );
        assert_eq!(text(&output.stderr), expected);
    }
    let (output, _) = script().run(&["wait", "3", "4", "--timeout", "0", "--format", "json"]);
    assert_eq!((output.status.code(), ids(&output.stdout)), (Some(4), vec![4]));
}

#[test]
fn one_that_is_not_there_is_told_before_anything_is_waited_for() {
    let script = Script::new(vec![got(3, Running), not_there()]);
    let (output, _) = script.run(&["wait", "3", "9"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(6), ""));
    assert_eq!(text(&output.stderr), "error: there is no workflow 9\nhint: look\n");
}

#[test]
fn a_torcd_that_goes_is_exit_code_three() {
    let first = vec![got(3, Running), Vec::new()];
    let script = Script::of_connections(vec![first, vec![state(3, Running, 5)]]);
    let (output, _) = script.run(&["wait", "3"]);
    assert_eq!(output.status.code(), Some(3));
    let stderr = text(&output.stderr);
    assert!(
        stderr.starts_with("error: torcd has gone, and workflow 3 'night' had not ended: "),
        "{stderr}"
    );
    assert!(stderr.contains("\nhint: "), "{stderr}");
}

#[test]
fn a_workflow_that_nobody_runs_is_not_waited_for() {
    let mut watch = state(3, Running, 0);
    watch.push(Response::End);
    let script = Script::of_connections(vec![
        vec![got(3, Running), Vec::new()],
        vec![watch, got(3, Running)],
    ]);
    let (output, _) = script.run(&["wait", "3"]);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(
        text(&output.stderr),
        "error: workflow 3 'night' is recorded as running, but nobody runs it\n\
         hint: `torcctl run 3` runs what is left of it\n"
    );
}
