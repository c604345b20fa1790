//! Strikes when its moment comes.

use nix::sys::signal::Signal;
use torc_tests::processes;

use crate::bell::Bell;
use crate::plan::{Role, Strike};
use crate::round::Round;

/// A process that was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// What it was.
    pub(crate) role: Role,
    /// With what.
    pub(crate) signal: Signal,
}

/// Carries out the strikes of a life, one after the other, and returns who was hit. `torcctl` is what
/// the user has started, where that is not torcd.
pub(crate) fn strike(
    round: &Round<'_>,
    bell: &Bell,
    strikes: &[Strike],
    torcctl: Option<u32>,
) -> Vec<Hit> {
    let mut hits = Vec::new();
    for strike in strikes {
        let before = hits.len();
        if bell.wait(strike.when) {
            for role in &strike.victims {
                let victim = match role {
                    Role::Torcctl => torcctl.filter(|pid| processes::is_alive(*pid)),
                    _ => round.stage.alive(*role).first().copied(),
                };
                if let Some(pid) = victim {
                    processes::signal(pid, strike.signal);
                    hits.push(Hit { role: *role, signal: strike.signal });
                }
            }
        }
        for hit in &hits[before..] {
            round.figures.kill(hit.role, hit.signal);
        }
        if hits.len() == before {
            round.figures.missed.add(1);
        }
        round.stage.log(&format!("{strike:?} hit {:?}", &hits[before..]));
    }
    hits
}
