//! Addresses and protocols as the table shows them: the search for bare words and
//! the columns must agree.

use crate::model::endpoint::Endpoint;
use crate::model::observation::Observation;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::row::Row;
use std::fmt::{self, Write};
use std::net::IpAddr;

/// One end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketEnd {
    /// This machine's.
    Local,
    /// The peer's.
    Remote,
}

/// Writes one end of a row: `192.0.2.1:443`, `[2001:db8::1]:443`,
/// `[fe80::1%eth0]:443`, `*:443` for a socket that accepts IPv4 and IPv6 at any
/// address, and `*` for the peer of a socket that has none.
///
/// # Errors
///
/// Only those of the writer.
pub fn write_address(
    into: &mut impl Write,
    side: SocketEnd,
    row: &Row,
    observation: &Observation,
) -> fmt::Result {
    let end = match (side, row.socket.peer()) {
        (SocketEnd::Local, _) => row.socket.local,
        (SocketEnd::Remote, Some(peer)) => peer,
        (SocketEnd::Remote, None) => return into.write_char('*'),
    };
    let any = side == SocketEnd::Local && row.socket.is_dual_stack();
    match end.address() {
        IpAddr::V6(_) if any && has_zone(row, end) => {
            let index = row.socket.interface;
            match observation.interface(&row.socket) {
                Some(name) => write!(into, "*%{name}:{}", end.port),
                None => write!(into, "*%{index}:{}", end.port),
            }
        }
        IpAddr::V6(_) if any => write!(into, "*:{}", end.port),
        IpAddr::V6(v6) if has_zone(row, end) => {
            let index = row.socket.interface;
            match observation.interface(&row.socket) {
                Some(name) => write!(into, "[{v6}%{name}]:{}", end.port),
                None => write!(into, "[{v6}%{index}]:{}", end.port),
            }
        }
        IpAddr::V4(v4) if has_zone(row, end) => {
            let index = row.socket.interface;
            match observation.interface(&row.socket) {
                Some(name) => write!(into, "{v4}%{name}:{}", end.port),
                None => write!(into, "{v4}%{index}:{}", end.port),
            }
        }
        _ => write!(into, "{end}"),
    }
}

/// True if an end is shown with the name of an interface: a link-local address is
/// ambiguous without it, and "any address" is limited by it.
pub(super) fn has_zone(row: &Row, end: Endpoint) -> bool {
    row.socket.interface != 0 && (end.is_link_local_v6() || end.is_unspecified())
}

/// The protocol with the mark of the family: `tcp`, `tcp6`, `udp`, `udp6`.
#[must_use]
pub fn protocol_label(row: &Row) -> &'static str {
    match (row.socket.protocol, row.socket.family()) {
        (Protocol::Tcp, IpFamily::Inet) => "tcp",
        (Protocol::Tcp, IpFamily::Inet6) => "tcp6",
        (Protocol::Udp, IpFamily::Inet) => "udp",
        (Protocol::Udp, IpFamily::Inet6) => "udp6",
    }
}
