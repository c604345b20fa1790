//! What is told of records that were to be brought home.

use std::path::PathBuf;

use serde::{Serialize, Serializer};
use torc_protocol::id::Generation;
use torc_protocol::time::Span;
use torc_protocol::view::{SnapshotFileView, SnapshotPlace};

use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::column::{Column, Field, View};
use crate::output::stdout::Stdout;
use crate::spec::quote::shell_word;
use crate::style::{Tone, duration, one_line};

/// How it went with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is where it should be, synced and verified.
    Recovered,
    /// It would be brought there.
    Planned,
    /// All that it holds is at its place.
    Superseded,
    /// It stays where it is: a torcd that runs has the place.
    Held,
    /// It stays where it is; the text says why.
    Failed(String),
}

impl Outcome {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Planned => "planned",
            Self::Superseded => "superseded",
            Self::Held => "held",
            Self::Failed(_) => "failed",
        }
    }

    fn tone(&self) -> Tone {
        match self {
            Self::Recovered => Tone::Good,
            Self::Planned | Self::Superseded => Tone::Plain,
            Self::Held | Self::Failed(_) => Tone::Bad,
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A record, and what was done about it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    path: String,
    place: SnapshotPlace,
    target: Option<String>,
    to: Option<String>,
    pub(super) outcome: Outcome,
    reason: Option<String>,
    /// As which generation it is there.
    pub(super) generation: Option<Generation>,
    /// How long it took, in seconds.
    #[serde(rename = "seconds")]
    pub(super) took: Option<Span>,
    /// It is beside its place, because that has another record.
    #[serde(skip)]
    pub(super) is_beside: bool,
}

impl Report {
    /// Returns the report of a record that was to go to `to`.
    pub(super) fn new(record: &SnapshotFileView, to: Option<PathBuf>, outcome: Outcome) -> Self {
        let reason = match &outcome {
            Outcome::Failed(reason) => Some(reason.clone()),
            Outcome::Held => Some("torcd cannot have that place now".to_owned()),
            Outcome::Recovered | Outcome::Planned | Outcome::Superseded => None,
        };
        Self {
            path: record.path.clone(),
            place: record.place,
            target: record.target.clone(),
            to: to.map(|to| to.to_string_lossy().into_owned()),
            outcome,
            reason,
            generation: None,
            took: None,
            is_beside: false,
        }
    }

    /// Returns what people are told on stdout, if that is not an error.
    fn sentence(&self) -> Option<String> {
        let path = one_line(&self.path);
        let to = one_line(self.to.as_deref().or(self.target.as_deref()).unwrap_or("its place"));
        match &self.outcome {
            Outcome::Recovered => {
                let mut parts = Vec::new();
                parts.extend(self.generation.map(|generation| format!("generation {generation}")));
                parts.extend(self.took.map(duration));
                let place = match &self.target {
                    Some(target) if self.is_beside => {
                        format!("; {} has another record, and is as it was", one_line(target))
                    }
                    _ => String::new(),
                };
                Some(format!("recovered {to}: {} (from {path}){place}", parts.join(", ")))
            }
            Outcome::Planned => Some(format!("would recover {to} (from {path})")),
            Outcome::Superseded => Some(format!("nothing to do: {to} has all of {path}")),
            Outcome::Held | Outcome::Failed(_) => None,
        }
    }

    /// Returns the error that it is, if it is one.
    fn error(&self) -> Option<CliError> {
        let reason = self.reason.as_ref()?;
        let path = one_line(&self.path);
        let message = match &self.to {
            Some(to) => format!("cannot bring {path} to {}: {}", one_line(to), one_line(reason)),
            None => format!("cannot bring {path} home: {}", one_line(reason)),
        };
        let (kind, remedy) = match &self.outcome {
            Outcome::Held => (ErrorKind::Refused, "end the torcd that has the place"),
            _ => (ErrorKind::NotDurable, "try again when it can be written"),
        };
        let from = shell_word(&self.path);
        Some(CliError::new(kind, message).hint(format!(
            "it stays where it is; {remedy}, or bring it elsewhere with `--from {from} --to FILE`"
        )))
    }
}

impl View for Report {
    const NOUN: &'static str = "record";
    const ID: &'static str = "path";
    const COLUMNS: &'static [Column<Self>] = &[
        Column { name: "path", heading: "PATH", field: Field::Text(|it| Some(&it.path)) },
        Column {
            name: "place",
            heading: "PLACE",
            field: Field::Text(|it| Some(it.place.as_str())),
        },
        Column { name: "target", heading: "TARGET", field: Field::Text(|it| it.target.as_deref()) },
        Column { name: "to", heading: "TO", field: Field::Text(|it| it.to.as_deref()) },
        Column {
            name: "outcome",
            heading: "OUTCOME",
            field: Field::Status(|it| (it.outcome.as_str(), it.outcome.tone())),
        },
        Column { name: "reason", heading: "REASON", field: Field::Text(|it| it.reason.as_deref()) },
        Column {
            name: "generation",
            heading: "GENERATION",
            field: Field::Number(|it| i64::try_from(it.generation?.0).ok()),
        },
        Column { name: "seconds", heading: "TOOK", field: Field::Duration(|it| it.took) },
    ];
    const SHOWN: &'static [&'static str] = &["path", "to", "outcome", "generation", "seconds"];
}

/// Tells of all records: what went well on stdout, the rest on stderr. Programs get all on stdout.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn tell(reports: &[Report], stdout: Stdout, quiet: bool) -> Result<(), CliError> {
    if stdout.format.is_for_programs() {
        let mut list = stdout.list(&[])?;
        for report in reports {
            list.item(report)?;
        }
        list.end()?;
    }
    for report in reports {
        if let Some(error) = report.error() {
            error.report();
        } else if !stdout.format.is_for_programs()
            && !quiet
            && let Some(sentence) = report.sentence()
        {
            stdout.line(&sentence)?;
        }
    }
    Ok(())
}

/// Returns the exit code: that something is not home wins over that a torcd has its place.
pub(super) fn exit_code(reports: &[Report]) -> u8 {
    let codes = reports.iter().filter_map(Report::error).map(|error| error.exit_code());
    // 5 is less than 7, and both are more than nothing.
    codes.min().unwrap_or(exit_code::DONE)
}
