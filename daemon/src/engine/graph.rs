//! Which job waits for which.
//!
//! Both directions are kept as one list of neighbours and one of where each job's begin, so an edge
//! takes 8 bytes and a job 8, and a million jobs are built in linear time. A graph has no cycle, no
//! edge twice, and no edge to a job that is not there: [`Graph::new`] sees to it, without recursion.

use std::error::Error;
use std::fmt;
use std::ops::Range;

/// The dependencies of jobs that are still being collected.
#[derive(Clone, Debug, Default)]
pub struct Dependencies {
    /// Where the list of each job ends.
    ends: Vec<u32>,
    on: Vec<u32>,
    too_many: bool,
}

impl Dependencies {
    /// Adds the next job, which waits for these.
    pub fn push(&mut self, on: impl IntoIterator<Item = u32>) {
        self.on.extend(on);
        self.too_many |= u32::try_from(self.on.len()).is_err();
        self.ends.push(self.on.len() as u32);
    }

    /// Returns how many jobs were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether no job was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Jobs of which each waits for the next, and the last for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<u32>);

/// Why dependencies make no graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphError {
    /// Jobs wait for themselves.
    Cycle(Cycle),
    /// A job waits for one that is not there.
    NoSuchJob {
        /// The job.
        job: u32,
        /// What it waits for.
        dependency: u32,
    },
    /// There are 2^32 dependencies or more.
    TooMany,
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cycle(Cycle(jobs)) => write!(f, "the jobs {jobs:?} wait for each other"),
            Self::NoSuchJob { job, dependency } => {
                write!(f, "job {job} waits for job {dependency}, which is not there")
            }
            Self::TooMany => write!(f, "there are too many dependencies"),
        }
    }
}

impl Error for GraphError {}

/// Which job waits for which. The default one is that of jobs that wait for nothing.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    dependencies: Neighbours,
    dependents: Neighbours,
}

/// The neighbours of each job in one direction.
#[derive(Clone, Debug, Default)]
struct Neighbours {
    /// Where the list of each job ends; nothing when there are no edges.
    ends: Vec<u32>,
    of: Vec<u32>,
}

impl Neighbours {
    fn of(&self, job: u32) -> &[u32] {
        &self.of[self.range(job)]
    }

    fn range(&self, job: u32) -> Range<usize> {
        let job = job as usize;
        let Some(end) = self.ends.get(job) else { return 0..0 };
        let begin = if job == 0 { 0 } else { self.ends[job - 1] };
        begin as usize..*end as usize
    }

    /// Returns the same edges, seen from the other side.
    fn turned(&self) -> Self {
        let jobs = self.ends.len();
        // First how many there are of each, then where each begins, at last where each ends.
        let mut ends = vec![0_u32; jobs];
        for neighbour in &self.of {
            ends[*neighbour as usize] += 1;
        }
        let mut begin = 0;
        for end in &mut ends {
            begin += std::mem::replace(end, begin);
        }
        let mut of = vec![0; self.of.len()];
        for job in 0..jobs as u32 {
            for neighbour in self.of(job) {
                let place = &mut ends[*neighbour as usize];
                of[*place as usize] = job;
                *place += 1;
            }
        }
        Self { ends, of }
    }
}

impl Graph {
    /// Makes a graph of what each job waits for. What is listed twice counts once.
    ///
    /// # Errors
    ///
    /// When jobs wait for themselves or for what is not there.
    pub fn new(dependencies: Dependencies) -> Result<Self, GraphError> {
        if dependencies.too_many {
            return Err(GraphError::TooMany);
        }
        if dependencies.on.is_empty() {
            return Ok(Self::default());
        }
        let dependencies = without_duplicates(dependencies)?;
        let dependents = dependencies.turned();
        let graph = Self { dependencies, dependents };
        match graph.find_cycle() {
            None => Ok(graph),
            Some(cycle) => Err(GraphError::Cycle(cycle)),
        }
    }

    /// Returns what a job waits for, in the order in which it was given.
    #[must_use]
    pub fn dependencies(&self, job: u32) -> &[u32] {
        self.dependencies.of(job)
    }

    /// Returns what waits for a job, in the order of submission.
    #[must_use]
    pub fn dependents(&self, job: u32) -> &[u32] {
        self.dependents.of(job)
    }

    /// Returns how many edges there are.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.dependencies.of.len()
    }

    fn find_cycle(&self) -> Option<Cycle> {
        let left = self.never_ready();
        let first = left.iter().position(|left| *left)? as u32;
        let next = |job: u32| self.dependencies(job).iter().copied().find(|on| left[*on as usize]);
        // Whatever is left waits for something that is left: who goes on comes back at some time.
        let mut seen = vec![false; left.len()];
        let mut job = first;
        while !std::mem::replace(&mut seen[job as usize], true) {
            job = next(job)?;
        }
        Some(Cycle(self.shortest_way_back(job)))
    }

    /// Returns which jobs would never be ready if all others completed.
    fn never_ready(&self) -> Vec<bool> {
        let jobs = self.dependencies.ends.len() as u32;
        let waits_for = |job| self.dependencies(job).len() as u32;
        let mut unfinished: Vec<u32> = (0..jobs).map(waits_for).collect();
        let mut ready: Vec<u32> = (0..jobs).filter(|job| waits_for(*job) == 0).collect();
        let mut left = vec![true; jobs as usize];
        while let Some(job) = ready.pop() {
            left[job as usize] = false;
            for dependent in self.dependents(job) {
                let unfinished = &mut unfinished[*dependent as usize];
                *unfinished -= 1;
                if *unfinished == 0 {
                    ready.push(*dependent);
                }
            }
        }
        left
    }

    /// Returns the shortest cycle through a job that is on one, that with the lowest index first.
    fn shortest_way_back(&self, start: u32) -> Vec<u32> {
        const UNSEEN: u32 = u32::MAX;
        let mut waits_for = vec![UNSEEN; self.dependencies.ends.len()];
        let mut found = vec![start];
        let mut next = 0;
        // Backwards, so that what is noted on the way leads forwards.
        'search: while next < found.len() {
            let job = found[next];
            next += 1;
            for dependent in self.dependents(job) {
                if waits_for[*dependent as usize] == UNSEEN {
                    waits_for[*dependent as usize] = job;
                    found.push(*dependent);
                }
                if *dependent == start {
                    break 'search;
                }
            }
        }
        let mut cycle = vec![start];
        let mut job = waits_for[start as usize];
        while job != start {
            cycle.push(job);
            job = waits_for[job as usize];
        }
        let lowest = (0..cycle.len()).min_by_key(|place| cycle[*place]).unwrap_or(0);
        cycle.rotate_left(lowest);
        cycle
    }
}

/// Checks what each job waits for, and keeps of what is listed twice the first.
fn without_duplicates(dependencies: Dependencies) -> Result<Neighbours, GraphError> {
    let Dependencies { mut ends, mut on, .. } = dependencies;
    let jobs = ends.len();
    // By which job each was named last, counted from 1.
    let mut named_by = vec![0_u32; jobs];
    let mut kept = 0;
    let mut begin = 0;
    for job in 0..jobs as u32 {
        let end = &mut ends[job as usize];
        for place in begin..*end as usize {
            let dependency = on[place];
            let Some(last) = named_by.get_mut(dependency as usize) else {
                return Err(GraphError::NoSuchJob { job, dependency });
            };
            if dependency == job {
                return Err(GraphError::Cycle(Cycle(vec![job])));
            }
            if std::mem::replace(last, job + 1) != job + 1 {
                on[kept] = dependency;
                kept += 1;
            }
        }
        begin = *end as usize;
        *end = kept as u32;
    }
    on.truncate(kept);
    on.shrink_to_fit();
    Ok(Neighbours { ends, of: on })
}
