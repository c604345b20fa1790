//! Where the log goes.

use tracing_subscriber::EnvFilter;

use crate::cli::USAGE;
use crate::daemon::StartError;
use crate::lines::Lines;

/// Begins the log at `level`, and returns where its lines go.
pub(super) fn start(level: &str) -> Result<Lines, StartError> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        StartError::new(USAGE, format!("--log '{level}' is no level: {error}"))
            .hint("use error, warn, info, debug or trace")
    })?;
    let stderr = Lines::to(std::io::stderr(), "stderr")
        .map_err(|error| StartError::new(1, format!("cannot start a thread: {error}")))?;
    // It fails only when there is a log already, which serves as well.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(stderr.clone())
        .try_init();
    Ok(stderr)
}
