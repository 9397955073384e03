//! Evidence of rules: typed numbers and names, from which messages, reports and
//! the affected rows are derived.

mod facts;
mod row_selector;
mod user_rule;

use super::baseline::Listener;
use super::endpoint::Endpoint;
use super::finding::{Rule, UnknownHolder};
use super::process::Process;
use super::protocol::IpFamily;
use super::text::Text;
pub use facts::{EvidenceFacts, Fact};
pub use row_selector::{QueueCondition, RowSelector};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
pub use user_rule::{UserRuleEvidence, UserRuleGroup};

/// Evidence of a rule, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// For [`Rule::OutboundScan`].
    OutboundScan(ScanEvidence),
    /// For [`Rule::DeadDestination`].
    DeadDestination {
        /// The destination that failed most often.
        destination: Endpoint,
        /// Number of destinations that do not answer.
        destinations: u32,
        /// Number of sockets that wait for them now.
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
        /// Number of processes that fail to connect.
        processes: u32,
        /// Number of first contacts that failed.
        failed: u32,
    },
    /// For [`Rule::NotAccepting`].
    NotAccepting(AcceptStallEvidence),
    /// For [`Rule::AcceptQueue`].
    AcceptQueue {
        /// Local address and port of the listener.
        listener: Endpoint,
        /// Number of connections that wait to be accepted.
        waiting: u32,
        /// Its backlog: one more than this may wait.
        backlog: u32,
        /// Connections that it dropped at its full queue in the last ten seconds, repeats
        /// of clients included, where that is known.
        dropped: Option<u64>,
        /// Number of connections that listeners of that namespace dropped in the
        /// last ten seconds, if reported.
        overflows: Option<u64>,
        /// True if the queue is full.
        full: bool,
    },
    /// For [`Rule::TimeWaitLimit`].
    TimeWaitLimit {
        /// Number of connections in `TIME_WAIT`.
        count: u32,
        /// Maximum number (`tcp_max_tw_buckets`).
        limit: u32,
        /// Number of connections that got no `TIME_WAIT` in the last minute.
        overflows: u64,
    },
    /// For [`Rule::Orphans`].
    Orphans {
        /// Number of orphans.
        orphans: u32,
        /// Maximum number (`tcp_max_orphans`).
        limit: u32,
    },
    /// For [`Rule::SynFlood`].
    SynFlood(SynFloodEvidence),
    /// For [`Rule::CloseWait`].
    CloseWait(CloseWaitEvidence),
    /// For [`Rule::FinWait2`].
    FinWait2(FinWait2Evidence),
    /// For [`Rule::Unacknowledged`].
    Unacknowledged(UnacknowledgedEvidence),
    /// For [`Rule::Deadlock`].
    Deadlock(DeadlockEvidence),
    /// For [`Rule::SelfConnection`].
    SelfConnection(SelfConnectionEvidence),
    /// For [`Rule::PeerNotReading`].
    PeerNotReading(StalledQueueEvidence),
    /// For [`Rule::PeerNotReading`], of connections that no program holds any more.
    PeerNotReadingOrphans(StalledQueueEvidence),
    /// For [`Rule::ProgramNotReading`].
    ProgramNotReading(StalledQueueEvidence),
    /// For [`Rule::UdpDrops`].
    UdpDrops(UdpDropsEvidence),
    /// For [`Rule::FailedConnects`].
    FailedConnects {
        /// Process and destinations of the failed connects, if the kernel's
        /// events report them.
        process: Option<FailingProcess>,
        /// Number of connects that failed.
        failed: u32,
        /// Number of connects that were attempted.
        attempted: u32,
        /// Time over which they were counted.
        window: Duration,
    },
    /// For [`Rule::LocalPorts`].
    LocalPorts(LocalPortsEvidence),
    /// For [`Rule::SuspiciousProgram`].
    SuspiciousProgram {
        /// The anomaly.
        anomaly: ProgramAnomaly,
        /// The program file.
        program: Text,
    },
    /// For [`Rule::SuspiciousProgram`], if a user has many of a kind.
    SuspiciousPrograms(SuspiciousProgramsEvidence),
    /// For [`Rule::NewListener`].
    NewListener {
        /// Local address and port of the listener.
        listener: Endpoint,
        /// The program file, if known.
        program: Option<Text>,
        /// True if it listens on every address of this machine.
        on_all_addresses: bool,
    },
    /// For [`Rule::UnownedListener`].
    UnownedListener {
        /// Local address and port of the listener.
        listener: Endpoint,
        /// User id of the socket.
        uid: u32,
    },
    /// For [`Rule::NewListener`], if there is a baseline.
    NotInBaseline(Listener),
    /// For [`Rule::MissingListener`].
    MissingListener(Listener),
    /// For [`Rule::UserRule`].
    UserRule(UserRuleEvidence),
}

/// Suspicious programs of one user, with the same anomaly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspiciousProgramsEvidence {
    /// The user, if known.
    pub uid: Option<u32>,
    /// Anomaly of each ([`ProgramAnomaly::key`]).
    pub anomaly: &'static str,
    /// The world-writable folder that contains them; none for another anomaly.
    pub folder: Option<Text>,
    /// Number of programs.
    pub count: u32,
    /// Names of some of them.
    pub names: Vec<Text>,
}

/// Suspicious property of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramAnomaly {
    /// Its name is one letter off this one.
    SimilarName(Text),
    /// It is named like a kernel thread.
    KernelThreadName,
    /// Its program file is in no folder at all (`memfd_create(2)`).
    InMemory,
    /// It runs from a world-writable directory.
    WorldWritableDirectory,
    /// It runs another file than that of its path here, in a file system that was
    /// made without privileges.
    DifferentFile,
    /// It runs a file of such a file system, and there is no file of that path here.
    PrivateFileSystem,
}

impl ProgramAnomaly {
    /// The key in reports.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::SimilarName(_) => "resembles",
            Self::KernelThreadName => "kernel_name",
            Self::InMemory => "in_memory",
            Self::WorldWritableDirectory => "anybodys_folder",
            Self::DifferentFile => "other_file",
            Self::PrivateFileSystem => "own_file_system",
        }
    }
}

/// The evidence of a `CLOSE_WAIT` leak.
#[derive(Clone, Debug, PartialEq)]
pub struct CloseWaitEvidence {
    /// Number of sockets that have been in that state for long.
    pub count: u32,
    /// Increase of that number.
    pub growth: u32,
    /// Time over which it grew.
    pub window: Duration,
    /// Number of files the process has open, if known.
    pub open_files: Option<u32>,
    /// Maximum number of open files of the process.
    pub open_files_limit: Option<u32>,
}

/// Evidence of half-closed connections that receive nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinWait2Evidence {
    /// Number of them.
    pub sockets: u32,
    /// Number of these whose program has shut down its receiving half, too, and
    /// can receive nothing.
    pub receive_shutdown: u32,
    /// The peer of the one that has been half-closed longest.
    pub peer: Endpoint,
    /// Time since that one was half-closed.
    pub longest: Duration,
    /// True if that is a lower bound.
    pub is_lower_bound: bool,
    /// Time since it last received data.
    pub idle: Duration,
}

/// Evidence of a program that accepts no, or hardly any, connection.
#[derive(Clone, Debug, PartialEq)]
pub struct AcceptStallEvidence {
    /// Local address and port of the listener.
    pub listener: Endpoint,
    /// Number of connections that wait to be accepted.
    pub waiting: u32,
    /// Backlog of the listener, if `sock_diag` reported it.
    pub backlog: Option<u32>,
    /// Time for which the oldest of them has waited.
    pub oldest: Duration,
    /// Time for which nothing has been accepted.
    pub stalled: Duration,
    /// True if a connection was accepted while watching.
    pub accepting: bool,
    /// True if both are lower bounds.
    pub is_lower_bound: bool,
}

impl DeadlockEvidence {
    /// True if both ends are of this process.
    #[must_use]
    pub fn is_within_one_process(&self, process: Option<&Process>) -> bool {
        self.other_process.is_some() && self.other_process.as_deref() == process
    }
}

impl AcceptStallEvidence {
    /// True if no connection was accepted for as long as the oldest has waited,
    /// or nearly. Otherwise some may have been before watching began: `accepting` is
    /// true only if one was seen.
    #[must_use]
    pub fn accepts_nothing(&self) -> bool {
        self.stalled * 2 >= self.oldest
    }
}

/// Evidence of stalled queues.
#[derive(Clone, Debug, PartialEq)]
pub struct StalledQueueEvidence {
    /// Number of sockets whose queue is stalled.
    pub sockets: u32,
    /// Number of bytes that wait in them.
    pub bytes: u64,
    /// The peer of the one with the most bytes.
    pub peer: Endpoint,
    /// Longest time for which a queue has stalled.
    pub longest: Duration,
}

/// Evidence of data that is not acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct UnacknowledgedEvidence {
    /// The peer that has been silent for longest.
    pub peer: Endpoint,
    /// The port of the listener, if the peers are its clients.
    pub port: Option<u16>,
    /// Number of silent peers.
    pub destinations: u32,
    /// Number of sockets that retransmit.
    pub sockets: u32,
    /// Number of bytes that wait in them.
    pub bytes: u64,
    /// Longest time without an acknowledgement.
    pub longest: Duration,
    /// Maximum number of retransmissions of one segment.
    pub retransmits: u32,
    /// The user of a hidden owner.
    pub uid: Option<u32>,
    /// True if a program has closed some of them, or their owner is hidden.
    pub include_unowned: bool,
}

/// Evidence of two programs of this machine that wait for each other.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadlockEvidence {
    /// The second process, beside that of the finding; it may be the same one.
    pub other_process: Option<Arc<Process>>,
    /// Facts about the second holder, if its process is hidden.
    pub other_holder: Option<UnknownHolder>,
    /// Number of connections between the two on which neither reads.
    pub connections: u32,
    /// Number of unread bytes at the first process.
    pub unread: u64,
    /// Number of unread bytes at the second process.
    pub other_unread: u64,
    /// Ends of one of them, that of the first before that of the second.
    pub ends: (Endpoint, Endpoint),
    /// Longest time for which one of the connections has stalled.
    pub longest: Duration,
}

/// Evidence of a socket that is connected to itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfConnectionEvidence {
    /// Both of its ends.
    pub endpoint: Endpoint,
    /// Age of the connection.
    pub duration: Duration,
    /// True if that is a lower bound.
    pub is_lower_bound: bool,
}

/// Evidence of datagrams that a socket drops.
#[derive(Clone, Debug, PartialEq)]
pub struct UdpDropsEvidence {
    /// Local end of the socket.
    pub socket: Endpoint,
    /// Number of datagrams dropped within the window.
    pub dropped: u32,
    /// Length of the window.
    pub window: Duration,
    /// Number of datagrams dropped since the socket was opened.
    pub total: u32,
    /// Limit of its receive buffer in bytes, if known.
    pub receive_buffer: Option<u32>,
}

/// Evidence of local ports that run out.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalPortsEvidence {
    /// The address on this machine.
    pub local_address: IpAddr,
    /// The destination; none if every destination counts, as for ports that are
    /// bound before the connection is made.
    pub destination: Option<Endpoint>,
    /// Number of ports in use for it.
    pub used: u32,
    /// Number of ports available.
    pub available: u32,
}

/// Evidence of a SYN flood, or of too small a backlog. Counts are those of the
/// last ten seconds, of the whole network namespace; none if the kernel does not
/// report them.
#[derive(Clone, Debug, PartialEq)]
pub struct SynFloodEvidence {
    /// The listener with most half-open connections.
    pub listener: Option<Endpoint>,
    /// Number of half-open connections it has.
    pub half_open: u32,
    /// Number of these that have long exceeded a round trip without an answer.
    pub unanswered: u32,
    /// Its backlog, if `sock_diag` reported it.
    pub backlog: Option<u32>,
    /// SYN cookies sent.
    pub cookies_sent: Option<u64>,
    /// Number of these that came back.
    pub cookies_returned: Option<u64>,
    /// SYNs dropped because the queue was full.
    pub dropped: Option<u64>,
}

/// Process and destinations of failed connects.
#[derive(Clone, Debug, PartialEq)]
pub struct FailingProcess {
    /// Number of failed connects of the finding's process.
    pub failed: u32,
    /// Number of these that were refused at once; the others got no answer.
    pub refused: u32,
    /// Destinations, by number of failures, at most five.
    pub destinations: Vec<Endpoint>,
}

/// Evidence of an outbound scan.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanEvidence {
    /// Kind of the scan.
    pub kind: ScanKind,
    /// First contacts within the window.
    pub contacts: u32,
    /// Number of these that failed.
    pub failed: u32,
    /// Number of the failed contacts that were refused; none if not reported. The
    /// others got no answer.
    pub refused: Option<u32>,
    /// Attempts that began and ended between two tables, counted as answered.
    pub untracked_attempts: u32,
    /// Length of the window, seconds.
    pub window_s: u32,
    /// The random walk's likelihood ratio at present.
    pub likelihood_ratio: f64,
    /// Sockets of that process in `SYN_SENT` now.
    pub waiting: u32,
    /// A few of the destinations that failed.
    pub examples: Vec<Endpoint>,
    /// The family of most of them.
    pub family: IpFamily,
}

/// Kind of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanKind {
    /// Many hosts on one port.
    Hosts {
        /// Number of hosts that failed.
        count: u32,
        /// The port.
        port: u16,
    },
    /// Many ports of one host.
    Ports {
        /// Number of ports that failed.
        count: u32,
        /// The host, port 0.
        host: Endpoint,
    },
    /// New destinations at a rate above that of interactive use.
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
            Self::NotAccepting(_) => Rule::NotAccepting,
            Self::AcceptQueue { .. } => Rule::AcceptQueue,
            Self::TimeWaitLimit { .. } => Rule::TimeWaitLimit,
            Self::Orphans { .. } => Rule::Orphans,
            Self::SynFlood(_) => Rule::SynFlood,
            Self::CloseWait(_) => Rule::CloseWait,
            Self::FinWait2(_) => Rule::FinWait2,
            Self::Unacknowledged(_) => Rule::Unacknowledged,
            Self::Deadlock(_) => Rule::Deadlock,
            Self::SelfConnection(_) => Rule::SelfConnection,
            Self::PeerNotReading(_) | Self::PeerNotReadingOrphans(_) => Rule::PeerNotReading,
            Self::ProgramNotReading(_) => Rule::ProgramNotReading,
            Self::UdpDrops(_) => Rule::UdpDrops,
            Self::FailedConnects { .. } => Rule::FailedConnects,
            Self::LocalPorts(_) => Rule::LocalPorts,
            Self::SuspiciousProgram { .. } | Self::SuspiciousPrograms(_) => Rule::SuspiciousProgram,
            Self::NewListener { .. } | Self::NotInBaseline(_) => Rule::NewListener,
            Self::UnownedListener { .. } => Rule::UnownedListener,
            Self::MissingListener(_) => Rule::MissingListener,
            Self::UserRule(_) => Rule::UserRule,
        }
    }

    /// Number of affected sockets, if that is the size of the finding.
    #[must_use]
    pub fn size(&self) -> u32 {
        match self {
            Self::OutboundScan(scan) => scan.failed,
            Self::DeadDestination { waiting, .. } | Self::AcceptQueue { waiting, .. } => *waiting,
            Self::NotAccepting(stall) => stall.waiting,
            Self::CloseWait(leak) => leak.count,
            Self::UdpDrops(drops) => drops.dropped,
            Self::SuspiciousPrograms(programs) => programs.count,
            Self::Deadlock(pairs) => pairs.connections,
            Self::FinWait2(half_closed) => half_closed.sockets,
            Self::PeerNotReading(still)
            | Self::PeerNotReadingOrphans(still)
            | Self::ProgramNotReading(still) => still.sockets,
            _ => 0,
        }
    }

    /// Clears counts of the present once the rule's signs have gone.
    pub fn clear_current_counts(&mut self) {
        match self {
            Self::OutboundScan(scan) => scan.waiting = 0,
            Self::DeadDestination { waiting, .. } | Self::AcceptQueue { waiting, .. } => {
                *waiting = 0;
            }
            Self::NotAccepting(stall) => stall.waiting = 0,
            Self::SynFlood(evidence) => (evidence.half_open, evidence.unanswered) = (0, 0),
            _ => {}
        }
    }
}
