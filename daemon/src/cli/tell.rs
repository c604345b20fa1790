//! `torcd snapshots`: what there is of snapshots, for torcctl.

use std::io::Write;
use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::serve::spill_places;
use crate::config;
use crate::snapshot::listing;

/// Which snapshots to tell of.
#[derive(Debug, Subcommand)]
pub(super) enum Which {
    /// Those of one place
    List {
        #[arg(long)]
        target: PathBuf,
        #[arg(long)]
        spill_dir: Option<PathBuf>,
    },
    /// These, after a look at every page
    Verify { files: Vec<PathBuf> },
    /// Those that are not at their places
    Remains {
        #[arg(long)]
        spill_dir: Option<PathBuf>,
    },
}

/// Prints what `torcctl snapshot` asks for.
pub(super) fn tell(which: Which) -> anyhow::Result<()> {
    let views = match which {
        Which::List { target, spill_dir } => {
            listing::list(&config::absolute(&target)?, &spill_places(spill_dir.as_deref())?)?
        }
        Which::Verify { files } => listing::check(
            &files.iter().map(|path| config::absolute(path)).collect::<Result<Vec<_>, _>>()?,
        ),
        Which::Remains { spill_dir } => listing::left(&spill_places(spill_dir.as_deref())?),
    };
    let mut stdout = std::io::stdout().lock();
    for view in views {
        serde_json::to_writer(&mut stdout, &view)?;
        writeln!(stdout)?;
    }
    Ok(stdout.flush()?)
}
