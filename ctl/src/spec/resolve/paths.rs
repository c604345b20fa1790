//! Files that have one path under several names: who reads it under a name that nobody writes waits for
//! all who write it under others. Where the name itself is written, that says what is meant: jobs may
//! write a path one after the other.

use std::collections::HashMap;

use crate::spec::plain_path::plain;
use crate::spec::resolved::{File, Job};

/// So many pairs of jobs that write one path are told.
const MAX_TOLD: usize = 20;

/// A job that writes a file: the number of the job, then that of the file.
type Writer = (u32, u32);

/// Who writes the paths that several files have.
#[derive(Debug, Default)]
pub(super) struct PathWriters {
    /// For each file of such a path, the first one that has it.
    first: HashMap<u32, u32>,
    /// For each of these first ones, who writes the path under whatever name: by job, each once.
    writers: HashMap<u32, Vec<Writer>>,
}

impl PathWriters {
    /// Takes up who writes what, and tells `twice` of jobs that write one path under different names:
    /// of each path the first job, with another one.
    pub(super) fn of(files: &[File], jobs: &[Job], mut twice: impl FnMut(Writer, Writer)) -> Self {
        let mut found = Self { first: shared(files), writers: HashMap::new() };
        if found.first.is_empty() {
            return found;
        }
        let mut told = 0;
        for (number, job) in (0..).zip(jobs) {
            for file in &job.outputs {
                let Some(path) = found.first.get(file) else { continue };
                let writers = found.writers.entry(*path).or_default();
                match writers.as_slice() {
                    [.., (last, _)] if *last == number => continue,
                    // That two jobs write one name is an error already.
                    [(one, name)] if name != file && told < MAX_TOLD => {
                        told += 1;
                        twice((*one, *name), (number, *file));
                    }
                    _ => {}
                }
                writers.push((number, *file));
            }
        }
        found
    }

    /// Adds to `dependencies` those who write under other names what `read` has, but for the reader
    /// itself. Returns false, and adds no more, when they are more than `limit`.
    #[must_use]
    pub(super) fn add(
        &self,
        read: &[u32],
        reader: u32,
        limit: usize,
        dependencies: &mut Vec<u32>,
    ) -> bool {
        if dependencies.len() > limit {
            return false;
        }
        if self.writers.is_empty() {
            return true;
        }
        for file in read {
            let path = self.first.get(file);
            let Some(writers) = path.and_then(|path| self.writers.get(path)) else { continue };
            if writers.iter().all(|(_, written)| written != file) {
                if dependencies.len() + writers.len() > limit {
                    return false;
                }
                let others = writers.iter().map(|(job, _)| *job);
                dependencies.extend(others.filter(|job| *job != reader));
            }
        }
        true
    }
}

/// Returns the files that share their path with others, each with the first of these.
fn shared(files: &[File]) -> HashMap<u32, u32> {
    let mut paths = HashMap::with_capacity(files.len());
    let mut shared = HashMap::new();
    for (number, file) in (0..).zip(files) {
        let first = *paths.entry(plain(&file.path)).or_insert(number);
        if first != number {
            shared.insert(first, first);
            shared.insert(number, first);
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_added_than_the_limit() {
        let found = PathWriters {
            first: (0..4).map(|file| (file, 0)).collect(),
            writers: HashMap::from([(0, vec![(7, 0), (8, 1), (9, 2)])]),
        };
        let mut dependencies = vec![1];
        assert!(!found.add(&[3], 5, 3, &mut dependencies));
        assert_eq!(dependencies, [1]);
        assert!(found.add(&[3], 5, 4, &mut dependencies));
        assert_eq!(dependencies, [1, 7, 8, 9]);
    }
}
