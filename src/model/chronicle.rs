//! History of connections: the states each has passed through, and the log of the
//! latest events.

use super::endpoint::Endpoint;
use super::event::{Caller, Feed};
use super::socket::SocketKey;
use super::state::State;
use super::tcp_info::Payload;

/// Connection history beyond the present table.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    /// Active source of events, or the reason why there is none.
    pub feed: Feed,
    /// Number of changes received since watching began, of the watched namespaces.
    pub told: u64,
    /// Number of changes lost since then.
    pub lost: u64,
    /// Number of connections that began and ended between two tables, since then.
    pub brief: u64,
    /// Number of changes of connections in an unknown network namespace; they are in
    /// neither of the other numbers.
    pub unplaced: u64,
    /// Cost of reading events at present, in thousandths of one core.
    pub cost_permille: Option<u16>,
    /// Latest events, the newest last.
    pub stream: Vec<Happening>,
    /// States passed through by the requested sockets, ascending by key.
    pub timelines: Vec<(SocketKey, Timeline)>,
}

impl Chronicle {
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
    pub steps: Vec<Step>,
}

/// A state that a socket has passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state.
    pub state: State,
    /// Time at which it began, in microseconds as in
    /// [`super::event::Change::at_us`].
    pub since_us: u64,
    /// Precision of that time.
    pub known: Known,
}

/// Precision of a state's start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Reported by the kernel.
    Exactly,
    /// First seen in a table: it began up to one reading earlier.
    ByTable,
    /// Present when watching began: it began at that time at the latest.
    AtLeast,
}

/// An event of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Time of the event, in microseconds as in [`super::event::Change::at_us`].
    pub at_us: u64,
    /// Owner of the connection, if known.
    pub owner: Option<Caller>,
    /// Network namespace of the connection by inode number; 0 if unknown.
    pub namespace: u32,
    /// This machine's end; port 0 if unknown.
    pub local: Endpoint,
    /// The peer's end.
    pub remote: Endpoint,
    /// Kind of the event.
    pub what: What,
    /// Bytes carried in all, if reported: the kernel reports them when it frees
    /// the full socket.
    pub carried: Option<Payload>,
}

impl Happening {
    /// True if this is the end of a connection that no table ever showed.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        let is_listener = self.what.from() == Some(State::Listen);
        matches!(self.what, What::Ended { life, .. } if life.unseen && !is_listener)
    }
}

/// Kind of an event of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Change from one state to another.
    Changed {
        /// The state it left.
        from: State,
        /// The state it came to.
        to: State,
        /// Time spent in the state it left, in microseconds, if the beginning of
        /// that state was reported.
        stayed_us: Option<u64>,
    },
    /// The kernel replaced it by a minisocket, which tables show for a minute
    /// (`tcp_time_wait`).
    Kept {
        /// The state it left, if changes are reported.
        from: Option<State>,
        /// Same as for a change.
        stayed_us: Option<u64>,
        /// State of the minisocket that remains.
        record: Record,
    },
    /// End of the connection.
    Ended {
        /// The state it left, if known. If only endings are reported, the state
        /// in the last table, which may be older.
        from: Option<State>,
        /// Same as for a change.
        stayed_us: Option<u64>,
        /// Summary of its life.
        life: Life,
    },
}

impl What {
    /// The state it left, if known.
    #[must_use]
    pub fn from(&self) -> Option<State> {
        match *self {
            Self::Changed { from, .. } => Some(from),
            Self::Kept { from, .. } | Self::Ended { from, .. } => from,
        }
    }

    /// Time spent in the state it left, in microseconds, if the beginning of that
    /// state was reported.
    #[must_use]
    pub fn stayed_us(&self) -> Option<u64> {
        match *self {
            Self::Changed { stayed_us, .. }
            | Self::Kept { stayed_us, .. }
            | Self::Ended { stayed_us, .. } => stayed_us,
        }
    }
}

/// State of the minisocket that remains of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Not known yet: the kernel does not report it, and no table has shown it.
    Unseen,
    /// It waits for the peer's FIN.
    FinWait2,
    /// The peer's FIN has come.
    TimeWait,
}

/// Summary of a connection at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Lifetime in microseconds, if its beginning was reported.
    pub lasted_us: Option<u64>,
    /// True if no table ever showed it.
    pub unseen: bool,
    /// Reason of its end.
    pub fate: Fate,
}

/// Reason why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The peer closed first.
    ClosedThere,
    /// Aborted: a reset, or silence for too long.
    BrokenOff,
    /// Not established: refused.
    Refused,
    /// Not established: the program closed it before an answer was due.
    GivenUp,
    /// Not established: no answer.
    Unanswered,
    /// A listener that was closed.
    ListenerClosed,
    /// The events that led to it were not reported.
    Unknown,
}

impl Fate {
    /// Every fate with its key in the assets.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::ClosedThere, "closed_there"),
        (Self::BrokenOff, "broken_off"),
        (Self::Refused, "refused"),
        (Self::GivenUp, "given_up"),
        (Self::Unanswered, "unanswered"),
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
