//! `torcctl service` with a stand-in for `systemctl`, which does nothing but record what it is asked
//! for. What the real one makes of the units is seen in `systemd`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use torc_tests::running::Call;
use torc_tests::schema::Schema;
use torc_tests::torc::{Torc, names_in};

use crate::torc;

/// Answers as systemd would that knows what it was told, in files below `$HOME/state`.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >>"$HOME/calls"
state=$HOME/state units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
is() { [ -e "$state/$1" ] && echo active || echo inactive; }
case "$*" in
    *UnitPath*) echo "$HOME/other $HOME/.config/systemd/user" ;;
    *ActiveState\ torcd.socket) is socket ;;
    *ActiveState\ torcd.service) is service ;;
    *LoadState*) [ -e "$units/torcd.socket" ] && echo loaded || echo not-found ;;
    *Listen*) echo "$XDG_RUNTIME_DIR/torc/torcd.sock (Stream)" ;;
    *Result*) cat "$state/result" ;;
    *ExecMainStatus*) echo 5 ;;
    *\ start\ torcd.socket | *restart\ torcd.socket) : >"$state/socket" ;;
    *disable\ --now\ torcd.socket) rm -f "$state/socket" ;;
    *stop\ torcd.service) rm -f "$state/service" ;;
    *daemon-reload | *enable\ torcd.socket | *reset-failed\ torcd.service) ;;
    *) echo "what is '$*'?" >&2; exit 1 ;;
esac
"#;

const LOGINCTL: &str = "#!/bin/sh\necho no\n";

/// A home with a stand-in for systemd.
struct Home {
    torc: Torc,
    bin: PathBuf,
}

impl Home {
    fn new() -> Self {
        let torc = torc();
        let bin = torc.root().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::create_dir(torc.home().join("state")).unwrap();
        let home = Self { torc, bin };
        home.program("systemctl", SYSTEMCTL);
        home.program("loginctl", LOGINCTL);
        home
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.bin.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn service<const N: usize>(&self, args: [&str; N]) -> Call {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.bin.display());
        self.torc.args(["service"].into_iter().chain(args)).env("PATH", path)
    }

    /// Returns the units that there are.
    fn units(&self) -> Vec<String> {
        names_in(&self.dir())
    }

    fn dir(&self) -> PathBuf {
        self.torc.home().join(".config/systemd/user")
    }

    fn unit(&self, name: &str) -> String {
        fs::read_to_string(self.dir().join(name)).unwrap()
    }

    /// Makes systemd say that this is so.
    fn state(&self, name: &str, text: &str) {
        fs::write(self.torc.home().join("state").join(name), text).unwrap();
    }

    /// Returns what systemd was told to do since the last time, questions aside.
    fn told(&self) -> Vec<String> {
        let calls = self.torc.home().join("calls");
        let text = fs::read_to_string(&calls).unwrap_or_default();
        let _ = fs::remove_file(calls);
        let told = text.lines().map(|line| line.strip_prefix("--user ").unwrap());
        told.filter(|line| !line.starts_with("show ")).map(str::to_owned).collect()
    }
}

const UNITS: [&str; 2] = ["torcd.service", "torcd.socket"];

#[test]
fn installing_writes_the_units_and_makes_systemd_listen() {
    let home = Home::new();
    let installed = home.service(["install"]).run().expect(0);
    let socket = home.torc.runtime().join("torc/torcd.sock");
    let listens = format!("systemd listens at {}", socket.display());
    for said in ["torcd.service: written", "torcd.socket: written", &listens, "enable-linger"] {
        assert!(installed.stdout.contains(said), "no '{said}' in {installed}");
    }
    assert_eq!(home.units(), UNITS);
    let torcd = home.torc.torcctl_path().with_file_name("torcd");
    let exec = format!("\nExecStart={}\n", torcd.display());
    assert!(home.unit("torcd.service").contains(&exec), "{}", home.unit("torcd.service"));
    assert!(home.unit("torcd.socket").contains("\nListenStream=%t/torc/torcd.sock\n"));
    let told = ["daemon-reload", "enable torcd.socket", "start torcd.socket"];
    assert_eq!(home.told(), told);
    let again = home.service(["install", "--format", "json"]).run().expect(0).json();
    Schema::v1().shape("service_installed").check(&again);
    assert_eq!(again["units"][0]["change"], "unchanged");
    assert_eq!(again["units"][1]["unit"], "torcd.socket");
    assert_eq!(again["socket"], socket.to_str().unwrap());
    assert_eq!(
        (&again["listening"], &again["running_as_before"], &again["lingering"]),
        (&true.into(), &false.into(), &false.into())
    );
}

#[test]
fn units_of_another_torcd_are_replaced() {
    let home = Home::new();
    home.service(["install"]).run().expect(0);
    home.state("service", "");
    let other = home.torc.write("torcd", "");
    let other = other.to_str().unwrap();
    let replaced = home.service(["install", "--torcd-bin", other]).run().expect(0);
    assert!(replaced.stdout.contains("torcd.service: written"), "{replaced}");
    assert!(replaced.stdout.contains("torcd.socket: unchanged"), "{replaced}");
    assert!(replaced.stdout.contains("stop torcd.service"), "it runs as before: {replaced}");
    assert!(home.unit("torcd.service").contains(&format!("\nExecStart={other}\n")));
    home.service(["install", "--torcd-bin", "gone"]).run().expect_refusal(6, "gone");
}

#[test]
fn without_a_start_nothing_listens_until_the_next_login() {
    let home = Home::new();
    let installed = home.service(["install", "--no-start"]).run().expect(0);
    assert!(installed.stdout.contains("from your next login on"), "{installed}");
    assert_eq!(home.told(), ["daemon-reload", "enable torcd.socket"]);
}

#[test]
fn a_unit_of_somebody_else_stays_as_it_is() {
    let home = Home::new();
    home.service(["install"]).run().expect(0);
    let ours = home.unit("torcd.service");
    let file = home.dir().join("torcd.service");
    for theirs in [format!("{ours}Nice=5\n"), "[Service]\n".to_owned()] {
        fs::write(&file, &theirs).unwrap();
        home.told();
        for verb in ["install", "uninstall"] {
            let refused = home.service([verb]).run().expect_refusal(7, "torcd.service");
            assert!(refused.stderr.contains("systemctl --user edit torcd.service"), "{refused}");
            assert_eq!(home.unit("torcd.service"), theirs);
            assert_eq!(home.told(), [""; 0]);
        }
        home.service(["install", "--force"]).run().expect(0);
        assert_eq!(home.unit("torcd.service"), ours);
    }
    fs::write(&file, "[Service]\n").unwrap();
    home.service(["uninstall", "--force"]).run().expect(0);
    assert_eq!(home.units(), [""; 0]);
}

#[test]
fn without_systemd_the_other_ways_are_told_and_nothing_is_written() {
    let home = Home::new();
    let refuse = |what: &str| {
        let refused = home.service(["install"]).run().expect_refusal(3, what);
        for way in ["torcctl daemon start", ".bashrc", "TaskProlog"] {
            assert!(refused.stderr.contains(way), "no {way} in {refused}");
        }
        home.service(["uninstall"]).run().expect_refusal(3, what);
        assert_eq!(home.units(), [""; 0]);
    };
    home.program(
        "systemctl",
        "#!/bin/sh\necho Failed to connect to bus: No medium found >&2\nexit 1\n",
    );
    refuse("No medium found");
    fs::remove_file(home.bin.join("systemctl")).unwrap();
    let empty = home.service(["install"]).env("PATH", &home.bin).run();
    empty.expect_refusal(3, "cannot run systemctl");
}

#[test]
fn a_torcd_that_systemd_did_not_start_is_in_the_way() {
    let home = Home::new();
    let daemon = home.torc.daemon(["--in-memory"]);
    let refused = home.service(["install"]).run();
    let refused = refused.expect_refusal(7, &format!("process {}", daemon.pid()));
    assert!(refused.stderr.contains("torcctl daemon stop"), "{refused}");
    assert_eq!((home.units(), home.told()), (Vec::new(), Vec::new()));
    assert_eq!(daemon.end(), 0);
    home.service(["install"]).run().expect(0);
}

#[test]
fn units_go_where_systemd_looks_for_them() {
    let home = Home::new();
    let config = home.torc.home().join("other-config");
    let refused = home.service(["install"]).env("XDG_CONFIG_HOME", &config).run();
    refused.expect_refusal(7, "other-config/systemd/user");
    assert!(!config.exists());
    let script = SYSTEMCTL.replace("$HOME/other ", "$HOME/other-config/systemd/user ");
    home.program("systemctl", &script);
    home.service(["install"]).env("XDG_CONFIG_HOME", &config).run().expect(0);
    assert_eq!(names_in(&config.join("systemd/user")), UNITS);
}

#[test]
fn a_unit_from_a_package_is_not_written_again() {
    let home = Home::new();
    let packaged = home.torc.home().join("other");
    fs::create_dir(&packaged).unwrap();
    for unit in ["service", "socket"] {
        let printed = home.service(["print", unit]).run().expect(0);
        fs::write(packaged.join(format!("torcd.{unit}")), printed.stdout_bytes).unwrap();
    }
    let installed = home.service(["install"]).run().expect(0);
    assert_eq!(installed.stdout.matches("from a package").count(), 2, "{installed}");
    assert_eq!(home.units(), [""; 0]);
    assert_eq!(home.told(), ["daemon-reload", "enable torcd.socket", "start torcd.socket"]);
}

#[test]
fn uninstalling_ends_torcd_and_removes_the_units() {
    let home = Home::new();
    home.service(["uninstall"]).run().expect(0).says("not installed");
    for (result, code, durable) in [("success", 0, true), ("exit-code", 5, false)] {
        home.service(["install"]).run().expect(0);
        home.state("service", "");
        home.state("result", result);
        home.told();
        let uninstalled = home.service(["uninstall", "--format", "json"]).run().expect(code);
        Schema::v1().shape("service_uninstalled").check(&uninstalled.json());
        assert_eq!(uninstalled.json()["durable"], durable);
        assert_eq!(uninstalled.json()["removed"].as_array().unwrap().len(), 2);
        assert_eq!(uninstalled.stderr.contains("snapshot recover"), !durable, "{uninstalled}");
        assert_eq!(home.units(), [""; 0]);
        let told = ["disable --now torcd.socket", "stop torcd.service"];
        assert_eq!(home.told()[..2], told, "the socket goes first");
    }
    home.service(["install"]).run().expect(0);
    let idle = home.service(["uninstall", "--format", "json"]).run().expect(0).json();
    assert!(idle["durable"].is_null(), "{idle}");
}

#[test]
fn the_units_are_printed_for_packages() {
    let home = Home::new();
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/systemd");
    for unit in ["service", "socket"] {
        let printed =
            home.service(["print", unit, "--torcd-bin", "/usr/bin/torcd"]).run().expect(0);
        let file = contrib.join(format!("torcd.{unit}"));
        assert_eq!(printed.stdout, fs::read_to_string(file).unwrap());
    }
    let both = home.service(["print"]).run().expect(0);
    assert!(both.stdout.contains("[Service]") && both.stdout.contains("[Socket]"), "{both}");
    assert_eq!(home.told(), [""; 0]);
    home.service(["print", "--format", "json"]).run().expect_refusal(2, "one form only");
}
