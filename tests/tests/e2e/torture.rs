//! Some rounds of the crash torture, with a seed that stays: nothing is lost, nothing runs twice, and
//! nothing is left, whoever is killed. `just torture` plays more.

use std::process::Command;

#[test]
fn whoever_is_killed_nothing_that_was_acknowledged_is_lost() {
    let mut torture = Command::new(env!("CARGO_BIN_EXE_torture"));
    let played = torture.args(["--rounds", "12", "--seed", "1", "--parallel", "2"]).output();
    let played = played.unwrap();
    let said = String::from_utf8_lossy(&played.stdout);
    let stderr = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{said}\n{stderr}");
    let figure = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned)
    };
    assert_eq!(figure("rounds").as_deref(), Some("12"), "{said}");
    for nothing in ["lost", "run twice", "orphans", "leftovers", "unsound files"] {
        assert_eq!(figure(nothing).as_deref(), Some("0"), "{nothing}: {said}");
    }
    assert_ne!(figure("acknowledged writes").as_deref(), Some("0"), "{said}");
    assert!(said.contains("SIGKILL of torcd"), "{said}");
}
