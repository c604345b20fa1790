//! `--print grouped`: the whole output of each attempt when it has ended, one after the other.

use std::path::PathBuf;

use tokio::sync::{mpsc, watch};
use torc_protocol::id::AttemptId;

use super::order::Order;
use super::{Attempt, stream};
use crate::client::Client;
use crate::error::{CliError, ErrorKind};
use crate::stderr;

/// Prints attempts until no more come, and returns whether all could be shown.
pub(super) async fn print(
    mut attempts: mpsc::UnboundedReceiver<Attempt>,
    socket: PathBuf,
    order: Option<Vec<String>>,
    closing: watch::Sender<bool>,
) -> bool {
    let mut order = order.map(Order::new);
    let mut client = None;
    let mut printer = Printer { socket, client: &mut client, all_shown: true };
    while let Some(attempt) = attempts.recv().await {
        let due = match &mut order {
            Some(order) => order.take(&attempt),
            None => vec![attempt.id],
        };
        if printer.print(due).await.is_break() {
            drop(closing);
            return printer.all_shown;
        }
    }
    if let Some(order) = order {
        // Whether anybody reads the last of it makes no difference.
        let _ = printer.print(order.rest()).await;
    }
    printer.all_shown
}

struct Printer<'a> {
    socket: PathBuf,
    client: &'a mut Option<Client>,
    all_shown: bool,
}

impl Printer<'_> {
    /// Breaks when nobody reads.
    async fn print(
        &mut self,
        attempts: impl IntoIterator<Item = AttemptId>,
    ) -> std::ops::ControlFlow<()> {
        for attempt in attempts {
            if let Err(error) = self.print_one(attempt).await {
                if error.kind == ErrorKind::BrokenPipe {
                    return std::ops::ControlFlow::Break(());
                }
                self.all_shown = false;
                stderr::say(&format!(
                    "cannot show the output of job {}: {}",
                    attempt.job, error.message
                ));
            }
        }
        std::ops::ControlFlow::Continue(())
    }

    async fn print_one(&mut self, attempt: AttemptId) -> Result<(), CliError> {
        // After a failure the connection may be in the midst of a reply; a new one is not.
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(&self.socket).await?,
        };
        stream::print(&mut client, attempt, false).await?;
        *self.client = Some(client);
        Ok(())
    }
}
