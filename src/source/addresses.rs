//! Addresses of a network namespace, and those that only its sockets have: queried
//! through rtnetlink(7), in the network namespace of the calling thread.
//!
//! A dump of the addresses alone is not enough: a route of type `local` makes a whole
//! network local, and broadcast and anycast addresses appear in no list. So the
//! kernel's own routing decision is queried for each address that is not in the dump;
//! on nearly every machine there are none.

use super::SocketTable;
use super::rtnetlink::{
    InterfaceAddress, RtnetlinkReply, encode_dump_addresses, encode_route_query, replies,
};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::namespace_addresses::{NamespaceAddresses, ReachableInterface};
use crate::model::protocol::Protocol;
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::text::Text;
use foldhash::fast::RandomState;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, netlink, recvfrom,
    sendto, socket_with, sockopt,
};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Addresses seldom change, and reading them takes a scan of all sockets.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);
/// Replies arrive at once.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);
/// Largest number of routes queried at a time; further addresses are not checked.
const MAX_ROUTE_QUERIES: usize = 64;
/// Largest number of interfaces named.
const MAX_INTERFACES: usize = 16;
/// Largest datagram of a dump.
const MAX_DATAGRAM: usize = 32 * 1024;

/// The loopback interface is the first of every network namespace.
const LOOPBACK_INDEX: u32 = 1;
/// Types of routes (`RTN_…`) whose destination is not this machine.
const REMOTE_ROUTE_TYPES: [u8; 4] = [1, 6, 7, 8];
/// Errors of a route query that mean the address is unreachable: EACCES,
/// ENETUNREACH, EHOSTUNREACH.
const UNREACHABLE_ERRNOS: [i32; 3] = [13, 101, 113];

/// The sockets of a table, for the addresses they have.
#[derive(Clone, Copy)]
pub(super) struct BoundSockets<'s> {
    pub(super) sockets: &'s [Socket],
    /// Local addresses of the transparent sockets (`IP_TRANSPARENT`); none if the
    /// source does not report that option.
    pub(super) transparent: Option<&'s [IpAddr]>,
    pub(super) namespace: u32,
}

impl<'s> BoundSockets<'s> {
    pub(super) fn from_table(table: &'s SocketTable, namespace: u32) -> Self {
        Self {
            sockets: &table.sockets,
            transparent: table.transparent_addresses.as_deref(),
            namespace,
        }
    }
}

/// Returns the network, or adds a gap with the reason why it is unknown.
pub(super) fn network_or_gap(
    network: io::Result<NamespaceAddresses>,
    gaps: &mut Vec<Gap>,
) -> Option<NamespaceAddresses> {
    match network {
        Ok(network) => Some(network),
        Err(error) => {
            gaps.push(Gap {
                kind: GapKind::AddressesUnreadable,
                count: 1,
                reason: GapReason::from_io_error(&error),
            });
            None
        }
    }
}

/// Reads the addresses of one network namespace repeatedly.
#[derive(Default)]
pub(super) struct AddressReader {
    socket: Option<RtnetlinkSocket>,
    cached: Option<(Instant, NamespaceAddresses)>,
}

impl AddressReader {
    /// Returns the network, at most two seconds old.
    ///
    /// # Errors
    ///
    /// If rtnetlink is not available.
    pub(super) fn read(&mut self, bound: BoundSockets<'_>) -> io::Result<NamespaceAddresses> {
        if let Some((at, network)) = &self.cached
            && at.elapsed() < REFRESH_INTERVAL
            && network.namespace == bound.namespace
        {
            return Ok(network.clone());
        }
        let reader = match &mut self.socket {
            Some(reader) => reader,
            none => none.insert(RtnetlinkSocket::open()?),
        };
        let read = reader.read(bound);
        match &read {
            Ok(network) => self.cached = Some((Instant::now(), network.clone())),
            // A late reply would be taken for that of the next query.
            Err(_) => self.socket = None,
        }
        read
    }
}

/// A socket to the kernel's network configuration.
struct RtnetlinkSocket {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl RtnetlinkSocket {
    fn open() -> io::Result<Self> {
        let family = AddressFamily::NETLINK;
        let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(REPLY_TIMEOUT))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; MAX_DATAGRAM],
        })
    }

    fn read(&mut self, bound: BoundSockets<'_>) -> io::Result<NamespaceAddresses> {
        let present = self.interface_addresses()?;
        let missing = match bound.transparent {
            Some(transparent) => self.missing_addresses(bound.sockets, transparent, &present)?,
            None => Vec::new(),
        };
        Ok(NamespaceAddresses {
            namespace: bound.namespace,
            is_loopback_only: present.iter().all(|one| one.address.is_loopback()),
            reachable_interfaces: self.external_interfaces(&present),
            missing_addresses: missing,
        })
    }

    fn interface_addresses(&mut self) -> io::Result<Vec<InterfaceAddress>> {
        let mut found = Vec::new();
        let sequence = self.next_sequence();
        self.send(&encode_dump_addresses(sequence))?;
        loop {
            let length = self.receive()?;
            let datagram = self.buffer.get(..length).unwrap_or_default();
            for answer in replies(datagram, sequence) {
                match answer {
                    RtnetlinkReply::Address(address) => found.push(address),
                    RtnetlinkReply::Done => return Ok(found),
                    RtnetlinkReply::Error(error) => {
                        return Err(io::Error::from_raw_os_error(error));
                    }
                    RtnetlinkReply::Route(_) | RtnetlinkReply::Other => {}
                }
            }
        }
    }

    /// Returns the addresses of sockets that are not in this network namespace,
    /// ascending.
    fn missing_addresses(
        &mut self,
        sockets: &[Socket],
        transparent: &[IpAddr],
        present: &[InterfaceAddress],
    ) -> io::Result<Vec<IpAddr>> {
        let mut known: HashSet<IpAddr, RandomState> = present
            .iter()
            .map(|one| one.address)
            .chain(transparent.iter().copied())
            .collect();
        let mut missing = Vec::new();
        let mut asked = 0;
        for socket in sockets.iter().filter(|socket| needs_address(socket)) {
            let address = socket.local.address();
            if exists_without_interface(address) || !known.insert(address) {
                continue;
            }
            asked += 1;
            if asked > MAX_ROUTE_QUERIES {
                break;
            }
            if self.is_routed_away(address)? {
                missing.push(address);
            }
        }
        missing.sort_unstable();
        Ok(missing)
    }

    /// Returns true if the kernel would send to the address instead of receiving.
    fn is_routed_away(&mut self, address: IpAddr) -> io::Result<bool> {
        let sequence = self.next_sequence();
        self.send(&encode_route_query(address, sequence))?;
        loop {
            let length = self.receive()?;
            let datagram = self.buffer.get(..length).unwrap_or_default();
            for answer in replies(datagram, sequence) {
                match answer {
                    RtnetlinkReply::Route(kind) => return Ok(REMOTE_ROUTE_TYPES.contains(&kind)),
                    RtnetlinkReply::Error(error) => return Ok(UNREACHABLE_ERRNOS.contains(&error)),
                    RtnetlinkReply::Address(_) | RtnetlinkReply::Done | RtnetlinkReply::Other => {}
                }
            }
        }
    }

    /// The interfaces that other machines can reach this one over.
    fn external_interfaces(&self, present: &[InterfaceAddress]) -> Vec<ReachableInterface> {
        let mut families: BTreeMap<u32, (bool, bool)> = BTreeMap::new();
        for one in present {
            // No other host is reachable over loopback, whatever addresses it
            // has.
            if one.is_global && one.index != LOOPBACK_INDEX {
                let (v4, v6) = families.entry(one.index).or_default();
                *v4 |= one.address.is_ipv4();
                *v6 |= one.address.is_ipv6();
            }
        }
        families
            .into_iter()
            .take(MAX_INTERFACES)
            .filter_map(|(index, (v4, v6))| {
                let name = netdevice::index_to_name(&self.socket, index).ok()?;
                Some(ReachableInterface {
                    name: Text::new(name.as_bytes()),
                    has_ipv4: v4,
                    has_ipv6: v6,
                })
            })
            .collect()
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn send(&self, request: &[u8]) -> io::Result<()> {
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, request, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// Receives one datagram from the kernel.
    fn receive(&mut self) -> io::Result<usize> {
        loop {
            let received = recvfrom(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC);
            let (_, length, sender) = match received {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let from_kernel = sender
                .and_then(|sender| netlink::SocketAddrNetlink::try_from(sender).ok())
                .is_some_and(|sender| sender.pid() == 0);
            if length > self.buffer.len() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if from_kernel {
                return Ok(length);
            }
        }
    }
}

/// Returns true if the socket needs its local address. A socket bound to an interface
/// is excluded: its routes may be in a table of their own (VRF).
fn needs_address(socket: &Socket) -> bool {
    let waits = socket.protocol == Protocol::Udp
        || matches!(socket.state, State::Listen | State::BoundInactive);
    let is_told = socket.cookie.is_some() && socket.interface == 0;
    is_told && (waits || socket.is_connection())
}

/// Returns true for addresses that exist without an interface.
fn exists_without_interface(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    address.is_unspecified() || address.is_loopback() || address.is_multicast() || broadcast
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;

    #[test]
    fn this_namespace_has_its_loopback_addresses() {
        let bound = BoundSockets {
            sockets: &[],
            transparent: Some(&[]),
            namespace: 7,
        };
        let network = AddressReader::default().read(bound).unwrap();
        assert_eq!(
            (network.namespace, &network.missing_addresses[..]),
            (7, &[][..])
        );
        let mut reader = RtnetlinkSocket::open().unwrap();
        let documentation: IpAddr = "192.0.2.77".parse().unwrap();
        let own: IpAddr = "127.0.0.9".parse().unwrap();
        assert!(!reader.is_routed_away(own).unwrap());
        assert!(reader.is_routed_away(documentation).unwrap());
    }

    /// Measures, with `cargo test --release -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn measure_address_reading() {
        for sockets in [0, 100_000] {
            let socket = Socket {
                cookie: std::num::NonZeroU64::new(1),
                local: Endpoint::new("127.0.0.1".parse().unwrap(), 40_000),
                remote: Endpoint::new("127.0.0.1".parse().unwrap(), 80),
                inode: None,
                uid: 0,
                interface: 0,
                recv_queue: 0,
                send_queue: 0,
                namespace: 7,
                timer: None,
                protocol: Protocol::Tcp,
                socket_family: crate::model::protocol::IpFamily::Inet.into(),
                state: State::Established,
            };
            let sockets = vec![socket; sockets];
            let bound = BoundSockets {
                sockets: &sockets,
                transparent: Some(&[]),
                namespace: 7,
            };
            let mut reader = RtnetlinkSocket::open().unwrap();
            let began = Instant::now();
            for _ in 0..100 {
                reader.read(bound).unwrap();
            }
            println!("{} sockets: {:?}", sockets.len(), began.elapsed() / 100);
        }
    }
}
