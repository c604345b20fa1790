//! Finds out what this node has and how much of it the worker may use.
//!
//! Reading is apart from judging: the judging functions take text, so that they can be tested with
//! the files of any machine.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::{Pid, gethostname};
use torc_protocol::resources::NodeResources;

/// Where a scheduler or a user says which GPUs to use; the first that is set counts.
const GPU_VARIABLES: [&str; 4] =
    ["CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS"];

/// Returns what this process may use of the machine that it runs on.
pub(super) fn detect() -> NodeResources {
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let cpu_levels = levels(Path::new("/sys/fs/cgroup"), &cgroups, "cpu");
    let memory_levels = levels(Path::new("/sys/fs/cgroup"), &cgroups, "memory");
    NodeResources {
        host: gethostname().map_or_else(|_| "localhost".to_owned(), |name| lossy(&name)),
        cpus: least([affinity(), cpu_quota(&cpu_levels), number("SLURM_CPUS_ON_NODE")])
            .and_then(|cpus| u32::try_from(cpus).ok())
            .unwrap_or(1)
            .max(1),
        memory: least([
            fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text)),
            memory_limit(&memory_levels),
            number("SLURM_MEM_PER_NODE").map(|mebibytes| mebibytes.saturating_mul(1 << 20)),
        ])
        .unwrap_or(0),
        gpus: GPU_VARIABLES
            .iter()
            .find_map(std::env::var_os)
            .map_or_else(gpu_devices, |list| gpu_list(&lossy(&list))),
    }
}

fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

/// Returns the least of the limits that there are, zero not being one.
fn least(limits: [Option<u64>; 3]) -> Option<u64> {
    limits.into_iter().flatten().filter(|limit| *limit > 0).min()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.trim().parse().ok()
}

fn affinity() -> Option<u64> {
    let set = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let cpus = (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).count();
    u64::try_from(cpus).ok()
}

/// Returns `MemTotal` of `/proc/meminfo` in bytes.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Returns the directories that can limit this process, from its own cgroup up to the root:
/// those of version 2, and those of `controller` in version 1.
fn levels(mount: &Path, cgroups: &str, controller: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in cgroups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let root = if controllers.is_empty() {
            mount.to_owned()
        } else if controllers.split(',').any(|name| name == controller) {
            mount.join(controller)
        } else {
            continue;
        };
        let own = root.join(path.trim_start_matches('/'));
        found.extend(
            own.ancestors().take_while(|level| level.starts_with(&root)).map(Path::to_owned),
        );
    }
    found
}

fn cpu_quota(levels: &[PathBuf]) -> Option<u64> {
    let read = |level: &PathBuf, file: &str| fs::read_to_string(level.join(file)).ok();
    let quota = |level| {
        let version_2 = read(level, "cpu.max").and_then(|text| quota_cpus(&text));
        version_2.or_else(|| {
            let quota = read(level, "cpu.cfs_quota_us")?;
            quota_cpus(&format!("{} {}", quota.trim(), read(level, "cpu.cfs_period_us")?.trim()))
        })
    };
    levels.iter().filter_map(quota).min()
}

/// Returns how many CPUs `QUOTA PERIOD` is, rounded up; none when the quota is `max` or negative.
fn quota_cpus(text: &str) -> Option<u64> {
    let mut fields = text.split_whitespace();
    let quota: u64 = fields.next()?.parse().ok()?;
    let period: u64 = fields.next()?.parse().ok().filter(|period| *period > 0)?;
    Some(quota.div_ceil(period).max(1))
}

fn memory_limit(levels: &[PathBuf]) -> Option<u64> {
    let limit = |level: &PathBuf| {
        let text = fs::read_to_string(level.join("memory.max"))
            .or_else(|_| fs::read_to_string(level.join("memory.limit_in_bytes")));
        text.ok()?.trim().parse::<u64>().ok()
    };
    levels.iter().filter_map(limit).min()
}

/// Returns the names in a list as `CUDA_VISIBLE_DEVICES` has it: indices, ranges of them as Slurm
/// writes them, or UUIDs. As in CUDA, an index of -1 or the word `NoDevFiles` ends the list.
fn gpu_list(list: &str) -> Vec<String> {
    let mut gpus = Vec::new();
    for name in list.split(',').map(str::trim) {
        if name.is_empty() || name.starts_with('-') || name == "NoDevFiles" || name == "none" {
            break;
        }
        match range(name) {
            Some((first, last)) => gpus.extend((first..=last).map(|index| index.to_string())),
            None => gpus.push(name.to_owned()),
        }
    }
    gpus
}

/// Returns the ends of `FIRST-LAST`.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Returns the indices of the GPUs that the NVIDIA driver knows, or else has device files for.
fn gpu_devices() -> Vec<String> {
    let count = |path: &str, counts: fn(&str) -> bool| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter(|entry| counts(&entry.file_name().to_string_lossy())).count()
    };
    let known = count("/proc/driver/nvidia/gpus", |_| true);
    let count = if known > 0 { known } else { count("/dev", is_gpu_device) };
    (0..count).map(|index| index.to_string()).collect()
}

fn is_gpu_device(name: &str) -> bool {
    name.strip_prefix("nvidia").is_some_and(|index| index.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{
        cpu_quota, detect, gpu_list, is_gpu_device, levels, memory_limit, quota_cpus, total_memory,
    };

    #[test]
    fn a_quota_is_rounded_up_and_max_is_none() {
        assert_eq!(quota_cpus("150000 100000\n"), Some(2));
        assert_eq!(quota_cpus("200000 100000"), Some(2));
        assert_eq!(quota_cpus("1000 100000"), Some(1));
        assert_eq!(quota_cpus("max 100000"), None);
        assert_eq!(quota_cpus("-1 100000"), None);
        assert_eq!(quota_cpus("5 0"), None);
        assert_eq!(quota_cpus(""), None);
    }

    #[test]
    fn the_memory_of_the_machine_is_read_in_kibibytes() {
        assert_eq!(total_memory("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(total_memory("nothing"), None);
    }

    #[test]
    fn gpu_lists_hold_indices_ranges_and_uuids() {
        assert_eq!(gpu_list("0,2-4"), ["0", "2", "3", "4"]);
        assert_eq!(gpu_list("GPU-8932f937-d72c"), ["GPU-8932f937-d72c"]);
        assert!(gpu_list("").is_empty());
        assert_eq!(gpu_list("1,-1,2"), ["1"]);
        assert!(gpu_list("NoDevFiles").is_empty());
    }

    #[test]
    fn only_numbered_device_files_are_gpus() {
        assert!(is_gpu_device("nvidia0") && is_gpu_device("nvidia12"));
        assert!(
            !is_gpu_device("nvidiactl") && !is_gpu_device("nvidia-uvm") && !is_gpu_device("null")
        );
    }

    #[test]
    fn levels_go_up_to_the_root_of_the_right_hierarchy() {
        let paths = |cgroups, controller| levels(Path::new("/cg"), cgroups, controller);
        assert_eq!(paths("0::/a/b\n", "cpu"), ["/cg/a/b", "/cg/a", "/cg"].map(PathBuf::from));
        assert_eq!(paths("0::/\n", "cpu"), [PathBuf::from("/cg/")]);
        let old = "4:memory:/job\n3:cpu,cpuacct:/x\n1:name=systemd:/y\n";
        assert_eq!(paths(old, "cpu"), ["/cg/cpu/x", "/cg/cpu"].map(PathBuf::from));
        assert_eq!(paths(old, "memory"), ["/cg/memory/job", "/cg/memory"].map(PathBuf::from));
    }

    #[test]
    fn the_tightest_level_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("job");
        fs::create_dir(&inner).unwrap();
        fs::write(root.path().join("cpu.max"), "200000 100000\n").unwrap();
        fs::write(inner.join("cpu.max"), "max 100000\n").unwrap();
        fs::write(root.path().join("memory.max"), "max\n").unwrap();
        fs::write(inner.join("memory.max"), "4096\n").unwrap();
        let levels = levels(root.path(), "0::/job\n", "cpu");
        assert_eq!(cpu_quota(&levels), Some(2));
        assert_eq!(memory_limit(&levels), Some(4096));
    }

    #[test]
    fn this_machine_has_a_cpu_and_memory() {
        let found = detect();
        assert!(found.cpus >= 1 && found.memory > 0 && !found.host.is_empty());
    }
}
