//! The name that was probably meant.

/// Returns the candidate that is most like `name`, if one is like it at all.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    // Any two short names are alike.
    let tolerance = if length < 3 { 0 } else { ((length + 1) / 3).min(4) };
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= 4 * tolerance)
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns the hint that asks for the nearest candidate.
#[must_use]
pub fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean '{candidate}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_through() {
        let names = ["command", "comment", "depends_on", "env"];
        assert_eq!(nearest("comand", names), Some("command"));
        assert_eq!(nearest("Command", names), Some("command"));
        assert_eq!(nearest("dependson", names), Some("depends_on"));
        assert_eq!(nearest("evn", names), Some("env"));
    }

    #[test]
    fn something_else_is_not_taken_for_a_slip() {
        assert_eq!(nearest("priority", ["command", "env"]), None);
        assert_eq!(nearest("x", ["env", "y"]), None);
        assert_eq!(nearest("anything", []), None);
    }
}
