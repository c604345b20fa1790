//! Completion of the command line in a shell, with values that only a torcd can tell.
//!
//! The script that a shell has loaded calls torcctl with `_TORCCTL_COMPLETE` set. That process does nothing
//! but start another one of itself, and wait for its answer no longer than a person at a prompt may
//! be kept (`limit`): whatever hangs, a torcd or a disk, hangs without the shell. The other one
//! (`answer`) has the engine of clap find what stands at the cursor. `values` says by the word for a
//! value in the help what completes it, `ask` gets that from a torcd, and `line` says from which one
//! and of which workflow: the same that the command itself would ask.
//!
//! Nothing is said on stderr, nothing is changed, and nothing lasts: at most a torcd that reads a
//! file is started, as the command would do it, and it ends with the answer.

mod answer;
mod ask;
mod bash;
mod candidate;
mod json;
mod limit;
mod line;
mod nushell;
mod shell;
mod values;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Command;

pub use self::shell::Shell;

/// Says that a completion is wanted, and by its value for which shell.
const VARIABLE: &str = "_TORCCTL_COMPLETE";
/// Says the same to the process that finds it.
const ANSWER_VARIABLE: &str = "_TORCCTL_ANSWER";

/// Completes, when that is what this process was started for; the exit code is none otherwise.
pub fn requested(command: fn() -> Command) -> Option<ExitCode> {
    let words = || env::args_os().skip_while(|word| word != "--").skip(1).collect::<Vec<_>>();
    if let Some(form) = env::var_os(ANSWER_VARIABLE) {
        answer::print(&form, words(), command());
        return Some(ExitCode::SUCCESS);
    }
    let form = env::var_os(VARIABLE).filter(|form| !form.is_empty())?;
    limit::relay(&form, words());
    Some(ExitCode::SUCCESS)
}

/// Completes the last of `words`, of which the first is the program, and prints the candidates as
/// JSON: an array of objects with `value` and `description`.
pub fn print_json(words: Vec<OsString>) {
    limit::relay(json::FORM.as_ref(), words);
}
