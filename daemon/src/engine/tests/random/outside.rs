//! A dispatcher and a worker who know only the actions, and check each of them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::states::changes;
use super::plan::Plan;
use super::reckoning::{cost, count, fits, own_total, plus, too_large};
use crate::engine::action::{Action, Finish};
use crate::engine::explain::Explanation;
use crate::engine::hook::Trigger;
use crate::engine::job::{End, JobKey, Outcome, Settings, State, WorkflowKey};
use crate::engine::resources::{Need, Room};
use crate::engine::submission::Limit;
use crate::engine::{Engine, Moment};

/// What is known of a workflow.
pub(super) struct Known {
    pub(super) plan: Plan,
    pub(super) states: Vec<(State, u32)>,
    limit: Option<Limit>,
    /// Jobs that are or were ready.
    been_ready: BTreeSet<u32>,
    fired: BTreeSet<u32>,
    pub(super) hooks_running: BTreeSet<u32>,
    /// It was canceled, is out of time, or has given up.
    closed: bool,
    canceled: bool,
    /// It was canceled, is out of time, or was halted at once.
    cut_short: bool,
    pub(super) finish: Option<Finish>,
}

/// An attempt at the worker.
pub(super) struct Assigned {
    attempt: u32,
    runs: bool,
    gpus: Vec<u32>,
}

#[derive(Default)]
pub(super) struct Outside {
    pub(super) engine: Engine,
    pub(super) out: Vec<Action>,
    pub(super) log: Vec<Action>,
    pub(super) now: Moment,
    pub(super) known: BTreeMap<WorkflowKey, Known>,
    pub(super) assigned: BTreeMap<JobKey, Assigned>,
    canceled_jobs: BTreeSet<JobKey>,
    /// What is told now is how jobs stand that were given otherwise.
    submitting: bool,
    /// From which state to which other a job may go.
    changes: BTreeSet<(State, State)>,
    /// Nothing may start for now.
    holding: bool,
    /// The width of each lane at the worker.
    widths: BTreeMap<(WorkflowKey, u32), u32>,
}

impl Outside {
    pub(super) fn new(node: Need) -> Self {
        let mut outside = Self { changes: changes(), ..Self::default() };
        outside.engine.worker_ready(node);
        outside
    }

    pub(super) fn submit(&mut self, plan: Plan) {
        let key = WorkflowKey(self.known.len() as u64 + 1);
        let given = |job: &crate::engine::job::Job| (job.state, job.attempts);
        let was_ready = |state: State| state.is_final() && state != State::Canceled;
        let jobs = plan.jobs.iter().enumerate();
        let known = Known {
            states: plan.jobs.iter().map(given).collect(),
            limit: plan.limit(self.now),
            been_ready: jobs
                .filter(|(_, job)| was_ready(job.state))
                .map(|(index, _)| index as u32)
                .collect(),
            fired: BTreeSet::new(),
            hooks_running: BTreeSet::new(),
            closed: false,
            canceled: false,
            cut_short: false,
            finish: None,
            plan,
        };
        let submission = known.plan.submission(self.now);
        self.known.insert(key, known);
        self.engine.submit(key, submission, &mut self.out);
        self.submitting = true;
        self.hear();
        self.submitting = false;
        // Those that were given as ready, and are, were not mentioned.
        let known = self.known.get_mut(&key).unwrap();
        let ready = known.states.iter().enumerate().filter(|(_, job)| job.0 == State::Ready);
        known.been_ready.extend(ready.map(|(index, _)| index as u32));
    }

    pub(super) fn start(&mut self, job: JobKey) {
        self.assigned.get_mut(&job).unwrap().runs = true;
        self.engine.started(job, &mut self.out);
        self.hear();
    }

    /// Ends an attempt; as withdrawn instead of stopped if it does not run, and the other way round.
    pub(super) fn end(&mut self, job: JobKey, outcome: Outcome, code: i32, took: u64) {
        let must_run = [Outcome::Success, Outcome::TimedOut, Outcome::Interrupted];
        if must_run.contains(&outcome) && !self.assigned[&job].runs {
            self.start(job);
        }
        let assigned = self.assigned.remove(&job).unwrap();
        let outcome = match outcome {
            Outcome::Withdrawn if assigned.runs => Outcome::Stopped,
            Outcome::Stopped if !assigned.runs => Outcome::Withdrawn,
            other => other,
        };
        let canceled = self.canceled_jobs.remove(&job) || self.known[&job.workflow].closed;
        let end = End { outcome, code, took };
        let state = self.engine.ended(job, end, self.now, &mut self.out);
        self.check_what_becomes(job, end, canceled, state);
        self.hear();
    }

    fn check_what_becomes(&mut self, job: JobKey, end: End, canceled: bool, state: State) {
        let plan = &mut self.known.get_mut(&job.workflow).unwrap().plan;
        let first = plan.jobs[job.index as usize].first;
        if end.outcome == Outcome::Interrupted {
            plan.jobs[job.index as usize].first += 1;
        }
        let settings = self.settings(job);
        let tries = self.known[&job.workflow].states[job.index as usize].1 - first;
        let rules = || settings.rules.iter();
        let rule = rules().find(|rule| rule.codes.contains(&end.code));
        let rule = rule.or_else(|| rules().find(|rule| rule.any));
        let again = rule.is_some_and(|rule| tries <= rule.retries) && !canceled;
        let retried = if settings.retry_delay > 0 { State::Blocked } else { State::Ready };
        let expected = match end.outcome {
            Outcome::Success => State::Completed,
            Outcome::Failure | Outcome::TimedOut if again => retried,
            Outcome::Failure | Outcome::Unretryable => State::Failed,
            Outcome::Interrupted if canceled => State::Terminated,
            Outcome::TimedOut | Outcome::Stopped => State::Terminated,
            Outcome::Withdrawn if canceled => State::Canceled,
            Outcome::Withdrawn | Outcome::Interrupted => State::Ready,
        };
        assert_eq!(state, expected);
        let counted = u32::from(end.outcome != Outcome::Withdrawn);
        let kept = self.engine.job(job).map_or(tries + first, |job| job.attempts + 1 - counted);
        assert_eq!(kept, tries + first, "an attempt that was withdrawn does not count");
    }

    pub(super) fn hook_ends(&mut self, key: WorkflowKey, hook: u32) {
        self.known.get_mut(&key).unwrap().hooks_running.remove(&hook);
        self.engine.hook_ended(key, hook, &mut self.out);
        self.hear();
    }

    pub(super) fn cancel(&mut self, key: WorkflowKey) {
        let known = self.known.get_mut(&key).unwrap();
        let ended = known.finish.is_some();
        known.closed |= !ended;
        known.canceled |= !ended;
        known.cut_short |= !ended;
        let counts = self.engine.cancel(key, &mut self.out);
        assert_eq!(counts.is_none(), ended);
        self.hear();
    }

    pub(super) fn cancel_job(&mut self, job: JobKey) {
        self.engine.cancel_job(job, &mut self.out);
        if self.assigned.contains_key(&job) {
            self.canceled_jobs.insert(job);
        }
        self.hear();
    }

    pub(super) fn switch(&mut self, job: JobKey, enable: bool) {
        if enable {
            self.engine.enable(job, &mut self.out);
        } else {
            self.engine.disable(job, &mut self.out);
        }
        self.hear();
    }

    pub(super) fn hold(&mut self) {
        self.holding = true;
        self.engine.hold(&mut self.out);
        self.hear();
    }

    pub(super) fn go_on(&mut self) {
        self.holding = false;
        self.engine.go_on(&mut self.out);
        self.hear();
    }

    pub(super) fn worker_dies(&mut self, schedules_between: bool, next: Need) {
        self.engine.worker_gone();
        self.widths.clear();
        for job in self.assigned.keys().copied().collect::<Vec<_>>() {
            let runs = self.assigned[&job].runs;
            self.end(job, if runs { Outcome::Failure } else { Outcome::Withdrawn }, -1, 0);
        }
        if schedules_between {
            self.turn();
        }
        self.engine.worker_ready(next);
    }

    /// Lets the engine schedule, and looks whether all is well.
    pub(super) fn turn(&mut self) {
        for known in self.known.values_mut() {
            let is_over = known.limit.is_some_and(|limit| limit.stop_at <= self.now);
            known.closed |= is_over;
            known.cut_short |= is_over;
        }
        self.engine.tick(self.now, &mut self.out);
        self.hear();
        self.engine.schedule(self.now, &mut self.out);
        self.hear();
        self.check();
    }

    fn settings(&self, job: JobKey) -> &Settings {
        let plan = &self.known[&job.workflow].plan;
        &plan.settings[plan.jobs[job.index as usize].settings as usize]
    }

    fn hear(&mut self) {
        for action in std::mem::take(&mut self.out) {
            self.log.push(action.clone());
            self.hear_one(action);
        }
    }

    fn open(&mut self, key: WorkflowKey) -> &mut Known {
        let known = self.known.get_mut(&key).unwrap();
        assert_eq!(known.finish, None, "nothing follows the end of a workflow");
        known
    }

    fn hear_one(&mut self, action: Action) {
        match action {
            Action::Set { job, state, attempts } => {
                let before = self.known[&job.workflow].states[job.index as usize].0;
                assert!(
                    self.changes.contains(&(before, state)) || self.submitting,
                    "{before:?} does not become {state:?}"
                );
                assert!(before != state && !before.is_final(), "only changes are told");
                let known = self.open(job.workflow);
                let before = &mut known.states[job.index as usize];
                *before = (state, attempts);
                if state == State::Ready {
                    known.been_ready.insert(job.index);
                }
                let failed =
                    |(state, _): &&(State, u32)| matches!(state, State::Failed | State::Terminated);
                let failed = known.states.iter().filter(failed).count() as u64;
                let halts = known.plan.halt.filter(|halt| failed >= halt.after);
                known.closed |= halts.is_some();
                known.cut_short |= halts.is_some_and(|halt| halt.now);
            }
            Action::CancelWaiting(key, count) => {
                let waiting = self.open(key).states.iter_mut().filter(|(s, _)| s.is_waiting());
                let waiting: Vec<_> = waiting.collect();
                assert_eq!(waiting.len() as u64, count);
                waiting.into_iter().for_each(|job| job.0 = State::Canceled);
                self.open(key).closed = true;
            }
            Action::Lane { workflow, settings, width, .. } => {
                self.open(workflow);
                self.widths.insert((workflow, settings), width);
            }
            Action::Assign { job, attempt, gpus, .. } => self.hear_assigned(job, attempt, gpus),
            Action::Stop { job, attempt } => {
                // It may have ended in the same turn.
                assert!(self.assigned.get(&job).is_none_or(|last| last.attempt == attempt));
            }
            Action::Withdraw { job, attempt } => {
                // It may have ended in the same turn.
                assert!(self.assigned.get(&job).is_none_or(|last| last.attempt == attempt));
            }
            Action::Fire { workflow, hook } => self.hear_fired(workflow, hook),
            // It may have ended in the same turn.
            Action::StopHook { .. } => {}
            Action::Finish(key, finish, counts) => self.hear_finished(key, finish, counts),
        }
    }

    fn hear_assigned(&mut self, job: JobKey, attempt: u32, gpus: Vec<u32>) {
        let kind = self.known[&job.workflow].plan.jobs[job.index as usize].settings;
        let settings = self.settings(job).clone();
        let (now, holding) = (self.now, self.holding);
        let known = self.open(job.workflow);
        assert!(!known.closed && !settings.held, "nothing starts that may not");
        assert!(!holding, "nothing starts in a hold");
        let too_late = |limit: Limit| now + settings.runtime.unwrap_or(0) > limit.stop_at;
        assert!(!known.limit.is_some_and(too_late), "it ends in time");
        for on in &known.plan.on[job.index as usize] {
            let before = known.states[*on as usize].0;
            assert!(
                before == State::Completed || (before.is_final() && !settings.cancel_on_failure)
            );
        }
        let own = (std::cmp::Reverse(known.plan.jobs[job.index as usize].priority), job.index);
        for (index, other) in known.plan.jobs.iter().enumerate() {
            let comes_before = (std::cmp::Reverse(other.priority), index as u32) < own;
            let waits = known.states[index].0 == State::Ready;
            assert!(!(comes_before && waits && other.settings == kind), "in order");
        }
        let state = &mut known.states[job.index as usize];
        assert_eq!(*state, (State::Ready, attempt - 1), "only what is ready is assigned");
        *state = (State::Pending, attempt);
        assert!(self.widths.contains_key(&(job.workflow, kind)), "the worker knows the lane");
        let counted = !matches!(self.known[&job.workflow].plan.room, Room::Count(_));
        assert_eq!(gpus.len() as u32, if counted { settings.need.gpus } else { 0 });
        let assigned = Assigned { attempt, runs: false, gpus };
        assert!(self.assigned.insert(job, assigned).is_none(), "once at a time");
    }

    fn hear_fired(&mut self, key: WorkflowKey, number: u32) {
        assert!(!self.holding, "nothing begins in a hold");
        let known = self.open(key);
        let hook = &known.plan.hooks[number as usize];
        assert!(!hook.fired && known.fired.insert(number), "once");
        assert!(!known.cut_short, "nothing new begins");
        let state = |job: &u32| known.states[*job as usize].0;
        match hook.trigger {
            Trigger::Start | Trigger::WorkerStart => {}
            Trigger::JobsReady => assert!(
                hook.jobs
                    .iter()
                    .all(|job| { known.been_ready.contains(job) || state(job) == State::Ready })
            ),
            Trigger::JobsEnded => assert!(hook.jobs.iter().all(|job| state(job).is_final())),
            Trigger::Complete | Trigger::WorkerComplete => {
                assert!(known.states.iter().all(|(state, _)| state.is_final()));
            }
        }
        known.hooks_running.insert(number);
    }

    fn hear_finished(&mut self, key: WorkflowKey, finish: Finish, counts: [u64; 9]) {
        let node = self.engine.capacity();
        let known = self.open(key);
        assert!(known.hooks_running.is_empty());
        assert_eq!(counts, count(&known.states));
        known.finish = Some(finish);
        let known = &self.known[&key];
        let is = |state: State| counts[state as usize];
        let ended = is(State::Completed) + is(State::Failed) + is(State::Canceled);
        let ended = ended + is(State::Terminated);
        if finish != Finish::Paused {
            assert_eq!(ended, known.states.len() as u64);
            let expected = match ended == is(State::Completed) {
                true => Finish::Completed,
                false if known.canceled => Finish::Canceled,
                false => Finish::Failed,
            };
            assert_eq!(finish, expected);
            return;
        }
        assert!(ended < known.states.len() as u64 && !known.closed);
        for (index, (state, _)) in known.states.iter().enumerate() {
            let settings = &known.plan.settings[known.plan.jobs[index].settings as usize];
            let on = &known.plan.on[index];
            match state {
                State::Ready => assert!(
                    settings.held || too_large(settings.need, known.plan.room, node),
                    "what could start is no reason to pause"
                ),
                State::Blocked => {
                    assert!(on.iter().any(|on| !known.states[*on as usize].0.is_final()));
                }
                State::Pending | State::Running => panic!("something is under way"),
                _ => {}
            }
        }
    }

    fn check(&self) {
        let mut node = Need::default();
        let mut node_gpus = BTreeSet::new();
        for (key, known) in &self.known {
            assert_eq!(
                self.engine.counts(*key),
                known.finish.is_none().then(|| count(&known.states))
            );
            if known.finish.is_some() {
                continue;
            }
            let mut own = Need::default();
            let mut own_gpus = BTreeSet::new();
            for kind in 0..known.plan.settings.len() as u32 {
                let running = self.could_run(*key, kind);
                let (from_own, from_node) =
                    cost(known.plan.settings[kind as usize].need, known.plan.room);
                own = plus(own, from_own, running);
                node = plus(node, from_node, running);
            }
            for (job, assigned) in self.assigned.range(JobKey { workflow: *key, index: 0 }..) {
                if job.workflow != *key {
                    break;
                }
                let (from_own, _) = cost(self.settings(*job).need, known.plan.room);
                let held = if from_own.gpus > 0 { &mut own_gpus } else { &mut node_gpus };
                for gpu in &assigned.gpus {
                    assert!(held.insert(*gpu), "a GPU has one holder");
                }
            }
            own.gpus = own_gpus.len() as u32;
            assert!(fits(own, own_total(known.plan.room)), "{own:?}");
            self.check_explanations(*key, known);
        }
        node.gpus = node_gpus.len() as u32;
        if let (Some(total), Some(free)) = (self.engine.capacity(), self.engine.free()) {
            assert!(fits(node, total.without(free)), "{node:?} are in use, {free:?} free");
            assert_eq!(total.gpus - free.gpus, node.gpus);
            assert!(node_gpus.last().is_none_or(|last| *last < total.gpus));
        }
        if self.assigned.is_empty() && !self.holding {
            assert_eq!(self.engine.free(), self.engine.capacity(), "all is given back");
        }
    }

    fn check_explanations(&self, key: WorkflowKey, known: &Known) {
        for (index, (state, attempts)) in known.states.iter().enumerate() {
            let job = JobKey { workflow: key, index: index as u32 };
            let kept = self.engine.job(job).unwrap();
            assert_eq!((kept.state, kept.attempts), (*state, *attempts));
            let explanation = self.engine.explain(job).unwrap();
            let agrees = match (&explanation, state) {
                (Explanation::Blocked { first, count }, State::Blocked) => {
                    *count > 0 && first.len() <= *count
                }
                (Explanation::Delayed { until }, State::Blocked) => *until > self.now,
                (Explanation::Ready { .. }, State::Ready) => !self.settings(job).held,
                (Explanation::Held, State::Ready) => self.settings(job).held,
                (Explanation::Disabled, State::Disabled)
                | (Explanation::Pending, State::Pending)
                | (Explanation::Running, State::Running) => true,
                (Explanation::Ended(ended), state) => ended == state,
                _ => false,
            };
            assert!(agrees, "{state:?} is explained by {explanation:?}");
        }
    }

    /// Returns how many jobs of a lane the worker might run.
    fn could_run(&self, key: WorkflowKey, kind: u32) -> u32 {
        let jobs = &self.known[&key].plan.jobs;
        let there = self
            .assigned
            .keys()
            .filter(|job| job.workflow == key && jobs[job.index as usize].settings == kind);
        let width = self.widths.get(&(key, kind)).copied().unwrap_or(0);
        (there.count() as u32).min(width)
    }

    /// Lets everything succeed until all has ended or is paused.
    pub(super) fn finish(&mut self) {
        for _ in 0..2_000 {
            self.turn();
            if self.known.values().all(|known| known.finish.is_some()) {
                assert!(self.assigned.is_empty());
                assert_eq!(self.engine.free(), self.engine.capacity());
                assert_eq!(self.engine.next_due(), None);
                assert_eq!(self.engine.running().count(), 0);
                return;
            }
            let hooks = self
                .known
                .iter()
                .flat_map(|(key, known)| known.hooks_running.iter().map(|hook| (*key, *hook)));
            let hooks: Vec<_> = hooks.collect();
            let assigned: Vec<_> = self.assigned.keys().copied().collect();
            if assigned.is_empty() && hooks.is_empty() {
                self.now = self.engine.next_due().expect("something runs or is due");
            }
            assigned.into_iter().for_each(|job| self.end(job, Outcome::Success, 0, 1_000));
            hooks.into_iter().for_each(|(key, hook)| self.hook_ends(key, hook));
        }
        panic!("it does not come to an end");
    }
}
