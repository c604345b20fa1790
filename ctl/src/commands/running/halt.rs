//! `--halt`: when a run gives up because of failed jobs, as GNU parallel writes it.

use std::str::FromStr;

use thiserror::Error;
use torc_protocol::spec::{Halt, HaltAfter};

/// A text that says no such thing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "'{0}' is none of never, soon and now, followed by ,fail=N or ,fail=N% (soon,fail=3, now,fail=20%)"
)]
pub(crate) struct HaltError(String);

/// When to give up; by default never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HaltRule(Option<Halt>);

impl From<HaltRule> for Option<Halt> {
    fn from(rule: HaltRule) -> Self {
        rule.0
    }
}

impl FromStr for HaltRule {
    type Err = HaltError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| HaltError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<HaltRule> {
    let (when, after) = match text.split_once(',') {
        Some((when, after)) => (when, failures(after.strip_prefix("fail=")?)?),
        None => (text, HaltAfter::Jobs(1)),
    };
    match when {
        "never" if !text.contains(',') => Some(HaltRule(None)),
        "soon" => Some(HaltRule(Some(Halt { after, now: false }))),
        "now" => Some(HaltRule(Some(Halt { after, now: true }))),
        _ => None,
    }
}

fn failures(text: &str) -> Option<HaltAfter> {
    let Some(share) = text.strip_suffix('%') else {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let jobs = text.parse().ok().filter(|jobs| digits && *jobs > 0)?;
        return Some(HaltAfter::Jobs(jobs));
    };
    let percent: f64 = share.parse().ok()?;
    // In hundredths of a percent, as the protocol has it.
    let hundredths = (percent * 100.0).round();
    (1.0..=10_000.0).contains(&hundredths).then_some(HaltAfter::Share(hundredths as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halt(after: HaltAfter, now: bool) -> HaltRule {
        HaltRule(Some(Halt { after, now }))
    }

    #[test]
    fn a_rule_says_how_many_must_fail_and_what_becomes_of_the_rest() {
        for (text, rule) in [
            ("never", HaltRule::default()),
            ("soon", halt(HaltAfter::Jobs(1), false)),
            ("now", halt(HaltAfter::Jobs(1), true)),
            ("soon,fail=3", halt(HaltAfter::Jobs(3), false)),
            ("now,fail=20%", halt(HaltAfter::Share(2_000), true)),
            ("now,fail=0.5%", halt(HaltAfter::Share(50), true)),
            ("soon,fail=100%", halt(HaltAfter::Share(10_000), false)),
        ] {
            assert_eq!(text.parse(), Ok(rule), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "later",
            "never,fail=1",
            "now,",
            "now,3",
            "now,fail=0",
            "now,fail=-1",
            "now,fail=+1",
            "now,fail=0%",
            "now,fail=101%",
            "now,fail=nan%",
            "now,success=1",
            "soon,fail=1,fail=2",
        ] {
            assert!(text.parse::<HaltRule>().is_err(), "{text}");
        }
    }
}
