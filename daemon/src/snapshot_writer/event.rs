//! What the writer tells torcd, as frames without a hello: both are the same program.

use serde::{Deserialize, Serialize};
use torc_protocol::time::Span;
use torc_protocol::view::{SnapshotFailure, SnapshotPhase};

/// One message. The last one is [`WriterEvent::Done`] or [`WriterEvent::Failed`]; a writer that ends
/// without either was killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriterEvent {
    /// It has come to this step.
    Phase(SnapshotPhase),
    /// An older snapshot that should be gone could not be removed, and why. Harmless.
    LeftOver(String),
    /// The snapshot is on disk, synced and verified.
    Done(WriterReport),
    /// It is not, or not for certain: the one before it is where it was, unless it was the last sync
    /// that failed, with the new one at its place already.
    Failed(SnapshotFailure),
}

/// A snapshot that is on disk, as far as the writer knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterReport {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// How long each step took, in order.
    pub phases: Vec<(SnapshotPhase, Span)>,
}
