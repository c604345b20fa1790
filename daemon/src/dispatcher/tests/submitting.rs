//! Submissions: all or nothing, seen by nobody before they are committed.

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{Submit, WorkflowSelector};
use torc_protocol::response::ErrorCode;
use torc_protocol::spec::{Command, JobSettings, JobSpec, WorkflowSpec};
use torc_protocol::time::Span;
use torc_protocol::worker::WorkerRequest;

use super::{DispatcherTest, asked, code, exits, jobs, line, spec, told, with_limit};
use crate::dispatcher::input::{Begun, Input};
use crate::store::home::Home;
use crate::store::tables::job;

#[test]
fn a_submission_starts_its_jobs_once_it_is_committed() {
    let mut t = DispatcherTest::cpus(1);
    let draft = t.begin(spec()).unwrap();
    t.add(draft, jobs(&["a", "b", "c"])).unwrap();
    assert!(t.sent().is_empty());
    assert!(t.workflow(draft).is_none());
    let (submitted, _) =
        t.ask(|reply| Input::Commit { draft, watch: false, reply }).expect("it is taken in");
    assert_eq!(submitted.jobs, 3);
    assert_eq!(t.sent(), ["context 1", "lane 1 width 1", "start in 1: 1.1 2.1"]);
    assert_eq!((t.stands(1), t.stands(3)), ("pending 1".into(), "ready 0".into()));
    t.check_counts(draft);
}

#[test]
fn nothing_is_sent_told_or_answered_before_it_is_recorded() {
    let mut t = DispatcherTest::cpus(1);
    let draft = t.begin(spec()).unwrap();
    t.add(draft, jobs(&["a"])).unwrap();
    let before = t.dispatcher.store.changes();
    let (commit, mut answer) = asked(|reply| Input::Commit { draft, watch: true, reply });
    t.dispatcher.apply(commit);
    assert!(answer.try_recv().is_err());
    assert!(t.sent().is_empty());
    assert_eq!(t.dispatcher.store.changes(), before);
    t.dispatcher.finish_turn();
    let (_, live) = answer.try_recv().unwrap().unwrap();
    assert_eq!(told(&mut live.unwrap()), ["submitted 1"]);
    assert_eq!(t.sent().len(), 3);
    assert_eq!(t.dispatcher.store.changes(), before + 1);
    assert!(t.dispatcher.store.reading().is_autocommit());
}

#[test]
fn a_submission_that_is_given_up_goes_in_slices() {
    let mut t = DispatcherTest::cpus(1);
    let draft = t.begin(spec()).unwrap();
    let many = (0..2_100).map(|number| line(&number.to_string(), "true"));
    t.add(draft, many.collect()).unwrap();
    let left = |t: &DispatcherTest| job::states(t.dispatcher.store.reading(), draft).unwrap().len();
    t.turn([Input::Drop { draft }]);
    assert_eq!(left(&t), 1_100);
    assert!(t.dispatcher.patience().is_zero());
    t.turn([]);
    assert_eq!(left(&t), 100);
    t.turn([]);
    assert_eq!(left(&t), 0);
    t.dispatcher.give_back();
    assert!(!t.dispatcher.patience().is_zero());
    let (submitted, ..) = t.submit(spec(), jobs(&["a"]));
    assert_ne!(submitted, draft, "a number is not used twice");
    assert_eq!(code(t.add(draft, jobs(&["a"]))), ErrorCode::InvalidRequest);
}

#[test]
fn two_jobs_of_one_name_are_refused_and_harm_nobody_else() {
    let mut t = DispatcherTest::cpus(1);
    let (good, bad) = (t.begin(spec()).unwrap(), t.begin(spec()).unwrap());
    t.add(bad, jobs(&["a"])).unwrap();
    let (first, mut first_answer) =
        asked(|reply| Input::AddJobs { draft: good, jobs: jobs(&["a", "b"]), reply });
    let (twice, mut twice_answer) =
        asked(|reply| Input::AddJobs { draft: bad, jobs: jobs(&["b", "a"]), reply });
    let (commit, mut commit_answer) =
        asked(|reply| Input::Commit { draft: good, watch: false, reply });
    t.turn([first, twice, commit]);
    first_answer.try_recv().unwrap().unwrap();
    let refused = twice_answer.try_recv().unwrap().unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidRequest);
    assert_eq!(refused.message, "two jobs are named 'a'");
    assert!(commit_answer.try_recv().unwrap().is_ok());
    assert_eq!(t.workflow(good).unwrap().jobs.total, 2);
    let commit = t.ask(|reply| Input::Commit { draft: bad, watch: false, reply });
    assert_eq!(code(commit), ErrorCode::InvalidRequest);
    t.turn([]);
    assert!(job::states(t.dispatcher.store.reading(), bad).unwrap().is_empty());
}

#[test]
fn a_workflow_that_cannot_be_run_is_refused() {
    let mut t = DispatcherTest::cpus(4);
    let settings = |settings| WorkflowSpec { settings: vec![settings], ..spec() };
    let plain = JobSettings::default;
    let forever = Span(u64::MAX);
    let mut relative = spec();
    relative.context.working_dir = "here".to_owned();
    let long = "x".repeat(5_000);
    let wrong = [
        WorkflowSpec { name: String::new(), ..spec() },
        WorkflowSpec { name: "a\0b".to_owned(), ..spec() },
        WorkflowSpec { name: long, ..spec() },
        with_limit(0, spec()),
        relative,
        settings(JobSettings { cpus: 5, ..plain() }),
        settings(JobSettings { retry_delay: forever, ..plain() }),
        settings(JobSettings { timeout: Some(forever), ..plain() }),
        settings(JobSettings { grace: forever, ..plain() }),
    ];
    for spec in wrong {
        assert_eq!(code(t.begin(spec.clone())), ErrorCode::InvalidRequest, "{spec:?}");
    }
    let limited = with_limit(1, settings(JobSettings { cpus: 5, ..plain() }));
    t.begin(limited).unwrap();
    let far = Span(i64::MAX as u64);
    t.begin(settings(JobSettings { retry_delay: far, timeout: Some(far), grace: far, ..plain() }))
        .unwrap();
}

#[test]
fn a_job_that_cannot_be_run_is_refused_with_its_submission() {
    let mut t = DispatcherTest::cpus(1);
    let long = "x".repeat(3 * 1024 * 1024);
    let wrong = [
        line("", "true"),
        line("a\0", "true"),
        line("a", &long),
        JobSpec { command: Command::Argv(vec![String::new(); 1024 * 1024]), ..line("a", "") },
        JobSpec { settings: 1, ..line("a", "true") },
        JobSpec { settings: u32::MAX, ..line("a", "true") },
    ];
    for job in wrong {
        let draft = t.begin(spec()).unwrap();
        assert_eq!(code(t.add(draft, vec![job])), ErrorCode::InvalidRequest);
        let commit = t.ask(|reply| Input::Commit { draft, watch: false, reply });
        assert_eq!(code(commit), ErrorCode::InvalidRequest);
    }
}

#[test]
fn long_commands_reach_the_worker_in_several_frames() {
    let mut t = DispatcherTest::cpus(32);
    let long = "x".repeat(700 * 1024);
    let all: Vec<_> = (0..32).map(|number| line(&number.to_string(), &long)).collect();
    let draft = t.begin(spec()).unwrap();
    for chunk in all.chunks(16) {
        t.add(draft, chunk.to_vec()).unwrap();
    }
    t.ask(|reply| Input::Commit { draft, watch: false, reply }).unwrap();
    let mut started = 0;
    while let Ok(request) = t.requests.try_recv() {
        torc_protocol::codec::frame(request.clone()).expect("it fits into a frame");
        if let WorkerRequest::Start { jobs, .. } = request {
            started += jobs.len();
        }
    }
    assert_eq!(started, 32);
}

#[test]
fn a_submission_waits_for_the_first_worker() {
    let mut t = DispatcherTest::without_worker(&Home::Memory);
    let spec = WorkflowSpec {
        settings: vec![JobSettings { cpus: 2, ..JobSettings::default() }],
        ..spec()
    };
    let (begin, mut answer) =
        asked(|reply| Input::Begin { spec: Box::new(spec), key: None, reply });
    t.turn([begin]);
    assert!(answer.try_recv().is_err());
    t.worker_is_ready(1);
    let refused = answer.try_recv().unwrap().unwrap_err();
    assert_eq!(refused.message, "a job can never start: it takes 2 CPUs, here has 1");
}

#[test]
fn without_any_worker_a_submission_is_refused() {
    let mut t = DispatcherTest::without_worker(&Home::Memory);
    let (begin, mut answer) =
        asked(|reply| Input::Begin { spec: Box::new(spec()), key: None, reply });
    t.turn([begin]);
    t.worker_dies();
    assert_eq!(code(answer.try_recv().unwrap()), ErrorCode::Unavailable);
    assert_eq!(code(t.begin(spec())), ErrorCode::Unavailable);
    assert!(t.later.try_recv().is_err(), "one that never was ready is not replaced");
}

#[test]
fn a_workflow_without_jobs_ends_in_the_turn_that_commits_it() {
    let mut t = DispatcherTest::cpus(1);
    let (id, mut live) = t.submit(spec(), Vec::new());
    assert_eq!(told(&mut live), ["submitted 0", "workflow completed"]);
    assert!(live.is_closed());
    assert_eq!(t.sent(), ["forget 1"]);
    assert!(t.workflow(id).unwrap().finished_at.is_some());
    t.turn([exits(1, 1, 0)]);
}

/// Begins a submission with this key, which there is no workflow of.
fn begin_with_key(t: &mut DispatcherTest, key: &str) -> WorkflowId {
    match t.begin_as(Some(key), spec()).unwrap() {
        Begun::Draft(draft) => draft,
        Begun::Existing(id) => panic!("workflow {id} has the key"),
    }
}

#[test]
fn a_second_submission_with_a_key_is_told_of_the_first_and_makes_nothing() {
    let mut t = DispatcherTest::cpus(1);
    let first = begin_with_key(&mut t, "k");
    t.add(first, jobs(&["a"])).unwrap();
    t.ask(|reply| Input::Commit { draft: first, watch: false, reply }).unwrap();
    assert_eq!(t.begin_as(Some("k"), spec()).unwrap(), Begun::Existing(first));
    assert!(t.dispatcher.drafts.is_empty());
    let other = begin_with_key(&mut t, "K");
    assert_ne!(other, first);
}

#[test]
fn of_two_submissions_with_one_key_at_a_time_the_first_commit_wins() {
    let mut t = DispatcherTest::cpus(1);
    let (late, first) = (begin_with_key(&mut t, "k"), begin_with_key(&mut t, "k"));
    t.add(late, jobs(&["a", "b"])).unwrap();
    t.add(first, jobs(&["a"])).unwrap();
    let commit = |draft| asked(move |reply| Input::Commit { draft, watch: true, reply });
    let ((won, mut first_answer), (lost, mut late_answer)) = (commit(first), commit(late));
    t.turn([won, lost]);
    let (submitted, live) = first_answer.try_recv().unwrap().unwrap();
    assert_eq!((submitted.workflow_id, submitted.existed), (first, false));
    assert!(live.is_some());
    let (submitted, live) = late_answer.try_recv().unwrap().unwrap();
    assert_eq!((submitted.workflow_id, submitted.jobs, submitted.existed), (first, 1, true));
    assert!(live.is_none());
    t.turn([]);
    assert!(job::states(t.dispatcher.store.reading(), late).unwrap().is_empty());
    assert!(t.workflow(late).is_none());
}

#[test]
fn the_key_of_a_workflow_that_is_removed_can_be_used_again() {
    let mut t = DispatcherTest::cpus(1);
    let first = begin_with_key(&mut t, "k");
    t.ask(|reply| Input::Commit { draft: first, watch: false, reply }).unwrap();
    let workflow = WorkflowSelector::Id(first);
    t.ask(|reply| Input::Delete { workflow, reply }).unwrap();
    let second = begin_with_key(&mut t, "k");
    let (submitted, _) =
        t.ask(|reply| Input::Commit { draft: second, watch: false, reply }).unwrap();
    assert_eq!((submitted.workflow_id, submitted.existed), (second, false));
}

#[test]
fn a_key_is_neither_empty_nor_longer_than_it_may_be() {
    let mut t = DispatcherTest::cpus(1);
    let longest = "k".repeat(Submit::MAX_KEY);
    begin_with_key(&mut t, &longest);
    for key in ["", &(longest + "k")] {
        assert_eq!(code(t.begin_as(Some(key), spec())), ErrorCode::InvalidRequest);
    }
}

#[test]
fn a_key_is_known_before_there_is_a_worker_and_when_the_daemon_ends() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::File(dir.path().join("torc.db"));
    let mut t = DispatcherTest::without_worker(&home);
    t.worker_is_ready(1);
    let first = begin_with_key(&mut t, "k");
    t.ask(|reply| Input::Commit { draft: first, watch: false, reply }).unwrap();
    drop(t);
    let mut t = DispatcherTest::without_worker(&home);
    assert_eq!(t.begin_as(Some("k"), spec()).unwrap(), Begun::Existing(first));
}
