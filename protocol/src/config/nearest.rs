//! The name that was probably meant.

/// Returns the candidate that is most like `name`, if one is like it at all.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = name.chars().count();
    // Any two short names are alike.
    let tolerance = if length < 3 { 0 } else { ((length + 1) / 3).min(4) };
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns how many characters have to be put in, left out, or replaced to make one of the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    // How far what was read of `from` is from every beginning of `to`.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (read, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], read + 1);
        for (at, wanted) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(!letter.eq_ignore_ascii_case(wanted));
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_the_changes() {
        for (from, to, changes) in [
            ("", "", 0),
            ("", "abc", 3),
            ("keep", "Keep", 0),
            ("kep", "keep", 1),
            ("evn", "env", 2),
        ] {
            assert_eq!(distance(from, to), changes, "{from} {to}");
            assert_eq!(distance(to, from), changes, "{to} {from}");
        }
    }

    #[test]
    fn a_slip_is_seen_through_and_something_else_is_not() {
        let names = ["snapshot.keep", "snapshot.path", "daemon.log"];
        assert_eq!(nearest("snapshot.kep", names), Some("snapshot.keep"));
        assert_eq!(nearest("snapshots.keep", names), Some("snapshot.keep"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
