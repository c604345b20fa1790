//! Which jobs of a workflow have to run again, and why.
//!
//! Pure: it knows the record and how the files are, and looks at each job, edge and use once. A job
//! has one reason, its first in the order of [`Reason`]; that it depends on another one is the last.
//! Disabled jobs never run, and nothing runs because of them.

use std::collections::VecDeque;

use torc_protocol::result::FileStamp;
use torc_protocol::status::JobStatus;

use super::record::{Record, Use};
use super::writers::Writers;

/// Why a job has to run. Jobs and paths are places in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It did not complete.
    NotComplete,
    /// It was canceled because of a job that did not complete.
    CanceledWith(u32),
    /// Its command is another one.
    CommandChanged,
    /// A file that it writes is not there.
    OutputMissing(u32),
    /// A file that it reads is another one.
    InputChanged(u32),
    /// A file that it reads was not there when it ran, and is now.
    InputAppeared(u32),
    /// A job that it waits for has to run.
    DependsOn(u32),
}

/// What has to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Needed {
    /// The reason of each job; none when it need not run.
    pub(super) reasons: Vec<Option<Reason>>,
    /// Files that jobs read, that no job writes and that are gone, each with a job that reads it.
    pub(super) gone: Vec<(u32, u32)>,
}

/// Finds what has to run. `files` has a stamp for each path, and `changed` the places of the jobs
/// whose command is another one.
pub(super) fn needed(record: &Record, files: &[Option<FileStamp>], changed: &[u32]) -> Needed {
    let mut reasons: Vec<Option<Reason>> = record
        .jobs
        .iter()
        .map(|job| (job.status != JobStatus::Completed).then_some(Reason::NotComplete))
        .collect();
    tell_canceled(record, &mut reasons);
    for job in changed {
        reasons[*job as usize].get_or_insert(Reason::CommandChanged);
    }
    for file_use in record.uses.iter().filter(|file_use| file_use.is_output) {
        if files[file_use.path as usize].is_none() {
            let reason = Reason::OutputMissing(file_use.path);
            reasons[file_use.job as usize].get_or_insert(reason);
        }
    }
    let writers = Writers::of(record);
    for file_use in record.uses.iter().filter(|file_use| !file_use.is_output) {
        let expected = writers.expected(file_use);
        if let Some(reason) = input_reason(file_use, expected, files[file_use.path as usize]) {
            reasons[file_use.job as usize].get_or_insert(reason);
        }
    }
    leave_disabled(record, &mut reasons);
    spread(record, &mut reasons);
    Needed { reasons, gone: gone(record, files) }
}

/// Gives canceled jobs the reason that another one is, where one is: the first.
fn tell_canceled(record: &Record, reasons: &mut [Option<Reason>]) {
    let unfinished = (0..).zip(&record.jobs).filter(|(_, job)| job.did_not_complete());
    for (on, _) in unfinished {
        for dependent in &record.dependents[on as usize] {
            let place = *dependent as usize;
            let is_canceled = record.jobs[place].status == JobStatus::Canceled;
            if is_canceled && reasons[place] == Some(Reason::NotComplete) {
                reasons[place] = Some(Reason::CanceledWith(on));
            }
        }
    }
}

fn input_reason(
    file_use: &Use,
    expected: Option<FileStamp>,
    now: Option<FileStamp>,
) -> Option<Reason> {
    match (expected, now) {
        (Some(expected), Some(now)) if expected != now => Some(Reason::InputChanged(file_use.path)),
        (None, Some(_)) => Some(Reason::InputAppeared(file_use.path)),
        // One that is gone is made again by the job that writes it. If no job does, running without
        // it would only destroy what was made of it.
        (Some(_), Some(_)) | (_, None) => None,
    }
}

fn leave_disabled(record: &Record, reasons: &mut [Option<Reason>]) {
    for (job, reason) in record.jobs.iter().zip(reasons) {
        if job.status == JobStatus::Disabled {
            *reason = None;
        }
    }
}

/// Gives all that is downstream of what has to run its reason, too.
fn spread(record: &Record, reasons: &mut [Option<Reason>]) {
    let roots = (0..record.jobs.len()).filter(|job| reasons[*job].is_some());
    let mut queue: VecDeque<usize> = roots.collect();
    while let Some(job) = queue.pop_front() {
        for dependent in &record.dependents[job] {
            let place = *dependent as usize;
            let is_disabled = record.jobs[place].status == JobStatus::Disabled;
            if reasons[place].is_none() && !is_disabled {
                reasons[place] = Some(Reason::DependsOn(job as u32));
                queue.push_back(place);
            }
        }
    }
}

fn gone(record: &Record, files: &[Option<FileStamp>]) -> Vec<(u32, u32)> {
    let mut is_known = vec![false; files.len()];
    for file_use in record.uses.iter().filter(|file_use| file_use.is_output) {
        is_known[file_use.path as usize] = true;
    }
    let mut gone = Vec::new();
    for file_use in record.uses.iter().filter(|file_use| !file_use.is_output) {
        let path = file_use.path as usize;
        if files[path].is_none() && file_use.stamp.is_some() && !is_known[path] {
            is_known[path] = true;
            gone.push((file_use.path, file_use.job));
        }
    }
    gone
}

#[cfg(test)]
#[path = "needed_tests.rs"]
mod tests;
