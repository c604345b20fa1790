//! `workflows get` and `delete`.

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{Request, WorkflowSelector};
use torc_protocol::response::{Deleted, Response};
use torc_protocol::status::WorkflowStatus::{Completed, Failed, Running};
use torc_protocol::view::WorkflowView;

use crate::script::{Script, text};
use crate::views::{got, not_there, workflow};

fn deleted(id: u64) -> Vec<Response> {
    vec![Response::Deleted(Deleted { workflow_id: WorkflowId(id), jobs: 2 })]
}

#[test]
fn one_workflow_is_a_page_or_an_object() {
    let (output, _) = Script::new(vec![got(3, Failed)]).run(&["workflows", "get", "3"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert!(text(&output.stdout).starts_with("workflow   night (id 3)\nstatus     failed\n"));
    let json = ["workflows", "get", "--format", "json"];
    let (output, _) = Script::new(vec![got(3, Failed)]).run(&json);
    let found: WorkflowView = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found, workflow(3, Failed));
    let (output, _) = Script::new(vec![not_there()]).run(&["workflows", "get", "9"]);
    assert_eq!(output.status.code(), Some(6));
}

#[test]
fn workflows_are_deleted_by_their_ids_each_once() {
    let answers =
        vec![got(3, Failed), got(4, Completed), got(4, Completed), deleted(3), deleted(4)];
    let script = Script::new(answers.clone());
    let (output, requests) = script.run(&["workflows", "delete", "3", "4", "night", "--yes"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let expected = "workflow 3 'night' with 2 jobs is deleted\n\
        workflow 4 'night' with 2 jobs is deleted\n";
    assert_eq!(text(&output.stdout), expected);
    let [.., Request::DeleteWorkflow(first), Request::DeleteWorkflow(second)] = &requests[..]
    else {
        panic!("{requests:?}")
    };
    assert_eq!(first.workflow, WorkflowSelector::Id(WorkflowId(3)));
    assert_eq!(second.workflow, WorkflowSelector::Id(WorkflowId(4)));
    let json = ["workflows", "delete", "3", "4", "night", "--yes", "--format", "json"];
    let (output, _) = Script::new(answers).run(&json);
    let told: Vec<Deleted> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told.iter().map(|it| it.workflow_id.0).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn nothing_is_deleted_when_one_runs_or_is_not_there() {
    let script = Script::new(vec![got(3, Failed), got(4, Running), Vec::new()]);
    let (output, requests) = script.run(&["workflows", "delete", "3", "4", "--yes"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(7), ""));
    assert_eq!(
        text(&output.stderr),
        "error: workflow 4 'night' is running, and nothing was deleted\n\
         hint: `torcctl wait 4` waits for its end, `torcctl cancel 4` ends it\n"
    );
    assert_eq!(requests.len(), 2);
    let script = Script::new(vec![got(3, Failed), not_there(), Vec::new()]);
    let (output, requests) = script.run(&["workflows", "delete", "3", "9", "--yes"]);
    assert_eq!((output.status.code(), requests.len()), (Some(6), 2));
}

#[test]
fn without_a_terminal_nobody_can_say_yes() {
    let script = Script::new(vec![got(3, Failed), Vec::new()]);
    let (output, requests) = script.run(&["workflows", "delete", "3"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
    assert!(text(&output.stderr).contains("hint: add `--yes`"), "{}", text(&output.stderr));
    assert_eq!(requests.len(), 1);
}

#[test]
fn what_changes_something_is_not_for_a_file() {
    for arguments in [
        &["workflows", "delete", "3", "--yes"][..],
        &["jobs", "disable", "a"],
        &["jobs", "enable", "a"],
    ] {
        let arguments = [arguments, &["--db", "torc.db"]].concat();
        let (output, requests) = Script::of_connections(vec![]).run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("error: torc.db is only read"));
        assert!(requests.is_empty());
    }
}
