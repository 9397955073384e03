//! Decodes the answers of `sock_diag`: pure, bytes only.
//!
//! Format: `include/uapi/linux/inet_diag.h`, `include/uapi/linux/netlink.h`,
//! sock_diag(7). Every length is validated.

use super::diag_info;
use super::diag_request::{AF_INET, AF_INET6};
use crate::model::endpoint::Endpoint;
use crate::model::protocol::{Protocol, SocketFamily};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::timer::{Timer, TimerKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroU64};

/// Length of `struct nlmsghdr`.
const NLMSGHDR_LEN: usize = 16;
/// Length of `struct inet_diag_msg`.
const INET_DIAG_MSG_LEN: usize = 72;
/// `INET_DIAG_SKV6ONLY`: a byte.
const ATTR_V6_ONLY: u16 = 11;
/// `INET_DIAG_CGROUP_ID`: a number of 64 bits.
const CGROUP: u16 = 21;
/// `INET_DIAG_SOCKOPT`: a `struct inet_diag_sockopt`.
const ATTR_SOCKOPT: u16 = 22;
/// Its sixth bit field, `transparent`: compilers for big-endian machines begin at the
/// other end of the byte.
const TRANSPARENT_BIT: u8 = if cfg!(target_endian = "big") {
    1 << 2
} else {
    1 << 5
};
const TYPE_ERROR: u16 = 2;
const TYPE_DONE: u16 = 3;
/// `SOCK_DIAG_BY_FAMILY`.
const TYPE_BY_FAMILY: u16 = 20;
/// `TCPDIAG_GETSOCK`: the older request, which dumps both families at once.
const TYPE_TCPDIAG_GETSOCK: u16 = 18;
/// `NLM_F_DUMP_INTR`.
const FLAG_INTERRUPTED: u16 = 0x10;

/// One message of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiagMessage<'d> {
    /// The number of the request it answers.
    pub sequence: u32,
    /// True if the kernel reported that its table changed during the dump.
    pub interrupted: bool,
    /// Payload of the message.
    pub payload: DiagPayload<'d>,
}

/// Content of one message of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiagPayload<'d> {
    /// A socket.
    Socket(InetDiagMessage<'d>),
    /// The dump is complete; the kernel's error number, 0 for none.
    Done(i32),
    /// The request was refused with this error number.
    Error(i32),
    /// Malformed.
    Malformed,
}

/// A socket with its attributes, not decoded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InetDiagMessage<'d>(&'d [u8]);

impl<'d> InetDiagMessage<'d> {
    /// Decodes the socket; none if it is malformed.
    #[must_use]
    pub fn decode_socket(self, protocol: Protocol, namespace: u32) -> Option<Socket> {
        socket(self.0, protocol, namespace)
    }

    /// True if the socket may have an address that is not this machine's; none if the
    /// kernel does not report it: for minisockets, and before Linux 5.10.
    #[must_use]
    pub fn is_transparent(self) -> Option<bool> {
        let options = diag_info::find_attribute(self.attributes(), ATTR_SOCKOPT)?.first()?;
        Some(options & TRANSPARENT_BIT != 0)
    }

    /// The id of the control group of the process that created the socket; none where
    /// that is not sent: for short records, and before Linux 5.8.
    #[must_use]
    pub fn cgroup_id(self) -> Option<NonZeroU64> {
        let id = diag_info::find_attribute(self.attributes(), CGROUP)?.first_chunk()?;
        NonZeroU64::new(u64::from_ne_bytes(*id))
    }

    /// Attributes of the socket, as bytes.
    #[must_use]
    pub fn attributes(self) -> &'d [u8] {
        self.0.get(INET_DIAG_MSG_LEN..).unwrap_or_default()
    }
}

/// Iterates over the messages of a datagram. After an impossible length the
/// rest is lost and reported as one malformed message with sequence number 0.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = DiagMessage<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((kind, flags, sequence, length)) = decode_header(rest) else {
            rest = &[];
            return Some(DiagMessage {
                sequence: 0,
                interrupted: false,
                payload: DiagPayload::Malformed,
            });
        };
        let payload = &rest[NLMSGHDR_LEN..length];
        // Messages are aligned to four bytes; the last may lack its padding.
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(DiagMessage {
            sequence,
            interrupted: flags & FLAG_INTERRUPTED != 0,
            payload: decode_payload(kind, payload),
        })
    })
}

fn decode_payload(kind: u16, payload: &[u8]) -> DiagPayload<'_> {
    match kind {
        TYPE_DONE => DiagPayload::Done(error_number(payload).unwrap_or(0)),
        TYPE_ERROR => error_number(payload).map_or(DiagPayload::Malformed, DiagPayload::Error),
        TYPE_BY_FAMILY | TYPE_TCPDIAG_GETSOCK => DiagPayload::Socket(InetDiagMessage(payload)),
        _ => DiagPayload::Malformed,
    }
}

/// Type, flags, sequence and checked length of the first message.
fn decode_header(bytes: &[u8]) -> Option<(u16, u16, u32, usize)> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let flags = u16::from_ne_bytes(bytes.get(6..8)?.try_into().ok()?);
    let sequence = u32_at(bytes, 8)?;
    (length >= NLMSGHDR_LEN && length <= bytes.len()).then_some((kind, flags, sequence, length))
}

/// The kernel writes errors as negative numbers.
fn error_number(payload: &[u8]) -> Option<i32> {
    let bytes = payload.get(..4)?.try_into().ok()?;
    Some(i32::from_ne_bytes(bytes).saturating_neg())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Decodes a `struct inet_diag_msg`.
fn socket(payload: &[u8], protocol: Protocol, namespace: u32) -> Option<Socket> {
    let message: &[u8; INET_DIAG_MSG_LEN] = payload.first_chunk()?;
    let [family, state, timer, retransmits, ..] = *message;
    let ports = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let mut state = State::from_kernel(protocol, state);
    if protocol == Protocol::Tcp && state == State::Closed && ports(4) != 0 {
        // TCP sockets that are merely bound are reported as closed.
        state = State::BoundInactive;
    }
    Some(Socket {
        cookie: join_cookie(u32_at(message, 44)?, u32_at(message, 48)?),
        local: Endpoint::new(decode_address(family, message.get(8..24)?)?, ports(4)),
        remote: Endpoint::new(decode_address(family, message.get(24..40)?)?, ports(6)),
        interface: u32_at(message, 40)?,
        timer: TimerKind::from_kernel(timer).map(|kind| Timer {
            kind,
            expires_ms: u32_at(message, 52).unwrap_or(0),
            retransmits,
        }),
        recv_queue: u32_at(message, 56)?,
        send_queue: u32_at(message, 60)?,
        uid: u32_at(message, 64)?,
        inode: NonZeroU32::new(u32_at(message, 68)?),
        namespace,
        protocol,
        socket_family: if family == AF_INET6 {
            let attributes = payload.get(INET_DIAG_MSG_LEN..).unwrap_or_default();
            SocketFamily::Inet6 {
                only: decode_v6_only(attributes, state),
            }
        } else {
            SocketFamily::Inet
        },
        state,
    })
}

/// Decodes whether a socket without a peer accepts IPv6 only; the kernel
/// reports it for no others.
fn decode_v6_only(attributes: &[u8], state: State) -> Option<bool> {
    let has_no_peer = matches!(
        state,
        State::Listen | State::Unconnected | State::BoundInactive | State::Closed
    );
    let told = has_no_peer.then(|| diag_info::find_attribute(attributes, ATTR_V6_ONLY));
    Some(*told??.first()? != 0)
}

/// Two halves, the lower first; all ones (`INET_DIAG_NOCOOKIE`) means none.
fn join_cookie(low: u32, high: u32) -> Option<NonZeroU64> {
    let joined = u64::from(high) << 32 | u64::from(low);
    NonZeroU64::new(joined).filter(|cookie| cookie.get() != u64::MAX)
}

fn decode_address(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        AF_INET6 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
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
        let mut payload = vec![AF_INET, 2, 1, 3];
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

    fn all(bytes: &[u8]) -> Vec<DiagMessage<'_>> {
        messages(bytes).collect()
    }

    #[test]
    fn decodes_every_field() {
        let bytes = message(TYPE_BY_FAMILY, 2, 9, &[&syn_sent()[..], b"more"].concat());
        let found = all(&bytes);
        let DiagPayload::Socket(entry) = found[0].payload else {
            panic!("{found:?}")
        };
        assert_eq!((found.len(), found[0].sequence), (1, 9));
        assert!(!found[0].interrupted);
        assert_eq!(entry.attributes(), b"more");
        let socket = entry.decode_socket(Protocol::Tcp, 5).unwrap();
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
    fn the_control_group_is_a_whole_number_or_not_told() {
        let attribute = |kind: u16, value: &[u8]| {
            let length = u16::try_from(4 + value.len()).unwrap();
            [&length.to_ne_bytes(), &kind.to_ne_bytes(), value].concat()
        };
        let id = 0x1_0000_00c4_u64.to_ne_bytes();
        for (attributes, told) in [
            (attribute(21, &id), Some(0x1_0000_00c4)),
            (
                [attribute(22, &[0; 2]), vec![0; 2], attribute(21, &id)].concat(),
                Some(0x1_0000_00c4),
            ),
            (attribute(21, &[0; 8]), None),
            (attribute(21, &id[..4]), None),
            (attribute(17, &id), None),
            (attribute(21, &id)[..10].to_vec(), None),
            (Vec::new(), None),
        ] {
            let bytes = message(
                TYPE_BY_FAMILY,
                2,
                9,
                &[&syn_sent(), &attributes[..]].concat(),
            );
            let found = all(&bytes);
            let DiagPayload::Socket(entry) = found[0].payload else {
                panic!("{found:?}")
            };
            assert_eq!(
                entry.cgroup_id().map(NonZeroU64::get),
                told,
                "{attributes:?}"
            );
        }
    }

    #[test]
    fn a_dump_ends_and_errors_are_positive_numbers() {
        let mut bytes = message(TYPE_BY_FAMILY, 0x12, 9, &syn_sent());
        bytes.extend(message(TYPE_DONE, 2, 9, &0_i32.to_ne_bytes()));
        let found = all(&bytes);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].payload, DiagPayload::Done(0));
        assert!(found[0].interrupted && !found[1].interrupted);
        let bytes = message(TYPE_ERROR, 0, 9, &(-2_i32).to_ne_bytes());
        assert_eq!(all(&bytes)[0].payload, DiagPayload::Error(2));
    }

    #[test]
    fn a_malformed_message_affects_no_other() {
        let mut bytes = message(TYPE_BY_FAMILY, 2, 9, &syn_sent()[..60]);
        bytes.extend(message(TYPE_BY_FAMILY, 2, 8, &syn_sent()));
        bytes.extend([255, 255, 0, 0]);
        let found = all(&bytes);
        let sockets: Vec<bool> = found
            .iter()
            .map(|message| match message.payload {
                DiagPayload::Socket(entry) => entry.decode_socket(Protocol::Tcp, 5).is_some(),
                _ => false,
            })
            .collect();
        assert_eq!(sockets, [false, true, false]);
        let sequences = found.iter().map(|message| message.sequence);
        assert_eq!(sequences.collect::<Vec<_>>(), [9, 8, 0]);
    }

    fn decode_all(bytes: &[u8]) {
        for message in messages(bytes) {
            if let DiagPayload::Socket(entry) = message.payload {
                let _ = (entry.decode_socket(Protocol::Tcp, 5), entry.attributes());
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            decode_all(&bytes);
        }

        #[test]
        fn any_mutation_is_survived(place in 0_usize..176, byte in any::<u8>()) {
            let mut bytes = message(TYPE_BY_FAMILY, 2, 9, &syn_sent());
            bytes.extend(message(TYPE_BY_FAMILY, 2, 9, &syn_sent()));
            bytes[place] = byte;
            decode_all(&bytes);
        }
    }
}
