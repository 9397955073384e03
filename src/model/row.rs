//! A socket with its observed history.

use super::finding::Severity;
use super::owner::{NoOwnerReason, OwnerSpan, ProcessId};
use super::socket::Socket;
use super::state::State;
use super::tcp_metrics::MetricsId;
use super::time::Timestamp;
use super::timer::TimerKind;
use std::time::Duration;

/// One row of the table. `Copy` and at most 112 bytes: a hundred thousand of them
/// are built with every reading.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The socket as last read.
    pub socket: Socket,
    /// Its holders, as a span of the observation's table of holders.
    pub owners: OwnerSpan,
    /// Reason why it has no holder; none if it has one, and for a row that has
    /// closed.
    pub no_owner_reason: Option<NoOwnerReason>,
    /// Last known owner, if it has none now.
    pub last_owner: Option<LastOwner>,
    /// Time at which it was first seen.
    pub first_seen: Timestamp,
    /// Time at which it was first seen in its present state.
    pub state_since: Timestamp,
    /// True if it was seen to enter that state. If not, its age is a lower bound:
    /// it was there when watching began.
    pub saw_state_entry: bool,
    /// Recent change of the row.
    pub phase: Phase,
    /// The severity of the most severe finding it is part of.
    pub severity: Option<Severity>,
    /// Its TCP metrics, as an index into the observation's table, while they are
    /// read for every row.
    pub metrics: Option<MetricsId>,
}

/// The time that a socket has been in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateAge {
    /// Lower bound.
    pub at_least: Duration,
    /// True if that is its exact age.
    pub is_exact: bool,
}

/// Time that the kernel keeps a socket in `TIME_WAIT_LENGTH` (`TCP_TIMEWAIT_LEN` in
/// `include/net/tcp.h`).
pub const TIME_WAIT_LENGTH: Duration = Duration::from_mins(1);

impl Row {
    /// Returns the time in the present state: as observed, or for `TIME_WAIT_LENGTH` as
    /// its timer shows.
    #[must_use]
    pub fn state_age(&self, now: Timestamp) -> StateAge {
        let watched = self.state_since.age(now);
        let left = self.socket.timer.filter(|timer| {
            self.socket.state == State::TimeWait && timer.kind == TimerKind::TimeWait
        });
        match left {
            Some(timer) if !self.saw_state_entry => {
                let left = Duration::from_millis(timer.expires_ms.into());
                StateAge {
                    at_least: TIME_WAIT_LENGTH.saturating_sub(left).max(watched),
                    is_exact: true,
                }
            }
            _ => StateAge {
                at_least: watched,
                is_exact: self.saw_state_entry,
            },
        }
    }
}

/// The last owner of a row, as an index into the observation's processes.
/// Offset by one so that `Option` costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastOwner(std::num::NonZeroU32);

impl LastOwner {
    /// Wraps a process id.
    #[must_use]
    pub fn new(process: ProcessId) -> Self {
        Self(std::num::NonZeroU32::MIN.saturating_add(process.0))
    }

    /// The process.
    #[must_use]
    pub fn process(self) -> ProcessId {
        ProcessId(self.0.get() - 1)
    }
}

/// Change of a row within the last few seconds (TCPView's colours).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No change.
    Unchanged,
    /// It appeared.
    New,
    /// Its state changed.
    Changed {
        /// The state it was in before.
        from: State,
    },
    /// It is gone from the kernel's table and shown for a moment longer.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_compact() {
        assert!(size_of::<Row>() <= 112, "{}", size_of::<Row>());
    }
}
