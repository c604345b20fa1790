//! The numbers of signals.

use std::str::FromStr;

use nix::sys::signal::Signal;

/// Returns the number of the signal that `text` names: `SIGTERM`, `TERM`, `term` or `15`.
#[must_use]
pub fn number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return Signal::try_from(number).ok().map(|signal| signal as i32);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    Signal::from_str(&format!("SIG{name}")).ok().map(|signal| signal as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for text in ["SIGTERM", "TERM", "sigterm", "15"] {
            assert_eq!(number(text), Some(15), "{text}");
        }
        assert_eq!(number("SIGUSR1"), Some(Signal::SIGUSR1 as i32));
        for text in ["", "SIG", "SIGNONE", "0", "-1", "99"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
