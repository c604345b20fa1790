//! Settings: files, variables, flags, and which of them counts; and new ones for a torcd that runs.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use torc_tests::slow_disk::SlowDisk;
use torc_tests::torc::{Torc, names_in};
use torc_tests::wait::wait_until;

use crate::torc;

/// Whatever the umask is, others cannot write to it.
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
}

fn status(torc: &Torc) -> Value {
    torc.args(["status", "--format", "json"]).run().expect(0).json()
}

fn keep(torc: &Torc) -> Value {
    status(torc)["snapshot"]["keep"].clone()
}

#[test]
fn flags_go_before_the_environment_and_that_before_project_user_and_system() {
    let torc = torc();
    let project = torc.path("torc.toml");
    let show = |variable: Option<&str>, flags: &[&str]| {
        let line = ["config", "show", "client.color", "--format", "json"];
        let mut call = torc.args(line.iter().chain(flags));
        if let Some(value) = variable {
            call = call.env("TORC_COLOR", value);
        }
        let shown = call.run().expect(0).json();
        [&shown["value"], &shown["layer"], &shown["origin"]].map(Value::clone)
    };
    assert_eq!(show(None, &[]), [Value::Null, json!("default"), Value::Null]);
    assert_eq!(show(Some(""), &[])[1], "default", "a variable that is empty is not set");
    let expected =
        |layer: &str, value: &str, origin: String| [json!(value), json!(layer), json!(origin)];
    for (layer, path, value) in [
        ("system", torc.system_config(), "never"),
        ("user", torc.user_config(), "always"),
        ("project", project, "auto"),
    ] {
        write(&path, &format!("[client]\ncolor = \"{value}\"\n"));
        let origin = format!("{}:2", path.display());
        assert_eq!(show(None, &[]), expected(layer, value, origin));
    }
    let variable = expected("environment", "never", "TORC_COLOR".to_owned());
    assert_eq!(show(Some("never"), &[]), variable);
    let flag = expected("command line", "always", "--color".to_owned());
    assert_eq!(show(Some("never"), &["--color", "always"]), flag);
}

#[test]
fn torcd_goes_by_flags_the_environment_the_user_and_the_system_and_not_by_a_project() {
    let torc = torc();
    write(&torc.path("torc.toml"), "[snapshot]\nkeep = 9\n");
    let kept = |variable: &str, flags: &[&str]| {
        let script = format!("{variable} exec \"$0\" \"$@\"");
        let flags = ["--in-memory"].iter().chain(flags);
        let daemon = torc.daemon_by(&script, Stdio::piped(), &[], flags);
        let kept = keep(&torc);
        assert_eq!(daemon.end(), 0);
        kept
    };
    assert_eq!(kept("", &[]), 5);
    write(&torc.system_config(), "[snapshot]\nkeep = 2\n");
    assert_eq!(kept("", &[]), 2);
    write(&torc.user_config(), "[snapshot]\nkeep = 3\n");
    assert_eq!(kept("", &[]), 3);
    assert_eq!(kept("TORC_SERVER_SNAPSHOT_KEEP=4", &[]), 4);
    assert_eq!(kept("TORC_SERVER_SNAPSHOT_KEEP=4", &["--snapshot-keep", "6"]), 6);
}

#[test]
fn of_a_database_in_memory_and_one_in_a_file_the_last_word_counts() {
    let torc = torc();
    write(&torc.user_config(), "[daemon]\ndatabase = \"~/named.db\"\n");
    let daemon = torc.daemon([""; 0]);
    let named = torc.home().join("named.db");
    assert_eq!(status(&torc)["database"], json!(named));
    assert_eq!(daemon.end(), 0);
    assert!(named.exists());
    let daemon = torc.daemon(["--in-memory"]);
    assert_eq!(status(&torc)["in_memory"], true);
    assert_eq!(daemon.end(), 0);
    write(&torc.user_config(), "[daemon]\nin_memory = true\n");
    let script = "TORC_DATABASE=other.db exec \"$0\" \"$@\"";
    let daemon = torc.daemon_by(script, Stdio::piped(), &[], ["--snapshot", "other-s.db"]);
    assert_eq!(status(&torc)["database"], json!(torc.path("other.db")));
    assert_eq!(daemon.end(), 0);
    let both = "[daemon]\nin_memory = true\ndatabase = \"x.db\"\n";
    write(&torc.user_config(), both);
    let place = format!("{}:2:1: daemon.in_memory", torc.user_config().display());
    torc.torcd([""; 0]).run().expect_refusal(2, &place);
}

#[test]
fn a_file_that_is_wrong_stops_everything_but_what_explains() {
    let torc = torc();
    let file = torc.user_config();
    for (text, place) in [
        ("[snapshot]\nkep = 3\n", ":2:1: there is no setting 'snapshot.kep'"),
        ("[snapshot]\nkeep = 0\n", ":2:8: snapshot.keep: 0 is not a whole number from 1 to 1000"),
        ("[snapshot]\nkeep =\n", ":2:7: "),
        ("[exec]\nstdio = \"captur\"\n", ":2:9: exec.stdio: 'captur' is not capture, separate,"),
    ] {
        write(&file, text);
        let said = format!("{}{place}", file.display());
        for line in [vec!["status"], vec!["exec", "-c", "touch ran"], vec!["config", "show"]] {
            torc.args(line).run().expect_refusal(2, &said);
        }
        torc.torcd(["--in-memory"]).run().expect_refusal(2, &said);
    }
    let path = torc.args(["config", "path", "--format", "json"]).run().expect(0).json();
    let wrong = path.as_array().unwrap().iter().find(|it| it["state"] == "wrong").unwrap();
    assert_eq!(wrong["path"], json!(file));
    for line in [vec!["--help"], vec!["exec", "--help"], vec!["completions", "bash"]] {
        torc.args(line).run().expect(0);
    }
    assert!(!torc.path("ran").exists());
    write(&file, "");
    let call = torc.args(["exec", "-c", "true"]).env("TORC_MAX_PARALLEL_JOBS", "many");
    call.run().expect_refusal(2, "TORC_MAX_PARALLEL_JOBS: 'many' is not a whole number");
    let meant = torc.args(["config", "show", "snapshot.kept"]).run();
    meant.expect_refusal(6, "there is no setting 'snapshot.kept'").says("'snapshot.keep'");
}

#[test]
fn what_others_can_write_to_is_refused() {
    let torc = torc();
    let file = torc.write("torc.toml", "[exec]\nprint = \"grouped\"\n");
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    let refused = torc.args(["exec", "-c", "true"]).run();
    refused.expect_refusal(2, "others can write to it").says("chmod go-w");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let outcome = torc.args(["exec", "-c", "echo hi"]).run().expect(0);
    assert_eq!(outcome.stdout, "hi\n");
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can give a file to another user");
        return;
    }
    chown(&file, Some(65_533), None).unwrap();
    let refused = torc.args(["exec", "-c", "true"]).run();
    refused.expect_refusal(2, "torc.toml: belongs to uid 65533");
    // In a directory for everybody it is not ours to care for.
    fs::set_permissions(torc.work(), Permissions::from_mode(0o1777)).unwrap();
    torc.args(["exec", "-c", "true"]).run().expect(0);
    let path = torc.args(["config", "path", "--format", "json"]).run().expect(0).json();
    assert_eq!(path[2]["state"], "ignored", "{path}");
}

#[test]
fn a_project_says_how_its_runs_are_made() {
    let torc = torc();
    let below = torc.path("a/b");
    fs::create_dir_all(&below).unwrap();
    let text = "[exec]\noutput_dir = \"out\"\nstdio = \"separate\"\nprint = \"grouped\"\n\
        max_parallel_jobs = 1\n[snapshot]\nkeep = 2\n[client]\nformat = \"table\"\n";
    write(&torc.path("torc.toml"), text);
    let exec = |args: &[&str]| {
        torc.args(["exec", "-c", "echo hi", "-n", "x"].iter().chain(args)).dir(&below).run()
    };
    for run in 1..=3 {
        let outcome = exec(&[]).expect(0);
        assert_eq!(outcome.stdout, "hi\n", "it is printed");
        let files = names_in(&torc.path(&format!("out/stdio/{run}")));
        assert_eq!(files.len(), 2, "one for each stream: {files:?}");
    }
    let snapshots = names_in(&below.join("torc_output"));
    assert!(snapshots.contains(&"torc.db.1".to_owned()), "{snapshots:?}");
    assert!(!snapshots.contains(&"torc.db.2".to_owned()), "{snapshots:?}");
    let at_a_time = |args: &[&str]| {
        let planned = exec(&[&["--dry-run"], args].concat()).expect(0).json();
        planned["max_parallel_jobs"].clone()
    };
    assert_eq!(at_a_time(&[]), 1);
    assert_eq!(at_a_time(&["-j", "3"]), 3);
    assert_eq!(exec(&["--print", "none", "--stdio", "none"]).expect(0).stdout, "");
}

#[test]
fn a_torcd_that_is_started_in_a_project_is_told_what_that_says() {
    let torc = torc();
    let socket = torc.path("of-project.sock");
    let text = "socket = \"of-project.sock\"\n[daemon]\nin_memory = true\n[snapshot]\n\
        path = \"of-project.db\"\nkeep = 7\n";
    write(&torc.path("torc.toml"), text);
    torc.args(["daemon", "start"]).run().expect(0);
    let status = status(&torc);
    assert_eq!(status["socket"], json!(socket.to_str().unwrap()), "{status}");
    assert_eq!(status["in_memory"], true);
    assert_eq!(status["snapshot"]["keep"], 7);
    assert_eq!(status["snapshot"]["target"], json!(torc.path("of-project.db")));
    torc.args(["daemon", "stop"]).run().expect(0);
    torc.wait_for_silence();
}

#[test]
fn a_private_torcd_has_its_places_from_whoever_starts_it_only() {
    let torc = torc();
    let text = "socket = \"~/s.sock\"\n[daemon]\ndatabase = \"~/d.db\"\nlog_file = \"~/l.log\"\n\
        log = \"trace\"\n";
    write(&torc.user_config(), text);
    let outcome = torc.args(["exec", "-c", "echo hi"]).run().expect(0);
    assert!(!outcome.stderr.contains("TRACE"), "{outcome}");
    let listed = torc.args(["results", "list"]).run().expect(0);
    assert_eq!(listed.stderr, "");
    let left = names_in(&torc.home());
    assert_eq!(left, [".config"], "nothing of what the file names");
    assert_eq!(torc.database().rows("SELECT status FROM job"), ["completed"]);
}

#[test]
fn a_torcd_that_runs_takes_new_settings_on_sighup() {
    let torc = torc();
    let file = torc.user_config();
    write(&file, "[snapshot]\nkeep = 2\ninterval_seconds = 3600\n[daemon]\nlog = \"info\"\n");
    let daemon = torc.service(&[], ["--in-memory", "--snapshot", "s.db"]);
    let socket = daemon.socket().to_str().unwrap();
    let asking = ["status", "--format", "json", "--socket", socket];
    let keep = || torc.args(asking).run().expect(0).json()["snapshot"]["keep"].clone();
    assert_eq!(keep(), 2);
    write(&file, "[snapshot]\nkeep = 3\ninterval_seconds = 1\n[daemon]\nlog = \"info\"\n");
    daemon.signal(Signal::SIGHUP);
    daemon.expect_log("the settings were read again: 3 snapshots kept, one every 1 s");
    wait_until("the number of snapshots is told", || keep() == 3);
    // What has changed since the last snapshot is saved when the new time is over, not the old.
    torc.args(["exec", "--detach", "-c", "true"]).run().expect(0);
    daemon.line("TORC_SNAPSHOT_DONE=");
    write(&file, "[snapshot]\nkeep = many\n");
    daemon.signal(Signal::SIGHUP);
    daemon.expect_log(&format!("the settings stay as they were: {}:2:8: ", file.display()));
    let fixed = "socket = \"/elsewhere.sock\"\n[daemon]\ndatabase = \"x.db\"\nlog_file = \"l\"\n\
        [snapshot]\nkeep = 4\npath = \"other.db\"\n";
    write(&file, fixed);
    assert_eq!(keep(), 3);
    daemon.signal(Signal::SIGHUP);
    for key in ["socket", "daemon.log_file"] {
        daemon.expect_log(&format!("{key} has changed, and takes effect at the next start"));
    }
    wait_until("the number of snapshots is told", || keep() == 4);
    // What a flag says has not changed.
    let status = torc.args(asking).run().expect(0).json();
    assert_eq!(status["snapshot"]["target"], json!(torc.path("s.db")));
    assert_eq!(status["in_memory"], true);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_home_that_does_not_answer_holds_up_torcctl_which_says_so_and_no_torcd_that_runs() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    fs::create_dir(disk.path("torc")).unwrap();
    write(&disk.path("torc/torc.toml"), "[snapshot]\nkeep = 3\n[daemon]\nlog = \"info\"\n");
    let home = [("XDG_CONFIG_HOME", disk.dir().as_os_str().to_owned())];
    let daemon = torc.service(&home, ["--in-memory"]);
    assert_eq!(keep(&torc), 3);
    disk.freeze();
    daemon.signal(Signal::SIGHUP);
    disk.wait_for_a_victim();
    torc.args(["exec", "-c", "true"]).run().expect(0);
    let asking = torc.args(["status"]).env("XDG_CONFIG_HOME", disk.dir().as_os_str());
    let mut asking = asking.start();
    asking.await_stderr("waiting for the settings in ");
    disk.thaw();
    asking.wait().expect(0);
    daemon.expect_log("the settings were read again");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn whoever_lives_for_a_command_ends_on_sighup() {
    let torc = torc();
    let args = ["--in-memory", "--lifeline", "--snapshot", "life.db"];
    let mut daemon = torc.service(&[], args);
    daemon.signal(Signal::SIGHUP);
    assert_eq!(daemon.exit_code(), 0);
    assert!(torc.path("life.db").exists());
}
