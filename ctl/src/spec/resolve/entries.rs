//! Makes files and user data from their templates.

use super::axes::{Axes, AxesReader};
use super::fill::Parser;
use super::report::Report;
use crate::spec::complaint::{Complaints, Position};
use crate::spec::file::node::{Node, Value};
use crate::spec::model::{FileTemplate, Text, UserDataTemplate};
use crate::spec::resolved::{File, UserData};
use crate::spec::template::Template;
use crate::spec::value;

/// What was made from the templates of a list, and from which.
#[derive(Debug)]
pub(super) struct Made<T> {
    pub(super) things: Vec<T>,
    /// For each thing, its template.
    pub(super) templates: Vec<u32>,
    /// Whether some could not be made.
    pub(super) incomplete: bool,
}

impl<T> Made<T> {
    fn new() -> Self {
        Self { things: Vec::new(), templates: Vec::new(), incomplete: false }
    }

    /// Returns the combinations, unless there would be more than `limit` things with them.
    fn within(
        &self,
        limit: u64,
        axes: Option<Axes>,
        (what, at): (&str, Position),
        complaints: &mut Complaints,
    ) -> Option<Axes> {
        let total = self.things.len() as u64 + axes.as_ref().map_or(0, Axes::len);
        if total > limit {
            let message = format!("this makes {total} {what} or more, and the limit is {limit}");
            complaints.push_with_hint(at, message, "use smaller ranges, or several workflows");
            return None;
        }
        axes
    }

    /// Makes what `template` stands for, a thing for each combination.
    fn extend<'t>(
        &mut self,
        template: usize,
        axes: Option<&Axes>,
        mut make: impl FnMut(&[value::Value<'_>]) -> T + 't,
    ) {
        let Some(axes) = axes else {
            self.incomplete = true;
            return;
        };
        for index in 0..axes.len() {
            self.things.push(make(&axes.values(index)));
            self.templates.push(template as u32);
        }
    }
}

/// Makes all files.
pub(super) fn files<'w>(
    templates: &'w [FileTemplate],
    reader: &mut AxesReader<'w>,
    report: &mut Report<'_>,
) -> Made<File> {
    let mut made = Made::new();
    for (number, template) in templates.iter().enumerate() {
        let axes = reader.axes(&template.multiplier, &mut report.complaints);
        let known = axes.clone().unwrap_or_default();
        let mut parser = report.parser(&known, axes.is_some());
        let complaints = &mut report.complaints;
        let before = complaints.len();
        let name = parser.slots(&template.name, complaints);
        let axes = axes.filter(|_| complaints.len() == before);
        let place = ("files", template.name.at);
        let axes = made.within(reader.limit, axes, place, complaints);
        let path = parser.slots(&template.path, complaints);
        let identifier = parser.maybe(template.identifier.as_ref(), complaints);
        report.unknown(parser.unknown);
        made.extend(number, axes.as_ref(), |values| File {
            name: name.fill(values),
            path: path.fill(values),
            identifier: identifier.as_ref().map(|identifier| identifier.fill(values)),
            modified: template.modified,
        });
    }
    made
}

/// Makes all user data.
pub(super) fn user_data<'w>(
    templates: &'w [UserDataTemplate],
    reader: &mut AxesReader<'w>,
    report: &mut Report<'_>,
) -> Made<UserData> {
    let mut made = Made::new();
    for (number, template) in templates.iter().enumerate() {
        let axes = reader.axes(&template.multiplier, &mut report.complaints);
        let known = axes.clone().unwrap_or_default();
        let mut parser = report.parser(&known, axes.is_some());
        let before = report.complaints.len();
        let name = parser.slots(&template.name, &mut report.complaints);
        let axes = axes.filter(|_| report.complaints.len() == before);
        let place = ("user data", template.name.at);
        let axes = made.within(reader.limit, axes, place, &mut report.complaints);
        if let Some(data) = &template.data {
            check_texts(data, &mut parser, &mut report.complaints);
        }
        report.unknown(parser.unknown);
        made.extend(number, axes.as_ref(), |values| UserData {
            name: name.fill(values),
            data: template.data.as_ref().map(|data| {
                data.to_json(&|text| {
                    Template::in_file(text, &known.parameters, |_| {}).fill(values)
                })
            }),
            is_ephemeral: template.is_ephemeral,
        });
    }
    made
}

/// Complains about the texts in a value.
fn check_texts(node: &Node, parser: &mut Parser<'_>, complaints: &mut Complaints) {
    match &node.value {
        Value::String(text) => {
            let text = Text { at: node.at, text: text.clone() };
            parser.slots(&text, complaints);
        }
        Value::List(items) => items.iter().for_each(|item| check_texts(item, parser, complaints)),
        Value::Map(entries) => {
            entries.iter().for_each(|(_, value)| check_texts(value, parser, complaints));
        }
        _ => {}
    }
}
