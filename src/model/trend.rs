//! Trends in the number of sockets of one kind and one owner.

use super::owner::ProcessId;
use super::state::State;
use std::time::Duration;

/// Group of sockets that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrendGroup {
    /// Those of a process.
    Process(ProcessId),
    /// Those without a holder on one local port.
    Port(u16),
    /// All sockets.
    All,
}

/// Trend of the number of a group's TCP sockets in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trend {
    /// The group.
    pub group: TrendGroup,
    /// The state.
    pub state: State,
    /// Increase of their number; negative for a decrease.
    pub change: i64,
    /// Time over which it changed: at most five minutes.
    pub window: Duration,
}
