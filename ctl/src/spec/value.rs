//! One value of a parameter.

use std::borrow::Cow;

use crate::spec::decimal::Decimal;

/// A text, and the number that it writes, if it writes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// As it is put into commands.
    pub text: Cow<'a, str>,
    /// For formats that want a number.
    pub number: Option<Decimal>,
}

impl<'a> Value<'a> {
    /// Returns the value that `text` writes.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), number: Decimal::parse(text) }
    }
}

impl From<Decimal> for Value<'static> {
    fn from(number: Decimal) -> Self {
        Self { text: Cow::Owned(number.to_string()), number: Some(number) }
    }
}
