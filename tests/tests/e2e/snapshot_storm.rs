//! Snapshots that are asked for all at once, by everybody, and in the middle of the end.

use std::thread;

use nix::sys::signal::Signal;
use torc_protocol::request::{Snapshot, SnapshotWait, Submit, SubmitCommit};
use torc_protocol::response::SnapshotProgress;
use torc_protocol::spec::{JobSettings, WorkflowSpec};
use torc_tests::client::Client;
use torc_tests::database::Database;
use torc_tests::torc::Torc;
use torc_tests::wait::wait_until;

use crate::torc;

const SERVICE: [&str; 3] = ["--in-memory", "--snapshot", "snapshots/torc.db"];

fn target(torc: &Torc) -> Database {
    Database::open(torc.path("snapshots/torc.db"))
}

#[test]
fn a_thousand_signals_make_few_snapshots_and_lose_none_of_what_runs_meanwhile() {
    let torc = torc();
    let daemon = torc.daemon(SERVICE);
    let commands = "true\n".repeat(300);
    let running = torc.args(["exec", "-j", "2", "-C", "-"]).stdin(commands).start();
    for _ in 0..1_000 {
        daemon.signal(Signal::SIGUSR1);
        // Signals that wait are one; these are to arrive.
        thread::yield_now();
    }
    daemon.line("TORC_SNAPSHOT_DONE=");
    running.wait().expect(0);
    torc.args(["snapshot", "--wait"]).run().expect(0);
    let said = daemon.lines_so_far();
    assert!(said.iter().all(|line| line.starts_with("TORC_SNAPSHOT_DONE=")), "{said:?}");
    assert!(said.len() < 1_000, "{} snapshots", said.len());
    let database = target(&torc);
    database.expect_sound();
    assert_eq!(database.value("SELECT count(*) FROM attempt WHERE status = 'completed'"), "300");
    drop(database);
    assert_eq!(daemon.end(), 0);
}

/// Submits a workflow without jobs, waits for a snapshot, and returns whether it is in it.
fn is_in_my_snapshot(mut client: Client, name: &str) -> anyhow::Result<bool> {
    let settings = vec![JobSettings::default()];
    let mut spec = WorkflowSpec { name: name.to_owned(), settings, ..WorkflowSpec::default() };
    spec.context.working_dir = "/".to_owned();
    spec.context.output_dir = "/".to_owned();
    client.call(Submit { spec, key: None })?;
    client.call(SubmitCommit { watch: false })?;
    client.send(Snapshot { wait: SnapshotWait::Forever, path: None })?;
    while let Some(progress) = client.part::<Snapshot>()? {
        match progress {
            SnapshotProgress::Done(view) => {
                // A later one may have replaced it already, and holds as much.
                let there = Database::open(view.path);
                let sql = format!("SELECT count(*) FROM workflow WHERE name = '{name}'");
                return Ok(there.value(&sql) == "1");
            }
            SnapshotProgress::Failed(failure) => anyhow::bail!("{failure:?}"),
            _ => {}
        }
    }
    anyhow::bail!("the reply has no end")
}

#[test]
fn fifty_who_wait_for_a_snapshot_each_find_in_it_what_they_wrote() {
    let torc = torc();
    let daemon = torc.daemon(SERVICE);
    let waiting: Vec<_> = (0..50)
        .map(|number| {
            let client = Client::connect(daemon.socket()).unwrap();
            thread::spawn(move || is_in_my_snapshot(client, &format!("w{number}")))
        })
        .collect();
    for (number, waits) in waiting.into_iter().enumerate() {
        assert!(waits.join().unwrap().unwrap(), "the snapshot of {number} has not its workflow");
    }
    let taken = daemon.lines_so_far().len();
    assert!(taken < 50, "{taken} snapshots for 50 who asked at the same time");
    assert_eq!(daemon.end(), 0);
    target(&torc).expect_sound();
}

#[test]
fn one_by_the_clock_that_falls_into_the_end_does_no_harm() {
    let torc = torc();
    for round in 1..=4 {
        let daemon = torc.daemon(SERVICE.into_iter().chain(["--snapshot-interval-seconds", "1"]));
        torc.args(["exec", "-C", "-"]).stdin("true\n".repeat(20)).run().expect(0);
        daemon.line("TORC_SNAPSHOT_DONE=");
        // The next is a second away; a change makes that there is one.
        torc.args(["exec", "--detach", "-c", "true"]).run().expect(0);
        wait_until("the job has ended", || {
            let list = torc.args(["workflows", "list", "--status", "running", "--format", "json"]);
            list.run().expect(0).json().as_array().unwrap().is_empty()
        });
        daemon.signal(Signal::SIGUSR1);
        assert_eq!(daemon.end(), 0, "round {round}");
        let database = target(&torc);
        database.expect_sound();
        let jobs = (round * 21).to_string();
        assert_eq!(database.value("SELECT count(*) FROM attempt WHERE status = 'completed'"), jobs);
    }
}
