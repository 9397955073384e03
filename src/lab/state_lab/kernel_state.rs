//! Current sockets of the kernel: shows whether a socket of the lab is still in
//! its state.

use crate::lab::LabError;
use crate::lab::address_kind::AddressKind;
use crate::model::state::State;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

const PROC_NET_TCP: &str = "/proc/thread-self/net/tcp";

/// The TCP sockets of this namespace: own end, peer's end, and the kernel's
/// number of the state (`include/net/tcp_states.h`).
pub(in crate::lab) struct KernelSockets(Vec<(SocketAddr, SocketAddr, u8)>);

impl KernelSockets {
    pub(in crate::lab) fn read() -> Result<Self, LabError> {
        let text = fs::read_to_string(PROC_NET_TCP).map_err(LabError::io("read", PROC_NET_TCP))?;
        Ok(Self(text.lines().filter_map(parse_row).collect()))
    }

    /// Returns the first number after those of all peers with a connection.
    pub(super) fn next_peer_number(&self) -> u16 {
        let numbers = self.0.iter();
        let numbers = numbers.filter_map(|(_, remote, _)| AddressKind::peer_number(remote.ip()));
        numbers.max().map_or(0, |last| last.saturating_add(1))
    }

    /// True if any connection is in this state.
    pub(in crate::lab) fn has_any(&self, state: State) -> bool {
        let number = kernel_number(state);
        self.0.iter().any(|row| Some(row.2) == number)
    }

    /// True if the connection exists in this state.
    pub(super) fn has_connection(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        state: State,
    ) -> bool {
        let same = |row: &&(SocketAddr, SocketAddr, u8)| (row.0, row.1) == (local, remote);
        self.0
            .iter()
            .find(same)
            .is_some_and(|(.., number)| kernel_number(state) == Some(*number))
    }
}

fn kernel_number(state: State) -> Option<u8> {
    Some(match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Listen => 10,
        State::Closing => 11,
        _ => return None,
    })
}

/// `0: 0100630A:1F90 0300630A:9C40 03 …`, see proc_pid_net(5).
fn parse_row(line: &str) -> Option<(SocketAddr, SocketAddr, u8)> {
    let mut words = line.split_whitespace().skip(1);
    let local = parse_endpoint(words.next()?)?;
    let remote = parse_endpoint(words.next()?)?;
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    Some((local, remote, state))
}

/// The address is a number in host byte order.
fn parse_endpoint(word: &str) -> Option<SocketAddr> {
    let (address, port) = word.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddr::new(Ipv4Addr::from(address).into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_understood() {
        let here = u32::from_ne_bytes([10, 99, 0, 1]);
        let there = u32::from_ne_bytes([10, 99, 0, 3]);
        let line = format!("   0: {here:08X}:1F90 {there:08X}:9C40 03 00000000:00000000");
        let standing = KernelSockets(line.lines().filter_map(parse_row).collect());
        let (here, there) = ("10.99.0.1:8080", "10.99.0.3:40000");
        let (here, there) = (here.parse().unwrap(), there.parse().unwrap());
        assert!(standing.has_connection(here, there, State::SynReceived));
        assert!(!standing.has_connection(here, there, State::Established));
        assert!(!standing.has_connection(there, here, State::SynReceived));
        assert!(standing.has_any(State::SynReceived) && !standing.has_any(State::FinWait1));
        assert_eq!(standing.next_peer_number(), 2, "10.99.0.2 is the first");
        assert_eq!(KernelSockets(Vec::new()).next_peer_number(), 0);
        assert_eq!(parse_row("  sl  local_address rem_address   st"), None);
    }
}
