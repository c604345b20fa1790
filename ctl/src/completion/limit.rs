//! The time that a completion may take, and the process that is given up when it is over.
//!
//! A thread would not do: one that waits for a disk which does not answer cannot be ended, and the
//! process it belongs to cannot either.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::completion::ANSWER_VARIABLE;

/// Names another limit, in milliseconds, for who would rather wait.
const LIMIT_VARIABLE: &str = "TORC_COMPLETE_MS";
/// How long a shell may be kept without one.
const LIMIT: Duration = Duration::from_millis(400);

/// Returns how long a shell may be kept.
fn limit() -> Duration {
    let named = env::var(LIMIT_VARIABLE).ok().and_then(|text| text.parse().ok());
    named.map_or(LIMIT, Duration::from_millis)
}

/// Returns how long a torcd may take to answer: not all of it, so that what needs no torcd is still
/// offered.
pub(super) fn limit_of_asking() -> Duration {
    limit() * 3 / 4
}

/// Has `words` completed in the form `form` by another process of ours, and passes its answer on;
/// nothing when there is none in time.
pub(super) fn relay(form: &OsStr, words: Vec<OsString>) {
    let Some(answer) = answer(form, words) else { return };
    // A shell that has gone does not want it any more.
    drop(std::io::stdout().lock().write_all(&answer));
}

fn answer(form: &OsStr, words: Vec<OsString>) -> Option<Vec<u8>> {
    let mut child = Command::new(env::current_exe().ok()?)
        .arg("--")
        .args(words)
        .env(ANSWER_VARIABLE, form)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdout = child.stdout.take()?;
    let (sender, answered) = channel();
    thread::spawn(move || {
        let mut answer = Vec::new();
        // Half an answer could complete a word wrongly.
        let whole = stdout.read_to_end(&mut answer).map(|_| answer);
        drop(sender.send(whole));
    });
    let answer = answered.recv_timeout(limit());
    if answer.is_err() {
        // It is not waited for: if it hangs in the system, it will end when that lets it.
        drop(child.kill());
    }
    answer.ok()?.ok()
}
