//! Ways in which a socket of this machine can reach its peer: by address
//! family, mapping and scope.

use super::rtnetlink::DeviceIndex;
use crate::model::protocol::IpFamily;
use rustix::net::AddressFamily;
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Address kind of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// IPv4 through a socket opened for IPv6 (RFC 4291, 2.5.5.2).
    Mapped,
    /// IPv6 with addresses that mean something only on one link.
    LinkLocal,
}

const PREFIX_V4: [u8; 2] = [10, 99];
const PREFIX_V6: u16 = 0xfd99;
const PREFIX_LINK: u16 = 0xfe80;

impl AddressKind {
    /// Every path.
    pub const ALL: [Self; 4] = [Self::V4, Self::V6, Self::Mapped, Self::LinkLocal];

    /// The paths of this kernel: it may have been built without IPv6.
    pub fn supported() -> impl Iterator<Item = Self> {
        let ipv6 = has_ipv6();
        let offered = move |path: &Self| ipv6 || path.family() == IpFamily::Inet;
        Self::ALL.into_iter().filter(offered)
    }

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
            Self::Mapped => "v4-mapped",
            Self::LinkLocal => "link-local",
        }
    }

    /// The family its sockets are opened for.
    #[must_use]
    pub fn family(self) -> IpFamily {
        match self {
            Self::V4 => IpFamily::Inet,
            Self::V6 | Self::Mapped | Self::LinkLocal => IpFamily::Inet6,
        }
    }

    pub(super) fn address_family(self) -> AddressFamily {
        match self.family() {
            IpFamily::Inet => AddressFamily::INET,
            IpFamily::Inet6 => AddressFamily::INET6,
        }
    }

    /// Local address, as in packets.
    #[must_use]
    pub fn local_address(self) -> IpAddr {
        self.address(1)
    }

    /// Address of a peer, as in packets. 0 is the first.
    #[must_use]
    pub fn peer_address(self, number: u16) -> IpAddr {
        self.address(number.saturating_add(2))
    }

    /// The number of the peer with an address of IPv4, if it is one's.
    pub(super) fn peer_number(address: IpAddr) -> Option<u16> {
        let IpAddr::V4(address) = address else {
            return None;
        };
        let [first, second, high, low] = address.octets();
        let host = u16::from_be_bytes([high, low]);
        let within = [first, second] == PREFIX_V4;
        host.checked_sub(2).filter(|_| within)
    }

    fn address(self, host: u16) -> IpAddr {
        let [high, low] = host.to_be_bytes();
        match self {
            Self::V4 | Self::Mapped => Ipv4Addr::new(PREFIX_V4[0], PREFIX_V4[1], high, low).into(),
            Self::V6 => Ipv6Addr::new(PREFIX_V6, 0, 0, 0, 0, 0, 0, host).into(),
            Self::LinkLocal => Ipv6Addr::new(PREFIX_LINK, 0, 0, 0, 0, 0, 0, host).into(),
        }
    }

    /// Address and prefix length to configure for this path; none if another
    /// path does it.
    pub(super) fn network(self) -> Option<(IpAddr, u8)> {
        match self {
            Self::V4 => Some((self.local_address(), 16)),
            Self::V6 | Self::LinkLocal => Some((self.local_address(), 64)),
            Self::Mapped => None,
        }
    }

    /// An address of this path as a socket call takes it.
    pub(super) fn socket_address(self, address: SocketAddr, device: DeviceIndex) -> SocketAddr {
        match (self, address.ip()) {
            (Self::Mapped, IpAddr::V4(v4)) => {
                SocketAddr::new(v4.to_ipv6_mapped().into(), address.port())
            }
            (Self::LinkLocal, IpAddr::V6(v6)) => {
                SocketAddrV6::new(v6, address.port(), 0, device.0).into()
            }
            _ => address,
        }
    }

    /// The address that means every one of this machine.
    pub(super) fn unspecified(self) -> IpAddr {
        match self.family() {
            IpFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
            IpFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

/// True if IPv6 sockets can be opened at all.
pub(super) fn has_ipv6() -> bool {
    fs::exists("/proc/net/if_inet6").unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_own_kind_of_address() {
        let cases = [
            (AddressKind::V4, "10.99.0.1:80", "10.99.0.1:80"),
            (AddressKind::V6, "[fd99::1]:80", "[fd99::1]:80"),
            (AddressKind::Mapped, "10.99.0.1:80", "[::ffff:10.99.0.1]:80"),
            (AddressKind::LinkLocal, "[fe80::1]:80", "[fe80::1%7]:80"),
        ];
        for (path, wire, call) in cases {
            let here = SocketAddr::new(path.local_address(), 80);
            assert_eq!(here.to_string(), wire);
            let call: SocketAddr = call.parse().unwrap();
            assert_eq!(path.socket_address(here, DeviceIndex(7)), call);
            assert_ne!(path.peer_address(0), path.local_address());
        }
    }
}
