//! Waits that have an end.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine before it counts as never.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Waits until `is_so`, for conditions that no event tells of.
///
/// # Panics
///
/// When it is not so after [`LIMIT`].
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "waited {} s in vain: {what}", LIMIT.as_secs());
        thread::sleep(Duration::from_millis(5));
    }
}
