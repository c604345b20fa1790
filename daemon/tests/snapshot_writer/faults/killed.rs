//! A writer in a process of its own is killed before every call, and after the last one.
//!
//! That is after every call too: between two calls it does nothing that outlives it.

use std::cell::Cell;
use std::env;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::{Signal, raise};
use serde::{Deserialize, Serialize};
use torc_protocol::id::Generation;
use torcd::snapshot_writer::event::WriterEvent;
use torcd::snapshot_writer::{Args, write_with};

use super::disk::{Answer, Call, Hook, Hooked};
use super::findings::State;
use super::images::Images;
use super::nth_call::{calls, go_on};
use super::scene::{Scenario, Scene, decode, each};

/// Says to the other process what to do.
const ORDER: &str = "TORC_TEST_ORDER";

/// The test below that does it.
const WRITER: &str = "faults::killed::a_writer_that_nobody_kills_ends_with_a_snapshot";

/// What to write, and when to die.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    target: PathBuf,
    keep: u32,
    generation: u64,
    links: bool,
    /// Where to tell what happens.
    events: PathBuf,
    at: usize,
}

/// Kills its own process before the `at`th call.
#[derive(Debug)]
struct Killing {
    at: usize,
    count: Cell<usize>,
}

impl Hook for Killing {
    fn before(&self, _: &Call) -> Answer {
        if self.count.replace(self.count.get() + 1) == self.at {
            raise(Signal::SIGKILL).unwrap();
        }
        Answer::Do
    }
}

impl Order {
    fn carry_out(&self, image: File) {
        let hook = Killing { at: self.at, count: Cell::new(0) };
        let disk = Hooked { hook, links: self.links };
        let args = Args {
            target: self.target.clone(),
            keep: self.keep,
            generation: Generation(self.generation),
        };
        write_with(&disk, &args, image, File::create(&self.events).unwrap()).unwrap();
        if self.at == disk.hook.count.get() {
            raise(Signal::SIGKILL).unwrap();
        }
    }

    /// Has a process of its own carry it out.
    fn send(&self, image: File) -> ExitStatus {
        Command::new(env::current_exe().unwrap())
            .args([WRITER, "--exact", "--test-threads=1"])
            .env(ORDER, serde_json::to_string(self).unwrap())
            .stdin(image)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
    }
}

#[test]
fn a_writer_that_nobody_kills_ends_with_a_snapshot() {
    if let Ok(order) = env::var(ORDER) {
        let image = File::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
        return serde_json::from_str::<Order>(&order).unwrap().carry_out(image);
    }
    let images = Images::new();
    let scenario = Scenario { keep: 2, there: 1, links: true, dir: true };
    let scene = Scene::new(&images, scenario);
    assert!(order(&scene, usize::MAX).send(images.open(2)).success());
    assert_eq!(State::of(&scene.target).findings(2), [""; 0]);
}

fn order(scene: &Scene<'_>, at: usize) -> Order {
    Order {
        target: scene.target.clone(),
        keep: scene.scenario.keep,
        generation: scene.scenario.there + 1,
        links: scene.scenario.links,
        events: scene.outside().join("events"),
        at,
    }
}

/// Kills a writer before the `at`th call, and returns what is wrong afterwards.
fn kill_one(images: &Images, scenario: Scenario, at: usize) -> Vec<String> {
    let scene = Scene::new(images, scenario);
    let order = order(&scene, at);
    let status = order.send(images.open(order.generation));
    let events = decode(&fs::read(&order.events).unwrap());
    let is_done = matches!(events.last(), Some(WriterEvent::Done(_)));
    let state = State::of(&scene.target);
    let mut findings = state.findings(scenario.there + u64::from(is_done));
    findings.extend(state.losses(&scene.before, scenario.keep));
    if status.signal() != Some(Signal::SIGKILL as i32) {
        findings.push(format!("it was not killed: {status}"));
    }
    findings.extend(go_on(&scene, &state));
    findings
}

#[test]
fn whenever_a_writer_is_killed_what_was_acknowledged_is_there_and_the_next_one_tidies_up() {
    let images = Images::new();
    let scenario = |keep, there, links, dir| Scenario { keep, there, links, dir };
    let scenarios = [
        scenario(1, 0, true, false),
        scenario(1, 1, true, true),
        scenario(3, 3, true, true),
        scenario(3, 3, false, true),
        scenario(3, 5, true, true),
    ];
    let kills = AtomicUsize::new(0);
    each(scenarios.to_vec(), |scenario| {
        let calls = calls(&images, scenario);
        for at in 0..=calls.len() {
            let findings = kill_one(&images, scenario, at);
            let place = format!("{scenario:?} at {at}, {:?}", calls.get(at));
            assert!(findings.is_empty(), "{place}:\n{}", findings.join("\n"));
            kills.fetch_add(1, Ordering::Relaxed);
        }
    });
    let kills = kills.into_inner();
    println!(
        "kill -9: {} scenarios, {kills} points, each followed by a writer: all green",
        scenarios.len()
    );
    assert!(kills > 150, "{kills} kills");
}
