//! Durations as users write them: `90`, `90s`, `1.5h`, `1h30m`, `500ms`, and ISO 8601 (`PT1H30M`).

use std::str::FromStr;

use thiserror::Error;
use torc_protocol::time::Span;

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is no duration: write seconds (90), units (1h30m, 500ms), or ISO 8601 (PT1H30M)")]
pub struct DurationError(String);

/// A duration from the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duration(pub Span);

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.starts_with(['P', 'p']);
        let micros = if upper { iso(text) } else { with_units(text) };
        micros.map(|micros| Self(Span(micros))).ok_or_else(|| DurationError(text.to_owned()))
    }
}

fn with_units(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return micros_of(text, 1_000_000);
    }
    let mut rest = text.trim();
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let length = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let unit = match &after[..length] {
            "us" => 1,
            "ms" => 1_000,
            "s" | "sec" => 1_000_000,
            "m" | "min" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => return None,
        };
        sum = sum.checked_add(micros_of(number, unit)?)?;
        rest = after[length..].trim_start();
    }
    (!text.trim().is_empty()).then_some(sum)
}

fn iso(text: &str) -> Option<u64> {
    let upper = text.to_ascii_uppercase();
    let body = upper.strip_prefix('P')?;
    let (date, time) = body.split_once('T').unwrap_or((body, ""));
    if body.ends_with('T') || body.is_empty() {
        return None;
    }
    let days = iso_part(date, &[('W', 604_800), ('D', 86_400)])?;
    days.checked_add(iso_part(time, &[('H', 3_600), ('M', 60), ('S', 1)])?)
}

/// Sums fields that must come in the order of `units` (letter and seconds), each at most once.
fn iso_part(text: &str, mut units: &[(char, u64)]) -> Option<u64> {
    let mut rest = text;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let letter = after.chars().next()?;
        let position = units.iter().position(|(unit, _)| *unit == letter)?;
        sum = sum.checked_add(micros_of(number, units[position].1 * 1_000_000)?)?;
        units = &units[position + 1..];
        rest = &after[1..];
    }
    Some(sum)
}

fn split_number(text: &str) -> Option<(&str, &str)> {
    let length = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (length > 0).then(|| text.split_at(length))
}

fn micros_of(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let fraction = match fraction {
        "" => 0.0,
        digits => format!("0.{digits}").parse::<f64>().ok()? * unit as f64,
    };
    whole.checked_add(fraction.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_a_duration_are_understood() {
        for (text, millis) in [
            ("90", 90_000),
            ("0", 0),
            ("1.5", 1_500),
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("2d", 172_800_000),
            ("500ms", 500),
            ("PT5M", 300_000),
            ("PT1H30M", 5_400_000),
            ("P1DT2H", 93_600_000),
            ("PT0.5S", 500),
            ("pt5m", 300_000),
            ("P1W", 604_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Duration(Span(millis * 1_000))), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "x", "5x", "m", "-5", "1h30", "1..5", "PT", "P", "PT5", "PT5M1H", "5 m h"]
        {
            assert!(text.parse::<Duration>().is_err(), "{text:?}");
        }
        assert!("99999999999999999999".parse::<Duration>().is_err());
    }
}
