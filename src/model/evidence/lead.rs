//! Selection of the rows that evidence is about.

use super::{AcceptStall, Evidence};
use crate::model::endpoint::Endpoint;
use crate::model::protocol::{Family, Protocol};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::timer::{Timer, TimerKind};
use std::net::Ipv4Addr;

/// States of a connection that this end has closed.
const CLOSING_DOWN: &[State] = &[
    State::FinWait1,
    State::FinWait2,
    State::Closing,
    State::LastAck,
];

impl Evidence {
    /// Returns a selector for the rows it is about.
    #[must_use]
    pub fn lead(&self) -> Lead {
        let waiting = Lead {
            states: &[State::SynSent],
            ..Lead::default()
        };
        match self {
            Self::DeadDestination { destination, .. } => Lead {
                remote: Some(*destination),
                ..waiting
            },
            Self::Ipv6Silent { .. } => Lead {
                family: Some(Family::Inet6),
                ..waiting
            },
            Self::OutboundScan(_)
            | Self::PeerToPeer { .. }
            | Self::NetworkDown { .. }
            | Self::FailedConnects { .. } => waiting,
            // All its sockets. A user rule selects rows by its filter, which this
            // selector cannot express.
            Self::OddProgram { .. } | Self::OddPrograms(_) | Self::UserRule(_) => Lead::default(),
            Self::Unlisted(listener) | Self::Missing(listener) => Lead {
                states: match listener.protocol {
                    Protocol::Tcp => &[State::Listen],
                    Protocol::Udp => &[State::Unconnected],
                },
                local: Some(listener.end()),
                ..Lead::default()
            },
            Self::UnheldListener { listener, .. } => Lead {
                unheld: true,
                ..listening_at(*listener)
            },
            Self::NotAccepting(AcceptStall { listener, .. })
            | Self::AcceptQueue { listener, .. }
            | Self::NewListener { listener, .. } => listening_at(*listener),
            Self::SynFlood(half_open) => Lead {
                states: &[State::SynReceived],
                local: half_open.listener,
                unheld: true,
                ..Lead::default()
            },
            Self::Deadlock(pairs) => Lead {
                waits: Waits::BothWays,
                // The rows of a hidden program cannot be identified by their process.
                unheld: pairs.other_unseen.is_some(),
                ..Lead::default()
            },
            Self::SelfConnection(itself) => Lead {
                states: &[State::Established],
                local: Some(itself.end),
                remote: Some(itself.end),
                ..Lead::default()
            },
            Self::OrphansNotRead(_) => Lead {
                states: &[State::FinWait1, State::Closing, State::LastAck],
                waits: Waits::Orphaned,
                unheld: true,
                ..Lead::default()
            },
            Self::PeerNotReading(still) | Self::ProgramNotReading(still) => Lead {
                remote: Some(still.peer),
                ..Lead::default()
            },
            Self::Unacknowledged(silent) => Lead {
                states: &[State::Established, State::CloseWait, State::FinWait1],
                local: silent
                    .port
                    .map(|port| Endpoint::new(Ipv4Addr::UNSPECIFIED.into(), port)),
                remote: (silent.port.is_none() && silent.destinations == 1).then_some(silent.peer),
                resent: 3,
                unheld: silent.unheld,
                uid: silent.user,
                ..Lead::default()
            },
            Self::LocalPorts(ports) => Lead {
                local: Some(Endpoint::new(ports.from, 0)),
                remote: ports.to,
                // A closed connection still occupies its port.
                unheld: true,
                ..Lead::default()
            },
            Self::UdpDrops(drops) => Lead {
                states: &[State::Unconnected, State::Established],
                local: Some(drops.socket),
                ..Lead::default()
            },
            Self::FinWait2(_) => Lead {
                states: &[State::FinWait2],
                ..Lead::default()
            },
            Self::CloseWait(_) => Lead {
                states: &[State::CloseWait],
                ..Lead::default()
            },
            Self::TimeWaitHeap { .. } => Lead {
                states: &[State::TimeWait],
                ..Lead::default()
            },
            Self::Orphans { .. } => Lead {
                states: CLOSING_DOWN,
                ..Lead::default()
            },
        }
    }
}

/// Selector for the rows of a finding. A field that is not set matches anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lead {
    /// States; empty for any.
    pub states: &'static [State],
    /// Local end; an unspecified address is any, and so is port 0.
    pub local: Option<Endpoint>,
    /// Remote end, in the same way.
    pub remote: Option<Endpoint>,
    /// Address family.
    pub family: Option<Family>,
    /// Minimum number of retransmissions without an answer.
    pub resent: u8,
    /// Condition on the queues.
    pub waits: Waits,
    /// User id.
    pub uid: Option<u32>,
    /// True if rows without an owner are included, so that the process of the
    /// finding is no criterion: half-open ones, or those in `TIME_WAIT`.
    pub unheld: bool,
}

impl Lead {
    /// True if a socket matches.
    #[must_use]
    pub fn fits(&self, socket: &Socket) -> bool {
        let meets = |wanted: Option<Endpoint>, end: Endpoint| {
            wanted.is_none_or(|wanted| {
                let host = wanted.is_unspecified() || wanted.address() == end.address();
                host && (wanted.port == 0 || wanted.port == end.port)
            })
        };
        (self.states.is_empty() || self.states.contains(&socket.state))
            && self.resent <= socket.timer.map_or(0, |timer| timer.retransmits)
            && self.waits.fits(socket)
            && self.family.is_none_or(|family| family == socket.family())
            && self.uid.is_none_or(|uid| socket.user() == Some(uid))
            && meets(self.local, socket.local)
            && meets(self.remote, socket.remote)
    }
}

/// Condition on the queues of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waits {
    /// None.
    #[default]
    Any,
    /// Data for a closed window, and data that its program has not read.
    BothWays,
    /// Data for a closed window, of a socket that its program has closed.
    Orphaned,
}

impl Waits {
    fn fits(self, socket: &Socket) -> bool {
        match self {
            Self::Any => true,
            Self::BothWays => asks_for_room(socket) && socket.recv_queue > 0,
            Self::Orphaned => asks_for_room(socket) && socket.inode.is_none(),
        }
    }
}

/// True if unsent data waits and the kernel probes the peer's closed window.
fn asks_for_room(socket: &Socket) -> bool {
    let probes = |timer: Timer| timer.kind == TimerKind::ZeroWindowProbe;
    socket.send_queue > 0 && socket.timer.is_some_and(probes)
}
fn listening_at(listener: Endpoint) -> Lead {
    Lead {
        states: &[State::Listen],
        local: Some(listener),
        ..Lead::default()
    }
}
