//! What the kernel tells of connections as it happens, between two tables.
//!
//! States too short for any table become visible by it. Two interfaces tell:
//! the tracepoint `sock:inet_sock_set_state`, which needs privilege and tells each
//! change of state as it happens, and the destroy multicast of `sock_diag` (as
//! `ss -E` has it), which needs none and tells the last byte counts.

use super::endpoint::Endpoint;
use super::protocol::Family;
use super::socket::Socket;
use super::state::State;
use super::tcp_info::TcpInfo;
use super::text::Text;
use std::sync::Arc;

/// Whether events are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EventsChoice {
    /// Where this user may, and as long as it is cheap.
    #[default]
    Auto,
    /// Whatever it costs.
    On,
    /// Not at all.
    Off,
}

impl EventsChoice {
    /// Every choice with its word.
    pub const ALL: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("on", Self::On), ("off", Self::Off)];

    /// The choice of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(known, _)| *known == word)
            .map(|(_, choice)| choice)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, choice)| *choice == self)
            .map_or("", |(word, _)| word)
    }
}

/// What was told since the last reading of this kind.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// What tells, or why nothing does.
    pub feed: Feed,
    /// Changes of state, in the order in which they happened.
    pub changes: Vec<Change>,
    /// Connections that ended, in the order in which they did.
    pub endings: Vec<Ending>,
    /// How many more were lost before they could be read.
    pub lost: u64,
    /// What reading them has cost since the last reading, in thousandths of one
    /// core; none where it is not known.
    pub cost_permille: Option<u16>,
}

/// What tells of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Feed {
    /// Nothing: it was not asked for.
    #[default]
    Off,
    /// Every change of state.
    Changes,
    /// Only how connections ended, for this reason.
    Endings(NoFeed),
    /// Nothing, for this reason.
    Nothing(NoFeed),
}

/// Why changes of state cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFeed {
    /// They were not asked for.
    NotAsked,
    /// This user may not.
    NotPermitted,
    /// The kernel has no tracefs, or no such tracepoint.
    NotOffered,
    /// The tracepoint describes itself in a way that is not understood.
    UnknownFormat,
    /// Reading them cost too much, and they were wanted only where cheap.
    TooDear,
    /// Something else failed on the way.
    Failed,
}

impl NoFeed {
    /// Every reason with its key in the assets.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::NotAsked, "not_asked"),
        (Self::NotPermitted, "not_permitted"),
        (Self::NotOffered, "not_offered"),
        (Self::UnknownFormat, "unknown_format"),
        (Self::TooDear, "too_dear"),
        (Self::Failed, "failed"),
    ];

    /// Its key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(reason, _)| *reason == self)
            .map_or("", |(_, key)| key)
    }
}

/// A change of a TCP socket's state, as the kernel made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, in microseconds on the clock of
    /// [`Time::monotonic_ms`](super::time::Time::monotonic_ms).
    pub at_us: u64,
    /// The kernel's own name for the socket while it is there (`skaddr`). It may
    /// be given to another socket later.
    pub socket: u64,
    /// This machine's end; port 0 on the way to `SYN_SENT`, when it has none yet.
    pub local: Endpoint,
    /// The peer's end.
    pub remote: Endpoint,
    /// The family it was opened for.
    pub family: Family,
    /// The state it left.
    pub from: State,
    /// The state it came to.
    pub to: State,
    /// Whether it happened in an interrupt: a segment or a timer brought it about
    /// for sure, and no call of its owner.
    pub interrupt: bool,
    /// Who made it happen, where that is its owner for sure: on the way to
    /// `SYN_SENT` and to `LISTEN`, which only a call leads to.
    pub caller: Option<Arc<Caller>>,
}

/// A process as an event names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Its number.
    pub pid: u32,
    /// Its name at that moment (`comm`).
    pub name: Text,
    /// When it was started, in ticks as in
    /// [`Process::start_ticks`](super::process::Process::start_ticks); 0 if it is
    /// not known.
    pub start_ticks: u64,
    /// The network namespace it was in, where that is known.
    pub namespace: Option<u32>,
}

/// The end of a socket, as the destroy multicast tells it. It comes when the
/// kernel lets go of the full socket: a row in `TIME_WAIT` may stay.
#[derive(Clone, Debug)]
pub struct Ending {
    /// When it was read, in microseconds as in [`Change::at_us`].
    pub at_us: u64,
    /// The socket at its end, with its cookie; the peer's port may be 0.
    pub socket: Socket,
    /// What it carried.
    pub info: TcpInfo,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_have_words() {
        for (word, choice) in EventsChoice::ALL {
            assert_eq!(EventsChoice::from_word(word), Some(choice));
            assert_eq!(choice.word(), word);
        }
        assert_eq!(EventsChoice::from_word("maybe"), None);
    }
}
