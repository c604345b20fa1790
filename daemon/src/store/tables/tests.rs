use bytes::Bytes;
use rusqlite::Connection;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::request::WorkflowSelector;
use torc_protocol::result::{
    AttemptResult, Ending, FileStamp, FileStamps, LogPart, Output, StreamKind, Usage,
};
use torc_protocol::spec::{
    Command, Environment, FileSpec, JobContext, JobSettings, JobSpec, RetryRule, RunOptions,
    StdioMode, Trigger, WorkflowSpec,
};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::{Span, Timestamp};

use super::{action, attempt, file, job, output, settings, workflow};
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
        options: RunOptions { max_parallel_jobs: Some(7), ..RunOptions::default() },
        ..WorkflowSpec::default()
    };
    let id = workflow::insert_draft(connection, &spec, Timestamp(1)).unwrap();
    workflow::publish(connection, id, None, Timestamp(2)).unwrap();
    id
}

fn add(connection: &Connection, workflow: WorkflowId, name: &str, command: Command) -> JobId {
    let name = name.to_owned();
    let spec = JobSpec { name, command, priority: i32::MIN, ..JobSpec::default() };
    job::insert(connection, workflow, &spec, &[]).unwrap()
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
    // In JSON it is a number of seconds, exact to the microsecond for a century.
    let far = Span(100 * 365 * 24 * 3_600_000_000 + 1);
    let mut stored: Vec<JobSettings> =
        modes.into_iter().map(|stdio| JobSettings { stdio, ..JobSettings::default() }).collect();
    stored.push(JobSettings {
        retry: vec![RetryRule {
            exit_codes: vec![i32::MIN, 0, 255],
            any: true,
            max_retries: u32::MAX,
            recovery_script: Some(NASTY.to_owned()),
        }],
        retry_delay: far,
        timeout: Some(Span(0)),
        requirements: Some(NASTY.to_owned()),
        cpus: u32::MAX,
        memory: Some(1 << 60),
        limit_memory: false,
        gpus: u32::MAX,
        runtime: Some(far),
        delete_on_success: true,
        termination_signal: 12,
        timeout_code: -1,
        out_of_memory_code: i32::MAX,
        cancel_on_blocking_job_failure: false,
        labels: vec!["a,b".to_owned(), NASTY.to_owned()],
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
        let task = job::task(&connection, job).unwrap();
        assert_eq!((task.name, task.command), (name.clone(), command));
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
    let again = JobSpec { name: "a".to_owned(), ..JobSpec::default() };
    assert!(is_duplicate(&job::insert(&connection, one, &again, &[]).unwrap_err()));
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
    assert_eq!((left(JobStatus::Canceled), left(JobStatus::Running)), (4, 1));
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
        started_at: Timestamp(-3),
        usage: Usage { peak_memory: 1 << 40, ..Usage::default() },
        ..AttemptResult::bare(Ending::Exited(2), Timestamp(4))
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
    let ids: Vec<_> =
        unfinished.iter().map(|(view, options)| (view.id, options.max_parallel_jobs)).collect();
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
            let spec = FileSpec { name: name.to_owned(), path: name.to_owned() };
            file::insert(&connection, id, &spec).unwrap();
            let attempt = first(add_line(&connection, id, name));
            let running = attempt::Running { node: "n", pid: Some(5), started_at: Timestamp(3) };
            attempt::put_running(&connection, attempt, running).unwrap();
            let inline = Output::Inline(Bytes::from_static(b"x"));
            output::put(&connection, attempt, StreamKind::Stdout, &inline).unwrap();
        }
    }
    assert!(!workflow::delete_some(&connection, gone, 2).unwrap());
    assert_eq!(job::states(&connection, gone).unwrap().len(), 1);
    assert!(!workflow::delete_some(&connection, gone, 2).unwrap(), "there is another file");
    assert!(workflow::delete_some(&connection, gone, 2).unwrap());
    for (table, left) in [
        ("workflow", 1),
        ("settings", 1),
        ("environment", 1),
        ("job", 3),
        ("attempt", 3),
        ("output", 3),
        ("file", 3),
    ] {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, left, "{table}");
    }
}

#[test]
fn a_job_waits_for_others_that_it_names_and_the_view_says_so() {
    let connection = database();
    let id = submit(&connection, "w");
    let (a, b) = (add_line(&connection, id, "a"), add_line(&connection, id, "b"));
    let spec = JobSpec { name: "c".to_owned(), depends_on: vec![0, 1], ..JobSpec::default() };
    let c = job::insert(&connection, id, &spec, &[a]).unwrap();
    assert_eq!(job::by_id(&connection, c).unwrap().unwrap().status, JobStatus::Blocked);
    job::set_depends_on(&connection, c, &[a, b]).unwrap();
    let states = job::states(&connection, id).unwrap();
    assert_eq!(states[2].depends_on, [a, b]);
    assert!(states[0].depends_on.is_empty());
    assert_eq!(job::depends_on(&connection, c).unwrap(), ["a", "b"]);
    let sql = "SELECT group_concat(job_id || '<-' || depends_on) FROM dependency";
    let edges: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(edges, format!("{c}<-{a},{c}<-{b}"));
}

#[test]
fn a_job_keeps_its_own_environment_and_begins_anew_when_it_is_reset() {
    let connection = database();
    let id = submit(&connection, "w");
    let environment = vec![("A".to_owned(), NASTY.to_owned())];
    let spec = JobSpec {
        name: "a".to_owned(),
        environment: environment.clone(),
        invocation_script: Some(NASTY.to_owned()),
        ..JobSpec::default()
    };
    let job = job::insert(&connection, id, &spec, &[]).unwrap();
    job::set(&connection, job, JobStatus::Failed, 4, Some(2)).unwrap();
    job::set_command(&connection, job, &Command::Argv(vec!["x y".to_owned()])).unwrap();
    let task = job::task(&connection, job).unwrap();
    assert_eq!((task.environment, task.return_code), (environment, Some(2)));
    assert_eq!(task.invocation_script.as_deref(), Some(NASTY));
    assert_eq!(task.command, Command::Argv(vec!["x y".to_owned()]));
    job::reset(&connection, job).unwrap();
    let state = &job::states(&connection, id).unwrap()[0];
    assert_eq!((state.status, state.attempts, state.first), (JobStatus::Blocked, 4, 4));
}

#[test]
fn files_know_who_uses_them_and_how_they_were() {
    let connection = database();
    let id = submit(&connection, "w");
    let spec = |name: &str| FileSpec { name: name.to_owned(), path: format!("p/{name}") };
    let files: Vec<_> =
        ["f", "g"].map(|name| file::insert(&connection, id, &spec(name)).unwrap()).into();
    assert!(is_duplicate(&file::insert(&connection, id, &spec("f")).unwrap_err()));
    assert!(file::any(&connection, id).unwrap() && !file::any(&connection, WorkflowId(9)).unwrap());
    let job = add_line(&connection, id, "a");
    for (file, is_output) in [(files[1], false), (files[0], false), (files[0], true)] {
        file::add_use(&connection, job, file, is_output).unwrap();
        file::add_use(&connection, job, file, is_output).unwrap();
    }
    let paths = file::paths(&connection, job).unwrap();
    assert_eq!(
        (&paths.inputs[..], &paths.outputs[..]),
        (&["p/f".into(), "p/g".into()][..], &["p/f".into()][..])
    );
    let stamp = FileStamp { modified: i64::MIN, bytes: 7 };
    let stamps = FileStamps { inputs: vec![None, Some(stamp)], outputs: vec![Some(stamp)] };
    file::put_stamps(&connection, job, &stamps).unwrap();
    let uses = file::uses(&connection, job).unwrap();
    let stamps: Vec<_> = uses.iter().map(|one| one.stamp).collect();
    assert_eq!(stamps, [None, Some(stamp), Some(stamp)]);
}

#[test]
fn actions_come_back_as_they_were_and_only_some_are_done_again() {
    let connection = database();
    let id = submit(&connection, "w");
    let mut actions = Vec::new();
    for (number, trigger) in [Trigger::OnJobsReady, Trigger::OnWorkerComplete].iter().enumerate() {
        let mut one = action::Action {
            id: JobId(0),
            name: format!("#{number}"),
            trigger: *trigger,
            jobs: vec![3, 1],
            persistent: number == 1,
            fired: false,
            attempts: 0,
        };
        action::insert(&connection, id, &mut one, NASTY, 0).unwrap();
        actions.push(one);
    }
    assert_eq!(action::list(&connection, id).unwrap(), actions);
    assert!(job::states(&connection, id).unwrap().is_empty());
    for one in &mut actions {
        action::set_fired(&connection, one.id, true).unwrap();
        job::set(&connection, one.id, JobStatus::Completed, 1, Some(0)).unwrap();
    }
    action::rearm(&connection, id).unwrap();
    let fired: Vec<_> =
        action::list(&connection, id).unwrap().iter().map(|one| one.fired).collect();
    assert_eq!(fired, [true, false]);
    let status = |one: &action::Action| job::by_id(&connection, one.id).unwrap().unwrap().status;
    assert_eq!(
        (status(&actions[0]), status(&actions[1])),
        (JobStatus::Completed, JobStatus::Blocked)
    );
    action::cancel_waiting(&connection, id).unwrap();
    assert_eq!(status(&actions[1]), JobStatus::Canceled);
    job::set(&connection, actions[0].id, JobStatus::Running, 2, None).unwrap();
    action::lose(&connection, id).unwrap();
    assert_eq!(
        (status(&actions[0]), status(&actions[1])),
        (JobStatus::Failed, JobStatus::Canceled)
    );
    action::set_fired(&connection, actions[1].id, true).unwrap();
    job::set(&connection, actions[1].id, JobStatus::Pending, 1, None).unwrap();
    action::lose(&connection, id).unwrap();
    assert_eq!(status(&actions[1]), JobStatus::Blocked);
    assert!(!action::list(&connection, id).unwrap()[1].fired, "it is still to come");
}

#[test]
fn a_workflow_is_opened_again_and_hidden() {
    let connection = database();
    let id = submit(&connection, "w");
    workflow::finish(&connection, id, WorkflowStatus::Paused, Timestamp(8)).unwrap();
    assert!(workflow::unfinished(&connection).unwrap().is_empty());
    let options = RunOptions { labels: vec!["gpu".to_owned()], ..RunOptions::default() };
    workflow::reopen(&connection, id, &options).unwrap();
    let unfinished = workflow::unfinished(&connection).unwrap();
    assert_eq!((unfinished[0].0.finished_at, &unfinished[0].1), (None, &options));
    workflow::hide(&connection, id).unwrap();
    let selector = WorkflowSelector::Id(id);
    assert!(workflow::find(&connection, &selector).unwrap().is_none());
    assert_eq!(workflow::hidden(&connection).unwrap(), [id]);
}
