//! `torcctl man`: the manual, written to files.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use jiff::Timestamp;

use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::style::count;
use crate::{exit_code, manual, stderr};

const EXAMPLES: &str = "\
Examples:
  torcctl man ~/.local/share/man       then: man torcctl-exec, man torc.toml
  torcctl man pages && man -M pages torcd";

/// Write the manual: a page for each command, for torcd, and for the settings
///
/// Pages go to `man1` and `man5` below the directory, which are made when they are not there; pages
/// that are there are replaced.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where to
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Runs it, for the command line that is described by `root`.
///
/// # Errors
///
/// When there is no torcd to ask for its page, or a page cannot be written.
pub async fn run(ctx: &Context, root: Command, args: &Args) -> Result<u8, CliError> {
    let date = date();
    let mut pages = manual::pages(root, &date)?;
    pages.push(page_of_torcd(&ctx.torcd()?, &date).await?);
    for section in ["man1", "man5"] {
        let dir = args.dir.join(section);
        fs::create_dir_all(&dir).map_err(|error| not_written(&dir, &error))?;
    }
    for page in &pages {
        let section = if page.name.ends_with(".5") { "man5" } else { "man1" };
        let path = args.dir.join(section).join(&page.name);
        fs::write(&path, &page.text).map_err(|error| not_written(&path, &error))?;
    }
    if !ctx.globals.quiet {
        let pages = count(pages.len() as u64, "page");
        stderr::say(&format!("{pages} in {}", args.dir.display()));
    }
    Ok(exit_code::DONE)
}

/// Returns the day of the pages: today, or what SOURCE_DATE_EPOCH says, so that packages that are
/// built again are the same.
fn date() -> String {
    let named = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let named = named.and_then(|seconds| Timestamp::from_second(seconds).ok());
    named.unwrap_or_else(Timestamp::now).strftime("%Y-%m-%d").to_string()
}

async fn page_of_torcd(torcd: &Path, date: &str) -> Result<manual::Page, CliError> {
    let not_told = |why: &dyn std::fmt::Display| {
        let message = format!("{} does not give its page of the manual: {why}", torcd.display());
        CliError::new(ErrorKind::NoDaemon, message)
            .hint("is that the torcd of this release? `torcd --version` tells")
    };
    let asked = tokio::process::Command::new(torcd).args(["man", date]).output().await;
    let output = asked.map_err(|error| not_told(&error))?;
    if !output.status.success() {
        return Err(not_told(&output.status));
    }
    let text = String::from_utf8(output.stdout).map_err(|error| not_told(&error))?;
    Ok(manual::Page { name: "torcd.1".to_owned(), text })
}

fn not_written(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(ErrorKind::Failed, format!("cannot write {}: {error}", path.display()))
        .hint("name another directory, or make room there")
}
