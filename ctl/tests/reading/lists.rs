//! `files list`, `user-data list`, and what the other lists have besides.

use torc_protocol::request::{ListFiles, ListJobs, ListResults, ListUserData, Request};
use torc_protocol::response::Response;
use torc_protocol::result::FileStamp;
use torc_protocol::view::{FileView, UserDataView};

use crate::script::{Script, text};
use crate::views::not_there;

fn files() -> Script {
    let file = |id, stamp| FileView {
        id,
        name: format!("part_{id}"),
        path: format!("out/{id}.txt"),
        written_by: Some("split".to_owned()),
        read_by: 2,
        stamp,
    };
    let stamp = FileStamp { modified: 1_500_000_000, bytes: 2048 };
    let files = vec![file(1, Some(stamp)), file(2, None)];
    Script::new(vec![vec![Response::Files(files), Response::End]])
}

fn values() -> Script {
    let value = |id, is_ephemeral| UserDataView {
        id,
        name: format!("fit_{id}"),
        data: Some(r#"{"a": 1}"#.to_owned()),
        is_ephemeral,
        written_by: None,
        read_by: 0,
    };
    Script::new(vec![vec![
        Response::UserData(vec![value(1, true), value(2, false)]),
        Response::End,
    ]])
}

#[test]
fn files_are_listed_with_who_uses_them() {
    let arguments =
        ["files", "list", "3", "--columns", "name,path,written_by,read_by,bytes", "--sort", "path"];
    let (output, requests) = files().run(&arguments);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    insta::assert_snapshot!(text(&output.stdout), @r"
    NAME    PATH       WRITTEN BY  READERS     SIZE
    part_1  out/1.txt  split             2  2.0 KiB
    part_2  out/2.txt  split             2        -
    ");
    let [Request::ListFiles(ListFiles { page, .. })] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(page.sort.as_deref(), Some("path"));
    let (output, _) = files().run(&["files", "list", "--format", "csv"]);
    assert_eq!(
        text(&output.stdout),
        "id,name,path,written_by,read_by,modified_at,bytes\n\
         1,part_1,out/1.txt,split,2,1.5,2048\n\
         2,part_2,out/2.txt,split,2,,\n"
    );
}

#[test]
fn user_data_are_listed_with_who_uses_them() {
    let (output, requests) = values().run(&["user-data", "list", "--name", "fit_*"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    insta::assert_snapshot!(text(&output.stdout), @r#"
    ID  NAME   EPHEMERAL  WRITTEN BY  READERS  DATA
     1  fit_1  yes        -                 0  {"a": 1}
     2  fit_2  -          -                 0  {"a": 1}
    "#);
    let [Request::ListUserData(ListUserData { name, .. })] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(name.as_deref(), Some("fit_*"));
    let columns = ["user-data", "list", "--columns", "name,is_ephemeral", "--format", "ndjson"];
    let (output, _) = values().run(&columns);
    let expected = "{\"name\":\"fit_1\",\"is_ephemeral\":true}\n\
        {\"name\":\"fit_2\",\"is_ephemeral\":false}\n";
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn lists_of_nothing_and_of_a_workflow_that_is_not_there() {
    for (noun, things) in [("files", "files"), ("user-data", "values")] {
        let (output, _) = Script::new(vec![vec![Response::End]]).run(&[noun, "list", "3"]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""));
        assert_eq!(text(&output.stderr), format!("no {things} in workflow 3\n"));
        let (output, _) = Script::new(vec![not_there()]).run(&[noun, "list", "9"]);
        assert_eq!(output.status.code(), Some(6), "{noun}");
    }
}

#[test]
fn labels_actions_and_attempts_are_asked_for() {
    let asked = |arguments: &[&str]| {
        let (output, mut requests) = Script::new(vec![vec![Response::End]]).run(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        requests.remove(0)
    };
    let Request::ListJobs(ListJobs { label, actions, .. }) =
        asked(&["jobs", "list", "--label", "gpu", "--actions"])
    else {
        panic!("no list of jobs")
    };
    assert_eq!((label.as_deref(), actions), (Some("gpu"), true));
    let Request::ListResults(ListResults { all_attempts, actions, .. }) =
        asked(&["results", "list", "--all-attempts", "--actions"])
    else {
        panic!("no list of results")
    };
    assert!(all_attempts && actions);
}
