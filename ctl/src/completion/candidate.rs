//! What may stand at the cursor.

use clap::builder::StyledStr;
use clap_complete::CompletionCandidate;

/// A word, and what is told of it where a shell shows that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) value: String,
    pub(super) about: String,
}

impl Candidate {
    pub(super) fn new(value: impl Into<String>, about: impl Into<String>) -> Self {
        Self { value: value.into(), about: about.into() }
    }

    /// Returns whether it can be put into a line so that it stays what it is: shells take lines, and
    /// what begins with a dash is an option.
    pub(super) fn is_fit(&self) -> bool {
        !self.value.is_empty()
            && !self.value.starts_with('-')
            && !self.value.contains(char::is_control)
    }
}

impl From<Candidate> for CompletionCandidate {
    fn from(candidate: Candidate) -> Self {
        let about = (!candidate.about.is_empty()).then(|| StyledStr::from(candidate.about));
        Self::new(candidate.value).help(about)
    }
}

/// Keeps what a person can have meant of what the engine offers: an option is not offered beside
/// values before a dash is typed.
pub(super) fn sift(offered: Vec<CompletionCandidate>, typed: &str) -> Vec<CompletionCandidate> {
    let is_option = |candidate: &CompletionCandidate| {
        candidate.get_id().is_some_and(|id| id.starts_with("arg::"))
    };
    let has_values = offered.iter().any(|candidate| !is_option(candidate));
    let keeps_all = typed.starts_with('-') || !has_values;
    offered.into_iter().filter(|candidate| keeps_all || !is_option(candidate)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_cannot_hold_is_not_offered() {
        for (value, is_fit) in [
            ("job 1", true),
            ("a'b\"c", true),
            ("日本", true),
            ("", false),
            ("-x", false),
            ("a\nb", false),
            ("a\u{1b}[2Jb", false),
        ] {
            assert_eq!(Candidate::new(value, "").is_fit(), is_fit, "{value:?}");
        }
    }

    #[test]
    fn options_are_offered_when_a_dash_is_typed_or_nothing_else_fits() {
        let option = || CompletionCandidate::new("--name").id(Some("arg::name".to_owned()));
        let value = || CompletionCandidate::new("job1");
        let left = |offered: Vec<CompletionCandidate>, typed| {
            sift(offered, typed)
                .iter()
                .map(|candidate| candidate.get_value().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(left(vec![value(), option()], ""), ["job1"]);
        assert_eq!(left(vec![option()], ""), ["--name"]);
        assert_eq!(left(vec![value(), option()], "-"), ["job1", "--name"]);
    }
}
