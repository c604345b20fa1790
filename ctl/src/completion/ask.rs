//! What a torcd tells of workflows, jobs and names that begin so.
//!
//! Of many only some are asked for: the first in the order of names, and the last. What these two
//! have in common all have, so that a shell completes no more of a word than is certain; and the
//! order is that of an index, so that a million cost no more than a hundred.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use torc_protocol::call::{Call, Many};
use torc_protocol::id::WorkflowId;
use torc_protocol::paths;
use torc_protocol::request::{
    ListFiles, ListJobs, ListUserData, ListWorkflows, Page, Status, WorkflowSelector,
};
use torc_protocol::status::JobStatus;
use torc_protocol::view::{FileView, JobView, UserDataView, WorkflowView};

use crate::client::Client;
use crate::completion::candidate::Candidate;
use crate::completion::line::Line;
use crate::context::{Context, Reader, default_database};
use crate::error::{CliError, ErrorKind};
use crate::snapshot_files;
use crate::style::{count, one_line};

/// So many are offered.
const AT_MOST: u64 = 200;
/// So many of the latest workflows are offered by their number.
const LATEST: u64 = 50;
/// A command is told up to this length, in characters.
const COMMAND: usize = 60;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Workflows, by number and name.
    Workflows,
    /// Names of workflows.
    WorkflowNames,
    /// Names of jobs in these states; in any when there is none.
    Jobs(&'static [JobStatus]),
    /// Names of files.
    Files,
    /// Names of user data.
    UserData,
    /// Snapshots that are files.
    Snapshots,
}

/// Returns what there is of it that begins with `prefix`, where `line` leads.
///
/// # Errors
///
/// When there is nobody to ask.
pub(super) async fn ask(
    wanted: Wanted,
    line: &Line,
    prefix: &str,
) -> Result<Vec<Candidate>, CliError> {
    let ctx = Context::load(line.globals.clone())?;
    if wanted == Wanted::Snapshots {
        return snapshots(&ctx, prefix).await;
    }
    let mut reader = reader(&ctx).await?;
    let client = &mut reader.client;
    let workflow = line.workflow.clone().unwrap_or_default();
    match wanted {
        Wanted::Workflows => workflows(client, prefix).await,
        Wanted::WorkflowNames => {
            let views = workflow_views(client, prefix).await?;
            Ok(named(&views, |view| &view.name, of_workflow))
        }
        Wanted::Jobs(status) => {
            let views = job_views(client, workflow, status, prefix).await?;
            // Without a workflow, a number is an id, whatever the jobs of the latest are called.
            let is_id = |name: &str| line.workflow.is_none() && name.parse::<u64>().is_ok();
            let mut offered = named(&views, |view| &view.name, of_job);
            offered.retain(|candidate| !is_id(&candidate.value));
            Ok(offered)
        }
        Wanted::Files => {
            let name = Some(glob(prefix));
            let list = |page| ListFiles { workflow: workflow.clone(), name: name.clone(), page };
            let views = first_and_last(client, list).await?;
            Ok(named(&views, |view| &view.name, of_file))
        }
        Wanted::UserData => {
            let name = Some(glob(prefix));
            let list = |page| ListUserData { workflow: workflow.clone(), name: name.clone(), page };
            let views = first_and_last(client, list).await?;
            Ok(named(&views, |view| &view.name, of_user_data))
        }
        Wanted::Snapshots => Ok(Vec::new()),
    }
}

/// Connects to who would be asked by the command, but has no file read that somebody else has put
/// into the working directory: a key is pressed there without a thought.
async fn reader(ctx: &Context) -> Result<Reader, CliError> {
    if ctx.globals.db.is_some() || is_ours(&default_database()) {
        return ctx.reader().await;
    }
    if ctx.globals.standalone {
        return Err(CliError::new(ErrorKind::NoDaemon, "there is no file of ours to read")
            .hint("name one with `--db FILE`"));
    }
    ctx.named().await
}

fn is_ours(path: &Path) -> bool {
    path.metadata().is_ok_and(|there| there.uid() == paths::own_uid())
}

/// Returns the pattern of the names that begin with `prefix`.
fn glob(prefix: &str) -> String {
    let mut glob = String::with_capacity(prefix.len() + 1);
    for letter in prefix.chars() {
        match letter {
            '*' | '?' | '[' => glob.extend(['[', letter, ']']),
            letter => glob.push(letter),
        }
    }
    glob.push('*');
    glob
}

/// Asks for the first in the order of names, and for the last when there are more.
async fn first_and_last<C, T>(
    client: &mut Client,
    list: impl Fn(Page) -> C,
) -> Result<Vec<T>, CliError>
where
    C: Call<Count = Many, Reply = Vec<T>>,
{
    let page = |limit, reverse| Page {
        sort: Some("name".to_owned()),
        limit: Some(limit),
        reverse,
        offset: 0,
    };
    let mut views = all(client, list(page(AT_MOST, false))).await?;
    if views.len() as u64 == AT_MOST {
        views.extend(all(client, list(page(1, true))).await?);
    }
    Ok(views)
}

async fn all<C, T>(client: &mut Client, call: C) -> Result<Vec<T>, CliError>
where
    C: Call<Count = Many, Reply = Vec<T>>,
{
    client.stream(call).await?;
    let mut views = Vec::new();
    while let Some(some) = client.next::<C>().await? {
        views.extend(some);
    }
    Ok(views)
}

async fn job_views(
    client: &mut Client,
    workflow: WorkflowSelector,
    status: &[JobStatus],
    prefix: &str,
) -> Result<Vec<JobView>, CliError> {
    let list = |page| ListJobs {
        workflow: workflow.clone(),
        status: status.to_vec(),
        name: Some(glob(prefix)),
        page,
        ..ListJobs::default()
    };
    first_and_last(client, list).await
}

async fn workflow_views(client: &mut Client, prefix: &str) -> Result<Vec<WorkflowView>, CliError> {
    let list = |page| ListWorkflows { name: Some(glob(prefix)), page, ..ListWorkflows::default() };
    first_and_last(client, list).await
}

async fn workflows(client: &mut Client, prefix: &str) -> Result<Vec<Candidate>, CliError> {
    let page = Page { reverse: true, limit: Some(LATEST), ..Page::default() };
    let latest = all(client, ListWorkflows { page, ..ListWorkflows::default() }).await?;
    let by_name = workflow_views(client, prefix).await?;
    Ok(offer_workflows(&latest, &by_name, prefix))
}

/// Offers workflows in every way in which they can be named.
fn offer_workflows(
    latest: &[WorkflowView],
    by_name: &[WorkflowView],
    prefix: &str,
) -> Vec<Candidate> {
    let tell = |view: &WorkflowView| format!("{}: {}", one_line(&view.name), of_workflow(view));
    let mut offered = Vec::new();
    if let Some(last) = latest.first()
        && "latest".starts_with(prefix)
    {
        offered.push(Candidate::new("latest", tell(last)));
    }
    let numbers = latest.iter().map(|view| (view.id.to_string(), view));
    let numbers = numbers.filter(|(id, _)| id.starts_with(prefix));
    offered.extend(numbers.map(|(id, view)| Candidate::new(id, tell(view))));
    let by_name = named(by_name, |view| &view.name, of_workflow);
    let is_name = |name: &str| name != "latest" && name.parse::<WorkflowId>().is_err();
    offered.extend(by_name.into_iter().filter(|candidate| is_name(&candidate.value)));
    offered
}

/// Offers each name once, with what is told of the last that has it.
fn named<T>(views: &[T], name: fn(&T) -> &String, tell: fn(&T) -> String) -> Vec<Candidate> {
    let mut offered: Vec<Candidate> = Vec::new();
    for view in views {
        let candidate = Candidate::new(name(view), tell(view));
        match offered.last_mut() {
            Some(last) if last.value == candidate.value => *last = candidate,
            _ => offered.push(candidate),
        }
    }
    offered
}

fn of_workflow(view: &WorkflowView) -> String {
    let failed = view.jobs.failed + view.jobs.terminated;
    let told = format!("{}, {}", view.status, count(view.jobs.total, "job"));
    if failed > 0 { format!("{told}, {failed} failed") } else { told }
}

fn of_job(view: &JobView) -> String {
    let command: String = one_line(&view.command).chars().take(COMMAND).collect();
    match view.return_code {
        Some(code) if code != 0 => format!("{} ({code}): {command}", view.status),
        _ => format!("{}: {command}", view.status),
    }
}

fn of_file(view: &FileView) -> String {
    one_line(&view.path)
}

fn of_user_data(view: &UserDataView) -> String {
    view.written_by.as_deref().map(|job| format!("of {}", one_line(job))).unwrap_or_default()
}

async fn snapshots(ctx: &Context, prefix: &str) -> Result<Vec<Candidate>, CliError> {
    let target = match (&ctx.globals.db, ctx.running().await) {
        (Some(file), _) => file.clone(),
        (None, Ok(Some(mut client))) => {
            let status = client.call(Status).await?;
            status.snapshot.target.unwrap_or(status.database).into()
        }
        // Beside it are the older ones, whether or not it is there.
        (None, _) if is_ours(Path::new(paths::OUTPUT_DIR)) => default_database(),
        (None, _) => return Ok(Vec::new()),
    };
    let found = snapshot_files::list(&ctx.torcd()?, &target).await?;
    let found = found.into_iter().filter(|file| file.path.starts_with(prefix));
    Ok(found
        .map(|file| {
            let number = file.generation.map(|number| format!("snapshot {number}"));
            Candidate::new(file.path, number.unwrap_or_default())
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use torc_protocol::status::WorkflowStatus;
    use torc_protocol::time::Timestamp;
    use torc_protocol::view::JobCounts;

    use super::*;

    fn workflow(id: u64, name: &str) -> WorkflowView {
        WorkflowView {
            id: WorkflowId(id),
            name: name.to_owned(),
            description: None,
            status: WorkflowStatus::Failed,
            jobs: JobCounts { total: 3, failed: 1, ..JobCounts::default() },
            submitted_at: Timestamp(0),
            finished_at: None,
            working_dir: String::new(),
            output_dir: String::new(),
            metadata: None,
        }
    }

    fn values(offered: &[Candidate]) -> Vec<&str> {
        offered.iter().map(|candidate| candidate.value.as_str()).collect()
    }

    #[test]
    fn a_name_is_asked_for_by_the_very_characters_that_are_typed() {
        assert_eq!(glob(""), "*");
        assert_eq!(glob("fit_"), "fit_*");
        assert_eq!(glob("a*b?c[d]"), "a[*]b[?]c[[]d]*");
    }

    #[test]
    fn a_workflow_is_offered_in_every_way_it_can_be_named() {
        let latest = [workflow(12, "night"), workflow(7, "latest"), workflow(1, "10")];
        let by_name = [workflow(1, "10"), workflow(7, "latest"), workflow(12, "night")];
        let offered = offer_workflows(&latest, &by_name, "");
        assert_eq!(values(&offered), ["latest", "12", "7", "1", "night"]);
        assert_eq!(offered[0].about, "night: failed, 3 jobs, 1 failed");
        assert_eq!(offered[4].about, "failed, 3 jobs, 1 failed");
        assert_eq!(values(&offer_workflows(&latest, &[], "1")), ["12", "1"]);
        assert_eq!(values(&offer_workflows(&[], &[], "")), [""; 0]);
    }

    #[test]
    fn a_name_that_several_have_is_offered_once_with_the_last() {
        let mut views = [workflow(1, "night"), workflow(2, "night"), workflow(3, "noon")];
        views[1].jobs.failed = 0;
        let offered = named(&views, |view| &view.name, of_workflow);
        assert_eq!(values(&offered), ["night", "noon"]);
        assert_eq!(offered[0].about, "failed, 3 jobs");
    }
}
