//! The last snapshot, when its place does not take it: to the first other place that does.
//!
//! Each place has its time, for it may hang as well; the process that hangs there is left behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;
use torc_protocol::paths;
use torc_protocol::view::Kept;

use crate::dispatcher::input::{DispatcherHandle, Input};
use crate::snapshot::remains::{self, SPILLED, spill_dir};
use crate::snapshot::source::Source;
use crate::snapshot::writer_process::{self, WriteRequest};
use crate::store::tables::snapshot::Author;
use crate::sys;

/// How long one place has to take it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be saved, and where.
#[derive(Clone, Debug)]
pub struct Spill {
    /// Who records.
    pub dispatcher: DispatcherHandle,
    /// How to copy.
    pub source: Source,
    /// Who we are.
    pub author: Author,
    /// Where it should have gone.
    pub target: PathBuf,
    /// Where it may go instead, best first.
    pub places: Vec<PathBuf>,
    /// The home of the database on a tmpfs, which is such a place as it stands.
    pub home: Option<PathBuf>,
}

impl Spill {
    /// Saves it, and returns where it is now; none when every place has refused, or the database had
    /// better stay where it is. What each place said is in the log.
    pub async fn run(self) -> Option<Kept> {
        let (author, path) = (self.author.clone(), self.target.display().to_string());
        let begun = self.dispatcher.ask(|reply| Input::BeginSnapshot { author, path, reply }).await;
        let (generation, _) = begun
            .inspect_err(|error| tracing::error!("cannot save it elsewhere: {}", error.message))
            .ok()?;
        let image = self
            .source
            .copy(&self.dispatcher, generation)
            .await
            .inspect_err(|error| tracing::error!("cannot save it elsewhere: {error}"))
            .ok()?;
        for place in &self.places {
            if self.home.as_ref().is_some_and(|home| home.starts_with(place)) {
                return None;
            }
            let name = format!("{SPILLED}{}-{generation}.db", self.author.instance);
            let saved = async {
                let dir = private_in(place).await?;
                let image = image.try_clone().map_err(|error| error.to_string())?;
                let target = dir.join(name);
                let request = WriteRequest { target: target.clone(), keep: 1, generation };
                let program = sys::process::own_executable();
                let written = writer_process::write(&program, image, request, |_| {}).await;
                written.map(|_| target).map_err(|failure| failure.reason)
            };
            let saved = timeout(PATIENCE, saved).await.unwrap_or_else(|_| Err(late()));
            match saved {
                Ok(path) => {
                    if let Err(error) = remains::announce(&path) {
                        tracing::warn!("{} may have to be named later: {error}", path.display());
                    }
                    let in_memory = paths::is_tmpfs(place);
                    return Some(Kept { path: path.display().to_string(), in_memory });
                }
                Err(reason) => {
                    tracing::warn!("{} does not take the snapshot: {reason}", place.display());
                }
            }
        }
        None
    }
}

fn late() -> String {
    format!("not on disk there after {} s", PATIENCE.as_secs())
}

/// Makes our directory in a place, on a thread that may hang there.
async fn private_in(place: &Path) -> Result<PathBuf, String> {
    let dir = spill_dir(place);
    let made = tokio::task::spawn_blocking(move || paths::make_private(&dir).map(|()| dir)).await;
    made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
