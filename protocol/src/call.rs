//! What ties each verb to its reply, so that neither side can take one for another.

use crate::request::{
    Cancel, DeleteWorkflow, Explain, GetJob, GetWorkflow, ListEdges, ListFileUses, ListFiles,
    ListJobs, ListResults, ListUserData, ListWorkflows, Logs, Ping, Request, Restart, SetDisabled,
    Shutdown, Snapshot, Status, Submit, SubmitCommit, SubmitFiles, SubmitJobs, Watch,
};
use crate::response::{
    Canceled, Deleted, Disabled, Explanation, JobDetail, LogChunk, Pong, Response,
    SnapshotProgress, SubmitAccepted, Submitted, WatchItem,
};
use crate::view::{
    EdgeView, FileUseView, FileView, JobView, ResultView, StatusView, UserDataView, WorkflowView,
};

/// A verb, and the type of its reply.
///
/// A verb of [`Many`] replies gets any number of them and then [`Response::End`]; a verb of [`One`]
/// gets one. Either may get [`Response::Error`] instead.
pub trait Call: Into<Request> {
    /// What comes back.
    type Reply: TryFrom<Response, Error = Box<Response>>;
    /// How many of them: [`One`] or [`Many`].
    type Count: Count;
}

/// How many replies there are, as a type.
pub trait Count {
    /// Any number and then [`Response::End`], rather than one.
    const IS_MANY: bool;
}

/// One reply.
#[derive(Debug)]
pub enum One {}
/// Any number of replies, then [`Response::End`].
#[derive(Debug)]
pub enum Many {}

impl Count for One {
    const IS_MANY: bool = false;
}

impl Count for Many {
    const IS_MANY: bool = true;
}

macro_rules! calls {
    ($($verb:ident -> $count:ident $reply:ty;)+) => {
        $(
            impl From<$verb> for Request {
                fn from(verb: $verb) -> Self {
                    Self::$verb(verb)
                }
            }

            impl Call for $verb {
                type Reply = $reply;
                type Count = $count;
            }
        )+

        impl Request {
            /// Returns whether [`Response::End`] ends its reply; where it is one that `watch` makes
            /// longer, too.
            #[must_use]
            pub fn has_many_replies(&self) -> bool {
                let is_many = match self {
                    $(Self::$verb(_) => <<$verb as Call>::Count as Count>::IS_MANY),+
                };
                is_many || self.is_watched()
            }
        }
    };
}

impl Request {
    /// Returns whether events follow the reply.
    fn is_watched(&self) -> bool {
        matches!(
            self,
            Self::SubmitCommit(SubmitCommit { watch: true })
                | Self::Restart(Restart { watch: true, .. })
        )
    }
}

calls! {
    Ping -> One Pong;
    Status -> One StatusView;
    Submit -> One SubmitAccepted;
    SubmitJobs -> One SubmitAccepted;
    SubmitCommit -> One Submitted;
    Watch -> Many WatchItem;
    Cancel -> One Canceled;
    ListWorkflows -> Many Vec<WorkflowView>;
    ListJobs -> Many Vec<JobView>;
    ListResults -> Many Vec<ResultView>;
    GetJob -> One JobDetail;
    Logs -> One LogChunk;
    Snapshot -> Many SnapshotProgress;
    Shutdown -> Many SnapshotProgress;
    SubmitFiles -> One SubmitAccepted;
    Restart -> One Submitted;
    SetDisabled -> One Disabled;
    Explain -> One Explanation;
    GetWorkflow -> One WorkflowView;
    DeleteWorkflow -> One Deleted;
    ListEdges -> Many Vec<EdgeView>;
    ListFiles -> Many Vec<FileView>;
    ListFileUses -> Many Vec<FileUseView>;
    ListUserData -> Many Vec<UserDataView>;
}
