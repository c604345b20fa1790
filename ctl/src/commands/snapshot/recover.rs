//! `torcctl snapshot recover`: brings home what killed or failed torcds have left.
//!
//! One record after the other, because what becomes of one may depend on those before it: after each
//! we look again at what is left. `plan` decides, a torcd that lives for that alone does the deed, and
//! `report` tells.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use torc_protocol::config::key::Key;
use torc_protocol::id::Generation;
use torc_protocol::time::Span;
use torc_protocol::view::{SnapshotFileView, SnapshotPlace};

use self::plan::{Plan, Why};
use self::report::{Outcome, Report};
use super::place::is_same;
use crate::commands::running::job_context::absolute;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::stdout::Stdout;
use crate::signals::Signals;
use crate::snapshot_files::{self, Homecoming};
use crate::stderr;

mod plan;
mod report;

const EXAMPLES: &str = "\
Examples:
  torcctl snapshot recover --dry-run           what is left, and where it would go
  torcctl snapshot recover                     all that is left of this user, to its places
  torcctl snapshot recover --db runs.db        only what belongs there
  torcctl snapshot recover --db runs.db --to rescued.db
  torcctl snapshot recover --from /dev/shm/torc-1000/4711-88123-0/torc.db --to rescued.db

Exit codes: 0 all is home, or nothing was left; 5 something could not be brought home, and stays
where it is; 6 there is nothing in the file that --from names; 7 a torcd that runs has the place";

/// Bring home the records that torcds have left which were killed, or could not save them
///
/// A record goes to the place that its torcd had for its snapshots. When another record is there, or
/// one that has gone on without it, it goes beside it, as `<name>.recovered-<time>`. What torcds
/// that run have in memory is left alone. No job is started.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Recover {
    /// Bring the record here instead; there must be only one
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Only this record, by the name that --dry-run shows
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
    /// Look here too for records that could not be saved, as their torcd was told to
    #[arg(long, value_name = "DIR")]
    spill_dir: Option<PathBuf>,
}

pub(super) async fn run(ctx: &Context, args: &Recover) -> Result<u8, CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let spill_dir = args.spill_dir.as_deref().or(ctx.settings.path(Key::SpillDir));
    let mut recovery = Recovery {
        torcd: ctx.torcd()?,
        log: ctx.globals.log_level().unwrap_or("error"),
        only: ctx.globals.db.as_deref().map(absolute).transpose()?,
        from: args.from.as_deref().map(absolute).transpose()?,
        spill_dir: spill_dir.map(absolute).transpose()?,
        signals: Signals::listen()?,
        reports: Vec::new(),
    };
    let found = recovery.look().await?;
    if let (Some(from), true) = (&args.from, found.is_empty()) {
        let message = format!("no torcd has left a record in {}", from.display());
        return Err(CliError::new(ErrorKind::NotFound, message)
            .hint("`torcctl snapshot recover --dry-run` shows those that there are"));
    }
    if found.is_empty() && !stdout.format.is_for_programs() && !ctx.globals.quiet {
        stderr::say("nothing to recover");
    }
    match &args.to {
        Some(to) if !found.is_empty() => {
            let record = plan::the_only(&found)?;
            let plan = Plan::Elsewhere { to: absolute(to)?, why: Why::Asked };
            if args.dry_run {
                recovery.tell_of(record, &plan);
            } else {
                recovery.carry_out(record, plan).await?;
            }
        }
        _ if args.dry_run => {
            found.iter().for_each(|record| recovery.tell_of(record, &plan::of(record)));
        }
        _ => recovery.bring_all(found).await?,
    }
    report::tell(&recovery.reports, stdout, ctx.globals.quiet)?;
    Ok(report::exit_code(&recovery.reports))
}

/// What is being done, and has been.
struct Recovery {
    torcd: PathBuf,
    log: &'static str,
    only: Option<PathBuf>,
    from: Option<PathBuf>,
    spill_dir: Option<PathBuf>,
    signals: Signals,
    reports: Vec<Report>,
}

impl Recovery {
    /// Returns what is left, in the order in which it is brought home.
    async fn look(&self) -> Result<Vec<SnapshotFileView>, CliError> {
        let mut left = snapshot_files::remains(&self.torcd, self.spill_dir.as_deref()).await?;
        if let Some(only) = &self.only {
            left.retain(|it| it.target.as_ref().is_some_and(|it| is_same(Path::new(it), only)));
        }
        if let Some(from) = &self.from {
            left.retain(|it| is_same(Path::new(&it.path), from));
        }
        plan::sort(&mut left);
        Ok(left)
    }

    /// Only tells of a plan.
    fn tell_of(&mut self, record: &SnapshotFileView, plan: &Plan) {
        let outcome = match plan {
            Plan::Home { .. } | Plan::Elsewhere { .. } => Outcome::Planned,
            Plan::Nothing => Outcome::Superseded,
            Plan::Impossible(reason) => Outcome::Failed(reason.clone()),
        };
        self.reports.push(Report::new(record, plan.to(), outcome));
    }

    async fn bring_all(&mut self, found: Vec<SnapshotFileView>) -> Result<(), CliError> {
        let mut found = found;
        let mut seen = HashSet::new();
        while let Some(record) = found.iter().find(|it| !seen.contains(&it.path)).cloned() {
            seen.insert(record.path.clone());
            let is_deed = self.carry_out(&record, plan::of(&record)).await?;
            if !is_deed {
                continue;
            }
            let left = self.look().await?;
            let is_left = |it: &SnapshotFileView| left.iter().any(|left| left.path == it.path);
            // Another torcd may have taken them over, or removed what is at its place now.
            for gone in found.iter().filter(|it| !is_left(it)) {
                if seen.insert(gone.path.clone()) {
                    let target = gone.target.as_ref().map(PathBuf::from);
                    self.reports.push(Report::new(gone, target, Outcome::Superseded));
                }
            }
            // A torcd that could not bring one home has saved it elsewhere again: not a second try.
            let is_new = |it: &&SnapshotFileView| !found.iter().any(|was| was.path == it.path);
            seen.extend(left.iter().filter(is_new).map(|it| it.path.clone()));
            found = left;
        }
        Ok(())
    }

    /// Does what is planned for a record, and returns whether that was anything.
    async fn carry_out(&mut self, record: &SnapshotFileView, plan: Plan) -> Result<bool, CliError> {
        let (target, why) = match plan {
            Plan::Home { to } => (to, None),
            Plan::Elsewhere { to, why } => (to, Some(why)),
            Plan::Nothing | Plan::Impossible(_) => {
                self.tell_of(record, &plan);
                return Ok(false);
            }
        };
        let begun = Instant::now();
        let outcome = self.bring(&target, Path::new(&record.path)).await?;
        let mut report = Report::new(record, Some(target.clone()), outcome);
        report.took = Some(Span::from(begun.elapsed()));
        report.is_beside = matches!(why, Some(Why::Diverged));
        if report.outcome == Outcome::Recovered {
            report.generation = self.generation_at(&target).await;
        }
        self.reports.push(report);
        Ok(true)
    }

    /// Has a torcd bring the record in `from` to `target`.
    async fn bring(&mut self, target: &Path, from: &Path) -> Result<Outcome, CliError> {
        let spill_dir = self.spill_dir.as_deref();
        let mut torcd = Homecoming { target, from, spill_dir, log: self.log }.start(&self.torcd)?;
        let process = torcd.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        let status = loop {
            tokio::select! {
                status = torcd.wait() => break status?,
                signal = self.signals.next() => {
                    let name = signal.name();
                    stderr::say(&format!("{name}: torcd leaves the record where it is, and ends"));
                    // When it has just gone, that is seen at once.
                    let _ = process.map(|process| kill(process, Signal::SIGTERM));
                }
            }
        };
        Ok(match status.code().map(u8::try_from) {
            Some(Ok(exit_code::DONE)) => Outcome::Recovered,
            Some(Ok(exit_code::REFUSED)) => Outcome::Held,
            _ => Outcome::Failed(format!("torcd ended with {status}")),
        })
    }

    /// Returns the generation that is at `target` now. It is only told; that it is there, torcd has
    /// checked.
    async fn generation_at(&self, target: &Path) -> Option<Generation> {
        let found = snapshot_files::list(&self.torcd, target).await.ok()?;
        found.into_iter().find(|it| it.place == SnapshotPlace::Target)?.generation
    }
}
