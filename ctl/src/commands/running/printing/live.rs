//! `--print live`: what each job writes, as it comes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use torc_protocol::id::AttemptId;

use super::{Attempt, stream};
use crate::client::Client;
use crate::error::{CliError, ErrorKind};
use crate::stderr;

/// At most so many connections. Should more jobs run, the output of some comes when others end.
const CONNECTIONS: usize = 256;

/// Connections that are free; one is made when there is none.
#[derive(Debug)]
struct Pool {
    socket: PathBuf,
    permits: Semaphore,
    free: Mutex<Vec<Client>>,
}

/// Prints attempts until no more come and all have ended, and returns whether all could be shown.
/// With `several` jobs lines stay whole.
pub(super) async fn print(
    mut attempts: mpsc::UnboundedReceiver<Attempt>,
    socket: PathBuf,
    several: bool,
    closing: watch::Sender<bool>,
) -> bool {
    let pool = Arc::new(Pool {
        socket,
        permits: Semaphore::new(CONNECTIONS),
        free: Mutex::new(Vec::new()),
    });
    let mut readers = JoinSet::new();
    let mut all_shown = true;
    loop {
        tokio::select! {
            attempt = attempts.recv() => match attempt {
                Some(attempt) => {
                    readers.spawn(follow(Arc::clone(&pool), attempt.id, several));
                }
                None => break,
            },
            Some(result) = readers.join_next() => {
                all_shown &= !has_failed(&result);
                if !several && is_closed(&result) {
                    closing.send_replace(true);
                }
            }
        }
    }
    while let Some(result) = readers.join_next().await {
        all_shown &= !has_failed(&result);
    }
    all_shown
}

type Shown = Result<Result<(), CliError>, JoinError>;

fn is_closed(result: &Shown) -> bool {
    matches!(result, Ok(Err(error)) if error.kind == ErrorKind::BrokenPipe)
}

fn has_failed(result: &Shown) -> bool {
    !matches!(result, Ok(Ok(()))) && !is_closed(result)
}

async fn follow(pool: Arc<Pool>, attempt: AttemptId, several: bool) -> Result<(), CliError> {
    let Ok(_permit) = pool.permits.acquire().await else { return Ok(()) };
    let result = show(&pool, attempt, several).await;
    if let Err(error) = &result
        && error.kind != ErrorKind::BrokenPipe
    {
        stderr::say(&format!("cannot show the output of job {}: {}", attempt.job, error.message));
    }
    result
}

/// A connection that failed may be in the midst of a reply, and is not used again.
async fn show(pool: &Pool, attempt: AttemptId, several: bool) -> Result<(), CliError> {
    let mut client = pool.take().await?;
    stream::print(&mut client, attempt, several).await?;
    pool.put(client);
    Ok(())
}

impl Pool {
    async fn take(&self) -> Result<Client, CliError> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match free {
            Some(client) => Ok(client),
            None => Client::connect(Path::new(&self.socket)).await,
        }
    }

    fn put(&self, client: Client) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(client);
    }
}
