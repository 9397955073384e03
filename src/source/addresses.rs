//! Addresses of a network namespace, and those that only its sockets have: queried
//! through rtnetlink(7), in the network namespace of the calling thread.
//!
//! A dump of the addresses alone is not enough: a route of type `local` makes a whole
//! network local, and broadcast and anycast addresses appear in no list. So the
//! kernel's own routing decision is queried for each address that is not in the dump;
//! on nearly every machine there are none.

use super::SocketTable;
use super::rtnetlink::{Answer, InterfaceAddress, answers, dump_addresses, route_to};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::network::{Network, Reach};
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
const INTERVAL: Duration = Duration::from_secs(2);
/// Replies arrive at once.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Largest number of routes queried at a time; further addresses are not checked.
const MAX_QUESTIONS: usize = 64;
/// Largest number of interfaces named.
const MAX_NAMED: usize = 16;
/// Largest datagram of a dump.
const DATAGRAM: usize = 32 * 1024;

/// The loopback interface is the first of every network namespace.
const LOOPBACK: u32 = 1;
/// Types of routes (`RTN_…`) whose destination is not this machine.
const ELSEWHERE: [u8; 4] = [1, 6, 7, 8];
/// Errors of a route query that mean the address is unreachable: EACCES,
/// ENETUNREACH, EHOSTUNREACH.
const NO_WAY: [i32; 3] = [13, 101, 113];

/// The sockets of a table, for the addresses they have.
#[derive(Clone, Copy)]
pub(super) struct Bound<'s> {
    pub(super) sockets: &'s [Socket],
    /// Local addresses of the transparent sockets (`IP_TRANSPARENT`); none if the
    /// source does not report that option.
    pub(super) transparent: Option<&'s [IpAddr]>,
    pub(super) namespace: u32,
}

impl<'s> Bound<'s> {
    pub(super) fn of(table: &'s SocketTable, namespace: u32) -> Self {
        Self {
            sockets: &table.sockets,
            transparent: table.transparent.as_deref(),
            namespace,
        }
    }
}

/// Returns the network, or adds a gap with the reason why it is unknown.
pub(super) fn or_gap(network: io::Result<Network>, gaps: &mut Vec<Gap>) -> Option<Network> {
    match network {
        Ok(network) => Some(network),
        Err(error) => {
            gaps.push(Gap {
                kind: GapKind::AddressesUnreadable,
                count: 1,
                reason: GapReason::of(&error),
            });
            None
        }
    }
}

/// Reads the addresses of one network namespace repeatedly.
#[derive(Default)]
pub(super) struct Addresses {
    reader: Option<Reader>,
    last: Option<(Instant, Network)>,
}

impl Addresses {
    /// Returns the network, at most two seconds old.
    ///
    /// # Errors
    ///
    /// If rtnetlink is not available.
    pub(super) fn read(&mut self, bound: Bound<'_>) -> io::Result<Network> {
        if let Some((at, network)) = &self.last
            && at.elapsed() < INTERVAL
            && network.namespace == bound.namespace
        {
            return Ok(network.clone());
        }
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(Reader::open()?),
        };
        let read = reader.read(bound);
        match &read {
            Ok(network) => self.last = Some((Instant::now(), network.clone())),
            // A late reply would be taken for that of the next query.
            Err(_) => self.reader = None,
        }
        read
    }
}

/// A socket to the kernel's network configuration.
struct Reader {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Reader {
    fn open() -> io::Result<Self> {
        let family = AddressFamily::NETLINK;
        let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(TIMEOUT))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; DATAGRAM],
        })
    }

    fn read(&mut self, bound: Bound<'_>) -> io::Result<Network> {
        let present = self.addresses()?;
        let missing = match bound.transparent {
            Some(transparent) => self.missing(bound.sockets, transparent, &present)?,
            None => Vec::new(),
        };
        Ok(Network {
            namespace: bound.namespace,
            is_loopback_only: present.iter().all(|one| one.address.is_loopback()),
            reached_over: self.reached_over(&present),
            missing,
        })
    }

    fn addresses(&mut self) -> io::Result<Vec<InterfaceAddress>> {
        let mut found = Vec::new();
        let sequence = self.next_sequence();
        self.send(&dump_addresses(sequence))?;
        loop {
            let length = self.receive()?;
            let datagram = self.buffer.get(..length).unwrap_or_default();
            for answer in answers(datagram, sequence) {
                match answer {
                    Answer::Address(address) => found.push(address),
                    Answer::Done => return Ok(found),
                    Answer::Refused(error) => return Err(io::Error::from_raw_os_error(error)),
                    Answer::Route(_) | Answer::Other => {}
                }
            }
        }
    }

    /// Returns the addresses of sockets that are not in this network namespace,
    /// ascending.
    fn missing(
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
            if is_never_missing(address) || !known.insert(address) {
                continue;
            }
            asked += 1;
            if asked > MAX_QUESTIONS {
                break;
            }
            if self.is_elsewhere(address)? {
                missing.push(address);
            }
        }
        missing.sort_unstable();
        Ok(missing)
    }

    /// Returns true if the kernel would send to the address instead of receiving.
    fn is_elsewhere(&mut self, address: IpAddr) -> io::Result<bool> {
        let sequence = self.next_sequence();
        self.send(&route_to(address, sequence))?;
        loop {
            let length = self.receive()?;
            let datagram = self.buffer.get(..length).unwrap_or_default();
            for answer in answers(datagram, sequence) {
                match answer {
                    Answer::Route(kind) => return Ok(ELSEWHERE.contains(&kind)),
                    Answer::Refused(error) => return Ok(NO_WAY.contains(&error)),
                    Answer::Address(_) | Answer::Done | Answer::Other => {}
                }
            }
        }
    }

    /// The interfaces that other machines can reach this one over.
    fn reached_over(&self, present: &[InterfaceAddress]) -> Vec<Reach> {
        let mut families: BTreeMap<u32, (bool, bool)> = BTreeMap::new();
        for one in present {
            // No other host is reachable over loopback, whatever addresses it
            // has.
            if one.is_global && one.index != LOOPBACK {
                let (v4, v6) = families.entry(one.index).or_default();
                *v4 |= one.address.is_ipv4();
                *v6 |= one.address.is_ipv6();
            }
        }
        families
            .into_iter()
            .take(MAX_NAMED)
            .filter_map(|(index, (v4, v6))| {
                let name = netdevice::index_to_name(&self.socket, index).ok()?;
                Some(Reach {
                    interface: Text::new(name.as_bytes()),
                    v4,
                    v6,
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
fn is_never_missing(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    address.is_unspecified() || address.is_loopback() || address.is_multicast() || broadcast
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;

    #[test]
    fn this_namespace_has_its_loopback_addresses() {
        let bound = Bound {
            sockets: &[],
            transparent: Some(&[]),
            namespace: 7,
        };
        let network = Addresses::default().read(bound).unwrap();
        assert_eq!((network.namespace, &network.missing[..]), (7, &[][..]));
        let mut reader = Reader::open().unwrap();
        let documentation: IpAddr = "192.0.2.77".parse().unwrap();
        let own: IpAddr = "127.0.0.9".parse().unwrap();
        assert!(!reader.is_elsewhere(own).unwrap());
        assert!(reader.is_elsewhere(documentation).unwrap());
    }

    /// Measures, with `cargo test --release -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn how_long_addresses_take() {
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
                opened: crate::model::protocol::Family::Inet.into(),
                state: State::Established,
            };
            let sockets = vec![socket; sockets];
            let bound = Bound {
                sockets: &sockets,
                transparent: Some(&[]),
                namespace: 7,
            };
            let mut reader = Reader::open().unwrap();
            let began = Instant::now();
            for _ in 0..100 {
                reader.read(bound).unwrap();
            }
            println!("{} sockets: {:?}", sockets.len(), began.elapsed() / 100);
        }
    }
}
