//! What is to be said about a workflow file, when all of it has been looked at.

use super::axes::Axes;
use super::fill::Parser;
use super::variables::Variables;
use crate::spec::complaint::{Complaints, Position};
use crate::spec::model::{Located, Multiplier, Text};

/// So many unknown names in braces are told.
const MAX_UNKNOWN: usize = 20;

/// Complaints and warnings.
#[derive(Debug)]
pub(super) struct Report<'w> {
    pub(super) complaints: Complaints,
    variables: &'w Variables,
    warnings: Vec<Located<String>>,
    unknown: usize,
    /// The templates that are known to make two things of one name.
    twins: Vec<Position>,
}

impl<'w> Report<'w> {
    pub(super) fn new(complaints: Complaints, variables: &'w Variables) -> Self {
        Self { complaints, variables, warnings: Vec::new(), unknown: 0, twins: Vec::new() }
    }

    /// Returns what makes slots for an entry. When its parameters are not known, nothing can be
    /// said about names in braces.
    pub(super) fn parser<'a>(&self, axes: &'a Axes, known: bool) -> Parser<'a>
    where
        'w: 'a,
    {
        let declared = self.variables.are_declared() && known;
        Parser { axes, variables: declared.then_some(self.variables), unknown: Vec::new() }
    }

    /// Adds a warning.
    pub(super) fn warn(&mut self, at: Position, message: impl Into<String>) {
        self.warnings.push(Located { at, value: message.into() });
    }

    /// Warns of names in braces that stay as they are.
    pub(super) fn unknown(&mut self, names: Vec<Located<String>>) {
        for Located { at, value: name } in names {
            self.unknown += 1;
            if self.unknown <= MAX_UNKNOWN {
                self.warn(at, format!("{{{name}}} stays as it is: no parameter has this name"));
            }
        }
    }

    /// Complains of a name that two things have. When they are of one template, its name lacks
    /// parameters.
    pub(super) fn twins(
        &mut self,
        what: &str,
        name: &str,
        (first, second): (&Text, &Text),
        multiplier: &Multiplier,
    ) {
        if first.at != second.at {
            let message = format!("duplicate {what} '{name}'");
            let hint = format!("the other one is in line {}; rename one of them", first.at.line);
            self.complaints.push_with_hint(second.at, message, hint);
            return;
        }
        if self.twins.contains(&second.at) {
            return;
        }
        self.twins.push(second.at);
        let own = multiplier.parameters.iter().map(|(key, _)| key.name.as_str());
        let shared = multiplier.use_parameters.iter().map(|text| text.text.as_str());
        let missing: Vec<_> = own
            .chain(shared)
            .filter(|parameter| !has_place(&second.text, parameter))
            .map(|parameter| format!("{{{parameter}}}"))
            .collect();
        let hint = match missing.is_empty() {
            true => "make the values differ, or say more in the name".to_owned(),
            false => format!("put {} into the name", missing.join(" and ")),
        };
        let message = format!("more than one {what} would be called '{name}'");
        self.complaints.push_with_hint(second.at, message, hint);
    }

    /// Returns the warnings, each with its place, in the order of the file.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.sort_by_key(|warning| warning.at);
        let file = &self.complaints.source().name;
        let line = |warning: &Located<String>| {
            let Located { at, value } = warning;
            format!("{file}:{}:{}: {value}", at.line, at.column)
        };
        warnings.iter().map(line).collect()
    }
}

fn has_place(text: &str, parameter: &str) -> bool {
    text.contains(&format!("{{{parameter}}}")) || text.contains(&format!("{{{parameter}:"))
}
