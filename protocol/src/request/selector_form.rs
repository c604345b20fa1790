//! How a [`JobSelector`] is written: the same bytes, and in JSON with names for the parts.

use serde::{Deserialize, Serialize};

use super::{JobSelector, WorkflowSelector};
use crate::id::JobId;

/// The same as a [`JobSelector`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum JobSelectorForm {
    Id(JobId),
    Name {
        #[serde(default)]
        workflow: WorkflowSelector,
        name: String,
    },
}

impl From<JobSelectorForm> for JobSelector {
    fn from(form: JobSelectorForm) -> Self {
        match form {
            JobSelectorForm::Id(id) => Self::Id(id),
            JobSelectorForm::Name { workflow, name } => Self::Name(workflow, name),
        }
    }
}

impl From<JobSelector> for JobSelectorForm {
    fn from(job: JobSelector) -> Self {
        match job {
            JobSelector::Id(id) => Self::Id(id),
            JobSelector::Name(workflow, name) => Self::Name { workflow, name },
        }
    }
}
