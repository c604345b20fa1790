//! Files, layers, and what is wrong with them.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::file::parse;
use super::key::{Key, MAX_KEEP, SETTINGS, find};
use super::settings::Settings;
use super::sources::{Sources, State};
use super::trust::{self, Found, MAX_BYTES};
use super::value::{Kind, Value};
use super::*;
use crate::paths::own_uid;

fn parsed(text: &str) -> Result<Vec<file::Entry>, ConfigError> {
    parse(Layer::User, Path::new("/c/torc.toml"), text.as_bytes())
}

fn error(text: &str) -> String {
    let error = parsed(text).unwrap_err();
    format!("{error}\n{}", error.hint)
}

fn variables(settings: &mut Settings, set: &[(&str, &str)]) -> Result<(), ConfigError> {
    let of = |name: &str| {
        set.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value))
    };
    settings.add_environment(of, Some(Path::new("/w")))
}

fn settings(layers: &[(Layer, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (layer, text) in layers {
        let entries = parse(*layer, Path::new("/c/torc.toml"), text.as_bytes()).unwrap();
        settings.add_file(entries);
    }
    settings
}

#[test]
fn the_table_is_in_the_order_of_its_keys_and_nothing_is_in_it_twice() {
    for (place, setting) in SETTINGS.iter().enumerate() {
        assert_eq!(setting.key as usize, place, "{}", setting.name);
        assert_eq!(find(setting.name).unwrap().key, setting.key);
        for other in &SETTINGS[place + 1..] {
            assert_ne!(setting.variable, other.variable);
            assert_ne!(setting.flag, other.flag);
        }
    }
    let of_jobs =
        ["TORC_WORKFLOW_ID", "TORC_JOB_ID", "TORC_JOB_NAME", "TORC_ATTEMPT", "TORC_OUTPUT_DIR"];
    assert!(SETTINGS.iter().all(|setting| !of_jobs.contains(&setting.variable)));
}

#[test]
fn every_example_is_right() {
    for setting in &SETTINGS {
        let (table, _) = setting.parts();
        let head = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
        let text = format!("{head}{}\n", file::example(setting));
        let entries = parsed(&text).unwrap_or_else(|error| panic!("{text}{error}"));
        assert_eq!(entries[0].key, setting.key);
    }
}

#[test]
fn a_file_has_values_with_their_places() {
    let text = "socket = '/s'\n\n[snapshot]\n  keep = 1_0\nspill_dir = \"spill\"\n[daemon]\n\
                in_memory = true\ndatabase = ':memory:'\n";
    let entries = parsed(text).unwrap();
    let found: Vec<_> = entries
        .iter()
        .map(|entry| (entry.key, entry.value.to_string(), entry.origin.to_string()))
        .collect();
    let expected = [
        (Key::Socket, "/s", "/c/torc.toml:1"),
        (Key::SnapshotKeep, "10", "/c/torc.toml:4"),
        (Key::SpillDir, "/c/spill", "/c/torc.toml:5"),
        (Key::InMemory, "true", "/c/torc.toml:7"),
        (Key::Database, ":memory:", "/c/torc.toml:8"),
    ];
    let expected = expected.map(|(key, value, at)| (key, value.to_owned(), at.to_owned()));
    assert_eq!(found, expected);
    let Origin::File { column, .. } = entries[1].origin else { panic!() };
    assert_eq!(column, 3);
    assert_eq!(parsed("snapshot.keep = 0x10").unwrap()[0].value, Value::Number(16));
    assert_eq!(parsed("").unwrap(), []);
}

#[test]
fn what_is_wrong_in_a_file_is_said_with_its_place() {
    for (text, said) in [
        (
            "[snapshot]\nkep = 3",
            "/c/torc.toml:2:1: there is no setting 'snapshot.kep'\n\
            did you mean 'snapshot.keep'?",
        ),
        (
            "keep = 3",
            "/c/torc.toml:1:1: there is no setting 'keep'\n\
            `keep` belongs under `[snapshot]`",
        ),
        (
            "[client]\nsocket = '/s'",
            "/c/torc.toml:2:1: there is no setting 'client.socket'\n\
            `socket` stands above all tables",
        ),
        (
            "[snapshots]\nkeep = 3",
            "/c/torc.toml:1:2: there is no table 'snapshots'\n\
            did you mean 'snapshot'?",
        ),
        (
            "[zoo]",
            "/c/torc.toml:1:2: there is no table 'zoo'\n\
            `torcctl config show` lists all settings",
        ),
        ("snapshot = 3", "/c/torc.toml:1:1: there is no setting 'snapshot'"),
        (
            "[snapshot]\nkeep = '3'",
            "/c/torc.toml:2:8: snapshot.keep: expected a whole number \
            from 1 to 1000, and this is a text\nfor example: keep = 3",
        ),
        ("[snapshot]\nkeep = 0", "/c/torc.toml:2:8: snapshot.keep: 0 is not a whole number from 1"),
        ("[snapshot]\nkeep = -1", "/c/torc.toml:2:8: snapshot.keep: -1 is not a whole number"),
        ("[snapshot]\nkeep = 1.5", "this is a number with a fraction"),
        ("[daemon]\nin_memory = 'yes'", "expected true or false, and this is a text"),
        ("[daemon]\nlog = 'wran'", "/c/torc.toml:2:7: daemon.log: 'wran' is not off, error, warn"),
        ("[exec]\nstdio = 'captur'", "did you mean 'capture'?"),
        ("[exec]\noutput_dir = ''", "exec.output_dir: an empty text is no path"),
        ("[exec]\n'ä' = /x", "/c/torc.toml:2:7: "),
        ("[exec]\nprint = 'none'\nprint = 'none'", "/c/torc.toml:3:1: duplicate key"),
        ("[snapshot]\nkeep = 0\n[daemon]\nx = 1", "/c/torc.toml:2:8: "),
        ("\"\\u001b[31m\" = 1", "there is no setting '\\u{1b}[31m'"),
    ] {
        let found = error(text);
        assert!(found.contains(said), "{text}\n--- said\n{found}\n--- expected\n{said}");
    }
    let error = parse(Layer::User, Path::new("/c/torc.toml"), b"socket = '\xff'").unwrap_err();
    assert_eq!(error.to_string(), "/c/torc.toml:1:11: this is no text in UTF-8");
}

#[test]
fn a_project_does_not_say_which_program_runs() {
    for (text, name) in [
        ("[client]\ntorcd_bin = './x'", "client.torcd_bin"),
        ("[daemon]\nlog_file = 'x'", "daemon.log_file"),
    ] {
        assert!(parsed(text).is_ok(), "the user does");
        let path = Path::new("/p/torc.toml");
        let error = parse(Layer::Project, path, text.as_bytes()).unwrap_err();
        let expected = format!("/p/torc.toml:2:1: {name} cannot be set by a project");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn text_is_read_as_its_kind_says() {
    let read = |kind: Kind, text: &str| kind.read(text.as_ref(), Some(Path::new("/w")));
    for (text, is_on) in [("true", true), ("1", true), ("On", true), ("no", false), ("0", false)] {
        assert_eq!(read(Kind::Switch, text), Ok(Value::Switch(is_on)));
    }
    assert!(read(Kind::Switch, "maybe").is_err());
    let number = Kind::Number { min: 1, max: MAX_KEEP };
    assert_eq!(read(number, " 3 "), Ok(Value::Number(3)));
    for wrong in ["0", "1001", "-1", "many", "1.5", "99999999999999999999"] {
        assert!(read(number, wrong).is_err(), "{wrong}");
    }
    for right in ["warn", "DEBUG", "error,torcd::daemon=warn", "off", "info, torcd=trace"] {
        assert!(read(Kind::Log, right).is_ok(), "{right}");
    }
    for wrong in ["loud", "torcd", "torcd=loud", "", "warn,", "=warn", "[x]=warn"] {
        assert!(read(Kind::Log, wrong).is_err(), "{wrong}");
    }
    let path = |text: &str| read(Kind::Path, text).map(|value| value.to_string());
    assert_eq!(path("a/./b"), Ok("/w/a/b".to_owned()));
    assert_eq!(path("/a"), Ok("/a".to_owned()));
    assert_eq!(path(":memory:"), Ok("/w/:memory:".to_owned()));
    assert_eq!(path("~x/a"), Ok("/w/~x/a".to_owned()));
    let home = crate::paths::home_dir().unwrap();
    assert_eq!(path("~/a"), Ok(home.join("a").display().to_string()));
    assert_eq!(read(Kind::Database, ":memory:"), Ok(Value::Path(":memory:".into())));
    let nowhere = Kind::Path.read("a".as_ref(), None).unwrap_err();
    assert!(nowhere.message.contains("working directory"), "{}", nowhere.message);
    assert!(Kind::Path.read("/a".as_ref(), None).is_ok());
}

#[test]
fn what_is_further_up_wins_and_knows_where_it_is() {
    let mut settings = settings(&[
        (Layer::System, "[snapshot]\nkeep = 1\ninterval_seconds = 1\ntimeout_seconds = 1"),
        (Layer::User, "[snapshot]\nkeep = 2\ninterval_seconds = 2\nspill_dir = '/a'"),
        (Layer::Project, "[snapshot]\n\nkeep = 3"),
    ]);
    let said = |settings: &Settings, key| {
        let set = settings.get(key).unwrap();
        (set.value.to_string(), set.origin.to_string(), set.origin.rank())
    };
    let expected = |value: &str, origin: &str, rank| (value.to_owned(), origin.to_owned(), rank);
    assert_eq!(said(&settings, Key::SnapshotTimeout), expected("1", "/c/torc.toml:4", 1));
    assert_eq!(said(&settings, Key::SnapshotInterval), expected("2", "/c/torc.toml:3", 2));
    assert_eq!(said(&settings, Key::SnapshotKeep), expected("3", "/c/torc.toml:3", 3));
    variables(&mut settings, &[("TORC_SERVER_SNAPSHOT_KEEP", "4"), ("TORC_SPILL_DIR", "")])
        .unwrap();
    let variable = expected("4", "TORC_SERVER_SNAPSHOT_KEEP", 4);
    assert_eq!(said(&settings, Key::SnapshotKeep), variable);
    assert_eq!(settings.path(Key::SpillDir), Some(Path::new("/a")), "empty is unset");
    settings.set_flag(Key::SnapshotKeep, None);
    assert_eq!(said(&settings, Key::SnapshotKeep), variable);
    settings.set_flag(Key::SnapshotKeep, Value::Number(5));
    assert_eq!(said(&settings, Key::SnapshotKeep), expected("5", "--snapshot-keep", 5));
    assert_eq!(settings.get(Key::Format), None);
}

#[test]
fn a_wrong_variable_is_named() {
    let error = variables(&mut Settings::default(), &[("TORC_IN_MEMORY", "maybe")]).unwrap_err();
    assert_eq!(error.to_string(), "TORC_IN_MEMORY: 'maybe' is not true or false");
    assert_eq!(error.hint, "set it to true or false, or unset it");
    let mut relative = Settings::default();
    variables(&mut relative, &[("TORC_SOCKET", "s.sock")]).unwrap();
    assert_eq!(relative.path(Key::Socket), Some(Path::new("/w/s.sock")));
}

#[test]
fn of_memory_and_a_file_the_one_further_up_counts() {
    let (memory, file) = ("[daemon]\nin_memory = true", "[daemon]\ndatabase = '/d'");
    let neither = "[daemon]\nin_memory = false";
    for (system, user, in_memory) in [
        (memory, file, false),
        (file, memory, true),
        (memory, neither, false),
        (memory, "", true),
        (file, "", false),
        ("", "", false),
    ] {
        let settings = settings(&[(Layer::System, system), (Layer::User, user)]);
        assert_eq!(settings.in_memory().unwrap(), in_memory, "{system} below {user}");
    }
    let both = settings(&[(Layer::User, "[daemon]\nin_memory = true\ndatabase = '/d'")]);
    let error = both.in_memory().unwrap_err();
    assert!(error.to_string().starts_with("/c/torc.toml:2:1: daemon.in_memory: "), "{error}");
}

fn read_project(path: &Path) -> Result<Found, ConfigError> {
    trust::read(Layer::Project, path)
}

#[test]
fn only_files_that_nobody_else_writes_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("torc.toml");
    assert_eq!(read_project(&path).unwrap(), Found::Nothing);
    assert_eq!(read_project(&path.join("below")).unwrap(), Found::Nothing);
    fs::write(&path, "").unwrap();
    for (mode, refused) in [(0o600, false), (0o644, false), (0o664, true), (0o646, true)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let read = read_project(&path);
        assert_eq!(read.is_err(), refused, "{mode:o}: {read:?}");
        if let Err(error) = read {
            let expected =
                format!("{}: others can write to it (its mode is 0{mode:o})", path.display());
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.hint, format!("`chmod go-w {}`", path.display()));
        }
    }
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
    assert!(read_project(&path).unwrap_err().to_string().contains("1048576 is the most"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(read_project(&path).unwrap_err().to_string().ends_with("is not a file"));
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(read_project(&pipe).unwrap_err().to_string().ends_with("is not a file"));
}

#[test]
fn the_file_of_somebody_else_is_refused_and_in_a_directory_for_everybody_passed_over() {
    if own_uid() != 0 {
        eprintln!("SKIPPED: only root can give a file to another user");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("torc.toml");
    fs::write(&path, "").unwrap();
    chown(&path, Some(65_533), None).unwrap();
    for layer in [Layer::System, Layer::User, Layer::Project] {
        let error = trust::read(layer, &path).unwrap_err();
        assert!(error.to_string().contains("belongs to uid 65533"), "{error}");
    }
    let link = dir.path().join("link.toml");
    symlink(&path, &link).unwrap();
    assert!(read_project(&link).is_err(), "what it leads to counts");
    for mode in [0o1777, 0o775] {
        fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        assert_eq!(read_project(&path).unwrap(), Found::Strange, "{mode:o}");
    }
}

#[test]
fn the_project_is_the_nearest_directory_above_that_has_a_file() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    let found = || {
        let places = Sources::of(Some(deep.clone()), true).places();
        let place = places.into_iter().find(|place| place.layer == Layer::Project).unwrap();
        (place.path, matches!(place.state, State::Read(_)))
    };
    assert_eq!(found(), (deep.join("torc.toml"), false));
    for dir in [root.path(), &root.path().join("a")] {
        fs::write(dir.join("torc.toml"), "").unwrap();
        fs::set_permissions(dir.join("torc.toml"), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(found(), (dir.join("torc.toml"), true));
    }
    if own_uid() == 0 {
        chown(root.path().join("a"), Some(65_534), None).unwrap();
        assert_eq!(
            found(),
            (deep.join("torc.toml"), false),
            "nobody looks where others have a say"
        );
    } else {
        eprintln!("SKIPPED: only root can give a directory to another user");
    }
    let has_project =
        |sources: Sources| sources.places().iter().any(|place| place.layer == Layer::Project);
    assert!(!has_project(Sources::of(Some(deep), false)));
    assert!(!has_project(Sources::of(None, true)));
}
