//! What differs from job to job.

use std::ffi::{CString, c_char};

use torc_protocol::id::AttemptId;
use torc_protocol::worker::Recovery;

use super::{Environment, variable};

/// The strings of one process, and all pointers that its `execve` takes.
pub(in crate::worker) struct JobEnvironment {
    /// What `pointers` points to, besides the entries that are shared.
    _own: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl JobEnvironment {
    /// Adds to `shared` what is of this attempt, or of the recovery script that is run before it:
    /// then `attempt` is the one that failed. The result must not outlive `shared`.
    ///
    /// # Errors
    ///
    /// The text says that the name of the job cannot be passed on.
    pub(in crate::worker) fn new(
        shared: &Environment,
        attempt: AttemptId,
        name: &str,
        recovery: Option<&Recovery>,
    ) -> Result<Self, String> {
        let mut own = vec![
            variable("TORC_JOB_ID", &attempt.job.to_string())?,
            variable("TORC_JOB_NAME", name)?,
            variable("TORC_ATTEMPT", &attempt.number.to_string())?,
            // What the scripts of torc 1.0 know it by.
            variable("TORC_ATTEMPT_ID", &attempt.number.to_string())?,
        ];
        if let Some(recovery) = recovery {
            own.push(variable("TORC_RETURN_CODE", &recovery.return_code.to_string())?);
        }
        let shared = shared.entries.iter().map(|entry| entry.as_ptr());
        let entries = shared.chain(own.iter().map(|entry| entry.as_ptr()));
        let pointers = entries.chain([std::ptr::null()]).collect();
        Ok(Self { _own: own, pointers })
    }

    /// Returns the array for `execve`, ended by a null pointer.
    pub(in crate::worker) fn pointers(&self) -> &[*const c_char] {
        &self.pointers
    }
}
