//! Connections that only read, beside the one that writes.
//!
//! All are opened at start: a path that somebody unlinks behind the daemon would give a later open
//! a new, empty database. A read runs on tokio's blocking threads and never holds up the writer.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::store::home::{Home, OpenError};

/// So many reads can run at a time.
const CONNECTIONS: usize = 4;

/// A pool of connections that only read.
#[derive(Clone, Debug)]
pub struct Reader {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Reader {
    /// Opens the connections; none for a database that only its owner can read.
    ///
    /// # Errors
    ///
    /// As [`Home::open_reader`].
    pub fn open(home: &Home) -> Result<Option<Self>, OpenError> {
        let mut idle = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            match home.open_reader()? {
                Some(connection) => idle.push(connection),
                None => return Ok(None),
            }
        }
        Ok(Some(Self {
            idle: Arc::new(Mutex::new(idle)),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
        }))
    }

    /// Runs `f` on one of the connections, in a read transaction: it sees one state of the database
    /// however long it takes.
    ///
    /// # Errors
    ///
    /// What `f` fails with.
    ///
    /// # Panics
    ///
    /// When `f` does.
    pub async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let permit = self.permits.clone().acquire_owned().await;
        let idle = self.idle.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(connection) = taken else {
                return Err(rusqlite::Error::InvalidQuery);
            };
            let outcome = in_transaction(&connection, f);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            outcome
        });
        match done.await {
            Ok(outcome) => outcome,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

fn in_transaction<T>(
    connection: &Connection,
    f: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.unchecked_transaction()?;
    f(&transaction)
}
