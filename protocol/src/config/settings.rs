//! What counts: the layers on each other.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use super::file::Entry;
use super::key::{Key, SETTINGS};
use super::value::{Unfit, Value};
use super::{ConfigError, Origin};

/// The settings that are set anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    set: BTreeMap<Key, Set>,
}

/// A setting that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// To what.
    pub value: Value,
    /// Where.
    pub origin: Origin,
}

impl Settings {
    /// Returns what a setting is set to, and where.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Set> {
        self.set.get(&key)
    }

    /// Returns where a setting is set.
    #[must_use]
    pub fn origin(&self, key: Key) -> Option<&Origin> {
        self.get(key).map(|set| &set.origin)
    }

    /// Returns the path that a setting is set to.
    #[must_use]
    pub fn path(&self, key: Key) -> Option<&Path> {
        match &self.get(key)?.value {
            Value::Path(path) => Some(path),
            _ => None,
        }
    }

    /// Returns the number that a setting is set to.
    #[must_use]
    pub fn number(&self, key: Key) -> Option<u64> {
        match self.get(key)?.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the word that a setting is set to.
    #[must_use]
    pub fn text(&self, key: Key) -> Option<&str> {
        match &self.get(key)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether a switch is on.
    #[must_use]
    pub fn switch(&self, key: Key) -> Option<bool> {
        match self.get(key)?.value {
            Value::Switch(is_on) => Some(is_on),
            _ => None,
        }
    }

    /// Sets what the command line says, which goes before everything else.
    pub fn set_flag(&mut self, key: Key, value: impl Into<Option<Value>>) {
        if let Some(value) = value.into() {
            self.put(key, Set { value, origin: Origin::Flag(key.setting().flag) });
        }
    }

    /// Forgets what is set.
    pub fn unset(&mut self, key: Key) {
        self.set.remove(&key);
    }

    /// Returns what a client has to say of the database: whether it is in memory, by whichever of
    /// `daemon.in_memory` and `daemon.database` is set further up. A file that is named goes before a
    /// switch in a layer below it, and the other way round.
    ///
    /// # Errors
    ///
    /// When both are set in the same place.
    pub fn in_memory(&self) -> Result<bool, ConfigError> {
        let Some(switch) = self.get(Key::InMemory).filter(|set| set.value == Value::Switch(true))
        else {
            return Ok(false);
        };
        match self.origin(Key::Database).map_or(0, Origin::rank).cmp(&switch.origin.rank()) {
            std::cmp::Ordering::Less => Ok(true),
            std::cmp::Ordering::Greater => Ok(false),
            std::cmp::Ordering::Equal => Err(ConfigError::at(
                &switch.origin,
                "daemon.in_memory: the database is in memory, or in the file that daemon.database names",
                "set one of them only; snapshots go where snapshot.path says",
            )),
        }
    }

    /// Puts the settings of a file on what is set so far, which it goes before.
    pub fn add_file(&mut self, entries: Vec<Entry>) {
        for Entry { key, value, origin } in entries {
            self.put(key, Set { value, origin });
        }
    }

    /// Puts the environment on the files. A variable that is empty counts as unset. Relative paths
    /// are those of `dir`.
    pub(super) fn add_environment(
        &mut self,
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
        dir: Option<&Path>,
    ) -> Result<(), ConfigError> {
        for setting in &SETTINGS {
            let Some(text) = variable(setting.variable).filter(|text| !text.is_empty()) else {
                continue;
            };
            let origin = Origin::Variable(setting.variable);
            let value = setting.kind.read(OsStr::new(&text), dir).map_err(|unfit| {
                let Unfit { message, hint } = unfit;
                let unset = || format!("set it to {}, or unset it", setting.kind.expected());
                ConfigError::at(&origin, message, hint.unwrap_or_else(unset))
            })?;
            self.put(setting.key, Set { value, origin });
        }
        Ok(())
    }

    fn put(&mut self, key: Key, set: Set) {
        self.set.insert(key, set);
    }
}
