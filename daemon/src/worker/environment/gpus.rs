//! How a job is told which GPUs are its own.
//!
//! Every vendor has variables of its own, and a program may read several. What it finds must agree:
//! - `CUDA_VISIBLE_DEVICES` is read by CUDA, and by HIP as `HIP_VISIBLE_DEVICES` is.
//! - `ROCR_VISIBLE_DEVICES` is below HIP and OpenCL on AMD: it hides devices first, and those that
//!   are left are counted from 0 again. With both set, an index would be looked up twice. So a job
//!   gets either this or the others; this, where the node has only this, so that its names mean what
//!   they meant there.
//! - `GPU_DEVICE_ORDINAL` filters once more for OpenCL and HIP, and is removed.
//! - `ZE_AFFINITY_MASK` hides devices of Intel, where a number may also be a processor graphic. It
//!   is replaced where it is set, and not brought in.
//!
//! A job that asks for no GPU keeps what it inherits. Most commands that use one never say so.

use std::ffi::CStr;
use std::sync::Arc;

use super::{name_of, variable};

const CUDA: &str = "CUDA_VISIBLE_DEVICES";
const HIP: &str = "HIP_VISIBLE_DEVICES";
const ROCR: &str = "ROCR_VISIBLE_DEVICES";
const ORDINAL: &str = "GPU_DEVICE_ORDINAL";
const ZE: &str = "ZE_AFFINITY_MASK";

/// Makes these GPUs the only ones that a program sees.
///
/// # Errors
///
/// A name cannot be passed to a program.
pub(super) fn give(entries: &mut Vec<Arc<CStr>>, gpus: &[String]) -> Result<(), String> {
    let is_of = |entry: &CStr, name: &str| name_of(entry.to_bytes()) == Some(name.as_bytes());
    let has = |name: &str| entries.iter().any(|entry| is_of(entry, name));
    let mut names = if has(ROCR) && !has(CUDA) { vec![ROCR] } else { vec![CUDA, HIP] };
    if has(ZE) {
        names.push(ZE);
    }
    names.push("TORC_GPUS");
    let all = [CUDA, HIP, ROCR, ORDINAL, ZE];
    entries.retain(|entry| !all.iter().any(|name| is_of(entry, name)));
    let list = gpus.join(",");
    for name in names {
        entries.push(variable(name, &list)?.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, CString};
    use std::sync::Arc;

    use super::give;

    fn given(inherited: &[&str], gpus: &[&str]) -> Vec<String> {
        let entries = inherited.iter().map(|entry| CString::new(*entry).unwrap().into());
        let mut entries: Vec<Arc<CStr>> = entries.collect();
        let gpus: Vec<_> = gpus.iter().map(|gpu| (*gpu).to_owned()).collect();
        give(&mut entries, &gpus).unwrap();
        entries.iter().map(|entry| entry.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn cuda_and_hip_see_the_same() {
        let wanted =
            ["A=1", "CUDA_VISIBLE_DEVICES=2,3", "HIP_VISIBLE_DEVICES=2,3", "TORC_GPUS=2,3"];
        assert_eq!(given(&["A=1"], &["2", "3"]), wanted);
        let inherited = ["CUDA_VISIBLE_DEVICES=0,1,2,3", "A=1", "HIP_VISIBLE_DEVICES=0"];
        assert_eq!(given(&inherited, &["2", "3"]), wanted);
    }

    #[test]
    fn no_index_is_looked_up_twice() {
        let only = ["ROCR_VISIBLE_DEVICES=4,5", "HIP_VISIBLE_DEVICES=1", "GPU_DEVICE_ORDINAL=1"];
        assert_eq!(given(&only, &["5"]), ["ROCR_VISIBLE_DEVICES=5", "TORC_GPUS=5"]);
        let both = ["ROCR_VISIBLE_DEVICES=4,5", "CUDA_VISIBLE_DEVICES=4,5"];
        let wanted = ["CUDA_VISIBLE_DEVICES=5", "HIP_VISIBLE_DEVICES=5", "TORC_GPUS=5"];
        assert_eq!(given(&both, &["5"]), wanted);
    }

    #[test]
    fn the_mask_of_intel_is_replaced_but_not_brought_in() {
        let masked = given(&["ZE_AFFINITY_MASK=0,1"], &["1"]);
        assert!(masked.contains(&"ZE_AFFINITY_MASK=1".to_owned()), "{masked:?}");
        assert!(!masked.contains(&"ZE_AFFINITY_MASK=0,1".to_owned()), "{masked:?}");
    }
}
