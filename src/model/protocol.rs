//! Transport protocols and address families.

use std::fmt;
use std::net::IpAddr;

/// The transport of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// RFC 9293. MPTCP subflows appear as TCP too.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Protocol {
    /// The word used on screen, in filters and in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

/// The address family a socket was opened for (`AF_INET`, `AF_INET6`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpFamily {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

/// The family a socket was opened for. A byte, as [`IpFamily`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketFamily {
    /// IPv4.
    Inet,
    /// IPv6, and IPv4 with v4-mapped addresses unless `v6_only` is true.
    Inet6 {
        /// True if it accepts no IPv4 (`IPV6_V6ONLY` of ipv6(7)). Reported by
        /// `sock_diag` only, and only for sockets without a peer.
        only: Option<bool>,
    },
}

impl SocketFamily {
    /// The family.
    #[must_use]
    pub fn family(self) -> IpFamily {
        match self {
            Self::Inet => IpFamily::Inet,
            Self::Inet6 { .. } => IpFamily::Inet6,
        }
    }
}

impl From<IpFamily> for SocketFamily {
    fn from(family: IpFamily) -> Self {
        match family {
            IpFamily::Inet => Self::Inet,
            IpFamily::Inet6 => Self::Inet6 { only: None },
        }
    }
}

impl IpFamily {
    /// The family of an address.
    #[must_use]
    pub fn from_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Inet,
            IpAddr::V6(_) => Self::Inet6,
        }
    }

    /// The word reports use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Inet6 => "inet6",
        }
    }
}
