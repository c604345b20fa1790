//! Clients that do too much, or nothing, or do not read: the others do not notice.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use torc_protocol::codec::frame;
use torc_protocol::hello::Hello;
use torc_protocol::request::{ListJobs, Ping, Request};
use torc_tests::client::Client;
use torc_tests::daemon::Daemon;
use torc_tests::torc::Torc;

use crate::torc;

/// More connections than torcd serves at a time.
const TOO_MANY: usize = 1_100;
/// The most that torcd may ever have had in memory, in KiB. It may hold 256 MiB for clients that do
/// not read, and for those whose requests have no end.
const MEMORY: u64 = 512 * 1024;

/// Others who ask for something get it: pings on one connection, each on a new one, and a job.
fn others_are_served(torc: &Torc, daemon: &Daemon) {
    let mut client = Client::connect(daemon.socket()).unwrap();
    for _ in 0..200 {
        client.call(Ping).unwrap();
    }
    for _ in 0..50 {
        Client::connect(daemon.socket()).unwrap().call(Ping).unwrap();
    }
    let socket = daemon.socket().to_str().unwrap();
    torc.args(["exec", "--socket", socket, "-c", "true"]).run().expect(0);
    let most = most_memory(daemon);
    assert!(most < MEMORY, "torcd has had {most} KiB");
}

fn most_memory(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Lets this process have as many files as the connections need. Returns whether it may.
fn can_open_so_many() -> bool {
    let needed = 2 * TOO_MANY as u64;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let can = soft >= needed || setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard).is_ok();
    let can = can && hard >= needed;
    if !can {
        eprintln!("SKIPPED: this user can have only {hard} files open, {needed} are needed");
    }
    can
}

#[test]
fn more_idle_connections_than_there_are_seats_keep_nobody_out() {
    if !can_open_so_many() {
        return;
    }
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let mut idle: Vec<_> =
        (0..TOO_MANY).map(|_| Client::connect(daemon.socket()).unwrap()).collect();
    others_are_served(&torc, &daemon);
    assert!(idle[0].call(Ping).is_err(), "the one that was idle longest was not cut off");
    idle.last_mut().unwrap().call(Ping).unwrap();
    assert_eq!(daemon.end(), 0);
}

#[test]
fn more_silent_connections_than_there_are_seats_keep_nobody_out() {
    if !can_open_so_many() {
        return;
    }
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let mut idle = Client::connect(daemon.socket()).unwrap();
    idle.call(Ping).unwrap();
    let silent: Vec<_> =
        (0..TOO_MANY).map(|_| UnixStream::connect(daemon.socket()).unwrap()).collect();
    others_are_served(&torc, &daemon);
    idle.call(Ping).expect("those who have not said hello go first");
    drop(silent);
    assert_eq!(daemon.end(), 0);
}

/// Does something again and again on a thread, until it is dropped.
struct Flood {
    on: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    fn of(mut wave: impl FnMut() + Send + 'static) -> Self {
        let on = Arc::new(AtomicBool::new(true));
        let goes_on = on.clone();
        let thread = thread::spawn(move || {
            while goes_on.load(Ordering::Relaxed) {
                wave();
            }
        });
        Self { on, thread: Some(thread) }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.on.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn greeted(socket: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(&Hello::ours().encode()).unwrap();
    stream
}

#[test]
fn floods_of_requests_and_of_connections_hurt_nobody() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let socket = daemon.socket().to_owned();
    let opens = {
        let socket = socket.clone();
        Flood::of(move || {
            // It may be refused, when so many are waiting to be accepted.
            let _ = UnixStream::connect(&socket).map(|mut it| it.write_all(b"TORC"));
        })
    };
    let pings = frame(Request::from(Ping)).unwrap().repeat(10_000);
    let pipelines: Vec<_> = (0..8)
        .map(|_| {
            let (mut stream, pings) = (greeted(&socket), pings.clone());
            stream.set_nonblocking(true).unwrap();
            Flood::of(move || {
                if stream.write(&pings).is_err() {
                    thread::yield_now();
                }
            })
        })
        .collect();
    others_are_served(&torc, &daemon);
    drop((opens, pipelines));
    assert_eq!(daemon.end(), 0);
}

#[test]
fn clients_that_ask_for_large_lists_and_never_read_hurt_nobody() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let socket = daemon.socket().to_str().unwrap();
    let line = format!("true {}\n", "x".repeat(500));
    let commands = line.repeat(20_000);
    let submitted =
        torc.args(["exec", "--socket", socket, "--detach", "-C", "-"]).stdin(commands).run();
    submitted.expect(0);
    torc.args(["cancel", "--socket", socket]).run().expect(0);
    let stuck: Vec<_> = (0..64)
        .map(|_| {
            let mut client = Client::connect(daemon.socket()).unwrap();
            client.send(ListJobs::default()).unwrap();
            client
        })
        .collect();
    others_are_served(&torc, &daemon);
    // One who reads gets all of it, whatever the others do.
    let mut reads = Client::connect(daemon.socket()).unwrap();
    reads.send(ListJobs::default()).unwrap();
    let mut listed = 0;
    while let Some(jobs) = reads.part::<ListJobs>().unwrap() {
        listed += jobs.len();
    }
    assert!(listed > 0);
    drop(stuck);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn requests_without_an_end_take_only_so_much_memory() {
    /// So many times so much is more than torcd may have.
    const CLIENTS: usize = 48;
    const SENT: usize = 15 * 1024 * 1024;
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let mut half = ((SENT + 1) as u32).to_le_bytes().to_vec();
    half.resize(SENT, 0);
    let half = Arc::new(half);
    let senders: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (half, socket) = (half.clone(), PathBuf::from(daemon.socket()));
            thread::spawn(move || {
                let mut stream = greeted(&socket);
                let sent = stream.write_all(&half);
                sent.map(|()| stream)
            })
        })
        .collect();
    others_are_served(&torc, &daemon);
    let ended: Vec<_> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
    let cut = ended.iter().filter(|sent| sent.is_err()).count();
    assert!(cut > 0, "{CLIENTS} half requests of {SENT} bytes were all taken");
    let most = most_memory(&daemon);
    assert!(most < MEMORY, "torcd has had {most} KiB");
    assert_eq!(daemon.end(), 0);
}
