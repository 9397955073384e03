//! Parses the text of `/proc/net/{tcp,tcp6,udp,udp6}`, line by line.
//!
//! Format: the kernel's `net/ipv4/tcp_ipv4.c` (`tcp4_seq_show`) and its three
//! siblings, described in `proc(5)`. Fields go by position and further ones are
//! ignored, so a newer kernel loses nothing. A malformed line loses only that
//! line.

use crate::model::endpoint::Endpoint;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::timer::{Timer, TimerKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

/// `USER_HZ` is 100 on every Linux architecture that is still supported: the
/// `tm->when` column counts hundredths of a second.
const MILLISECONDS_PER_JIFFY: u64 = 10;

/// Result of parsing one table.
#[derive(Debug, Default)]
pub struct ParsedTable {
    /// Sockets of all well-formed lines.
    pub sockets: Vec<Socket>,
    /// Datagrams dropped at each UDP socket, by its place; empty for TCP.
    pub drops: Vec<(usize, u32)>,
    /// Number of malformed lines.
    pub malformed: u64,
    /// True if the heading was there, which every kernel writes.
    pub has_heading: bool,
}

/// Parses a whole table; the heading is recognised and skipped.
#[must_use]
pub fn parse_table(bytes: &[u8], protocol: Protocol, namespace: u32) -> ParsedTable {
    let mut parsed = ParsedTable::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.starts_with(b"sl ") {
            parsed.has_heading = true;
            continue;
        }
        if line.is_empty() {
            continue;
        }
        match parse_line(line, protocol, namespace) {
            Some((socket, drops)) => {
                if let Some(drops) = drops {
                    parsed.drops.push((parsed.sockets.len(), drops));
                }
                parsed.sockets.push(socket);
            }
            None => parsed.malformed += 1,
        }
    }
    parsed
}

/// Parses one line: the socket, and for UDP its drops; `None` if a needed field is
/// malformed.
fn parse_line(line: &[u8], protocol: Protocol, namespace: u32) -> Option<(Socket, Option<u32>)> {
    let mut fields = line
        .split(u8::is_ascii_whitespace)
        .filter(|field| !field.is_empty());
    let _number = fields.next()?.strip_suffix(b":")?;
    let (family, local) = parse_endpoint(fields.next()?)?;
    let (_, remote) = parse_endpoint(fields.next()?)?;
    let state = State::from_kernel(protocol, convert(parse_hex(fields.next()?)?)?);
    let (send_queue, recv_queue) = parse_pair(fields.next()?)?;
    let (kind, when) = parse_pair(fields.next()?)?;
    let retransmits = parse_hex(fields.next()?)?;
    let uid = parse_decimal(fields.next()?)?;
    let probes = parse_decimal(fields.next()?)?;
    let inode = parse_decimal(fields.next()?)?;
    // After the reference count and the address of the socket; TCP has other
    // fields there.
    let drops = (protocol == Protocol::Udp)
        .then(|| convert(parse_decimal(fields.nth(2)?)?))
        .flatten();
    let socket = Socket {
        cookie: None,
        local,
        remote,
        inode: NonZeroU32::new(convert(inode)?),
        uid: convert(uid)?,
        interface: 0,
        recv_queue: convert(recv_queue)?,
        send_queue: convert(send_queue)?,
        namespace,
        timer: decode_timer(convert(kind)?, when, retransmits, probes),
        protocol,
        socket_family: family.into(),
        state,
    };
    Some((socket, drops))
}

/// The timer, with the count that belongs to it: retransmitted segments, or
/// probes where probes are what the timer sends.
fn decode_timer(kind: u8, when: u64, retransmits: u64, probes: u64) -> Option<Timer> {
    let kind = TimerKind::from_kernel(kind)?;
    let count = match kind {
        TimerKind::Keepalive | TimerKind::ZeroWindowProbe => probes,
        _ => retransmits,
    };
    // An overdue timer shows as a negative number in 64-bit hex.
    let left = if when > u64::from(u32::MAX) { 0 } else { when };
    Some(Timer {
        kind,
        expires_ms: u32::try_from(left * MILLISECONDS_PER_JIFFY).unwrap_or(u32::MAX),
        retransmits: u8::try_from(count).unwrap_or(u8::MAX),
    })
}

/// `0100007F:0016`, or the same with four words for IPv6. Each word of the
/// address is printed in the machine's own byte order, the port in the
/// network's.
fn parse_endpoint(field: &[u8]) -> Option<(IpFamily, Endpoint)> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    let (address, port) = (&field[..colon], &field[colon + 1..]);
    let (family, address) = match address.len() {
        8 => (
            IpFamily::Inet,
            IpAddr::V4(Ipv4Addr::from(parse_word(address)?)),
        ),
        32 => {
            let mut octets = [0; 16];
            for (place, digits) in octets.chunks_exact_mut(4).zip(address.chunks_exact(8)) {
                place.copy_from_slice(&parse_word(digits)?);
            }
            (IpFamily::Inet6, IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => return None,
    };
    Some((family, Endpoint::new(address, convert(parse_hex(port)?)?)))
}

fn parse_word(digits: &[u8]) -> Option<[u8; 4]> {
    Some(convert::<u32>(parse_hex(digits)?)?.to_ne_bytes())
}

/// Two hexadecimal numbers around a colon.
fn parse_pair(field: &[u8]) -> Option<(u64, u64)> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    Some((parse_hex(&field[..colon])?, parse_hex(&field[colon + 1..])?))
}

fn parse_hex(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(value << 4 | u64::from(digit))
    })
}

fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

fn convert<T: TryFrom<u64>>(value: u64) -> Option<T> {
    T::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 634 1 00000000fb389f93 100 0 0 10 0
   1: 0A0200C0:A35E 090071CB:01BB 02 00000001:00000000 01:000001A4 00000003  1000        0 7788 2 0000000000000000 400 0 0 1 7
   2: 0100007F:1F90 0100007F:C350 06 00000000:00000000 03:00000E10 00000000     0        0 0 3 0000000000000000
   3: 0100007F:1F90 0100007F:C352 04 00000005:00000000 04:00000020 00000000    33        6 9001 1 0000000000000000 20 4 30 10 -1
";
    const TCP6: &str = "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 700 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF00000A0200C0:01BB 0000000000000000FFFF0000076433C6:C3CA 08 00000000:00000021 00:00000000 00000000    33        0 12345 1 0000000000000000 20 4 30 10 -1
   2: B80D0120000000000000000001000000:01BB B80D0120000000000000000002000000:0401 01 00000000:00000000 02:00000BB8 00000000    33        2 12346 1 0000000000000000 20 4 30 10 -1
";

    #[cfg(target_endian = "little")]
    #[test]
    fn reads_every_field_of_an_ipv4_table() {
        let parsed = parse_table(TCP.as_bytes(), Protocol::Tcp, 7);
        assert_eq!(parsed.malformed, 0);
        let [listener, opening, waiting, closing] = &parsed.sockets[..] else {
            panic!("{parsed:?}")
        };
        assert_eq!(listener.state, State::Listen);
        assert_eq!(listener.local.to_string(), "0.0.0.0:22");
        assert_eq!(listener.recv_queue, 3);
        assert_eq!(listener.peer(), None);
        assert_eq!(listener.backlog(), None);
        assert_eq!(opening.local.to_string(), "192.0.2.10:41822");
        assert_eq!(opening.remote.to_string(), "203.113.0.9:443");
        assert_eq!(opening.uid, 1000);
        assert_eq!(opening.inode.map(NonZeroU32::get), Some(7788));
        assert_eq!(
            opening.timer,
            Some(Timer {
                kind: TimerKind::Retransmit,
                expires_ms: 4200,
                retransmits: 3
            })
        );
        assert_eq!(waiting.state, State::TimeWait);
        assert_eq!(waiting.inode, None);
        assert_eq!(waiting.timer.map(|timer| timer.expires_ms), Some(36_000));
        assert_eq!(closing.send_queue, 5);
        assert_eq!(closing.timer.map(|timer| timer.retransmits), Some(6));
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn reads_ipv6_and_mapped_addresses() {
        let parsed = parse_table(TCP6.as_bytes(), Protocol::Tcp, 7);
        let shown: Vec<_> = parsed
            .sockets
            .iter()
            .map(|socket| format!("{} {}", socket.local, socket.remote))
            .collect();
        assert_eq!(
            shown,
            [
                "[::]:80 [::]:0",
                "192.0.2.10:443 198.51.100.7:50122",
                "[2001:db8::1]:443 [2001:db8::2]:1025"
            ]
        );
    }

    #[test]
    fn a_bad_line_costs_that_line_only() {
        let bad = [
            "garbage",
            "   1: 0100007F:1F90",
            "   1: 0100007F1F90 0100007F:C350 06 0:0 0:0 0 0 0 0",
            "   1: 0100007G:1F90 0100007F:C350 06 0:0 0:0 0 0 0 0",
            "   1: 0100007F:11F90 0100007F:C350 06 0:0 0:0 0 0 0 0",
            "   1: 0100007F:1F90 0100007F:C350 0606 0:0 0:0 0 0 0 0",
            "   1: 0100007F:1F90 0100007F:C350 06 0:0 0:0 0 0 0 99999999999",
            "   1: 0100007F:1F90 0100007F:C350 06 0:0 0:0 0 -1 0 0",
        ];
        for line in bad {
            let table = format!("{TCP}{line}\n");
            let parsed = parse_table(table.as_bytes(), Protocol::Tcp, 0);
            assert_eq!((parsed.sockets.len(), parsed.malformed), (4, 1), "{line}");
        }
    }

    #[test]
    fn further_fields_and_unknown_states_are_kept() {
        let line = "0: 0100007F:1F90 0100007F:C350 2A 0:0 00:0 0 0 0 5 1 2 3 4 5 6 7 8 9\n";
        let parsed = parse_table(line.as_bytes(), Protocol::Tcp, 0);
        assert_eq!(parsed.sockets[0].state, State::Unknown(42));
    }

    #[test]
    fn an_overdue_timer_is_due_now() {
        let line = "0: 0100007F:1F90 0100007F:C350 01 0:0 01:FFFFFFFFFFFFFFFE 2 0 0 5\n";
        let parsed = parse_table(line.as_bytes(), Protocol::Tcp, 0);
        assert_eq!(
            parsed.sockets[0].timer.map(|timer| timer.expires_ms),
            Some(0)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse_table(&bytes, Protocol::Tcp, 0);
        }

        #[test]
        fn a_mutated_table_loses_no_other_line(place in 0..TCP.len(), byte in any::<u8>()) {
            let mut bytes = TCP.as_bytes().to_vec();
            bytes[place] = byte;
            let parsed = parse_table(&bytes, Protocol::Tcp, 0);
            prop_assert!(parsed.sockets.len() >= 2, "{:?}", parsed);
        }
    }
}
