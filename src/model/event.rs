//! Kernel events of connections between two tables.
//!
//! They show states too short for any table. There are two sources: the
//! tracepoint `sock:inet_sock_set_state`, which needs privilege and reports each
//! change of state, and the destroy multicast of `sock_diag` (as in `ss -E`),
//! which needs none and reports the last byte counts.

use super::endpoint::Endpoint;
use super::protocol::IpFamily;
use super::socket::Socket;
use super::state::State;
use super::tcp_info::TcpInfo;
use super::text::Text;
use std::sync::Arc;

/// Use of kernel events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EventsMode {
    /// If this user is permitted to read them, and as long as they are cheap.
    #[default]
    Auto,
    /// At any cost.
    On,
    /// Never.
    Off,
}

impl EventsMode {
    /// Every mode with its name.
    pub const ALL: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("on", Self::On), ("off", Self::Off)];

    /// Returns the mode with this name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(known, _)| *known == word)
            .map(|(_, choice)| choice)
    }

    /// Returns its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, choice)| *choice == self)
            .map_or("", |(word, _)| word)
    }
}

/// Events since the last reading of this kind.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Active source, or the reason why there is none.
    pub source: EventSource,
    /// Changes of state, in the order in which they happened.
    pub changes: Vec<StateChange>,
    /// Connections that ended, in the order in which they did.
    pub destroyed: Vec<SocketDestroyed>,
    /// Number of events lost before they could be read.
    pub lost: u64,
    /// Cost of reading them since the last reading, in thousandths of one core;
    /// none if unknown.
    pub cost_permille: Option<u16>,
}

/// Source of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EventSource {
    /// None: not requested.
    #[default]
    Off,
    /// Every change of state.
    StateChanges,
    /// Only the ends of connections, for this reason.
    DestroyedOnly(EventsUnavailable),
    /// None, for this reason.
    Unavailable(EventsUnavailable),
}

/// Reason why changes of state are not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventsUnavailable {
    /// Not requested.
    NotRequested,
    /// Insufficient privileges.
    NotPermitted,
    /// The kernel has no tracefs, or no such tracepoint.
    Unsupported,
    /// The format of the tracepoint is unknown.
    UnknownFormat,
    /// Reading them was too expensive, and they were wanted only if cheap.
    TooExpensive,
    /// Another error.
    Failed,
}

impl EventsUnavailable {
    /// Every reason with its key in the assets.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::NotRequested, "not_asked"),
        (Self::NotPermitted, "not_permitted"),
        (Self::Unsupported, "not_offered"),
        (Self::UnknownFormat, "unknown_format"),
        (Self::TooExpensive, "too_dear"),
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

/// A change of a TCP socket's state, as reported by the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// Time in microseconds on the clock of
    /// [`Time::monotonic_ms`](super::time::Time::monotonic_ms).
    pub at_us: u64,
    /// The kernel's address of the socket while it exists (`skaddr`). It may be
    /// reused for another socket later.
    pub socket: u64,
    /// This machine's end; port 0 on the way to `SYN_SENT`, when it has none yet.
    pub local: Endpoint,
    /// The peer's end.
    pub remote: Endpoint,
    /// The family it was opened for.
    pub family: IpFamily,
    /// The state it left.
    pub from: State,
    /// The state it came to.
    pub to: State,
    /// True if it happened in an interrupt: a segment or a timer caused it, and
    /// no call of its owner.
    pub in_interrupt: bool,
    /// The process that caused it, if that is certainly its owner: on the way to
    /// `SYN_SENT` and to `LISTEN`, which only a call leads to.
    pub process: Option<Arc<EventProcess>>,
}

/// A process as an event names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventProcess {
    /// Its number.
    pub pid: u32,
    /// Its name at that moment (`comm`).
    pub name: Text,
    /// Start time in ticks as in
    /// [`Process::start_ticks`](super::process::Process::start_ticks); 0 if
    /// unknown.
    pub start_ticks: u64,
    /// The network namespace it was in, if known.
    pub namespace: Option<u32>,
}

/// The end of a socket, as the destroy multicast reports it. It comes when the
/// kernel frees the full socket: a row in `TIME_WAIT` may remain.
#[derive(Clone, Debug)]
pub struct SocketDestroyed {
    /// Time at which it was read, in microseconds as in [`StateChange::at_us`].
    pub at_us: u64,
    /// The socket at its end, with its cookie; the peer's port may be 0.
    pub socket: Socket,
    /// Its `TCP_INFO`.
    pub info: TcpInfo,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_parse_their_own_names() {
        for (word, choice) in EventsMode::ALL {
            assert_eq!(EventsMode::from_word(word), Some(choice));
            assert_eq!(choice.word(), word);
        }
        assert_eq!(EventsMode::from_word("maybe"), None);
    }
}
