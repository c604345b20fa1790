//! The texts of an entry, filled with each of its combinations.

use super::axes::Axes;
use super::variables::{Variables, complain_of_unknown};
use crate::spec::complaint::{Complaints, Position};
use crate::spec::model::{Located, Text};
use crate::spec::template::Template;
use crate::spec::value::Value;

/// A text of an entry with its places for values.
#[derive(Debug)]
pub(super) struct Slots<'t> {
    pub(super) at: Position,
    template: Template<'t>,
}

/// Makes slots, and says what is wrong with them.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    pub(super) axes: &'a Axes,
    /// With variables, a name that is not known is an error.
    pub(super) variables: Option<&'a Variables>,
    /// The names that are not known and stay as they are.
    pub(super) unknown: Vec<Located<String>>,
}

impl Parser<'_> {
    /// Returns the slots of a text. Every value of every parameter fits them when there is no
    /// complaint.
    pub(super) fn slots<'t>(&mut self, text: &'t Text, complaints: &mut Complaints) -> Slots<'t> {
        let parameters = &self.axes.parameters;
        let template = Template::in_file(&text.text, parameters, |name| {
            if let Some(variables) = self.variables {
                let names = parameters.iter().map(|parameter| parameter.name.as_str());
                complain_of_unknown(name, text.at, names.chain(variables.names()), complaints);
                return;
            }
            // Without variables and parameters, braces are none of our business.
            let is_new = self.unknown.iter().all(|known| known.value != name);
            if is_new && !parameters.is_empty() {
                self.unknown.push(Located { at: text.at, value: name.to_owned() });
            }
        });
        if let Err(error) = template.check(parameters) {
            let hint = "formats are as in {i:03d}, {x:.2f}, {x:.3e}, {n:04x}";
            complaints.push_with_hint(text.at, error.to_string(), hint);
        }
        Slots { at: text.at, template }
    }

    pub(super) fn all<'t>(
        &mut self,
        texts: &'t [Text],
        complaints: &mut Complaints,
    ) -> Vec<Slots<'t>> {
        texts.iter().map(|text| self.slots(text, complaints)).collect()
    }

    pub(super) fn maybe<'t>(
        &mut self,
        text: Option<&'t Text>,
        complaints: &mut Complaints,
    ) -> Option<Slots<'t>> {
        text.map(|text| self.slots(text, complaints))
    }
}

impl Slots<'_> {
    pub(super) fn fill(&self, values: &[Value<'_>]) -> String {
        self.template.fill(values)
    }

    /// Fills a pattern: what is put in matches itself, whatever characters it has.
    pub(super) fn fill_pattern(&self, values: &[Value<'_>]) -> String {
        self.template.fill_with(values, |value, text| text.push_str(&regex::escape(value)))
    }

    /// Returns whether it is the same for all combinations.
    pub(super) fn is_constant(&self) -> bool {
        self.template.is_constant()
    }
}
