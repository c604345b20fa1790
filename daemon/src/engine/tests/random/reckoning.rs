//! What the checks reckon by themselves: how many jobs are in which state, and what jobs take.

use crate::engine::job::State;
use crate::engine::resources::{Need, Room};

pub(super) fn count(jobs: &[(State, u32)]) -> [u64; State::ALL.len()] {
    State::ALL.map(|state| jobs.iter().filter(|job| job.0 == state).count() as u64)
}

/// Returns what a job takes from the pool of its workflow, and from that of the node.
pub(super) fn cost(need: Need, room: Room) -> (Need, Need) {
    let need = Need { cpus: need.cpus.max(1), ..need };
    let nothing = Need::default();
    match room {
        Room::Node => (nothing, need),
        Room::Count(_) => (Need { cpus: 1, ..nothing }, nothing),
        Room::Own(own) => {
            let (mut mine, mut shared) = (nothing, nothing);
            *(if own.cpus.is_some() { &mut mine.cpus } else { &mut shared.cpus }) = need.cpus;
            *(if own.memory.is_some() { &mut mine.memory } else { &mut shared.memory }) =
                need.memory;
            *(if own.gpus.is_some() { &mut mine.gpus } else { &mut shared.gpus }) = need.gpus;
            (mine, shared)
        }
    }
}

pub(super) fn own_total(room: Room) -> Need {
    match room {
        Room::Node => Need::default(),
        Room::Count(jobs) => Need { cpus: jobs, ..Need::default() },
        Room::Own(own) => Need {
            cpus: own.cpus.unwrap_or(0),
            memory: own.memory.unwrap_or(0),
            gpus: own.gpus.unwrap_or(0),
        },
    }
}

pub(super) fn too_large(need: Need, room: Room, node: Option<Need>) -> bool {
    let (own, shared) = cost(need, room);
    !fits(own, own_total(room)) || node.is_some_and(|node| !fits(shared, node))
}

/// Adds CPUs and memory of so many jobs; GPUs are counted by their index.
pub(super) fn plus(sum: Need, need: Need, times: u32) -> Need {
    Need {
        cpus: sum.cpus + need.cpus * times,
        memory: sum.memory + need.memory * u64::from(times),
        gpus: sum.gpus,
    }
}

pub(super) fn fits(need: Need, there: Need) -> bool {
    need.cpus <= there.cpus && need.memory <= there.memory && need.gpus <= there.gpus
}
