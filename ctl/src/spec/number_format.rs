//! The part after the colon in `{i:03d}` and `{x:.2f}`.
//!
//! `[0][WIDTH][.PRECISION][KIND]`, where KIND is `d` (integer), `f` (fixed point), `e` (exponent),
//! `x` (hexadecimal) or `s` (text); without it, numbers and text alike are padded as they stand.

use std::fmt::Write;

use thiserror::Error;

use crate::spec::value::Value;

/// The widest field that is taken for meant.
const MAX_WIDTH: usize = 1000;

/// Why a format cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// It is not one of ours.
    #[error("'{0}' is no format")]
    Unknown(String),
    /// It wants an integer and the value is none.
    #[error("'{0}' is no integer")]
    NotInteger(String),
    /// It wants a number and the value is none.
    #[error("'{0}' is no number")]
    NotNumber(String),
}

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberFormat {
    zero: bool,
    width: usize,
    precision: Option<usize>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Integer,
    Hexadecimal,
    Fixed,
    Exponent,
}

impl NumberFormat {
    /// Returns the format that `text` writes.
    ///
    /// # Errors
    ///
    /// [`FormatError::Unknown`].
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        Self::try_parse(text).ok_or_else(|| FormatError::Unknown(text.to_owned()))
    }

    fn try_parse(text: &str) -> Option<Self> {
        let (rest, kind) = match text.chars().next_back() {
            Some('d') => (&text[..text.len() - 1], Kind::Integer),
            Some('x') => (&text[..text.len() - 1], Kind::Hexadecimal),
            Some('f') => (&text[..text.len() - 1], Kind::Fixed),
            Some('e') => (&text[..text.len() - 1], Kind::Exponent),
            Some('s') => (&text[..text.len() - 1], Kind::Plain),
            _ => (text, Kind::Plain),
        };
        let (width, precision) = match rest.split_once('.') {
            Some((width, precision)) => (width, Some(number(precision)?)),
            None => (rest, None),
        };
        let zero = width.starts_with('0');
        let width = if width.is_empty() { 0 } else { number(width)? };
        match (kind, precision) {
            (Kind::Integer | Kind::Hexadecimal, Some(_)) => None,
            // `{x:.2}` means two digits after the point, for which there must be a number.
            (Kind::Plain, Some(_)) if !text.ends_with('s') => {
                Some(Self { zero, width, precision, kind: Kind::Fixed })
            }
            (Kind::Plain, Some(_)) => None,
            _ => Some(Self { zero, width, precision, kind }),
        }
    }

    /// Appends `value` in this format to `target`.
    ///
    /// # Errors
    ///
    /// When the value is not of the kind that the format wants; `target` is then unchanged.
    pub fn write(&self, value: &Value<'_>, target: &mut String) -> Result<(), FormatError> {
        let body = self.body(value)?;
        let length = body.chars().count();
        let padding = self.width.saturating_sub(length);
        let is_number = value.number.is_some();
        if !is_number {
            target.push_str(&body);
            target.extend(std::iter::repeat_n(' ', padding));
        } else if self.zero {
            let (sign, digits) = match body.strip_prefix('-') {
                Some(digits) => ("-", digits),
                None => ("", body.as_str()),
            };
            target.push_str(sign);
            target.extend(std::iter::repeat_n('0', padding));
            target.push_str(digits);
        } else {
            target.extend(std::iter::repeat_n(' ', padding));
            target.push_str(&body);
        }
        Ok(())
    }

    fn body(&self, value: &Value<'_>) -> Result<String, FormatError> {
        let not_integer = || FormatError::NotInteger(value.text.clone().into_owned());
        let integer = || value.number.and_then(|number| number.to_i64()).ok_or_else(not_integer);
        let float = || match value.number {
            Some(number) => Ok(number.to_f64()),
            None => Err(FormatError::NotNumber(value.text.clone().into_owned())),
        };
        let mut body = String::new();
        // Writing to a string cannot fail.
        let _ = match self.kind {
            Kind::Plain => write!(body, "{}", value.text),
            Kind::Integer => write!(body, "{}", integer()?),
            Kind::Hexadecimal => {
                let integer = integer()?;
                let sign = if integer < 0 { "-" } else { "" };
                write!(body, "{sign}{:x}", integer.unsigned_abs())
            }
            Kind::Fixed => write!(body, "{:.*}", self.precision.unwrap_or(6), float()?),
            Kind::Exponent => {
                write!(body, "{}", exponent(float()?, self.precision.unwrap_or(6)))
            }
        };
        Ok(body)
    }
}

/// Returns `number` with an exponent of a sign and two digits or more, as C and Python write it.
fn exponent(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

fn number(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| *number <= MAX_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(format: &str, value: &str) -> Result<String, FormatError> {
        let mut text = String::new();
        NumberFormat::parse(format)?.write(&Value::of(value), &mut text)?;
        Ok(text)
    }

    #[test]
    fn numbers_are_padded_and_rounded() {
        for (format, value, text) in [
            ("03d", "7", "007"),
            ("3d", "7", "  7"),
            ("05d", "-42", "-0042"),
            ("d", "12345", "12345"),
            (".2f", "0.126", "0.13"),
            (".2f", "3", "3.00"),
            ("07.2f", "-1.5", "-001.50"),
            (".1", "2.25", "2.2"),
            ("f", "1.5", "1.500000"),
            (".2e", "1234.5", "1.23e+03"),
            (".0e", "0.001", "1e-03"),
            ("04x", "255", "00ff"),
            ("4", "7", "   7"),
            ("04", "7", "0007"),
            ("5s", "ab", "ab   "),
            ("", "ab", "ab"),
        ] {
            assert_eq!(show(format, value).as_deref(), Ok(text), "{{{format}}} of {value}");
        }
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for format in ["q", "3q", "-3d", ".d", ".2d", "2.2s", "99999d", "d3", "é"] {
            assert_eq!(show(format, "1"), Err(FormatError::Unknown(format.to_owned())));
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused() {
        assert_eq!(show("03d", "abc"), Err(FormatError::NotInteger("abc".to_owned())));
        assert_eq!(show("d", "1.5"), Err(FormatError::NotInteger("1.5".to_owned())));
        assert_eq!(show(".2f", "x"), Err(FormatError::NotNumber("x".to_owned())));
    }
}
