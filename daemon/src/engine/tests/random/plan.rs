//! What may happen: random workflows, and random steps with them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::Index;

use super::super::SECOND;
use crate::engine::Moment;
use crate::engine::graph::{Dependencies, Graph};
use crate::engine::hook::{Hook, Trigger};
use crate::engine::job::{Job, Outcome, Rule, Settings, State};
use crate::engine::resources::{Need, Own, Room};
use crate::engine::submission::{Halt, Limit, Submission};

/// The most that a job takes here, and the least that a worker has.
pub(super) const LARGEST: Need = Need { cpus: 4, memory: 400, gpus: 2 };

/// A workflow to submit.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) jobs: Vec<Job>,
    /// What each job waits for.
    pub(super) on: Vec<Vec<u32>>,
    pub(super) settings: Vec<Settings>,
    pub(super) room: Room,
    /// How long after its submission its time is over.
    time: Option<u64>,
    pub(super) halt: Option<Halt>,
    pub(super) hooks: Vec<Hook>,
}

impl Plan {
    pub(super) fn limit(&self, now: Moment) -> Option<Limit> {
        self.time.map(|time| Limit { stop_at: now + time })
    }

    pub(super) fn submission(&self, now: Moment) -> Submission {
        let mut dependencies = Dependencies::default();
        self.on.iter().for_each(|on| dependencies.push(on.iter().copied()));
        Submission {
            jobs: self.jobs.clone(),
            settings: self.settings.clone(),
            graph: Graph::new(dependencies).unwrap(),
            room: self.room,
            limit: self.limit(now),
            halt: self.halt,
            hooks: self.hooks.clone(),
        }
    }
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Submit,
    Start(Index),
    End(Index, Outcome, i32, u64),
    HookEnds(Index),
    Cancel(Index),
    CancelJob(Index),
    Disable(Index),
    Enable(Index),
    /// Whether the engine schedules before the next one is there, and what that has.
    WorkerDies(bool, Need),
    Wait(u64),
    Hold,
    GoOn,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        2 => Just(Step::Submit),
        5 => index().prop_map(Step::Start),
        10 => (index(), outcome(), 0..4, 0..100_000_u64)
            .prop_map(|(job, outcome, code, took)| Step::End(job, outcome, code, took)),
        2 => index().prop_map(Step::HookEnds),
        1 => index().prop_map(Step::Cancel),
        1 => index().prop_map(Step::CancelJob),
        1 => index().prop_map(Step::Disable),
        2 => index().prop_map(Step::Enable),
        1 => (any::<bool>(), node()).prop_map(|(between, node)| Step::WorkerDies(between, node)),
        2 => prop_oneof![0..60_u64, Just(6 * SECOND)].prop_map(Step::Wait),
        1 => Just(Step::Hold),
        2 => Just(Step::GoOn),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use Outcome::{Failure, Interrupted, Stopped, Success, TimedOut, Unretryable, Withdrawn};
    prop_oneof![
        8 => Just(Success),
        4 => Just(Failure),
        1 => Just(Unretryable),
        1 => Just(TimedOut),
        1 => Just(Stopped),
        1 => Just(Interrupted),
        1 => Just(Withdrawn),
    ]
}

/// What a worker has: more or less than the largest job takes.
pub(super) fn node() -> impl Strategy<Value = Need> {
    (3..9_u32, 300..800_u64, 1..5_u32).prop_map(|(cpus, memory, gpus)| Need { cpus, memory, gpus })
}

pub(super) fn need() -> impl Strategy<Value = Need> {
    let memory = prop_oneof![3 => Just(0), 1 => 0..=LARGEST.memory];
    let gpus = prop_oneof![3 => Just(0), 1 => 0..=LARGEST.gpus];
    (0..=LARGEST.cpus, memory, gpus).prop_map(|(cpus, memory, gpus)| Need { cpus, memory, gpus })
}

fn room() -> impl Strategy<Value = Room> {
    let own = (option::of(2..6_u32), option::of(100..500_u64), option::of(0..3_u32));
    prop_oneof![
        4 => Just(Room::Node),
        1 => (1..4_u32).prop_map(Room::Count),
        2 => own.prop_map(|(cpus, memory, gpus)| Room::Own(Own { cpus, memory, gpus })),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let rule = (vec(1..4_i32, 0..2), any::<bool>(), 0..3_u32)
        .prop_map(|(codes, any, retries)| Rule { codes, any, retries });
    let rest = (option::weighted(0.2, 0..200_u64), 0..10, 0..3_u64);
    (need(), vec(rule, 0..3), any::<bool>(), rest).prop_map(|(need, rules, cancel, rest)| {
        let (runtime, held, delay) = rest;
        Settings {
            need,
            rules,
            retry_delay: delay * 50,
            cancel_on_failure: cancel,
            runtime,
            held: held == 0,
        }
    })
}

fn state() -> impl Strategy<Value = State> {
    use State::{
        Blocked, Canceled, Completed, Disabled, Failed, Pending, Ready, Running, Terminated,
    };
    let other = [Blocked, Pending, Running, Completed, Completed, Failed, Canceled, Terminated];
    prop_oneof![
        12 => Just(Ready),
        1 => Just(Disabled),
        2 => proptest::sample::select(other.to_vec()),
    ]
}

fn hook(jobs: usize) -> impl Strategy<Value = Hook> {
    use Trigger::{Complete, JobsEnded, JobsReady, Start, WorkerComplete, WorkerStart};
    let triggers = [Start, Complete, JobsReady, JobsEnded, WorkerStart, WorkerComplete];
    let jobs = vec(0..jobs.max(1) as u32, 0..4.min(jobs + 1));
    let trigger = proptest::sample::select(triggers.to_vec());
    (trigger, jobs, 0..6).prop_map(|(trigger, jobs, fired)| Hook {
        trigger,
        jobs,
        fired: fired == 0,
    })
}

/// Edges to the jobs before each; turned around, to those after it.
fn edges(jobs: usize) -> impl Strategy<Value = Vec<Vec<u32>>> {
    (vec(vec(any::<Index>(), 0..3), jobs), any::<bool>()).prop_map(move |(picks, turned)| {
        let before = |(job, picks): (usize, Vec<Index>)| {
            let picks = picks.into_iter().filter(|_| job > 0);
            let on = picks.map(|pick| pick.index(job));
            on.map(|on| (if turned { jobs - 1 - on } else { on }) as u32).collect()
        };
        let mut on: Vec<Vec<u32>> = picks.into_iter().enumerate().map(before).collect();
        if turned {
            on.reverse();
        }
        on
    })
}

pub(super) fn plan() -> impl Strategy<Value = Plan> {
    (0..12_usize, 1..4_usize).prop_flat_map(|(jobs, kinds)| {
        let job = (-1..2_i32, 0..kinds as u32, state(), 0..3_u32).prop_map(
            |(priority, settings, state, first)| Job {
                priority,
                settings,
                state,
                attempts: first,
                first,
            },
        );
        let halt = (1..4_u64, any::<bool>()).prop_map(|(after, now)| Halt { after, now });
        let ends = (option::weighted(0.2, 0..500_u64), option::weighted(0.2, halt));
        let hooks = vec(hook(jobs), 0..3);
        let parts = (vec(job, jobs), edges(jobs), vec(settings(), kinds), room(), ends, hooks);
        parts.prop_map(|(jobs, on, settings, room, (time, halt), hooks)| Plan {
            jobs,
            on,
            settings,
            room,
            time,
            halt,
            hooks,
        })
    })
}
