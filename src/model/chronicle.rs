//! What became of connections over time: the way of each through its states,
//! and the stream of what happened last.

use super::endpoint::Endpoint;
use super::event::{Caller, Feed};
use super::socket::SocketKey;
use super::state::State;
use super::tcp_info::Payload;

/// What is known beyond the present moment.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    /// What tells of events, or why nothing does.
    pub feed: Feed,
    /// Changes told since watching began.
    pub told: u64,
    /// Changes lost since then.
    pub lost: u64,
    /// Connections that came and ended between two tables, since then.
    pub brief: u64,
    /// What reading events costs now, in thousandths of one core.
    pub cost_permille: Option<u16>,
    /// What happened last, the latest last.
    pub stream: Vec<Happening>,
    /// The ways of those sockets that were asked for, ascending by key.
    pub timelines: Vec<(SocketKey, Timeline)>,
}

impl Chronicle {
    /// The way of a socket, if it was asked for.
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
    /// One by one; at least one.
    pub steps: Vec<Step>,
}

/// A state on a socket's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub state: State,
    /// When it began, in microseconds as in [`super::event::Change::at_us`].
    pub since_us: u64,
    /// How well that is known.
    pub known: Known,
}

/// How well the beginning of a state is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The kernel told it.
    Exactly,
    /// A table was the first to show it: it began up to one reading earlier.
    ByTable,
    /// It was there when watching began: it began at that time at the latest.
    AtLeast,
}

/// One line of the stream: something became of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When, in microseconds as in [`super::event::Change::at_us`].
    pub at_us: u64,
    /// Who owns the connection, where that is known.
    pub owner: Option<Caller>,
    /// Network namespace of the connection by inode number; 0 if unknown.
    pub namespace: u32,
    /// This machine's end; port 0 where it is not known.
    pub local: Endpoint,
    /// The peer's end.
    pub remote: Endpoint,
    /// What became of it.
    pub what: What,
    /// What it carried in all, where that was told: the kernel does when it lets
    /// go of the full socket.
    pub carried: Option<Payload>,
}

impl Happening {
    /// Whether this was the end of a connection that no table ever showed.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        let is_listener = self.what.from() == Some(State::Listen);
        matches!(self.what, What::Ended { life, .. } if life.unseen && !is_listener)
    }
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It went from one state to another.
    Changed {
        /// The state it left.
        from: State,
        /// The state it came to.
        to: State,
        /// How long it was in the state it left, in microseconds, where the
        /// beginning of that was told.
        stayed_us: Option<u64>,
    },
    /// The kernel swapped it for a small record, which tables show for a minute
    /// (`tcp_time_wait`).
    Kept {
        /// The state it left, where changes are told.
        from: Option<State>,
        /// As of a change.
        stayed_us: Option<u64>,
        /// What is known of the record.
        record: Record,
    },
    /// It ended.
    Ended {
        /// The state it left, where that is known; where only endings are told,
        /// the one that the last table had, which may be older.
        from: Option<State>,
        /// As of a change.
        stayed_us: Option<u64>,
        /// What can be said of its life.
        life: Life,
    },
}

impl What {
    /// The state it left, where that is known.
    #[must_use]
    pub fn from(&self) -> Option<State> {
        match *self {
            Self::Changed { from, .. } => Some(from),
            Self::Kept { from, .. } | Self::Ended { from, .. } => from,
        }
    }

    /// How long it was in the state it left, in microseconds, where the
    /// beginning of that was told.
    #[must_use]
    pub fn stayed_us(&self) -> Option<u64> {
        match *self {
            Self::Changed { stayed_us, .. }
            | Self::Kept { stayed_us, .. }
            | Self::Ended { stayed_us, .. } => stayed_us,
        }
    }
}

/// What is known of the record that stays of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Nothing yet: the kernel does not tell its state, and no table has shown it.
    Unseen,
    /// It waits for the peer's FIN.
    FinWait2,
    /// The peer's FIN has come.
    TimeWait,
}

/// A connection's life, told at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// How long it was there, in microseconds, where its beginning was told.
    pub lasted_us: Option<u64>,
    /// Whether no table ever showed it.
    pub unseen: bool,
    /// How it ended.
    pub fate: Fate,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The peer closed first.
    ClosedThere,
    /// Broken off in the middle: a reset, or silence for too long.
    BrokenOff,
    /// Never came to be: refused.
    Refused,
    /// Never came to be: the program gave up before an answer was due.
    GivenUp,
    /// Never came to be: no answer.
    Unanswered,
    /// A listener that was closed.
    ListenerClosed,
    /// What led to it was not told.
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
