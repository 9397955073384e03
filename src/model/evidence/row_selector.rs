//! Selection of the rows that evidence is about.

use super::{AcceptStallEvidence, Evidence};
use crate::model::endpoint::Endpoint;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::timer::{Timer, TimerKind};
use std::net::Ipv4Addr;

/// States of a connection that this end has closed.
const LOCALLY_CLOSED: &[State] = &[
    State::FinWait1,
    State::FinWait2,
    State::Closing,
    State::LastAck,
];

/// A selector for all rows in some states.
fn in_states(states: &'static [State]) -> RowSelector {
    RowSelector {
        states,
        ..RowSelector::default()
    }
}

impl Evidence {
    /// Returns a selector for the rows it is about.
    #[must_use]
    pub fn row_selector(&self) -> RowSelector {
        let waiting = RowSelector {
            states: &[State::SynSent],
            ..RowSelector::default()
        };
        match self {
            Self::DeadDestination { destination, .. } => RowSelector {
                remote: Some(*destination),
                ..waiting
            },
            Self::Ipv6Silent { .. } => RowSelector {
                family: Some(IpFamily::Inet6),
                ..waiting
            },
            Self::OutboundScan(_)
            | Self::PeerToPeer { .. }
            | Self::NetworkDown { .. }
            | Self::FailedConnects { .. } => waiting,
            // All its sockets. A user rule selects rows by its filter, which this
            // selector cannot express.
            Self::SuspiciousProgram { .. } | Self::SuspiciousPrograms(_) | Self::UserRule(_) => {
                RowSelector::default()
            }
            Self::NotInBaseline(listener) | Self::MissingListener(listener) => RowSelector {
                states: match listener.protocol {
                    Protocol::Tcp => &[State::Listen],
                    Protocol::Udp => &[State::Unconnected],
                },
                local: Some(listener.endpoint()),
                ..RowSelector::default()
            },
            Self::UnownedListener { listener, .. } => RowSelector {
                include_unowned: true,
                ..listener_at(*listener)
            },
            Self::NotAccepting(AcceptStallEvidence { listener, .. })
            | Self::AcceptQueue { listener, .. }
            | Self::NewListener { listener, .. } => listener_at(*listener),
            Self::SynFlood(half_open) => RowSelector {
                states: &[State::SynReceived],
                local: half_open.listener,
                include_unowned: true,
                ..RowSelector::default()
            },
            Self::Deadlock(pairs) => RowSelector {
                queues: QueueCondition::SendAndReceive,
                // The rows of a hidden program cannot be identified by their process.
                include_unowned: pairs.other_holder.is_some(),
                ..RowSelector::default()
            },
            Self::SelfConnection(itself) => RowSelector {
                states: &[State::Established],
                local: Some(itself.endpoint),
                remote: Some(itself.endpoint),
                ..RowSelector::default()
            },
            Self::PeerNotReadingOrphans(_) => RowSelector {
                states: &[State::FinWait1, State::Closing, State::LastAck],
                queues: QueueCondition::OrphanedSend,
                include_unowned: true,
                ..RowSelector::default()
            },
            Self::PeerNotReading(still) | Self::ProgramNotReading(still) => RowSelector {
                remote: Some(still.peer),
                ..RowSelector::default()
            },
            Self::Unacknowledged(silent) => RowSelector {
                states: &[State::Established, State::CloseWait, State::FinWait1],
                local: silent
                    .port
                    .map(|port| Endpoint::new(Ipv4Addr::UNSPECIFIED.into(), port)),
                remote: (silent.port.is_none() && silent.destinations == 1).then_some(silent.peer),
                min_retransmits: 3,
                include_unowned: silent.include_unowned,
                uid: silent.uid,
                ..RowSelector::default()
            },
            Self::LocalPorts(ports) => RowSelector {
                local: Some(Endpoint::new(ports.local_address, 0)),
                remote: ports.destination,
                // A closed connection still occupies its port.
                include_unowned: true,
                ..RowSelector::default()
            },
            Self::UdpDrops(drops) => RowSelector {
                states: &[State::Unconnected, State::Established],
                local: Some(drops.socket),
                ..RowSelector::default()
            },
            Self::FinWait2(_) => in_states(&[State::FinWait2]),
            Self::CloseWait(_) => in_states(&[State::CloseWait]),
            Self::TimeWaitLimit { .. } => in_states(&[State::TimeWait]),
            Self::Orphans { .. } => in_states(LOCALLY_CLOSED),
        }
    }
}

/// Selector for the rows of a finding. A field that is not set matches anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSelector {
    /// States; empty for any.
    pub states: &'static [State],
    /// Local end; an unspecified address is any, and so is port 0.
    pub local: Option<Endpoint>,
    /// Remote end, in the same way.
    pub remote: Option<Endpoint>,
    /// Address family.
    pub family: Option<IpFamily>,
    /// Minimum number of retransmissions without an answer.
    pub min_retransmits: u8,
    /// Condition on the queues.
    pub queues: QueueCondition,
    /// User id.
    pub uid: Option<u32>,
    /// True if rows without an owner are included, so that the process of the
    /// finding is no criterion: half-open ones, or those in `TIME_WAIT`.
    pub include_unowned: bool,
}

impl RowSelector {
    /// True if a socket matches.
    #[must_use]
    pub fn matches(&self, socket: &Socket) -> bool {
        let meets = |wanted: Option<Endpoint>, end: Endpoint| {
            wanted.is_none_or(|wanted| {
                let host = wanted.is_unspecified() || wanted.address() == end.address();
                host && (wanted.port == 0 || wanted.port == end.port)
            })
        };
        (self.states.is_empty() || self.states.contains(&socket.state))
            && self.min_retransmits <= socket.timer.map_or(0, |timer| timer.retransmits)
            && self.queues.matches(socket)
            && self.family.is_none_or(|family| family == socket.family())
            && self.uid.is_none_or(|uid| socket.known_uid() == Some(uid))
            && meets(self.local, socket.local)
            && meets(self.remote, socket.remote)
    }
}

/// Condition on the queues of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueCondition {
    /// None.
    #[default]
    Any,
    /// Data for a closed window, and data that its program has not read.
    SendAndReceive,
    /// Data for a closed window, of a socket that its program has closed.
    OrphanedSend,
}

impl QueueCondition {
    fn matches(self, socket: &Socket) -> bool {
        match self {
            Self::Any => true,
            Self::SendAndReceive => is_probing_zero_window(socket) && socket.recv_queue > 0,
            Self::OrphanedSend => is_probing_zero_window(socket) && socket.inode.is_none(),
        }
    }
}

/// True if unsent data waits and the kernel probes the peer's closed window.
fn is_probing_zero_window(socket: &Socket) -> bool {
    let probes = |timer: Timer| timer.kind == TimerKind::ZeroWindowProbe;
    socket.send_queue > 0 && socket.timer.is_some_and(probes)
}
fn listener_at(listener: Endpoint) -> RowSelector {
    RowSelector {
        states: &[State::Listen],
        local: Some(listener),
        ..RowSelector::default()
    }
}
