//! One `torc.toml`: its settings, each with its place.

use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::key::{self, Key, SETTINGS, Setting};
use super::value::{Kind, Unfit, Value, shown};
use super::{ConfigError, Layer, Origin};
use crate::nearest::nearest;

/// What a directory that was copied from somebody else must not decide: which program runs, and to
/// which file lines are added.
const NOT_OF_A_PROJECT: [Key; 2] = [Key::TorcdBin, Key::LogFile];

/// A setting in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub key: Key,
    /// What it is set to.
    pub value: Value,
    /// Where.
    pub origin: Origin,
}

/// The file that is read.
struct Reading<'a> {
    layer: Layer,
    path: &'a Path,
    text: &'a str,
}

/// What is wrong, and at which bytes of the text.
struct Complaint {
    at: Range<usize>,
    message: String,
    hint: String,
}

/// Reads the settings in the text of a file, in their order.
///
/// # Errors
///
/// The first thing that is wrong in it.
pub fn parse(layer: Layer, path: &Path, bytes: &[u8]) -> Result<Vec<Entry>, ConfigError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            let before = std::str::from_utf8(valid).unwrap_or_default();
            let reading = Reading { layer, path, text: before };
            let origin = reading.origin(before.len());
            return Err(ConfigError::at(&origin, "this is no text in UTF-8", "save it as UTF-8"));
        }
    };
    let reading = Reading { layer, path, text };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let hint = "text stands in quotes: `path = \"/scratch/me/torc.db\"`";
        ConfigError::at(&reading.origin(at), shown(error.message()), hint)
    })?;
    reading.entries(table.get_ref())
}

impl Reading<'_> {
    fn entries(&self, root: &DeTable<'_>) -> Result<Vec<Entry>, ConfigError> {
        let mut found = Vec::new();
        for (name, value) in root {
            match value.get_ref() {
                DeValue::Table(table) if is_table(name.get_ref()) => {
                    let items = table.iter();
                    found.extend(items.map(|(key, value)| self.entry(name.get_ref(), key, value)));
                }
                _ => found.push(self.entry("", name, value)),
            }
        }
        // The parser sorts by name.
        found.sort_by_key(|found| match found {
            Ok((at, _)) => *at,
            Err(complaint) => complaint.at.start,
        });
        found
            .into_iter()
            .map(|found| match found {
                Ok((_, entry)) => Ok(entry),
                Err(Complaint { at, message, hint }) => {
                    Err(ConfigError::at(&self.origin(at.start), message, hint))
                }
            })
            .collect()
    }

    fn entry(
        &self,
        table: &str,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(usize, Entry), Complaint> {
        let whole = match table {
            "" => name.get_ref().to_string(),
            table => format!("{table}.{}", name.get_ref()),
        };
        let Some(setting) = key::find(&whole) else {
            return Err(unknown(table, name.get_ref(), value.get_ref(), name.span()));
        };
        if self.layer == Layer::Project && NOT_OF_A_PROJECT.contains(&setting.key) {
            return Err(Complaint {
                at: name.span(),
                message: format!("{whole} cannot be set by a project"),
                hint: format!("set it in the file of the user, or in {}", setting.variable),
            });
        }
        let read = read(setting.kind, value.get_ref(), self.path.parent());
        let value_read = read.map_err(|Unfit { message, hint }| Complaint {
            at: value.span(),
            message: format!("{whole}: {message}"),
            hint: hint.unwrap_or_else(|| format!("for example: {}", example(setting))),
        })?;
        let at = name.span().start;
        let origin = self.origin(at);
        Ok((at, Entry { key: setting.key, value: value_read, origin }))
    }

    /// Returns the place of a byte of the text.
    fn origin(&self, at: usize) -> Origin {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Origin::File {
            layer: self.layer,
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

fn is_table(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.parts().0 == name)
}

fn read(kind: Kind, value: &DeValue<'_>, dir: Option<&Path>) -> Result<Value, Unfit> {
    let is_text = matches!(kind, Kind::Path | Kind::Database | Kind::Word(_) | Kind::Log);
    match (kind, value) {
        (Kind::Switch, DeValue::Boolean(is_on)) => Ok(Value::Switch(*is_on)),
        (Kind::Number { .. }, DeValue::Integer(number)) => match whole(number) {
            Some(number) => kind.number(number),
            None => Err(Unfit::new(format!("{number} is not {}", kind.expected()))),
        },
        (_, DeValue::String(text)) if is_text => kind.read(OsStr::new(text.as_ref()), dir),
        (_, other) => {
            let found = type_name(other);
            Err(Unfit::new(format!("expected {}, and this is {found}", kind.expected())))
        }
    }
}

/// Returns a number that can be set; none when it is negative or too large.
fn whole(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn unknown(table: &str, name: &str, value: &DeValue<'_>, at: Range<usize>) -> Complaint {
    let whole = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
    let is_table = matches!(value, DeValue::Table(_));
    let what = if is_table { "table" } else { "setting" };
    let elsewhere = || {
        let same = |setting: &&Setting| !is_table && setting.parts().1 == name;
        SETTINGS.iter().find(same).map(|setting| match setting.parts().0 {
            "" => format!("`{name}` stands above all tables"),
            table => format!("`{name}` belongs under `[{table}]`"),
        })
    };
    let alike = || {
        let tables = SETTINGS.iter().map(|setting| setting.parts().0);
        let meant = if is_table { nearest(name, tables) } else { key::nearest(&whole) };
        meant.map(|name| format!("did you mean '{name}'?"))
    };
    let list = || "`torcctl config show` lists all settings".to_owned();
    let hint = elsewhere().or_else(alike).unwrap_or_else(list);
    Complaint { at, message: format!("there is no {what} '{}'", shown(&whole)), hint }
}

/// Returns a line that sets it.
#[must_use]
pub fn example(setting: &Setting) -> String {
    let name = setting.parts().1;
    match setting.kind {
        Kind::Path => format!("{name} = \"/scratch/me/{name}\""),
        Kind::Database => format!("{name} = \"/scratch/me/torc.db\""),
        Kind::Switch => format!("{name} = true"),
        Kind::Number { min, .. } => format!("{name} = {}", min.max(3)),
        Kind::Word(words) => format!("{name} = \"{}\"", words[words.len() - 1]),
        Kind::Log => format!("{name} = \"info\""),
    }
}
