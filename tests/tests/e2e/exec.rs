//! `torcctl exec`: what runs, how often, in which order, as what.

use std::fs;

use crate::torc;

#[test]
fn jobs_that_complete_give_code_0_and_a_full_record() {
    let torc = torc();
    torc.args(["exec", "--name", "both", "-c", "echo hello", "-c", "true"]).run().expect(0);
    let database = torc.database();
    database.expect_sound();
    let workflows =
        database.rows("SELECT id, name, status, total, completed, failed FROM workflow");
    assert_eq!(workflows, ["1|both|completed|2|2|0"]);
    let jobs = database.rows("SELECT id, name, command, status, attempts, return_code FROM job");
    assert_eq!(jobs, ["1|job1|echo hello|completed|1|0", "2|job2|true|completed|1|0"]);
    let attempts = database.rows("SELECT job_id, number, status, return_code, reason FROM attempt");
    assert_eq!(attempts, ["1|1|completed|0|", "2|1|completed|0|"]);
    let measured = "SELECT count(*) FROM attempt WHERE wall_us > 0 AND peak_memory > 0
         AND finished_at >= started_at AND pid > 0";
    assert_eq!(database.value(measured), "2");
    let outputs = database.rows("SELECT job_id, attempt, stream, bytes, path FROM output");
    assert_eq!(outputs, ["1|1|stdout|6|-"]);
    assert_eq!(database.output("job1", "stdout"), b"hello\n");
}

#[test]
fn a_failed_job_gives_code_1_and_the_others_run_all_the_same() {
    let torc = torc();
    let outcome = torc.args(["exec", "-c", "false", "-c", "echo ok"]).run().expect(1);
    outcome.says("1 failed").says("job1");
    let jobs = torc.database().rows("SELECT name, status, return_code FROM job");
    assert_eq!(jobs, ["job1|failed|1", "job2|completed|0"]);
    assert_eq!(torc.database().value("SELECT status FROM workflow"), "failed");
}

#[test]
fn the_end_of_what_a_failed_job_said_is_in_the_report() {
    let torc = torc();
    let outcome = torc.args(["exec", "-c", "echo no such molecule >&2; exit 4"]).run().expect(1);
    outcome.says("exit code 4").says("no such molecule");
}

#[test]
fn what_stands_after_the_dashes_runs_as_it_stands_and_its_output_is_shown() {
    let torc = torc();
    let outcome = torc.args(["exec", "--", "printf", "%s|", "a b", "$HOME", "*"]).run().expect(0);
    assert_eq!(outcome.stdout, "a b|$HOME|*|");
    let argv = torc.database().value("SELECT argv FROM job");
    assert_eq!(argv, r#"["printf","%s|","a b","$HOME","*"]"#);
}

#[test]
fn the_exit_code_of_a_job_is_recorded_as_it_was() {
    let torc = torc();
    torc.args(["exec", "--", "sh", "-c", "exit 3"]).run().expect(1);
    assert_eq!(torc.database().rows("SELECT status, return_code FROM job"), ["failed|3"]);
}

#[test]
fn a_signal_that_was_not_ours_is_a_failure_with_its_code() {
    let torc = torc();
    torc.args(["exec", "-c", "kill -9 $$"]).run().expect(1);
    let attempts = torc.database().rows("SELECT status, return_code, reason FROM attempt");
    assert_eq!(attempts, ["failed|137|signal 9"]);
}

#[test]
fn a_command_that_cannot_be_started_has_the_code_of_a_shell() {
    let torc = torc();
    torc.write("plain.txt", "not a program");
    let outcome = torc
        .args(["exec", "-c", "torc-has-no-such-command x", "-c", "./plain.txt", "-c", "true"])
        .run()
        .expect(1);
    outcome.says("torc-has-no-such-command");
    let jobs = torc.database().rows("SELECT status, return_code FROM job ORDER BY id");
    assert_eq!(jobs, ["failed|127", "failed|126", "completed|0"]);
}

#[test]
fn a_commands_file_has_a_command_a_line_without_blanks_and_comments() {
    let torc = torc();
    torc.write("commands.txt", "# first\necho one\n\n   \n#echo no\necho two # three\necho four");
    torc.args(["exec", "-c", "echo zero", "-C", "commands.txt"]).run().expect(0);
    let jobs = torc.database().rows("SELECT name, command FROM job ORDER BY id");
    let expected = ["job1|echo zero", "job2|echo one", "job3|echo two # three", "job4|echo four"];
    assert_eq!(jobs, expected);
    assert_eq!(torc.database().output("job3", "stdout"), b"two\n");
}

#[test]
fn commands_come_from_a_pipe_too() {
    let torc = torc();
    let commands: String = (0..500).map(|number| format!("echo {number}\n")).collect();
    torc.args(["exec", "-C", "-"]).stdin(commands).run().expect(0);
    let database = torc.database();
    assert_eq!(database.value("SELECT completed FROM workflow"), "500");
    assert_eq!(database.output("job500", "stdout"), b"499\n");
}

#[test]
fn parameters_expand_in_a_fixed_order_the_first_slowest() {
    let torc = torc();
    torc.write("values.txt", "p\nq\n");
    torc.args(["exec", "--param", "n=9:10", "--param", "v=@values.txt"])
        .args(["-c", "echo {n:03d}{v}", "-c", "echo {v} {{n}}"])
        .run()
        .expect(0);
    let commands = torc.database().rows("SELECT name, command FROM job ORDER BY id");
    assert_eq!(
        commands,
        [
            "job1|echo 009p",
            "job2|echo 009q",
            "job3|echo 010p",
            "job4|echo 010q",
            "job5|echo p {n}",
            "job6|echo q {n}",
            "job7|echo p {n}",
            "job8|echo q {n}",
        ]
    );
}

#[test]
fn zipped_parameters_go_side_by_side() {
    let torc = torc();
    torc.args(["exec", "--link", "zip", "--param", "a=1:2", "--param", "b=[x,\"y,z\"]"])
        .args(["-c", "echo {a} {b}"])
        .run()
        .expect(0);
    let commands = torc.database().rows("SELECT command FROM job ORDER BY id");
    assert_eq!(commands, ["echo 1 x", "echo 2 y,z"]);
}

#[test]
fn a_failed_job_is_tried_again_as_often_as_it_was_asked_for() {
    let torc = torc();
    torc.args(["exec", "--retries", "2", "-c", "false"]).run().expect(1);
    let attempts = torc.database().rows("SELECT number, status FROM attempt");
    assert_eq!(attempts, ["1|failed", "2|failed", "3|failed"]);
}

#[test]
fn a_retry_that_completes_makes_the_job_complete() {
    let torc = torc();
    let command = "test \"$TORC_ATTEMPT\" = 2 || exit 9";
    torc.args(["exec", "--retries", "5", "--retry-delay", "0.05", "-c", command]).run().expect(0);
    let attempts = torc.database().rows("SELECT number, status, return_code FROM attempt");
    assert_eq!(attempts, ["1|failed|9", "2|completed|0"]);
    assert_eq!(torc.database().value("SELECT status || attempts FROM job"), "completed2");
}

#[test]
fn a_job_over_its_time_limit_is_terminated_with_code_152() {
    let torc = torc();
    torc.args(["exec", "--timeout", "0.3", "-c", "sleep 300", "-c", "true"]).run().expect(1);
    let attempts =
        torc.database().rows("SELECT status, return_code, reason FROM attempt ORDER BY job_id");
    assert_eq!(attempts, ["terminated|152|timed out (signal 15)", "completed|0|"]);
}

#[test]
fn at_most_so_many_jobs_run_at_a_time() {
    let torc = torc();
    let command = "mkdir running || exit 1; echo {i} >> order; rmdir running";
    torc.args(["exec", "-j", "1", "--param", "i=1:20", "-c", command]).run().expect(0);
    let order = fs::read_to_string(torc.path("order")).unwrap();
    assert_eq!(
        order.lines().collect::<Vec<_>>(),
        (1..=20).map(|i| i.to_string()).collect::<Vec<_>>()
    );
}

#[test]
fn a_job_has_our_environment_and_knows_who_it_is() {
    let torc = torc();
    fs::create_dir(torc.path("sub")).unwrap();
    // Which file of settings the tests see is ours.
    let command =
        "pwd; echo $COLOUR; echo $SHAPE; unset TORC_SYSTEM_CONFIG; env | grep ^TORC_ | sort; cat";
    torc.args(["exec", "-c", command, "--env", "SHAPE=round", "--chdir", "sub", "-o", "out"])
        .env("COLOUR", "blue")
        .stdin("nobody reads this")
        .run()
        .expect(0);
    let work = torc.work();
    let output = torc.database().output("job1", "stdout");
    let output = String::from_utf8(output).unwrap();
    let socket = output.lines().find(|line| line.starts_with("TORC_SOCKET=")).unwrap();
    assert!(socket.contains(torc.runtime().to_str().unwrap()), "{socket}");
    let expected = format!(
        "{work}/sub\nblue\nround\nTORC_ATTEMPT=1\nTORC_ATTEMPT_ID=1\nTORC_JOB_ID=1\nTORC_JOB_NAME=job1\n\
         TORC_OUTPUT_DIR={work}/out\n{socket}\nTORC_WORKFLOW_ID=1\n",
        work = work.display()
    );
    assert_eq!(output, expected);
}

#[test]
fn a_dry_run_shows_the_workflow_and_touches_nothing() {
    let torc = torc();
    let outcome =
        torc.args(["exec", "--dry-run", "--param", "i=1:2", "-c", "echo {i}"]).run().expect(0);
    assert!(outcome.stdout.contains("echo 2"), "{outcome}");
    assert!(outcome.json().is_object(), "{outcome}");
    assert_eq!(fs::read_dir(torc.work()).unwrap().count(), 0);
    assert_eq!(torc.sockets(), [""; 0]);
}
