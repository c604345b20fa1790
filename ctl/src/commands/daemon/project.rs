//! What the file of a project says of the user's torcd. torcd itself does not read that file: what it
//! does must not depend on where it happens to be started.

use std::ffi::{OsStr, OsString};

use torc_protocol::config::key::Key;
use torc_protocol::config::settings::Settings;
use torc_protocol::config::value::Value;
use torc_protocol::config::{Layer, Origin};

/// What torcd can be told.
const OF_TORCD: [Key; 8] = [
    Key::Database,
    Key::InMemory,
    Key::SnapshotPath,
    Key::SnapshotKeep,
    Key::SnapshotInterval,
    Key::SnapshotTimeout,
    Key::SpillDir,
    Key::Log,
];

/// Flags of torcd for what the file of a project sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ProjectFlags(Vec<(&'static str, Option<OsString>)>);

impl ProjectFlags {
    /// Returns those for what counts of that file.
    pub(super) fn of(settings: &Settings) -> Self {
        let flag = |key: Key| {
            let set = settings.get(key)?;
            let is_ours = matches!(set.origin, Origin::File { layer: Layer::Project, .. });
            let flag = key.setting().flag;
            match &set.value {
                _ if !is_ours => None,
                Value::Switch(is_on) => is_on.then_some((flag, None)),
                Value::Path(path) => Some((flag, Some(path.clone().into_os_string()))),
                other => Some((flag, Some(other.to_string().into()))),
            }
        };
        Self(OF_TORCD.into_iter().filter_map(flag).collect())
    }

    /// Adds those to the arguments of a torcd that say nothing of it. One that is told where its
    /// database is has heard that it is not, or is, in memory.
    pub(super) fn add_to(&self, arguments: &mut Vec<OsString>) {
        let has = |flags: &[&str]| {
            arguments.iter().any(|argument| flags.iter().any(|flag| argument == OsStr::new(flag)))
        };
        let homes = [Key::Database.setting().flag, Key::InMemory.setting().flag];
        let new: Vec<_> = self
            .0
            .iter()
            .filter(|(flag, _)| if homes.contains(flag) { !has(&homes) } else { !has(&[flag]) })
            .flat_map(|(flag, value)| [Some(OsString::from(flag)), value.clone()])
            .flatten()
            .collect();
        arguments.extend(new);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use torc_protocol::config::file;

    use super::*;

    fn settings(layer: Layer, text: &str) -> Settings {
        let mut settings = Settings::default();
        settings.add_file(file::parse(layer, Path::new("/p/torc.toml"), text.as_bytes()).unwrap());
        settings
    }

    fn arguments(text: &str, given: &[&str]) -> String {
        let mut arguments: Vec<_> = given.iter().map(OsString::from).collect();
        ProjectFlags::of(&settings(Layer::Project, text)).add_to(&mut arguments);
        arguments.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn what_a_project_sets_is_said_unless_it_is_said_otherwise() {
        let text = "[snapshot]\nkeep = 3\npath = 's.db'\n[exec]\nprint = 'live'\n";
        assert_eq!(arguments(text, &[]), "--snapshot /p/s.db --snapshot-keep 3");
        let given = ["--snapshot", "/x", "--in-memory"];
        assert_eq!(arguments(text, &given), "--snapshot /x --in-memory --snapshot-keep 3");
    }

    #[test]
    fn the_place_of_the_database_is_one_thing() {
        let memory = "[daemon]\nin_memory = true\n";
        let file = "[daemon]\nin_memory = false\ndatabase = 'd'\n";
        assert_eq!(arguments(memory, &[]), "--in-memory");
        assert_eq!(arguments(memory, &["--database", "/x"]), "--database /x");
        assert_eq!(arguments(file, &[]), "--database /p/d");
        assert_eq!(arguments(file, &["--in-memory"]), "--in-memory");
    }

    #[test]
    fn what_others_set_torcd_reads_itself() {
        let user = settings(Layer::User, "[snapshot]\nkeep = 3\n");
        assert_eq!(ProjectFlags::of(&user), ProjectFlags::default());
    }
}
