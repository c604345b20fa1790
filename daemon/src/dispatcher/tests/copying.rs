//! Copies of a database that only its owner can read, and what goes on meanwhile.

use std::io::{Seek, copy};
use std::ops::ControlFlow;
use std::sync::mpsc::channel;

use tokio::sync::oneshot;

use super::{DispatcherTest, asked, jobs, line, spec};
use crate::dispatcher::copying::CopyRequest;
use crate::dispatcher::input::Input;
use crate::store::home::Home;
use crate::store::shadow::Shadow;
use crate::store::tables::job;

/// A dispatcher whose database takes many steps to copy.
fn with_much() -> DispatcherTest {
    let mut t = DispatcherTest::cpus(1);
    let long = "x".repeat(1_000_000);
    t.submit(spec(), vec![line("a", &long), line("b", &long)]);
    t
}

#[test]
fn what_is_submitted_while_a_copy_is_made_is_answered_and_in_it() {
    let mut t = with_much();
    let draft = t.begin(spec()).unwrap();
    let (inputs, receiver) = channel();
    let (add, mut added) = asked(|reply| Input::AddJobs { draft, jobs: jobs(&["late"]), reply });
    inputs.send(add).unwrap();
    let (commit, mut committed) = asked(|reply| Input::Commit { draft, watch: false, reply });
    inputs.send(commit).unwrap();
    let (reply, mut answer) = oneshot::channel();
    let request = CopyRequest { into: Shadow::new().unwrap(), reply };
    assert!(t.dispatcher.copy_between_turns(request, &receiver).is_continue());
    added.try_recv().unwrap().unwrap();
    committed.try_recv().unwrap().unwrap();
    let mut image = answer.try_recv().unwrap().unwrap().image("copy").unwrap();
    image.rewind().unwrap();
    let path = t.dir.path().join("copy.db");
    copy(&mut image, &mut std::fs::File::create(&path).unwrap()).unwrap();
    let copied = Home::ReadOnly(path).open_reader().unwrap().unwrap();
    assert!(job::by_name(&copied, draft, "late").unwrap().is_some());
}

#[test]
fn the_end_of_the_daemon_does_not_wait_for_a_copy() {
    let mut t = with_much();
    let (inputs, receiver) = channel();
    let (closed, _wait) = oneshot::channel();
    inputs.send(Input::Close { closed }).unwrap();
    let (reply, mut answer) = oneshot::channel();
    let request = CopyRequest { into: Shadow::new().unwrap(), reply };
    let end = t.dispatcher.copy_between_turns(request, &receiver);
    assert!(matches!(end, ControlFlow::Break(Some(_))));
    assert!(answer.try_recv().is_err(), "there is no copy");
}
