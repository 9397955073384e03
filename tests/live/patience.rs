//! Waiting for a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

/// The longest anything may take on a machine that has three times as much to do
/// as it can.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// Asks until there is an answer.
pub(crate) fn wait_for<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < deadline, "never seen: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
