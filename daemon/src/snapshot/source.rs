//! How a database gets out of memory, or to rest on disk: the step before the writer.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;
use torc_protocol::id::Generation;
use torc_protocol::time::Span;
use torc_protocol::view::{SnapshotFailure, SnapshotPhase};

use crate::dispatcher::input::{DispatcherHandle, Input};
use crate::snapshot_writer::event::WriterReport;
use crate::store::image::{Checkpointer, ImageError};
use crate::store::residence::Residence;
use crate::store::shadow::Shadow;
use crate::sys::process::give_way;

/// How a database is copied.
#[derive(Clone, Debug)]
pub enum Source {
    /// As can be done where it lives at the time.
    Resident(Resident),
    /// Not at all: it is on disk, and is its own snapshot.
    InPlace(Arc<Mutex<Checkpointer>>),
}

/// A database that others than its owner may not be able to read.
#[derive(Clone, Debug)]
pub struct Resident {
    residence: Residence,
    /// The last copy that its owner made, which the next goes over.
    last: Arc<Mutex<Option<Shadow>>>,
}

impl Source {
    /// Copies what lives in `residence`.
    #[must_use]
    pub fn resident(residence: Residence) -> Self {
        Self::Resident(Resident { residence, last: Arc::default() })
    }

    /// Returns a copy as an open file without a name.
    ///
    /// # Errors
    ///
    /// When SQLite fails, or there is no room for it.
    pub(super) async fn copy(
        &self,
        owner: &DispatcherHandle,
        generation: Generation,
    ) -> Result<File, ImageError> {
        let name = format!("snapshot-{generation}.db");
        match self {
            Self::Resident(Resident { residence, last }) => match residence.copier() {
                Some(copier) => giving_way(move || lock(&copier).copy(&name)).await,
                None => copy_by_owner(owner, last.clone(), name).await,
            },
            Self::InPlace(checkpointer) => {
                let checkpointer = checkpointer.clone();
                giving_way(move || lock(&checkpointer).copy(&name)).await
            }
        }
    }
}

/// Returns a copy that the owner has made. It leaves the process from another thread.
async fn copy_by_owner(
    owner: &DispatcherHandle,
    last: Arc<Mutex<Option<Shadow>>>,
    name: String,
) -> Result<File, ImageError> {
    let into = lock(&last).take().map_or_else(Shadow::new, Ok)?;
    let copied = owner.ask(|reply| Input::Copy { into, reply }).await;
    let mut copy = copied.map_err(|error| io::Error::other(error.message))?;
    giving_way(move || {
        let image = copy.image(&name);
        *lock(&last) = Some(copy);
        image
    })
    .await
}

/// Brings a database that is its own snapshot to a state that survives a power cut.
///
/// # Errors
///
/// The step that failed.
pub(super) async fn in_place(
    checkpointer: Arc<Mutex<Checkpointer>>,
    target: &Path,
    on_phase: &mut impl FnMut(SnapshotPhase),
) -> Result<WriterReport, SnapshotFailure> {
    let mut phases = Vec::new();
    for phase in [SnapshotPhase::Sync, SnapshotPhase::Verify] {
        on_phase(phase);
        let begun = Instant::now();
        let checkpointer = checkpointer.clone();
        let done = blocking(move || match phase {
            SnapshotPhase::Sync => lock(&checkpointer).checkpoint(),
            _ => lock(&checkpointer).check(),
        });
        done.await.map_err(|error| SnapshotFailure {
            path: target.display().to_string(),
            phase,
            errno: error.errno(),
            reason: error.to_string(),
            kept: None,
        })?;
        phases.push((phase, Span::from(begun.elapsed())));
    }
    let path = target.to_owned();
    let bytes = blocking(move || Ok(std::fs::metadata(path)?.len())).await.unwrap_or(0);
    Ok(WriterReport { bytes, sha256: String::new(), phases })
}

/// Runs `f` on a thread that lets requests and jobs have the processor first. Not one of tokio's: a
/// thread that has given way cannot take it back.
async fn giving_way<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new().name("copy".to_owned()).spawn(move || {
        give_way();
        // Whoever waited may have given up.
        let _ = sender.send(f());
    })?;
    match receiver.await {
        Ok(outcome) => outcome,
        Err(error) => Err(io::Error::other(error).into()),
    }
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    match tokio::task::spawn_blocking(f).await {
        Ok(outcome) => outcome,
        Err(error) => Err(io::Error::other(error).into()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
