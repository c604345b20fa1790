//! One who asks for this and that all the time, as people and their scripts do.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use torc_protocol::call::{Call, Many};
use torc_protocol::id::WorkflowId;
use torc_protocol::request::{
    Explain, JobSelector, ListJobs, ListResults, ListWorkflows, Logs, Page, Status, Watch,
    WorkflowSelector,
};
use torc_protocol::response::{ErrorCode, RequestError};
use torc_tests::benchmark::service::Service;
use torc_tests::client::Client;

use crate::users::Users;

/// How long after one question the next is due.
const PERIOD: Duration = Duration::from_millis(10);
/// How long a page is.
const PAGE: u64 = 50;

/// The one who asks.
pub(crate) struct Looks {
    took: Arc<Mutex<Vec<Duration>>>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Looks {
    /// Begins to ask, about the workflow that has ended last where it is about one.
    pub(crate) fn begin(stage: &Service, users: &Arc<Users>) -> Self {
        let (took, is_over) = (Arc::default(), Arc::default());
        let asker = Asker {
            socket: stage.socket().to_owned(),
            users: users.clone(),
            took: Arc::clone(&took),
            is_over: Arc::clone(&is_over),
        };
        Self { took, is_over, thread: thread::spawn(move || asker.run()) }
    }

    /// Returns how long the answers took since this was called last, the shortest first.
    pub(crate) fn take(&self) -> Vec<Duration> {
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        let mut took = std::mem::take(&mut *took);
        took.sort_unstable();
        took
    }

    /// Forgets what was asked so far, also what is not answered yet.
    pub(crate) fn forget(&self) {
        for _ in 0..2 {
            self.take();
            while self.is_empty() && !self.has_failed() {
                thread::sleep(PERIOD);
            }
        }
        self.take();
    }

    fn is_empty(&self) -> bool {
        self.took.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Returns whether something went wrong, which [`Self::end`] tells.
    pub(crate) fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Asks no more.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the one who asks has panicked"))?
    }
}

struct Asker {
    socket: PathBuf,
    users: Arc<Users>,
    took: Arc<Mutex<Vec<Duration>>>,
    is_over: Arc<AtomicBool>,
}

impl Asker {
    fn run(self) -> anyhow::Result<()> {
        let mut due = Instant::now();
        for turn in 0_u64.. {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // What comes late counts from when it was due, but not all that was due meanwhile.
            due = (due + PERIOD).max(Instant::now());
            let begun = Instant::now();
            match ask(&self.socket, turn, self.users.last()) {
                Err(error) if !is_refused(&error) => return Err(error),
                _ => {}
            }
            self.took.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
        }
        Ok(())
    }
}

/// Returns whether what was asked for has not run yet, or has been deleted meanwhile.
fn is_refused(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<RequestError>();
    refused.is_some_and(|it| matches!(it.code, ErrorCode::NotFound | ErrorCode::WrongState))
}

/// Asks one question on a connection of its own.
fn ask(socket: &Path, turn: u64, last: Option<WorkflowId>) -> anyhow::Result<()> {
    let mut client = Client::connect(socket)?;
    let workflow = last.map_or(WorkflowSelector::Latest, WorkflowSelector::Id);
    let page = Page { offset: turn % 100, limit: Some(PAGE), ..Page::default() };
    let job = || JobSelector::Name(workflow.clone(), format!("job{}", turn % 100));
    match turn % 7 {
        0 | 1 => drop(client.call(Status)?),
        2 => list(&mut client, ListWorkflows { page, ..ListWorkflows::default() })?,
        3 => list(&mut client, ListJobs { workflow, page, ..ListJobs::default() })?,
        4 => list(&mut client, ListResults { workflow, page, ..ListResults::default() })?,
        5 => {
            client.call(Explain { job: job() })?;
            let (stdout_offset, stderr_offset, limit) = (0, 0, 64 * 1024);
            let (job, wait) = (job(), false);
            client.call(Logs { job, attempt: None, stdout_offset, stderr_offset, limit, wait })?;
        }
        // A watcher who goes away without a word.
        _ => {
            client.send(Watch { workflow: WorkflowSelector::Latest, from_seq: None })?;
            client.receive()?;
        }
    }
    Ok(())
}

fn list<C: Call<Count = Many>>(client: &mut Client, call: C) -> anyhow::Result<()> {
    client.send(call)?;
    while client.part::<C>()?.is_some() {}
    Ok(())
}
