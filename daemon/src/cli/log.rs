//! Where the log goes, and how its lines look there.
//!
//! Standard error, or the journal of systemd when that is what standard error is, or a file. What
//! goes to the journal begins with its priority in angle brackets and has no time: the journal has
//! its own. Who runs for a single command says what is wrong and nothing else; what goes to a file or
//! the journal is for later, so it tells of the ordinary too.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use torc_protocol::paths;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::reload;

use crate::cli::USAGE;
use crate::daemon::{Log, LogPlace, StartError, Threshold};
use crate::lines::Lines;
use crate::lines::rotating::{LogError, Rotating};
use crate::sys::inherited;

/// The variable in which systemd says what the journal is.
const JOURNAL_VARIABLE: &str = "JOURNAL_STREAM";

/// What is wanted of the log.
#[derive(Debug)]
pub(super) struct Wanted {
    /// What is at least this severe; none to go by the place.
    pub(super) level: Option<String>,
    /// Into this file.
    pub(super) file: Option<PathBuf>,
    /// The daemon is for a single command.
    pub(super) private: bool,
    /// Where warnings go besides, for a daemon that leaves whoever started it: to that one, until it
    /// has left. Such a daemon has a file in any case.
    pub(super) caller: Option<Lines>,
}

/// Begins the log. Once in a process; another time nothing happens.
///
/// # Errors
///
/// When the level is none, or the file cannot be written.
pub(super) fn begin(wanted: Wanted) -> Result<Log, StartError> {
    let (lines, place) = open(&wanted)?;
    let is_for_later = place != LogPlace::Stderr && !wanted.private;
    let default = if is_for_later { "info" } else { "warn" };
    let level = wanted.level.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(level).map_err(|error| {
        StartError::new(USAGE, format!("--log '{level}' is no level: {error}"))
            .hint("use error, warn, info, debug or trace")
    })?;
    let is_journal = place == LogPlace::Journal;
    let writer = Writer { lines: lines.clone(), is_journal, caller: wanted.caller };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(writer);
    // It fails only when there is a log already, which serves as well.
    let threshold = if is_journal {
        let subscriber = subscriber.without_time().with_level(false).with_filter_reloading();
        let handle = subscriber.reload_handle();
        let _ = subscriber.try_init();
        threshold(default, move |filter| handle.reload(filter))
    } else {
        let subscriber = subscriber.with_filter_reloading();
        let handle = subscriber.reload_handle();
        let _ = subscriber.try_init();
        threshold(default, move |filter| handle.reload(filter))
    };
    if is_for_later {
        std::panic::set_hook(Box::new(|fault| tracing::error!("a fault of torcd: {fault}")));
    }
    Ok(Log { lines, place, threshold })
}

/// Returns the threshold that `reload` sets.
fn threshold(
    default: &'static str,
    reload: impl Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync + 'static,
) -> Threshold {
    Threshold::new(move |level: Option<&str>| {
        let level = level.unwrap_or(default);
        let set = EnvFilter::try_new(level).map_err(|error| error.to_string());
        let set = set.and_then(|filter| reload(filter).map_err(|error| error.to_string()));
        if let Err(error) = set {
            tracing::error!("the level of the log stays as it was, and is not '{level}': {error}");
        }
    })
}

fn open(wanted: &Wanted) -> Result<(Lines, LogPlace), StartError> {
    let opened = match &wanted.file {
        Some(file) => Some(Rotating::open(file)),
        None if wanted.caller.is_some() => Some(Rotating::open_next(&default_file()?)),
        None => None,
    };
    let system = StartError::system("start a thread");
    let Some(opened) = opened else {
        let lines = Lines::to(io::stderr(), "stderr").map_err(system)?;
        let is_journal = is_journal(io::stderr());
        let place = if is_journal { LogPlace::Journal } else { LogPlace::Stderr };
        return Ok((lines, place));
    };
    let file = opened.map_err(|error| refused(&error))?;
    let place = LogPlace::File(file.path().to_owned());
    Ok((Lines::to_target(file, "log").map_err(system)?, place))
}

fn default_file() -> Result<PathBuf, StartError> {
    paths::service_log().map_err(|error| {
        StartError::new(USAGE, format!("there is no place for a log: {error}"))
            .hint("name one with `--log-file PATH`")
    })
}

fn refused(error: &LogError) -> StartError {
    StartError::new(USAGE, error.to_string()).hint("name another file with `--log-file PATH`")
}

/// Returns whether `stream` is what systemd says that the journal reads.
pub(super) fn is_journal(stream: impl AsFd) -> bool {
    let named = std::env::var(JOURNAL_VARIABLE).ok();
    is_named(named.as_deref(), inherited::identity(stream))
}

fn is_named(named: Option<&str>, identity: Option<(u64, u64)>) -> bool {
    let parse = |named: &str| {
        let (device, number) = named.split_once(':')?;
        Some((device.parse().ok()?, number.parse().ok()?))
    };
    identity.is_some() && named.and_then(parse) == identity
}

/// Returns `text`, an error that ends us, as it is to be written to standard error.
pub(super) fn last_words(text: &str) -> String {
    if is_journal(io::stderr()) { prefixed(text, Level::ERROR) } else { text.to_owned() }
}

/// Returns the lines of `text`, each with its priority, as the journal takes them.
fn prefixed(text: &str, level: Level) -> String {
    let priority = match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    };
    let lines = text.lines().map(|line| format!("<{priority}>{}", line.trim_start()));
    lines.collect::<Vec<_>>().join("\n")
}

/// Makes a place to write for each message.
#[derive(Debug)]
struct Writer {
    lines: Lines,
    is_journal: bool,
    caller: Option<Lines>,
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Message<'a>;

    fn make_writer(&'a self) -> Message<'a> {
        Message { to: self, level: Level::INFO, bytes: Vec::new() }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Message<'a> {
        Message { to: self, level: *metadata.level(), bytes: Vec::new() }
    }
}

/// One message of the log, written when it is whole.
#[derive(Debug)]
struct Message<'a> {
    to: &'a Writer,
    level: Level,
    bytes: Vec<u8>,
}

impl Write for Message<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if let Some(caller) = &self.to.caller
            && self.level <= Level::WARN
        {
            caller.push(bytes.clone());
        }
        if self.to.is_journal {
            self.to.lines.say(prefixed(&String::from_utf8_lossy(&bytes), self.level));
        } else {
            self.to.lines.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_device_and_number() {
        assert!(is_named(Some("9:123"), Some((9, 123))));
        for (named, identity) in [
            (Some("9:123"), Some((9, 124))),
            (Some("8:123"), Some((9, 123))),
            (Some("9"), Some((9, 123))),
            (Some("x:y"), None),
            (None, Some((9, 123))),
            (None, None),
        ] {
            assert!(!is_named(named, identity), "{named:?} {identity:?}");
        }
    }

    #[test]
    fn each_line_in_the_journal_has_its_priority() {
        assert_eq!(prefixed("one\n  two\n", Level::WARN), "<4>one\n<4>two");
        for (level, expected) in [
            (Level::ERROR, "<3>x"),
            (Level::INFO, "<6>x"),
            (Level::DEBUG, "<7>x"),
            (Level::TRACE, "<7>x"),
        ] {
            assert_eq!(prefixed("x", level), expected);
        }
    }

    #[test]
    fn only_what_is_wrong_goes_to_the_caller_too() {
        use std::io::Read;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let lines = Lines::to_target(Rotating::open(&path).unwrap(), "log").unwrap();
        let caller = Some(Lines::to(ours, "caller").unwrap());
        let writer = Writer { lines, is_journal: false, caller };
        for (level, text) in [(Level::INFO, "info\n"), (Level::WARN, "warn\n")] {
            let mut message = Message { to: &writer, level, bytes: Vec::new() };
            message.write_all(text.as_bytes()).unwrap();
        }
        writer.lines.flush(std::time::Duration::from_secs(60));
        drop(writer);
        let mut told = String::new();
        theirs.read_to_string(&mut told).unwrap();
        assert_eq!(told, "warn\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "info\nwarn\n");
    }
}
