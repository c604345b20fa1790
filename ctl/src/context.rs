//! What every command gets: the global options, and the way to a daemon.

use std::env;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use torc_protocol::paths;

use crate::client::Client;
use crate::error::{CliError, ErrorKind};
use crate::format::{ColorWhen, Format};
use crate::standalone::{self, Home, Launch, Standalone};

/// The environment variable that names the torcd to start.
pub const TORCD_VARIABLE: &str = "TORCD_BIN";

/// The options of every command.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Talk to the torcd at this socket [env: TORC_SOCKET]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Form of the output on stdout
    #[arg(long, global = true, value_enum, default_value_t)]
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
    /// When to use colours
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
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
    /// Returns the context for these options.
    #[must_use]
    pub fn new(globals: Globals) -> Self {
        Self { globals }
    }

    /// Connects to the daemon that runs.
    ///
    /// # Errors
    ///
    /// When none answers.
    pub async fn client(&self) -> Result<Client, CliError> {
        Client::connect(&self.socket()?).await
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
        if self.globals.socket.is_some() || is_set(paths::SOCKET_VARIABLE) {
            return Client::connect(&socket).await.map(Some);
        }
        Client::try_connect(&socket).await
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

    /// Returns the torcd to start.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn torcd(&self) -> Result<PathBuf, CliError> {
        let named = self.globals.torcd_bin.clone();
        let from_variable =
            || is_set(TORCD_VARIABLE).then(|| env::var_os(TORCD_VARIABLE)).flatten();
        standalone::find_torcd(named.or_else(|| from_variable().map(PathBuf::from)))
    }

    /// Returns where the daemon that runs listens, or would.
    ///
    /// # Errors
    ///
    /// When the path is too long, or there is no directory for it.
    pub fn socket(&self) -> Result<PathBuf, CliError> {
        Ok(paths::service_socket(self.globals.socket.as_deref())?)
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

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Returns `./torc_output/torc.db`, where `exec` and `run` leave their database.
#[must_use]
pub fn default_database() -> PathBuf {
    Path::new(paths::OUTPUT_DIR).join(paths::DATABASE_NAME)
}
