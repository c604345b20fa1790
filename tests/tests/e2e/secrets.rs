//! What commands, scripts and environments hold is in no log, and in the arguments of no process but
//! of the job itself.

use torc_tests::torc::Torc;
use torc_tests::wait::wait_until;

use crate::torc;

/// What must not be seen. It is no part of anything else.
const SECRET: &str = "xyzzy-7Q";

/// A workflow that has the secret wherever there is room for one.
fn write_workflow(torc: &Torc) {
    torc.write(
        "w.yaml",
        format!(
            "
name: w
user_data: [{{name: config, data: {{token: {SECRET}}}}}]
failure_handlers:
  - name: mend
    rules: [{{exit_codes: [10], max_retries: 1, recovery_script: 'echo {SECRET} > mended'}}]
actions:
  - {{trigger_type: on_workflow_start, action_type: run_commands, commands: ['echo {SECRET}']}}
jobs:
  - name: scripted
    command: echo {SECRET}
    invocation_script: env TOKEN={SECRET}
    env: {{TOKEN: {SECRET}}}
    input_user_data: [config]
  - name: mended
    command: 'test -e mended || exit 10 # {SECRET}'
    failure_handler: mend
  - {{name: broken, command: 'exit 3 # {SECRET}'}}
  - {{name: missing, command: no-such-program {SECRET}}}
"
        ),
    );
}

/// Says everything that torcctl can say of them, to a torcd that logs all it can.
fn talk(torc: &Torc, socket: &str) {
    let call = |args: &[&str]| {
        torc.args(args.iter().copied().chain(["--socket", socket])).env("TOKEN", SECRET)
    };
    let lines = format!("echo {SECRET}\nTOKEN={SECRET} sh -c 'exit 0'\n");
    call(&["exec", "-C", "-"]).stdin(lines).run().expect(0);
    let argument = format!("echo {SECRET}");
    call(&["exec", "-c", &argument]).run().expect(0);
    call(&["run", "w.yaml"]).run().expect(1);
    call(&["retry"]).run().expect(1);
    for args in [
        &["jobs", "list", "--format", "json"][..],
        &["jobs", "get", "broken"],
        &["results", "list"],
        &["user-data", "list"],
        &["explain", "broken"],
        &["logs", "scripted"],
        &["status"],
        &["snapshot", "--wait"],
    ] {
        let outcome = call(args).run();
        assert!(outcome.status.code().is_some_and(|code| code <= 1), "{outcome}");
    }
}

#[test]
fn a_torcd_that_logs_all_it_can_logs_no_secret() {
    let torc = torc();
    write_workflow(&torc);
    let mut daemon = torc.daemon(["--in-memory", "--log", "trace"]);
    talk(&torc, &daemon.socket().display().to_string());
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(daemon.exit_code(), 0);
    let said = [daemon.lines_so_far().join("\n"), daemon.log()].concat();
    assert!(!said.is_empty(), "it has said nothing at all, so this shows nothing");
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn a_command_shows_in_the_arguments_of_its_own_process_only() {
    let torc = torc();
    let line = format!("echo {SECRET} > started.new; mv started.new started; sleep 300; true\n");
    let running = torc.args(["exec", "-C", "-"]).env("TOKEN", SECRET).stdin(line).start();
    torc.contents_of("started");
    let all = torc.processes();
    let showing: Vec<_> = all.iter().filter(|it| it.command.contains(SECRET)).collect();
    assert_eq!(showing.len(), 1, "{all:?}");
    assert!(showing[0].command.starts_with("bash -c"), "{showing:?}");
    let torcd = all.iter().filter(|it| it.command.contains("torcd")).count();
    assert!(torcd >= 2, "torcd and its worker are not among {all:?}");
    running.signal(nix::sys::signal::Signal::SIGTERM);
    wait_until("the job has ended", || torc.processes().len() <= 2);
    running.wait().expect(143);
}
