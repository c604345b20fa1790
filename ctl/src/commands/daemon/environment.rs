//! What a torcd was told by variables of its environment, read from its process: the next one would
//! lose it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use torc_protocol::config::key::Key;

use super::command_line::CommandLineError;

/// What it can be told, places aside.
const KEYS: [Key; 6] = [
    Key::SnapshotInterval,
    Key::SnapshotTimeout,
    Key::SnapshotKeep,
    Key::SpillDir,
    Key::Log,
    Key::LogFile,
];

/// Returns what a process was told, with the values of the variables.
///
/// # Errors
///
/// When it cannot be seen.
pub(super) fn of(pid: u32) -> Result<Vec<(Key, OsString)>, CommandLineError> {
    let bytes = fs::read(format!("/proc/{pid}/environ"));
    Ok(told(&bytes.map_err(|_| CommandLineError::Hidden(pid))?))
}

fn told(environment: &[u8]) -> Vec<(Key, OsString)> {
    let value = |key: &Key| {
        let name = format!("{}=", key.setting().variable);
        let mut words = environment.split(|byte| *byte == 0);
        // An empty one says nothing.
        let value = words.find_map(|word| word.strip_prefix(name.as_bytes()))?;
        (!value.is_empty()).then(|| (*key, OsString::from_vec(value.to_vec())))
    };
    KEYS.iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_torcd_can_be_told_is_taken() {
        let environment =
            b"HOME=/x\0TORC_LOG=\0TORC_SNAPSHOT_INTERVAL_SECONDS=60\0TORC_FORMAT=json\0";
        assert_eq!(told(environment), [(Key::SnapshotInterval, "60".into())]);
    }
}
