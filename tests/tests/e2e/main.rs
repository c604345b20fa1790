//! torc as users have it: the real binaries, in a home of its own for each test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at once")]

mod bad_input;
mod daemon;
mod examples;
mod exec;
mod exec_output;
mod exec_record;
mod filters;
mod floods;
mod frozen_disk;
mod full_disk;
mod lease;
mod limits;
mod memory_full;
mod other_programs;
mod other_uid;
mod quiet_disk;
mod read;
mod recover;
mod rerun;
mod run;
mod secrets;
mod signals;
mod snapshot;
mod snapshot_load;
mod snapshot_storm;
mod strangers;
mod torture;

use torc_tests::torc::{Binaries, Torc};

fn torc() -> Torc {
    Torc::new(Binaries {
        torcd: env!("CARGO_BIN_EXE_torcd-under-test"),
        torcctl: env!("CARGO_BIN_EXE_torcctl-under-test"),
    })
}

/// A command that says in the file `started` under which process id it runs, and then sleeps.
const SLEEPER: &str = "echo $$ > started.new; mv started.new started; exec sleep 300";

/// A command that says in the file `started` that it runs, and runs until the file `go` is there.
const UNTIL_GO: &str = "echo x > started.new; mv started.new started; \
                        while [ ! -e go ]; do sleep 0.02; done; echo out";
