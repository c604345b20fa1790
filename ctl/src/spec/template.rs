//! `{name}` and `{name:03d}` in commands.
//!
//! `{{` is a literal `{`, and the `}}` that pairs with it a literal `}`. A `}}` without its `{{`
//! stays as it is, so that JSON in a command needs no care. `${name}` belongs to the shell. What is
//! no name at all (`{}`, `{a,b}`, `{ print $1 }`) stays too; what is a name but not one of the
//! parameters stays and is told to the caller.
//!
//! In workflow files ([`Template::in_file`]) doubled braces stay as they are, as in torc 1.0: they
//! are more often Jinja, Go or Python than meant for us. A name in doubled braces that is no
//! parameter is not told, nor is one with a format that is none, as in `{a:b}`.

use thiserror::Error;

use crate::spec::number_format::{FormatError, NumberFormat};
use crate::spec::parameter::{Parameter, is_name};
use crate::spec::value::Value;

/// A placeholder that cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{placeholder}: {source}")]
pub struct TemplateError {
    /// As written, braces included.
    pub placeholder: String,
    /// Why not.
    pub source: FormatError,
}

/// A text with places for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template<'a> {
    segments: Vec<Segment<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment<'a> {
    Text(&'a str),
    Slot(Slot<'a>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot<'a> {
    /// As written, braces included.
    text: &'a str,
    parameter: usize,
    format: Option<Result<NumberFormat, FormatError>>,
}

impl<'a> Template<'a> {
    /// Returns the template that `text` writes, and gives each name that is no parameter to
    /// `unknown`.
    pub fn parse(text: &'a str, parameters: &[Parameter], unknown: impl FnMut(&'a str)) -> Self {
        Self::scan(text, parameters, true, unknown)
    }

    /// Returns the template that `text` writes in a workflow file.
    pub fn in_file(text: &'a str, parameters: &[Parameter], unknown: impl FnMut(&'a str)) -> Self {
        Self::scan(text, parameters, false, unknown)
    }

    fn scan(
        text: &'a str,
        parameters: &[Parameter],
        escapes: bool,
        mut unknown: impl FnMut(&'a str),
    ) -> Self {
        let mut segments = Vec::new();
        let (mut done, mut at, mut open) = (0, 0, 0_usize);
        let bytes = text.as_bytes();
        while let Some(found) = text[at..].find(['{', '}']) {
            let brace = at + found;
            let doubled = escapes && bytes.get(brace + 1) == Some(&bytes[brace]);
            at = brace + 1;
            if bytes[brace] == b'}' {
                if doubled && open > 0 {
                    open -= 1;
                    segments.push(Segment::Text(&text[done..at]));
                    at += 1;
                    done = at;
                }
            } else if brace > 0 && bytes[brace - 1] == b'$' {
                // A variable of the shell; its closing brace is an ordinary one.
            } else if doubled {
                open += 1;
                segments.push(Segment::Text(&text[done..at]));
                at += 1;
                done = at;
            } else if let Some(placeholder) = placeholder(&text[brace..]) {
                at = brace + placeholder.len();
                match slot(placeholder, parameters) {
                    Some(slot) => {
                        segments.push(Segment::Text(&text[done..brace]));
                        segments.push(Segment::Slot(slot));
                        done = at;
                    }
                    None if escapes || is_meant(text, brace, placeholder) => {
                        unknown(name_and_format(placeholder).0);
                    }
                    None => {}
                }
            }
        }
        segments.push(Segment::Text(&text[done..]));
        Self { segments }
    }

    /// Checks that every value of every parameter fits the formats that it is used with.
    ///
    /// # Errors
    ///
    /// The first placeholder with a bad format or a value that does not fit.
    pub fn check(&self, parameters: &[Parameter]) -> Result<(), TemplateError> {
        for segment in &self.segments {
            let Segment::Slot(slot) = segment else { continue };
            let Some(format) = &slot.format else { continue };
            check_slot(format, &parameters[slot.parameter])
                .map_err(|source| TemplateError { placeholder: slot.text.to_owned(), source })?;
        }
        Ok(())
    }

    /// Returns the text with `values`, one for each parameter. A placeholder that [`Self::check`]
    /// refuses stays as written.
    #[must_use]
    pub fn fill(&self, values: &[Value<'_>]) -> String {
        self.fill_with(values, |filled, text| text.push_str(filled))
    }

    /// Returns the text with `values`, each of which `put` appends in its own way.
    #[must_use]
    pub fn fill_with(&self, values: &[Value<'_>], put: impl Fn(&str, &mut String)) -> String {
        let mut text = String::new();
        let mut formatted = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Text(part) => text.push_str(part),
                Segment::Slot(slot) => {
                    let value = &values[slot.parameter];
                    formatted.clear();
                    match &slot.format {
                        None => put(&value.text, &mut text),
                        Some(Ok(format)) if format.write(value, &mut formatted).is_ok() => {
                            put(&formatted, &mut text);
                        }
                        Some(_) => text.push_str(slot.text),
                    }
                }
            }
        }
        text
    }

    /// Returns whether it is the same text whatever the values are.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment, Segment::Text(_)))
    }
}

/// Returns whether an unknown name at `brace` looks as if a parameter was meant.
fn is_meant(text: &str, brace: usize, placeholder: &str) -> bool {
    let is_doubled = brace > 0 && text.as_bytes()[brace - 1] == b'{';
    let format = name_and_format(placeholder).1.map(NumberFormat::parse);
    !is_doubled && format.is_none_or(|format| format.is_ok())
}

fn check_slot(
    format: &Result<NumberFormat, FormatError>,
    parameter: &Parameter,
) -> Result<(), FormatError> {
    let format = format.as_ref().map_err(Clone::clone)?;
    let mut scratch = String::new();
    parameter.values().try_for_each(|value| {
        scratch.clear();
        format.write(&value, &mut scratch)
    })
}

/// Returns the placeholder that `text` begins with, braces included.
fn placeholder(text: &str) -> Option<&str> {
    // Neither names nor formats have braces; to look past the next one would take quadratic time.
    let end = 1 + text[1..].find(['{', '}'])?;
    if text.as_bytes()[end] == b'{' {
        return None;
    }
    let (name, _) = name_and_format(&text[..=end]);
    is_name(name).then(|| &text[..=end])
}

fn name_and_format(placeholder: &str) -> (&str, Option<&str>) {
    let inner = &placeholder[1..placeholder.len() - 1];
    match inner.split_once(':') {
        Some((name, format)) => (name, Some(format)),
        None => (inner, None),
    }
}

fn slot<'a>(placeholder: &'a str, parameters: &[Parameter]) -> Option<Slot<'a>> {
    let (name, format) = name_and_format(placeholder);
    let parameter = parameters.iter().position(|parameter| parameter.name == name)?;
    Some(Slot { text: placeholder, parameter, format: format.map(NumberFormat::parse) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Vec<Parameter> {
        ["i=7", "x=0.125", "name=a b"].map(|text| Parameter::parse(text).unwrap()).into()
    }

    fn fill(text: &str) -> (String, Vec<String>) {
        let parameters = parameters();
        let mut unknown = Vec::new();
        let template = Template::parse(text, &parameters, |name| unknown.push(name.to_owned()));
        let values: Vec<_> = parameters.iter().map(|parameter| parameter.get(0)).collect();
        (template.fill(&values), unknown)
    }

    fn error(text: &str) -> String {
        let parameters = parameters();
        Template::parse(text, &parameters, |_| {}).check(&parameters).unwrap_err().to_string()
    }

    #[test]
    fn names_are_replaced_and_formatted() {
        let (text, unknown) = fill("run {i} {i:03d} '{name}' {x:.1f}{i}");
        assert_eq!(text, "run 7 007 'a b' 0.17");
        assert_eq!(unknown, Vec::<String>::new());
    }

    #[test]
    fn doubled_braces_are_literal_ones() {
        assert_eq!(fill("{{i}}").0, "{i}");
        assert_eq!(fill("{{{i}}}").0, "{7}");
        assert_eq!(fill("awk '{{print}}'").0, "awk '{print}'");
        assert_eq!(fill(r#"echo '{"a":{"b":{i}}}'"#).0, r#"echo '{"a":{"b":7}}'"#);
    }

    #[test]
    fn other_braces_stay() {
        for text in ["${i}", "{}", "{a,b}", "{ i }", "find . -exec rm {} +", "{", "}", "a{i", "}}"]
        {
            assert_eq!(fill(text), (text.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn a_placeholder_ends_before_the_next_opening_brace() {
        assert_eq!(placeholder("{i:{x}"), None);
        assert_eq!(placeholder("{i:3}{x}"), Some("{i:3}"));
        assert_eq!(fill("{i:{x}"), ("{i:0.125".to_owned(), vec![]));
        // Looking for the end from each of these would take minutes.
        let many = "{".repeat(4_000_001);
        let template = Template::in_file(&many, &[], |_| {});
        assert_eq!(template.fill(&[]), many);
    }

    #[test]
    fn unknown_names_stay_and_are_told() {
        let (text, unknown) = fill("a {j} {k:03d} {i}");
        assert_eq!(text, "a {j} {k:03d} 7");
        assert_eq!(unknown, ["j", "k"]);
    }

    #[test]
    fn in_workflow_files_doubled_braces_are_nothing_special() {
        let fill = |text| {
            let parameters = parameters();
            let mut unknown = Vec::new();
            let template = Template::in_file(text, &parameters, |name| unknown.push(name));
            let values: Vec<_> = parameters.iter().map(|parameter| parameter.get(0)).collect();
            (template.fill(&values), unknown)
        };
        for text in ["{{.Names}}", "{{ x }}", "{{other}}", "awk '{ print }'", "{a:b}", "${i}"] {
            assert_eq!(fill(text), (text.to_owned(), vec![]), "{text}");
        }
        assert_eq!(fill("{{i}}").0, "{7}");
        assert_eq!(fill("{other:03d} {print}").1, ["other", "print"]);
    }

    #[test]
    fn values_can_be_put_in_another_way() {
        let parameters = parameters();
        let template = Template::parse("a.{x:.2f}", &parameters, |_| {});
        let values: Vec<_> = parameters.iter().map(|parameter| parameter.get(0)).collect();
        let escaped = template.fill_with(&values, |filled, text| {
            text.push_str(&filled.replace('.', "\\."));
        });
        assert_eq!(escaped, "a.0\\.12");
        assert!(!template.is_constant());
        assert!(Template::parse("a", &parameters, |_| {}).is_constant());
    }

    #[test]
    fn bad_formats_name_the_placeholder() {
        assert_eq!(error("{i} {i:3q}"), "{i:3q}: '3q' is no format");
        assert_eq!(error("{name:03d}"), "{name:03d}: 'a b' is no integer");
        assert_eq!(error("{i:}{x:d}"), "{x:d}: '0.125' is no integer");
    }
}
