//! The answer to a shell: the words it gave, understood; and the candidates, in its form.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::sync::Arc;

use clap::Command;
use clap_complete::CompletionCandidate;
use clap_complete::env::{EnvCompleter, Fish, Zsh};

use crate::completion::line::Line;
use crate::completion::{bash, json, limit, shell, values};

/// The words of a line, and which of them is at the cursor.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) all: Vec<OsString>,
    pub(super) index: usize,
}

impl Words {
    /// Returns the candidates for the word at the cursor.
    pub(super) fn candidates(&self, command: Command) -> Vec<CompletionCandidate> {
        let mut command = self.attach(command);
        let place = env::current_dir().ok();
        let found = clap_complete::engine::complete(
            &mut command,
            self.all.clone(),
            self.index,
            place.as_deref(),
        );
        found.unwrap_or_default()
    }

    fn attach(&self, command: Command) -> Command {
        let line = Arc::new(Line::read(&command, &self.all, self.index));
        values::attach(command, &line, limit::limit_of_asking())
    }
}

/// Prints the candidates for what a shell gave, in its form; nothing when anything is wrong.
pub(super) fn print(form: &OsStr, given: Vec<OsString>, command: Command) {
    let answer = match form.to_str() {
        Some(bash::FORM) => bash::answer(&given, command),
        Some(json::FORM) => json::answer(given, command),
        Some("zsh") => by_engine(&Zsh, given, command),
        Some("fish") => by_engine(&Fish, given, command),
        _ => None,
    };
    // A shell that has gone does not want it any more.
    drop(std::io::stdout().lock().write_all(&answer.unwrap_or_default()));
}

/// Has the engine write the candidates in the way that its own script for a shell expects.
fn by_engine(shell: &dyn EnvCompleter, all: Vec<OsString>, command: Command) -> Option<Vec<u8>> {
    let index = shell::index_of_engine().unwrap_or(all.len().saturating_sub(1));
    let words = Words { all, index };
    let mut command = words.attach(command);
    let place = env::current_dir().ok();
    let mut answer = Vec::new();
    shell.write_complete(&mut command, words.all, place.as_deref(), &mut answer).ok()?;
    Some(answer)
}
