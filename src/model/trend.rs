//! How the number of sockets of one kind and one owner goes up and down.

use super::owner::ProcessId;
use super::state::State;
use std::time::Duration;

/// Sockets that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Heap {
    /// Those of a process.
    Process(ProcessId),
    /// Those that nobody holds on one local port.
    Port(u16),
    /// All there are.
    Machine,
}

/// What became of the number of a heap's TCP sockets in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trend {
    /// Whose.
    pub heap: Heap,
    /// In which state.
    pub state: State,
    /// How many more there are than there were; less than nothing for fewer.
    pub change: i64,
    /// How long ago that was: at most five minutes.
    pub over: Duration,
}
