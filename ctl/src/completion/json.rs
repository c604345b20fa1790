//! Candidates as JSON, for shells that have no protocol of their own.

use std::ffi::OsString;

use clap::Command;
use clap_complete::CompletionCandidate;
use serde::Serialize;

use crate::completion::answer::Words;
use crate::completion::candidate::sift;

/// The name of this form.
pub(super) const FORM: &str = "json";

#[derive(Serialize)]
struct Shown {
    value: String,
    description: String,
}

impl From<CompletionCandidate> for Shown {
    fn from(candidate: CompletionCandidate) -> Self {
        let about = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        Self {
            value: candidate.get_value().to_string_lossy().into_owned(),
            description: about.lines().next().unwrap_or_default().to_owned(),
        }
    }
}

/// Completes the last of `all`.
pub(super) fn answer(all: Vec<OsString>, command: Command) -> Option<Vec<u8>> {
    let index = all.len().checked_sub(1)?;
    let typed = all[index].to_string_lossy().into_owned();
    let candidates = sift(Words { all, index }.candidates(command), &typed);
    let shown: Vec<_> = candidates.into_iter().map(Shown::from).collect();
    let mut answer = serde_json::to_vec(&shown).ok()?;
    answer.push(b'\n');
    Some(answer)
}
