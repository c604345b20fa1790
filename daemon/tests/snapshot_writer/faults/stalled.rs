//! A disk that is slow, or does not answer: whoever listens knows the step that hangs.

use std::cell::Cell;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use torc_protocol::view::SnapshotPhase;
use torcd::snapshot_writer::event::WriterEvent;

use super::disk::{Answer, Answering, Call, Hook, Hooked, Op};
use super::images::Images;
use super::nth_call::calls;
use super::scene::{Scenario, Scene, decode};

/// How long a listener waits for what must come.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long a write and a sync take on a slow disk.
const WRITE: Duration = Duration::from_millis(1);
const SYNC: Duration = Duration::from_millis(500);

/// Does not answer the `at`th call until it is thawed.
#[derive(Debug)]
struct Freezing {
    at: usize,
    count: Cell<usize>,
    frozen: Sender<()>,
    thaw: Receiver<()>,
}

impl Hook for Freezing {
    fn before(&self, _: &Call) -> Answer {
        if self.count.replace(self.count.get() + 1) == self.at {
            self.frozen.send(()).unwrap();
            self.thaw.recv_timeout(TIMEOUT).unwrap();
        }
        Answer::Do
    }
}

/// Passes on what a writer tells, with the time.
struct Listener(Sender<(Instant, WriterEvent)>);

impl io::Write for Listener {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for event in decode(bytes) {
            self.0.send((Instant::now(), event)).map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the step that the `at`th call belongs to, as the calls themselves show it.
fn step(calls: &[Call], at: usize) -> SnapshotPhase {
    let first =
        |op, from: usize| from + calls[from..].iter().position(|call| call.op == op).unwrap();
    let sync = first(Op::Sync, 0);
    let verify = first(Op::Open, sync);
    let publish = first(Op::Verify, verify) + 1;
    match at {
        _ if at < sync => SnapshotPhase::Write,
        _ if at < verify => SnapshotPhase::Sync,
        _ if at < publish => SnapshotPhase::Verify,
        _ => SnapshotPhase::Publish,
    }
}

#[test]
fn whichever_call_hangs_its_step_was_told_before() {
    let images = Images::new();
    let scenarios = [
        Scenario { keep: 1, there: 0, links: true, dir: false },
        Scenario { keep: 3, there: 3, links: true, dir: true },
    ];
    let mut freezes = 0;
    for scenario in scenarios {
        let calls = calls(&images, scenario);
        for (at, call) in calls.iter().enumerate() {
            let scene = Scene::new(&images, scenario);
            let (frozen, is_frozen) = mpsc::channel();
            let (go_on, thaw) = mpsc::channel();
            let (events, told) = mpsc::channel();
            let (links, scene) = (scenario.links, &scene);
            thread::scope(|scope| {
                let writer = scope.spawn(move || {
                    let hook = Freezing { at, count: Cell::new(0), frozen, thaw };
                    let disk = Hooked { hook, links };
                    scene.write_telling(&disk, scenario.there + 1, Listener(events))
                });
                is_frozen.recv_timeout(TIMEOUT).unwrap();
                let (_, last) = told.try_iter().last().unwrap();
                assert_eq!(last, WriterEvent::Phase(step(&calls, at)), "{call:?}");
                go_on.send(()).unwrap();
                let report = writer.join().unwrap().unwrap();
                let (_, last) = told.try_iter().last().unwrap();
                assert_eq!(last, WriterEvent::Done(report));
            });
            freezes += 1;
        }
    }
    println!("a call hangs: {} scenarios, {freezes} points: all green", scenarios.len());
}

#[test]
fn a_slow_disk_is_told_step_by_step() {
    let images = Images::new();
    let scenario = Scenario { keep: 3, there: 1, links: true, dir: true };
    let scene = Scene::new(&images, scenario);
    let writes = Cell::new(0);
    let slow = Answering(|call: &Call| {
        match call.op {
            Op::Write => {
                writes.set(writes.get() + 1);
                thread::sleep(WRITE);
            }
            Op::Sync | Op::SyncDir => thread::sleep(SYNC),
            _ => {}
        }
        Answer::Do
    });
    let disk = Hooked { hook: slow, links: scenario.links };
    let (events, told) = mpsc::channel();
    let report = scene.write_telling(&disk, 2, Listener(events)).unwrap();
    let told: Vec<_> = told.try_iter().collect();
    let when = |phase| {
        let mut told = told.iter();
        told.find(|(_, event)| *event == WriterEvent::Phase(phase)).unwrap().0
    };
    assert!(when(SnapshotPhase::Sync) - when(SnapshotPhase::Write) >= WRITE * writes.get());
    assert!(when(SnapshotPhase::Verify) - when(SnapshotPhase::Sync) >= SYNC);
    assert!(told.last().unwrap().0 - when(SnapshotPhase::Publish) >= SYNC);
    let took = |phase| Duration::from(report.phases.iter().find(|took| took.0 == phase).unwrap().1);
    assert!(took(SnapshotPhase::Sync) >= SYNC && took(SnapshotPhase::Publish) >= SYNC);
}
