//! torcd as a service of a real systemd, from `torcctl service install` to `uninstall`.
//!
//! It is one test, because each step goes on with what the one before has left, and because a
//! systemd of one's own is dear.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;
use torc_tests::outcome::Outcome;
use torc_tests::running::Call;
use torc_tests::systemd::{HOME, Systemd, USER};
use torc_tests::wait::wait_until;

use crate::torc;

const CONFIG: &str =
    "[daemon]\nin_memory = true\nlog = \"info\"\n\n[snapshot]\npath = \"runs.db\"\n";

/// Where it is.
const SETTINGS: &str = "/srv/torctest/.config/torc/torc.toml";
/// Where these snapshots are.
const SNAPSHOT: &str = "/srv/torctest/.config/torc/runs.db";

/// A watchdog that a test can wait for.
const WATCHDOG: &str = "[Service]\nWatchdogSec=6\n";

/// A job that is not ended by SIGTERM; torcd waits five seconds for it.
const STUBBORN: &str = "trap '' TERM; : >deaf; while :; do sleep 0.1; done";

fn drop_in(name: &str) -> String {
    format!("{HOME}/.config/systemd/user/torcd.service.d/{name}.conf")
}

/// What the steps need.
struct Service {
    systemd: Systemd,
}

impl Service {
    fn torcctl<const N: usize>(&self, args: [&str; N]) -> Call {
        self.systemd.user("torcctl").args(args)
    }

    fn systemctl<const N: usize>(&self, args: [&str; N]) -> Call {
        self.systemd.user("systemctl").args(["--user"]).args(args)
    }

    fn property(&self, unit: &str, name: &str) -> String {
        let property = format!("--property={name}");
        let shown = self.systemctl(["show", "--value", &property, unit]).run().expect(0);
        shown.stdout.trim().to_owned()
    }

    /// Returns the process of torcd as it is seen inside; 0 when none runs.
    fn pid(&self) -> u32 {
        self.property("torcd.service", "MainPID").parse().unwrap()
    }

    fn status(&self) -> Value {
        self.torcctl(["status", "--format", "json"]).run().expect(0).json()
    }

    fn journal<const N: usize>(&self, args: [&str; N]) -> Outcome {
        let journalctl = self.systemd.user("journalctl").args(["--user", "--unit=torcd"]);
        journalctl.args(args).run().expect(0)
    }

    /// Sends a signal to torcd and to nothing else, and waits until systemd has started it anew.
    fn hurt(&self, signal: Signal) {
        let before = self.pid();
        let name = format!("-{}", signal as i32);
        self.systemd.user("kill").args([&*name, &before.to_string()]).run().expect(0);
        wait_until("torcd is started anew", || {
            let is_active = self.property("torcd.service", "ActiveState") == "active";
            is_active && ![0, before].contains(&self.pid())
        });
    }

    fn write(&self, path: &str, text: &str) {
        let script = "mkdir -p \"${1%/*}\" && printf %s \"$2\" >\"$1\"";
        self.systemd.user("sh").args(["-c", script, "sh", path, text]).run().expect(0);
    }
}

#[test]
fn a_real_systemd_runs_torcd() {
    let torc = torc();
    let bin = torc.torcctl_path();
    let Some(systemd) = Systemd::boot(bin.parent().unwrap()) else { return };
    let service = Service { systemd };
    service.write(SETTINGS, CONFIG);
    installed(&service);
    started_by_the_first_connection(&service);
    reloaded(&service);
    killed(&service);
    stuck(&service);
    started_without_options(&service);
    restarted(&service);
    stopped(&service);
    broken(&service);
    uninstalled(&service);
}

fn installed(service: &Service) {
    // Not yet there, but torcctl finds it when the variable is not set, as after `su`.
    let installed = service.torcctl(["service", "install"]).run().expect(0);
    let socket = format!("/run/user/{USER}/torc/torcd.sock");
    assert!(installed.stdout.contains(&format!("systemd listens at {socket}")), "{installed}");
    assert!(installed.stdout.contains("lingering is on"), "{installed}");
    let again = service.torcctl(["service", "install"]).run().expect(0);
    assert_eq!(again.stdout.matches(": unchanged").count(), 2, "{again}");
    for (unit, state) in [("torcd.socket", "active"), ("torcd.service", "inactive")] {
        assert_eq!(service.property(unit, "ActiveState"), state);
    }
    let verify = service.systemd.user("systemd-analyze");
    let verify = verify.args(["--user", "--man=no", "verify", "torcd.service", "torcd.socket"]);
    let verified = verify.run().expect(0);
    assert!(!verified.stderr.contains("torcd"), "{verified}");
    service.torcctl(["daemon", "logs"]).run().expect(0);
    assert_eq!(service.pid(), 0, "to look for the log starts no torcd");
}

fn started_by_the_first_connection(service: &Service) {
    let status = service.status();
    assert_eq!((&status["unit"], &status["log"]), (&"torcd.service".into(), &"journal".into()));
    assert_eq!(status["in_memory"], true, "torc.toml is read");
    assert_eq!(u64::from(service.pid()), status["pid"]);
    let shown = service.systemctl(["status", "torcd"]).run().expect(0);
    for text in ["active (running)", "Status: ", "TriggeredBy: ● torcd.socket"] {
        assert!(shown.stdout.contains(text), "no '{text}' in {shown}");
    }
    assert!(!service.property("torcd.service", "StatusText").is_empty());
    service.torcctl(["exec", "-c", "echo hello"]).run().expect(0);
}

fn reloaded(service: &Service) {
    let before = service.pid();
    service.systemctl(["reload", "torcd"]).run().expect(0);
    assert_eq!(service.pid(), before);
    assert_eq!(service.property("torcd.service", "ActiveState"), "active");
    service.torcctl(["status"]).run().expect(0);
}

fn killed(service: &Service) {
    service.hurt(Signal::SIGKILL);
    assert_eq!(service.property("torcd.service", "NRestarts"), "1");
    let jobs = service.torcctl(["jobs", "list", "--format", "json"]).run().expect(0).json();
    assert_eq!(jobs[0]["status"], "completed", "its record is kept: {jobs}");
}

fn stuck(service: &Service) {
    service.write(&drop_in("watchdog"), WATCHDOG);
    service.systemctl(["daemon-reload"]).run().expect(0);
    service.systemctl(["restart", "torcd.service"]).run().expect(0);
    service.hurt(Signal::SIGSTOP);
    let warnings = service.journal(["--priority=warning"]);
    assert!(warnings.stdout.contains("Watchdog timeout"), "{warnings}");
    // On a busy machine, the steps to come could be too slow for it.
    service.systemd.user("rm").args([drop_in("watchdog")]).run().expect(0);
    service.systemctl(["daemon-reload"]).run().expect(0);
    service.torcctl(["status"]).run().expect(0);
}

fn started_without_options(service: &Service) {
    let started = service.torcctl(["daemon", "start"]).run().expect(0);
    assert!(started.stdout.contains("run by systemd as torcd.service"), "{started}");
    let refused = service.torcctl(["daemon", "start", "--snapshot-keep", "2"]).run();
    refused.expect_refusal(7, "torc.toml");
    let logs = service.torcctl(["daemon", "logs", "-n", "1000"]).run().expect(0);
    assert!(logs.stdout.contains("torcd["), "{logs}");
    assert_eq!(logs.stdout, service.journal(["--lines=1000"]).stdout);
}

fn restarted(service: &Service) {
    let before = service.pid();
    let refused = service.torcctl(["daemon", "restart", "--in-memory"]).run();
    refused.expect_refusal(7, "torc.toml");
    assert_eq!(service.pid(), before);
    let restarted = service.torcctl(["daemon", "restart"]).run().expect(0);
    assert!(restarted.stdout.contains("is running: process"), "{restarted}");
    assert!(restarted.stdout.contains("run by systemd as torcd.service"), "{restarted}");
    assert!(![0, before].contains(&service.pid()));
}

fn stopped(service: &Service) {
    let snapshot = service.systemd.path(SNAPSHOT);
    let written = || fs::metadata(&snapshot).unwrap().modified().unwrap();
    // It takes longer than systemd gives it, unless torcd asks for more time.
    service.write(&drop_in("stop"), "[Service]\nTimeoutStopSec=2\n");
    service.systemctl(["daemon-reload"]).run().expect(0);
    service.torcctl(["exec", "--detach", "-c", STUBBORN]).run().expect(0);
    service.torcctl(["snapshot", "--wait"]).run().expect(0);
    wait_until("the job is deaf", || service.systemd.path(&format!("{HOME}/deaf")).exists());
    let before = written();
    service.systemctl(["stop", "torcd.service"]).run().expect(0);
    assert!(written() > before, "the final snapshot is on disk");
    assert_eq!(service.property("torcd.service", "Result"), "success");
    let said = service.journal(["--output=cat"]);
    assert!(said.stdout.contains(&format!("is {SNAPSHOT}")), "{said}");
    assert_eq!(service.property("torcd.socket", "ActiveState"), "active", "it starts again");
    let jobs = service.torcctl(["jobs", "list", "--format", "json"]).run().expect(0).json();
    assert_eq!(jobs[0]["status"], "terminated", "{jobs}");
}

fn broken(service: &Service) {
    service.torcctl(["daemon", "stop"]).run().expect(0);
    let path = drop_in("broken");
    service.write(&path, "[Service]\nEnvironment=TORC_LOG=loud\n");
    service.systemctl(["daemon-reload"]).run().expect(0);
    service.torcctl(["status"]).run().expect_refusal(3, "torcd.sock");
    wait_until("systemd gives up", || service.property("torcd.socket", "ActiveState") == "failed");
    service.torcctl(["status"]).run().expect_refusal(3, "torcctl daemon start");
    service.torcctl(["daemon", "start"]).run().expect_refusal(3, "torcctl daemon logs");
    let logs = service.torcctl(["daemon", "logs", "-n", "20"]).run().expect(0);
    assert!(logs.stdout.contains("loud"), "{logs}");
    service.systemd.user("rm").args([path]).run().expect(0);
    service.systemctl(["daemon-reload"]).run().expect(0);
    let started = service.torcctl(["daemon", "start"]).run().expect(0);
    assert!(started.stdout.contains("is running"), "{started}");
    assert_eq!(service.status()["unit"], "torcd.service");
}

fn uninstalled(service: &Service) {
    let pid = service.pid();
    assert_ne!(pid, 0);
    let removed = service.torcctl(["service", "uninstall"]).run().expect(0);
    assert!(removed.stdout.contains("its final snapshot is on disk"), "{removed}");
    assert_eq!(service.property("torcd.socket", "LoadState"), "not-found");
    service.torcctl(["status"]).run().expect_refusal(3, "no torcd is running");
    let home = service.systemd.path(&format!("{HOME}/.config/systemd/user"));
    let left: Vec<_> =
        fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name == "torcd.service" || name == "torcd.socket"), "{left:?}");
}
