//! `torcctl service install`.
//!
//! Everything that could forbid it is looked at before the first file is written. Running it again
//! changes nothing, and says so.

use std::path::{Path, PathBuf};

use serde::Serialize;
use torc_protocol::paths;

use crate::client::{Client, Peer};
use crate::commands::service::place::{Found, Place};
use crate::commands::service::print::torcd;
use crate::commands::service::systemd::{Manager, WITHOUT};
use crate::commands::service::unit::{Unit, Words};
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::page::{check_format, write_json};
use crate::output::stdout::Stdout;

const NOUN: &str = "an installation";

const EXAMPLES: &str = "\
Examples:
  torcctl service install
  torcctl service install --torcd-bin /opt/torc/bin/torcd
  torcctl service install --no-start                        from the next login on

Exit codes: 3 there is no systemd here that runs services of users · 7 a torcd that was started
otherwise has the socket, or a unit is there that torcctl did not write";

/// Write the units of torcd, and have systemd listen for it
///
/// They go to systemd/user in the user's configuration directory. torcd itself starts with the first
/// connection, and again after a failure.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct InstallArgs {
    /// Do not listen now, but from the next login on
    #[arg(long)]
    no_start: bool,
    /// Write over units that torcctl did not write, or that were changed since
    #[arg(long)]
    force: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Installed {
    units: Vec<UnitFile>,
    socket: PathBuf,
    /// Whether systemd listens there now.
    listening: bool,
    /// Whether torcd runs already, as its unit was before.
    running_as_before: bool,
    /// Whether it outlives the last session of the user; none when that cannot be found out.
    lingering: Option<bool>,
}

#[derive(Debug, Serialize)]
struct UnitFile {
    unit: &'static str,
    path: PathBuf,
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Written,
    Unchanged,
    /// A package has put the same unit where systemd finds it.
    Packaged,
}

impl Change {
    fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Unchanged => "unchanged",
            Self::Packaged => "from a package, unchanged",
        }
    }
}

pub(super) async fn run(ctx: &Context, args: &InstallArgs) -> Result<u8, CliError> {
    check_format(ctx.globals.format, NOUN)?;
    let torcd = torcd(ctx)?;
    if !torcd.is_file() {
        let message = format!("there is no {}", torcd.display());
        return Err(CliError::new(ErrorKind::NotFound, message)
            .hint("name the torcd to run with `--torcd-bin PATH` or TORCD_BIN"));
    }
    let manager = Manager::find(WITHOUT).await?;
    let socket = std::path::absolute(ctx.socket()?)?;
    let words = Words::new(&torcd, Some(&socket), manager.runtime().map(PathBuf::as_path))?;
    let dir = unit_dir(&manager)?;
    let listened = manager.is_active(Unit::Socket).await?;
    if !listened {
        check_free(&socket).await?;
    }
    let units = write_units(&manager, &dir, &words, args.force)?;
    let written = units.iter().any(|file| file.change == Change::Written);
    let listening = listen(&manager, &units, listened, !args.no_start).await?;
    let installed = Installed {
        running_as_before: written && manager.is_active(Unit::Service).await?,
        units,
        socket,
        listening,
        lingering: manager.lingers().await,
    };
    report(ctx, &installed)
}

/// Returns the directory for the units of this user, which systemd has to know.
fn unit_dir(manager: &Manager) -> Result<PathBuf, CliError> {
    let dir = paths::unit_dir().ok_or_else(|| {
        CliError::usage("there is no home directory to write the units in").hint("set HOME")
    })?;
    if manager.reads(&dir) {
        return Ok(dir);
    }
    let message = format!("systemd does not look for units in {}", dir.display());
    Err(CliError::new(ErrorKind::Refused, message).hint(
        "it took HOME and XDG_CONFIG_HOME over when it was started: let them be as they were then",
    ))
}

/// A torcd that was started otherwise would lose its socket to systemd.
async fn check_free(socket: &Path) -> Result<(), CliError> {
    let process = match Client::knock(socket).await? {
        Peer::Nobody => return Ok(()),
        Peer::Ours(client) => client.process(),
        Peer::Foreign(_) => None,
    };
    let process = process.map(|pid| format!(" (process {pid})")).unwrap_or_default();
    let message =
        format!("a torcd{process} that systemd did not start listens at {}", socket.display());
    Err(CliError::new(ErrorKind::Refused, message)
        .hint("`torcctl daemon stop` ends it, with its snapshot; then install the service"))
}

fn write_units(
    manager: &Manager,
    dir: &Path,
    words: &Words,
    force: bool,
) -> Result<Vec<UnitFile>, CliError> {
    let mut plan = Vec::new();
    for unit in Unit::ALL {
        let (place, text) = (Place::new(dir, unit), words.text_of(unit));
        let change = match place.look(&text)? {
            Found::Same => Change::Unchanged,
            Found::Nothing if manager.has_packaged(unit, dir, &text) => Change::Packaged,
            Found::Nothing | Found::Ours => Change::Written,
            Found::Foreign if force => Change::Written,
            Found::Foreign => return Err(place.foreign("`--force` writes over it")),
        };
        plan.push((place, text, change));
    }
    let write = |(place, text, change): (Place, String, Change)| {
        if change == Change::Written {
            place.write(&text)?;
        }
        Ok(UnitFile { unit: place.unit.name(), path: place.path, change })
    };
    plan.into_iter().map(write).collect()
}

/// Makes systemd take the units and listen, if it shall `start`. Returns whether it does.
async fn listen(
    manager: &Manager,
    units: &[UnitFile],
    listened: bool,
    start: bool,
) -> Result<bool, CliError> {
    let socket = Unit::Socket.name();
    manager.call(&["daemon-reload"]).await?;
    manager.call(&["enable", socket]).await?;
    if !start {
        return Ok(listened);
    }
    let moved =
        units.iter().any(|file| file.unit == socket && file.change == Change::Written) && listened;
    // While torcd has the socket, systemd does not give it up.
    let verb = if moved && !manager.is_active(Unit::Service).await? { "restart" } else { "start" };
    manager.call(&[verb, socket]).await?;
    Ok(true)
}

fn report(ctx: &Context, installed: &Installed) -> Result<u8, CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if stdout.format.is_for_programs() {
        write_json(stdout.format, NOUN, installed, stdout.open())?;
    } else if !ctx.globals.quiet {
        for file in &installed.units {
            stdout.line(&format!("{}: {}", file.path.display(), file.change.as_str()))?;
        }
        for line in installed.sentences(ctx.globals.socket.is_some()) {
            stdout.line(&line)?;
        }
    }
    Ok(exit_code::DONE)
}

impl Installed {
    fn sentences(&self, socket_was_named: bool) -> Vec<String> {
        let socket = self.socket.display();
        let mut lines = vec![if self.listening {
            format!("systemd listens at {socket}, and starts torcd when something connects")
        } else {
            format!("systemd will listen at {socket} from your next login on")
        }];
        if socket_was_named {
            lines.push(
                "note: torcctl looks there only if TORC_SOCKET, `socket` in torc.toml, or --socket \
                 says so"
                    .to_owned(),
            );
        }
        if self.running_as_before {
            lines.push(
                "note: torcd runs on as it was started; `systemctl --user stop torcd.service && \
                 systemctl --user restart torcd.socket` ends it, and the next connection starts it \
                 anew"
                    .to_owned(),
            );
        }
        lines.push(lingering(self.lingering).to_owned());
        lines
    }
}

/// Says what becomes of torcd when its user has no session any more.
fn lingering(lingering: Option<bool>) -> &'static str {
    match lingering {
        Some(true) => "lingering is on: torcd runs on when you are logged out",
        Some(false) => {
            "lingering is off: systemd ends torcd, with its jobs and its final snapshot, soon after \
             your last logout\n\
             hint: `loginctl enable-linger` keeps it; where that is forbidden, ask for it, or use \
             `torcctl daemon start` in tmux in place of the service"
        }
        None => {
            "note: `loginctl show-user` does not tell whether torcd runs on when you are logged out"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed() -> Installed {
        Installed {
            units: Vec::new(),
            socket: "/s".into(),
            listening: true,
            running_as_before: false,
            lingering: Some(true),
        }
    }

    #[test]
    fn what_is_said_follows_what_was_done() {
        let said = |installed: Installed| installed.sentences(false).join("\n");
        assert!(said(installed()).starts_with("systemd listens at /s"));
        let later = said(Installed { listening: false, ..installed() });
        assert!(later.starts_with("systemd will listen at /s"), "{later}");
        let off = said(Installed { lingering: Some(false), ..installed() });
        assert!(off.contains("loginctl enable-linger"), "{off}");
        assert!(!said(installed()).contains("enable-linger"));
        let old = said(Installed { running_as_before: true, ..installed() });
        assert!(old.contains("stop torcd.service"), "{old}");
        assert!(installed().sentences(true).iter().any(|line| line.contains("TORC_SOCKET")));
    }
}
