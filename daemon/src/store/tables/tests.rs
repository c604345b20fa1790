use bytes::Bytes;
use rusqlite::Connection;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::request::WorkflowSelector;
use torc_protocol::result::{AttemptResult, Ending, LogPart, Output, StreamKind, Usage};
use torc_protocol::spec::{
    Command, Environment, JobContext, JobSettings, JobSpec, StdioMode, WorkflowSpec,
};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::{Span, Timestamp};

use super::{attempt, job, output, settings, workflow};
use crate::store::home::Home;
use crate::store::sql::is_duplicate;

const NASTY: &str = "a 'b' \"c\" \\ \n\t; DROP TABLE job; -- ü 🦀";

fn database() -> Connection {
    Home::Memory.open_writer(None).unwrap()
}

fn submit(connection: &Connection, name: &str) -> WorkflowId {
    let context = JobContext {
        environment: Environment(Bytes::from_static(b"A=\xFF\0B=1\0")),
        working_dir: "/w".to_owned(),
        output_dir: "/o".to_owned(),
    };
    let spec = WorkflowSpec {
        name: name.to_owned(),
        description: Some(NASTY.to_owned()),
        context,
        settings: Vec::new(),
        max_parallel_jobs: Some(7),
    };
    let id = workflow::insert_draft(connection, &spec, Timestamp(1)).unwrap();
    workflow::publish(connection, id, Timestamp(2)).unwrap();
    id
}

fn add(connection: &Connection, workflow: WorkflowId, name: &str, command: Command) -> JobId {
    let spec = JobSpec { name: name.to_owned(), command, priority: i32::MIN, settings: 0 };
    job::insert(connection, workflow, &spec).unwrap()
}

fn add_line(connection: &Connection, workflow: WorkflowId, name: &str) -> JobId {
    add(connection, workflow, name, Command::Line("true".to_owned()))
}

fn first(job: JobId) -> AttemptId {
    AttemptId { job, number: AttemptNumber(1) }
}

#[test]
fn settings_come_back_as_they_were() {
    let connection = database();
    let id = submit(&connection, "w");
    let modes = [
        StdioMode::Capture,
        StdioMode::Separate,
        StdioMode::Combined,
        StdioMode::NoStdout,
        StdioMode::NoStderr,
        StdioMode::None,
    ];
    let far = Span(i64::MAX as u64);
    let mut stored: Vec<JobSettings> =
        modes.into_iter().map(|stdio| JobSettings { stdio, ..JobSettings::default() }).collect();
    stored.push(JobSettings {
        retries: u32::MAX,
        retry_delay: far,
        timeout: Some(Span(0)),
        cpus: u32::MAX,
        grace: far,
        environment: vec![
            ("B".to_owned(), NASTY.to_owned()),
            ("A".to_owned(), String::new()),
            ("B".to_owned(), "=".to_owned()),
        ],
        working_dir: Some(NASTY.to_owned()),
        ..JobSettings::default()
    });
    settings::insert(&connection, id, &stored).unwrap();
    assert_eq!(settings::list(&connection, id).unwrap(), stored);
    assert!(settings::list(&connection, WorkflowId(9)).unwrap().is_empty());
}

#[test]
fn an_environment_is_kept_byte_for_byte_until_it_is_forgotten() {
    let connection = database();
    let id = submit(&connection, "w");
    let environment = Environment(Bytes::from_static(b"A=\xFF\xFE\0B=\n\0"));
    settings::insert_environment(&connection, id, &environment).unwrap();
    assert_eq!(settings::environment(&connection, id).unwrap(), Some(environment));
    settings::delete_environment(&connection, id).unwrap();
    assert_eq!(settings::environment(&connection, id).unwrap(), None);
}

#[test]
fn commands_come_back_as_they_were() {
    let connection = database();
    let id = submit(&connection, "w");
    let argv = |words: &[&str]| Command::Argv(words.iter().map(ToString::to_string).collect());
    let commands =
        [Command::Line(NASTY.to_owned()), argv(&["echo", NASTY, ""]), argv(&[]), argv(&["x"])];
    for (number, command) in commands.into_iter().enumerate() {
        let name = format!("{NASTY} {number}");
        let job = add(&connection, id, &name, command.clone());
        assert_eq!(job::command(&connection, job).unwrap(), (name.clone(), command));
        let view = job::by_name(&connection, id, &name).unwrap().unwrap();
        assert_eq!((view.id, view.priority, view.status), (job, i32::MIN, JobStatus::Ready));
        assert_eq!(job::by_id(&connection, job).unwrap(), Some(view));
    }
}

#[test]
fn a_name_is_taken_once_in_a_workflow_and_once_in_another() {
    let connection = database();
    let (one, other) = (submit(&connection, "w"), submit(&connection, "w"));
    add_line(&connection, one, "a");
    add_line(&connection, other, "a");
    let again = JobSpec {
        name: "a".to_owned(),
        command: Command::Line(String::new()),
        priority: 0,
        settings: 0,
    };
    assert!(is_duplicate(&job::insert(&connection, one, &again).unwrap_err()));
    assert!(!is_duplicate(&connection.execute_batch("nonsense").unwrap_err()));
}

#[test]
fn numbers_beyond_those_of_the_database_name_nothing() {
    let connection = database();
    submit(&connection, "w");
    for number in [0, 99, i64::MAX as u64, u64::MAX] {
        assert_eq!(job::by_id(&connection, JobId(number)).unwrap(), None);
        let selector = WorkflowSelector::Id(WorkflowId(number));
        assert_eq!(workflow::find(&connection, &selector).unwrap(), None);
    }
}

#[test]
fn a_code_stays_until_there_is_another() {
    let connection = database();
    let id = submit(&connection, "w");
    let job = add_line(&connection, id, "a");
    job::set(&connection, job, JobStatus::Ready, 1, Some(3)).unwrap();
    job::set(&connection, job, JobStatus::Pending, 2, None).unwrap();
    let view = job::by_id(&connection, job).unwrap().unwrap();
    assert_eq!((view.return_code, view.attempts), (Some(3), 2));
}

#[test]
fn only_what_waits_is_canceled_and_only_in_its_workflow() {
    let connection = database();
    let (one, other) = (submit(&connection, "w"), submit(&connection, "w"));
    for (number, status) in JobStatus::ALL.iter().enumerate() {
        let job = add_line(&connection, one, &number.to_string());
        job::set(&connection, job, *status, 0, None).unwrap();
    }
    let elsewhere = add_line(&connection, other, "a");
    job::cancel_waiting(&connection, one).unwrap();
    let states = job::states(&connection, one).unwrap();
    let left = |status| states.iter().filter(|job| job.status == status).count();
    assert_eq!((left(JobStatus::Ready), left(JobStatus::Blocked)), (0, 0));
    assert_eq!((left(JobStatus::Canceled), left(JobStatus::Running)), (3, 1));
    let elsewhere = job::by_id(&connection, elsewhere).unwrap().unwrap();
    assert_eq!(elsewhere.status, JobStatus::Ready);
}

#[test]
fn outputs_are_read_in_parts_from_any_offset() {
    let connection = database();
    let id = first(add_line(&connection, submit(&connection, "w"), "a"));
    let data = Bytes::from_static(b"01234\xFF\x006789");
    output::put(&connection, id, StreamKind::Stdout, &Output::Inline(data.clone())).unwrap();
    let part = |offset, limit| {
        let kind = StreamKind::Stdout;
        match output::part(&connection, id, kind, offset, limit).unwrap() {
            (LogPart::Bytes(bytes), 11) => bytes,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(part(0, 100), data);
    assert_eq!(part(4, 3), data[4..7]);
    assert_eq!(part(10, u32::MAX), data[10..]);
    assert!(part(0, 0).is_empty());
    for beyond in [11, 12, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
        assert!(part(beyond, 100).is_empty(), "{beyond}");
    }
}

#[test]
fn an_output_may_be_in_a_file_or_nowhere() {
    let connection = database();
    let id = first(add_line(&connection, submit(&connection, "w"), "a"));
    let (path, bytes) = (NASTY.to_owned(), 1 << 40);
    let file = Output::File { path: path.clone(), bytes, error: Some("no room".to_owned()) };
    output::put(&connection, id, StreamKind::Stderr, &file).unwrap();
    output::put(&connection, id, StreamKind::Stdout, &Output::None).unwrap();
    let part = |kind| output::part(&connection, id, kind, 3, 4).unwrap();
    assert_eq!(part(StreamKind::Stderr), (LogPart::File { path, bytes }, bytes));
    assert_eq!(part(StreamKind::Stdout), (LogPart::Bytes(Bytes::new()), 0));
}

#[test]
fn an_attempt_that_runs_becomes_its_result_or_is_lost() {
    let connection = database();
    let workflow = submit(&connection, "w");
    let (ends, lost) =
        (add_line(&connection, workflow, "ends"), add_line(&connection, workflow, "lost"));
    let running = attempt::Running { node: "n", pid: Some(5), started_at: Timestamp(-3) };
    attempt::put_running(&connection, first(ends), running).unwrap();
    attempt::put_running(&connection, first(lost), running).unwrap();
    let result = AttemptResult {
        ending: Ending::Exited(2),
        stopped: None,
        started_at: Timestamp(-3),
        finished_at: Timestamp(4),
        usage: Usage { peak_memory: 1 << 40, ..Usage::default() },
        stdout: Output::None,
        stderr: Output::None,
    };
    attempt::put_result(&connection, first(ends), "n", Some(5), &result).unwrap();
    let at = Timestamp(9);
    assert_eq!(attempt::mark_lost(&connection, workflow, "gone", at).unwrap(), 1);
    let status = |job| attempt::status(&connection, first(job)).unwrap();
    assert_eq!((status(ends), status(lost)), (Some(JobStatus::Failed), Some(JobStatus::Failed)));
    assert_eq!(status(JobId(99)), None);
    assert_eq!(attempt::last(&connection, lost).unwrap(), Some(AttemptNumber(1)));
    assert_eq!(attempt::last(&connection, JobId(99)).unwrap(), None);
}

#[test]
fn workflows_are_found_by_what_names_them_and_unfinished_ones_by_that() {
    let connection = database();
    let (a, b) = (submit(&connection, "same"), submit(&connection, "same"));
    let other = submit(&connection, "other");
    let found = |selector| workflow::find(&connection, &selector).unwrap().map(|view| view.id);
    assert_eq!(found(WorkflowSelector::Latest), Some(other));
    assert_eq!(found(WorkflowSelector::Name("same".to_owned())), Some(b));
    assert_eq!(found(WorkflowSelector::Id(a)), Some(a));
    assert_eq!(found(WorkflowSelector::Name("sam*".to_owned())), None);
    workflow::finish(&connection, b, WorkflowStatus::Failed, Timestamp(8)).unwrap();
    let unfinished = workflow::unfinished(&connection).unwrap();
    let ids: Vec<_> = unfinished.iter().map(|(view, limit)| (view.id, *limit)).collect();
    assert_eq!(ids, [(a, Some(7)), (other, Some(7))]);
    let view = workflow::find(&connection, &WorkflowSelector::Id(b)).unwrap().unwrap();
    assert_eq!(view.description.as_deref(), Some(NASTY));
    assert_eq!((view.submitted_at, view.finished_at), (Timestamp(2), Some(Timestamp(8))));
}

#[test]
fn a_workflow_goes_with_all_that_is_its_own() {
    let connection = database();
    let (gone, stays) = (submit(&connection, "gone"), submit(&connection, "stays"));
    for id in [gone, stays] {
        settings::insert(&connection, id, &[JobSettings::default()]).unwrap();
        settings::insert_environment(&connection, id, &Environment::default()).unwrap();
        for name in ["a", "b", "c"] {
            let attempt = first(add_line(&connection, id, name));
            let running = attempt::Running { node: "n", pid: Some(5), started_at: Timestamp(3) };
            attempt::put_running(&connection, attempt, running).unwrap();
            let inline = Output::Inline(Bytes::from_static(b"x"));
            output::put(&connection, attempt, StreamKind::Stdout, &inline).unwrap();
        }
    }
    assert_eq!(job::delete_some(&connection, gone, 2).unwrap(), 2);
    assert_eq!(job::delete_some(&connection, gone, 2).unwrap(), 1);
    workflow::delete(&connection, gone).unwrap();
    for (table, left) in [
        ("workflow", 1),
        ("settings", 1),
        ("environment", 1),
        ("job", 3),
        ("attempt", 3),
        ("output", 3),
    ] {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, left, "{table}");
    }
}
