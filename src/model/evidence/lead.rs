//! From evidence to the rows it is about.

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
    /// Which rows it is about.
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
            // All its sockets. Those of a rule that a person wrote are what its
            // filter says, which is more than a lead can.
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
                // The rows of a hidden program cannot be told by their process.
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
                // What has closed still takes its port.
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

/// Which rows a finding is about. What is not given may be anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lead {
    /// In one of these states, if any is named.
    pub states: &'static [State],
    /// At this local end; an unspecified address is any, and so is port 0.
    pub local: Option<Endpoint>,
    /// To this peer, in the same way.
    pub remote: Option<Endpoint>,
    /// Of this family.
    pub family: Option<Family>,
    /// Sent again at least so often without an answer.
    pub resent: u8,
    /// With such data in its queues.
    pub waits: Waits,
    /// Of this user.
    pub uid: Option<u32>,
    /// Whether rows that no program holds are among them, so that the process of
    /// the finding is no sign: half-open ones, or those in `TIME_WAIT`.
    pub unheld: bool,
}

impl Lead {
    /// Whether a socket fits.
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

/// Data that waits in the queues of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waits {
    /// Any or none.
    #[default]
    Any,
    /// Data for a closed window, and data that its program has not read.
    BothWays,
    /// Data for a closed window that its program has left behind.
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

/// True if data waits and the kernel asks the peer for room.
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
