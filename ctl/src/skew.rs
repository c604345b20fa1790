//! The note that torcd and torcctl are of two versions, which still understand each other.
//!
//! It is said once an invocation, and not in quiet mode: nothing is wrong.

use std::sync::atomic::{AtomicBool, Ordering};

use torc_protocol::hello::PACKAGE_VERSION;

use crate::stderr;

static SAID: AtomicBool = AtomicBool::new(false);

/// Says so the first time that `torcd` is another version than ours.
pub fn note(torcd: &str) {
    if let Some(text) = text(torcd, PACKAGE_VERSION)
        && !SAID.swap(true, Ordering::Relaxed)
    {
        stderr::say(&text);
    }
}

fn text(torcd: &str, torcctl: &str) -> Option<String> {
    if torcd == torcctl {
        return None;
    }
    let hint = if numbers(torcd) > numbers(torcctl) {
        "use the torcctl that belongs to it"
    } else {
        "`torcctl daemon restart` starts the new torcd when what runs has ended"
    };
    Some(format!("note: torcd is {torcd}, torcctl {torcctl}\nhint: {hint}"))
}

/// Returns the numbers of a version, by which two can be compared.
fn numbers(version: &str) -> Vec<u64> {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    release.split('.').map(|number| number.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_where_both_are_the_same() {
        assert_eq!(text("0.1.0", "0.1.0"), None);
    }

    #[test]
    fn the_hint_says_which_of_the_two_is_to_be_replaced() {
        let older = text("0.9.1", "0.10.0").unwrap();
        assert!(older.starts_with("note: torcd is 0.9.1, torcctl 0.10.0\nhint: "), "{older}");
        assert!(older.contains("`torcctl daemon restart`"), "{older}");
        let newer = text("1.0.0-rc1", "0.10.0").unwrap();
        assert!(newer.ends_with("hint: use the torcctl that belongs to it"), "{newer}");
    }
}
