//! When a run has to be over, and when its jobs are told so.

use std::env;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use thiserror::Error;
use torc_protocol::spec::TimeLimit;
use torc_protocol::time::{Span, Timestamp};

use crate::error::CliError;

/// Where Slurm says when a job ends, in Unix seconds.
const SLURM_END: &str = "SLURM_JOB_END_TIME";
/// What is kept free before the end is at most this part of the time.
const SHARE: u64 = 4;

/// A text that is no point in time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "'{0}' is no time: write 2026-03-01T18:00 (local), 2026-03-01T18:00:00Z, Unix seconds, or none"
)]
pub(crate) struct EndTimeError(String);

/// When a run has to be over, as users say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndTime {
    /// Whenever it likes.
    Never,
    /// At this time.
    At(Timestamp),
}

impl FromStr for EndTime {
    type Err = EndTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text, TimeZone::system).ok_or_else(|| EndTimeError(text.to_owned()))
    }
}

fn parse(text: &str, zone: impl FnOnce() -> TimeZone) -> Option<EndTime> {
    if text == "none" {
        return Some(EndTime::Never);
    }
    if let Some(at) = unix_seconds(text) {
        return Some(EndTime::At(at));
    }
    let micros = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at.as_microsecond(),
        Err(_) => {
            // A date without a time of day would be its midnight, which nobody means.
            let local: DateTime = text.parse().ok().filter(|_| text.contains([':', 'T']))?;
            local.to_zoned_datetime(zone()).ok()?.timestamp().as_microsecond()
        }
    };
    Some(EndTime::At(Timestamp(micros)))
}

fn unix_seconds(text: &str) -> Option<Timestamp> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = text.parse().ok().filter(|_| digits)?;
    seconds.checked_mul(1_000_000).map(Timestamp)
}

/// What is kept free before the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reserve {
    /// From the end of the last job to the end of the run: time for the record to be saved.
    pub(crate) headroom: Span,
    /// From the signal that asks jobs to end until they are killed.
    pub(crate) lead: Span,
}

impl Default for Reserve {
    fn default() -> Self {
        Self { headroom: Span(60_000_000), lead: Span(30_000_000) }
    }
}

/// Returns the limit of a run that begins at `now`: after `given`, else at `end`, else at the end of
/// the Slurm job that we are in. In a short time the reserve is shorter, too.
pub(crate) fn time_limit(
    given: Option<Span>,
    end: Option<EndTime>,
    now: Timestamp,
    reserve: Reserve,
) -> Result<Option<TimeLimit>, CliError> {
    let left = match (given, end) {
        (Some(span), _) if span.0 == 0 => {
            return Err(CliError::usage("a time limit of 0 leaves no time for any job")
                .hint("leave `--time-limit` out for no limit"));
        }
        (Some(span), _) => span,
        (None, Some(EndTime::Never)) => return Ok(None),
        (None, Some(EndTime::At(at))) if at <= now => {
            return Err(CliError::usage("the end time is in the past")
                .hint("name a later one, with its zone unless it is local: 2026-03-01T18:00Z"));
        }
        (None, Some(EndTime::At(at))) => at.since(now),
        (None, None) => match slurm_end() {
            Some(at) if at > now => at.since(now),
            _ => return Ok(None),
        },
    };
    Ok(Some(within(left, now, reserve)))
}

fn within(left: Span, now: Timestamp, reserve: Reserve) -> TimeLimit {
    let wanted = reserve.headroom.0.saturating_add(reserve.lead.0);
    let kept = wanted.min(left.0 / SHARE);
    // Both parts shrink alike. Nothing is wanted only when both are nothing.
    let lead = u128::from(reserve.lead.0) * u128::from(kept) / u128::from(wanted.max(1));
    let runs = i64::try_from(left.0 - kept).unwrap_or(i64::MAX);
    TimeLimit {
        stop_at: Timestamp(now.0.saturating_add(runs)),
        grace: Span(u64::try_from(lead).unwrap_or(reserve.lead.0)),
    }
}

fn slurm_end() -> Option<Timestamp> {
    unix_seconds(&env::var(SLURM_END).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;
    const NOW: Timestamp = Timestamp(1_000_000_000_000);

    fn limit(seconds: u64) -> (u64, u64) {
        let given = Some(Span(seconds * S));
        let limit = time_limit(given, None, NOW, Reserve::default()).unwrap().unwrap();
        (limit.stop_at.since(NOW).0, limit.grace.0)
    }

    #[test]
    fn jobs_are_told_before_the_end_and_have_the_lead_to_end() {
        assert_eq!(limit(3600), (3510 * S, 30 * S));
        assert_eq!(limit(360), (270 * S, 30 * S));
    }

    #[test]
    fn a_short_run_keeps_three_quarters_for_its_jobs() {
        assert_eq!(limit(60), (45 * S, 5 * S));
        assert_eq!(limit(2), (1_500_000, S / 6));
    }

    #[test]
    fn nothing_need_be_kept_free() {
        let reserve = Reserve { headroom: Span(0), lead: Span(0) };
        let limit = time_limit(Some(Span(S)), None, NOW, reserve).unwrap().unwrap();
        assert_eq!((limit.stop_at.since(NOW), limit.grace), (Span(S), Span(0)));
    }

    #[test]
    fn an_end_in_the_past_is_refused_and_none_is_no_limit() {
        let at = |micros| Some(EndTime::At(Timestamp(micros)));
        let limit = |end| time_limit(None, end, NOW, Reserve::default());
        let message = limit(at(NOW.0)).unwrap_err().message;
        assert_eq!(message, "the end time is in the past");
        assert_eq!(limit(Some(EndTime::Never)).unwrap(), None);
        let hour = limit(at(NOW.0 + 3_600_000_000)).unwrap().unwrap();
        assert_eq!(hour.stop_at.since(NOW), Span(3510 * S));
        assert!(time_limit(Some(Span(0)), None, NOW, Reserve::default()).is_err());
    }

    #[test]
    fn a_time_is_local_unless_it_says_its_zone() {
        let east = || TimeZone::fixed(jiff::tz::offset(9));
        let at = |text: &str| match parse(text, east) {
            Some(EndTime::At(at)) => at.0 / 1_000_000,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(at("1970-01-01T09:00"), 0);
        assert_eq!(at("1970-01-01 09:00:10"), 10);
        assert_eq!(at("1970-01-01T00:00:10Z"), 10);
        assert_eq!(at("1970-01-01T01:00:10+01:00"), 10);
        assert_eq!(at("1772373909"), 1_772_373_909);
        assert_eq!(parse("none", east), Some(EndTime::Never));
        for text in ["", "soon", "-5", "2026-13-01T00:00", "18:00", "2026-03-01"] {
            assert_eq!(parse(text, east), None, "{text}");
        }
    }
}
