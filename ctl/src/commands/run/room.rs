//! Whether the jobs of a workflow file could start on this machine, for `--dry-run`: torcd would
//! refuse the workflow else.
//!
//! What cannot be found out here is not judged: GPUs, for one, unless the run is given some.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use torc_protocol::spec::{Capacity, RunOptions};

use crate::spec::resolved::{Job, Resources, Workflow};
use crate::style;

/// The most that jobs can have; none: not known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Machine {
    /// CPUs.
    cpus: Option<u64>,
    /// Bytes.
    memory: Option<u64>,
}

impl Machine {
    /// Returns what this one has.
    pub(super) fn here() -> Self {
        let cpus = thread::available_parallelism().ok().map(|cpus| cpus.get() as u64);
        let memory = fs::read_to_string("/proc/meminfo").ok();
        Self { cpus, memory: memory.and_then(|text| total_memory(&text)) }
    }
}

/// Returns a warning for each of the requirements which is too much for every job of a run here.
pub(super) fn warnings(workflow: &Workflow, options: &RunOptions, here: Machine) -> Vec<String> {
    // Then only the number of jobs counts.
    if options.max_parallel_jobs.is_some() {
        return Vec::new();
    }
    let mut first: BTreeMap<u32, &Job> = BTreeMap::new();
    for job in workflow.jobs.iter().filter(|job| belongs(job, &options.labels)) {
        if let Some(resources) = job.resources {
            first.entry(resources).or_insert(job);
        }
    }
    let warning = |(place, job): (u32, &Job)| {
        let resources = &workflow.resources[place as usize];
        let lack = shortage(resources, options.capacity, here)?;
        Some(format!(
            "a run here would be refused: no job that requires '{}' can ever start, the first is \
             {}: it takes {lack}",
            resources.name, job.name
        ))
    };
    first.into_iter().filter_map(warning).collect()
}

/// Returns in words what is too much; what the run is given counts instead of what there is.
fn shortage(needed: &Resources, given: Capacity, here: Machine) -> Option<String> {
    let number = |number: u64| number.to_string();
    let cpus = Lack::of(needed.cpus.into(), given.cpus.map(u64::from), here.cpus);
    let memory = Lack::of(needed.memory.unwrap_or(0), given.memory, here.memory);
    let gpus = Lack::of(needed.gpus.into(), given.gpus.map(u64::from), None);
    cpus.map(|lack| lack.in_words("CPUs", number))
        .or_else(|| memory.map(|lack| lack.in_words("of memory", style::size)))
        .or_else(|| gpus.map(|lack| lack.in_words("GPUs", number)))
}

/// More than there is.
struct Lack {
    need: u64,
    has: u64,
    whose: &'static str,
}

impl Lack {
    fn of(need: u64, given: Option<u64>, here: Option<u64>) -> Option<Self> {
        let whose = if given.is_some() { "the run" } else { "this machine" };
        let has = given.or(here).filter(|has| need > *has)?;
        Some(Self { need, has, whose })
    }

    fn in_words(&self, kind: &str, write: impl Fn(u64) -> String) -> String {
        format!("{} {kind}, {} has {}", write(self.need), self.whose, write(self.has))
    }
}

/// Returns whether a job belongs to a run with these labels.
fn belongs(job: &Job, labels: &[String]) -> bool {
    job.labels.iter().all(|label| labels.contains(label))
        && (labels.is_empty() || !job.labels.is_empty())
}

/// Returns `MemTotal` of `/proc/meminfo` in bytes.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::spec::complaint::Source;
    use crate::spec::workflow_file::understand;

    const FLOW: &str = "
name: flow
resource_requirements:
  - {name: unused, num_cpus: 99}
  - {name: big, num_cpus: 8}
  - {name: fat, memory: 8g}
  - {name: gpu, num_gpus: 2}
jobs:
  - {name: a, command: x, resource_requirements: fat}
  - {name: b, command: x, resource_requirements: big}
  - {name: c, command: x, resource_requirements: big}
  - {name: d, command: x, resource_requirements: gpu}
  - {name: e, command: x}
";

    fn said(text: &str, options: &RunOptions) -> Vec<String> {
        let source = Source { name: "flow.yaml".into(), text: text.into() };
        let workflow = understand(&source, None, Path::new("")).unwrap();
        let here = Machine { cpus: Some(4), memory: Some(2 << 30) };
        warnings(&workflow, options, here)
    }

    fn capacity(cpus: Option<u32>, memory: Option<u64>, gpus: Option<u32>) -> RunOptions {
        let capacity = Capacity { cpus, memory, gpus };
        RunOptions { capacity, ..RunOptions::default() }
    }

    #[test]
    fn what_is_too_large_for_this_machine_is_named_once_with_its_first_job() {
        let refused = "a run here would be refused: no job that requires";
        let expected = [
            format!(
                "{refused} 'big' can ever start, the first is b: it takes 8 CPUs, this machine \
                 has 4"
            ),
            format!(
                "{refused} 'fat' can ever start, the first is a: it takes 8.0 GiB of memory, this \
                 machine has 2.0 GiB"
            ),
        ];
        assert_eq!(said(FLOW, &RunOptions::default()), expected);
    }

    #[test]
    fn what_the_run_is_given_counts_instead() {
        let all = said(FLOW, &capacity(Some(8), Some(8 << 30), Some(1)));
        let expected = "'gpu' can ever start, the first is d: it takes 2 GPUs, the run has 1";
        assert!(all.len() == 1 && all[0].ends_with(expected), "{all:?}");
        let jobs = RunOptions { max_parallel_jobs: Some(1), ..RunOptions::default() };
        assert_eq!(said(FLOW, &jobs), [""; 0]);
    }

    #[test]
    fn jobs_that_do_not_belong_to_the_run_do_not_count() {
        let text = "name: x\nresource_requirements: [{name: big, num_cpus: 8}]\n\
                    jobs: [{name: a, command: x, resource_requirements: big, labels: [l]}]\n";
        let labels = |labels: &[&str]| RunOptions {
            labels: labels.iter().map(ToString::to_string).collect(),
            ..RunOptions::default()
        };
        assert_eq!(said(text, &labels(&[])), [""; 0]);
        assert_eq!(said(text, &labels(&["l"])).len(), 1);
    }

    #[test]
    fn the_memory_of_the_machine_is_read_in_kibibytes() {
        assert_eq!(total_memory("MemFree: 1 kB\nMemTotal:  16 kB\n"), Some(16_384));
        assert_eq!(total_memory("MemTotal: many\n"), None);
    }
}
