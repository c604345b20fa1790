//! What a node has.

use serde::{Deserialize, Serialize};

/// What a worker found on its node and may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeResources {
    /// The name of the host.
    pub host: String,
    /// CPUs that the worker may use: the least of its affinity mask, its cgroup's quota and
    /// `SLURM_CPUS_ON_NODE`; at least 1.
    pub cpus: u32,
    /// Memory in bytes that the worker may use: the least of the machine's, its cgroup's limit and
    /// `SLURM_MEM_PER_NODE`.
    pub memory: u64,
    /// The indices of the GPUs that the worker may use, as CUDA and HIP name them.
    pub gpus: Vec<String>,
}
