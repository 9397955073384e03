//! A single TCP segment by hand: the first of a handshake that will never be
//! finished.
//!
//! Format: RFC 791, section 3.1, and RFC 9293, section 3.1.

use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with,
};
use std::io;
use std::net::SocketAddrV4;

const SYN: u8 = 0x02;
const TCP: u8 = 6;

/// Sends a SYN that claims to come from `from`.
pub(crate) fn send_syn(from: SocketAddrV4, to: SocketAddrV4) -> io::Result<()> {
    let raw = socket_with(
        AddressFamily::INET,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(ipproto::RAW),
    )?;
    sendto(&raw, &syn(from, to), SendFlags::empty(), &to)?;
    Ok(())
}

fn syn(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let addresses = [from.ip().octets(), to.ip().octets()].concat();
    let mut segment = Vec::new();
    segment.extend_from_slice(&from.port().to_be_bytes());
    segment.extend_from_slice(&to.port().to_be_bytes());
    // Sequence number, acknowledgement, five words of header, window,
    // checksum, urgent pointer.
    segment.extend_from_slice(&1_u32.to_be_bytes());
    segment.extend_from_slice(&[0, 0, 0, 0, 5 << 4, SYN, 0xff, 0xff, 0, 0, 0, 0]);
    let pseudo_header = [&addresses[..], &[0, TCP, 0, 20], &segment[..]].concat();
    segment[16..18].copy_from_slice(&checksum(&pseudo_header).to_be_bytes());

    // Version and length, service, total length, identification, fragment,
    // time to live, protocol, checksum. The kernel fills in what is 0.
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, TCP, 0, 0];
    packet.extend_from_slice(&addresses);
    packet.extend_from_slice(&segment);
    packet
}

/// The complement of the one's complement sum of all 16-bit words.
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap()
}
