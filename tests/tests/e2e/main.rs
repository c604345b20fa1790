//! torc as users have it: the real binaries, in a home of its own for each test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at once")]

mod api;
mod bad_input;
mod completion;
mod config;
mod daemon;
mod daemon_logs;
mod daemonize;
mod endurance;
mod examples;
mod exec;
mod exec_output;
mod exec_record;
mod exit_codes;
mod filters;
mod floods;
mod frozen_disk;
mod full_disk;
mod help;
mod json_shapes;
mod lease;
mod limits;
mod memory_full;
mod other_programs;
mod other_uid;
mod python;
mod quiet_disk;
mod read;
mod recipes;
mod recover;
mod rerun;
mod run;
mod schema;
mod secrets;
mod service;
mod signals;
mod snapshot;
mod snapshot_load;
mod snapshot_storm;
mod strangers;
mod supervised;
mod systemd;
mod torture;
mod tutorial;
mod upgrade;

use std::{env, iter};

use torc_tests::running::Call;
use torc_tests::torc::{Binaries, Torc};

fn torc() -> Torc {
    Torc::new(Binaries {
        torcd: env!("CARGO_BIN_EXE_torcd-under-test"),
        torcctl: env!("CARGO_BIN_EXE_torcctl-under-test"),
    })
}

/// Has a script find torcctl and torcd by their names.
fn with_torc_in_path(call: Call, torc: &Torc) -> Call {
    let dir = torc.torcctl_path().parent().unwrap().to_owned();
    let others = env::var_os("PATH").unwrap_or_default();
    let dirs = iter::once(dir).chain(env::split_paths(&others));
    call.env("PATH", env::join_paths(dirs).unwrap())
}

/// A command that says in the file `started` under which process id it runs, and then sleeps.
const SLEEPER: &str = "echo $$ > started.new; mv started.new started; exec sleep 300";

/// A command that says in the file `started` that it runs, and runs until the file `go` is there.
const UNTIL_GO: &str = "echo x > started.new; mv started.new started; \
                        while [ ! -e go ]; do sleep 0.02; done; echo out";
