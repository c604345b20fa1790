//! Properties: whatever happens in whatever order, the invariants hold and all comes to an end.
//!
//! Each of them is tried with 256 random cases; `PROPTEST_CASES` changes how many.

mod outside;
mod plan;
mod reckoning;

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::sample::Index;

use self::outside::Outside;
use self::plan::{LARGEST, Plan, Step, need, node, plan, step};
use super::{job, plain, submission};
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::assign::PATIENCE;
use crate::engine::graph::{Cycle, Dependencies, Graph, GraphError};
use crate::engine::job::{End, JobKey, Outcome, WorkflowKey};
use crate::engine::resources::Need;

/// As by default, but what fails is only printed: it belongs into a test with a name.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// Lets all of it happen, and returns what came out.
fn happen(node: Need, plans: &[Plan], steps: &[(Step, bool)]) -> Vec<Action> {
    let mut outside = Outside::new(node);
    let mut plans = plans.iter().cloned();
    plans.next().into_iter().for_each(|plan| outside.submit(plan));
    for (step, turns) in steps {
        let assigned: Vec<JobKey> = outside.assigned.keys().copied().collect();
        let any_assigned = |index: &Index| (!assigned.is_empty()).then(|| *index.get(&assigned));
        match step {
            Step::Submit => plans.next().into_iter().for_each(|plan| outside.submit(plan)),
            Step::Start(index) => {
                any_assigned(index).into_iter().for_each(|job| outside.start(job));
            }
            Step::End(index, outcome, code, took) => {
                let job = any_assigned(index).into_iter();
                job.for_each(|job| outside.end(job, *outcome, *code, *took));
            }
            Step::HookEnds(index) => hook_ends(&mut outside, index),
            Step::Cancel(index) => {
                let keys: Vec<_> = outside.known.keys().copied().collect();
                outside.cancel(*index.get(&keys));
            }
            Step::CancelJob(index) => {
                any_job(&outside, index).into_iter().for_each(|job| outside.cancel_job(job));
            }
            Step::Disable(index) => {
                any_job(&outside, index).into_iter().for_each(|job| outside.switch(job, false));
            }
            Step::Enable(index) => {
                any_job(&outside, index).into_iter().for_each(|job| outside.switch(job, true));
            }
            Step::WorkerDies(between, node) => outside.worker_dies(*between, *node),
            Step::Wait(time) => outside.now += time,
            Step::Hold => outside.hold(),
            Step::GoOn => outside.go_on(),
        }
        // Often several things happen in one turn.
        if *turns {
            outside.turn();
        }
    }
    plans.for_each(|plan| outside.submit(plan));
    outside.go_on();
    outside.finish();
    outside.log
}

fn any_job(outside: &Outside, index: &Index) -> Option<JobKey> {
    let jobs = outside.known.iter().flat_map(|(key, known)| {
        (0..known.states.len() as u32).map(|index| JobKey { workflow: *key, index })
    });
    let jobs: Vec<JobKey> = jobs.collect();
    (!jobs.is_empty()).then(|| *index.get(&jobs))
}

fn hook_ends(outside: &mut Outside, index: &Index) {
    let hooks = outside
        .known
        .iter()
        .flat_map(|(key, known)| known.hooks_running.iter().map(|hook| (*key, *hook)));
    let hooks: Vec<(WorkflowKey, u32)> = hooks.collect();
    if !hooks.is_empty() {
        let (key, hook) = *index.get(&hooks);
        outside.hook_ends(key, hook);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_the_invariants_hold_and_everything_ends(
        node in node(),
        plans in vec(plan(), 1..5),
        steps in vec((step(), any::<bool>()), 0..150),
    ) {
        happen(node, &plans, &steps);
    }

    #[test]
    fn the_same_script_gives_the_same_actions(
        node in node(),
        plans in vec(plan(), 1..4),
        steps in vec((step(), any::<bool>()), 0..80),
    ) {
        assert_eq!(happen(node, &plans, &steps), happen(node, &plans, &steps));
    }

    #[test]
    fn a_job_that_was_passed_over_for_long_starts_when_what_ran_then_has_ended(
        node in node(),
        large in need(),
        small in vec(need(), 1..4),
        steps in vec((any::<Index>(), any::<Index>(), 0..PATIENCE / 4), 1..150),
    ) {
        let node = Need {
            cpus: node.cpus.max(LARGEST.cpus),
            memory: node.memory.max(LARGEST.memory),
            gpus: node.gpus.max(LARGEST.gpus),
        };
        Stream::new(node).run(large, &small, &steps);
    }

    #[test]
    fn a_graph_is_told_from_a_cycle(edges in vec(vec(0..20_u32, 0..3), 1..20)) {
        check_graph(&edges);
    }
}

/// A large job, and small ones that keep coming after it.
struct Stream {
    engine: Engine,
    out: Vec<Action>,
    now: u64,
    running: BTreeSet<JobKey>,
    submitted: u64,
}

impl Stream {
    const LARGE: WorkflowKey = WorkflowKey(1_000);

    fn new(node: Need) -> Self {
        let mut engine = Engine::default();
        engine.worker_ready(node);
        Self { engine, out: Vec::new(), now: 0, running: BTreeSet::new(), submitted: 0 }
    }

    fn submit(&mut self, key: WorkflowKey, need: Need) {
        let settings = super::Settings { need, ..plain() };
        self.engine.submit(key, submission(vec![job(0, 0)], vec![settings]), &mut self.out);
    }

    /// Returns which jobs were assigned.
    fn turn(&mut self) -> BTreeSet<JobKey> {
        self.engine.schedule(self.now, &mut self.out);
        let started: BTreeSet<JobKey> = self
            .out
            .drain(..)
            .filter_map(|action| match action {
                Action::Assign { job, .. } => Some(job),
                _ => None,
            })
            .collect();
        self.running.extend(&started);
        started
    }

    fn end(&mut self, job: JobKey) {
        self.running.remove(&job);
        let end = End { outcome: Outcome::Success, code: 0, took: 1 };
        self.engine.ended(job, end, self.now, &mut self.out);
    }

    fn run(&mut self, large: Need, small: &[Need], steps: &[(Index, Index, u64)]) {
        self.fill_up(small);
        self.submit(Self::LARGE, large);
        let large = JobKey { workflow: Self::LARGE, index: 0 };
        let mut passed_over_at = None;
        let mut in_its_way: Option<BTreeSet<JobKey>> = None;
        for (which, next, time) in steps {
            let running: Vec<JobKey> = self.running.iter().copied().collect();
            self.end(*which.get(&running));
            self.submitted += 1;
            self.submit(WorkflowKey(Self::LARGE.0 + self.submitted), *next.get(small));
            self.now += time;
            let started = self.turn();
            if started.contains(&large) {
                return;
            }
            if !started.is_empty() {
                passed_over_at.get_or_insert(self.now);
            }
            if passed_over_at.is_some_and(|since| self.now >= since + PATIENCE) {
                let then = in_its_way.get_or_insert_with(|| self.running.clone());
                *then = &*then & &self.running;
                assert!(!then.is_empty(), "it starts when all that ran then has ended");
            }
        }
    }

    /// Lets small jobs run that come before the large one, until there is no room for the next.
    fn fill_up(&mut self, small: &[Need]) {
        for need in small.iter().cycle() {
            self.submitted += 1;
            let key = WorkflowKey(self.submitted);
            self.submit(key, *need);
            if self.turn().is_empty() {
                self.engine.cancel(key, &mut self.out);
                return;
            }
        }
    }
}

fn check_graph(edges: &[Vec<u32>]) {
    let jobs = edges.len() as u32;
    let mut dependencies = Dependencies::default();
    edges.iter().for_each(|on| dependencies.push(on.iter().copied()));
    let distinct: Vec<BTreeSet<u32>> =
        edges.iter().map(|on| on.iter().copied().collect()).collect();
    match Graph::new(dependencies) {
        Ok(graph) => {
            let mut dependents = BTreeMap::<u32, Vec<u32>>::new();
            for (index, on) in distinct.iter().enumerate() {
                let kept = graph.dependencies(index as u32);
                assert_eq!(kept.len(), on.len());
                assert!(kept.iter().all(|one| on.contains(one)));
                on.iter().for_each(|on| dependents.entry(*on).or_default().push(index as u32));
            }
            for job in 0..jobs {
                assert_eq!(graph.dependents(job), dependents.remove(&job).unwrap_or_default());
            }
            assert!(can_all_complete(&distinct));
        }
        Err(GraphError::Cycle(Cycle(cycle))) => {
            assert!(!can_all_complete(&distinct));
            assert_eq!(cycle.iter().collect::<BTreeSet<_>>().len(), cycle.len());
            for (place, job) in cycle.iter().enumerate() {
                let next = cycle[(place + 1) % cycle.len()];
                assert!(distinct[*job as usize].contains(&next), "each waits for the next");
            }
        }
        Err(GraphError::NoSuchJob { job, dependency }) => {
            assert!(dependency >= jobs && edges[job as usize].contains(&dependency));
        }
        Err(GraphError::TooMany) => panic!("these are few"),
    }
}

/// Finds out by trying whether every job would be ready at some time.
fn can_all_complete(on: &[BTreeSet<u32>]) -> bool {
    let mut completed = BTreeSet::<u32>::new();
    loop {
        let before = completed.len();
        let ready = (0..on.len() as u32).filter(|job| on[*job as usize].is_subset(&completed));
        let ready: Vec<u32> = ready.collect();
        completed.extend(ready);
        if completed.len() == before {
            return completed.len() == on.len();
        }
    }
}
