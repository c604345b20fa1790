//! torc as users have it: the real binaries, in a home of its own for each test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at once")]

mod bad_input;
mod daemon;
mod examples;
mod exec;
mod exec_output;
mod exec_record;
mod filters;
mod lease;
mod limits;
mod other_programs;
mod quiet_disk;
mod read;
mod rerun;
mod run;
mod signals;
mod snapshot;
mod snapshot_load;
mod strangers;

use torc_tests::torc::{Binaries, Torc};

fn torc() -> Torc {
    Torc::new(Binaries {
        torcd: env!("CARGO_BIN_EXE_torcd-under-test"),
        torcctl: env!("CARGO_BIN_EXE_torcctl-under-test"),
    })
}

/// A command that says in the file `started` under which process id it runs, and then sleeps.
const SLEEPER: &str = "echo $$ > started.new; mv started.new started; exec sleep 300";
