//! The exit codes of torcctl, all of them. Explained for users in `docs/exit-codes.md`.

/// All that was asked for is done, and where a snapshot was due it is durable.
pub const DONE: u8 = 0;
/// A job failed, was canceled or was terminated; or torcctl itself failed in a way that has no code
/// of its own.
pub const FAILED: u8 = 1;
/// The command line, a commands file or a workflow file is wrong. Nothing was started.
pub const USAGE: u8 = 2;
/// No daemon could be reached, or none could be started.
pub const NO_DAEMON: u8 = 3;
/// A wait timed out. What was waited for goes on.
pub const TIMED_OUT: u8 = 4;
/// The snapshot is not durable. Wins over [`FAILED`].
pub const NOT_DURABLE: u8 = 5;
/// What was named does not exist.
pub const NOT_FOUND: u8 = 6;
/// Refused: wrong state, conflict, or a database in use.
pub const REFUSED: u8 = 7;
/// Ended by SIGINT, after a durable final snapshot.
pub const INTERRUPTED: u8 = 130;
/// Ended by SIGTERM, after a durable final snapshot.
pub const TERMINATED: u8 = 143;
/// Ended by SIGHUP, after a durable final snapshot.
pub const HUNG_UP: u8 = 129;
