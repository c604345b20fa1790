//! What users get wrong: each time an error that names it, a hint, the exit code, and nothing run.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;

use torc_tests::torc::names_in;

use crate::torc;

#[test]
fn a_command_line_that_cannot_be_meant_gives_code_2() {
    let torc = torc();
    torc.write("flow.yaml", "jobs: []");
    torc.write("list.txt", "true\n");
    for (args, what) in [
        (&["exec", "--no-such-flag", "-c", "true"][..], "--no-such-flag"),
        (&["exec"], "nothing to run"),
        (&["exec", "-j", "2"], "nothing to run"),
        (&["exec", "-j", "0", "-c", "true"], "-j"),
        (&["exec", "gzip", "-k", "a"], "-k"),
        (&["exec", "gzip", "a b"], "torcctl exec -- gzip 'a b'"),
        (&["exec", "flow.yaml"], "torcctl run flow.yaml"),
        (&["exec", "list.txt"], "torcctl exec -C list.txt"),
        (&["exec", "-c", "echo", "hello"], "-c 'echo hello'"),
        (&["exec", "-c", "true", "--", "true"], "cannot be used together"),
        (
            &["exec", "--snapshot-interval-seconds", "never", "-c", "true"],
            "snapshot-interval-seconds",
        ),
        (&["exec", "--timeout", "soon", "-c", "true"], "soon"),
        (&["exec", "--env", "no-value", "-c", "true"], "no-value"),
        (&["exec", "--chdir", "nowhere", "-c", "true"], "nowhere"),
        (&["exec", "-c", ""], "empty"),
        (&["snapshot", "--wait=soon"], "soon"),
        (&["no-such-command"], "no-such-command"),
    ] {
        torc.args(args).run().expect_refusal(2, what);
    }
    assert_eq!(names_in(&torc.work()), ["flow.yaml", "list.txt"]);
}

#[test]
fn a_commands_file_that_cannot_be_used_gives_code_2() {
    let torc = torc();
    torc.write("nul.txt", b"echo a\necho b\0c\n");
    torc.write("latin1.txt", b"echo caf\xe9\n");
    torc.write("empty.txt", "# nothing\n\n");
    fs::create_dir(torc.path("dir")).unwrap();
    for (file, what) in [
        ("missing.txt", "missing.txt"),
        ("dir", "dir"),
        ("nul.txt", "line 2"),
        ("latin1.txt", "UTF-8"),
        ("empty.txt", "empty.txt"),
    ] {
        torc.args(["exec", "-C", file]).run().expect_refusal(2, what);
    }
    torc.args(["exec", "-C", "-"]).stdin(b"echo a\0b\n").run().expect_refusal(2, "NUL");
    assert!(!torc.path("torc_output").exists());
}

#[test]
fn an_argument_that_is_not_utf8_gives_code_2() {
    let torc = torc();
    let argument = OsString::from_vec(b"echo \xff".to_vec());
    let call = torc.torcctl().args([OsString::from("exec"), "-c".into(), argument.clone()]);
    call.run().expect_refusal(2, "UTF-8");
    let call = torc.torcctl().args([OsString::from("exec"), "--".into(), "echo".into(), argument]);
    call.run().expect_refusal(2, "UTF-8");
}

#[test]
fn a_parameter_that_cannot_be_expanded_gives_code_2() {
    let torc = torc();
    let zip = ["--link", "zip", "--param", "a=1:3", "--param", "b=[x,y]"];
    for (args, what) in [
        (&["--param", "i=@missing.txt"][..], "missing.txt"),
        (&["--param", "i"], "'i'"),
        (&["--param", "i=1:3", "--param", "i=4:5"], "i"),
        (&zip, "a"),
        (&["--param", "i=[a,b]"], "{i:03d}"),
    ] {
        torc.args(["exec", "-c", "echo {i:03d} {a} {b}"])
            .args(args.iter().copied())
            .run()
            .expect_refusal(2, what);
    }
    let unequal = torc.args(["exec", "-c", "echo {a}{b}"]).args(zip).run().expect_refusal(2, "b");
    assert!(unequal.stderr.contains('3') && unequal.stderr.contains('2'), "{unequal}");
    assert!(!torc.path("torc_output").exists());
}

#[test]
fn a_parameter_that_only_looks_like_a_range_is_taken_as_it_stands() {
    let torc = torc();
    let url = "u=http://host:80/x";
    let outcome = torc
        .args(["exec", "--param", url, "--param", "t=12:30h", "--", "echo", "{u} {t} {z}"])
        .run();
    let outcome = outcome.expect(0).says("{z}");
    assert_eq!(outcome.stdout, "http://host:80/x 12:30h {z}\n");
}

#[test]
fn a_directory_that_cannot_be_made_gives_code_2_before_anything_runs() {
    let torc = torc();
    torc.write("file", "");
    let refused = torc.args(["exec", "-o", "file/out", "-c", "touch ran"]).run();
    refused.expect_refusal(2, "file/out");
    let refused = torc.args(["exec", "--db", "file/torc.db", "-c", "touch ran"]).run();
    assert!([2, 5].contains(&refused.status.code().unwrap()), "{refused}");
    assert!(refused.stderr.contains("file/torc.db"), "{refused}");
    assert!(!torc.path("ran").exists());
}

#[test]
fn a_socket_path_that_is_too_long_gives_code_2_and_the_limit() {
    let torc = torc();
    let long = torc.root().join("x".repeat(120)).display().to_string();
    torc.args(["status", "--socket", &long]).run().expect_refusal(2, "107");
    torc.args(["status"]).env("TORC_SOCKET", &long).run().expect_refusal(2, "107");
    torc.torcd(["--in-memory", "--socket", &long]).run().expect_refusal(2, "107");
    let limit = torc.root().join("y".repeat(107 - torc.root().as_os_str().len() - 1));
    assert_eq!(limit.as_os_str().len(), 107);
    let daemon = torc.daemon(["--in-memory", "--socket", limit.to_str().unwrap()]);
    torc.args(["status", "--socket", limit.to_str().unwrap()]).run().expect(0);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_torcd_that_cannot_be_found_or_executed_gives_code_3() {
    let torc = torc();
    let plain = torc.write("plain", "no program");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o755)).unwrap();
    torc.args(["exec", "--torcd-bin", "missing", "-c", "true"]).run().expect_refusal(3, "missing");
    let call = torc.args(["exec", "-c", "true"]).env("TORCD_BIN", plain.as_os_str());
    call.run().expect_refusal(3, "plain");
    let call = torc.args(["exec", "--torcd-bin", "/bin/true", "-c", "true"]);
    call.run().expect_refusal(3, "/bin/true");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let torc = torc();
    torc.args(["exec", "--param", "i=1:2000", "-c", "true"]).run().expect(0);
    let torcctl = torc.torcctl_path();
    let script = format!(
        "'{}' results list --format csv | head -n 1; echo ${{PIPESTATUS[0]}}",
        torcctl.display()
    );
    let outcome = torc.program("bash".as_ref()).args(["-c", &script]).run().expect(0);
    assert_eq!(outcome.stderr, "");
    assert_eq!(outcome.stdout.lines().last(), Some("0"), "{outcome}");
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_not_the_end_of_torcd() {
    let torc = torc();
    let command = format!("ulimit -f 10; exec '{}' exec -c true", torc.torcctl_path().display());
    let outcome = torc.program("bash".as_ref()).args(["-c", &command]).run();
    let code = outcome.status.code();
    assert!(code.is_some_and(|code| code != 0), "{outcome}");
    assert!(outcome.stderr.contains("error: ") && outcome.stderr.contains("hint: "), "{outcome}");
    torc.wait_for_silence();
}
