//! The states of a socket and every spelling of them.

use super::protocol::Protocol;
use std::fmt;

/// A socket's state: those of RFC 9293, section 3.3.2, and Linux's additions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Waits for connections.
    Listen,
    /// SYN sent, nothing back yet.
    SynSent,
    /// SYN received and answered, handshake not finished.
    SynReceived,
    /// Open in both directions.
    Established,
    /// This end closed; its FIN is not acknowledged yet.
    FinWait1,
    /// This end closed and the peer acknowledged; the peer has not closed.
    FinWait2,
    /// Both ends closed at once; the ACK of this end's FIN is missing.
    Closing,
    /// Closed; kept for late segments.
    TimeWait,
    /// The peer closed; the program here has not.
    CloseWait,
    /// This end closed last; the ACK of its FIN is missing.
    LastAck,
    /// A TCP socket not in use.
    Closed,
    /// A TCP socket bound to a port, neither listening nor connected
    /// (distinguished by Linux 6.8 and later).
    BoundInactive,
    /// A UDP socket that takes datagrams from anyone.
    Unconnected,
    /// A number this program does not know, kept as read.
    Unknown(u8),
}

impl State {
    /// Every known state, in the order of a connection's life.
    pub const ALL: [Self; 13] = [
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::Closing,
        Self::TimeWait,
        Self::CloseWait,
        Self::LastAck,
        Self::Closed,
        Self::BoundInactive,
        Self::Unconnected,
    ];

    /// The state behind the kernel's number (`include/net/tcp_states.h`).
    ///
    /// `/proc/net/tcp` and `sock_diag` use the same numbers; a UDP socket has
    /// only 1 (connected) and 7 (unconnected).
    #[must_use]
    pub fn from_kernel(protocol: Protocol, number: u8) -> Self {
        match (protocol, number) {
            (_, 1) => Self::Established,
            (Protocol::Udp, 7) => Self::Unconnected,
            (Protocol::Tcp, 2) => Self::SynSent,
            (Protocol::Tcp, 3 | 12) => Self::SynReceived,
            (Protocol::Tcp, 4) => Self::FinWait1,
            (Protocol::Tcp, 5) => Self::FinWait2,
            (Protocol::Tcp, 6) => Self::TimeWait,
            (Protocol::Tcp, 7) => Self::Closed,
            (Protocol::Tcp, 8) => Self::CloseWait,
            (Protocol::Tcp, 9) => Self::LastAck,
            (Protocol::Tcp, 10) => Self::Listen,
            (Protocol::Tcp, 11) => Self::Closing,
            (Protocol::Tcp, 13) => Self::BoundInactive,
            (_, other) => Self::Unknown(other),
        }
    }

    /// True if the peer's FIN has arrived: it sends nothing more.
    #[must_use]
    pub fn has_received_fin(self) -> bool {
        matches!(
            self,
            Self::CloseWait | Self::LastAck | Self::Closing | Self::TimeWait
        )
    }

    /// The key in reports and assets: OpenTelemetry's words
    /// (`network.connection.state`), plus three of this program's own.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::SynSent => "syn_sent",
            Self::SynReceived => "syn_received",
            Self::Established => "established",
            Self::FinWait1 => "fin_wait_1",
            Self::FinWait2 => "fin_wait_2",
            Self::Closing => "closing",
            Self::TimeWait => "time_wait",
            Self::CloseWait => "close_wait",
            Self::LastAck => "last_ack",
            Self::Closed => "closed",
            Self::BoundInactive => "bound_inactive",
            Self::Unconnected => "unconnected",
            Self::Unknown(_) => "unknown",
        }
    }

    /// The word on screen, as netstat spells it if netstat has one.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN_SENT",
            Self::SynReceived => "SYN_RECV",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN_WAIT1",
            Self::FinWait2 => "FIN_WAIT2",
            Self::Closing => "CLOSING",
            Self::TimeWait => "TIME_WAIT",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Closed => "CLOSED",
            Self::BoundInactive => "BOUND",
            Self::Unconnected => "UNCONN",
            Self::Unknown(_) => "UNKNOWN",
        }
    }

    /// Further spellings: those of ss(8), netstat(8), TCPView, the RFC.
    /// Compared after lower-casing and with `-` and `_` removed.
    #[must_use]
    pub fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::Listen => &["listen", "listening"],
            Self::SynSent => &["synsent"],
            Self::SynReceived => &["synrecv", "synreceived", "synrcvd"],
            Self::Established => &["established", "estab", "est"],
            Self::FinWait1 => &["finwait1"],
            Self::FinWait2 => &["finwait2"],
            Self::Closing => &["closing"],
            Self::TimeWait => &["timewait"],
            Self::CloseWait => &["closewait"],
            Self::LastAck => &["lastack"],
            Self::Closed => &["closed", "close"],
            Self::BoundInactive => &["boundinactive", "bound"],
            Self::Unconnected => &["unconnected", "unconn"],
            Self::Unknown(_) => &[],
        }
    }

    /// Returns the state named by `word`, in any known spelling.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let plain: String = word
            .chars()
            .filter(|character| !matches!(character, '-' | '_'))
            .flat_map(char::to_lowercase)
            .collect();
        Self::ALL
            .into_iter()
            .find(|state| state.spellings().contains(&plain.as_str()))
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(number) => formatter.pad(&format!("UNKNOWN_{number}")),
            known => formatter.pad(known.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_three_tools_is_understood() {
        let cases = [
            ("LISTEN", State::Listen),
            ("LISTENING", State::Listen),
            ("SYN-SENT", State::SynSent),
            ("SYN_SENT", State::SynSent),
            ("SYN-RECV", State::SynReceived),
            ("SYN_RECEIVED", State::SynReceived),
            ("ESTAB", State::Established),
            ("established", State::Established),
            ("FIN-WAIT-1", State::FinWait1),
            ("FIN_WAIT1", State::FinWait1),
            ("fin_wait_2", State::FinWait2),
            ("TIME-WAIT", State::TimeWait),
            ("CLOSE_WAIT", State::CloseWait),
            ("LAST_ACK", State::LastAck),
            ("CLOSING", State::Closing),
            ("UNCONN", State::Unconnected),
            ("CLOSE", State::Closed),
        ];
        for (word, state) in cases {
            assert_eq!(State::from_word(word), Some(state), "{word}");
        }
        assert_eq!(State::from_word("SYN_SNET"), None);
    }

    #[test]
    fn every_state_parses_its_own_key_and_word() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.key()), Some(state));
            assert_eq!(State::from_word(state.word()), Some(state));
        }
    }

    #[test]
    fn unknown_numbers_survive() {
        let state = State::from_kernel(Protocol::Tcp, 42);
        assert_eq!(state.to_string(), "UNKNOWN_42");
    }
}
