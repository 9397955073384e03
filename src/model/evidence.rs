//! What a rule saw: typed numbers and names, from which words, reports and the
//! rows in question all follow.

mod facts;
mod lead;
mod tripped;

use super::baseline::Listener;
use super::endpoint::Endpoint;
use super::finding::{Rule, UnseenHolder};
use super::process::Process;
use super::protocol::Family;
use super::text::Text;
pub use facts::{Fact, Facts};
pub use lead::{Lead, Waits};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
pub use tripped::{Group, Tripped};

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
    /// For [`Rule::NotAccepting`].
    NotAccepting(AcceptStall),
    /// For [`Rule::AcceptQueue`].
    AcceptQueue {
        /// Local address and port of the listener.
        listener: Endpoint,
        /// Number of connections that wait to be accepted.
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
        /// Number of them.
        count: u32,
        /// How many there may be.
        most: u32,
        /// How many got none in the last minute.
        overflows: u64,
    },
    /// For [`Rule::Orphans`].
    Orphans {
        /// Number of them.
        orphans: u32,
        /// How many there may be.
        most: u32,
    },
    /// For [`Rule::SynFlood`].
    SynFlood(HalfOpen),
    /// For [`Rule::CloseWait`].
    CloseWait(Leak),
    /// For [`Rule::FinWait2`].
    FinWait2(HalfClosed),
    /// For [`Rule::Unacknowledged`].
    Unacknowledged(Unacknowledged),
    /// For [`Rule::Deadlock`].
    Deadlock(Deadlock),
    /// For [`Rule::SelfConnection`].
    SelfConnection(SelfConnection),
    /// For [`Rule::PeerNotReading`].
    PeerNotReading(Stillness),
    /// For [`Rule::PeerNotReading`], of connections that no program holds any more.
    OrphansNotRead(Stillness),
    /// For [`Rule::ProgramNotReading`].
    ProgramNotReading(Stillness),
    /// For [`Rule::UdpDrops`].
    UdpDrops(UdpDrops),
    /// For [`Rule::FailedConnects`].
    FailedConnects {
        /// Whose they were and where to, where the kernel's events tell it.
        whose: Option<Failing>,
        /// How many failed.
        failed: u32,
        /// How many were tried.
        tried: u32,
        /// Within what time.
        window: Duration,
    },
    /// For [`Rule::LocalPorts`].
    LocalPorts(PortUse),
    /// For [`Rule::OddProgram`].
    OddProgram {
        /// What is odd.
        oddity: Oddity,
        /// The program file.
        program: Text,
    },
    /// For [`Rule::OddProgram`], where a user has many of a kind.
    OddPrograms(OddPrograms),
    /// For [`Rule::NewListener`].
    NewListener {
        /// Local address and port of the listener.
        listener: Endpoint,
        /// The program file, where it is known.
        program: Option<Text>,
        /// Whether every address of this machine is listened on.
        open_to_all: bool,
    },
    /// For [`Rule::UnheldListener`].
    UnheldListener {
        /// Local address and port of the listener.
        listener: Endpoint,
        /// User id of the socket.
        uid: u32,
    },
    /// For [`Rule::NewListener`], where there is a baseline.
    Unlisted(Listener),
    /// For [`Rule::MissingListener`].
    Missing(Listener),
    /// For [`Rule::UserRule`].
    UserRule(Tripped),
}

/// Odd programs of one user, of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddPrograms {
    /// The user, where that is known.
    pub uid: Option<u32>,
    /// What is odd about each ([`Oddity::key`]).
    pub oddity: &'static str,
    /// The folder of everybody's below which they are; none where something else is
    /// odd about them.
    pub folder: Option<Text>,
    /// How many there are.
    pub count: u32,
    /// Names of some.
    pub names: Vec<Text>,
}

/// What is odd about a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// Its name is one letter off this one.
    Resembles(Text),
    /// It calls itself as a thread of the kernel.
    KernelName,
    /// Its program file is in no folder at all (`memfd_create(2)`).
    InMemory,
    /// It runs from a folder in which anybody may put a file.
    AnybodysFolder,
    /// It runs another file than that of its path here, in a file system that was
    /// made without privileges.
    OtherFile,
    /// The same, and there is no file of that path here.
    OwnFileSystem,
}

impl Oddity {
    /// The key in reports.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Resembles(_) => "resembles",
            Self::KernelName => "kernel_name",
            Self::InMemory => "in_memory",
            Self::AnybodysFolder => "anybodys_folder",
            Self::OtherFile => "other_file",
            Self::OwnFileSystem => "own_file_system",
        }
    }
}

/// The evidence of a `CLOSE_WAIT` leak.
#[derive(Clone, Debug, PartialEq)]
pub struct Leak {
    /// How many sockets have been in that state for long.
    pub count: u32,
    /// How many more than there were.
    pub growth: u32,
    /// Within what time.
    pub window: Duration,
    /// How many files the process has open, where that is known.
    pub open: Option<u32>,
    /// How many it may have open.
    pub most: Option<u32>,
}

/// Evidence of half-closed connections on which nothing comes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HalfClosed {
    /// Number of them.
    pub sockets: u32,
    /// Of these, number of those whose program has shut down its receiving half,
    /// too, and can receive nothing.
    pub shut: u32,
    /// The peer of the one that has been half-closed longest.
    pub peer: Endpoint,
    /// For how long that one has been.
    pub longest: Duration,
    /// True if that is a lower bound.
    pub at_least: bool,
    /// Time since it last received data.
    pub idle: Duration,
}

/// Evidence of a program that accepts nothing, or hardly anything.
#[derive(Clone, Debug, PartialEq)]
pub struct AcceptStall {
    /// Local address and port of the listener.
    pub listener: Endpoint,
    /// Number of connections that wait to be accepted.
    pub waiting: u32,
    /// Backlog of the listener, where `sock_diag` told it.
    pub backlog: Option<u32>,
    /// Time for which the oldest of them has waited.
    pub oldest: Duration,
    /// Time for which nothing has been accepted.
    pub stalled: Duration,
    /// True if both are lower bounds.
    pub at_least: bool,
}

impl Deadlock {
    /// True if both ends are of this process.
    #[must_use]
    pub fn is_of_one_process(&self, process: Option<&Process>) -> bool {
        self.other.is_some() && self.other.as_deref() == process
    }
}

impl AcceptStall {
    /// True if none was accepted for as long as the oldest has waited, or nearly.
    #[must_use]
    pub fn accepts_nothing(&self) -> bool {
        self.stalled * 2 >= self.oldest
    }
}

/// The evidence of queues that stand still.
#[derive(Clone, Debug, PartialEq)]
pub struct Stillness {
    /// How many sockets stand still.
    pub sockets: u32,
    /// Number of bytes that wait in them.
    pub bytes: u64,
    /// The peer of the one with most.
    pub peer: Endpoint,
    /// For how long the longest has stood still.
    pub longest: Duration,
}

/// The evidence of data that nothing acknowledges.
#[derive(Clone, Debug, PartialEq)]
pub struct Unacknowledged {
    /// The peer that has been silent for longest.
    pub peer: Endpoint,
    /// The port of the listener, if the peers are clients of one here.
    pub port: Option<u16>,
    /// Number of silent peers.
    pub destinations: u32,
    /// Number of sockets that retransmit.
    pub sockets: u32,
    /// Number of bytes that wait in them.
    pub bytes: u64,
    /// For how long the longest has had no answer.
    pub longest: Duration,
    /// The highest count of retransmissions of one segment.
    pub tries: u32,
    /// The user of a hidden owner.
    pub user: Option<u32>,
    /// True if a program has closed some of them, or their owner is hidden.
    pub unheld: bool,
}

/// The evidence of two programs of this machine that wait for each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Deadlock {
    /// The second process, beside that of the finding; it may be the same one.
    pub other: Option<Arc<Process>>,
    /// Facts about the second holder where its process is hidden.
    pub other_unseen: Option<UnseenHolder>,
    /// Number of connections between the two on which neither reads.
    pub connections: u32,
    /// Unread bytes at the first …
    pub unread: u64,
    /// … and at the second.
    pub other_unread: u64,
    /// Ends of one of them, that of the first before that of the second.
    pub ends: (Endpoint, Endpoint),
    /// Time for which nothing has moved on the one that has stood still longest.
    pub longest: Duration,
}

/// The evidence of a socket that is connected to itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfConnection {
    /// Both its ends.
    pub end: Endpoint,
    /// For how long.
    pub lasts: Duration,
    /// True if that is a lower bound.
    pub at_least: bool,
}

/// The evidence of datagrams that a socket drops.
#[derive(Clone, Debug, PartialEq)]
pub struct UdpDrops {
    /// Local end of the socket.
    pub socket: Endpoint,
    /// Number of datagrams dropped lately …
    pub dropped: u32,
    /// … within this time.
    pub window: Duration,
    /// Number of datagrams dropped since the socket was opened.
    pub total: u32,
    /// Limit of its receive buffer in bytes, where that is known.
    pub receive_buffer: Option<u32>,
}

/// The evidence of local ports that run out.
#[derive(Clone, Debug, PartialEq)]
pub struct PortUse {
    /// The address on this machine.
    pub from: IpAddr,
    /// The destination; none if every destination counts, as it does for ports that are
    /// bound before the connection is made.
    pub to: Option<Endpoint>,
    /// How many ports are taken for it.
    pub used: u32,
    /// Number of them.
    pub room: u32,
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
    /// Of these, for how many a round trip is long over: nobody has answered.
    pub stale: u32,
    /// Its backlog, where `sock_diag` told it.
    pub backlog: Option<u32>,
    /// SYN cookies sent.
    pub cookies_sent: Option<u64>,
    /// Of these, how many came back.
    pub cookies_returned: Option<u64>,
    /// SYNs dropped for want of room.
    pub dropped: Option<u64>,
}

/// Whose connects fail, and where to.
#[derive(Clone, Debug, PartialEq)]
pub struct Failing {
    /// How many of one process's failed; it is the process of the finding.
    pub failed: u32,
    /// Of these, how many were refused at once; the others got no answer.
    pub refused: u32,
    /// Where to, most first; at most five.
    pub destinations: Vec<Endpoint>,
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
    /// Of these, how many were refused; none where that is not told. The others
    /// were not answered.
    pub refused: Option<u32>,
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
            Self::NotAccepting(_) => Rule::NotAccepting,
            Self::AcceptQueue { .. } => Rule::AcceptQueue,
            Self::TimeWaitHeap { .. } => Rule::TimeWaitHeap,
            Self::Orphans { .. } => Rule::Orphans,
            Self::SynFlood(_) => Rule::SynFlood,
            Self::CloseWait(_) => Rule::CloseWait,
            Self::FinWait2(_) => Rule::FinWait2,
            Self::Unacknowledged(_) => Rule::Unacknowledged,
            Self::Deadlock(_) => Rule::Deadlock,
            Self::SelfConnection(_) => Rule::SelfConnection,
            Self::PeerNotReading(_) | Self::OrphansNotRead(_) => Rule::PeerNotReading,
            Self::ProgramNotReading(_) => Rule::ProgramNotReading,
            Self::UdpDrops(_) => Rule::UdpDrops,
            Self::FailedConnects { .. } => Rule::FailedConnects,
            Self::LocalPorts(_) => Rule::LocalPorts,
            Self::OddProgram { .. } | Self::OddPrograms(_) => Rule::OddProgram,
            Self::NewListener { .. } | Self::Unlisted(_) => Rule::NewListener,
            Self::UnheldListener { .. } => Rule::UnheldListener,
            Self::Missing(_) => Rule::MissingListener,
            Self::UserRule(_) => Rule::UserRule,
        }
    }

    /// Number of sockets that it is about, where that is its size.
    #[must_use]
    pub fn size(&self) -> u32 {
        match self {
            Self::OutboundScan(scan) => scan.failed,
            Self::DeadDestination { waiting, .. } | Self::AcceptQueue { waiting, .. } => *waiting,
            Self::NotAccepting(stall) => stall.waiting,
            Self::CloseWait(leak) => leak.count,
            Self::UdpDrops(drops) => drops.dropped,
            Self::OddPrograms(programs) => programs.count,
            Self::Deadlock(pairs) => pairs.connections,
            Self::FinWait2(half_closed) => half_closed.sockets,
            Self::PeerNotReading(still)
            | Self::OrphansNotRead(still)
            | Self::ProgramNotReading(still) => still.sockets,
            _ => 0,
        }
    }

    /// The same once its signs have gone: it must not say "now".
    pub fn no_longer_waits(&mut self) {
        match self {
            Self::OutboundScan(scan) => scan.waiting = 0,
            Self::DeadDestination { waiting, .. } | Self::AcceptQueue { waiting, .. } => {
                *waiting = 0;
            }
            Self::NotAccepting(stall) => stall.waiting = 0,
            Self::SynFlood(evidence) => (evidence.half_open, evidence.stale) = (0, 0),
            _ => {}
        }
    }
}
