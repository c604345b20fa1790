//! The graph of dependencies: what follows from files and user data, and whether it has a cycle.

use crate::spec::complaint::{Complaints, Position};
use crate::spec::resolved::Job;

/// So many jobs of a cycle are shown.
const SHOWN: usize = 12;

/// Nobody writes a file or user data.
const NOBODY: u32 = u32::MAX;

/// Who writes what: for each file or user data, the job.
#[derive(Debug)]
pub(super) struct Writers(Vec<u32>);

impl Writers {
    /// Takes up who writes what, and complains of all that two jobs write.
    pub(super) fn of(
        count: usize,
        jobs: &[Job],
        written: impl Fn(&Job) -> &[u32],
        mut twice: impl FnMut(u32, u32, u32),
    ) -> Self {
        let mut writers = vec![NOBODY; count];
        for (number, job) in jobs.iter().enumerate() {
            for thing in written(job) {
                let writer = &mut writers[*thing as usize];
                if *writer == NOBODY {
                    *writer = number as u32;
                } else {
                    twice(*thing, *writer, number as u32);
                }
            }
        }
        Self(writers)
    }

    /// Adds to `dependencies` the writers of `read`, but for the reader itself.
    pub(super) fn add(&self, read: &[u32], reader: u32, dependencies: &mut Vec<u32>) {
        let writers = read.iter().map(|thing| self.0[*thing as usize]);
        dependencies.extend(writers.filter(|writer| *writer != NOBODY && *writer != reader));
    }
}

/// Complains of the first cycle, in the order in which the jobs would have to run.
pub(super) fn complain_of_cycle(
    jobs: &[Job],
    place: impl Fn(u32) -> Position,
    complaints: &mut Complaints,
) {
    let Some(cycle) = cycle(jobs) else { return };
    let name = |number: &u32| jobs[*number as usize].name.as_str();
    let mut names: Vec<&str> = cycle.iter().map(name).collect();
    let length = names.len();
    if length > SHOWN {
        names.truncate(SHOWN);
        names.push("…");
    }
    names.push(name(&cycle[0]));
    let message = match length {
        1 => format!("the job waits for itself: {}", names.join(" -> ")),
        _ => format!("{length} jobs wait for each other: {}", names.join(" -> ")),
    };
    let hint = "each arrow is a dependency: one that is listed, matched, or comes from a file or \
                user data; remove one";
    complaints.push_with_hint(place(cycle[0]), message, hint);
}

/// Returns the jobs of a cycle, each of which the next one waits for; the first job of the file
/// that is in it comes first. Walks with a stack of its own: chains may be long.
fn cycle(jobs: &[Job]) -> Option<Vec<u32>> {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; jobs.len()];
    let mut path: Vec<(u32, usize)> = Vec::new();
    for start in 0..jobs.len() as u32 {
        if marks[start as usize] != Mark::New {
            continue;
        }
        marks[start as usize] = Mark::Open;
        path.push((start, 0));
        while let Some((job, next)) = path.last_mut() {
            let Some(dependency) = jobs[*job as usize].depends_on.get(*next).copied() else {
                marks[*job as usize] = Mark::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match marks[dependency as usize] {
                Mark::Done => {}
                Mark::New => {
                    marks[dependency as usize] = Mark::Open;
                    path.push((dependency, 0));
                }
                Mark::Open => {
                    let begin = path.iter().position(|(job, _)| *job == dependency)?;
                    let mut cycle: Vec<_> = path[begin..].iter().map(|(job, _)| *job).collect();
                    cycle.reverse();
                    let first = cycle.iter().enumerate().min_by_key(|(_, job)| **job)?.0;
                    cycle.rotate_left(first);
                    return Some(cycle);
                }
            }
        }
    }
    None
}
