//! Who else may come to the socket: each is refused, torcd lives on, and no job is lost.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::unistd::Uid;
use torc_protocol::hello::{Hello, PROTOCOL_VERSION};
use torc_tests::torc::names_in;
use torc_tests::wait::{LIMIT, wait_until};

use crate::{SLEEPER, torc};

/// The user that nobody is.
const NOBODY: u32 = 65_534;

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Sends bytes, and returns what comes back until the other side closes. It may do so while there
/// is still something to send.
fn answer_to(socket: &Path, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(socket);
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return answer,
            Ok(length) => answer.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return answer,
            Err(error) => panic!("torcd does not close the connection: {error}"),
        }
    }
}

#[test]
fn strangers_are_cut_off_and_torcd_lives_on() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    torc.args(["exec", "--detach", "-c", SLEEPER]).run().expect(0);
    torc.contents_of("started");
    let socket = daemon.socket();
    let with = |rest: &[u8]| [Hello::ours().encode().as_slice(), rest].concat();
    let other = Hello { protocol: PROTOCOL_VERSION + 1, version: "9.9.9".to_owned() };
    for (what, bytes) in [
        ("a frame of 2^32-1 bytes", with(&[0xff; 4])),
        ("a frame of 16 MiB and a byte", with(&(16 * 1024 * 1024 + 1_u32).to_le_bytes())),
        ("a frame that holds no message", with(&[3, 0, 0, 0, 0xff, 0xff, 0xff])),
        ("a request with bytes left over", with(&[2, 0, 0, 0, 0, 0])),
        ("garbage in place of a hello", b"GET / HTTP/1.1\r\nHost: torc\r\n\r\n".to_vec()),
        ("another protocol", other.encode()),
    ] {
        let answer = answer_to(socket, &bytes);
        assert!(answer.starts_with(b"TORCwire"), "{what}: it was not greeted: {answer:?}");
        torc.args(["status"]).run().expect(0);
    }
    let jobs = torc.args(["jobs", "list", "--format", "json"]).run().expect(0).json();
    assert_eq!(jobs[0]["status"], "running");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn clients_that_say_nothing_or_half_of_it_keep_nobody_waiting() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let silent: Vec<_> = (0..20).map(|_| connect(daemon.socket())).collect();
    let mut half = connect(daemon.socket());
    half.write_all(&Hello::ours().encode()[..9]).unwrap();
    let mut gone = connect(daemon.socket());
    gone.write_all(&Hello::ours().encode()[..12]).unwrap();
    gone.shutdown(Shutdown::Both).unwrap();
    torc.args(["exec", "-c", "true"]).run().expect(0);
    let mut rest = Vec::new();
    half.read_to_end(&mut rest).unwrap();
    assert!(rest.starts_with(b"TORCwire"), "half a hello is given up, not waited for");
    assert_eq!(daemon.end(), 0);
    drop(silent);
}

#[test]
fn a_submission_that_breaks_off_is_never_seen() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let commands: String = (0..20_000).map(|number| format!("touch ran{number}\n")).collect();
    let torcctl = torc.args(["exec", "--detach", "-C", "-"]).stdin(commands).start();
    torcctl.signal(nix::sys::signal::Signal::SIGKILL);
    drop(torcctl.wait());
    let workflows = torc.args(["workflows", "list", "--format", "json"]).run().expect(0).json();
    let workflows = workflows.as_array().unwrap();
    assert!(workflows.is_empty() || workflows[0]["jobs"]["total"] == 20_000, "{workflows:?}");
    torc.args(["exec", "-c", "true"]).run().expect(0);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn another_user_gets_nothing_from_the_socket() {
    if !Uid::effective().is_root() {
        eprintln!("SKIPPED: only root can start a client of another user");
        return;
    }
    let torc = torc();
    let knock = torc.root().join("knock");
    fs::copy(env!("CARGO_BIN_EXE_knock"), &knock).unwrap();
    let daemon = torc.daemon(["--in-memory"]);
    let hello = Hello::ours().encode();
    let as_nobody = || torc.program(&knock).args([daemon.socket()]).stdin(hello.clone());
    // The directories let nobody in, so that the socket is not even found.
    let dirs = [torc.root().to_owned(), torc.work(), torc.runtime(), torc.runtime().join("torc")];
    fs::set_permissions(&dirs[0], fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(&dirs[1], fs::Permissions::from_mode(0o711)).unwrap();
    let outcome = as_nobody().user(NOBODY).run();
    assert!(outcome.stdout.contains("denied"), "{outcome}");
    // Even with all doors open, torcd looks who comes.
    for dir in &dirs {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).unwrap();
    }
    fs::set_permissions(daemon.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    let outcome = as_nobody().user(NOBODY).run();
    let is_cut = outcome.stdout == "0 bytes\n" || outcome.stdout.contains("reset");
    assert!(is_cut, "another user was answered: {outcome}");
    torc.args(["status", "--socket", daemon.socket().to_str().unwrap()]).run().expect(0);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_runtime_directory_that_is_not_ours_alone_is_not_used() {
    let torc = torc();
    let foreign = torc.root().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o777)).unwrap();
    let check = |what: &str| {
        let call = torc.args(["daemon", "socket-path"]).env("XDG_RUNTIME_DIR", foreign.as_os_str());
        let path = call.run().expect(0);
        assert!(!path.stdout.contains("foreign"), "{what}: {path}");
        let call = torc.args(["exec", "-c", "true"]).env("XDG_RUNTIME_DIR", foreign.as_os_str());
        call.run().expect(0);
        assert_eq!(names_in(&foreign), [""; 0], "{what}");
    };
    check("open to all");
    if Uid::effective().is_root() {
        chown(&foreign, Some(NOBODY), Some(NOBODY)).unwrap();
        fs::set_permissions(&foreign, fs::Permissions::from_mode(0o700)).unwrap();
        check("of another user");
    } else {
        eprintln!("SKIPPED: only root can give a directory to another user");
    }
}

#[test]
fn many_clients_at_a_time_are_all_served() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let calls: Vec<_> =
        (0..30).map(|_| torc.args(["exec", "--detach", "-c", "true"]).start()).collect();
    for call in calls {
        call.wait().expect(0);
    }
    wait_until("all have completed", || {
        let list = torc.args(["workflows", "list", "--status", "completed", "--format", "json"]);
        list.run().expect(0).json().as_array().unwrap().len() == 30
    });
    assert_eq!(daemon.end(), 0);
}
