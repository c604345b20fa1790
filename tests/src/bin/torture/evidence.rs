//! What jobs have left of themselves; see [`crate::work`].

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::ledger::Attempt;

/// All that the jobs of a round have written.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// How often each attempt has begun, and the code with which it ended, if it did.
    pub(crate) attempts: BTreeMap<Attempt, Trace>,
}

/// What an attempt has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// How often it has begun.
    pub(crate) begun: u32,
    /// The code that it was about to end with.
    pub(crate) code: Option<i32>,
}

impl Evidence {
    /// Reads it.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).context("reading the evidence")?;
        let mut evidence = Self::default();
        for line in text.lines() {
            evidence.add(line).with_context(|| format!("the line of evidence '{line}'"))?;
        }
        Ok(evidence)
    }

    fn add(&mut self, line: &str) -> anyhow::Result<()> {
        let fields: Vec<_> = line.split(' ').collect();
        let [what, _, job, number, last] = fields[..] else {
            anyhow::bail!("it has {} fields", fields.len());
        };
        let attempt = Attempt { job: job.parse()?, number: number.parse()? };
        let trace = self.attempts.entry(attempt).or_default();
        match what {
            "s" => trace.begun += 1,
            _ => trace.code = Some(last.parse()?),
        }
        Ok(())
    }

    /// Returns how many attempts have begun, each counted as often as it has.
    pub(crate) fn begun(&self) -> u64 {
        self.attempts.values().map(|trace| u64::from(trace.begun)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_begins_twice_is_seen() {
        let mut evidence = Evidence::default();
        for line in ["s 1 7 1 100", "e 1 7 1 3", "s 1 7 2 101", "s 1 7 1 102"] {
            evidence.add(line).unwrap();
        }
        let trace = |number| evidence.attempts[&Attempt { job: 7, number }];
        assert_eq!(trace(1), Trace { begun: 2, code: Some(3) });
        assert_eq!(trace(2), Trace { begun: 1, code: None });
        assert_eq!(evidence.begun(), 3);
        assert!(evidence.add("s 1 7").is_err());
    }
}
