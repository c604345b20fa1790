//! `torcctl service uninstall`.
//!
//! The socket goes first, so that nothing starts torcd again; then torcd ends as always, jobs first,
//! final snapshot last; then the files go. A final snapshot that is not on disk does not keep them,
//! but is the exit code.

use std::path::PathBuf;

use serde::Serialize;
use torc_protocol::paths;

use crate::commands::service::place::{Found, Place};
use crate::commands::service::systemd::Manager;
use crate::commands::service::unit::Unit;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::page::{check_format, write_json};
use crate::output::stdout::Stdout;

const NOUN: &str = "an uninstallation";

const EXAMPLES: &str = "\
Examples:
  torcctl service uninstall

Exit codes: 3 there is no systemd here that runs services of users · 5 the final snapshot is not on
disk · 7 a unit is there that torcctl did not write";

/// Stop torcd with its final snapshot, and remove its units
///
/// The database, the snapshots and torc.toml stay.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct UninstallArgs {
    /// Remove units that torcctl did not write, or that were changed since
    #[arg(long)]
    force: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Uninstalled {
    removed: Vec<PathBuf>,
    /// Whether the final snapshot of the torcd that ran is on disk; none when none ran.
    durable: Option<bool>,
}

pub(super) async fn run(ctx: &Context, args: &UninstallArgs) -> Result<u8, CliError> {
    check_format(ctx.globals.format, NOUN)?;
    let manager = Manager::find("remove the units where systemd runs; here it starts none").await?;
    let places = ours(args.force)?;
    let known = manager.property(Unit::Socket, "LoadState").await? != "not-found";
    let mut end = None;
    if known {
        manager.call(&["disable", "--now", Unit::Socket.name()]).await?;
        end = stop(ctx, &manager).await?;
    }
    for place in &places {
        place.remove()?;
    }
    if known {
        manager.call(&["daemon-reload"]).await?;
    }
    let removed = places.into_iter().map(|place| place.path).collect();
    let durable = end.as_deref().map(|status| status == "0");
    report(ctx, &Uninstalled { removed, durable }, known)?;
    match end {
        Some(status) if status != "0" => Err(not_durable(&status)),
        _ => Ok(exit_code::DONE),
    }
}

/// Returns the units that are there, all of them ours to remove.
fn ours(force: bool) -> Result<Vec<Place>, CliError> {
    let mut places = Vec::new();
    let Some(dir) = paths::unit_dir() else { return Ok(places) };
    for place in Unit::ALL.map(|unit| Place::new(&dir, unit)) {
        match place.look("")? {
            Found::Nothing => {}
            Found::Foreign if !force => return Err(place.foreign("`--force` removes it")),
            Found::Same | Found::Ours | Found::Foreign => places.push(place),
        }
    }
    Ok(places)
}

/// Ends torcd if it runs, and returns its exit status, or the signal that has ended it.
async fn stop(ctx: &Context, manager: &Manager) -> Result<Option<String>, CliError> {
    let service = Unit::Service;
    if !manager.is_active(service).await? {
        return Ok(None);
    }
    if !ctx.globals.quiet {
        eprintln!("torcd ends: its jobs first, then its final snapshot");
    }
    manager.call(&["stop", service.name()]).await?;
    let result = manager.property(service, "Result").await?;
    let status = match result.as_str() {
        "success" => "0".to_owned(),
        "exit-code" => manager.property(service, "ExecMainStatus").await?,
        _ => result,
    };
    // Else systemd shows a unit that failed and is not there any more.
    drop(manager.call(&["reset-failed", service.name()]).await);
    Ok(Some(status))
}

fn report(ctx: &Context, uninstalled: &Uninstalled, known: bool) -> Result<(), CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if stdout.format.is_for_programs() {
        return write_json(stdout.format, NOUN, uninstalled, stdout.open());
    }
    if ctx.globals.quiet {
        return Ok(());
    }
    for path in &uninstalled.removed {
        stdout.line(&format!("{}: removed", path.display()))?;
    }
    if uninstalled.durable == Some(true) {
        stdout.line("torcd has ended, and its final snapshot is on disk")?;
    }
    if uninstalled.removed.is_empty() {
        eprintln!(
            "{}",
            if known {
                "the units are from a package and stay; systemd does not listen any more"
            } else {
                "the service is not installed"
            }
        );
    }
    Ok(())
}

fn not_durable(status: &str) -> CliError {
    let how = if status.parse::<u8>().is_ok() {
        format!("torcd has ended with {status}")
    } else {
        format!("systemd says of the end of torcd: {status}")
    };
    CliError::new(ErrorKind::NotDurable, format!("the final snapshot may not be on disk: {how}"))
        .hint(
            "`journalctl --user -u torcd` says why; `torcctl snapshot recover --dry-run` shows a \
             record that it has left elsewhere",
        )
}
