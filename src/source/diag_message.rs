//! Encodes `sock_diag` requests and decodes the answers: pure, bytes only.
//!
//! Format: `include/uapi/linux/inet_diag.h`, `include/uapi/linux/netlink.h`,
//! sock_diag(7). Every length is checked before it is believed.

use crate::model::endpoint::Endpoint;
use crate::model::protocol::{Family, Protocol};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::timer::{Timer, TimerKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroU64};

/// `AF_INET`.
pub const INET: u8 = 2;
/// `AF_INET6`.
pub const INET6: u8 = 10;

/// Every state there is, including those that must be asked for by bits of
/// their own: `TCP_NEW_SYN_RECV` (12) and `TCP_BOUND_INACTIVE` (13).
pub const ALL_STATES: u32 = u32::MAX;
/// Only listeners.
pub const LISTENERS: u32 = 1 << 10;

const HEADER: usize = 16;
const SOCKET_MESSAGE: usize = 72;
const TYPE_ERROR: u16 = 2;
const TYPE_DONE: u16 = 3;
/// `SOCK_DIAG_BY_FAMILY`.
const TYPE_BY_FAMILY: u16 = 20;
/// `TCPDIAG_GETSOCK`: the older request, which walks both families at once.
const TYPE_TCP_BOTH: u16 = 18;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const FLAGS_DUMP: u16 = 0x301;
/// `NLM_F_DUMP_INTR`.
const FLAG_INTERRUPTED: u16 = 0x10;

/// Which sockets to dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dump {
    /// TCP of both families in one walk.
    TcpBoth,
    /// One protocol of one family.
    Family(Protocol, u8),
}

impl Dump {
    /// The transport of the sockets it yields.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Self::TcpBoth => Protocol::Tcp,
            Self::Family(protocol, _) => protocol,
        }
    }
}

/// The bytes that ask for a dump. `states` has a bit for each kernel state.
#[must_use]
pub fn request(dump: Dump, states: u32, sequence: u32) -> Vec<u8> {
    let (kind, body) = match dump {
        Dump::TcpBoth => {
            // struct inet_diag_req: family, two prefix lengths, extensions, an
            // empty socket id, states, dbs.
            let mut body = vec![0; 4 + 48];
            body.extend_from_slice(&states.to_ne_bytes());
            body.extend_from_slice(&[0; 4]);
            (TYPE_TCP_BOTH, body)
        }
        Dump::Family(protocol, family) => {
            // struct inet_diag_req_v2: family, protocol, extensions, padding,
            // states, an empty socket id.
            let number = match protocol {
                Protocol::Tcp => 6,
                Protocol::Udp => 17,
            };
            let mut body = vec![family, number, 0, 0];
            body.extend_from_slice(&states.to_ne_bytes());
            body.extend_from_slice(&[0; 48]);
            (TYPE_BY_FAMILY, body)
        }
    };
    let length = u32::try_from(HEADER + body.len()).unwrap_or_default();
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&FLAGS_DUMP.to_ne_bytes());
    message.extend_from_slice(&sequence.to_ne_bytes());
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&body);
    message
}

/// One part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A socket.
    Socket(Socket),
    /// The dump is complete; the kernel's error number, 0 for none.
    Done(i32),
    /// The request was refused with this error number.
    Refused(i32),
    /// A message that makes no sense, or the rest of a datagram after a length
    /// that cannot be.
    Malformed,
}

/// What one datagram held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Datagram {
    /// Whether the kernel said that its table changed under the dump.
    pub interrupted: bool,
}

/// Takes a datagram apart, handing each part on. Messages with another
/// sequence number belong to an earlier request and are passed over.
pub fn parts(
    datagram: &[u8],
    sequence: u32,
    protocol: Protocol,
    namespace: u32,
    mut take: impl FnMut(Part),
) -> Datagram {
    let mut seen = Datagram::default();
    let mut rest = datagram;
    while !rest.is_empty() {
        let Some((kind, flags, number, length)) = header(rest) else {
            take(Part::Malformed);
            break;
        };
        let payload = &rest[HEADER..length];
        if number == sequence {
            seen.interrupted |= flags & FLAG_INTERRUPTED != 0;
            take(match kind {
                TYPE_DONE => Part::Done(error_number(payload).unwrap_or(0)),
                TYPE_ERROR => error_number(payload).map_or(Part::Malformed, Part::Refused),
                TYPE_BY_FAMILY | TYPE_TCP_BOTH => {
                    socket(payload, protocol, namespace).map_or(Part::Malformed, Part::Socket)
                }
                _ => Part::Malformed,
            });
        }
        // Messages are aligned to four bytes; the last may lack its padding.
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    seen
}

/// Type, flags, sequence and checked length of the first message.
fn header(bytes: &[u8]) -> Option<(u16, u16, u32, usize)> {
    let length = usize::try_from(number(bytes, 0)?).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let flags = u16::from_ne_bytes(bytes.get(6..8)?.try_into().ok()?);
    let sequence = number(bytes, 8)?;
    (length >= HEADER && length <= bytes.len()).then_some((kind, flags, sequence, length))
}

/// The kernel writes errors as negative numbers.
fn error_number(payload: &[u8]) -> Option<i32> {
    let bytes = payload.get(..4)?.try_into().ok()?;
    Some(i32::from_ne_bytes(bytes).saturating_neg())
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Decodes a `struct inet_diag_msg`.
fn socket(payload: &[u8], protocol: Protocol, namespace: u32) -> Option<Socket> {
    let message: &[u8; SOCKET_MESSAGE] = payload.first_chunk()?;
    let [family, state, timer, retransmits, ..] = *message;
    let ports = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let mut state = State::from_kernel(protocol, state);
    if protocol == Protocol::Tcp && state == State::Closed && ports(4) != 0 {
        // TCP sockets that are merely bound are reported as closed.
        state = State::BoundInactive;
    }
    Some(Socket {
        cookie: cookie(number(message, 44)?, number(message, 48)?),
        local: Endpoint::new(address(family, message.get(8..24)?)?, ports(4)),
        remote: Endpoint::new(address(family, message.get(24..40)?)?, ports(6)),
        interface: number(message, 40)?,
        timer: TimerKind::from_kernel(timer).map(|kind| Timer {
            kind,
            expires_ms: number(message, 52).unwrap_or(0),
            retransmits,
        }),
        recv_queue: number(message, 56)?,
        send_queue: number(message, 60)?,
        uid: number(message, 64)?,
        inode: NonZeroU32::new(number(message, 68)?),
        namespace,
        protocol,
        family: if family == INET6 {
            Family::Inet6
        } else {
            Family::Inet
        },
        state,
    })
}

/// Two halves, the lower first; all ones (`INET_DIAG_NOCOOKIE`) means none.
fn cookie(low: u32, high: u32) -> Option<NonZeroU64> {
    let joined = u64::from(high) << 32 | u64::from(low);
    NonZeroU64::new(joined).filter(|cookie| cookie.get() != u64::MAX)
}

fn address(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        INET => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        INET6 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(u32::try_from(16 + payload.len()).unwrap().to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes
    }

    fn syn_sent() -> Vec<u8> {
        let mut payload = vec![INET, 2, 1, 3];
        payload.extend(41822_u16.to_be_bytes());
        payload.extend(443_u16.to_be_bytes());
        payload.extend([192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        payload.extend([203, 0, 113, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        payload.extend(2_u32.to_ne_bytes());
        payload.extend(0x1a2b_u32.to_ne_bytes());
        payload.extend(1_u32.to_ne_bytes());
        for value in [4200_u32, 0, 1, 1000, 7788] {
            payload.extend(value.to_ne_bytes());
        }
        payload
    }

    fn all_parts(bytes: &[u8]) -> (Vec<Part>, Datagram) {
        let mut found = Vec::new();
        let seen = parts(bytes, 9, Protocol::Tcp, 5, |part| found.push(part));
        (found, seen)
    }

    #[test]
    fn decodes_every_field() {
        let (found, seen) = all_parts(&message(TYPE_BY_FAMILY, 2, 9, &syn_sent()));
        let [Part::Socket(socket)] = found[..] else {
            panic!("{found:?}")
        };
        assert!(!seen.interrupted);
        assert_eq!(socket.state, State::SynSent);
        assert_eq!(socket.local.to_string(), "192.0.2.10:41822");
        assert_eq!(socket.remote.to_string(), "203.0.113.9:443");
        assert_eq!(socket.cookie.map(NonZeroU64::get), Some(0x1_0000_1a2b));
        assert_eq!(
            (socket.uid, socket.interface, socket.namespace),
            (1000, 2, 5)
        );
        assert_eq!((socket.recv_queue, socket.send_queue), (0, 1));
        assert_eq!(socket.inode.map(NonZeroU32::get), Some(7788));
        let timer = socket.timer.unwrap();
        assert_eq!((timer.expires_ms, timer.retransmits), (4200, 3));
    }

    #[test]
    fn a_dump_ends_and_errors_are_positive_numbers() {
        let mut bytes = message(TYPE_BY_FAMILY, 0x12, 9, &syn_sent());
        bytes.extend(message(TYPE_DONE, 2, 9, &0_i32.to_ne_bytes()));
        let (found, seen) = all_parts(&bytes);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], Part::Done(0));
        assert!(seen.interrupted);
        let (refused, _) = all_parts(&message(TYPE_ERROR, 0, 9, &(-2_i32).to_ne_bytes()));
        assert_eq!(refused, [Part::Refused(2)]);
    }

    #[test]
    fn a_malformed_message_costs_no_other() {
        let mut bytes = message(TYPE_BY_FAMILY, 2, 9, &syn_sent()[..60]);
        bytes.extend(message(TYPE_BY_FAMILY, 2, 8, &syn_sent()));
        bytes.extend(message(TYPE_BY_FAMILY, 2, 9, &syn_sent()));
        bytes.extend([255, 255, 0, 0]);
        let (found, _) = all_parts(&bytes);
        assert_eq!(found.len(), 3, "the stale answer is passed over");
        assert_eq!((found[0], found[2]), (Part::Malformed, Part::Malformed));
    }

    #[test]
    fn requests_have_the_length_they_claim() {
        for dump in [Dump::TcpBoth, Dump::Family(Protocol::Udp, INET6)] {
            let bytes = request(dump, ALL_STATES, 1);
            assert_eq!(number(&bytes, 0).unwrap() as usize, bytes.len());
        }
        assert_eq!(request(Dump::TcpBoth, 1, 1).len(), 76);
        assert_eq!(request(Dump::Family(Protocol::Tcp, INET), 1, 1).len(), 72);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = all_parts(&bytes);
        }

        #[test]
        fn any_mutation_is_survived(place in 0_usize..176, byte in any::<u8>()) {
            let mut bytes = message(TYPE_BY_FAMILY, 2, 9, &syn_sent());
            bytes.extend(message(TYPE_BY_FAMILY, 2, 9, &syn_sent()));
            bytes[place] = byte;
            let _ = all_parts(&bytes);
        }
    }
}
