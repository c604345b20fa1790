//! Which attempts a worker has begun, for whoever has to bury it.
//!
//! A worker tells torcd of starts and ends by the dozen. If it is killed in between, torcd must
//! still know which of its attempts may have run: those are lost, and the others can be given to
//! another worker. So a local worker notes each attempt in a small file in memory before it makes
//! the process; torcd reads the file only when the worker is dead.
//!
//! The file is a ring of [`ENTRIES`] entries, far more than a worker is ever given at a time:
//!
//! ```text
//! offset  size  what
//!      0     8  job, little endian
//!      8     4  attempt, little endian
//!     12     4  zero
//! ```

use std::collections::HashSet;

use crate::id::{AttemptId, AttemptNumber, JobId};

/// The size of an entry in bytes.
pub const ENTRY: usize = 16;
/// How many entries there are.
pub const ENTRIES: u64 = 65_536;

/// Returns the entry for an attempt.
#[must_use]
pub fn entry(attempt: AttemptId) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..8].copy_from_slice(&attempt.job.0.to_le_bytes());
    entry[8..12].copy_from_slice(&attempt.number.0.to_le_bytes());
    entry
}

/// Returns the place of the entry that is written after `earlier` others.
#[must_use]
pub fn offset(earlier: u64) -> u64 {
    earlier % ENTRIES * ENTRY as u64
}

/// Returns the attempts in a journal. What is left of a torn entry at its end is passed over: its
/// process was not made.
#[must_use]
pub fn attempts(journal: &[u8]) -> HashSet<AttemptId> {
    let (entries, _) = journal.as_chunks::<ENTRY>();
    entries
        .iter()
        .map(|entry| {
            let word = |at: usize| {
                u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
            };
            AttemptId {
                job: JobId(u64::from(word(0)) | u64::from(word(4)) << 32),
                number: AttemptNumber(word(8)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(job: u64, number: u32) -> AttemptId {
        AttemptId { job: JobId(job), number: AttemptNumber(number) }
    }

    #[test]
    fn what_was_noted_is_found() {
        let noted = [id(1, 1), id(u64::MAX - 3, 7), id(1 << 40, u32::MAX)];
        let mut journal: Vec<u8> = noted.iter().flat_map(|id| entry(*id)).collect();
        journal.extend_from_slice(&[1; ENTRY - 1]);
        assert_eq!(attempts(&journal), HashSet::from(noted));
        assert!(attempts(&[]).is_empty());
    }

    #[test]
    fn the_ring_comes_round() {
        assert_eq!(offset(0), 0);
        assert_eq!(offset(ENTRIES - 1), (ENTRIES - 1) * ENTRY as u64);
        assert_eq!(offset(ENTRIES), 0);
    }
}
