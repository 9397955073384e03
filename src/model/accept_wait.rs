//! Waiting times of connections at a listener before they are accepted.

use std::time::Duration;

/// Wait at one listener that has connections in its accept queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptWait {
    /// Row number of the listener.
    pub listener: u32,
    /// Time for which the oldest connection has waited.
    pub oldest: Duration,
    /// Time for which nothing has been accepted.
    pub stalled: Duration,
    /// True if a connection was accepted while watching.
    pub accepting: bool,
    /// True if both are lower bounds: the connection was there when watching
    /// began.
    pub is_lower_bound: bool,
}
