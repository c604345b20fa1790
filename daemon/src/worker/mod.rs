//! The process that runs the jobs of one node.
//!
//! It speaks frames with torcd over its stdin and stdout, and is a process of its own so that jobs
//! are started from a small heap and die when torcd does. No event loop: the main thread polls, and
//! every running job has a thread that leads it from its start to its end in a straight line.
//!
//! ```text
//! inbox ──► run (main thread) ──► lane (queues) ──► slot (a thread each) ──► outbox
//!             │ deadlines: registry                   │ life ► stage ► spawn, memory, strays
//!             └ stops: attempt ◄──────────────────────┘ streams ► output ► tail
//! ```
//!
//! Invariants:
//! - A job is a process group of its own, with stdin from `/dev/null`, no inherited descriptor,
//!   default signals. When its leader ends, the rest of it is killed; nothing is left behind.
//! - A job costs what it has: environment, files, recovery, GPUs and a limit of memory cost nothing
//!   where they are not asked for, not even a thread.
//! - The worker ends by `Drain`, or when torcd or its guard is gone, and by no signal but SIGKILL;
//!   then the kernel kills the leaders, and the guard what they have started.

mod attempt;
mod command_line;
mod environment;
mod files;
mod frame;
mod guard;
mod inbox;
mod journal;
mod kernel;
mod lane;
mod life;
mod lock;
mod memory;
mod outbox;
mod output;
mod program;
mod registry;
mod resources;
mod run;
mod setup;
mod shared;
mod slot;
mod spawn;
mod stage;
mod strays;
mod streams;
mod tail;
mod wake;

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::SigSet;
use nix::unistd::{Pid, dup2_stdin, dup2_stdout};
use torc_protocol::worker::WorkerEvent;

use inbox::Inbox;
use shared::Shared;

/// Runs the worker, which speaks with torcd over descriptors 0 and 1, until torcd drains it or is
/// gone.
///
/// # Errors
///
/// The other side is not a torcd of this protocol, or sent something that is not a request, or the
/// kernel lacks what the worker needs (Linux 5.3).
pub fn run(journal: Option<&Path>) -> anyhow::Result<()> {
    SigSet::all().thread_block().context("blocking signals")?;
    kernel::reset_dispositions();
    let guard = guard::divide()?;
    let (input, output) = take_connection().context("taking over stdin and stdout")?;
    kernel::close_on_exec_from(3);
    prctl::set_child_subreaper(true).context("adopting orphans of jobs")?;
    prctl::set_name(c"torcd-worker").context("taking a name")?;
    kernel::pidfd_open(Pid::this())
        .context("this kernel cannot watch processes; torc needs Linux 5.3 or newer")?;
    let guard = kernel::pidfd_open(guard).context("watching the guard")?;
    inbox::greet(&input, &output)?;
    let shared = Arc::new(Shared {
        outbox: outbox::Outbox::new(output),
        lanes: lane::Lanes::default(),
        registry: registry::Registry::default(),
        journal: journal::Journal::create(journal).context("making the journal")?,
        strays: strays::Strays::new(),
        memory: memory::Memory::default(),
        wake: wake::Wake::new().context("making a pipe")?,
        null: OpenOptions::new().write(true).open("/dev/null").context("opening /dev/null")?,
        open_files: raise_open_files(),
        is_ending: AtomicBool::new(false),
    });
    guard::take_over().context("letting go of the guard")?;
    let ready = WorkerEvent::Ready { resources: resources::detect(), pid: std::process::id() };
    shared.outbox.send(ready);
    run::Main::new(shared, Inbox::new(input), guard).context("watching children")?.run()
}

/// Moves the connection away from where jobs have their stdio, and puts `/dev/null` and stderr
/// there. Nothing that a library may print reaches torcd.
fn take_connection() -> anyhow::Result<(File, File)> {
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let output = std::io::stdout().as_fd().try_clone_to_owned()?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(std::io::stderr())?;
    Ok((File::from(input), File::from(output)))
}

/// Raises the limit of open files as far as it may be, because each running job takes five. Returns
/// what it was, for the jobs, when that changed it.
fn raise_open_files() -> Option<libc::rlimit> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft >= hard {
        return None;
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok()?;
    Some(libc::rlimit { rlim_cur: soft, rlim_max: hard })
}
