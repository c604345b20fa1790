//! The Python client, whose own tests run against the binaries that are built here.

use std::path::PathBuf;
use std::process::Command;

use torc_tests::source::workspace;

use crate::torc;

/// Returns a Python that is new enough; says so when there is none.
fn python() -> Option<PathBuf> {
    let script = "import sys; sys.version_info >= (3, 8) and print(sys.executable)";
    let found = Command::new("python3").args(["-c", script]).output().ok();
    let path = found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let path = path.filter(|path| !path.is_empty()).map(PathBuf::from);
    if path.is_none() {
        eprintln!("SKIPPED: there is no python3 of version 3.8 or later");
    }
    path
}

#[test]
fn its_tests_pass() {
    let Some(python) = python() else { return };
    let torc = torc();
    let package = workspace().join("contrib/python");
    let bin = torc.torcctl_path().parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path)));
    let tests = torc
        .program(&python)
        .args(["-W", "error", "-m", "unittest", "discover", "-v", "-s"])
        .args([package.join("tests")])
        .env("PATH", path.unwrap())
        .env("PYTHONPATH", package)
        // A test leaves nothing in the sources.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .run()
        .expect(0);
    let ran = tests.stderr.lines().filter(|line| line.ends_with(" ... ok")).count();
    assert!(ran >= 15, "{tests}");
    assert!(!tests.stderr.contains("skipped"), "{tests}");
}
