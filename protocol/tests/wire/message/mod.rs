//! One of each message, with every field set to something that shows where it is.

mod reply;
mod request;
mod spec;
mod worker;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use torc_protocol::event::EventKind;
pub(crate) use torc_protocol::request::{
    JobSelector, Request, RunningJobs, SnapshotWait, WorkflowSelector,
};
pub(crate) use torc_protocol::response::{ErrorCode, Response, SnapshotProgress, WatchItem};
pub(crate) use torc_protocol::result::{Ending, LogPart, Output, StopCause};
pub(crate) use torc_protocol::spec::{Command, HaltAfter, StdioMode, Trigger};
pub(crate) use torc_protocol::status::{JobStatus, WorkflowStatus};
pub(crate) use torc_protocol::view::SnapshotPhase;
pub(crate) use torc_protocol::worker::{WorkerEvent, WorkerRequest};

/// An enum of which there is one of each variant.
pub(crate) trait Golden: Serialize + DeserializeOwned + PartialEq + Debug {
    /// The name of the type.
    const NAME: &'static str;

    /// Returns each variant by its name.
    fn all() -> Vec<(&'static str, Self)>;
}

/// Implements [`Golden`]. A variant that is not listed does not compile.
macro_rules! golden {
    ($type:ident { $($variant:ident => $value:expr),+ $(,)? }) => {
        impl $crate::message::Golden for $type {
            const NAME: &'static str = stringify!($type);

            fn all() -> Vec<(&'static str, Self)> {
                let name = |message: &Self| match message {
                    $(Self::$variant { .. } => stringify!($variant)),+
                };
                let all: Vec<Self> = vec![$($value),+];
                all.into_iter().map(|message| (name(&message), message)).collect()
            }
        }
    };
}
use golden;
