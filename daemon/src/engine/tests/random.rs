//! Random scripts: whatever happens in whatever order, the invariants hold and all comes to an end.

use std::cmp::max;
use std::collections::{BTreeMap, BTreeSet};

use crate::engine::action::Action;
use crate::engine::job::{End, Job, JobKey, Outcome, Settings, State, WorkflowKey};
use crate::engine::transition::Submission;
use crate::engine::{Engine, Moment};

/// The largest number of CPUs that a job takes here, and the smallest that a worker has.
const CPUS: u64 = 4;

/// A small generator (xorshift64*): the same seed gives the same script on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len() as u64) as usize])
    }
}

/// What a dispatcher and a worker know, from the actions alone.
#[derive(Default)]
struct Outside {
    engine: Engine,
    out: Vec<Action>,
    now: Moment,
    /// The states of the jobs of each workflow, and how many attempts each has had.
    known: BTreeMap<WorkflowKey, Vec<(State, u32)>>,
    /// The attempts at the worker, and whether each runs.
    assigned: BTreeMap<JobKey, (u32, bool)>,
    /// The width of each lane at the worker.
    widths: BTreeMap<u32, u32>,
    ended: BTreeSet<WorkflowKey>,
    submitted: u64,
}

impl Outside {
    fn submit(&mut self, dice: &mut Dice) {
        self.submitted += 1;
        let key = WorkflowKey(self.submitted);
        let kinds = 1 + dice.below(3);
        let settings = (0..kinds).map(|_| Settings {
            cpus: dice.below(CPUS + 1) as u32,
            retries: dice.below(3) as u32,
            retry_delay: dice.below(3) * 50,
        });
        let settings: Vec<_> = settings.collect();
        let jobs = (0..dice.below(12)).map(|_| Job {
            priority: dice.below(3) as i32 - 1,
            settings: dice.below(kinds) as u32,
            state: State::Ready,
            attempts: 0,
        });
        let jobs: Vec<_> = jobs.collect();
        let max_parallel = (dice.below(2) == 0).then(|| 1 + dice.below(3) as u32);
        self.known.insert(key, vec![(State::Ready, 0); jobs.len()]);
        let submission = Submission { jobs, settings, max_parallel };
        self.engine.submit(key, submission, &mut self.out);
    }

    fn start(&mut self, job: JobKey) {
        if let Some((_, runs)) = self.assigned.get_mut(&job) {
            *runs = true;
            self.engine.started(job, &mut self.out);
        }
    }

    fn end(&mut self, job: JobKey, outcome: Outcome, took: u64) {
        if self.assigned.remove(&job).is_some() {
            self.engine.ended(job, End { outcome, took }, self.now, &mut self.out);
        }
    }

    fn end_somehow(&mut self, job: JobKey, dice: &mut Dice) {
        use Outcome::{Failure, Stopped, Success, TimedOut, Withdrawn};
        let runs = self.assigned[&job].1;
        let outcomes: &[_] =
            if runs { &[Success, Failure, TimedOut, Stopped] } else { &[Withdrawn, Failure] };
        let outcome = dice.pick(outcomes).unwrap_or(Success);
        self.end(job, outcome, dice.below(100_000));
    }

    fn lose_worker(&mut self, dice: &mut Dice) {
        self.engine.worker_gone();
        self.widths.clear();
        for (job, (_, runs)) in self.assigned.clone() {
            self.end(job, if runs { Outcome::Failure } else { Outcome::Withdrawn }, 0);
        }
        if dice.below(2) == 0 {
            self.settle();
        }
        self.engine.worker_ready((CPUS + dice.below(5)) as u32);
    }

    fn do_something(&mut self, dice: &mut Dice) {
        let assigned: Vec<JobKey> = self.assigned.keys().copied().collect();
        let workflows: Vec<WorkflowKey> = self.known.keys().copied().collect();
        match dice.below(20) {
            0..2 => self.submit(dice),
            2..8 => dice.pick(&assigned).into_iter().for_each(|job| self.start(job)),
            8..16 => {
                if let Some(job) = dice.pick(&assigned) {
                    self.end_somehow(job, dice);
                }
            }
            16 => {
                if let Some(key) = dice.pick(&workflows).filter(|_| dice.below(4) == 0) {
                    let had_ended = self.engine.counts(key).is_none();
                    let canceled = self.engine.cancel(key, &mut self.out);
                    assert_eq!(canceled.is_none(), had_ended);
                }
            }
            17 => {
                if let Some(workflow) = dice.pick(&workflows)
                    && let jobs = self.known[&workflow].len() as u64
                    && jobs > 0
                {
                    let job = JobKey { workflow, index: dice.below(jobs) as u32 };
                    self.engine.cancel_job(job, &mut self.out);
                }
            }
            18 if dice.below(5) == 0 => self.lose_worker(dice),
            _ => self.now += dice.below(60),
        }
    }

    /// Lets the engine schedule, takes what came out, and looks whether all is well.
    fn settle(&mut self) {
        self.engine.tick(self.now, &mut self.out);
        self.engine.schedule(&mut self.out);
        for action in std::mem::take(&mut self.out) {
            self.take_note(action);
        }
        self.check();
    }

    fn job(&mut self, job: JobKey) -> &mut (State, u32) {
        assert!(!self.ended.contains(&job.workflow), "nothing follows the end of a workflow");
        &mut self.known.get_mut(&job.workflow).unwrap()[job.index as usize]
    }

    fn take_note(&mut self, action: Action) {
        match action {
            Action::Set { job, state, attempts } => *self.job(job) = (state, attempts),
            Action::CancelWaiting(key, count) => {
                let jobs = self.known.get_mut(&key).unwrap().iter_mut();
                let waiting: Vec<_> =
                    jobs.filter(|(s, _)| matches!(s, State::Ready | State::Blocked)).collect();
                assert_eq!(waiting.len() as u64, count);
                waiting.into_iter().for_each(|job| job.0 = State::Canceled);
            }
            Action::Lane { lane, width, .. } => {
                self.widths.insert(lane, width);
            }
            Action::Assign { lane, job, attempt } => {
                let known = self.job(job);
                assert_eq!(*known, (State::Ready, attempt - 1), "only what is ready is assigned");
                *known = (State::Pending, attempt);
                assert!(self.assigned.insert(job, (attempt, false)).is_none(), "once at a time");
                assert!(self.widths.contains_key(&lane), "the worker knows the lane");
                self.check_not_too_far_ahead(job);
            }
            Action::Stop { job, attempt } => {
                // It may have ended in the same turn.
                assert!(self.assigned.get(&job).is_none_or(|(last, _)| *last == attempt));
            }
            Action::Finish(key, _, counts) => {
                assert!(self.ended.insert(key), "a workflow ends once");
                assert_eq!(counts, count(&self.known[&key]));
                assert!(self.known[&key].iter().all(|(state, _)| state.is_final()));
            }
        }
    }

    fn check_not_too_far_ahead(&self, job: JobKey) {
        let workflow = &self.engine.workflows[&job.workflow];
        let lane = &workflow.lanes[&workflow.job(job.index).settings];
        assert!(lane.outstanding <= lane.width + max(lane.width, 256));
        assert!(lane.width > 0);
    }

    fn check(&self) {
        let mut reserved = 0;
        let mut could_run = 0;
        for (key, workflow) in &self.engine.workflows {
            let jobs: Vec<_> = workflow.jobs.iter().map(|job| (job.state, job.attempts)).collect();
            assert_eq!(jobs, self.known[key], "what came out says where every job is");
            assert_eq!(self.engine.counts(*key), Some(count(&jobs)));
            let mut at_a_time = 0;
            for (kind, lane) in &workflow.lanes {
                let of_lane = |job: &&JobKey| {
                    job.workflow == *key && workflow.job(job.index).settings == *kind
                };
                let there = self.assigned.keys().filter(of_lane).count() as u32;
                assert_eq!(lane.outstanding, there);
                let running = self.widths.get(&lane.number).map_or(0, |told| there.min(*told));
                at_a_time += running;
                if workflow.max_parallel.is_none() {
                    reserved += lane.width * lane.cpus;
                    could_run += running * lane.cpus;
                }
            }
            assert!(workflow.max_parallel.is_none_or(|limit| at_a_time <= limit));
        }
        assert_eq!(self.engine.cpus_used, reserved);
        let cpus = self.engine.capacity().unwrap_or(0);
        assert!(could_run <= reserved && reserved <= cpus, "{could_run} {reserved} {cpus}");
        let ends: BTreeSet<_> = self.engine.running().chain(self.ended.iter().copied()).collect();
        assert_eq!(ends.len() as u64, self.submitted);
    }

    /// Lets everything succeed until all has ended.
    fn finish(&mut self) {
        for _ in 0..1_000 {
            self.settle();
            if self.known.len() == self.ended.len() {
                assert_eq!(self.engine.cpus_used, 0);
                assert!(self.assigned.is_empty());
                return;
            }
            let assigned: Vec<_> = self.assigned.keys().copied().collect();
            if assigned.is_empty() {
                self.now = self.engine.next_due().expect("something runs or is due");
            }
            assigned.into_iter().for_each(|job| self.end(job, Outcome::Success, 1_000));
        }
        panic!("it does not come to an end");
    }
}

fn count(jobs: &[(State, u32)]) -> [u64; State::ALL.len()] {
    State::ALL.map(|state| jobs.iter().filter(|job| job.0 == state).count() as u64)
}

#[test]
fn whatever_happens_the_invariants_hold_and_everything_ends() {
    for seed in 1..=100 {
        let mut dice = Dice(seed);
        let mut outside = Outside::default();
        outside.engine.worker_ready((CPUS + dice.below(5)) as u32);
        for _ in 0..300 {
            outside.do_something(&mut dice);
            // Often several things happen in one turn.
            if dice.below(3) > 0 {
                outside.settle();
            }
        }
        outside.finish();
    }
}
