use bytes::Bytes;
use rusqlite::Connection;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::request::{ListJobs, ListResults, ListWorkflows, Page};
use torc_protocol::result::{AttemptResult, Ending, Output, StreamKind, Usage};
use torc_protocol::spec::{Command, Environment, JobContext, JobSpec, WorkflowSpec};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::{Span, Timestamp};

use super::{QueryError, jobs, results, workflows};
use crate::store::home::Home;
use crate::store::tables::{attempt, job, output, workflow};

/// Workflows `one`, `two` (ended) and a draft; `one` has jobs 1 to 4: `a1`, `a2`, `b1`, `B[1]`.
fn database() -> Connection {
    let connection = Home::Memory.open_writer(None).unwrap();
    for name in ["one", "two", "draft"] {
        let dir = || "/".to_owned();
        let environment = Environment::default();
        let context = JobContext { environment, working_dir: dir(), output_dir: dir() };
        let spec = WorkflowSpec {
            name: name.to_owned(),
            description: None,
            context,
            settings: Vec::new(),
            max_parallel_jobs: None,
        };
        let id = workflow::insert_draft(&connection, &spec, Timestamp(1)).unwrap();
        if name != "draft" {
            workflow::publish(&connection, id, Timestamp(1)).unwrap();
        }
    }
    let two = WorkflowId(2);
    workflow::finish(&connection, two, WorkflowStatus::Completed, Timestamp(5)).unwrap();
    for (name, priority) in [("a1", 2), ("a2", -2), ("b1", 0), ("B[1]", 2)] {
        let command = Command::Line(format!("echo {name}"));
        let job = JobSpec { name: name.to_owned(), command, priority, settings: 0 };
        job::insert(&connection, WorkflowId(1), &job).unwrap();
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
        ending: Ending::Exited(code),
        stopped: None,
        started_at: Timestamp(1),
        finished_at: Timestamp(2),
        usage: Usage { wall: Span(u64::from(number)), ..Usage::default() },
        stdout: Output::Inline(Bytes::from_static(b"four")),
        stderr: Output::File { path: "/e".to_owned(), bytes: 9, error: None },
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
