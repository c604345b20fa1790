//! How people write things: durations, sizes, times; and colours, where they are wanted.
//!
//! Pure functions of their arguments, except [`local_time`], which asks for the local time zone.
//! Rounding never shows a value that belongs to the next unit: 59.95 s is `1 m 00 s`, not `60.0 s`.

use std::env;

use jiff::tz::TimeZone;
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::{Span, Timestamp};

use crate::format::ColorWhen;

/// Returns a duration with its two leading units: `0.4 ms`, `12 ms`, `1.2 s`, `3 m 04 s`,
/// `2 h 05 m`, `3 d 04 h`.
#[must_use]
pub fn duration(span: Span) -> String {
    let rounded = |unit: u64| span.0.saturating_add(unit / 2) / unit;
    let tenths_of_ms = rounded(100);
    if tenths_of_ms < 100 {
        return format!("{}.{} ms", tenths_of_ms / 10, tenths_of_ms % 10);
    }
    let ms = rounded(1_000);
    if ms < 1_000 {
        return format!("{ms} ms");
    }
    let tenths = rounded(100_000);
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = rounded(1_000_000);
    if seconds < 3_600 {
        return format!("{} m {:02} s", seconds / 60, seconds % 60);
    }
    let minutes = rounded(60_000_000);
    if minutes < 24 * 60 {
        return format!("{} h {:02} m", minutes / 60, minutes % 60);
    }
    let hours = rounded(3_600_000_000);
    format!("{} d {:02} h", hours / 24, hours % 24)
}

/// Returns a number of bytes in binary units: `512 B`, `1.5 KiB`, `335.2 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = (u128::from(bytes) * 10 + 512) / 1024;
    let mut scaled = u128::from(bytes);
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        scaled /= 1024;
        tenths = (scaled * 10 + 512) / 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Returns a point in time in the local time zone: `2026-03-01 14:05:09`.
#[must_use]
pub fn local_time(at: Timestamp) -> String {
    time_in(at, TimeZone::system())
}

fn time_in(at: Timestamp, zone: TimeZone) -> String {
    match jiff::Timestamp::from_microsecond(at.0) {
        Ok(time) => time.to_zoned_datetime(zone).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => format!("{} s after 1970", at.as_secs_f64()),
    }
}

/// Returns `text` on one line and harmless to a terminal: control characters become escapes.
#[must_use]
pub fn one_line(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Returns `1 job`, `2 jobs`: a count with its noun, which takes an `s` in the plural.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    Plain,
    /// As it should be.
    Good,
    /// Wrong; somebody has to look.
    Bad,
    /// Unusual, or stopped on purpose.
    Warning,
    /// Going on now.
    Active,
    /// Of less weight than what is around it.
    Dim,
    /// Of more.
    Strong,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
            Self::Warning => "\x1b[33m",
            Self::Active => "\x1b[36m",
            Self::Dim => "\x1b[2m",
            Self::Strong => "\x1b[1m",
        }
    }
}

impl From<JobStatus> for Tone {
    fn from(status: JobStatus) -> Self {
        match status {
            JobStatus::Completed => Self::Good,
            JobStatus::Failed => Self::Bad,
            JobStatus::Canceled | JobStatus::Terminated => Self::Warning,
            JobStatus::Pending | JobStatus::Running => Self::Active,
            JobStatus::Blocked | JobStatus::Disabled => Self::Dim,
            JobStatus::Ready => Self::Plain,
        }
    }
}

impl From<WorkflowStatus> for Tone {
    fn from(status: WorkflowStatus) -> Self {
        match status {
            WorkflowStatus::Running => Self::Active,
            WorkflowStatus::Completed => Self::Good,
            WorkflowStatus::Failed => Self::Bad,
            WorkflowStatus::Canceled | WorkflowStatus::Paused => Self::Warning,
        }
    }
}

/// Whether one of our streams is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    colored: bool,
}

impl Palette {
    /// Colours nothing.
    pub const PLAIN: Self = Self { colored: false };

    /// Returns the palette for a stream: as `choice` says, and when it leaves that open, colours on
    /// a terminal unless `NO_COLOR` is set or the terminal is a dumb one.
    #[must_use]
    pub fn new(choice: ColorWhen, is_terminal: bool) -> Self {
        let wanted = || {
            let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
            set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
        };
        let colored = match choice {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => is_terminal && wanted(),
        };
        Self { colored }
    }

    /// Returns whether it colours at all.
    #[must_use]
    pub fn is_colored(self) -> bool {
        self.colored
    }

    /// Returns `text` in the colour of `tone`.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if self.colored && tone != Tone::Plain {
            format!("{}{text}\x1b[0m", tone.code())
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;
    const S: u64 = 1_000 * MS;
    const M: u64 = 60 * S;
    const H: u64 = 60 * M;
    const D: u64 = 24 * H;

    #[test]
    fn durations_change_units_where_rounding_would_fill_them() {
        let cases = [
            (0, "0.0 ms"),
            (420, "0.4 ms"),
            (9_949, "9.9 ms"),
            (9_950, "10 ms"),
            (999 * MS, "999 ms"),
            (999 * MS + 499, "999 ms"),
            (999 * MS + 500, "1.0 s"),
            (S, "1.0 s"),
            (1_234 * MS, "1.2 s"),
            (59_949 * MS, "59.9 s"),
            (59_950 * MS, "1 m 00 s"),
            (3 * M + 4 * S, "3 m 04 s"),
            (59 * M + 59_499 * MS, "59 m 59 s"),
            (59 * M + 59_900 * MS, "1 h 00 m"),
            (2 * H + 5 * M, "2 h 05 m"),
            (23 * H + 59 * M + 30 * S, "1 d 00 h"),
            (3 * D + 4 * H, "3 d 04 h"),
            (400 * D, "400 d 00 h"),
            (u64::MAX, "213503982 d 08 h"),
        ];
        for (micros, text) in cases {
            assert_eq!(duration(Span(micros)), text, "{micros} µs");
        }
    }

    #[test]
    fn sizes_change_units_where_rounding_would_fill_them() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (1024 * 1024, "1.0 MiB"),
            (351_482_675, "335.2 MiB"),
            (3 << 40, "3.0 TiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text, "{bytes} bytes");
        }
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let at = Timestamp(1_772_373_909_250_000);
        assert_eq!(time_in(at, TimeZone::UTC), "2026-03-01 14:05:09");
        let east = TimeZone::fixed(jiff::tz::offset(9));
        assert_eq!(time_in(at, east), "2026-03-01 23:05:09");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_still_shown() {
        assert!(time_in(Timestamp(i64::MAX), TimeZone::UTC).ends_with("s after 1970"));
    }

    #[test]
    fn control_characters_become_escapes() {
        assert_eq!(one_line("echo ü; ls"), "echo ü; ls");
        assert_eq!(one_line("a\n\tb\x1b[31m"), "a\\n\\tb\\u{1b}[31m");
    }

    #[test]
    fn counts_have_their_plural() {
        assert_eq!(count(0, "job"), "0 jobs");
        assert_eq!(count(1, "job"), "1 job");
        assert_eq!(count(2, "job"), "2 jobs");
    }

    #[test]
    fn only_a_terminal_is_coloured_unless_told_otherwise() {
        assert!(!Palette::new(ColorWhen::Auto, false).is_colored());
        assert!(Palette::new(ColorWhen::Always, false).is_colored());
        assert!(!Palette::new(ColorWhen::Never, true).is_colored());
        assert_eq!(Palette::PLAIN.paint(Tone::Bad, "failed"), "failed");
        let always = Palette::new(ColorWhen::Always, false);
        assert_eq!(always.paint(Tone::Bad, "failed"), "\x1b[31mfailed\x1b[0m");
        assert_eq!(always.paint(Tone::Plain, "ready"), "ready");
    }
}
