//! That a submission is recorded once, although the connection may break before we are told.
//!
//! Each has a key. When torcd has gone between the commit and its reply, and comes back, the same
//! submission is sent again with the same key: a torcd that has it says so.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::submission::{self, Committed, Key, Submission};
use super::target::Target;
use super::{or_abandon, unless_signaled};
use crate::client::Client;
use crate::error::{CliError, ErrorKind};
use crate::signals::Signals;
use crate::stderr;

/// How long a torcd is waited for that has hung up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often its socket is tried meanwhile. That it is there again sends us no event.
const KNOCK: Duration = Duration::from_millis(50);

/// Submits a workflow once. With `watch` its events follow on the connection of the target.
pub(super) async fn submit(
    target: Target,
    signals: &mut Signals,
    (submission, key): (&impl Submission, &Key),
    watch: bool,
) -> Result<(Target, Committed), CliError> {
    let mut target = target;
    let sending = submission::send(&mut target.client, submission, key);
    let sent = unless_signaled(signals, sending).await;
    let (mut target, sent) = or_abandon(target, sent).await?;
    // No signal comes between the commit and its reply: whether the jobs run must be known.
    let submitted = submission::commit(&mut target.client, sent, watch).await;
    let may_come_back = target.private.is_none() && key.is_some();
    let submitted = match submitted {
        Err(error) if error.kind == ErrorKind::NoDaemon && may_come_back => {
            stderr::say(&format!("{}; asking whether the workflow is submitted", error.message));
            tokio::select! {
                submitted = until_known(&mut target.client, submission, key, watch) => submitted,
                signal = signals.next() => {
                    stderr::say(&format!("{}: whether it is submitted is not known", signal.name()));
                    Err(CliError::said(signal.exit_code()))
                }
            }
        }
        submitted => submitted,
    };
    or_abandon(target, submitted).await
}

/// Sends the submission again to the torcd that is at the same place now, or soon is.
async fn until_known(
    client: &mut Client,
    submission: &impl Submission,
    key: &Key,
    watch: bool,
) -> Result<Committed, CliError> {
    let end = Instant::now() + PATIENCE;
    loop {
        let error = match again(client, submission, key, watch).await {
            Err(error) if error.kind == ErrorKind::NoDaemon => error,
            known => return known,
        };
        if Instant::now() >= end {
            let message = format!(
                "whether the workflow is submitted is not known after {} s: {}",
                PATIENCE.as_secs(),
                error.message
            );
            return Err(CliError::new(ErrorKind::NoDaemon, message)
                .hint("start torcd again; then `torcctl workflows list` tells"));
        }
        sleep(KNOCK).await;
    }
}

async fn again(
    client: &mut Client,
    submission: &impl Submission,
    key: &Key,
    watch: bool,
) -> Result<Committed, CliError> {
    *client = Client::connect(client.socket()).await?;
    let sent = submission::send(client, submission, key).await?;
    submission::commit(client, sent, watch).await
}
