use bytes::Bytes;
use rusqlite::Connection;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::request::{ListFiles, ListJobs, ListResults, ListUserData, ListWorkflows, Page};
use torc_protocol::result::{AttemptResult, Ending, Output, StreamKind, Usage};
use torc_protocol::spec::{
    Command, Environment, FileSpec, JobContext, JobSettings, JobSpec, UserDataSpec, WorkflowSpec,
};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::{Span, Timestamp};

use super::{QueryError, files, jobs, results, user_data, workflows};
use crate::store::home::Home;
use crate::store::tables::{self, attempt, file, job, output, settings, workflow};

/// Workflows `one`, `two` (ended) and a draft; `one` has jobs 1 to 4: `a1`, `a2`, `b1`, `B[1]`.
fn database() -> Connection {
    let connection = Home::Memory.open_writer(None).unwrap();
    for name in ["one", "two", "draft"] {
        let dir = || "/".to_owned();
        let environment = Environment::default();
        let context = JobContext { environment, working_dir: dir(), output_dir: dir() };
        let spec = WorkflowSpec { name: name.to_owned(), context, ..WorkflowSpec::default() };
        let id = workflow::insert_draft(&connection, &spec, Timestamp(1)).unwrap();
        if name != "draft" {
            workflow::publish(&connection, id, None, Timestamp(1)).unwrap();
        }
    }
    let two = WorkflowId(2);
    workflow::finish(&connection, two, WorkflowStatus::Completed, Timestamp(5)).unwrap();
    for (name, priority) in [("a1", 2), ("a2", -2), ("b1", 0), ("B[1]", 2)] {
        let command = Command::Line(format!("echo {name}"));
        let job = JobSpec { name: name.to_owned(), command, priority, ..JobSpec::default() };
        job::insert(&connection, WorkflowId(1), &job, &[]).unwrap();
    }
    connection
}

fn page(sort: Option<&str>, reverse: bool, offset: u64, limit: Option<u64>) -> Page {
    Page { sort: sort.map(str::to_owned), reverse, offset, limit }
}

fn job_ids(connection: &Connection, request: &ListJobs) -> Result<Vec<u64>, QueryError> {
    let mut ids = Vec::new();
    jobs::list(connection, WorkflowId(1), request, &mut |job| {
        ids.push(job.id.0);
        true
    })?;
    Ok(ids)
}

fn paged(connection: &Connection, page: Page) -> Vec<u64> {
    job_ids(connection, &ListJobs { page, ..ListJobs::default() }).unwrap()
}

#[test]
fn a_page_is_a_part_of_the_whole_in_its_order() {
    let connection = database();
    assert_eq!(paged(&connection, Page::default()), [1, 2, 3, 4]);
    assert_eq!(paged(&connection, page(None, true, 1, Some(2))), [3, 2]);
    assert_eq!(paged(&connection, page(Some("priority"), false, 0, None)), [2, 3, 1, 4]);
    assert_eq!(paged(&connection, page(Some("priority"), true, 0, None)), [4, 1, 3, 2]);
    assert_eq!(paged(&connection, page(Some("name"), false, 0, Some(1))), [4]);
    assert_eq!(paged(&connection, page(None, false, 0, Some(u64::MAX))), [1, 2, 3, 4]);
    assert!(paged(&connection, page(None, false, u64::MAX, None)).is_empty());
    assert!(paged(&connection, page(None, false, 0, Some(0))).is_empty());
}

#[test]
fn jobs_are_chosen_by_state_and_by_glob() {
    let connection = database();
    job::set(&connection, JobId(2), JobStatus::Failed, 1, Some(1)).unwrap();
    job::set(&connection, JobId(3), JobStatus::Running, 1, None).unwrap();
    let chosen = |status: &[JobStatus], name: Option<&str>| {
        let (status, name) = (status.to_vec(), name.map(str::to_owned));
        job_ids(&connection, &ListJobs { status, name, ..ListJobs::default() }).unwrap()
    };
    assert_eq!(chosen(&[JobStatus::Failed, JobStatus::Running], None), [2, 3]);
    assert_eq!(chosen(&[], Some("a?")), [1, 2]);
    assert!(chosen(&[JobStatus::Failed], Some("*1")).is_empty());
    assert_eq!(chosen(&[], Some("B[[]1]")), [4]);
    assert!(chosen(&[], Some("' OR 1=1 --")).is_empty());
}

#[test]
fn every_field_can_be_sorted_by_and_no_other() {
    let connection = database();
    let mut count = 0;
    for (field, _) in jobs::SORT {
        count += paged(&connection, page(Some(field), true, 0, None)).len();
    }
    assert_eq!(count, 4 * jobs::SORT.len());
    for (field, _) in workflows::SORT {
        let page = page(Some(field), false, 0, None);
        let request = ListWorkflows { page, ..ListWorkflows::default() };
        workflows::list(&connection, &request, &mut |_| true).unwrap();
    }
    for (field, _) in results::SORT {
        let page = page(Some(field), false, 0, None);
        let request = ListResults { page, ..ListResults::default() };
        results::list(&connection, WorkflowId(1), &request, &mut |_| true).unwrap();
    }
    let page = page(Some("id; DROP TABLE job"), false, 0, None);
    let error = job_ids(&connection, &ListJobs { page, ..ListJobs::default() }).unwrap_err();
    assert!(error.to_string().contains("expected one of id, name, "), "{error}");
}

#[test]
fn a_list_ends_when_nobody_wants_more() {
    let mut seen = 0;
    jobs::list(&database(), WorkflowId(1), &ListJobs::default(), &mut |_| {
        seen += 1;
        seen < 2
    })
    .unwrap();
    assert_eq!(seen, 2);
}

#[test]
fn a_draft_is_in_no_list() {
    let connection = database();
    let listed = |request: ListWorkflows| {
        let mut names = Vec::new();
        workflows::list(&connection, &request, &mut |workflow| {
            names.push(workflow.name);
            true
        })
        .unwrap();
        names
    };
    assert_eq!(listed(ListWorkflows::default()), ["one", "two"]);
    let status = vec![WorkflowStatus::Completed];
    assert_eq!(listed(ListWorkflows { status, ..ListWorkflows::default() }), ["two"]);
    let name = Some("dr*".to_owned());
    assert!(listed(ListWorkflows { name, ..ListWorkflows::default() }).is_empty());
}

fn put_attempt(connection: &Connection, job: u64, number: u32, code: i32) {
    let id = AttemptId { job: JobId(job), number: AttemptNumber(number) };
    let result = AttemptResult {
        started_at: Timestamp(1),
        usage: Usage { wall: Span(u64::from(number)), ..Usage::default() },
        stdout: Output::Inline(Bytes::from_static(b"four")),
        stderr: Output::File { path: "/e".to_owned(), bytes: 9, error: None },
        ..AttemptResult::bare(Ending::Exited(code), Timestamp(2))
    };
    attempt::put_result(connection, id, "n", Some(3), &result).unwrap();
    output::put(connection, id, StreamKind::Stdout, &result.stdout).unwrap();
    output::put(connection, id, StreamKind::Stderr, &result.stderr).unwrap();
    job::set(connection, id.job, result.status(), number, Some(code)).unwrap();
}

#[test]
fn results_are_the_last_of_each_job_unless_all_are_wanted() {
    let connection = database();
    put_attempt(&connection, 1, 1, 7);
    put_attempt(&connection, 1, 2, 0);
    put_attempt(&connection, 3, 1, 7);
    let listed = |request: ListResults| {
        let mut ids = Vec::new();
        results::list(&connection, WorkflowId(1), &request, &mut |result| {
            ids.push((result.job_id.0, result.attempt.0));
            true
        })
        .unwrap();
        ids
    };
    let plain = ListResults::default;
    assert_eq!(listed(plain()), [(1, 2), (3, 1)]);
    let all = ListResults { all_attempts: true, ..plain() };
    assert_eq!(listed(all.clone()), [(1, 1), (1, 2), (3, 1)]);
    assert_eq!(listed(ListResults { return_code: Some(7), ..all.clone() }), [(1, 1), (3, 1)]);
    let status = vec![JobStatus::Completed];
    assert_eq!(listed(ListResults { status, ..all.clone() }), [(1, 2)]);
    assert_eq!(listed(ListResults { name: Some("b*".to_owned()), ..all }), [(3, 1)]);
}

#[test]
fn a_result_has_all_that_is_known_of_its_attempt() {
    let connection = database();
    put_attempt(&connection, 2, 1, 7);
    let result = results::of_job(&connection, JobId(2)).unwrap().remove(0);
    assert_eq!((result.name.as_str(), result.command.as_str()), ("a2", "echo a2"));
    assert_eq!((result.status, result.return_code), (JobStatus::Failed, Some(7)));
    assert_eq!((result.stdout_bytes, result.stdout_path), (4, None));
    assert_eq!((result.stderr_bytes, result.stderr_path.as_deref()), (9, Some("/e")));
    assert_eq!((result.reason.as_str(), result.node.as_str()), ("exit code 7", "n"));
    assert_eq!(result.usage.unwrap().wall, Span(1));
    assert!(results::of_job(&connection, JobId(1)).unwrap().is_empty());
}

#[test]
fn jobs_are_chosen_by_label_and_actions_are_apart() {
    let connection = database();
    let labeled = JobSettings { labels: vec!["a,b".to_owned()], ..JobSettings::default() };
    settings::insert(&connection, WorkflowId(1), &[JobSettings::default(), labeled]).unwrap();
    let job = JobSpec { name: "labeled".to_owned(), settings: 1, ..JobSpec::default() };
    let id = job::insert(&connection, WorkflowId(1), &job, &[]).unwrap();
    let chosen = |label: &str| {
        let label = Some(label.to_owned());
        job_ids(&connection, &ListJobs { label, ..ListJobs::default() }).unwrap()
    };
    assert_eq!((chosen("a,b"), chosen("a")), (vec![id.0], vec![]));
    assert_eq!(job::by_id(&connection, id).unwrap().unwrap().labels, ["a,b"]);
    let actions = ListJobs { actions: true, ..ListJobs::default() };
    assert!(job_ids(&connection, &actions).unwrap().is_empty());
}

#[test]
fn edges_files_and_user_data_are_listed_with_who_uses_them() {
    let connection = database();
    let workflow = WorkflowId(1);
    let spec = JobSpec { name: "c".to_owned(), depends_on: vec![0], ..JobSpec::default() };
    let job = job::insert(&connection, workflow, &spec, &[JobId(2), JobId(1)]).unwrap();
    let mut edges = Vec::new();
    jobs::edges(&connection, workflow, &mut |edge| {
        edges.push((edge.job_id, edge.depends_on.0));
        true
    })
    .unwrap();
    assert_eq!(edges, [(job, 2), (job, 1)]);

    let file = FileSpec { name: "f".to_owned(), path: "p".to_owned() };
    let key = file::insert(&connection, workflow, &file).unwrap();
    file::add_use(&connection, JobId(1), key, true).unwrap();
    file::add_use(&connection, JobId(2), key, false).unwrap();
    let mut listed = Vec::new();
    files::list(&connection, workflow, &ListFiles::default(), &mut |view| {
        listed.push((view.name, view.written_by, view.read_by, view.stamp));
        true
    })
    .unwrap();
    assert_eq!(listed, [("f".to_owned(), Some("a1".to_owned()), 1, None)]);
    let mut uses = Vec::new();
    files::uses(&connection, workflow, &mut |one| {
        uses.push((one.job_id.0, one.is_output));
        true
    })
    .unwrap();
    assert_eq!(uses, [(1, true), (2, false)]);

    let value = UserDataSpec { name: "u".to_owned(), data: Some("1".into()), is_ephemeral: true };
    let key = tables::user_data::insert(&connection, workflow, &value).unwrap();
    tables::user_data::add_use(&connection, JobId(2), key, false).unwrap();
    let mut listed = Vec::new();
    user_data::list(&connection, workflow, &ListUserData::default(), &mut |view| {
        listed.push((view.name, view.data, view.is_ephemeral, view.written_by, view.read_by));
        true
    })
    .unwrap();
    assert_eq!(listed, [("u".to_owned(), Some("1".to_owned()), true, None, 1)]);
}
