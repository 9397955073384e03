//! Evidence as named facts, from which messages and reports are made.

use super::{
    AcceptStallEvidence, CloseWaitEvidence, DeadlockEvidence, Evidence, FailingProcess,
    FinWait2Evidence, LocalPortsEvidence, ProgramAnomaly, ScanEvidence, ScanKind,
    SelfConnectionEvidence, StalledQueueEvidence, SuspiciousProgramsEvidence, SynFloodEvidence,
    UdpDropsEvidence, UnacknowledgedEvidence,
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
    Ratio(u64, u64),
    /// A duration.
    Duration(Duration),
    /// Lower bound of a duration.
    MinDuration(Duration),
    /// A port.
    Port(u16),
    /// A user id.
    Uid(u32),
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
pub type EvidenceFacts = Vec<(&'static str, Fact)>;

fn count(number: impl Into<u64>) -> Fact {
    Fact::Count(number.into())
}

fn count_if_known(number: Option<impl Into<u64>>) -> Fact {
    number.map_or(Fact::Unknown, count)
}

impl Evidence {
    /// Returns all facts of the evidence.
    #[must_use]
    pub fn facts(&self) -> EvidenceFacts {
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
                ("percent", Fact::Ratio((*failed).into(), (*contacts).into())),
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
            Self::TimeWaitLimit {
                count: present,
                limit: most,
                overflows,
            } => time_wait_facts(*present, *most, *overflows),
            Self::Orphans {
                orphans,
                limit: most,
            } => vec![
                ("orphans", count(*orphans)),
                ("most", count(*most)),
                ("percent", Fact::Ratio((*orphans).into(), (*most).into())),
            ],
            Self::SynFlood(half_open) => half_open.facts(),
            Self::FailedConnects {
                failed,
                attempted: tried,
                window,
                process: whose,
            } => failed_connects_facts(*failed, *tried, *window, whose.as_ref()),
            Self::LocalPorts(ports) => ports.facts(),
            Self::UdpDrops(drops) => drops.facts(),
            Self::SuspiciousProgram {
                anomaly: oddity,
                program,
            } => suspicious_program_facts(oddity, program),
            Self::NewListener {
                listener, program, ..
            } => vec![
                ("listener", Fact::Endpoint(*listener)),
                ("program", program.clone().map_or(Fact::Unknown, Fact::Text)),
            ],
            Self::SuspiciousPrograms(programs) => programs.facts(),
            Self::UnownedListener { listener, uid } => vec![
                ("listener", Fact::Endpoint(*listener)),
                ("uid", Fact::Uid(*uid)),
            ],
            Self::Unacknowledged(silent) => silent.facts(),
            Self::FinWait2(half_closed) => half_closed.facts(),
            Self::Deadlock(pairs) => pairs.facts(),
            Self::SelfConnection(itself) => itself.facts(),
            Self::PeerNotReading(still)
            | Self::PeerNotReadingOrphans(still)
            | Self::ProgramNotReading(still) => still.facts(),
            Self::CloseWait(leak) => leak.facts(),
            Self::NotInBaseline(listener) | Self::MissingListener(listener) => listener.facts(),
            Self::UserRule(tripped) => tripped.facts(),
        }
    }
}

impl SuspiciousProgramsEvidence {
    fn facts(&self) -> EvidenceFacts {
        vec![
            ("count", count(self.count)),
            ("uid", self.uid.map_or(Fact::Unknown, Fact::Uid)),
            (
                "folder",
                self.folder.clone().map_or(Fact::Unknown, Fact::Text),
            ),
            ("oddity", Fact::Text(Text::from(self.anomaly))),
            ("names", Fact::Texts(self.names.clone())),
        ]
    }
}

fn suspicious_program_facts(oddity: &ProgramAnomaly, program: &Text) -> EvidenceFacts {
    let mut facts = vec![("program", Fact::Text(program.clone()))];
    if let ProgramAnomaly::SimilarName(known) = oddity {
        facts.push(("known", Fact::Text(known.clone())));
    }
    facts
}

fn failed_connects_facts(
    failed: u32,
    tried: u32,
    window: Duration,
    whose: Option<&FailingProcess>,
) -> EvidenceFacts {
    let mut facts = vec![
        ("failed", count(failed)),
        ("tried", count(tried)),
        ("percent", Fact::Ratio(failed.into(), tried.into())),
        ("window", Fact::Duration(window)),
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

fn time_wait_facts(present: u32, most: u32, overflows: u64) -> EvidenceFacts {
    vec![
        ("count", count(present)),
        ("most", count(most)),
        ("percent", Fact::Ratio(present.into(), most.into())),
        ("overflows", count(overflows)),
    ]
}

impl Listener {
    fn facts(&self) -> EvidenceFacts {
        let program = self.program.path().cloned();
        vec![
            ("listener", Fact::Endpoint(self.endpoint())),
            ("protocol", Fact::Text(Text::from(self.protocol.word()))),
            ("program", program.map_or(Fact::Unknown, Fact::Text)),
            ("uid", self.uid.map_or(Fact::Unknown, Fact::Uid)),
        ]
    }
}

impl SynFloodEvidence {
    fn facts(&self) -> EvidenceFacts {
        let listener = self.listener.map_or(Fact::Unknown, Fact::Endpoint);
        let returned = self.cookies_sent.zip(self.cookies_returned);
        vec![
            ("listener", listener),
            ("half_open", count(self.half_open)),
            ("stale", count(self.unanswered)),
            ("backlog", count_if_known(self.backlog)),
            ("sent", count_if_known(self.cookies_sent)),
            ("returned", count_if_known(self.cookies_returned)),
            (
                "percent",
                returned.map_or(Fact::Unknown, |(sent, back)| Fact::Ratio(back, sent)),
            ),
            ("dropped", count_if_known(self.dropped)),
        ]
    }
}

impl ScanEvidence {
    fn facts(&self) -> EvidenceFacts {
        let attempts = self.contacts.saturating_add(self.untracked_attempts);
        let mut facts = vec![
            ("contacts", count(self.contacts)),
            ("failed", count(self.failed)),
            ("refused", count_if_known(self.refused)),
            ("unseen", count(self.untracked_attempts)),
            ("percent", Fact::Ratio(self.failed.into(), attempts.into())),
            (
                "window",
                Fact::Duration(Duration::from_secs(self.window_s.into())),
            ),
            ("waiting", count(self.waiting)),
            ("examples", Fact::Endpoints(self.examples.clone())),
        ];
        match self.kind {
            ScanKind::Hosts { count: hosts, port } => {
                facts.extend([("count", count(hosts)), ("port", Fact::Port(port))]);
            }
            ScanKind::Ports { count: ports, host } => {
                let host = Fact::Host(host.address());
                facts.extend([("count", count(ports)), ("host", host)]);
            }
            ScanKind::Throttle { queue } => facts.push(("queue", count(queue))),
        }
        facts
    }
}

impl CloseWaitEvidence {
    fn facts(&self) -> EvidenceFacts {
        vec![
            ("count", count(self.count)),
            ("growth", count(self.growth)),
            ("window", Fact::Duration(self.window)),
            ("open", count_if_known(self.open_files)),
            ("most", count_if_known(self.open_files_limit)),
        ]
    }
}

fn duration_fact(time: Duration, at_least: bool) -> Fact {
    if at_least {
        Fact::MinDuration(time)
    } else {
        Fact::Duration(time)
    }
}

impl FinWait2Evidence {
    fn facts(&self) -> EvidenceFacts {
        vec![
            ("sockets", count(self.sockets)),
            ("shut", count(self.receive_shutdown)),
            ("peer", Fact::Endpoint(self.peer)),
            ("longest", duration_fact(self.longest, self.is_lower_bound)),
            ("idle", Fact::Duration(self.idle)),
        ]
    }
}

impl AcceptStallEvidence {
    fn facts(&self) -> EvidenceFacts {
        let length = |time| duration_fact(time, self.is_lower_bound);
        vec![
            ("listener", Fact::Endpoint(self.listener)),
            ("waiting", count(self.waiting)),
            ("backlog", count_if_known(self.backlog)),
            ("oldest", length(self.oldest)),
            ("stalled", length(self.stalled)),
        ]
    }
}

impl StalledQueueEvidence {
    fn facts(&self) -> EvidenceFacts {
        vec![
            ("sockets", count(self.sockets)),
            ("bytes", count(self.bytes)),
            ("peer", Fact::Endpoint(self.peer)),
            ("longest", Fact::Duration(self.longest)),
        ]
    }
}

impl DeadlockEvidence {
    fn facts(&self) -> EvidenceFacts {
        let name = |process: &Arc<Process>| Fact::Text(process.name.clone());
        let (local, remote) = self.ends;
        vec![
            (
                "other",
                self.other_process.as_ref().map_or(Fact::Unknown, name),
            ),
            (
                "other_pid",
                count_if_known(self.other_process.as_ref().map(|process| process.pid)),
            ),
            ("connections", count(self.connections)),
            ("unread", count(self.unread)),
            ("other_unread", count(self.other_unread)),
            ("local", Fact::Endpoint(local)),
            ("remote", Fact::Endpoint(remote)),
            ("longest", Fact::Duration(self.longest)),
        ]
    }
}

impl SelfConnectionEvidence {
    fn facts(&self) -> EvidenceFacts {
        vec![
            ("socket", Fact::Endpoint(self.endpoint)),
            ("port", Fact::Port(self.endpoint.port)),
            ("lasts", duration_fact(self.duration, self.is_lower_bound)),
        ]
    }
}

impl UnacknowledgedEvidence {
    fn facts(&self) -> EvidenceFacts {
        vec![
            ("peer", Fact::Endpoint(self.peer)),
            ("port", self.port.map_or(Fact::Unknown, Fact::Port)),
            ("destinations", count(self.destinations)),
            ("sockets", count(self.sockets)),
            ("bytes", count(self.bytes)),
            ("longest", Fact::Duration(self.longest)),
            ("retransmissions", count(self.retransmits)),
            ("uid", count_if_known(self.uid)),
        ]
    }
}

impl UdpDropsEvidence {
    fn facts(&self) -> EvidenceFacts {
        vec![
            ("socket", Fact::Endpoint(self.socket)),
            ("dropped", count(self.dropped)),
            ("window", Fact::Duration(self.window)),
            ("total", count(self.total)),
            ("receive_buffer", count_if_known(self.receive_buffer)),
        ]
    }
}

impl LocalPortsEvidence {
    fn facts(&self) -> EvidenceFacts {
        let mut facts = vec![("from", Fact::Host(self.local_address))];
        facts.extend(self.destination.map(|to| ("to", Fact::Endpoint(to))));
        facts.extend([
            ("used", count(self.used)),
            ("room", count(self.available)),
            (
                "percent",
                Fact::Ratio(self.used.into(), self.available.into()),
            ),
        ]);
        facts
    }
}
