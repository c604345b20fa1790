//! The text of the two units.

use std::fmt;
use std::path::Path;

use crate::error::CliError;

/// Where a packaged torcd listens, in the words of systemd: the runtime directory of its user.
const USUAL_SOCKET: &str = "%t/torc/torcd.sock";

/// One of the units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::commands) enum Unit {
    /// The one that runs torcd.
    Service,
    /// The one that listens, and starts the other.
    Socket,
}

impl Unit {
    /// Both, in the order in which they are shown.
    pub(in crate::commands) const ALL: [Self; 2] = [Self::Service, Self::Socket];

    /// Returns its name, which is also that of its file.
    pub(in crate::commands) fn name(self) -> &'static str {
        match self {
            Self::Service => "torcd.service",
            Self::Socket => "torcd.socket",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the units are about, in the words of systemd.
#[derive(Debug)]
pub(super) struct Words {
    exec_start: String,
    listen_stream: String,
}

impl Words {
    /// Returns how systemd names this program; and this socket, which is the usual one if that lies
    /// in `runtime`, the directory that systemd calls `%t`.
    ///
    /// # Errors
    ///
    /// When one of them cannot be written into a unit.
    pub(super) fn new(
        torcd: &Path,
        socket: Option<&Path>,
        runtime: Option<&Path>,
    ) -> Result<Self, CliError> {
        let is_usual = |socket: &Path| {
            runtime.is_some_and(|runtime| socket == runtime.join("torc/torcd.sock"))
        };
        let listen_stream = match socket.filter(|socket| !is_usual(socket)) {
            Some(socket) => plain(socket)?,
            None => USUAL_SOCKET.to_owned(),
        };
        Ok(Self { exec_start: quoted(torcd)?, listen_stream })
    }

    /// Returns the text of a unit.
    pub(super) fn text_of(&self, unit: Unit) -> String {
        match unit {
            Unit::Service => include_str!("torcd.service").replace("@TORCD@", &self.exec_start),
            Unit::Socket => include_str!("torcd.socket").replace("@SOCKET@", &self.listen_stream),
        }
    }
}

/// Returns a path as a value that systemd reads to the end of the line, but for its `%`.
fn plain(path: &Path) -> Result<String, CliError> {
    let refused = |why: &str| {
        CliError::usage(format!("{} cannot stand in a unit: {why}", path.display()))
            .hint("name another place")
    };
    let text = path.to_str().ok_or_else(|| refused("it is not UTF-8"))?;
    if !path.is_absolute() {
        return Err(refused("it does not begin with `/`"));
    }
    if text.contains(char::is_control) || text != text.trim() || text.ends_with('\\') {
        return Err(refused("it has characters that would end the line, or the value"));
    }
    Ok(text.replace('%', "%%"))
}

/// Returns a path as the first word of a command line.
fn quoted(path: &Path) -> Result<String, CliError> {
    let text = plain(path)?;
    if !text.contains([' ', '"', '\'', '\\', ';']) {
        return Ok(text);
    }
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(text: &'a str, key: &str) -> &'a str {
        let start = format!("{key}=");
        text.lines().find_map(|line| line.strip_prefix(&start)).unwrap()
    }

    fn words(torcd: &str, socket: &str) -> Words {
        let runtime = Path::new("/run/user/7");
        Words::new(Path::new(torcd), Some(Path::new(socket)), Some(runtime)).unwrap()
    }

    #[test]
    fn the_units_of_packages_are_these() {
        let words = Words::new(Path::new("/usr/bin/torcd"), None, None).unwrap();
        for unit in Unit::ALL {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/systemd");
            let file = file.join(unit.name());
            if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
                std::fs::write(&file, words.text_of(unit)).unwrap();
            }
            assert!(
                std::fs::read_to_string(&file).unwrap_or_default() == words.text_of(unit),
                "{} is not what `torcctl service print` prints; \
                 run `UPDATE=1 cargo test -p torcctl --lib units_of_packages`",
                file.display()
            );
        }
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        let words = words("/bin/torcd", "/s");
        for unit in Unit::ALL {
            assert!(!words.text_of(unit).contains('@'), "{unit}");
        }
    }

    #[test]
    fn paths_are_written_as_systemd_reads_them() {
        let exec = |path: &str| words(path, "/s").text_of(Unit::Service);
        for (path, expected) in [
            ("/opt/torc-1.0/torcd", "/opt/torc-1.0/torcd"),
            ("/opt/50% off/torcd", "\"/opt/50%% off/torcd\""),
            ("/a\"b\\c/torcd", "\"/a\\\"b\\\\c/torcd\""),
        ] {
            assert_eq!(value(&exec(path), "ExecStart"), expected);
        }
        for wrong in ["torcd", "/a\nExecStartPre=/bad", "/a "] {
            let error = Words::new(Path::new(wrong), None, None).unwrap_err();
            assert_eq!(error.kind, crate::error::ErrorKind::Usage, "{wrong}");
        }
    }

    #[test]
    fn the_usual_socket_follows_the_runtime_directory() {
        let listen = |socket: &str| words("/torcd", socket).text_of(Unit::Socket);
        let usual = listen("/run/user/7/torc/torcd.sock");
        assert_eq!(value(&usual, "ListenStream"), USUAL_SOCKET);
        assert_eq!(value(&listen("/tmp/50%/x.sock"), "ListenStream"), "/tmp/50%%/x.sock");
    }
}
