//! The states of workflows and jobs, by the words that users, JSON and the database use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! define_status {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every state, in the order in which they are usually reached.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the word for this state.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownStatus;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownStatus {
                        word: word.to_owned(),
                        known: &[$($word),+],
                    }),
                }
            }
        }
    };
}

/// A word that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown status '{word}': expected one of {}", known.join(", "))]
pub struct UnknownStatus {
    word: String,
    known: &'static [&'static str],
}

define_status! {
    /// The state of a workflow.
    WorkflowStatus {
        /// Some job has not ended.
        Running = "running",
        /// Every job completed.
        Completed = "completed",
        /// Every job ended, and at least one failed or was terminated.
        Failed = "failed",
        /// It was canceled before all of its jobs could run.
        Canceled = "canceled",
        /// All that can run has ended, but jobs are left that are disabled or have labels which
        /// the run has not.
        Paused = "paused",
    }
}

define_status! {
    /// The state of a job.
    JobStatus {
        /// Waits for other jobs.
        Blocked = "blocked",
        /// Could run; waits for room.
        Ready = "ready",
        /// Given to a worker, which starts it as soon as it has room.
        Pending = "pending",
        /// Its process exists.
        Running = "running",
        /// Ended with exit code 0.
        Completed = "completed",
        /// Ended with another exit code, by a signal that was not ours, or could not be started.
        Failed = "failed",
        /// Ended before it ever started.
        Canceled = "canceled",
        /// Was running and was stopped: by a time limit, a cancel, or because torc had to end.
        Terminated = "terminated",
        /// Set aside; neither runs nor ends.
        Disabled = "disabled",
    }
}

impl JobStatus {
    /// Returns whether a job in this state will not run again by itself.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled | Self::Terminated)
    }
}
