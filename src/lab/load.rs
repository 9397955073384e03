//! A load: very many sockets in very many processes, for measurements.
//!
//! The mix for N sockets in P processes, both ends counted, since both are in
//! the namespace:
//!
//! - N sockets in `ESTABLISHED`, 5 % of them IPv6, in pairs over loopback;
//! - 2 % of N half-closed: `FIN_WAIT_2` and `CLOSE_WAIT` in pairs, each held,
//!   the end read;
//! - 2 % of N in `SYN_SENT`, each to another silent address;
//! - 5 % of N UDP, 5 % of them IPv6;
//! - 2 P listeners, one for IPv4 and one for IPv6 in each process.
//!
//! If the kernel has no IPv6, IPv4 replaces it.
//!
//! Every process has the same share of each. Nothing moves but the repeated
//! SYNs, which are never answered.

use super::LabError;
use super::address_kind::has_ipv6;
use super::helper::{Helper, HelperRole, send_ready, wait_for_end};
use super::namespace::LabNamespace;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{self, Read};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket,
};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Half a million sockets on a slow machine take less.
const START_TIMEOUT: Duration = Duration::from_mins(10);
/// Descriptors that a process needs for other things.
const RESERVED_DESCRIPTORS: u64 = 64;
/// Port to which the silent addresses are connected.
const SILENT_PORT: u16 = 445;
/// Number of silent addresses before the next port is used.
const SILENT_ADDRESSES: u32 = 65_000;

/// Size of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadSize {
    /// Number of established TCP sockets.
    pub sockets: u32,
    /// In how many processes all sockets are.
    pub processes: NonZeroU32,
}

/// Sockets of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct LoadShare {
    /// Established pairs over IPv4.
    pub(super) pairs: u32,
    /// Established pairs over IPv6.
    pub(super) pairs_v6: u32,
    /// Pairs of which one end has been shut down.
    pub(super) half_closed: u32,
    /// Sockets that send to silent addresses.
    pub(super) syn_sent: u32,
    /// The first of those addresses.
    pub(super) first_silent: u32,
    /// UDP sockets.
    pub(super) datagrams: u32,
    /// UDP sockets over IPv6.
    pub(super) datagrams_v6: u32,
}

impl LoadSize {
    /// The share of each process.
    fn shares(self) -> Vec<LoadShare> {
        let processes = self.processes.get();
        let of = |count: u32, number: u32| {
            let upto = |number: u32| u64::from(count) * u64::from(number) / u64::from(processes);
            (
                u32::try_from(upto(number)).unwrap_or(u32::MAX),
                u32::try_from(upto(number + 1) - upto(number)).unwrap_or(u32::MAX),
            )
        };
        let pairs = self.sockets / 2;
        let datagrams = self.sockets / 20;
        let asking = self.sockets / 50;
        (0..processes)
            .map(|number| LoadShare {
                pairs: of(pairs - pairs / 20, number).1,
                pairs_v6: of(pairs / 20, number).1,
                half_closed: of(self.sockets / 100, number).1,
                syn_sent: of(asking, number).1,
                first_silent: of(asking, number).0,
                datagrams: of(datagrams - datagrams / 20, number).1,
                datagrams_v6: of(datagrams / 20, number).1,
            })
            .collect()
    }

    /// Total number of sockets.
    #[must_use]
    pub fn socket_count(self) -> u64 {
        self.shares().iter().map(LoadShare::descriptors).sum()
    }
}

impl LoadShare {
    fn descriptors(&self) -> u64 {
        let pairs = [self.pairs, self.pairs_v6, self.half_closed].map(u64::from);
        let single = [self.syn_sent, self.datagrams, self.datagrams_v6].map(u64::from);
        2 + 2 * pairs.iter().sum::<u64>() + single.iter().sum::<u64>()
    }

    fn to_array(self) -> [u32; 7] {
        [
            self.pairs,
            self.pairs_v6,
            self.half_closed,
            self.syn_sent,
            self.first_silent,
            self.datagrams,
            self.datagrams_v6,
        ]
    }

    pub(super) fn to_words(self) -> Vec<String> {
        self.to_array().map(|number| number.to_string()).to_vec()
    }

    pub(super) fn from_words(words: &[&str]) -> Option<Self> {
        let numbers: Option<Vec<u32>> = words.iter().map(|word| word.parse().ok()).collect();
        let [
            pairs,
            pairs_v6,
            half_closed,
            asking,
            first_asked,
            datagrams,
            datagrams_v6,
        ] = numbers?.try_into().ok()?;
        Some(Self {
            pairs,
            pairs_v6,
            half_closed,
            syn_sent: asking,
            first_silent: first_asked,
            datagrams,
            datagrams_v6,
        })
    }
}

/// Processes that hold a load. They end when this is dropped.
#[derive(Debug)]
pub struct Load {
    helpers: Vec<Helper>,
}

impl Load {
    /// Starts the processes and waits until every socket is there.
    ///
    /// Raises this process's own limit of open descriptors as far as it may:
    /// each helper takes two.
    ///
    /// # Errors
    ///
    /// [`LabError::TooMany`] if the processes may not hold that many; else the
    /// error of one of them.
    pub fn start(namespace: &LabNamespace, mix: LoadSize) -> Result<Self, LabError> {
        let limit = raise_fd_limit()?;
        let shares = mix.shares();
        let most = shares.iter().map(LoadShare::descriptors).max().unwrap_or(0);
        let wanted = RESERVED_DESCRIPTORS + most.max(2 * u64::from(mix.processes.get()));
        if wanted > limit {
            return Err(LabError::TooMany { wanted, limit });
        }
        let mut helpers = shares
            .into_iter()
            .map(|share| Helper::start(namespace, HelperRole::Load(share)))
            .collect::<Result<Vec<_>, _>>()?;
        for helper in &mut helpers {
            helper.wait_until_ready(START_TIMEOUT)?;
        }
        Ok(Self { helpers })
    }

    /// The processes that hold it.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.helpers.iter().map(Helper::pid)
    }
}

impl Drop for Load {
    /// All together: one after the other they would take long.
    fn drop(&mut self) {
        self.helpers.iter_mut().for_each(Helper::shut_down);
    }
}

/// In one of those processes: holds its share until the input closes.
pub(super) fn run(_proof: &LabNamespace, share: LoadShare) -> Result<(), LabError> {
    raise_fd_limit()?;
    let sockets = open_sockets(share)?;
    send_ready()?;
    while !wait_for_end(None)? {}
    drop(sockets);
    Ok(())
}

/// Raises the limit of descriptors to its maximum, and returns it.
fn raise_fd_limit() -> Result<u64, LabError> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).map_err(LabError::io("raise", "the limit of files"))?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

fn open_sockets(share: LoadShare) -> Result<Vec<OwnedFd>, LabError> {
    let mut kept = Vec::new();
    let v4 = open_listener(Ipv4Addr::LOCALHOST.into())?;
    let v6_address = v6_loopback();
    let v6 = open_listener(v6_address)?;
    for (listener, pairs) in [(&v4, share.pairs), (&v6, share.pairs_v6)] {
        for _ in 0..pairs {
            let (client, server) = connect_pair(listener)?;
            kept.extend([client.into(), server.into()]);
        }
    }
    for _ in 0..share.half_closed {
        let (client, server) = connect_pair(&v4)?;
        half_close(&client, &server).map_err(LabError::io("shut down", "a connection"))?;
        kept.extend([client.into(), server.into()]);
    }
    for number in share.first_silent..share.first_silent + share.syn_sent {
        kept.push(open_syn_sent(number)?);
    }
    for (address, count) in [
        (IpAddr::from(Ipv4Addr::LOCALHOST), share.datagrams),
        (v6_address, share.datagrams_v6),
    ] {
        for _ in 0..count {
            let socket = UdpSocket::bind((address, 0))
                .map_err(LabError::io("bind to", address.to_string()))?;
            kept.push(socket.into());
        }
    }
    kept.extend([v4.into(), v6.into()]);
    Ok(kept)
}

fn v6_loopback() -> IpAddr {
    if has_ipv6() {
        Ipv6Addr::LOCALHOST.into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    }
}

fn open_listener(address: IpAddr) -> Result<TcpListener, LabError> {
    TcpListener::bind((address, 0)).map_err(LabError::io("listen on", address.to_string()))
}

/// A connection's two ends.
fn connect_pair(listener: &TcpListener) -> Result<(TcpStream, TcpStream), LabError> {
    let failed = || LabError::io("connect over", "loopback");
    let at = listener.local_addr().map_err(failed())?;
    let client = TcpStream::connect(at).map_err(failed())?;
    let (server, _) = listener.accept().map_err(failed())?;
    Ok((client, server))
}

/// Ends one direction. The other end reads up to the FIN, so that its kernel
/// acknowledges it now, instead of shortly after the load is ready.
fn half_close(client: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
    client.shutdown(Shutdown::Write)?;
    let _end = server.read(&mut [0])?;
    sockopt::set_tcp_quickack(server, true)?;
    Ok(())
}

/// Sends to a silent address, without waiting for a reply.
fn open_syn_sent(number: u32) -> Result<OwnedFd, LabError> {
    let silent =
        LabNamespace::silent_address(u16::try_from(number % SILENT_ADDRESSES).unwrap_or(0));
    let port = u16::try_from(number / SILENT_ADDRESSES).unwrap_or(0);
    let to = SocketAddr::new(silent.into(), SILENT_PORT.saturating_add(port));
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)
        .map_err(LabError::io("open", "a socket"))?;
    match connect(&socket, &to) {
        Err(Errno::INPROGRESS) | Ok(()) => Ok(socket),
        Err(error) => Err(LabError::io("connect to", to.to_string())(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(sockets: u32, processes: u32) -> LoadSize {
        LoadSize {
            sockets,
            processes: NonZeroU32::new(processes).unwrap(),
        }
    }

    #[test]
    fn the_shares_are_the_whole_mix() {
        assert_eq!(mix(100_000, 200).socket_count(), 109_400);
        assert_eq!(mix(200_000, 400).socket_count(), 218_800);
        for (sockets, processes) in [(1000, 10), (10_000, 50), (100_000, 200), (99, 7)] {
            let shares = mix(sockets, processes).shares();
            let sum = |part: fn(&LoadShare) -> u32| shares.iter().map(part).sum::<u32>();
            assert_eq!(sum(|share| share.pairs + share.pairs_v6), sockets / 2);
            assert_eq!(sum(|share| share.pairs_v6), sockets / 2 / 20);
            assert_eq!(sum(|share| share.half_closed), sockets / 100);
            assert_eq!(sum(|share| share.syn_sent), sockets / 50);
            assert_eq!(
                sum(|share| share.datagrams + share.datagrams_v6),
                sockets / 20
            );
            let most = shares.iter().map(LoadShare::descriptors).max();
            let least = shares.iter().map(LoadShare::descriptors).min();
            assert!(most.unwrap() - least.unwrap() <= 12, "{shares:?}");
        }
    }

    #[test]
    fn no_address_is_asked_twice() {
        let shares = mix(10_000, 7).shares();
        for pair in shares.windows(2) {
            assert_eq!(
                pair[0].first_silent + pair[0].syn_sent,
                pair[1].first_silent
            );
        }
    }

    #[test]
    fn a_share_is_told_and_understood() {
        let share = mix(10_000, 3).shares()[1];
        let words = share.to_words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(LoadShare::from_words(&words), Some(share));
        assert_eq!(LoadShare::from_words(&words[1..]), None);
    }
}
