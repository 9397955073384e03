//! The socket units of systemd (systemd.socket(5)), and the sockets they are for.

use super::protocol::Protocol;
use super::socket::Socket;
use super::state::State;
use super::unit::Unit;
use std::net::IpAddr;

/// A socket unit and the addresses that it listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketUnit {
    /// Name and manager of it.
    pub unit: Unit,
    /// Addresses of IP sockets.
    pub addresses: Vec<ListenAddress>,
}

/// An address of `ListenStream=` or `ListenDatagram=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// TCP for a stream.
    pub protocol: Protocol,
    /// None where only a port is given: any address.
    pub address: Option<IpAddr>,
    /// Port.
    pub port: u16,
}

impl SocketUnit {
    /// True if a socket has an address of this unit.
    #[must_use]
    pub fn has(&self, socket: &Socket) -> bool {
        let waits = match socket.protocol {
            Protocol::Tcp => socket.state == State::Listen,
            Protocol::Udp => socket.peer().is_none(),
        };
        let mut addresses = self.addresses.iter();
        waits
            && addresses.any(|listens| {
                let is_at = match listens.address {
                    Some(address) => address == socket.local.address(),
                    None => socket.local.is_unspecified(),
                };
                is_at && (listens.protocol, listens.port) == (socket.protocol, socket.local.port)
            })
    }
}
