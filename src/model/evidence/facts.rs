//! Evidence as named facts, from which messages and reports are made.

use super::{
    AcceptStall, Breadth, Deadlock, Evidence, Failing, HalfClosed, HalfOpen, Leak, OddPrograms,
    Oddity, PortUse, ScanEvidence, SelfConnection, Stillness, UdpDrops, Unacknowledged,
};
use crate::model::baseline::Listener;
use crate::model::endpoint::Endpoint;
use crate::model::process::Process;
use crate::model::text::Text;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A typed number or name of the evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A number.
    Count(u64),
    /// A number that the kernel does not report.
    Unknown,
    /// A ratio of two numbers, shown in percent.
    Share(u64, u64),
    /// A duration.
    Length(Duration),
    /// Lower bound of a duration.
    AtLeast(Duration),
    /// A port.
    Port(u16),
    /// A user id.
    User(u32),
    /// A host.
    Host(IpAddr),
    /// An end of a connection.
    Endpoint(Endpoint),
    /// Several ends of connections.
    Endpoints(Vec<Endpoint>),
    /// A text from outside, such as a path.
    Text(Text),
    /// Several texts from outside.
    Texts(Vec<Text>),
}

/// Facts by their name in the messages of the assets and in reports.
pub type Facts = Vec<(&'static str, Fact)>;

fn count(number: impl Into<u64>) -> Fact {
    Fact::Count(number.into())
}

fn count_if_known(number: Option<impl Into<u64>>) -> Fact {
    number.map_or(Fact::Unknown, count)
}

impl Evidence {
    /// Returns all facts of the evidence.
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
            Self::NotAccepting(stall) => stall.facts(),
            Self::AcceptQueue {
                listener,
                waiting,
                backlog,
                dropped,
                overflows,
                ..
            } => vec![
                ("listener", Fact::Endpoint(*listener)),
                ("waiting", count(*waiting)),
                ("backlog", count(*backlog)),
                ("dropped", count_if_known(*dropped)),
                ("overflows", count_if_known(*overflows)),
            ],
            Self::TimeWaitHeap {
                count: present,
                most,
                overflows,
            } => time_wait(*present, *most, *overflows),
            Self::Orphans { orphans, most } => vec![
                ("orphans", count(*orphans)),
                ("most", count(*most)),
                ("percent", Fact::Share((*orphans).into(), (*most).into())),
            ],
            Self::SynFlood(half_open) => half_open.facts(),
            Self::FailedConnects {
                failed,
                tried,
                window,
                whose,
            } => failed_connects(*failed, *tried, *window, whose.as_ref()),
            Self::LocalPorts(ports) => ports.facts(),
            Self::UdpDrops(drops) => drops.facts(),
            Self::OddProgram { oddity, program } => odd_program(oddity, program),
            Self::NewListener {
                listener, program, ..
            } => vec![
                ("listener", Fact::Endpoint(*listener)),
                ("program", program.clone().map_or(Fact::Unknown, Fact::Text)),
            ],
            Self::OddPrograms(programs) => programs.facts(),
            Self::UnheldListener { listener, uid } => vec![
                ("listener", Fact::Endpoint(*listener)),
                ("uid", Fact::User(*uid)),
            ],
            Self::Unacknowledged(silent) => silent.facts(),
            Self::FinWait2(half_closed) => half_closed.facts(),
            Self::Deadlock(pairs) => pairs.facts(),
            Self::SelfConnection(itself) => itself.facts(),
            Self::PeerNotReading(still)
            | Self::OrphansNotRead(still)
            | Self::ProgramNotReading(still) => still.facts(),
            Self::CloseWait(leak) => leak.facts(),
            Self::Unlisted(listener) | Self::Missing(listener) => listener.facts(),
            Self::UserRule(tripped) => tripped.facts(),
        }
    }
}

impl OddPrograms {
    fn facts(&self) -> Facts {
        vec![
            ("count", count(self.count)),
            ("uid", self.uid.map_or(Fact::Unknown, Fact::User)),
            (
                "folder",
                self.folder.clone().map_or(Fact::Unknown, Fact::Text),
            ),
            ("oddity", Fact::Text(Text::from(self.oddity))),
            ("names", Fact::Texts(self.names.clone())),
        ]
    }
}

fn odd_program(oddity: &Oddity, program: &Text) -> Facts {
    let mut facts = vec![("program", Fact::Text(program.clone()))];
    if let Oddity::Resembles(known) = oddity {
        facts.push(("known", Fact::Text(known.clone())));
    }
    facts
}

fn failed_connects(failed: u32, tried: u32, window: Duration, whose: Option<&Failing>) -> Facts {
    let mut facts = vec![
        ("failed", count(failed)),
        ("tried", count(tried)),
        ("percent", Fact::Share(failed.into(), tried.into())),
        ("window", Fact::Length(window)),
    ];
    if let Some(failing) = whose {
        facts.extend([
            ("own", count(failing.failed)),
            ("refused", count(failing.refused)),
            (
                "destinations",
                Fact::Endpoints(failing.destinations.clone()),
            ),
        ]);
    }
    facts
}

fn time_wait(present: u32, most: u32, overflows: u64) -> Facts {
    vec![
        ("count", count(present)),
        ("most", count(most)),
        ("percent", Fact::Share(present.into(), most.into())),
        ("overflows", count(overflows)),
    ]
}

impl Listener {
    fn facts(&self) -> Facts {
        let program = self.program.path().cloned();
        vec![
            ("listener", Fact::Endpoint(self.end())),
            ("protocol", Fact::Text(Text::from(self.protocol.word()))),
            ("program", program.map_or(Fact::Unknown, Fact::Text)),
            ("uid", self.uid.map_or(Fact::Unknown, Fact::User)),
        ]
    }
}

impl HalfOpen {
    fn facts(&self) -> Facts {
        let listener = self.listener.map_or(Fact::Unknown, Fact::Endpoint);
        let returned = self.cookies_sent.zip(self.cookies_returned);
        vec![
            ("listener", listener),
            ("half_open", count(self.half_open)),
            ("stale", count(self.stale)),
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
            ("refused", count_if_known(self.refused)),
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

impl Leak {
    fn facts(&self) -> Facts {
        vec![
            ("count", count(self.count)),
            ("growth", count(self.growth)),
            ("window", Fact::Length(self.window)),
            ("open", count_if_known(self.open)),
            ("most", count_if_known(self.most)),
        ]
    }
}

fn length(time: Duration, at_least: bool) -> Fact {
    if at_least {
        Fact::AtLeast(time)
    } else {
        Fact::Length(time)
    }
}

impl HalfClosed {
    fn facts(&self) -> Facts {
        vec![
            ("sockets", count(self.sockets)),
            ("shut", count(self.shut)),
            ("peer", Fact::Endpoint(self.peer)),
            ("longest", length(self.longest, self.at_least)),
            ("idle", Fact::Length(self.idle)),
        ]
    }
}

impl AcceptStall {
    fn facts(&self) -> Facts {
        let length = |time| length(time, self.at_least);
        vec![
            ("listener", Fact::Endpoint(self.listener)),
            ("waiting", count(self.waiting)),
            ("backlog", count_if_known(self.backlog)),
            ("oldest", length(self.oldest)),
            ("stalled", length(self.stalled)),
        ]
    }
}

impl Stillness {
    fn facts(&self) -> Facts {
        vec![
            ("sockets", count(self.sockets)),
            ("bytes", count(self.bytes)),
            ("peer", Fact::Endpoint(self.peer)),
            ("longest", Fact::Length(self.longest)),
        ]
    }
}

impl Deadlock {
    fn facts(&self) -> Facts {
        let name = |process: &Arc<Process>| Fact::Text(process.name.clone());
        let (local, remote) = self.ends;
        vec![
            ("other", self.other.as_ref().map_or(Fact::Unknown, name)),
            (
                "other_pid",
                count_if_known(self.other.as_ref().map(|process| process.pid)),
            ),
            ("connections", count(self.connections)),
            ("unread", count(self.unread)),
            ("other_unread", count(self.other_unread)),
            ("local", Fact::Endpoint(local)),
            ("remote", Fact::Endpoint(remote)),
            ("longest", Fact::Length(self.longest)),
        ]
    }
}

impl SelfConnection {
    fn facts(&self) -> Facts {
        vec![
            ("socket", Fact::Endpoint(self.end)),
            ("port", Fact::Port(self.end.port)),
            ("lasts", length(self.lasts, self.at_least)),
        ]
    }
}

impl Unacknowledged {
    fn facts(&self) -> Facts {
        vec![
            ("peer", Fact::Endpoint(self.peer)),
            ("port", self.port.map_or(Fact::Unknown, Fact::Port)),
            ("destinations", count(self.destinations)),
            ("sockets", count(self.sockets)),
            ("bytes", count(self.bytes)),
            ("longest", Fact::Length(self.longest)),
            ("retransmissions", count(self.tries)),
            ("uid", count_if_known(self.user)),
        ]
    }
}

impl UdpDrops {
    fn facts(&self) -> Facts {
        vec![
            ("socket", Fact::Endpoint(self.socket)),
            ("dropped", count(self.dropped)),
            ("window", Fact::Length(self.window)),
            ("total", count(self.total)),
            ("receive_buffer", count_if_known(self.receive_buffer)),
        ]
    }
}

impl PortUse {
    fn facts(&self) -> Facts {
        let mut facts = vec![("from", Fact::Host(self.from))];
        facts.extend(self.to.map(|to| ("to", Fact::Endpoint(to))));
        facts.extend([
            ("used", count(self.used)),
            ("room", count(self.room)),
            ("percent", Fact::Share(self.used.into(), self.room.into())),
        ]);
        facts
    }
}
