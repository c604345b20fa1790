//! While jobs run, torcd and its worker leave the output directory alone: it may be on a file
//! system that stalls. Only the snapshot writer goes there.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::torc;

/// A call of the system: who made it, and what.
fn call(line: &str) -> Option<(&str, &str)> {
    line.split_once(' ').map(|(pid, call)| (pid, call.trim_start()))
}

#[test]
fn no_system_call_touches_the_output_directory_while_jobs_run() {
    if !Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|s| s.success())
    {
        eprintln!("SKIPPED: strace is not there or may not trace");
        return;
    }
    let torc = torc();
    let traced = torc.write(
        "traced",
        format!(
            "#!/bin/sh\nexec strace -f -y -s 24 -e trace=%file,%desc -o '{}' '{}' \"$@\"\n",
            torc.root().join("trace").display(),
            torc.torcctl_path().with_file_name("torcd").display()
        ),
    );
    fs::set_permissions(&traced, fs::Permissions::from_mode(0o755)).unwrap();
    torc.args(["exec", "--torcd-bin", "./traced", "--param", "i=1:200", "-c", "true"])
        .run()
        .expect(0);
    assert_eq!(torc.database().value("SELECT completed FROM workflow"), "200");

    let trace = fs::read_to_string(torc.root().join("trace")).unwrap();
    let calls: Vec<_> = trace.lines().filter_map(call).collect();
    let is_writer =
        |call: &str| call.starts_with("execve(") && call.contains("\"snapshot-writer\"");
    let writers: BTreeSet<_> =
        calls.iter().filter(|(_, call)| is_writer(call)).map(|(pid, _)| *pid).collect();
    assert_eq!(writers.len(), 1, "one final snapshot");
    let ready = calls.iter().position(|(_, call)| call.contains("\"TORCD_READY")).unwrap();
    let touches: Vec<_> = calls[ready..]
        .iter()
        .filter(|(pid, call)| !writers.contains(pid) && call.contains("torc_output"))
        .filter(|(_, call)| !call.contains("torc.db.lease"))
        .collect();
    assert!(touches.is_empty(), "{touches:#?}");
    let ended = calls.iter().position(|(_, call)| call.contains("\"TORC_SNAPSHOT_DONE")).unwrap();
    let early = calls[ready..ended].iter().any(|(_, call)| call.contains("torc.db.lease"));
    assert!(!early, "the lease is looked at while jobs run");
    let by_writer =
        calls.iter().any(|(pid, call)| writers.contains(pid) && call.contains("torc_output"));
    assert!(by_writer, "the trace does not even show the snapshot");
}
