//! What the database has of a workflow that is to run again, with places instead of numbers.

use std::collections::HashMap;
use std::path::PathBuf;

use torc_protocol::id::JobId;
use torc_protocol::request::{
    GetWorkflow, ListEdges, ListFileUses, ListJobs, ListResults, WorkflowSelector,
};
use torc_protocol::result::FileStamp;
use torc_protocol::status::JobStatus;
use torc_protocol::view::{EdgeView, FileUseView, JobView, ResultView, WorkflowView};

use crate::client::Client;
use crate::error::CliError;
use crate::spec::plain_path::plain;

/// A workflow that was run. Jobs and paths are named by their places in the lists here, which are
/// counted in 32 bits.
#[derive(Debug)]
pub(super) struct Record {
    /// The workflow.
    pub(super) workflow: WorkflowView,
    /// Its jobs in the order of submission.
    pub(super) jobs: Vec<Job>,
    /// For each job, those that wait for it.
    pub(super) dependents: Vec<Vec<u32>>,
    /// The paths of files, each once, as the workflow has them first.
    pub(super) paths: Vec<String>,
    /// Which jobs read and write which of them.
    pub(super) uses: Vec<Use>,
}

/// A job.
#[derive(Debug)]
pub(super) struct Job {
    /// Its number.
    pub(super) id: JobId,
    /// Its name.
    pub(super) name: String,
    /// What it runs.
    pub(super) command: String,
    /// Its state.
    pub(super) status: JobStatus,
    /// The code of its last attempt.
    pub(super) return_code: Option<i32>,
    /// Why it failed although the code says that it did not, in words.
    pub(super) reason: Option<String>,
}

impl Job {
    /// Returns whether what waits for it is canceled because of it.
    pub(super) fn did_not_complete(&self) -> bool {
        matches!(self.status, JobStatus::Failed | JobStatus::Terminated | JobStatus::Canceled)
    }

    /// Returns whether its code does not say why it failed, as when a file that it writes is missing.
    fn is_unexplained(&self) -> bool {
        matches!(self.status, JobStatus::Failed | JobStatus::Terminated)
            && self.return_code == Some(0)
    }
}

/// That a job reads or writes a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    /// The job.
    pub(super) job: u32,
    /// The file.
    pub(super) path: u32,
    /// It writes it.
    pub(super) is_output: bool,
    /// How the file was when the job was last run.
    pub(super) stamp: Option<FileStamp>,
}

/// Puts a record together.
#[derive(Debug, Default)]
struct Builder {
    jobs: Vec<Job>,
    places: HashMap<JobId, u32>,
    dependents: Vec<Vec<u32>>,
    paths: Vec<String>,
    path_places: HashMap<PathBuf, u32>,
    uses: Vec<Use>,
}

impl Record {
    /// Asks for all that there is of `workflow`.
    pub(super) async fn fetch(
        client: &mut Client,
        workflow: WorkflowSelector,
    ) -> Result<Self, CliError> {
        let view = client.call(GetWorkflow { workflow }).await?;
        let workflow = WorkflowSelector::Id(view.id);
        let mut record = Builder::default();
        client.stream(ListJobs { workflow: workflow.clone(), ..ListJobs::default() }).await?;
        while let Some(jobs) = client.next::<ListJobs>().await? {
            jobs.into_iter().for_each(|job| record.job(job));
        }
        client.stream(ListEdges { workflow: workflow.clone() }).await?;
        while let Some(edges) = client.next::<ListEdges>().await? {
            edges.into_iter().for_each(|edge| record.edge(edge));
        }
        client.stream(ListFileUses { workflow: workflow.clone() }).await?;
        while let Some(uses) = client.next::<ListFileUses>().await? {
            uses.into_iter().for_each(|file_use| record.file_use(file_use));
        }
        if record.jobs.iter().any(Job::is_unexplained) {
            let status = vec![JobStatus::Failed, JobStatus::Terminated];
            let results =
                ListResults { workflow, status, return_code: Some(0), ..ListResults::default() };
            client.stream(results).await?;
            while let Some(results) = client.next::<ListResults>().await? {
                results.into_iter().for_each(|result| record.result(result));
            }
        }
        Ok(record.finish(view))
    }
}

impl Builder {
    fn job(&mut self, job: JobView) {
        self.places.insert(job.id, self.jobs.len() as u32);
        self.dependents.push(Vec::new());
        self.jobs.push(Job {
            id: job.id,
            name: job.name,
            command: job.command,
            status: job.status,
            return_code: job.return_code,
            reason: None,
        });
    }

    fn result(&mut self, result: ResultView) {
        let Some(place) = self.places.get(&result.job_id) else { return };
        let job = &mut self.jobs[*place as usize];
        if job.is_unexplained() && !result.reason.is_empty() {
            job.reason = Some(result.reason);
        }
    }

    /// Edges and uses of jobs that are not in the list (actions are not) are of no interest.
    fn edge(&mut self, edge: EdgeView) {
        let places = (self.places.get(&edge.job_id), self.places.get(&edge.depends_on));
        if let (Some(job), Some(on)) = places {
            self.dependents[*on as usize].push(*job);
        }
    }

    fn file_use(&mut self, file_use: FileUseView) {
        let Some(job) = self.places.get(&file_use.job_id).copied() else { return };
        let FileUseView { path, is_output, stamp, .. } = file_use;
        let next = self.paths.len() as u32;
        let place = *self.path_places.entry(plain(&path)).or_insert(next);
        if place == next {
            self.paths.push(path);
        }
        let path = place;
        self.uses.push(Use { job, path, is_output, stamp });
    }

    fn finish(self, workflow: WorkflowView) -> Record {
        let Self { jobs, dependents, paths, uses, .. } = self;
        Record { workflow, jobs, dependents, paths, uses }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use torc_protocol::id::WorkflowId;
    use torc_protocol::status::WorkflowStatus;
    use torc_protocol::time::Timestamp;
    use torc_protocol::view::JobCounts;

    use super::*;
    use crate::commands::running::fixtures::{failed_job, job_view};

    /// Makes a record for tests: jobs by name, edges as `a -> b`.
    #[derive(Debug, Default)]
    pub(crate) struct Script {
        builder: Builder,
    }

    impl Script {
        /// Begins with completed jobs, one for each name in `graph`: `a -> b -> c, a -> d`.
        pub(crate) fn graph(graph: &str) -> Self {
            let mut script = Self::default();
            for chain in graph.split(',') {
                let names: Vec<_> = chain.split("->").map(str::trim).collect();
                names.iter().for_each(|name| script.add(name));
                for pair in names.windows(2) {
                    let [on, job] = [script.id(pair[0]), script.id(pair[1])];
                    script.builder.edge(EdgeView { job_id: job, depends_on: on });
                }
            }
            script
        }

        fn add(&mut self, name: &str) {
            if self.builder.jobs.iter().all(|job| job.name != name) {
                let id = JobId(self.builder.jobs.len() as u64 + 100);
                let status = JobStatus::Completed;
                self.builder.job(JobView { id, status, return_code: Some(0), ..job_view(name) });
            }
        }

        fn id(&self, name: &str) -> JobId {
            self.builder.jobs.iter().find(|job| job.name == name).unwrap().id
        }

        /// Gives a job another state, with the code of its last attempt.
        pub(crate) fn status(mut self, name: &str, status: JobStatus, code: Option<i32>) -> Self {
            let job = self.builder.jobs.iter_mut().find(|job| job.name == name).unwrap();
            (job.status, job.return_code) = (status, code);
            self
        }

        /// Gives the reason in the result of a job.
        pub(crate) fn reason(mut self, name: &str, reason: &str) -> Self {
            let (job_id, reason) = (self.id(name), reason.to_owned());
            self.builder.result(ResultView { job_id, reason, ..failed_job(&[]).result });
            self
        }

        /// Lets a job read `path`, which had this size when it was last run.
        pub(crate) fn reads(self, name: &str, path: &str, bytes: Option<u64>) -> Self {
            self.uses(name, path, false, bytes)
        }

        /// Lets a job write `path`.
        pub(crate) fn writes(self, name: &str, path: &str) -> Self {
            self.uses(name, path, true, Some(1))
        }

        fn uses(mut self, name: &str, path: &str, is_output: bool, bytes: Option<u64>) -> Self {
            let stamp = bytes.map(|bytes| FileStamp { modified: 0, bytes });
            let (job_id, path) = (self.id(name), path.to_owned());
            self.builder.file_use(FileUseView { job_id, path, is_output, stamp });
            self
        }

        /// Returns the record.
        pub(crate) fn record(self) -> Record {
            self.builder.finish(WorkflowView {
                id: WorkflowId(4),
                name: "night".to_owned(),
                description: None,
                status: WorkflowStatus::Completed,
                jobs: JobCounts::default(),
                submitted_at: Timestamp(0),
                finished_at: None,
                working_dir: "/w".to_owned(),
                output_dir: "/w/torc_output".to_owned(),
                metadata: None,
            })
        }
    }

    #[test]
    fn a_path_that_several_jobs_use_is_looked_at_once() {
        let record = Script::graph("a -> b, a -> c")
            .writes("a", "x")
            .reads("b", "x", Some(1))
            .reads("c", "./x", Some(1))
            .record();
        assert_eq!(record.paths, ["x"]);
        assert_eq!(record.dependents[0], [1, 2]);
        assert!(record.uses.iter().all(|file_use| file_use.path == 0));
    }

    #[test]
    fn what_belongs_to_no_job_of_the_list_is_left_out() {
        let mut script = Script::graph("a");
        script.builder.edge(EdgeView { job_id: JobId(7), depends_on: JobId(100) });
        let path = "x".to_owned();
        script.builder.file_use(FileUseView {
            job_id: JobId(7),
            path,
            is_output: false,
            stamp: None,
        });
        let record = script.record();
        assert!(record.dependents[0].is_empty() && record.uses.is_empty());
    }
}
