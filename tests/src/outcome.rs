//! How a program ended, and what it said.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::Value;

/// What is left of a program that has ended.
#[derive(Debug)]
pub struct Outcome {
    /// What was run, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout_bytes: Vec<u8>,
    /// The same, as text.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Outcome {
    /// Checks the exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "expected exit code {code} of {self}");
        self
    }

    /// Checks that it was refused as users want to be refused: this exit code, and on stderr an
    /// error that says `what`, and a hint.
    #[track_caller]
    pub fn expect_refusal(self, code: i32, what: &str) -> Self {
        let refused = self.expect(code);
        let line_with = |start: &str| refused.stderr.lines().any(|line| line.starts_with(start));
        assert!(line_with("error: "), "no `error:` in {refused}");
        assert!(line_with("hint: ") || line_with("For more information"), "no hint in {refused}");
        assert!(refused.stderr.contains(what), "no '{what}' in {refused}");
        assert!(!refused.stderr.contains("panicked"), "{refused}");
        refused
    }

    /// Checks that something stands on stderr.
    #[track_caller]
    pub fn says(self, what: &str) -> Self {
        assert!(self.stderr.contains(what), "no '{what}' on stderr of {self}");
        self
    }

    /// Returns stdout as JSON.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self}"))
    }

    /// Returns each line of stdout as JSON.
    #[track_caller]
    #[must_use]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {self}"));
        self.stdout.lines().map(parse).collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "`{}`", self.command)?;
        match self.status.signal() {
            Some(signal) => writeln!(f, "ended by signal {signal}")?,
            None => writeln!(f, "ended with {}", self.status)?,
        }
        writeln!(f, "--- stdout\n{}--- stderr\n{}---", self.stdout, self.stderr)
    }
}
