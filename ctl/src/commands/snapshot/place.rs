//! Which place of snapshots is meant.

use std::path::{Path, PathBuf};

use torc_protocol::request::Status;

use crate::commands::running::job_context::absolute;
use crate::context::{Context, default_database};
use crate::error::{CliError, ErrorKind};

/// Returns the place of the snapshots that are meant: what `--db` names, else that of the torcd that
/// runs, else where `exec` and `run` leave theirs.
///
/// # Errors
///
/// When there is none of these.
pub(super) async fn target(ctx: &Context) -> Result<PathBuf, CliError> {
    if let Some(file) = &ctx.globals.db {
        return absolute(file);
    }
    if !ctx.globals.standalone
        && let Some(mut client) = ctx.running().await?
    {
        let status = client.call(Status).await?;
        return Ok(status.snapshot.target.unwrap_or(status.database).into());
    }
    let file = default_database();
    if file.exists() {
        return absolute(&file);
    }
    let message = format!("no torcd is running, and there is no {}", file.display());
    Err(CliError::new(ErrorKind::NoDaemon, message)
        .hint("go where the jobs were run, or name the place of the snapshots with `--db FILE`"))
}

/// Returns the error for a place where there are no snapshots.
pub(super) fn nothing_at(target: &Path) -> CliError {
    let message = format!("there is no snapshot at {}", target.display());
    CliError::new(ErrorKind::NotFound, message)
        .hint("name the file with `--db FILE`; `torcctl snapshot recover --dry-run` shows what is left elsewhere")
}

/// Returns whether two paths name one place, whatever links lead there.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let resolved =
        |path: &Path| Some((path.parent()?.canonicalize().ok()?, path.file_name()?.to_owned()));
    one == other || resolved(one).is_some_and(|one| resolved(other) == Some(one))
}
