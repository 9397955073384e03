//! History of connections: the states each has passed through, and the log of the
//! latest events.

use super::endpoint::Endpoint;
use super::event::{EventProcess, EventSource};
use super::socket::SocketKey;
use super::state::State;
use super::tcp_info::Payload;

/// Connection history beyond the present table.
#[derive(Clone, Debug, Default)]
pub struct EventHistory {
    /// Active source of events, or the reason why there is none.
    pub source: EventSource,
    /// Number of changes received since watching began, of the watched namespaces.
    pub received: u64,
    /// Number of changes lost since then.
    pub lost: u64,
    /// Number of connections that began and ended between two tables, since then.
    pub short_lived: u64,
    /// Number of changes of connections in an unknown network namespace; they are in
    /// neither of the other numbers.
    pub unplaced: u64,
    /// Cost of reading events at present, in thousandths of one core.
    pub cost_permille: Option<u16>,
    /// Latest events, the newest last.
    pub events: Vec<ConnectionEvent>,
    /// States passed through by the requested sockets, ascending by key.
    pub timelines: Vec<(SocketKey, Timeline)>,
}

impl EventHistory {
    /// Returns the states a socket has passed through, if requested.
    #[must_use]
    pub fn timeline(&self, key: &SocketKey) -> Option<&Timeline> {
        let place = self
            .timelines
            .binary_search_by(|(known, _)| known.cmp(key))
            .ok()?;
        self.timelines.get(place).map(|(_, timeline)| timeline)
    }
}

/// The states a socket has been through, the oldest first, the present one last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// The states; at least one.
    pub steps: Vec<TimelineStep>,
}

/// A state that a socket has passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineStep {
    /// The state.
    pub state: State,
    /// Time at which it began, in microseconds as in
    /// [`super::event::StateChange::at_us`].
    pub since_us: u64,
    /// Precision of that time.
    pub precision: TimePrecision,
}

/// Precision of a state's start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimePrecision {
    /// Reported by the kernel.
    Exact,
    /// First seen in a table: it began up to one reading earlier.
    FirstSeen,
    /// Present when watching began: it began at that time at the latest.
    LowerBound,
}

/// An event of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionEvent {
    /// Time of the event, in microseconds as in [`super::event::StateChange::at_us`].
    pub at_us: u64,
    /// Owner of the connection, if known.
    pub owner: Option<EventProcess>,
    /// Network namespace of the connection by inode number; 0 if unknown.
    pub namespace: u32,
    /// This machine's end; port 0 if unknown.
    pub local: Endpoint,
    /// The peer's end.
    pub remote: Endpoint,
    /// Kind of the event.
    pub kind: EventKind,
    /// Bytes carried in all, if reported: the kernel reports them when it frees
    /// the full socket.
    pub payload: Option<Payload>,
}

impl ConnectionEvent {
    /// True if this is the end of a connection that no table ever showed.
    #[must_use]
    pub fn is_short_lived(&self) -> bool {
        let is_listener = self.kind.from_state() == Some(State::Listen);
        matches!(self.kind, EventKind::Ended { summary, .. } if summary.never_in_table && !is_listener)
    }
}

/// Kind of an event of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Change from one state to another.
    StateChanged {
        /// The state it left.
        from: State,
        /// The state it came to.
        to: State,
        /// Time spent in the state it left, in microseconds, if the beginning of
        /// that state was reported.
        time_in_state_us: Option<u64>,
    },
    /// The kernel replaced it by a minisocket, which tables show for a minute
    /// (`tcp_time_wait`).
    Retained {
        /// The state it left, if changes are reported.
        from: Option<State>,
        /// Same as for a change.
        time_in_state_us: Option<u64>,
        /// State of the minisocket that remains.
        state: RetainedState,
    },
    /// End of the connection.
    Ended {
        /// The state it left, if known. If only endings are reported, the state
        /// in the last table, which may be older.
        from: Option<State>,
        /// Same as for a change.
        time_in_state_us: Option<u64>,
        /// Summary of its life.
        summary: ConnectionSummary,
    },
}

impl EventKind {
    /// The state it left, if known.
    #[must_use]
    pub fn from_state(&self) -> Option<State> {
        match *self {
            Self::StateChanged { from, .. } => Some(from),
            Self::Retained { from, .. } | Self::Ended { from, .. } => from,
        }
    }

    /// Time spent in the state it left, in microseconds, if the beginning of that
    /// state was reported.
    #[must_use]
    pub fn time_in_state_us(&self) -> Option<u64> {
        match *self {
            Self::StateChanged {
                time_in_state_us, ..
            }
            | Self::Retained {
                time_in_state_us, ..
            }
            | Self::Ended {
                time_in_state_us, ..
            } => time_in_state_us,
        }
    }
}

/// State of the minisocket that remains of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetainedState {
    /// Not known yet: the kernel does not report it, and no table has shown it.
    Unknown,
    /// It waits for the peer's FIN.
    FinWait2,
    /// The peer's FIN has come.
    TimeWait,
}

/// Summary of a connection at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionSummary {
    /// Lifetime in microseconds, if its beginning was reported.
    pub duration_us: Option<u64>,
    /// True if no table ever showed it.
    pub never_in_table: bool,
    /// Reason of its end.
    pub reason: CloseReason,
}

/// Reason why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer closed first.
    PeerClosed,
    /// Aborted: a reset, or silence for too long.
    Aborted,
    /// Not established: refused.
    Refused,
    /// Not established: the program closed it before an answer was due.
    ConnectCancelled,
    /// Not established: no answer.
    TimedOut,
    /// A listener that was closed.
    ListenerClosed,
    /// The events that led to it were not reported.
    Unknown,
}

impl CloseReason {
    /// Every fate with its key in the assets.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::PeerClosed, "closed_there"),
        (Self::Aborted, "broken_off"),
        (Self::Refused, "refused"),
        (Self::ConnectCancelled, "given_up"),
        (Self::TimedOut, "unanswered"),
        (Self::ListenerClosed, "listener_closed"),
        (Self::Unknown, "unknown"),
    ];

    /// Its key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(fate, _)| *fate == self)
            .map_or("", |(_, key)| key)
    }
}
