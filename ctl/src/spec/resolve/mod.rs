//! From the tree of a workflow file to a workflow that can be run.
//!
//! The order: variables, the model, files and user data, the names of jobs, the jobs, what follows
//! from files and user data, cycles, actions. Every step goes on when something is wrong, so that
//! all complaints come at once; where a part is missing, nothing is said about what would need it.
//! All of it takes time in proportion to the jobs and their links (dependencies, inputs, outputs),
//! whatever their shape, but for patterns that do not say how a name begins: each distinct one is
//! tried on every name.

mod axes;
mod entries;
mod fill;
mod graph;
mod jobs;
mod links;
mod names;
mod paths;
mod patterns;
mod references;
mod report;
mod table;
mod variables;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use axes::AxesReader;
use entries::Made;
use graph::Writers;
use jobs::{Roster, Surroundings};
use links::{MAX_LINKS, Pool, Room, complain_of_links};
use names::Names;
use paths::PathWriters;
use report::Report;
use variables::Variables;

use super::complaint::{Complaints, Position};
use super::file::node::Node;
use super::model::{self, JobTemplate, Multiplier, Text};
use super::resolved::{Action, File, Job, Trigger, UserData, Workflow};

/// Resolves the workflow that `root` writes. Relative paths of tables begin at `directory`; of jobs,
/// of files, and of user data there are at most `limit` each.
///
/// # Errors
///
/// All that is wrong; what is in `complaints` already comes first.
pub fn resolve(
    mut root: Node,
    directory: &Path,
    limit: u64,
    mut complaints: Complaints,
) -> Result<Workflow, Complaints> {
    let variables = Variables::apply(&mut root, &mut complaints);
    let file = model::read(&root, &mut complaints);
    drop(root);
    let mut report = Report::new(complaints, &variables);
    for warning in &file.no_effect {
        report.warn(warning.at, warning.value.clone());
    }
    let mut reader = AxesReader::new(&file, &variables, directory, limit);
    let files = entries::files(&file.files, &mut reader, &mut report);
    let user_data = entries::user_data(&file.user_data, &mut reader, &mut report);
    let roster = Roster::of(&file.jobs, &mut reader, &mut report);
    drop(reader);
    let (jobs, actions) = Resolver { file: &file, files: &files, user_data: &user_data, roster }
        .jobs_and_actions(&mut report);
    if !report.complaints.is_empty() {
        return Err(report.complaints.settle());
    }
    Ok(Workflow {
        warnings: report.take_warnings(),
        name: file.name.text,
        description: file.description,
        project: file.project,
        user: file.user,
        metadata: file.metadata,
        environment: file
            .environment
            .into_iter()
            .map(|(key, text)| (key.name, text.text))
            .collect(),
        resources: file.resources.into_iter().map(|resources| resources.value).collect(),
        files: files.things,
        user_data: user_data.things,
        handlers: file.handlers.into_iter().map(|handler| handler.value).collect(),
        actions,
        execution: file.execution,
        jobs,
    })
}

/// All that is known before jobs are made.
struct Resolver<'w> {
    file: &'w model::Workflow,
    files: &'w Made<File>,
    user_data: &'w Made<UserData>,
    roster: Roster,
}

impl Resolver<'_> {
    fn jobs_and_actions(self, report: &mut Report<'_>) -> (Vec<Job>, Vec<Action>) {
        let file_names: Vec<_> = self.files.things.iter().map(|file| file.name.clone()).collect();
        let data_names: Vec<_> =
            self.user_data.things.iter().map(|data| data.name.clone()).collect();
        let resources: Vec<_> =
            self.file.resources.iter().map(|resources| resources.value.name.clone()).collect();
        let handlers: Vec<_> =
            self.file.handlers.iter().map(|handler| handler.value.name.clone()).collect();
        let schedulers: Vec<_> =
            self.file.schedulers.iter().map(|scheduler| scheduler.text.clone()).collect();
        let room = Room::of(MAX_LINKS);
        let mut around = Surroundings {
            jobs: Pool::of(self.job_names(report), room.clone()),
            files: Pool::of(self.file_names(&file_names, report), room.clone()),
            user_data: Pool::of(self.user_data_names(&data_names, report), room.clone()),
            resources: Names::of("resource requirements", &resources, |first, second| {
                let at = |number: u32| self.file.resources[number as usize].at;
                doubled("resource requirements", &resources, at, (first, second), report);
            }),
            handlers: Names::of("failure handler", &handlers, |first, second| {
                let at = |number: u32| self.file.handlers[number as usize].at;
                doubled("failure handler", &handlers, at, (first, second), report);
            }),
            schedulers: (!schedulers.is_empty()).then(|| {
                Names::of("Slurm scheduler", &schedulers, |first, second| {
                    let at = |number: u32| self.file.schedulers[number as usize].at;
                    doubled("Slurm scheduler", &schedulers, at, (first, second), report);
                })
            }),
            file_list: &self.files.things,
            user_data_list: &self.user_data.things,
            stdio: self.file.stdio,
            room,
            without_data: BTreeSet::new(),
        };
        let mut jobs = jobs::make(&self.file.jobs, &self.roster, &mut around, report);
        let actions = match around.room.is_exceeded() {
            true => Vec::new(),
            false => self.actions(&mut around.jobs, &around.room, report),
        };
        drop(around);
        let Self { file, files, user_data, roster } = self;
        let place = Places { templates: &file.jobs, roster: &roster.templates };
        for (job, name) in jobs.iter_mut().zip(roster.names) {
            job.name = name;
        }
        infer(&mut jobs, &files.things, &user_data.things, &place, report);
        graph::complain_of_cycle(&jobs, |job| place.of(job), &mut report.complaints);
        (jobs, actions)
    }

    fn job_names(&self, report: &mut Report<'_>) -> Names<'_> {
        let template =
            |number: u32| &self.file.jobs[self.roster.templates[number as usize] as usize];
        let mut names = Names::of("job", &self.roster.names, |first, second| {
            let pair = (&template(first).name, &template(second).name);
            let name = &self.roster.names[second as usize];
            report.twins("job", name, pair, &template(second).multiplier);
        });
        names.incomplete = self.roster.incomplete;
        names
    }

    fn file_names<'n>(&self, list: &'n [String], report: &mut Report<'_>) -> Names<'n> {
        let template = |number: u32| {
            let template = &self.file.files[self.files.templates[number as usize] as usize];
            (&template.name, &template.multiplier)
        };
        made_names("file", list, template, self.files.incomplete, report)
    }

    fn user_data_names<'n>(&self, list: &'n [String], report: &mut Report<'_>) -> Names<'n> {
        let template = |number: u32| {
            let template = &self.file.user_data[self.user_data.templates[number as usize] as usize];
            (&template.name, &template.multiplier)
        };
        made_names("user data", list, template, self.user_data.incomplete, report)
    }

    fn actions(&self, jobs: &mut Pool<'_>, room: &Room, report: &mut Report<'_>) -> Vec<Action> {
        let resolve = |action: &model::ActionTemplate| {
            let mut found = Vec::new();
            for name in &action.jobs.names {
                found.extend(jobs.names.find_text(name, &mut report.complaints));
            }
            for pattern in &action.jobs.regexes {
                if let Err(problem) = jobs.matching(&pattern.text, None, &mut found) {
                    let (message, hint) = problem;
                    report.complaints.push_with_hint(pattern.at, message, hint);
                }
            }
            if room.is_exceeded() {
                complain_of_links(action.at, &mut report.complaints);
            }
            let is_about_jobs =
                matches!(action.trigger, Trigger::JobsReady | Trigger::JobsComplete);
            if !is_about_jobs && !found.is_empty() {
                let message = "'jobs' has no effect here: the trigger is not about jobs";
                report.warn(action.at, message);
                found.clear();
            }
            Action {
                trigger: action.trigger,
                commands: action.commands.clone(),
                jobs: jobs::settle(found).into(),
                persistent: action.persistent,
            }
        };
        self.file.actions.iter().map(resolve).collect()
    }
}

/// Takes up names that were made from templates.
fn made_names<'n, 'w>(
    what: &'static str,
    list: &'n [String],
    template: impl Fn(u32) -> (&'w Text, &'w Multiplier),
    incomplete: bool,
    report: &mut Report<'_>,
) -> Names<'n> {
    let mut names = Names::of(what, list, |first, second| {
        let (name, multiplier) = template(second);
        report.twins(what, &list[second as usize], (template(first).0, name), multiplier);
    });
    names.incomplete = incomplete;
    names
}

fn doubled(
    what: &str,
    names: &[String],
    at: impl Fn(u32) -> Position,
    (first, second): (u32, u32),
    report: &mut Report<'_>,
) {
    let message = format!("duplicate {what} '{}'", names[second as usize]);
    let hint = format!("the other one is in line {}; rename one of them", at(first).line);
    report.complaints.push_with_hint(at(second), message, hint);
}

/// Where jobs come from.
struct Places<'w> {
    templates: &'w [JobTemplate],
    roster: &'w [u32],
}

impl Places<'_> {
    fn of(&self, job: u32) -> Position {
        self.templates[self.roster[job as usize] as usize].name.at
    }
}

/// Adds what follows from files and user data: who reads waits for who writes. Ends early when that
/// makes too many dependencies.
fn infer(
    jobs: &mut [Job],
    files: &[File],
    user_data: &[UserData],
    places: &Places<'_>,
    report: &mut Report<'_>,
) {
    let of_paths = PathWriters::of(files, jobs, |one, other| {
        warn_of_path(files, jobs, (one, other), report, places.of(other.0));
    });
    let mut twice = |what: &str, name: &str, jobs: &[Job], (first, second): (u32, u32)| {
        let (one, other) = (&jobs[first as usize].name, &jobs[second as usize].name);
        let message = format!("two jobs write the {what} '{name}': {one} and {other}");
        let hint = "only one job can write it; let the other one write a file of its own";
        report.complaints.push_with_hint(places.of(second), message, hint);
    };
    let of_files = Writers::of(
        files.len(),
        jobs,
        |job| &job.outputs,
        |file, first, second| {
            twice("file", &files[file as usize].name, jobs, (first, second));
        },
    );
    let of_data = Writers::of(
        user_data.len(),
        jobs,
        |job| &job.output_user_data,
        |data, first, second| {
            twice("user data", &user_data[data as usize].name, jobs, (first, second));
        },
    );
    let mut left = MAX_LINKS;
    for (number, job) in jobs.iter_mut().enumerate() {
        let mut depends_on = std::mem::take(&mut job.depends_on).into_vec();
        let explicit = depends_on.len();
        of_files.add(&job.inputs, number as u32, &mut depends_on);
        of_data.add(&job.input_user_data, number as u32, &mut depends_on);
        if !of_paths.add(&job.inputs, number as u32, left, &mut depends_on) {
            complain_of_links(places.of(number as u32), &mut report.complaints);
            return;
        }
        job.depends_on = match depends_on.len() == explicit {
            true => depends_on.into(),
            false => jobs::settle(depends_on),
        };
        left -= job.depends_on.len();
    }
}

/// Warns of two jobs that write one path under different names.
fn warn_of_path(
    files: &[File],
    jobs: &[Job],
    ((one, first), (other, second)): ((u32, u32), (u32, u32)),
    report: &mut Report<'_>,
    at: Position,
) {
    let [one, other] = [one, other].map(|job| &jobs[job as usize].name);
    let [first, second] = [first, second].map(|file| &files[file as usize]);
    report.warn(
        at,
        format!(
            "two jobs write {}: {one} as '{}' and {other} as '{}'",
            second.path, first.name, second.name
        ),
    );
}
