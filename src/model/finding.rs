//! A trouble that was recognised: a rule, how much it matters, whose it is, and
//! what was seen ([`Evidence`]).
//!
//! The words for it stand in the assets; `explain` joins the two.

use super::evidence::{Evidence, Lead};
use super::process::Process;
use super::row::{Phase, Row};
use super::time::Stamp;
use std::sync::Arc;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warn,
    /// Act.
    Alarm,
}

impl Severity {
    /// The word in reports and assets.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Alarm => "alarm",
        }
    }

    /// The severity with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Info, Self::Warn, Self::Alarm];
        all.into_iter().find(|severity| severity.word() == word)
    }
}

/// The rules there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// One process tries many hosts or ports and most do not answer.
    OutboundScan,
    /// A few destinations do not answer.
    DeadDestination,
    /// IPv6 connects fail where IPv4 ones succeed.
    Ipv6Silent,
    /// Many hosts on many ports fail: looks like peer-to-peer traffic.
    PeerToPeer,
    /// Several processes fail and nothing succeeds.
    NetworkDown,
    /// A program accepts too slowly.
    AcceptQueue,
    /// `TIME_WAIT` reaches its limit.
    TimeWaitHeap,
    /// Connections without a program reach their limit.
    Orphans,
    /// More connections are half opened than there is room for.
    SynFlood,
    /// A program does not close what its peers have closed.
    CloseWait,
    /// Data is sent again and nothing acknowledges it.
    Unacknowledged,
    /// A peer does not read.
    PeerNotReading,
    /// A program does not read.
    ProgramNotReading,
    /// Most connections that are tried fail at once.
    FailedConnects,
    /// The local ports to one destination run out.
    LocalPorts,
    /// A program with an odd name or place.
    OddProgram,
    /// Somebody listens who did not before.
    NewListener,
    /// Nobody listens where the baseline says that somebody does.
    MissingListener,
    /// A rule that a person wrote.
    UserRule,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 19] = [
        Self::OutboundScan,
        Self::DeadDestination,
        Self::Ipv6Silent,
        Self::PeerToPeer,
        Self::NetworkDown,
        Self::AcceptQueue,
        Self::TimeWaitHeap,
        Self::Orphans,
        Self::SynFlood,
        Self::CloseWait,
        Self::Unacknowledged,
        Self::PeerNotReading,
        Self::ProgramNotReading,
        Self::FailedConnects,
        Self::LocalPorts,
        Self::OddProgram,
        Self::NewListener,
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
            Self::AcceptQueue => "accept_queue",
            Self::TimeWaitHeap => "time_wait_heap",
            Self::Orphans => "orphans",
            Self::SynFlood => "syn_flood",
            Self::CloseWait => "close_wait",
            Self::Unacknowledged => "unacknowledged",
            Self::PeerNotReading => "peer_not_reading",
            Self::ProgramNotReading => "program_not_reading",
            Self::FailedConnects => "failed_connects",
            Self::LocalPorts => "local_ports",
            Self::OddProgram => "odd_program",
            Self::NewListener => "new_listener",
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

/// A rule that says nothing here, for want of what it judges by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blind {
    /// Which.
    pub rule: Rule,
    /// What it lacks.
    pub lacks: Lack,
}

/// What is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// How many connections may wait at a listener: `/proc` does not tell.
    Backlog,
    /// The kernel's counters and gauges (`/proc/net/netstat` and others).
    Counters,
    /// A setting, such as one of the whole machine that only the initial
    /// network namespace tells.
    Settings,
}

impl Lack {
    /// Every lack.
    pub const ALL: [Self; 3] = [Self::Backlog, Self::Counters, Self::Settings];

    /// The word in reports and on screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Counters => "counters",
            Self::Settings => "settings",
        }
    }
}

/// A trouble that stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// When it was first found.
    pub since: Stamp,
    /// Since when its signs have been too weak to raise it: unless they come
    /// back, it is about to fall.
    pub below_since: Option<Stamp>,
    /// Whose sockets these are; none where it is not about one process.
    pub process: Option<Arc<Process>>,
    /// What was seen. It also tells the rule.
    pub evidence: Evidence,
}

impl Finding {
    /// Which rows it is about, beside being those of its process, unless
    /// [`Lead::unheld`].
    #[must_use]
    pub fn lead(&self) -> Lead {
        self.evidence.lead()
    }

    /// Whether a row is one of those it is about. `pids` are its owners'.
    pub fn is_about(&self, row: &Row, mut pids: impl Iterator<Item = u32>) -> bool {
        let own = |process: &Arc<Process>| pids.any(|pid| pid == process.pid);
        let lead = self.lead();
        row.phase != Phase::Closed
            && lead.fits(&row.socket)
            && (lead.unheld || self.process.as_ref().is_none_or(own))
    }
}
