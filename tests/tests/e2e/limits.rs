//! What a job may take: memory, time, and how many may fail.

use torc_tests::torc::Torc;

use crate::torc;

/// A command whose child takes a gigabyte and keeps it, while its parent waits.
const GREEDY: &str = "head -c 1000000000 /dev/zero | tail -c 1000000000 | sleep 300";

fn rows(torc: &Torc) -> Vec<String> {
    torc.database().rows(
        "SELECT job.name, attempt.status, attempt.return_code, reason
         FROM job JOIN attempt ON job_id = job.id ORDER BY job.id",
    )
}

#[test]
fn a_job_that_takes_too_much_memory_is_killed_with_all_its_children() {
    let torc = torc();
    torc.write(
        "w.yaml",
        format!(
            "
name: w
resource_requirements: [{{name: small, num_cpus: 1, memory: 64m}}]
jobs:
  - {{name: greedy, command: '{GREEDY}', resource_requirements: small}}
  - {{name: modest, command: sleep 0.5, resource_requirements: small}}
"
        ),
    );
    torc.args(["run", "w.yaml"]).run().expect(1).says("out of memory");
    let rows = rows(&torc);
    assert!(rows[0].starts_with("greedy|failed|137|out of memory"), "{rows:?}");
    assert!(rows[1].starts_with("modest|completed|0|"), "{rows:?}");
    torc.wait_for_silence();
}

#[test]
fn exec_limits_memory_and_stops_at_failures_when_it_is_asked_to() {
    let torc = torc();
    torc.args(["exec", "--memory", "64m", "-c", GREEDY]).run().expect(1).says("out of memory");
    let mut call = vec!["exec", "-j1", "--halt", "soon,fail=2"];
    for command in ["false", "true", "false", "touch ran", "touch ran"] {
        call.extend(["-c", command]);
    }
    torc.args(call).run().expect(1);
    let latest = "SELECT status, count(*) FROM job
         WHERE workflow_id = (SELECT max(id) FROM workflow) GROUP BY status ORDER BY status";
    assert_eq!(torc.database().rows(latest), ["canceled|2", "completed|1", "failed|2"]);
    assert!(!torc.path("ran").exists());
    let now = ["exec", "-j2", "--halt", "now,fail=1", "-c", "sleep 300", "-c", "sleep 0.1; false"];
    torc.args(now).run().expect(1);
    let stopped = "SELECT reason FROM attempt WHERE status = 'terminated'";
    assert_eq!(torc.database().value(stopped), "too many jobs failed (signal 15)");
}

#[test]
fn a_timeout_ends_what_a_job_has_in_the_background() {
    let torc = torc();
    torc.args(["exec", "--timeout", "1", "-c", "sleep 60 & wait"]).run().expect(1);
    assert_eq!(rows(&torc), ["job1|terminated|152|timed out (signal 15)"]);
    torc.wait_for_silence();
}

#[test]
fn exec_goes_on_where_it_was_broken_off() {
    let torc = torc();
    let exec = |torc: &Torc| {
        torc.args(["exec", "--resume", "-n", "mine", "-c", "echo a >> ran", "-c", "test -e go"])
            .run()
    };
    exec(&torc).expect(1);
    torc.write("go", "");
    exec(&torc).expect(0);
    exec(&torc).expect(0);
    assert_eq!(torc.contents_of("ran"), "a\n");
}
