//! A finding: its rule, severity, affected process and evidence ([`Evidence`]).
//!
//! The messages are in the assets; `explain` joins the two.

use super::endpoint::Endpoint;
use super::evidence::{Evidence, RowSelector};
use super::owner::NoOwnerReason;
use super::process::Process;
use super::row::{Phase, Row};
use super::time::Timestamp;
use super::unit::Unit;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Information.
    Info,
    /// Warning: needs attention.
    Warning,
    /// Alarm: needs action.
    Critical,
}

impl Severity {
    /// The word in reports and assets.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warn",
            Self::Critical => "alarm",
        }
    }

    /// The severity with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Info, Self::Warning, Self::Critical];
        all.into_iter().find(|severity| severity.word() == word)
    }
}

/// The built-in rules, and that of user rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// One process tries many hosts or ports and most do not answer.
    OutboundScan,
    /// A few destinations do not answer.
    DeadDestination,
    /// IPv6 connects fail although IPv4 ones succeed.
    Ipv6Silent,
    /// Many hosts on many ports fail: looks like peer-to-peer traffic.
    PeerToPeer,
    /// Several processes fail and nothing succeeds.
    NetworkDown,
    /// A program accepts no connection although some wait.
    NotAccepting,
    /// A program accepts too slowly.
    AcceptQueue,
    /// `TIME_WAIT` reaches its limit.
    TimeWaitLimit,
    /// Connections without a program reach their limit.
    Orphans,
    /// More connections are half open than the queue has room for.
    SynFlood,
    /// A program does not close connections that its peers have closed.
    CloseWait,
    /// A program keeps half-closed connections that receive nothing.
    FinWait2,
    /// Data is retransmitted and not acknowledged.
    Unacknowledged,
    /// Two programs of this machine wait for each other to read.
    Deadlock,
    /// A socket is connected to itself.
    SelfConnection,
    /// A peer does not read.
    PeerNotReading,
    /// A program does not read.
    ProgramNotReading,
    /// A UDP socket drops datagrams.
    UdpDrops,
    /// Most connection attempts fail at once.
    FailedConnects,
    /// The local ports to one destination run out.
    LocalPorts,
    /// A program with a suspicious name or path.
    SuspiciousProgram,
    /// A listener that was not there before.
    NewListener,
    /// A listening socket of a user that no process holds.
    UnownedListener,
    /// Nothing listens where the baseline expects a listener.
    MissingListener,
    /// A user rule.
    UserRule,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 25] = [
        Self::OutboundScan,
        Self::DeadDestination,
        Self::Ipv6Silent,
        Self::PeerToPeer,
        Self::NetworkDown,
        Self::NotAccepting,
        Self::AcceptQueue,
        Self::TimeWaitLimit,
        Self::Orphans,
        Self::SynFlood,
        Self::CloseWait,
        Self::FinWait2,
        Self::Unacknowledged,
        Self::Deadlock,
        Self::SelfConnection,
        Self::PeerNotReading,
        Self::ProgramNotReading,
        Self::UdpDrops,
        Self::FailedConnects,
        Self::LocalPorts,
        Self::SuspiciousProgram,
        Self::NewListener,
        Self::UnownedListener,
        Self::MissingListener,
        Self::UserRule,
    ];

    /// The key in reports and assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::OutboundScan => "outbound_scan",
            Self::DeadDestination => "dead_destination",
            Self::Ipv6Silent => "ipv6_silent",
            Self::PeerToPeer => "peer_to_peer",
            Self::NetworkDown => "network_down",
            Self::NotAccepting => "not_accepting",
            Self::AcceptQueue => "accept_queue",
            Self::TimeWaitLimit => "time_wait_heap",
            Self::Orphans => "orphans",
            Self::SynFlood => "syn_flood",
            Self::CloseWait => "close_wait",
            Self::FinWait2 => "fin_wait_2",
            Self::Unacknowledged => "unacknowledged",
            Self::Deadlock => "deadlock",
            Self::SelfConnection => "self_connection",
            Self::PeerNotReading => "peer_not_reading",
            Self::ProgramNotReading => "program_not_reading",
            Self::UdpDrops => "udp_drops",
            Self::FailedConnects => "failed_connects",
            Self::LocalPorts => "local_ports",
            Self::SuspiciousProgram => "odd_program",
            Self::NewListener => "new_listener",
            Self::UnownedListener => "unheld_listener",
            Self::MissingListener => "missing_listener",
            Self::UserRule => "user_rule",
        }
    }

    /// The rule with this key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.key() == key)
    }
}

/// A rule that is inactive because an input is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InactiveRule {
    /// The rule.
    pub rule: Rule,
    /// The missing input.
    pub missing: MissingInput,
}

/// Input that a rule needs and the source does not provide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingInput {
    /// Backlog of listeners, which `/proc` does not report.
    Backlog,
    /// The kernel's counters and gauges (`/proc/net/netstat` and others).
    Counters,
    /// A setting, such as one of the whole machine that only the initial network
    /// namespace shows.
    Settings,
    /// `TCP_INFO` of single connections, which `/proc` does not report.
    TcpInfo,
    /// The descriptors of every process of the machine.
    Owners,
}

impl MissingInput {
    /// Every missing input.
    pub const ALL: [Self; 5] = [
        Self::Backlog,
        Self::Counters,
        Self::Settings,
        Self::TcpInfo,
        Self::Owners,
    ];

    /// The word in reports and on screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Counters => "counters",
            Self::Settings => "settings",
            Self::TcpInfo => "tcp_info",
            Self::Owners => "owners",
        }
    }
}

/// Holder of the sockets of a finding, beyond its one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingHolder {
    /// Facts about a holder whose process is hidden.
    pub unknown: Option<UnknownHolder>,
    /// The unit that opened all of the sockets, where no process is known to hold
    /// them.
    pub opener: Option<Arc<Unit>>,
    /// Further processes of the same program: workers that share the trouble.
    pub workers: Vec<Arc<Process>>,
}

/// Holder of sockets that no known process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownHolder {
    /// Reason why it is unknown.
    pub reason: NoOwnerReason,
    /// User id of the sockets, if the kernel reports it.
    pub uid: Option<u32>,
    /// Network namespace of the sockets.
    pub namespace: u32,
    /// Local port of the sockets; none if each has a port of its own.
    pub port: Option<u16>,
}

impl UnknownHolder {
    /// The holder of a row that no process is known to hold.
    #[must_use]
    pub fn from_row(row: &Row) -> Option<Self> {
        Some(Self {
            reason: row.no_owner_reason?,
            uid: row.socket.known_uid(),
            namespace: row.socket.namespace,
            port: Some(row.socket.local.port),
        })
    }

    /// Returns the selector, narrowed to this holder.
    fn narrow_selector(self, lead: RowSelector) -> RowSelector {
        let any = |port| Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
        RowSelector {
            local: lead.local.or(self.port.map(any)),
            uid: self.uid,
            ..lead
        }
    }
}

/// An active finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its severity.
    pub severity: Severity,
    /// Time at which it was first found.
    pub since: Timestamp,
    /// Time since which its signs have been too weak to raise it: unless they
    /// come back, it will be cleared.
    pub clearing_since: Option<Timestamp>,
    /// Process that owns the sockets; none if it is not about one process.
    pub process: Option<Arc<Process>>,
    /// Further facts about the holder.
    pub holder: FindingHolder,
    /// Its evidence, which also determines the rule.
    pub evidence: Evidence,
}

impl Finding {
    /// Returns a selector for the rows it is about. They must also belong to its
    /// process, unless [`RowSelector::include_unowned`] is set.
    #[must_use]
    pub fn row_selector(&self) -> RowSelector {
        let lead = self.evidence.row_selector();
        match (&self.process, self.holder.unknown) {
            (None, Some(unseen)) if !lead.include_unowned => unseen.narrow_selector(lead),
            _ => lead,
        }
    }

    /// Returns the processes whose sockets it is about.
    pub fn processes(&self) -> impl Iterator<Item = &Arc<Process>> {
        let workers = self.holder.workers.iter();
        let other = match &self.evidence {
            Evidence::Deadlock(pairs) => pairs.other_process.as_ref(),
            _ => None,
        };
        self.process.iter().chain(workers).chain(other)
    }

    /// True if it describes the same listener in more detail than another
    /// finding.
    #[must_use]
    pub fn supersedes(&self, other: &Self) -> bool {
        match (&self.evidence, &other.evidence) {
            (Evidence::NotAccepting(stall), Evidence::AcceptQueue { listener, .. }) => {
                stall.listener == *listener && self.has_common_holder(other)
            }
            _ => false,
        }
    }

    fn has_common_holder(&self, other: &Self) -> bool {
        let all = |finding: &Self| {
            let workers = finding.holder.workers.iter();
            let pids = finding.process.iter().chain(workers);
            pids.map(|process| process.pid).collect::<Vec<_>>()
        };
        let (own, others) = (all(self), all(other));
        // A queue names its first holder, a stall the process that accepts.
        own.is_empty() || others.is_empty() || others.iter().any(|pid| own.contains(pid))
    }

    /// True if the finding is about a row. `pids` are those of the row's owners.
    pub fn is_about(&self, row: &Row, mut pids: impl Iterator<Item = u32>) -> bool {
        let mut own = || pids.any(|pid| self.processes().any(|process| process.pid == pid));
        let lead = self.row_selector();
        row.phase != Phase::Closed
            && lead.matches(&row.socket)
            && (lead.include_unowned || self.process.is_none() || own())
    }
}
