//! A trouble that was recognised: a rule and its typed evidence.
//!
//! The words for it stand in the assets; `explain` joins the two.

use super::endpoint::Endpoint;
use super::process::Process;
use super::protocol::Family;
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
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 5] = [
        Self::OutboundScan,
        Self::DeadDestination,
        Self::Ipv6Silent,
        Self::PeerToPeer,
        Self::NetworkDown,
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
    /// Whose sockets these are; none where it is not about one process.
    pub process: Option<Arc<Process>>,
    /// What was seen. It also tells the rule.
    pub evidence: Evidence,
}

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
        }
    }
}
