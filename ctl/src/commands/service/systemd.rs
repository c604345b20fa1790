//! Calls of `systemctl --user` and `loginctl`.
//!
//! After `su`, and in some jobs of Slurm, `$XDG_RUNTIME_DIR` is not set although the manager runs;
//! then we name the place where it listens.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use torc_protocol::paths;

use crate::commands::service::unit::Unit;
use crate::error::{CliError, ErrorKind};

/// What a user does who has no manager.
pub(super) const WITHOUT: &str = "without systemd, start torcd in one of these ways:
  `torcctl daemon start`, by hand or in tmux; it outlives the terminal
  the line `torcctl daemon start --quiet` in ~/.bashrc, or at the top of a batch script, which then \
ends with `torcctl daemon stop`
  from Slurm's TaskProlog, for every job, with a `--socket`, `--db` and `--snapshot` of its own";

/// The manager of this user, which has answered.
#[derive(Debug)]
pub(in crate::commands) struct Manager {
    /// The directories in which it looks for units, as it says them: a space between two.
    unit_path: String,
    runtime: Option<PathBuf>,
}

/// How a command ended that may fail.
struct Answer {
    success: bool,
    stdout: String,
    stderr: String,
}

impl Manager {
    /// Finds it.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::NoDaemon`] when there is none; `hint` says what to do without.
    pub(in crate::commands) async fn find(hint: &str) -> Result<Self, CliError> {
        let runtime = runtime_dir();
        let mut command = systemctl(runtime.as_ref());
        command.args(["show", "--property=UnitPath", "--value"]);
        let why = match ask(command).await {
            Ok(answer) if answer.success => {
                return Ok(Self { unit_path: answer.stdout, runtime });
            }
            Ok(answer) => answer.stderr,
            Err(error) => error,
        };
        let message = format!("there is no systemd here that runs services of users: {why}");
        Err(CliError::new(ErrorKind::NoDaemon, message).hint(hint))
    }

    /// Returns whether it looks for units in this directory.
    pub(super) fn reads(&self, dir: &Path) -> bool {
        let Some(dir) = dir.to_str() else { return false };
        let ends = |end: Option<char>| end.is_none_or(char::is_whitespace);
        self.unit_path.match_indices(dir).any(|(start, _)| {
            let (before, after) = (&self.unit_path[..start], &self.unit_path[start + dir.len()..]);
            ends(before.chars().next_back()) && ends(after.chars().next())
        })
    }

    /// Returns whether it finds just this text for a unit in another directory than `own`.
    pub(super) fn has_packaged(&self, unit: Unit, own: &Path, text: &str) -> bool {
        let dirs = self.unit_path.split_whitespace().map(Path::new).filter(|dir| *dir != own);
        let mut found = dirs.filter_map(|dir| fs::read_to_string(dir.join(unit.name())).ok());
        found.next().is_some_and(|found| found == text)
    }

    /// Returns the directory that it calls `%t`; none when nobody knows.
    pub(in crate::commands) fn runtime(&self) -> Option<&PathBuf> {
        self.runtime.as_ref()
    }

    /// Returns whether a unit is active, or about to be.
    pub(in crate::commands) async fn is_active(&self, unit: Unit) -> Result<bool, CliError> {
        let state = self.property(unit, "ActiveState").await?;
        Ok(!matches!(state.as_str(), "inactive" | "failed"))
    }

    /// Returns whether it listens at `socket` for torcd, or will when its unit is active.
    pub(in crate::commands) async fn knows(&self, socket: &Path) -> Result<bool, CliError> {
        let listen = self.property(Unit::Socket, "Listen").await?;
        Ok(listen.strip_suffix(" (Stream)").is_some_and(|path| Path::new(path) == socket))
    }

    /// Returns a property of a unit.
    pub(in crate::commands) async fn property(
        &self,
        unit: Unit,
        name: &str,
    ) -> Result<String, CliError> {
        let property = format!("--property={name}");
        self.call(&["show", "--value", &property, unit.name()]).await
    }

    /// Runs `systemctl --user` with these arguments, and returns what it prints.
    ///
    /// # Errors
    ///
    /// When it fails, with what it says.
    pub(in crate::commands) async fn call(&self, args: &[&str]) -> Result<String, CliError> {
        let mut command = systemctl(self.runtime.as_ref());
        command.args(args);
        let what = format!("`systemctl --user {}`", args.join(" "));
        let failed = |why: String| {
            CliError::new(ErrorKind::Failed, format!("{what} failed: {why}"))
                .hint("`systemctl --user status torcd.socket torcd.service` may say more")
        };
        match ask(command).await {
            Ok(answer) if answer.success => Ok(answer.stdout.trim().to_owned()),
            Ok(answer) => Err(failed(answer.stderr)),
            Err(error) => Err(failed(error)),
        }
    }

    /// Returns whether the manager outlives the last session of its user; none when that cannot be
    /// found out.
    pub(super) async fn lingers(&self) -> Option<bool> {
        let mut command = Command::new("loginctl");
        command.args(["show-user", &paths::own_uid().to_string()]);
        command.args(["--property=Linger", "--value"]);
        let answer = ask(command).await.ok().filter(|answer| answer.success)?;
        match answer.stdout.trim() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }
}

fn runtime_dir() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    named.map(PathBuf::from).or_else(|| Some(paths::login_dir()).filter(|dir| dir.is_dir()))
}

fn systemctl(runtime: Option<&PathBuf>) -> Command {
    let mut command = Command::new("systemctl");
    command.arg("--user");
    if let Some(dir) = runtime {
        command.env("XDG_RUNTIME_DIR", dir);
    }
    command
}

/// Runs a command to its end; in words when it cannot be started.
async fn ask(mut command: Command) -> Result<Answer, String> {
    let program = command.as_std().get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().await;
    let output = output.map_err(|error| format!("cannot run {program}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let mut stderr = text(&output.stderr);
    if stderr.is_empty() {
        stderr = output.status.to_string();
    }
    Ok(Answer { success: output.status.success(), stdout: text(&output.stdout), stderr })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(unit_path: &str) -> Manager {
        Manager { unit_path: unit_path.to_owned(), runtime: None }
    }

    #[test]
    fn a_directory_is_known_only_as_a_whole() {
        let manager = manager("/users/a b/.config/systemd/user /usr/lib/systemd/user");
        for (dir, is_known) in [
            ("/users/a b/.config/systemd/user", true),
            ("/usr/lib/systemd/user", true),
            ("/usr/lib/systemd", false),
            ("/lib/systemd/user", false),
        ] {
            assert_eq!(manager.reads(Path::new(dir)), is_known, "{dir}");
        }
    }

    #[test]
    fn a_packaged_unit_is_found_unless_another_one_comes_first() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (first, second) = (first.path(), second.path());
        let manager = manager(&format!("/own {} {}", first.display(), second.display()));
        let has = || manager.has_packaged(Unit::Socket, Path::new("/own"), "text");
        assert!(!has());
        fs::write(second.join("torcd.socket"), "text").unwrap();
        assert!(has());
        fs::write(first.join("torcd.socket"), "other").unwrap();
        assert!(!has());
    }
}
