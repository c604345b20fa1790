//! From the commit until the last job has ended: events, progress, signals.

use std::collections::HashSet;

use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::request::{ListResults, Watch, WorkflowSelector};
use torc_protocol::response::WatchItem;
use torc_protocol::time::Timestamp;
use torc_protocol::view::ResultView;

use super::event_lines::EventLines;
use super::outcome::FailedAction;
use super::printing::{Attempt, Printing};
use super::stop::Stop;
use crate::client::Client;
use crate::error::CliError;
use crate::progress::display::Display;
use crate::progress::model::{Model, Next};
use crate::signals::EndSignal;
use crate::{stderr, style};

/// A workflow that runs, and all who want to hear of it.
#[derive(Debug)]
pub(crate) struct Following {
    /// Which.
    pub(crate) workflow: WorkflowId,
    /// When it was begun: attempts of earlier runs were started before.
    pub(crate) begun: Timestamp,
    /// The jobs that run, when these are not all of the workflow.
    pub(crate) only: Option<HashSet<JobId>>,
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
            if self.model.finished.is_some() {
                self.stop.workflow_ended();
            }
            if std::mem::take(&mut rewatch) {
                // On a new connection, because a torcd that cuts us off may do so in earnest.
                *client = Client::connect(client.socket()).await?;
                client.stream(self.watch()).await?;
            }
        }
    }

    /// Waits until the output of the jobs and the events are written, and returns whether all of the
    /// output could be; a signal ends the waiting.
    pub(crate) async fn printed(&mut self) -> bool {
        let lines = self.event_lines.take();
        let printing = &mut self.printing;
        let written = async {
            if let Some(lines) = lines {
                lines.finish().await;
            }
            printing.finish().await
        };
        tokio::select! {
            all_shown = written => all_shown,
            signal = self.stop.next() => {
                stderr::say(&format!("{}: what is not written yet is left out", signal.name()));
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
                if let Some(lines) = &self.event_lines {
                    lines.events(events);
                }
                self.printing.events(events);
                self.failed_actions.extend(events.iter().filter_map(FailedAction::of));
            }
            WatchItem::State { workflow, next_seq } => {
                if let Some(lines) = &self.event_lines {
                    lines.state(workflow, *next_seq)?;
                }
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
                stderr::say(&format!("{name}: stopping {running}; once more kills at once"));
            }
            (2, name) => stderr::say(&format!("{name} again: killing {running}")),
            _ => {}
        }
    }

    /// Returns all attempts of this run, for those that the events no longer told of.
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
            let ours = page.iter().filter(|result| self.is_of_run(result));
            attempts.extend(ours.map(Attempt::from));
        }
        Ok(attempts)
    }

    /// Returns whether an attempt belongs to this run of the workflow. One that could not be started
    /// has only an end.
    fn is_of_run(&self, result: &ResultView) -> bool {
        let at = result.started_at.or(result.finished_at);
        at.is_none_or(|at| at >= self.begun)
            && self.only.as_ref().is_none_or(|only| only.contains(&result.job_id))
    }
}
