//! The colours of jobs in a graph.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use torc_protocol::status::{JobStatus, UnknownStatus};

/// A colour for each state, or none at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Colors {
    /// In the order of [`JobStatus::ALL`].
    colors: Option<Vec<String>>,
}

impl Colors {
    /// Returns the colour for jobs in this state.
    pub(super) fn of(&self, status: JobStatus) -> Option<&str> {
        let place = JobStatus::ALL.iter().position(|other| *other == status)?;
        self.colors.as_ref()?.get(place).map(String::as_str)
    }
}

impl Default for Colors {
    fn default() -> Self {
        let colors = JobStatus::ALL.iter().map(|status| by_default(*status).to_owned());
        Self { colors: Some(colors.collect()) }
    }
}

/// Light ones: the names stand on them in black.
fn by_default(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Blocked => "#e8e8e8",
        JobStatus::Ready => "#ffffff",
        JobStatus::Pending => "#d3e8fb",
        JobStatus::Running => "#8cc4f2",
        JobStatus::Completed => "#b5e0b0",
        JobStatus::Failed => "#f2958d",
        JobStatus::Canceled => "#f7dd9b",
        JobStatus::Terminated => "#f2b277",
        JobStatus::Disabled => "#c4b8d8",
    }
}

/// [`Colors`] as users change them: `failed=red,completed=#ffffff`, or `none`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StatusColors(pub(super) Colors);

/// A text that gives no colours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum ColorsError {
    /// It has another form.
    #[error("'{0}' is not of the form STATUS=COLOUR")]
    Form(String),
    /// There is no such state.
    #[error(transparent)]
    Status(#[from] UnknownStatus),
    /// Neither a name nor digits.
    #[error("'{0}' is no colour: write a name (red), or # and six hexadecimal digits (#ff0000)")]
    Color(String),
}

impl FromStr for StatusColors {
    type Err = ColorsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(Colors { colors: None }));
        }
        let mut colors = JobStatus::ALL.iter().map(|it| by_default(*it)).collect::<Vec<_>>();
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            let (status, color) =
                pair.split_once('=').ok_or_else(|| ColorsError::Form(pair.to_owned()))?;
            let status: JobStatus = status.trim().parse()?;
            let color = color.trim();
            if !is_color(color) {
                return Err(ColorsError::Color(color.to_owned()));
            }
            for (place, _) in JobStatus::ALL.iter().enumerate().filter(|(_, it)| **it == status) {
                colors[place] = color;
            }
        }
        Ok(Self(Colors { colors: Some(colors.into_iter().map(str::to_owned).collect()) }))
    }
}

impl fmt::Display for StatusColors {
    /// Writes what differs from the default: nothing for the default itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.colors.is_none() {
            return f.write_str("none");
        }
        let mut separator = "";
        for status in JobStatus::ALL {
            let color = self.0.of(*status).unwrap_or_default();
            if color != by_default(*status) {
                write!(f, "{separator}{status}={color}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

/// Only what is harmless in every language: nothing that would have to be escaped.
fn is_color(text: &str) -> bool {
    match text.strip_prefix('#') {
        Some(digits) => digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<StatusColors>().unwrap_err().to_string()
    }

    #[test]
    fn the_colours_that_are_named_replace_those_by_default() {
        let text = "completed=#ffffff,failed=red";
        let colors: StatusColors = "failed=red, completed=#ffffff".parse().unwrap();
        assert_eq!(colors.0.of(JobStatus::Failed), Some("red"));
        assert_eq!(colors.0.of(JobStatus::Completed), Some("#ffffff"));
        assert_eq!(colors.0.of(JobStatus::Running), Some(by_default(JobStatus::Running)));
        assert_eq!(colors.to_string(), text);
        assert_eq!(text.parse::<StatusColors>().unwrap(), colors);
        assert_eq!("".parse::<StatusColors>().unwrap(), StatusColors::default());
    }

    #[test]
    fn none_is_no_colour_for_anything() {
        let colors: StatusColors = "none".parse().unwrap();
        assert_eq!(colors.0.of(JobStatus::Failed), None);
        assert_eq!(colors.to_string(), "none");
    }

    #[test]
    fn what_could_break_out_of_the_text_is_refused() {
        assert_eq!(error("red"), "'red' is not of the form STATUS=COLOUR");
        assert!(error("faild=red").starts_with("unknown status 'faild'"));
        for color in ["#fff", "#12345g", "", "a b", "\"", "red;x"] {
            assert!(error(&format!("failed={color}")).contains("is no colour"), "{color}");
        }
    }
}
