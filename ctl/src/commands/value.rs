//! Values that several commands take: workflows, jobs, states.

use std::convert::Infallible;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use torc_protocol::request::{JobSelector, WorkflowSelector};
use torc_protocol::status::{JobStatus, WorkflowStatus};

/// Parses what names a workflow: `latest`, a number, or a name.
///
/// # Errors
///
/// None.
pub(crate) fn workflow(text: &str) -> Result<WorkflowSelector, Infallible> {
    Ok(match text.parse() {
        Ok(id) => WorkflowSelector::Id(id),
        Err(_) if text == "latest" => WorkflowSelector::Latest,
        Err(_) => WorkflowSelector::Name(text.to_owned()),
    })
}

/// Returns the job that `text` names: a name in `workflow` when one is given; else a number is an
/// id, and anything else a name in the latest workflow.
pub(crate) fn job(text: &str, workflow: Option<&WorkflowSelector>) -> JobSelector {
    match (workflow, text.parse()) {
        (None, Ok(id)) => JobSelector::Id(id),
        (workflow, _) => JobSelector::Name(workflow.cloned().unwrap_or_default(), text.to_owned()),
    }
}

/// Returns how to call a workflow in a sentence.
pub(crate) fn describe(workflow: &WorkflowSelector) -> String {
    match workflow {
        WorkflowSelector::Latest => "the latest workflow".to_owned(),
        WorkflowSelector::Id(id) => format!("workflow {id}"),
        WorkflowSelector::Name(name) => format!("workflow '{name}'"),
    }
}

/// Returns the parser for the states of jobs.
pub(crate) fn job_status() -> impl TypedValueParser<Value = JobStatus> {
    PossibleValuesParser::new(JobStatus::ALL.iter().map(|status| status.as_str()))
        .try_map(|word| word.parse::<JobStatus>())
}

/// The states that an attempt can have.
const ATTEMPT_STATUS: [JobStatus; 4] =
    [JobStatus::Running, JobStatus::Completed, JobStatus::Failed, JobStatus::Terminated];

/// Returns the parser for the states of attempts.
pub(crate) fn attempt_status() -> impl TypedValueParser<Value = JobStatus> {
    PossibleValuesParser::new(ATTEMPT_STATUS.map(JobStatus::as_str))
        .try_map(|word| word.parse::<JobStatus>())
}

/// Returns the parser for the states of workflows.
pub(crate) fn workflow_status() -> impl TypedValueParser<Value = WorkflowStatus> {
    PossibleValuesParser::new(WorkflowStatus::ALL.iter().map(|status| status.as_str()))
        .try_map(|word| word.parse::<WorkflowStatus>())
}

#[cfg(test)]
mod tests {
    use torc_protocol::id::{JobId, WorkflowId};

    use super::*;

    #[test]
    fn a_workflow_is_named_by_word_number_or_name() {
        assert_eq!(workflow("latest"), Ok(WorkflowSelector::Latest));
        assert_eq!(workflow("12"), Ok(WorkflowSelector::Id(WorkflowId(12))));
        assert_eq!(workflow("night"), Ok(WorkflowSelector::Name("night".to_owned())));
    }

    #[test]
    fn a_number_is_the_id_of_a_job_unless_a_workflow_is_named() {
        assert_eq!(job("7", None), JobSelector::Id(JobId(7)));
        let latest = WorkflowSelector::Latest;
        assert_eq!(job("a", None), JobSelector::Name(latest.clone(), "a".to_owned()));
        assert_eq!(job("7", Some(&latest)), JobSelector::Name(latest, "7".to_owned()));
    }
}
