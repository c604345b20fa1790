//! Which torcd runs the jobs: the user's, or a private one of ours.

use std::path::PathBuf;

use torc_protocol::request::Status;
use torc_protocol::spec::StdioMode;

use super::args::RecordArgs;
use super::plan::{Plan, absolute};
use crate::client::Client;
use crate::context::{Context, default_database};
use crate::error::{CliError, ErrorKind};
use crate::standalone::{Home, Launch, Standalone};

/// A torcd that runs our jobs.
#[derive(Debug)]
pub(super) struct Target {
    /// The connection.
    pub(super) client: Client,
    /// Its process, when it is ours.
    pub(super) private: Option<Standalone>,
    /// Where a private one keeps its record.
    pub(super) record: Option<PathBuf>,
    /// Whether its database is in memory.
    in_memory: bool,
}

impl Target {
    /// Finds the torcd for the jobs, and settles what depends on which it is. The output directory is
    /// made before a private torcd is started, and for that of the user only when files go there for
    /// certain.
    pub(super) async fn open(
        ctx: &Context,
        record: &RecordArgs,
        detach: bool,
        plan: &mut Plan,
    ) -> Result<Self, CliError> {
        let target = match Self::running(ctx, record, detach).await? {
            Some(target) => {
                plan.set_stdio(target.default_stdio());
                if plan.writes_files() {
                    plan.make_output_dir()?;
                }
                target
            }
            None => {
                plan.make_output_dir()?;
                let target = Self::start(ctx, record).await?;
                plan.set_stdio(target.default_stdio());
                target
            }
        };
        Ok(target)
    }

    /// Connects to the user's torcd if it runs and nothing asks for a private one.
    async fn running(
        ctx: &Context,
        record: &RecordArgs,
        detach: bool,
    ) -> Result<Option<Self>, CliError> {
        let wants_private = ctx.globals.standalone || ctx.globals.db.is_some() || record.any();
        if wants_private && detach {
            return Err(CliError::usage(
                "`--detach` needs the torcd of the user, not a private one",
            )
            .hint("leave out `--standalone`, `--db` and what else describes a private one"));
        }
        if !wants_private && let Some(mut client) = ctx.running().await? {
            let in_memory = client.call(Status).await?.in_memory;
            return Ok(Some(Self { client, private: None, record: None, in_memory }));
        }
        if detach {
            return Err(CliError::new(
                ErrorKind::NoDaemon,
                "`--detach` needs a torcd that runs on",
            )
            .hint("start one with `torcctl daemon start`"));
        }
        Ok(None)
    }

    /// Starts a private one.
    async fn start(ctx: &Context, record: &RecordArgs) -> Result<Self, CliError> {
        let path = match &ctx.globals.db {
            Some(path) => absolute(path)?,
            None => absolute(&default_database())?,
        };
        let home = if record.on_disk { Home::OnDisk } else { Home::InMemory };
        let launch = Launch {
            snapshot_keep: Some(record.snapshot_keep.unwrap_or(1)),
            snapshot_interval: record.snapshot_interval_seconds,
            fresh: record.fresh,
            steal: record.steal,
            // What goes wrong is in the report; an error beyond that is for whoever starts it.
            log: ctx.globals.log_level().or(Some("error")),
            ..Launch::new(ctx.torcd()?, home(path.clone()))
        };
        let private = Standalone::start(&launch).await?;
        let client = Client::connect(private.socket()).await?;
        Ok(Self { client, private: Some(private), record: Some(path), in_memory: !record.on_disk })
    }

    /// Gives it up before anything was committed. A private torcd is waited for, so that whoever
    /// comes next does not find the database in use.
    pub(super) async fn abandon(self) {
        drop(self.client);
        if let Some(private) = self.private {
            drop(private.ended().await);
        }
    }

    /// Returns whether its record is gone with it unless a snapshot saves it.
    pub(super) fn is_private_in_memory(&self) -> bool {
        self.private.is_some() && self.in_memory
    }

    /// Returns where output goes when nothing else was asked for.
    pub(super) fn default_stdio(&self) -> StdioMode {
        if self.in_memory { StdioMode::Capture } else { StdioMode::Separate }
    }
}
