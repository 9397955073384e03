//! The addresses of a network namespace, as far as its sockets depend on them.

use super::endpoint::Endpoint;
use super::text::Text;
use std::net::IpAddr;

/// The addresses of one network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceAddresses {
    /// Inode number of the network namespace.
    pub namespace: u32,
    /// True if it has no address but loopback addresses.
    pub is_loopback_only: bool,
    /// Interfaces with an address that other machines can reach, by ascending
    /// index. Not all of them if there are very many.
    pub reachable_interfaces: Vec<ReachableInterface>,
    /// Addresses that its sockets are bound to and that it does not have, ascending.
    pub missing_addresses: Vec<IpAddr>,
}

/// An interface that sockets are bound to and that is gone. A new one gets
/// another index, even under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoneInterface {
    /// Inode number of the network namespace.
    pub namespace: u32,
    /// The index it had there.
    pub index: u32,
}

/// An interface that other machines can reach a network namespace over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachableInterface {
    /// Its name.
    pub name: Text,
    /// True if it has an IPv4 address.
    pub has_ipv4: bool,
    /// True if it has an IPv6 address.
    pub has_ipv6: bool,
}

/// The missing address or interface that a socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingBindTarget {
    /// An address that its network namespace does not have.
    Address,
    /// An interface that is gone.
    Interface,
}

impl MissingBindTarget {
    /// The word in reports.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Interface => "interface",
        }
    }
}

/// Connections that NAT redirects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatForwarding {
    /// Their real target.
    pub target: Endpoint,
    /// Number of them.
    pub connections: u32,
}
