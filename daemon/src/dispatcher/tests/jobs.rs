//! Jobs that wait for jobs, for files, for labels, and for somebody to enable them.

use std::time::Duration;

use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::request::{
    JobSelector, ListUserData, SetDisabled, SubmitFiles, WorkflowSelector,
};
use torc_protocol::response::ErrorCode;
use torc_protocol::result::{Ending, FileStamp, FileStamps, StopCause};
use torc_protocol::spec::{
    Command, FileSpec, Halt, HaltAfter, JobSettings, JobSpec, RetryRule, RunOptions, TimeLimit,
    UserDataSpec, WorkflowSpec,
};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::worker::{WorkerEvent, WorkerRequest};

use super::{
    DispatcherTest, attempt, code, ended, event, exits, jobs, line, spec, started, told,
    with_limit, withdrawn,
};
use crate::dispatcher::input::Input;
use crate::store::query;
use crate::store::tables::{file, job};

/// Jobs by name, each with the places of those that it waits for.
fn graph(jobs: &[(&str, &[u32])]) -> Vec<JobSpec> {
    let job =
        |(name, on): &(&str, &[u32])| JobSpec { depends_on: on.to_vec(), ..line(name, "true") };
    jobs.iter().map(job).collect()
}

fn starts(t: &mut DispatcherTest) -> Vec<torc_protocol::worker::StartJob> {
    std::iter::from_fn(|| t.requests.try_recv().ok())
        .filter_map(|request| match request {
            WorkerRequest::Start { jobs, .. } => Some(jobs),
            _ => None,
        })
        .flatten()
        .collect()
}

#[test]
fn a_job_is_ready_in_the_turn_in_which_what_it_waits_for_completes() {
    let mut t = DispatcherTest::cpus(4);
    // The second comes before what it waits for.
    let (id, _) = t.submit(spec(), graph(&[("a", &[]), ("d", &[0, 2]), ("b", &[0])]));
    assert_eq!((t.stands(1), t.stands(2)), ("pending 1".into(), "blocked 0".into()));
    assert_eq!(job::depends_on(t.dispatcher.store.reading(), JobId(2)).unwrap(), ["a", "b"]);
    t.turn([exits(1, 1, 0)]);
    assert_eq!((t.stands(3), t.stands(2)), ("pending 1".into(), "blocked 0".into()));
    t.check_counts(id);
    t.turn([exits(3, 1, 0)]);
    t.turn([exits(2, 1, 0)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Completed);
}

#[test]
fn what_waits_for_a_job_that_failed_is_canceled_and_told_in_one_event() {
    let mut t = DispatcherTest::cpus(4);
    let chain = graph(&[("a", &[]), ("b", &[0]), ("c", &[1])]);
    let (id, mut live) = t.submit(spec(), chain);
    t.turn([started(1, 1), exits(1, 1, 1)]);
    assert_eq!((t.stands(2), t.stands(3)), ("canceled 0".into(), "canceled 0".into()));
    t.check_counts(id);
    let words = told(&mut live);
    assert_eq!(words[2..], ["finished 1.1: failed", "canceled 2", "workflow failed"]);
}

#[test]
fn jobs_that_wait_for_each_other_are_refused_by_name_and_leave_nothing() {
    let mut t = DispatcherTest::cpus(1);
    let draft = t.begin(spec()).unwrap();
    t.add(draft, graph(&[("a", &[2]), ("b", &[0]), ("c", &[1])])).unwrap();
    let refused = t.ask(|reply| Input::Commit { draft, watch: false, reply }).err().unwrap();
    assert_eq!(refused.code, ErrorCode::InvalidRequest);
    assert!(refused.message.contains("'a' -> 'c' -> 'b' -> 'a'"), "{}", refused.message);
    t.turn([]);
    assert!(job::states(t.dispatcher.store.reading(), draft).unwrap().is_empty());
    let draft = t.begin(spec()).unwrap();
    t.add(draft, graph(&[("a", &[7])])).unwrap();
    let refused = t.ask(|reply| Input::Commit { draft, watch: false, reply });
    assert_eq!(code(refused), ErrorCode::InvalidRequest);
}

#[test]
fn a_job_takes_its_environment_files_and_script_along() {
    let mut t = DispatcherTest::cpus(1);
    let draft = t.begin(spec()).unwrap();
    let path = |name: &str| FileSpec { name: name.to_owned(), path: format!("{name}.txt") };
    let data = Some("7".to_owned());
    let user_data = UserDataSpec { name: "u".to_owned(), data, is_ephemeral: true };
    let added = SubmitFiles { files: vec![path("in"), path("out")], user_data: vec![user_data] };
    t.ask(|reply| Input::AddFiles { draft, added: added.clone(), reply }).unwrap();
    let job = JobSpec {
        environment: vec![("A".to_owned(), "1".to_owned())],
        invocation_script: Some("wrap".to_owned()),
        inputs: vec![0],
        outputs: vec![1],
        input_user_data: vec![0],
        ..line("a", "true")
    };
    t.add(draft, vec![job]).unwrap();
    t.ask(|reply| Input::Commit { draft, watch: false, reply }).unwrap();
    let sent = starts(&mut t);
    let extra = sent[0].extra.as_ref().unwrap();
    assert_eq!(extra.environment, [("A".to_owned(), "1".to_owned())]);
    assert_eq!(extra.invocation_script.as_deref(), Some("wrap"));
    assert_eq!(
        (&extra.inputs[..], &extra.outputs[..]),
        (&["in.txt".into()][..], &["out.txt".into()][..])
    );
    let stamp = FileStamp { modified: -5, bytes: 1 << 40 };
    let files = FileStamps { inputs: vec![None], outputs: vec![Some(stamp)] };
    let result = torc_protocol::result::AttemptResult {
        files: Some(Box::new(files)),
        ..torc_protocol::result::AttemptResult::bare(Ending::Exited(0), Timestamp(9))
    };
    t.turn([event(WorkerEvent::Finished { attempt: attempt(1, 1), result })]);
    let uses = file::uses(t.dispatcher.store.reading(), JobId(1)).unwrap();
    let stamps: Vec<_> = uses.iter().map(|one| (&*one.path, one.is_output, one.stamp)).collect();
    assert_eq!(stamps, [("in.txt", false, None), ("out.txt", true, Some(stamp))]);
    let mut left = Vec::new();
    let list = ListUserData::default();
    query::user_data::list(t.dispatcher.store.reading(), draft, &list, &mut |value| {
        left.push((value.name, value.data));
        true
    })
    .unwrap();
    assert_eq!(left, [("u".to_owned(), None)], "it was of this run only");
}

#[test]
fn what_a_job_names_must_have_been_sent() {
    let mut t = DispatcherTest::cpus(1);
    for job in [
        JobSpec { inputs: vec![0], ..line("a", "true") },
        JobSpec { outputs: vec![0], ..line("a", "true") },
        JobSpec { input_user_data: vec![0], ..line("a", "true") },
        JobSpec { output_user_data: vec![0], ..line("a", "true") },
    ] {
        let draft = t.begin(spec()).unwrap();
        assert_eq!(code(t.add(draft, vec![job])), ErrorCode::InvalidRequest);
    }
    let draft = t.begin(spec()).unwrap();
    let file = FileSpec { name: "f".to_owned(), path: "p".to_owned() };
    let added = SubmitFiles { files: vec![file.clone(), file], user_data: Vec::new() };
    let refused = t.ask(|reply| Input::AddFiles { draft, added, reply }).unwrap_err();
    assert!(refused.message.contains("'f'"), "{}", refused.message);
}

#[test]
fn a_recovery_script_goes_with_the_attempt_that_follows_a_failure() {
    let rules = vec![
        RetryRule {
            exit_codes: vec![3],
            max_retries: 1,
            recovery_script: Some("mend".to_owned()),
            any: false,
        },
        RetryRule { any: true, max_retries: 1, ..RetryRule::default() },
    ];
    let settings = JobSettings { retry: rules, ..JobSettings::default() };
    let mut t = DispatcherTest::cpus(2);
    t.submit(WorkflowSpec { settings: vec![settings], ..spec() }, jobs(&["a", "b"]));
    assert!(starts(&mut t).iter().all(|start| start.extra.is_none()));
    t.turn([exits(1, 1, 3), exits(2, 1, 4)]);
    let again = starts(&mut t);
    let recovery = again[0].extra.as_ref().unwrap().recovery.as_ref().unwrap();
    assert_eq!((&*recovery.script, recovery.return_code), ("mend", 3));
    assert!(again[1].extra.is_none());
    t.turn([ended(1, 2, Ending::NotRecovered(9), None)]);
    assert_eq!((t.stands(1), t.job(1).return_code), ("failed 2".into(), Some(9)));
}

#[test]
fn a_job_that_is_set_aside_pauses_the_workflow_and_can_be_taken_back() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(with_limit(1, spec()), jobs(&["a", "b", "c"]));
    let set = |t: &mut DispatcherTest, name: &str, disabled| {
        let workflow = WorkflowSelector::Id(id);
        let job = JobSelector::Name(workflow.clone(), name.to_owned());
        let request = SetDisabled { workflow, jobs: vec![job], disabled };
        t.ask(|reply| Input::SetDisabled { request, reply }).unwrap().changed
    };
    assert_eq!((set(&mut t, "c", true), set(&mut t, "c", true)), (1, 0));
    assert_eq!(t.stands(3), "disabled 0");
    t.turn([exits(1, 1, 0), exits(2, 1, 0)]);
    let view = t.workflow(id).unwrap();
    assert_eq!((view.status, view.jobs.disabled), (WorkflowStatus::Paused, 1));
    assert_eq!((set(&mut t, "c", false), set(&mut t, "c", false)), (1, 0));
    assert_eq!(t.stands(3), "blocked 0");
    assert_eq!((t.workflow(id).unwrap().jobs.blocked, set(&mut t, "a", true)), (1, 0));
}

#[test]
fn jobs_with_labels_that_the_run_has_not_pause_it() {
    let labeled = JobSettings { labels: vec!["gpu".to_owned()], ..JobSettings::default() };
    let spec = WorkflowSpec { settings: vec![JobSettings::default(), labeled], ..spec() };
    let mut t = DispatcherTest::cpus(2);
    let other = JobSpec { settings: 1, ..line("b", "true") };
    let (id, _) = t.submit(spec, vec![line("a", "true"), other]);
    t.turn([exits(1, 1, 0)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Paused);
    assert_eq!(t.stands(2), "ready 0");
}

#[test]
fn a_time_limit_stops_all_with_its_own_cause() {
    let mut t = DispatcherTest::cpus(1);
    let stop_at = Timestamp(Timestamp::now().0 + 10_000_000);
    let limit = TimeLimit { stop_at, grace: Span(7) };
    let options = RunOptions { time_limit: Some(limit), ..RunOptions::default() };
    let (id, _) = t.submit(WorkflowSpec { options, ..spec() }, jobs(&["a", "b", "c"]));
    t.sent();
    assert!(t.dispatcher.patience() <= Duration::from_secs(10));
    t.dispatcher.epoch -= Duration::from_secs(20);
    t.turn([]);
    assert_eq!(t.sent(), ["stop 1.1 2.1: timelimit"]);
    assert_eq!(t.stands(3), "canceled 0");
    t.turn([
        ended(1, 1, Ending::Signaled(15), Some(StopCause::TimeLimit)),
        withdrawn(2, 1, StopCause::TimeLimit),
    ]);
    assert_eq!((t.job(1).status, t.job(1).return_code), (JobStatus::Terminated, Some(152)));
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Failed);
    assert_eq!(
        code(t.begin(WorkflowSpec { options: past(), ..spec() })),
        ErrorCode::InvalidRequest
    );
}

fn past() -> RunOptions {
    let limit = TimeLimit { stop_at: Timestamp(1), grace: Span(0) };
    RunOptions { time_limit: Some(limit), ..RunOptions::default() }
}

#[test]
fn too_many_failures_stop_what_runs_when_that_is_asked_for() {
    let mut t = DispatcherTest::cpus(2);
    let halt = Halt { after: HaltAfter::Jobs(1), now: true };
    let options = RunOptions { halt: Some(halt), ..RunOptions::default() };
    let (id, _) = t.submit(WorkflowSpec { options, ..spec() }, jobs(&["a", "b", "c", "d", "e"]));
    t.turn([started(1, 1), started(2, 1)]);
    t.sent();
    t.turn([exits(1, 1, 1)]);
    assert_eq!(t.sent(), ["stop 2.1: halted"]);
    t.turn([ended(2, 1, Ending::Signaled(15), Some(StopCause::Halted))]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Failed);
    t.check_counts(id);
}

#[test]
fn a_job_that_takes_too_much_memory_has_failed_and_is_tried_again_by_its_code() {
    let retry = vec![RetryRule { exit_codes: vec![137], max_retries: 1, ..RetryRule::default() }];
    let settings = JobSettings { retry, ..JobSettings::default() };
    let mut t = DispatcherTest::cpus(1);
    t.submit(WorkflowSpec { settings: vec![settings], ..spec() }, jobs(&["a"]));
    let too_much = |number| {
        let result = torc_protocol::result::AttemptResult {
            stopped: Some(StopCause::OutOfMemory),
            limit_code: 137,
            ..torc_protocol::result::AttemptResult::bare(Ending::Signaled(9), Timestamp(9))
        };
        event(WorkerEvent::Finished { attempt: attempt(1, number), result })
    };
    t.turn([too_much(1)]);
    assert_eq!(t.stands(1), "pending 2");
    t.turn([too_much(2)]);
    let last = &t.results(1)[1];
    assert_eq!((last.status, last.return_code), (JobStatus::Failed, Some(137)));
    assert!(last.reason.contains("out of memory"), "{}", last.reason);
    assert_eq!(t.job(1).command, "true");
    assert_eq!(Command::default(), Command::Line(String::new()));
    assert!(t.workflow(WorkflowId(1)).is_some());
}

#[test]
fn what_became_ready_in_the_turn_of_a_cancel_is_canceled() {
    let mut t = DispatcherTest::cpus(1);
    let two = graph(&[("a", &[]), ("b", &[0]), ("c", &[0])]);
    let (id, _) = t.submit(with_limit(1, spec()), two);
    let request = torc_protocol::request::Cancel {
        workflow: WorkflowSelector::Id(id),
        jobs: Vec::new(),
        grace: None,
    };
    let (cancel, _answer) = super::asked(|reply| Input::Cancel { request, reply });
    t.turn([exits(1, 1, 0), cancel]);
    let states: Vec<_> = (1..=3).map(|job| t.stands(job)).collect();
    assert_eq!(states, ["completed 1", "canceled 0", "canceled 0"]);
    t.check_counts(id);
}

#[test]
fn a_job_that_is_canceled_alone_leaves_how_the_others_are_stopped_as_it_is() {
    let mut t = DispatcherTest::cpus(2);
    let halt = Halt { after: HaltAfter::Jobs(1), now: true };
    let options = RunOptions { halt: Some(halt), ..RunOptions::default() };
    let (id, _) = t.submit(WorkflowSpec { options, ..spec() }, jobs(&["a", "b", "c", "d"]));
    t.turn([started(1, 1), started(2, 1)]);
    t.cancel(id, &["a"]).unwrap();
    t.turn([ended(1, 1, Ending::Signaled(15), Some(StopCause::Canceled))]);
    t.turn([started(3, 1)]);
    t.sent();
    // A job that was stopped counts as one that failed.
    assert_eq!(t.workflow(id).unwrap().jobs.terminated, 1);
    assert_eq!(t.stands(4), "canceled 0");
}

#[test]
fn what_cannot_be_recorded_or_sent_is_refused() {
    let mut t = DispatcherTest::cpus(1);
    let with = |settings| WorkflowSpec { settings: vec![settings], ..spec() };
    let memory = JobSettings { memory: Some(u64::MAX), ..JobSettings::default() };
    assert_eq!(code(t.begin(with_limit(1, with(memory)))), ErrorCode::InvalidRequest);
    let labels = JobSettings { labels: vec!["x".repeat(70_000)], ..JobSettings::default() };
    assert_eq!(code(t.begin(with(labels))), ErrorCode::InvalidRequest);
    let mut gpus = spec();
    gpus.options.capacity.gpus = Some(4_000_000_000);
    assert_eq!(code(t.begin(gpus)), ErrorCode::InvalidRequest);

    let draft = t.begin(spec()).unwrap();
    let path = "p".repeat(4_000);
    let files = (0..3_000).map(|n| FileSpec { name: format!("f{n}"), path: path.clone() });
    let added = SubmitFiles { files: files.collect(), user_data: Vec::new() };
    t.ask(|reply| Input::AddFiles { draft, added, reply }).unwrap();
    let few = JobSpec { inputs: (0..2_000).collect(), ..line("few", "true") };
    t.add(draft, vec![few]).unwrap();
    let many = JobSpec { inputs: (0..3_000).collect(), ..line("many", "true") };
    let refused = t.add(draft, vec![many]).unwrap_err();
    assert!(refused.message.contains("'many'"), "{}", refused.message);
}

#[test]
fn a_job_is_explained_by_what_it_waits_for_and_by_what_has_failed() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(with_limit(1, spec()), graph(&[("a", &[]), ("b", &[0]), ("c", &[1])]));
    let explain = |t: &mut DispatcherTest, name: &str| {
        let job = JobSelector::Name(WorkflowSelector::Id(id), name.to_owned());
        t.ask(|reply| Input::Explain { job, reply }).unwrap().reasons
    };
    assert_eq!(explain(&mut t, "b"), ["it waits for 1 job", "a is pending"]);
    t.turn([exits(1, 1, 3)]);
    assert_eq!(explain(&mut t, "a"), ["it has failed with code 3"]);
    assert_eq!(explain(&mut t, "c"), ["it was canceled, because b is canceled"]);
}
