//! Reading the settings again while the daemon runs (SIGHUP).
//!
//! They are read beside the daemon: a home directory may be on a file system that does not answer.
//! What cannot change while it runs is warned about and stays, and of settings that are wrong nothing
//! is used.

use std::sync::Arc;

use tokio::task::JoinHandle;
use torc_protocol::config::key::Key;

use crate::config::Config;
use crate::daemon::build::CoreWriting;
use crate::daemon::start_error::StartError;
use crate::daemon::surroundings::Threshold;

/// Returns all that the daemon is told now.
pub(super) type Tell = Arc<dyn Fn() -> Result<Config, StartError> + Send + Sync>;

type Reading = JoinHandle<Result<Config, StartError>>;

/// Reads the settings again, once at a time.
pub(super) struct Reloader {
    tell: Tell,
    threshold: Threshold,
    /// What the daemon goes by.
    current: Config,
    reading: Option<Reading>,
    /// It was asked for again meanwhile.
    again: bool,
}

impl Reloader {
    pub(super) fn new(tell: Tell, threshold: Threshold, current: Config) -> Self {
        Self { tell, threshold, current, reading: None, again: false }
    }

    /// Begins to read, and does not wait.
    pub(super) fn begin(&mut self) {
        self.again = self.reading.is_some();
        if !self.again {
            let tell = self.tell.clone();
            self.reading = Some(tokio::task::spawn_blocking(move || tell()));
        }
    }

    /// Waits until they are read; forever while nobody asks. It can be given up and called again.
    pub(super) async fn read(&mut self) -> Result<Config, StartError> {
        let Some(reading) = &mut self.reading else { return std::future::pending().await };
        let read = reading.await;
        self.reading = None;
        if self.again {
            self.begin();
        }
        read.unwrap_or_else(|error| Err(StartError::new(1, format!("reading failed: {error}"))))
    }

    /// Goes by what was read from now on, as far as it can. `writing` is nothing in a daemon that only
    /// reads.
    pub(super) fn apply(
        &mut self,
        read: Result<Config, StartError>,
        writing: Option<&mut CoreWriting>,
    ) {
        let told = match read {
            Ok(told) => told,
            Err(error) => {
                tracing::error!("the settings stay as they were: {}", error.in_one_line());
                return;
            }
        };
        for key in fixed_changes(&self.current, &told) {
            tracing::warn!("{} has changed, and takes effect at the next start", key.name());
        }
        if told.log != self.current.log {
            self.threshold.set(told.log.as_deref());
        }
        let old = &self.current;
        let live = Config {
            pace: told.pace,
            snapshot_timeout: told.snapshot_timeout,
            spill: told.spill,
            log: told.log,
            ..old.clone()
        };
        if let Some(writing) = writing {
            let pace = live.pace;
            writing.pace.send_if_modified(|old| std::mem::replace(old, pace) != pace);
            writing.snapshot_timeout = live.snapshot_timeout;
            if let Some(spill) = &mut writing.spill {
                spill.places.clone_from(&live.spill);
            }
        }
        tracing::info!("the settings were read again: {}", describe(&live));
        self.current = live;
    }
}

/// Returns the settings that differ and cannot change while the daemon runs.
fn fixed_changes(old: &Config, new: &Config) -> Vec<Key> {
    let differs = [
        (old.socket != new.socket, Key::Socket),
        (old.database != new.database, Key::Database),
        (old.snapshot != new.snapshot, Key::SnapshotPath),
        (old.log_file != new.log_file, Key::LogFile),
    ];
    differs.into_iter().filter_map(|(differs, key)| differs.then_some(key)).collect()
}

fn describe(config: &Config) -> String {
    let interval = config
        .pace
        .interval
        .map_or_else(|| "never by itself".to_owned(), |it| format!("every {} s", it.as_secs()));
    let timeout = config.snapshot_timeout.as_secs();
    format!("{} snapshots kept, one {interval}, {timeout} s for the last", config.pace.keep)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use super::*;
    use crate::config::{Database, Pace};

    type Levels = Arc<Mutex<Vec<Option<String>>>>;

    fn pace(keep: u32) -> Pace {
        Pace { keep, interval: None }
    }

    fn config() -> Config {
        Config {
            socket: "/s".into(),
            database: Database::Memory,
            snapshot: "/d".into(),
            pace: pace(5),
            snapshot_timeout: Duration::from_secs(300),
            fresh: false,
            steal: false,
            lifeline: false,
            spill: vec!["/tmp".into()],
            recover: false,
            from: None,
            log: None,
            log_file: None,
        }
    }

    /// Returns a reloader whose settings keep one snapshot more at each reading, which goes on until
    /// it is let go; and the levels of the log that were set.
    fn reloader() -> (Reloader, Sender<()>, Levels) {
        let (let_go, wait) = channel();
        let reads = Mutex::new((wait, 0));
        let tell = Arc::new(move || {
            let mut reads = reads.lock().unwrap();
            reads.0.recv().unwrap();
            reads.1 += 1;
            Ok(Config { pace: pace(reads.1), log: Some("info".to_owned()), ..config() })
        });
        let levels = Levels::default();
        let set = levels.clone();
        let threshold = Threshold::new(move |level: Option<&str>| {
            set.lock().unwrap().push(level.map(str::to_owned));
        });
        (Reloader::new(tell, threshold, config()), let_go, levels)
    }

    #[tokio::test]
    async fn one_reading_is_made_for_all_that_ask_while_another_goes_on() {
        let (mut reloader, let_go, levels) = reloader();
        for _ in 0..3 {
            reloader.begin();
        }
        for expected in 1..=2 {
            let_go.send(()).unwrap();
            let read = reloader.read().await;
            assert_eq!(read.as_ref().unwrap().pace, pace(expected));
            reloader.apply(read, None);
        }
        assert!(reloader.reading.is_none(), "nobody has asked a third time");
        assert_eq!(reloader.current.pace, pace(2));
        assert_eq!(*levels.lock().unwrap(), [Some("info".to_owned())]);
    }

    #[test]
    fn what_cannot_change_stays_and_is_named() {
        let (mut reloader, ..) = reloader();
        let told = Config {
            socket: "/other".into(),
            database: Database::File("/f".into()),
            snapshot: "/other".into(),
            log_file: Some("/l".into()),
            pace: pace(9),
            ..config()
        };
        let keys = [Key::Socket, Key::Database, Key::SnapshotPath, Key::LogFile];
        assert_eq!(fixed_changes(&reloader.current, &told), keys);
        reloader.apply(Ok(told), None);
        assert_eq!(reloader.current, Config { pace: pace(9), ..config() });
        reloader.apply(Err(StartError::new(2, "wrong")), None);
        assert_eq!(reloader.current, Config { pace: pace(9), ..config() });
    }
}
