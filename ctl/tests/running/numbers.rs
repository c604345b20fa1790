//! A job that is called by a number.

use torc_protocol::id::JobId;
use torc_protocol::request::{JobSelector, Request, WorkflowSelector};
use torc_protocol::response::{Canceled, ErrorCode, JobDetail, RequestError, Response};
use torc_protocol::status::JobStatus;

use crate::answers::{WORKFLOW, job};
use crate::script::{Script, text};

fn canceled() -> Vec<Response> {
    vec![Response::Canceled(Canceled { workflow_id: WORKFLOW, canceled: 1, stopping: 0 })]
}

/// Returns which job `cancel 3 --job 7` names when torcd has this answer to the name.
fn named(answer: Response) -> JobSelector {
    let script = Script::new(vec![vec![answer], canceled()]);
    let (output, requests) = script.run(&["cancel", "3", "--job", "7"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let Some(Request::Cancel(cancel)) = requests.last() else { panic!("{requests:?}") };
    cancel.jobs[0].clone()
}

#[test]
fn a_job_whose_name_is_a_number_is_canceled_by_its_name() {
    let job = job(70, "7", JobStatus::Ready);
    let (attempts, depends_on, files) = (Vec::new(), Vec::new(), Vec::new());
    let found = Response::Job(Box::new(JobDetail { job, attempts, depends_on, files }));
    let by_name = JobSelector::Name(WorkflowSelector::Id(WORKFLOW), "7".to_owned());
    assert_eq!(named(found), by_name);
}

#[test]
fn a_number_that_is_no_name_is_an_id() {
    let error = RequestError::new(ErrorCode::NotFound, "there is no job '7' in workflow 3");
    assert_eq!(named(Response::Error(error)), JobSelector::Id(JobId(7)));
}
