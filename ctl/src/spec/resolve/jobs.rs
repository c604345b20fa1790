//! Makes jobs from their templates, in two passes: first the names of all, then, when names can be
//! looked up, the rest.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::axes::{Axes, AxesReader};
use super::fill::{Parser, Slots};
use super::links::{LinkSlots, Pool, Room, complain_of_links};
use super::names::Names;
use super::references::{Referable, Relations};
use super::report::Report;
use crate::spec::complaint::{Complaints, Position};
use crate::spec::file::node::Key;
use crate::spec::model::JobTemplate;
use crate::spec::resolved::{File, Job, Stdio, UserData};
use crate::spec::value::Value;

/// So many places are told where user data has no data.
const MAX_WITHOUT_DATA: usize = 20;

/// The names of all jobs, and where they come from.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) names: Vec<String>,
    /// For each job, its template.
    pub(super) templates: Vec<u32>,
    /// For each template, its combinations, unless they cannot be known.
    axes: Vec<Option<Axes>>,
    /// Whether some jobs could not be made.
    pub(super) incomplete: bool,
}

impl Roster {
    /// Makes the names of all jobs.
    pub(super) fn of<'w>(
        templates: &'w [JobTemplate],
        reader: &mut AxesReader<'w>,
        report: &mut Report<'_>,
    ) -> Self {
        let mut roster = Self::default();
        for (number, template) in templates.iter().enumerate() {
            let axes = reader.axes(&template.multiplier, &mut report.complaints);
            if let Some(axes) = &axes {
                roster.add(number as u32, (template, axes), reader.limit, report);
            }
            roster.incomplete |= axes.is_none();
            roster.axes.push(axes);
        }
        roster
    }

    fn add(
        &mut self,
        number: u32,
        (template, axes): (&JobTemplate, &Axes),
        limit: u64,
        report: &mut Report<'_>,
    ) {
        let total = self.names.len() as u64 + axes.len();
        if total > limit {
            let message = format!("this makes {total} jobs or more, and the limit is {limit}");
            let hint = "use smaller ranges, or several workflows";
            report.complaints.push_with_hint(template.name.at, message, hint);
            self.incomplete = true;
            return;
        }
        // What is wrong with the name is said in the second pass, with all else.
        let mut ignored = Complaints::new(report.complaints.source().clone());
        let slots = report.parser(axes, false).slots(&template.name, &mut ignored);
        if !ignored.is_empty() {
            self.incomplete = true;
            return;
        }
        for index in 0..axes.len() {
            self.names.push(slots.fill(&axes.values(index)));
            self.templates.push(number);
        }
    }
}

/// What jobs can name.
#[derive(Debug)]
pub(super) struct Surroundings<'n> {
    pub(super) jobs: Pool<'n>,
    pub(super) files: Pool<'n>,
    pub(super) user_data: Pool<'n>,
    pub(super) resources: Names<'n>,
    pub(super) handlers: Names<'n>,
    /// None when there are none, and then nothing is said about their names.
    pub(super) schedulers: Option<Names<'n>>,
    pub(super) file_list: &'n [File],
    pub(super) user_data_list: &'n [UserData],
    pub(super) stdio: Option<Stdio>,
    /// What the three pools take from.
    pub(super) room: Room,
    /// Where user data is wanted that has no data.
    pub(super) without_data: BTreeSet<(Position, u32)>,
}

/// Makes all jobs, without their names and without what follows from files and user data; none when
/// they have too many links.
pub(super) fn make(
    templates: &[JobTemplate],
    roster: &Roster,
    around: &mut Surroundings<'_>,
    report: &mut Report<'_>,
) -> Vec<Job> {
    let mut jobs = Vec::with_capacity(roster.names.len());
    for (number, (template, axes)) in templates.iter().zip(&roster.axes).enumerate() {
        let known = axes.clone().unwrap_or_default();
        let mut parser = report.parser(&known, axes.is_some());
        let slots = JobSlots::of(template, &mut parser, &mut report.complaints);
        report.unknown(parser.unknown);
        let mut index = 0;
        while roster.templates.get(jobs.len()) == Some(&(number as u32)) {
            let values = known.values(index);
            let own = jobs.len() as u32;
            let job = slots.job(&values, own, around, &mut report.complaints);
            jobs.push(job);
            index += 1;
            if around.room.is_exceeded() {
                complain_of_links(template.name.at, &mut report.complaints);
                return Vec::new();
            }
        }
    }
    for (at, number) in around.without_data.iter().take(MAX_WITHOUT_DATA) {
        let name = &around.user_data_list[*number as usize].name;
        report
            .warn(*at, format!("the user data '{name}' has no data; the command has null for it"));
    }
    jobs
}

/// The texts of a job.
struct JobSlots<'t> {
    template: &'t JobTemplate,
    command: Slots<'t>,
    invocation_script: Option<Slots<'t>>,
    environment: Vec<(&'t Key, Slots<'t>)>,
    labels: Vec<Slots<'t>>,
    /// Those of every job, if all jobs have the same.
    shared_environment: Option<Arc<[(String, String)]>>,
    shared_labels: Option<Arc<[String]>>,
    resources: Option<Slots<'t>>,
    handler: Option<Slots<'t>>,
    scheduler: Option<Slots<'t>>,
    depends_on: LinkSlots<'t>,
    inputs: LinkSlots<'t>,
    outputs: LinkSlots<'t>,
    input_user_data: LinkSlots<'t>,
    output_user_data: LinkSlots<'t>,
}

impl<'t> JobSlots<'t> {
    fn of(template: &'t JobTemplate, parser: &mut Parser<'_>, complaints: &mut Complaints) -> Self {
        parser.slots(&template.name, complaints);
        let environment: Vec<_> = template
            .environment
            .iter()
            .map(|(key, text)| (key, parser.slots(text, complaints)))
            .collect();
        let labels = parser.all(&template.labels, complaints);
        let constant = environment.iter().all(|(_, slots)| slots.is_constant());
        let shared_environment = constant.then(|| fill_environment(&environment, &[]));
        let constant = labels.iter().all(Slots::is_constant);
        let shared_labels = constant.then(|| labels.iter().map(|slots| slots.fill(&[])).collect());
        Self {
            template,
            command: parser.slots(&template.command, complaints),
            invocation_script: parser.maybe(template.invocation_script.as_ref(), complaints),
            environment,
            labels,
            shared_environment,
            shared_labels,
            resources: parser.maybe(template.resources.as_ref(), complaints),
            handler: parser.maybe(template.handler.as_ref(), complaints),
            scheduler: parser.maybe(template.scheduler.as_ref(), complaints),
            depends_on: LinkSlots::of(&template.depends_on, parser, complaints),
            inputs: LinkSlots::of(&template.inputs, parser, complaints),
            outputs: LinkSlots::of(&template.outputs, parser, complaints),
            input_user_data: LinkSlots::of(&template.input_user_data, parser, complaints),
            output_user_data: LinkSlots::of(&template.output_user_data, parser, complaints),
        }
    }

    /// Makes the job of one combination.
    fn job(
        &self,
        values: &[Value<'_>],
        own: u32,
        around: &mut Surroundings<'_>,
        complaints: &mut Complaints,
    ) -> Job {
        let mut relations = Relations::default();
        let (command, invocation_script) = self.texts(values, around, &mut relations, complaints);
        let Surroundings { jobs, files, user_data, room, .. } = around;
        if !room.take(relations.len()) {
            relations = Relations::default();
        }
        let depends_on = self.depends_on.find(values, Some(own), jobs, complaints);
        relations.inputs.extend(self.inputs.find(values, None, files, complaints));
        relations.outputs.extend(self.outputs.find(values, None, files, complaints));
        let found = self.input_user_data.find(values, None, user_data, complaints);
        relations.input_user_data.extend(found);
        let found = self.output_user_data.find(values, None, user_data, complaints);
        relations.output_user_data.extend(found);
        around.without_data.append(&mut relations.without_data.into_iter().collect());
        if let (Some(slots), Some(names)) = (&self.scheduler, &around.schedulers) {
            names.find(&slots.fill(values), slots.at, complaints);
        }
        Job {
            name: String::new(),
            command,
            priority: self.template.priority,
            labels: self
                .shared_labels
                .clone()
                .unwrap_or_else(|| self.labels.iter().map(|slots| slots.fill(values)).collect()),
            resources: look_up(self.resources.as_ref(), values, &around.resources, complaints),
            handler: look_up(self.handler.as_ref(), values, &around.handlers, complaints),
            environment: self
                .shared_environment
                .clone()
                .unwrap_or_else(|| fill_environment(&self.environment, values)),
            invocation_script,
            cancel_on_blocking_job_failure: self.template.cancel_on_blocking_job_failure,
            supports_termination: self.template.supports_termination,
            stdio: self.template.stdio.or(around.stdio),
            depends_on: settle(depends_on),
            inputs: settle(relations.inputs),
            outputs: settle(relations.outputs),
            input_user_data: settle(relations.input_user_data),
            output_user_data: settle(relations.output_user_data),
        }
    }

    /// Returns the command and the script, with what their references stand for.
    fn texts(
        &self,
        values: &[Value<'_>],
        around: &Surroundings<'_>,
        relations: &mut Relations,
        complaints: &mut Complaints,
    ) -> (String, Option<Arc<str>>) {
        let referable = Referable {
            file_names: &around.files.names,
            files: around.file_list,
            user_data_names: &around.user_data.names,
            user_data: around.user_data_list,
        };
        let mut replaced = |slots: &Slots<'_>| {
            referable.replace(slots.fill(values), slots.at, relations, complaints)
        };
        let command = replaced(&self.command);
        let script = self.invocation_script.as_ref().map(|slots| replaced(slots).into());
        (command, script)
    }
}

fn look_up(
    slots: Option<&Slots<'_>>,
    values: &[Value<'_>],
    names: &Names<'_>,
    complaints: &mut Complaints,
) -> Option<u32> {
    let slots = slots?;
    names.find(&slots.fill(values), slots.at, complaints)
}

fn fill_environment(
    environment: &[(&Key, Slots<'_>)],
    values: &[Value<'_>],
) -> Arc<[(String, String)]> {
    environment.iter().map(|(key, slots)| (key.name.clone(), slots.fill(values))).collect()
}

/// Returns numbers sorted, each once.
pub(super) fn settle(mut numbers: Vec<u32>) -> Box<[u32]> {
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into()
}
