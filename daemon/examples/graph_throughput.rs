//! How the engine grows with the number of jobs: time to build, time to run all with a worker that
//! answers at once, and memory.
//!
//! usage: `cargo run --release -p torcd --example graph_throughput [-- JOBS...]`
//!
//! Measures each graph in a process of its own, so that what one leaves behind in the heap is not
//! counted for the next.

use std::process::Command as Program;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use torcd::engine::Engine;
use torcd::engine::action::{Action, Finish};
use torcd::engine::graph::{Dependencies, Graph};
use torcd::engine::job::{End, Job, Outcome, Settings, State, WorkflowKey};
use torcd::engine::resources::{Need, Room};
use torcd::engine::submission::Submission;

const SHAPES: [&str; 3] = ["chain", "fan", "layers"];
const SIZES: [u32; 3] = [10_000, 100_000, 1_000_000];
/// How many layers the random graph has, and how many jobs of the layer before each job waits for.
const LAYERS: u32 = 100;
const EDGES: u32 = 3;
/// What the node has.
const CPUS: u32 = 64;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, shape, jobs] = &arguments[..]
        && first == "measure"
    {
        return measure(shape, jobs.parse()?);
    }
    let sizes = match arguments.iter().map(|text| text.parse()).collect::<Result<Vec<u32>, _>>()? {
        sizes if sizes.is_empty() => SIZES.to_vec(),
        sizes => sizes,
    };
    println!("graph       jobs      edges   build ms    run ms   run us/job   bytes/job");
    for shape in SHAPES {
        for jobs in &sizes {
            let mut one = Program::new(std::env::current_exe()?);
            let status = one.args(["measure", shape, &jobs.to_string()]).status()?;
            ensure!(status.success(), "{shape} with {jobs} jobs could not be measured");
        }
    }
    Ok(())
}

/// Measures one graph, and prints a line of the table.
fn measure(shape: &str, jobs: u32) -> anyhow::Result<()> {
    ensure!(jobs >= 2 * LAYERS, "at least {} jobs", 2 * LAYERS);
    let before = resident()?;
    let start = Instant::now();
    let mut engine = Engine::default();
    engine.worker_ready(Need { cpus: CPUS, ..Need::default() });
    let mut out = Vec::new();
    let submission = submission(shape, jobs)?;
    let edges = submission.graph.edges();
    engine.submit(WorkflowKey(1), submission, &mut out);
    ensure!(out.is_empty(), "a new workflow has nothing to tell");
    let built = start.elapsed();
    let memory = resident()?.saturating_sub(before);
    let ran = run_all(&mut engine, out)?;
    let per_job = ran.as_secs_f64() * 1e6 / f64::from(jobs);
    println!(
        "{shape:<8}{jobs:>8} {edges:>10} {:>10.1} {:>9.1} {per_job:>12.2} {:>11}",
        built.as_secs_f64() * 1e3,
        ran.as_secs_f64() * 1e3,
        memory / u64::from(jobs),
    );
    Ok(())
}

fn submission(shape: &str, jobs: u32) -> anyhow::Result<Submission> {
    let mut dependencies = Dependencies::default();
    match shape {
        "chain" => (0..jobs).for_each(|job| dependencies.push(job.checked_sub(1))),
        "fan" => {
            dependencies.push([]);
            (1..jobs - 1).for_each(|_| dependencies.push([0]));
            dependencies.push(1..jobs - 1);
        }
        "layers" => layers(&mut dependencies, jobs),
        other => bail!("there is no graph '{other}'"),
    }
    let graph = Graph::new(dependencies)?;
    let job = |index| {
        let is_first = graph.dependencies(index).is_empty();
        let state = if is_first { State::Ready } else { State::Blocked };
        Job { priority: 0, settings: 0, state, attempts: 0, first: 0 }
    };
    Ok(Submission {
        jobs: (0..jobs).map(job).collect(),
        settings: vec![Settings {
            need: Need { cpus: 1, ..Need::default() },
            rules: Vec::new(),
            retry_delay: 0,
            cancel_on_failure: true,
            runtime: None,
            held: false,
        }],
        graph,
        room: Room::Node,
        limit: None,
        halt: None,
        hooks: Vec::new(),
    })
}

/// Adds jobs of which each waits for some at random of the layer before its own.
fn layers(dependencies: &mut Dependencies, jobs: u32) {
    let size = jobs / LAYERS;
    let mut seed = 1_u64;
    let mut below = |limit: u32| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 32) as u32 % limit
    };
    for job in 0..jobs {
        let layer = job / size;
        let edges = if layer == 0 { 0 } else { EDGES };
        dependencies.push((0..edges).map(|_| (layer - 1) * size + below(size)));
    }
}

/// Lets each job that is assigned start and complete at once, until the workflow has ended.
fn run_all(engine: &mut Engine, mut out: Vec<Action>) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let end = End { outcome: Outcome::Success, code: 0, took: 1_000 };
    loop {
        let now = start.elapsed().as_micros() as u64;
        engine.schedule(now, &mut out);
        let mut idle = true;
        for action in std::mem::take(&mut out) {
            match action {
                Action::Assign { job, .. } => {
                    engine.started(job, &mut out);
                    engine.ended(job, end, now, &mut out);
                    idle = false;
                }
                Action::Finish(_, Finish::Completed, _) => return Ok(start.elapsed()),
                Action::Finish(_, finish, _) => bail!("it ended as {finish:?}"),
                Action::Set { .. }
                | Action::CancelWaiting(..)
                | Action::Lane { .. }
                | Action::Stop { .. }
                | Action::Withdraw { .. }
                | Action::Fire { .. }
                | Action::StopHook { .. } => idle = false,
            }
        }
        ensure!(!idle, "nothing runs, and it has not ended");
    }
}

/// Returns how many bytes of memory this process has.
fn resident() -> anyhow::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split_whitespace().nth(1).context("statm is too short")?.parse()?;
    Ok(pages * 4_096)
}
