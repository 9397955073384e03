//! What a rule saw: typed numbers and names, from which words, reports and the
//! rows in question all follow.

use super::endpoint::Endpoint;
use super::finding::Rule;
use super::protocol::Family;
use super::socket::Socket;
use super::state::State;
use super::text::Text;
use std::net::IpAddr;
use std::time::Duration;

/// What a rule saw, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// For [`Rule::OutboundScan`].
    OutboundScan(ScanEvidence),
    /// For [`Rule::DeadDestination`].
    DeadDestination {
        /// The destination that failed most.
        destination: Endpoint,
        /// How many destinations do not answer.
        destinations: u32,
        /// How many sockets wait for them now.
        waiting: u32,
    },
    /// For [`Rule::Ipv6Silent`].
    Ipv6Silent {
        /// IPv6 hosts that did not answer.
        failed: u32,
        /// IPv4 hosts that did.
        reached: u32,
    },
    /// For [`Rule::PeerToPeer`].
    PeerToPeer {
        /// Hosts that did not answer.
        failed: u32,
        /// First contacts made.
        contacts: u32,
        /// Distinct ports among the failed.
        ports: u32,
    },
    /// For [`Rule::NetworkDown`].
    NetworkDown {
        /// How many processes fail to connect.
        processes: u32,
        /// How many first contacts failed.
        failed: u32,
    },
    /// For [`Rule::AcceptQueue`].
    AcceptQueue {
        /// Where it listens.
        listener: Endpoint,
        /// How many connections wait to be accepted.
        waiting: u32,
        /// Its backlog: one more than this may wait.
        backlog: u32,
        /// How many connections listeners of that namespace dropped in the last
        /// ten seconds, where that is told.
        overflows: Option<u64>,
        /// Whether no more fits.
        full: bool,
    },
    /// For [`Rule::TimeWaitHeap`].
    TimeWaitHeap {
        /// How many there are.
        count: u32,
        /// How many there may be.
        most: u32,
        /// How many got none in the last minute.
        overflows: u64,
    },
    /// For [`Rule::Orphans`].
    Orphans {
        /// How many there are.
        orphans: u32,
        /// How many there may be.
        most: u32,
    },
    /// For [`Rule::SynFlood`].
    SynFlood(HalfOpen),
    /// For [`Rule::CloseWait`].
    CloseWait {
        /// How many sockets have been in that state for long.
        count: u32,
        /// How many more than there were.
        growth: u32,
        /// Within what time.
        window: Duration,
        /// How many files the process has open, where that is known.
        open: Option<u32>,
        /// How many it may have open.
        most: Option<u32>,
    },
    /// For [`Rule::PeerNotReading`].
    PeerNotReading {
        /// How many sockets stand still.
        sockets: u32,
        /// How many bytes wait in them.
        bytes: u64,
        /// The peer of the one with most.
        peer: Endpoint,
        /// For how long the longest has stood still.
        longest: Duration,
    },
    /// For [`Rule::ProgramNotReading`].
    ProgramNotReading {
        /// How many sockets stand still.
        sockets: u32,
        /// How many bytes wait in them.
        bytes: u64,
        /// The peer of the one with most.
        peer: Endpoint,
        /// For how long the longest has stood still.
        longest: Duration,
    },
}

/// The evidence of a SYN flood, or of too small a backlog. Counts are those of
/// the last ten seconds, of the whole network namespace; none where the kernel
/// does not tell.
#[derive(Clone, Debug, PartialEq)]
pub struct HalfOpen {
    /// The listener with most half-open connections.
    pub listener: Option<Endpoint>,
    /// How many it has.
    pub half_open: u32,
    /// Its backlog, where `sock_diag` told it.
    pub backlog: Option<u32>,
    /// SYN cookies sent.
    pub cookies_sent: Option<u64>,
    /// Of these, how many came back.
    pub cookies_returned: Option<u64>,
    /// SYNs dropped for want of room.
    pub dropped: Option<u64>,
}

/// The evidence of an outbound scan.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanEvidence {
    /// Over hosts or over ports.
    pub breadth: Breadth,
    /// First contacts within the window.
    pub contacts: u32,
    /// Of these, how many failed.
    pub failed: u32,
    /// Attempts that came and went between two tables, counted as answered.
    pub unseen: u32,
    /// Length of the window, seconds.
    pub window_s: u32,
    /// The random walk's likelihood ratio at present.
    pub likelihood: f64,
    /// Sockets of that process in `SYN_SENT` now.
    pub waiting: u32,
    /// A few of the destinations that failed.
    pub examples: Vec<Endpoint>,
    /// The family of most of them.
    pub family: Family,
}

/// In which direction a scan is broad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// Many hosts on one port.
    Hosts {
        /// How many failed.
        count: u32,
        /// The port.
        port: u16,
    },
    /// Many ports of one host.
    Ports {
        /// How many failed.
        count: u32,
        /// The host, port 0.
        host: Endpoint,
    },
    /// New destinations faster than any person asks for.
    Throttle {
        /// Length of the queue.
        queue: u32,
    },
}

impl Evidence {
    /// The rule this is evidence for.
    #[must_use]
    pub fn rule(&self) -> Rule {
        match self {
            Self::OutboundScan(_) => Rule::OutboundScan,
            Self::DeadDestination { .. } => Rule::DeadDestination,
            Self::Ipv6Silent { .. } => Rule::Ipv6Silent,
            Self::PeerToPeer { .. } => Rule::PeerToPeer,
            Self::NetworkDown { .. } => Rule::NetworkDown,
            Self::AcceptQueue { .. } => Rule::AcceptQueue,
            Self::TimeWaitHeap { .. } => Rule::TimeWaitHeap,
            Self::Orphans { .. } => Rule::Orphans,
            Self::SynFlood(_) => Rule::SynFlood,
            Self::CloseWait { .. } => Rule::CloseWait,
            Self::PeerNotReading { .. } => Rule::PeerNotReading,
            Self::ProgramNotReading { .. } => Rule::ProgramNotReading,
        }
    }
}

/// A number or a name of the evidence, with what it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// How many.
    Count(u64),
    /// A number that the kernel does not tell.
    Unknown,
    /// So many of so many, told in percent.
    Share(u64, u64),
    /// A length of time.
    Length(Duration),
    /// A port.
    Port(u16),
    /// A host.
    Host(IpAddr),
    /// An end of a connection.
    Endpoint(Endpoint),
    /// Several of them.
    Endpoints(Vec<Endpoint>),
    /// A text from outside, such as a path.
    Text(Text),
}

/// Facts by the name they have in the sentences of the assets and in reports.
pub type Facts = Vec<(&'static str, Fact)>;

fn count(number: impl Into<u64>) -> Fact {
    Fact::Count(number.into())
}

fn count_if_known(number: Option<impl Into<u64>>) -> Fact {
    number.map_or(Fact::Unknown, count)
}

impl Evidence {
    /// All it tells.
    #[must_use]
    pub fn facts(&self) -> Facts {
        match self {
            Self::OutboundScan(scan) => scan.facts(),
            Self::DeadDestination {
                destination,
                destinations,
                waiting,
            } => vec![
                ("destination", Fact::Endpoint(*destination)),
                ("destinations", count(*destinations)),
                ("waiting", count(*waiting)),
            ],
            Self::Ipv6Silent { failed, reached } => {
                vec![("failed", count(*failed)), ("reached", count(*reached))]
            }
            Self::PeerToPeer {
                failed,
                contacts,
                ports,
            } => vec![
                ("failed", count(*failed)),
                ("contacts", count(*contacts)),
                ("ports", count(*ports)),
                ("percent", Fact::Share((*failed).into(), (*contacts).into())),
            ],
            Self::NetworkDown { processes, failed } => {
                vec![("processes", count(*processes)), ("failed", count(*failed))]
            }
            Self::AcceptQueue {
                listener,
                waiting,
                backlog,
                overflows,
                ..
            } => vec![
                ("listener", Fact::Endpoint(*listener)),
                ("waiting", count(*waiting)),
                ("backlog", count(*backlog)),
                ("overflows", count_if_known(*overflows)),
            ],
            Self::TimeWaitHeap {
                count: present,
                most,
                overflows,
            } => vec![
                ("count", count(*present)),
                ("most", count(*most)),
                ("percent", Fact::Share((*present).into(), (*most).into())),
                ("overflows", count(*overflows)),
            ],
            Self::Orphans { orphans, most } => vec![
                ("orphans", count(*orphans)),
                ("most", count(*most)),
                ("percent", Fact::Share((*orphans).into(), (*most).into())),
            ],
            Self::SynFlood(half_open) => half_open.facts(),
            Self::PeerNotReading {
                sockets,
                bytes,
                peer,
                longest,
            }
            | Self::ProgramNotReading {
                sockets,
                bytes,
                peer,
                longest,
            } => vec![
                ("sockets", count(*sockets)),
                ("bytes", count(*bytes)),
                ("peer", Fact::Endpoint(*peer)),
                ("longest", Fact::Length(*longest)),
            ],
            Self::CloseWait {
                count: present,
                growth,
                window,
                open,
                most,
            } => vec![
                ("count", count(*present)),
                ("growth", count(*growth)),
                ("window", Fact::Length(*window)),
                ("open", count_if_known(*open)),
                ("most", count_if_known(*most)),
            ],
        }
    }

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
            Self::OutboundScan(_) | Self::PeerToPeer { .. } | Self::NetworkDown { .. } => waiting,
            Self::AcceptQueue { listener, .. } => Lead {
                states: &[State::Listen],
                local: Some(*listener),
                ..Lead::default()
            },
            Self::SynFlood(half_open) => Lead {
                states: &[State::SynReceived],
                local: half_open.listener,
                ..Lead::default()
            },
            Self::PeerNotReading { peer, .. } | Self::ProgramNotReading { peer, .. } => Lead {
                remote: Some(*peer),
                ..Lead::default()
            },
            Self::CloseWait { .. } => Lead {
                states: &[State::CloseWait],
                ..Lead::default()
            },
            Self::TimeWaitHeap { .. } => Lead {
                states: &[State::TimeWait],
                ..Lead::default()
            },
            Self::Orphans { .. } => Lead {
                states: &[
                    State::FinWait1,
                    State::FinWait2,
                    State::Closing,
                    State::LastAck,
                ],
                ..Lead::default()
            },
        }
    }

    /// The same once its signs have gone: it must not say "now".
    pub fn no_longer_waits(&mut self) {
        match self {
            Self::OutboundScan(scan) => scan.waiting = 0,
            Self::DeadDestination { waiting, .. } | Self::AcceptQueue { waiting, .. } => {
                *waiting = 0;
            }
            Self::Ipv6Silent { .. }
            | Self::PeerToPeer { .. }
            | Self::NetworkDown { .. }
            | Self::TimeWaitHeap { .. }
            | Self::Orphans { .. }
            | Self::CloseWait { .. }
            | Self::PeerNotReading { .. }
            | Self::ProgramNotReading { .. } => {}
            Self::SynFlood(evidence) => evidence.half_open = 0,
        }
    }
}

impl HalfOpen {
    fn facts(&self) -> Facts {
        let listener = self.listener.map_or(Fact::Unknown, Fact::Endpoint);
        let returned = self.cookies_sent.zip(self.cookies_returned);
        vec![
            ("listener", listener),
            ("half_open", count(self.half_open)),
            ("backlog", count_if_known(self.backlog)),
            ("sent", count_if_known(self.cookies_sent)),
            ("returned", count_if_known(self.cookies_returned)),
            (
                "percent",
                returned.map_or(Fact::Unknown, |(sent, back)| Fact::Share(back, sent)),
            ),
            ("dropped", count_if_known(self.dropped)),
        ]
    }
}

impl ScanEvidence {
    fn facts(&self) -> Facts {
        let attempts = self.contacts.saturating_add(self.unseen);
        let mut facts = vec![
            ("contacts", count(self.contacts)),
            ("failed", count(self.failed)),
            ("unseen", count(self.unseen)),
            ("percent", Fact::Share(self.failed.into(), attempts.into())),
            (
                "window",
                Fact::Length(Duration::from_secs(self.window_s.into())),
            ),
            ("waiting", count(self.waiting)),
            ("examples", Fact::Endpoints(self.examples.clone())),
        ];
        match self.breadth {
            Breadth::Hosts { count: hosts, port } => {
                facts.extend([("count", count(hosts)), ("port", Fact::Port(port))]);
            }
            Breadth::Ports { count: ports, host } => {
                let host = Fact::Host(host.address());
                facts.extend([("count", count(ports)), ("host", host)]);
            }
            Breadth::Throttle { queue } => facts.push(("queue", count(queue))),
        }
        facts
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
            && self.family.is_none_or(|family| family == socket.family)
            && meets(self.local, socket.local)
            && meets(self.remote, socket.remote)
    }
}
