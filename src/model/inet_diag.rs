//! Encoding of `sock_diag` requests that name a socket: pure, bytes only.
//!
//! Shared by both edges: `source` queries a socket, `control` closes it. Format:
//! `include/uapi/linux/inet_diag.h`.

use super::endpoint::Endpoint;
use super::protocol::{IpFamily, Protocol};
use std::net::IpAddr;
use std::num::NonZeroU64;

/// `AF_INET`.
pub const AF_INET: u8 = 2;
/// `AF_INET6`.
pub const AF_INET6: u8 = 10;

/// The number of a family.
#[must_use]
pub fn family_number(family: IpFamily) -> u8 {
    match family {
        IpFamily::Inet => AF_INET,
        IpFamily::Inet6 => AF_INET6,
    }
}

/// `struct inet_diag_req_v2`: family, protocol, extensions, padding, states,
/// socket id.
#[must_use]
pub fn request_body(
    protocol: Protocol,
    family: u8,
    extensions: u8,
    states: u32,
    socket: [u8; 48],
) -> [u8; 56] {
    let number = match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    };
    let mut body = [0; 56];
    body[..4].copy_from_slice(&[family, number, extensions, 0]);
    body[4..8].copy_from_slice(&states.to_ne_bytes());
    body[8..].copy_from_slice(&socket);
    body
}

/// `struct inet_diag_sockid`: ports, addresses, interface, cookie.
#[must_use]
pub fn socket_id(
    (near, far): (Endpoint, Endpoint),
    family: IpFamily,
    interface: u32,
    cookie: NonZeroU64,
) -> [u8; 48] {
    let address = |end: IpAddr| match (family, end) {
        (IpFamily::Inet, IpAddr::V4(v4)) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&v4.octets());
            bytes
        }
        // An IPv6 socket with IPv4 ends has them mapped, but for "any".
        (IpFamily::Inet6, IpAddr::V4(v4)) if !v4.is_unspecified() => v4.to_ipv6_mapped().octets(),
        (_, IpAddr::V4(_)) => [0; 16],
        (_, IpAddr::V6(v6)) => v6.octets(),
    };
    let mut id = [0; 48];
    id[..2].copy_from_slice(&near.port.to_be_bytes());
    id[2..4].copy_from_slice(&far.port.to_be_bytes());
    id[4..20].copy_from_slice(&address(near.address()));
    id[20..36].copy_from_slice(&address(far.address()));
    id[36..40].copy_from_slice(&interface.to_ne_bytes());
    // Two halves, the lower first.
    id[40..44].copy_from_slice(&low_32_bits(cookie.get()).to_ne_bytes());
    id[44..].copy_from_slice(&low_32_bits(cookie.get() >> 32).to_ne_bytes());
    id
}

/// The lower half of a number.
fn low_32_bits(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}
