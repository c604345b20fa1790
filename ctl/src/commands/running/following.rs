//! From the commit until the last job has ended: events, progress, signals.

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{ListResults, Watch, WorkflowSelector};
use torc_protocol::response::WatchItem;

use super::event_lines::EventLines;
use super::outcome::FailedAction;
use super::printing::{Attempt, Printing};
use super::stop::Stop;
use crate::client::Client;
use crate::error::CliError;
use crate::progress::display::Display;
use crate::progress::model::{Model, Next};
use crate::signals::EndSignal;
use crate::style;

/// A workflow that runs, and all who want to hear of it.
#[derive(Debug)]
pub(crate) struct Following {
    /// Which.
    pub(crate) workflow: WorkflowId,
    /// How far it is.
    pub(crate) model: Model,
    /// What is on the screen.
    pub(crate) display: Display,
    /// Who asks us to end.
    pub(crate) stop: Stop,
    /// The output of jobs.
    pub(crate) printing: Printing,
    /// The events as JSON lines.
    pub(crate) event_lines: Option<EventLines>,
    /// The actions that went wrong.
    pub(crate) failed_actions: Vec<FailedAction>,
}

impl Following {
    /// Reads events from `client`, which streams them, until the workflow has ended. Afterwards the
    /// connection is free for other requests.
    pub(crate) async fn until_finished(&mut self, client: &mut Client) -> Result<(), CliError> {
        let mut rewatch = false;
        loop {
            tokio::select! {
                item = client.next::<Watch>() => match item? {
                    Some(item) => rewatch |= self.take(client, &item).await? == Next::Rewatch,
                    None if self.model.finished.is_some() => return Ok(()),
                    None => rewatch = true,
                },
                signal = self.stop.next() => self.tell(signal),
                () = self.printing.nobody_reads() => self.stop.cancel(),
                () = self.display.due() => self.display.draw(&self.model),
            }
            if std::mem::take(&mut rewatch) {
                // On a new connection, because a torcd that cuts us off may do so in earnest.
                *client = Client::connect(client.socket()).await?;
                client.stream(self.watch()).await?;
            }
        }
    }

    /// Waits until the output of the jobs is written, and returns whether all of it could be; a
    /// signal ends the waiting.
    pub(crate) async fn printed(&mut self) -> bool {
        tokio::select! {
            all_shown = self.printing.finish() => all_shown,
            signal = self.stop.next() => {
                self.tell(signal);
                true
            }
        }
    }

    fn watch(&self) -> Watch {
        Watch { workflow: WorkflowSelector::Id(self.workflow), from_seq: Some(self.model.next_seq) }
    }

    async fn take(&mut self, client: &Client, item: &WatchItem) -> Result<Next, CliError> {
        match item {
            WatchItem::Events(events) => {
                if let Some(lines) = &mut self.event_lines {
                    lines.write(events).await;
                }
                self.printing.events(events);
                self.failed_actions.extend(events.iter().filter_map(FailedAction::of));
            }
            WatchItem::State { .. } => {
                let missed = self.attempts(client).await?;
                self.printing.missed(missed);
            }
            WatchItem::CaughtUp { .. } | WatchItem::Cut { .. } => {}
        }
        Ok(self.model.apply(item))
    }

    /// Says what becomes of the jobs; the canceling itself is under way.
    fn tell(&self, signal: EndSignal) {
        let running = style::count(self.model.counts.running, "running job");
        match (self.stop.count(), signal.name()) {
            (1, name) => {
                self.display.print(&format!("{name}: stopping {running}; once more kills at once"));
            }
            (2, name) => self.display.print(&format!("{name} again: killing {running}")),
            _ => {}
        }
    }

    /// Returns all attempts there are, for those that the events no longer told of.
    async fn attempts(&self, client: &Client) -> Result<Vec<Attempt>, CliError> {
        if self.printing.is_off() {
            return Ok(Vec::new());
        }
        let mut other = Client::connect(client.socket()).await?;
        let list = ListResults {
            workflow: WorkflowSelector::Id(self.workflow),
            all_attempts: true,
            ..ListResults::default()
        };
        other.stream(list).await?;
        let mut attempts = Vec::new();
        while let Some(page) = other.next::<ListResults>().await? {
            attempts.extend(page.iter().map(Attempt::from));
        }
        Ok(attempts)
    }
}
