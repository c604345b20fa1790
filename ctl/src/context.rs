//! What every command gets: the global options, and the way to a daemon.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use torc_protocol::config::key::Key;
use torc_protocol::config::settings::Settings;
use torc_protocol::config::sources::Sources;
use torc_protocol::config::value::Value;
use torc_protocol::config::{ConfigError, Origin};
use torc_protocol::paths;

use crate::client::Client;
use crate::error::{CliError, ErrorKind};
use crate::format::{ColorWhen, Format};
use crate::skew;
use crate::standalone::{self, Home, Launch, Standalone};
use crate::stderr;

/// How long the files of settings may take before the user is told what is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The options of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Talk to the torcd at this socket [env: TORC_SOCKET]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Form of the output on stdout [env: TORC_FORMAT] [default: table]
    #[arg(id = "format", long = "format", global = true, value_enum, value_name = "FORMAT")]
    pub given_format: Option<Format>,
    /// The form that counts, when the settings are known.
    #[arg(skip)]
    pub format: Format,
    /// Read this file instead of asking the running torcd; for a torcd that is started, the place
    /// of its database, or of its snapshots when that is in memory [default: ./torc_output/torc.db]
    #[arg(long, global = true, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Use a private torcd even when one is running
    #[arg(short, long, global = true)]
    pub standalone: bool,
    /// The torcd to start, instead of the one beside torcctl or in PATH [env: TORCD_BIN]
    #[arg(long, global = true, value_name = "PATH")]
    pub torcd_bin: Option<PathBuf>,
    /// When to use colours [env: TORC_COLOR] [default: auto]
    #[arg(id = "color", long = "color", global = true, value_enum, value_name = "WHEN")]
    pub given_color: Option<ColorWhen>,
    /// When that is, when the settings are known.
    #[arg(skip)]
    pub color: ColorWhen,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more of what torcd does (can be repeated)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

impl Globals {
    /// Returns what a torcd that we start shall log; none leaves it to torcd.
    #[must_use]
    pub fn log_level(&self) -> Option<&'static str> {
        match self.verbose {
            0 => None,
            1 => Some("info"),
            2 => Some("debug"),
            _ => Some("trace"),
        }
    }
}

/// The global options, and what follows from them.
#[derive(Debug)]
pub struct Context {
    /// As given.
    pub globals: Globals,
    /// What is set anywhere, these options on top.
    pub settings: Settings,
}

/// A daemon to read from: one that runs, or one of ours that reads a file as long as this lives.
#[derive(Debug)]
pub struct Reader {
    /// The connection.
    pub client: Client,
    /// Kept for its lifeline.
    _daemon: Option<Standalone>,
}

impl Context {
    /// Returns the context for these options, where nothing else is set.
    #[must_use]
    pub fn new(globals: Globals) -> Self {
        Self::with(globals, Settings::default())
    }

    /// Returns the context for these options on top of what files and the environment say.
    ///
    /// # Errors
    ///
    /// When some of that is wrong.
    pub fn load(globals: Globals) -> Result<Self, CliError> {
        Ok(Self::with(globals, settings()?))
    }

    /// Does as [`Self::load`], or as [`Self::new`] where something is wrong: for what explains things
    /// to people.
    #[must_use]
    pub fn load_if_right(globals: Globals) -> Self {
        Self::with(globals, settings().unwrap_or_default())
    }

    fn with(mut globals: Globals, mut settings: Settings) -> Self {
        let path = |path: &Option<PathBuf>| path.clone().map(Value::Path);
        settings.set_flag(Key::Socket, path(&globals.socket));
        settings.set_flag(Key::TorcdBin, path(&globals.torcd_bin));
        settings.set_flag(Key::Format, globals.given_format.and_then(word));
        settings.set_flag(Key::Color, globals.given_color.and_then(word));
        globals.format = choice(&settings, Key::Format).unwrap_or_default();
        globals.color = choice(&settings, Key::Color).unwrap_or_default();
        Self { globals, settings }
    }

    /// Connects to the daemon that runs.
    ///
    /// # Errors
    ///
    /// When none answers.
    pub async fn client(&self) -> Result<Client, CliError> {
        let client = Client::connect(&self.socket()?).await?;
        self.note_version(&client);
        Ok(client)
    }

    /// Tells the user when the daemon is of another version, unless there is to be quiet.
    fn note_version(&self, client: &Client) {
        if !self.globals.quiet {
            skew::note(client.version());
        }
    }

    /// Connects to the daemon that runs, for a change: one that is not meant for the file that
    /// `--db` names.
    ///
    /// # Errors
    ///
    /// When a file is named, or no daemon answers.
    pub async fn writer(&self) -> Result<Client, CliError> {
        if let Some(file) = &self.globals.db {
            let file = file.display();
            let message = format!("{file} is only read, and this command changes something");
            return Err(CliError::usage(message).hint(format!(
                "serve it with `torcctl daemon start --db {file}`, then leave `--db` out"
            )));
        }
        self.client().await
    }

    /// Connects to the daemon that runs, if one does.
    ///
    /// # Errors
    ///
    /// When one was named with `--socket` and does not answer, or what answers is no torcd of ours.
    pub async fn running(&self) -> Result<Option<Client>, CliError> {
        let socket = self.socket()?;
        // A file of settings only says where it would be.
        let named = self.settings.origin(Key::Socket);
        if matches!(named, Some(Origin::Flag(_) | Origin::Variable(_))) {
            return self.client().await.map(Some);
        }
        let client = Client::try_connect(&socket).await?;
        client.iter().for_each(|client| self.note_version(client));
        Ok(client)
    }

    /// Connects to a daemon that can answer queries: with `--db` one that reads that file; else the
    /// one that runs; else one that reads the default file, if there is one.
    ///
    /// # Errors
    ///
    /// When there is neither a daemon nor a file, or the file cannot be read.
    pub async fn reader(&self) -> Result<Reader, CliError> {
        if let Some(file) = &self.globals.db {
            return self.read_file(file).await;
        }
        if !self.globals.standalone
            && let Some(client) = self.running().await?
        {
            return Ok(Reader { client, _daemon: None });
        }
        let file = default_database();
        if file.exists() {
            return self.read_file(&file).await;
        }
        let message = format!("no torcd is running, and there is no {}", file.display());
        Err(CliError::new(ErrorKind::NoDaemon, message)
            .hint("go where the jobs were run, name a file with `--db FILE`, or start a torcd with `torcctl daemon start`"))
    }

    /// Connects to the daemon that runs; with `--db` to one that reads that file.
    ///
    /// # Errors
    ///
    /// When none answers, or the file cannot be read.
    pub async fn named(&self) -> Result<Reader, CliError> {
        match &self.globals.db {
            Some(file) => self.read_file(file).await,
            None => Ok(Reader { client: self.client().await?, _daemon: None }),
        }
    }

    /// Returns the torcd to start.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn torcd(&self) -> Result<PathBuf, CliError> {
        standalone::find_torcd(self.settings.path(Key::TorcdBin).map(Path::to_owned))
    }

    /// Returns where the daemon that runs listens, or would.
    ///
    /// # Errors
    ///
    /// When the path is too long, or there is no directory for it.
    pub fn socket(&self) -> Result<PathBuf, CliError> {
        Ok(paths::service_socket(self.settings.path(Key::Socket))?)
    }

    async fn read_file(&self, file: &Path) -> Result<Reader, CliError> {
        if let Err(error) = std::fs::metadata(file) {
            let message = format!("cannot read the database {}: {error}", file.display());
            return Err(CliError::new(ErrorKind::NotFound, message)
                .hint("name the file with `--db FILE`; `exec` writes ./torc_output/torc.db"));
        }
        let launch = Launch::new(self.torcd()?, Home::ReadOnly(file.to_owned()));
        let daemon = Standalone::start(&launch).await?;
        let client = Client::connect(daemon.socket()).await?;
        Ok(Reader { client, _daemon: Some(daemon) })
    }
}

/// Reads files and the environment. Home and working directories may be on file systems that do not
/// answer; the user is told then what is waited for.
fn settings() -> Result<Settings, ConfigError> {
    let sources = Sources::here(true);
    let (sender, receiver) = channel();
    let reading = sources.clone();
    let reader = thread::Builder::new().spawn(move || sender.send(reading.read()));
    if reader.is_err() {
        return sources.read();
    }
    match receiver.recv_timeout(PATIENCE) {
        Ok(read) => read,
        Err(RecvTimeoutError::Timeout) => {
            let place = paths::user_config().unwrap_or_default();
            stderr::say(&format!("waiting for the settings in {} …", place.display()));
            receiver.recv().unwrap_or_else(|_| sources.read())
        }
        Err(RecvTimeoutError::Disconnected) => sources.read(),
    }
}

/// Returns the value of a setting that is one of the words of `T`.
#[must_use]
pub fn choice<T: ValueEnum>(settings: &Settings, key: Key) -> Option<T> {
    T::from_str(settings.text(key)?, false).ok()
}

fn word<T: ValueEnum>(value: T) -> Option<Value> {
    Some(Value::Text(value.to_possible_value()?.get_name().to_owned()))
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string()).hint(error.hint)
    }
}

/// Returns `./torc_output/torc.db`, where `exec` and `run` leave their database.
#[must_use]
pub fn default_database() -> PathBuf {
    Path::new(paths::OUTPUT_DIR).join(paths::DATABASE_NAME)
}
