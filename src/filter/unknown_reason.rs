//! Reasons why it is unknown if a row matches.

use std::time::Duration;

/// The first unknown fact that a filter needs about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownReason {
    /// Only a lower bound of its age is known.
    Age {
        /// The bound.
        at_least: Duration,
        /// The value that it is compared with.
        limit: Duration,
    },
    /// The round-trip time.
    RoundTrip,
    /// A rate: it takes two readings.
    Rate,
    /// Retransmissions over its life.
    Retransmits,
    /// A listener's backlog.
    Backlog,
    /// Drops at the socket.
    Drops,
    /// The process that holds it.
    Owner,
    /// A fact about a process that holds it.
    Process,
    /// The name of its user.
    User,
    /// Its network namespace, or the name of that.
    Namespace,
    /// The interface it is bound to.
    Device,
    /// Acceptance of IPv4, too.
    Ipv4,
    /// The range of ports that the kernel chooses from.
    PortRange,
}

impl UnknownReason {
    /// The key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Age { .. } => "age",
            Self::RoundTrip => "rtt",
            Self::Rate => "rate",
            Self::Retransmits => "retrans",
            Self::Backlog => "backlog",
            Self::Drops => "drops",
            Self::Owner => "owner",
            Self::Process => "process",
            Self::User => "user",
            Self::Namespace => "netns",
            Self::Device => "dev",
            Self::Ipv4 => "ipv4",
            Self::PortRange => "port_range",
        }
    }

    /// True if the fact becomes known by watching for longer.
    #[must_use]
    pub fn resolves_with_time(self) -> bool {
        matches!(self, Self::Age { .. } | Self::Rate)
    }
}
