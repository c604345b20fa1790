//! Which job writes a file last, for files that change after a job has read them.
//!
//! What a job reads is looked at before it runs. If it writes the same file itself, or a later job
//! does, then the file is another one when all is done, and has to be compared with what its last
//! writer left. Pure, and without recursion.

use std::collections::VecDeque;

use torc_protocol::result::FileStamp;

use super::record::{Record, Use};

/// The last writers of all files.
#[derive(Debug)]
pub(super) struct Writers {
    /// The place of each job in an order in which it stands behind all that it waits for.
    order: Vec<u32>,
    /// For each path the last job that wrote it, and how it left it.
    last: Vec<Option<(u32, FileStamp)>>,
}

impl Writers {
    /// Finds them. Of those of which nothing is recorded nothing is known.
    pub(super) fn of(record: &Record) -> Self {
        let order = order(record);
        let mut last: Vec<Option<(u32, FileStamp)>> = vec![None; record.paths.len()];
        for file_use in record.uses.iter().filter(|file_use| file_use.is_output) {
            let Some(stamp) = file_use.stamp else { continue };
            let writer = &mut last[file_use.path as usize];
            let is_later =
                writer.is_none_or(|(job, _)| order[job as usize] < order[file_use.job as usize]);
            if is_later {
                *writer = Some((file_use.job, stamp));
            }
        }
        Self { order, last }
    }

    /// Returns how the file that `input` names has to be: as its last writer left it, when that is
    /// the job itself or a later one; else as it was when the job ran.
    pub(super) fn expected(&self, input: &Use) -> Option<FileStamp> {
        match self.last[input.path as usize] {
            Some((job, stamp)) if self.order[job as usize] >= self.order[input.job as usize] => {
                Some(stamp)
            }
            Some(_) | None => input.stamp,
        }
    }
}

fn order(record: &Record) -> Vec<u32> {
    let mut waits_for = vec![0_u32; record.jobs.len()];
    for dependent in record.dependents.iter().flatten() {
        waits_for[*dependent as usize] += 1;
    }
    let mut queue: VecDeque<usize> =
        (0..waits_for.len()).filter(|job| waits_for[*job] == 0).collect();
    let mut order = vec![0; waits_for.len()];
    let mut next = 0;
    while let Some(job) = queue.pop_front() {
        order[job] = next;
        next += 1;
        for dependent in &record.dependents[job] {
            let waits = &mut waits_for[*dependent as usize];
            *waits -= 1;
            if *waits == 0 {
                queue.push_back(*dependent as usize);
            }
        }
    }
    order
}
