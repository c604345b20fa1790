//! How a job is started, and what it finds.

use std::collections::BTreeMap;

use torc_protocol::result::Ending;
use torc_protocol::spec::{Command, JobSettings};
use torc_protocol::status::JobStatus;

use crate::harness::{LANE, WORKFLOW, Worker, text};

fn argv(words: &[&str]) -> Command {
    Command::Argv(words.iter().map(|word| (*word).to_owned()).collect())
}

#[test]
fn a_worker_says_what_its_node_has() {
    let worker = Worker::plain();
    assert!(worker.resources.cpus >= 1);
    assert!(worker.resources.memory > 0);
    assert!(!worker.resources.host.is_empty());
}

#[test]
fn exit_codes_and_signals_are_reported() {
    let mut worker = Worker::plain();
    assert_eq!(worker.run("true").status(), JobStatus::Completed);
    assert_eq!(worker.run("false").ending, Ending::Exited(1));
    assert_eq!(worker.run("exit 42").ending, Ending::Exited(42));
    assert_eq!(worker.run("kill -SEGV $$").ending, Ending::Signaled(11));
}

#[test]
fn times_and_memory_are_measured_for_the_shortest_job() {
    let mut worker = Worker::plain();
    let usage = worker.run("true").usage;
    assert!(usage.wall.0 > 0 && usage.peak_memory > 0);
    let usage = worker.run("for ((i = 0; i < 100000; i++)); do :; done").usage;
    assert!(usage.user_cpu.0 > 10_000, "{usage:?}");
    assert!(usage.wall >= usage.user_cpu);
}

#[test]
fn what_is_not_there_or_not_executable_is_told_as_a_shell_does() {
    let mut worker = Worker::plain();
    let result = worker.run("no-such-program --flag");
    assert_eq!(
        result.ending,
        Ending::NotStarted(127, "command not found: no-such-program".to_owned())
    );
    worker.start(1, argv(&["/no/such/program"]));
    assert_eq!(worker.finished(1).return_code(), 127);
    worker.start(1, argv(&["/etc/passwd"]));
    let Ending::NotStarted(126, reason) = worker.finished(1).ending else { panic!() };
    assert!(reason.contains("/etc/passwd"), "{reason}");
    assert_eq!(worker.run("no-such-program; true").ending, Ending::Exited(0));
}

#[test]
fn what_cannot_be_passed_to_a_program_is_refused_in_words() {
    let mut worker = Worker::plain();
    for command in [argv(&["echo", "a\0b"]), argv(&[]), argv(&[""]), Command::Line("a\0b".into())] {
        worker.start(1, command);
        let Ending::NotStarted(125, reason) = worker.finished(1).ending else { panic!() };
        assert!(reason.contains("NUL") || reason.contains("empty"), "{reason}");
    }
}

#[test]
fn a_working_directory_that_is_not_there_is_named() {
    let settings =
        JobSettings { working_dir: Some("nowhere".to_owned()), ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    let Ending::NotStarted(125, reason) = worker.run("true").ending else { panic!() };
    assert!(reason.contains(&format!("{}/nowhere", worker.path())), "{reason}");
}

#[test]
fn arguments_are_passed_as_they_stand() {
    let mut worker = Worker::plain();
    worker.start(1, argv(&["printf", "<%s>", "a b", "$HOME", "*", ""]));
    assert_eq!(text(&worker.finished(1).stdout), "<a b><$HOME><*><>");
    let result = worker.run("printf '<%s>' \"a b\" 'c;d'");
    assert_eq!(text(&result.stdout), "<a b><c;d>");
}

#[test]
fn a_line_without_syntax_runs_without_a_shell_and_others_in_bash() {
    let mut worker = Worker::plain();
    let direct = worker.run("cat /proc/self/cmdline");
    assert_eq!(text(&direct.stdout), "cat\0/proc/self/cmdline\0");
    let shell = worker.run("echo ${BASH_VERSION:+bash} $0");
    assert_eq!(text(&shell.stdout), "bash bash\n");
}

#[test]
fn a_script_without_a_first_line_is_run_by_sh() {
    let mut worker = Worker::plain();
    let script = worker.directory.path().join("script");
    std::fs::write(&script, "echo \"$1\"\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    assert_eq!(text(&worker.run("./script hello").stdout), "hello\n");
}

#[test]
fn functions_of_the_environment_are_run_by_bash() {
    let mut worker = Worker::plain();
    worker.set_environment(b"PATH=/usr/bin:/bin\0BASH_FUNC_module%%=() { echo \"loads $2\"; }\0");
    worker.lane(1, JobSettings::default());
    assert_eq!(text(&worker.run("module load gcc").stdout), "loads gcc\n");
}

#[test]
fn functions_of_the_start_file_of_bash_are_found() {
    let mut worker = Worker::plain();
    std::fs::write(worker.directory.path().join("init"), "module() { echo \"loads $2\"; }\n")
        .unwrap();
    worker.set_environment(b"PATH=/usr/bin:/bin\0BASH_ENV=./init\0");
    worker.lane(1, JobSettings::default());
    assert_eq!(text(&worker.run("module load gcc").stdout), "loads gcc\n");
    assert_eq!(worker.run("no-such-program").return_code(), 127);
}

#[test]
fn the_environment_is_that_of_the_workflow_with_additions() {
    let mut worker = Worker::plain();
    worker.set_environment(b"PATH=/usr/bin:/bin\0A=1\0B=2\0TORC_JOB_ID=old\0");
    let environment = vec![("B".to_owned(), "x=y".to_owned())];
    worker.lane(1, JobSettings { environment, ..JobSettings::default() });
    let output = text(&worker.run("env").stdout);
    let found: BTreeMap<_, _> = output.lines().filter_map(|line| line.split_once('=')).collect();
    let path = worker.path();
    let workflow = WORKFLOW.to_string();
    let wanted = BTreeMap::from([
        ("PATH", "/usr/bin:/bin"),
        ("A", "1"),
        ("B", "x=y"),
        ("TORC_WORKFLOW_ID", &workflow),
        ("TORC_JOB_ID", "1"),
        ("TORC_JOB_NAME", "job1"),
        ("TORC_ATTEMPT", "1"),
        ("TORC_ATTEMPT_ID", "1"),
        ("TORC_OUTPUT_DIR", &path),
        ("TORC_SOCKET", "/sock"),
    ]);
    assert_eq!(found, wanted);
    assert_eq!(text(&worker.run("/bin/pwd").stdout).trim_end(), path);
}

#[test]
fn a_job_inherits_nothing_but_stdio() {
    let mut worker = Worker::plain();
    assert_eq!(text(&worker.run("readlink /proc/self/fd/0").stdout), "/dev/null\n");
    // The fourth is the directory that ls itself has open.
    assert_eq!(text(&worker.run("ls /proc/self/fd").stdout), "0\n1\n2\n3\n");
    let status = text(&worker.run("cat /proc/self/status").stdout);
    for field in ["SigBlk:", "SigIgn:", "SigCgt:", "SigPnd:", "ShdPnd:"] {
        let value = status.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim();
        assert_eq!(value, "0000000000000000", "{field}");
    }
}

#[test]
fn a_job_keeps_the_limit_of_open_files() {
    let own = std::process::Command::new("bash").args(["-c", "ulimit -Sn"]).output().unwrap();
    let mut worker = Worker::plain();
    assert_eq!(text(&worker.run("ulimit -Sn").stdout).as_bytes(), own.stdout);
}

#[test]
fn a_job_leads_a_process_group_of_its_own() {
    let mut worker = Worker::plain();
    let output = text(&worker.run("echo $$ $(ps -o pgid= -p $$)").stdout);
    let (process, group) = output.trim().split_once(' ').unwrap();
    assert_eq!(process, group.trim());
    assert_eq!(process, worker.started(1).to_string());
}

#[test]
fn a_lane_that_was_never_opened_is_an_error_of_its_jobs() {
    let mut worker = Worker::plain();
    let job = crate::harness::start_job(1, Command::Line("true".to_owned()));
    worker.send(torc_protocol::worker::WorkerRequest::Start { lane: LANE + 1, jobs: vec![job] });
    assert_eq!(worker.finished(1).return_code(), 125);
}
