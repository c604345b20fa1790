//! Amounts of memory as users write them: `512m`, `2g`, `1.5g`, `2GiB`, `1048576`.
//!
//! As in Slurm and in torc 1.0, all units are binary: `k`, `kb` and `KiB` are 1024 bytes.

use std::str::FromStr;

use thiserror::Error;

/// A text that is no amount of memory.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is no amount of memory")]
pub struct MemoryError(String);

/// How to write it right, for hints.
pub const EXAMPLES: &str = "write it as in 512m, 2g, 1.5g, 2GiB; a number alone is bytes";

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub u64);

impl FromStr for Memory {
    type Err = MemoryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim()).map(Self).ok_or_else(|| MemoryError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.is_empty() || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let unit = 1_u64 << shift;
    let bytes = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit);
    // SQLite keeps it as a signed number.
    bytes
        .checked_add(u64::try_from(part / 10_u128.pow(fraction.len() as u32)).ok()?)
        .filter(|bytes| i64::try_from(*bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_an_amount_are_understood() {
        for (text, bytes) in [
            ("1048576", 1 << 20),
            ("512m", 512 << 20),
            ("2g", 2 << 30),
            ("1.5g", 3 << 29),
            ("2GiB", 2 << 30),
            ("2GB", 2 << 30),
            ("100 MB", 100 << 20),
            ("64K", 64 << 10),
            ("1t", 1 << 40),
            ("0.1g", 107_374_182),
        ] {
            assert_eq!(text.parse(), Ok(Memory(bytes)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "g", "2x", "-1g", "1..5g", "1.g", ".5g", "2 g b", "99999999999t", "8388608t"]
        {
            assert!(text.parse::<Memory>().is_err(), "{text:?}");
        }
        assert_eq!("2x".parse::<Memory>().unwrap_err().to_string(), "'2x' is no amount of memory");
    }
}
