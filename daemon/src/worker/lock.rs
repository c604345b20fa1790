//! Locking, by a worker that outlives a panic of one of its threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a thread has panicked with the lock: a slot whose job made it panic reports
/// that job as lost and goes on, and no section under a lock leaves its value half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
