//! The fields of a workflow file: what there is, of what kind, what it means.
//!
//! One set of tables, and all else follows it: the reader of KDL, the check of every file, the
//! JSON Schema. `docs/workflow-files.md` has each of the fields.

pub mod schema;
pub mod tables;

use crate::spec::memory;

/// The fields that a map may have.
#[derive(Debug)]
pub struct Table {
    /// What such a map is, with its article, for messages.
    pub name: &'static str,
    /// The fields.
    pub fields: &'static [Field],
    /// What other fields are, when any name is a field.
    pub others: Option<Kind>,
}

/// One field.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What it is for, as a line of documentation.
    pub about: &'static str,
    /// Other names for it in KDL, where one of a list is one node.
    pub kdl: &'static [&'static str],
    /// Why it has no effect yet, if it has none.
    pub no_effect: Option<&'static str>,
}

/// What a field takes. Nothing (`null`) is always taken, as if the field were not there.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// Text, number or boolean; all are text in the end.
    Scalar,
    /// Yes or no.
    Bool,
    /// A whole number between the two, both included.
    Integer(i64, i64),
    /// A number.
    Number,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text, or a whole number of bytes.
    Memory,
    /// A list of texts.
    Texts,
    /// A list of whole numbers between the two, both included.
    Integers(i64, i64),
    /// Names with text, numbers or booleans.
    Variables,
    /// Names with one or more values each.
    Parameters,
    /// Anything.
    Any,
    /// A map with these fields.
    Entry(&'static Table),
    /// A list of such maps.
    Entries(&'static Table),
}

impl Table {
    /// Returns which fields it has, for hints.
    #[must_use]
    pub fn hint(&self) -> String {
        let names: Vec<_> = self.fields.iter().map(|field| field.name).collect();
        format!("{} has: {}", self.name, names.join(", "))
    }

    /// Returns the field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns the field that a node of KDL means.
    #[must_use]
    pub fn kdl_field(&self, name: &str) -> Option<&'static Field> {
        self.field(name).or_else(|| self.fields.iter().find(|field| field.kdl.contains(&name)))
    }
}

impl Kind {
    /// Returns how it is written, for hints.
    #[must_use]
    pub fn example(&self) -> String {
        match self {
            Self::Text | Self::Scalar => "write one text, in quotes if it is not plain".to_owned(),
            Self::Bool => "write true or false".to_owned(),
            Self::Integer(low, high) => format!("it can be {low} to {high}"),
            Self::Number => "write a number as in 10 or 2.5".to_owned(),
            Self::Word(words) => format!("it can be {}", words.join(", ")),
            Self::Memory => memory::EXAMPLES.to_owned(),
            Self::Texts => "write a list as in [a, b]".to_owned(),
            Self::Integers(low, high) => format!("write a list of numbers from {low} to {high}"),
            Self::Variables => "write names with their texts as in {A: text, B: text}".to_owned(),
            Self::Parameters => "write names with their values as in {i: [1, 2]}".to_owned(),
            Self::Any => "write anything".to_owned(),
            Self::Entry(table) => table.hint(),
            Self::Entries(table) => format!("write a list; {}", table.hint()),
        }
    }

    /// Returns what is expected, for messages.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Scalar => "text, a number or a boolean".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Integer(..) => "a whole number".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Memory => "an amount of memory".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::Integers(..) => "a list of whole numbers".to_owned(),
            Self::Variables => "a map of names to texts".to_owned(),
            Self::Parameters => "a map of names to values".to_owned(),
            Self::Any => "anything".to_owned(),
            Self::Entry(_) => "a map".to_owned(),
            Self::Entries(_) => "a list of maps".to_owned(),
        }
    }
}
