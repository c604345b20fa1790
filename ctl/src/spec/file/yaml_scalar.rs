//! What plain text in YAML is: nothing, a boolean, a number, or text.

use crate::spec::file::node::Value;

/// Returns the value that `text` writes, which is neither quoted nor tagged.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match number(text) {
            Some(number) => Value::Number(number.into()),
            None => Value::String(text.to_owned()),
        },
    }
}

/// Returns the number that `text` writes, as JSON writes it.
///
/// Digits that begin with a zero (`007`, `08`) are parts of names, dates and times, and stay text.
fn number(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if sign.is_empty() {
        for (prefix, radix) in [("0x", 16), ("0o", 8)] {
            if let Some(digits) = text.strip_prefix(prefix) {
                return integer(digits, radix);
            }
        }
    }
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let empty = whole.is_empty() && fraction.unwrap_or_default().is_empty();
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if empty || leading_zero || !is_digits(whole) || !is_digits(fraction.unwrap_or_default()) {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let mut json = format!("{sign}{whole}");
    if let Some(fraction) = fraction.filter(|fraction| !fraction.is_empty()) {
        json.push('.');
        json.push_str(fraction);
    }
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() || !is_digits(digits) {
            return None;
        }
        json.push('e');
        json.push_str(exponent);
    }
    Some(json)
}

/// Returns the decimal text of an integer in another base.
pub(super) fn integer(digits: &str, radix: u32) -> Option<String> {
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    is_number.then(|| u128::from_str_radix(digits, radix).ok()).flatten().map(|n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_and_names_are_names() {
        for (text, json) in [
            ("7", "7"),
            ("-7", "-7"),
            ("+7", "7"),
            ("0.0001", "0.0001"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e-5", "1e-5"),
            ("0x1F", "31"),
            ("0o17", "15"),
        ] {
            assert_eq!(resolve(text), Value::Number(json.into()), "{text}");
        }
        for text in [
            "yes", "007", "08", "1:30", "01:00:00", "1_000", "2g", ".inf", "-", ".", "e5", "1e",
            "0x", "1.2.3", "+", "-0x1",
        ] {
            assert_eq!(resolve(text), Value::String(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn nothing_and_booleans_are_known() {
        for text in ["", "~", "null"] {
            assert_eq!(resolve(text), Value::Null);
        }
        assert_eq!(resolve("true"), Value::Bool(true));
        assert_eq!(resolve("False"), Value::Bool(false));
    }
}
