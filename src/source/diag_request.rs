//! Encodes requests to `sock_diag`: pure, bytes only.
//!
//! Format: `include/uapi/linux/inet_diag.h`, `include/uapi/linux/netlink.h`,
//! sock_diag(7).

use crate::model::inet_diag;
use crate::model::protocol::Protocol;
use crate::model::socket::Socket;

pub use crate::model::inet_diag::{AF_INET, AF_INET6};

/// Every existing state, including those requested by separate bits:
/// `TCP_NEW_SYN_RECV` (12) and `TCP_BOUND_INACTIVE` (13).
pub const ALL_STATES: u32 = u32::MAX;
/// Only listeners.
pub const LISTEN_STATE: u32 = 1 << 10;

/// Length of `struct nlmsghdr`.
const NLMSGHDR_LEN: usize = 16;
/// `SOCK_DIAG_BY_FAMILY`.
const TYPE_BY_FAMILY: u16 = 20;
/// `TCPDIAG_GETSOCK`: the older request, which dumps both families at once.
const TYPE_TCPDIAG_GETSOCK: u16 = 18;
/// `NLM_F_REQUEST`.
const FLAGS_REQUEST: u16 = 0x1;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const FLAGS_DUMP: u16 = 0x301;

/// Sockets to dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpRequest {
    /// TCP of both families in one dump.
    TcpAllFamilies,
    /// One protocol of one family.
    Family(Protocol, u8),
}

impl DumpRequest {
    /// The transport of the sockets it yields.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Self::TcpAllFamilies => Protocol::Tcp,
            Self::Family(protocol, _) => protocol,
        }
    }
}

/// Attributes to request with each socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DiagExtensions {
    /// Nothing.
    #[default]
    None,
    /// Buffer memory.
    Memory,
    /// `TCP_INFO`.
    Info,
    /// Buffer memory, `TCP_INFO` and the name of its congestion control.
    All,
}

impl DiagExtensions {
    /// The bits: one less than the number of the attribute.
    fn bits(self) -> u8 {
        /// `INET_DIAG_INFO`, 2.
        const INFO: u8 = 1 << 1;
        /// `INET_DIAG_CONG`, 4.
        const ALGORITHM: u8 = 1 << 3;
        /// `INET_DIAG_SKMEMINFO`, 7.
        const MEMORY: u8 = 1 << 6;
        match self {
            Self::None => 0,
            Self::Memory => MEMORY,
            Self::Info => INFO,
            Self::All => MEMORY | INFO | ALGORITHM,
        }
    }
}

/// Encodes the request of a dump. `states` has a bit for each kernel state.
#[must_use]
pub fn encode_dump(
    dump: DumpRequest,
    states: u32,
    extras: DiagExtensions,
    sequence: u32,
) -> Vec<u8> {
    let mut message = Vec::with_capacity(NLMSGHDR_LEN + 60);
    match dump {
        DumpRequest::TcpAllFamilies => {
            // struct inet_diag_req: family, two prefix lengths, extensions, an
            // empty socket id, states, dbs.
            let mut body = vec![0, 0, 0, extras.bits()];
            body.extend_from_slice(&[0; 48]);
            body.extend_from_slice(&states.to_ne_bytes());
            body.extend_from_slice(&[0; 4]);
            append_message(
                &mut message,
                TYPE_TCPDIAG_GETSOCK,
                FLAGS_DUMP,
                sequence,
                &body,
            );
        }
        DumpRequest::Family(protocol, family) => {
            let body = inet_diag::request_body(protocol, family, extras.bits(), states, [0; 48]);
            append_message(&mut message, TYPE_BY_FAMILY, FLAGS_DUMP, sequence, &body);
        }
    }
    message
}

/// Appends the query for one socket by its complete identity. Returns false and
/// appends nothing without a cookie: another socket with the same addresses
/// could answer.
pub fn append_query(
    socket: &Socket,
    extras: DiagExtensions,
    sequence: u32,
    into: &mut Vec<u8>,
) -> bool {
    let Some(id) = socket_id(socket) else {
        return false;
    };
    let family = inet_diag::family_number(socket.family());
    let body = inet_diag::request_body(socket.protocol, family, extras.bits(), ALL_STATES, id);
    append_message(into, TYPE_BY_FAMILY, FLAGS_REQUEST, sequence, &body);
    true
}

/// The bytes that name a socket; none without a cookie.
fn socket_id(socket: &Socket) -> Option<[u8; 48]> {
    let cookie = socket.cookie?;
    let ends = match socket.protocol {
        Protocol::Tcp => (socket.local, socket.remote),
        // "src and dst are swapped for historical reasons": udp_dump_one in
        // net/ipv4/udp_diag.c.
        Protocol::Udp => (socket.remote, socket.local),
    };
    Some(inet_diag::socket_id(
        ends,
        socket.family(),
        socket.interface,
        cookie,
    ))
}

fn append_message(into: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32, body: &[u8]) {
    let length = u32::try_from(NLMSGHDR_LEN + body.len()).unwrap_or_default();
    into.extend_from_slice(&length.to_ne_bytes());
    into.extend_from_slice(&kind.to_ne_bytes());
    into.extend_from_slice(&flags.to_ne_bytes());
    into.extend_from_slice(&sequence.to_ne_bytes());
    into.extend_from_slice(&[0; 4]);
    into.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::protocol::IpFamily;
    use crate::model::state::State;
    use std::net::SocketAddr;
    use std::num::NonZeroU64;

    fn socket(protocol: Protocol, family: IpFamily, local: &str, remote: &str) -> Socket {
        let end = |text: &str| {
            let at: SocketAddr = text.parse().unwrap();
            Endpoint::new(at.ip(), at.port())
        };
        Socket {
            cookie: NonZeroU64::new(0x0807_0605_0403_0201),
            local: end(local),
            remote: end(remote),
            inode: None,
            uid: 0,
            interface: 3,
            recv_queue: 0,
            send_queue: 0,
            namespace: 1,
            timer: None,
            protocol,
            socket_family: family.into(),
            state: State::Established,
        }
    }

    fn encoded_query(socket: &Socket) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(append_query(socket, DiagExtensions::All, 9, &mut bytes));
        bytes
    }

    fn claimed_length(bytes: &[u8]) -> usize {
        u32::from_ne_bytes(*bytes.first_chunk().unwrap()) as usize
    }

    #[test]
    fn requests_have_the_length_they_claim() {
        for kind in [
            DumpRequest::TcpAllFamilies,
            DumpRequest::Family(Protocol::Udp, AF_INET6),
        ] {
            let bytes = encode_dump(kind, ALL_STATES, DiagExtensions::None, 1);
            assert_eq!(claimed_length(&bytes), bytes.len());
        }
        assert_eq!(
            encode_dump(DumpRequest::TcpAllFamilies, 1, DiagExtensions::None, 1).len(),
            76
        );
        let family = DumpRequest::Family(Protocol::Tcp, AF_INET);
        assert_eq!(encode_dump(family, 1, DiagExtensions::None, 1).len(), 72);
    }

    #[test]
    fn extras_are_asked_for_where_the_kernel_looks() {
        let both =
            |extras| encode_dump(DumpRequest::TcpAllFamilies, 1, extras, 1)[NLMSGHDR_LEN + 3];
        assert_eq!(
            [both(DiagExtensions::None), both(DiagExtensions::Info)],
            [0, 0x02]
        );
        let family = DumpRequest::Family(Protocol::Tcp, AF_INET);
        let bytes = encode_dump(family, 1, DiagExtensions::All, 1);
        assert_eq!(bytes[NLMSGHDR_LEN..NLMSGHDR_LEN + 4], [AF_INET, 6, 0x4a, 0]);
    }

    #[test]
    fn one_socket_is_asked_for_with_its_whole_identity() {
        let asked = socket(
            Protocol::Tcp,
            IpFamily::Inet,
            "192.0.2.10:443",
            "198.51.100.7:50122",
        );
        let bytes = encoded_query(&asked);
        assert_eq!((claimed_length(&bytes), bytes.len()), (72, 72));
        assert_eq!(bytes[4..8], [20, 0, 1, 0], "one socket, no dump");
        let id = &bytes[NLMSGHDR_LEN + 8..];
        assert_eq!(id[..4], [0x01, 0xbb, 0xc3, 0xca]);
        assert_eq!(id[4..8], [192, 0, 2, 10]);
        assert_eq!(id[20..24], [198, 51, 100, 7]);
        assert_eq!(id[36..40], 3_u32.to_ne_bytes());
        assert_eq!(
            id[40..],
            [1, 2, 3, 4, 5, 6, 7, 8],
            "on little-endian machines"
        );
    }

    #[test]
    fn udp_is_asked_for_the_other_way_round() {
        let asked = socket(Protocol::Udp, IpFamily::Inet, "192.0.2.10:53", "0.0.0.0:0");
        let id = &encoded_query(&asked)[NLMSGHDR_LEN + 8..];
        assert_eq!(id[..4], [0, 0, 0, 53]);
        assert_eq!(id[20..24], [192, 0, 2, 10]);
    }

    #[test]
    fn mapped_ends_are_mapped_again() {
        let asked = socket(
            Protocol::Tcp,
            IpFamily::Inet6,
            "[::ffff:192.0.2.10]:443",
            "[::ffff:198.51.100.7]:9",
        );
        let id = &encoded_query(&asked)[NLMSGHDR_LEN + 8..];
        assert_eq!(id[14..20], [0xff, 0xff, 192, 0, 2, 10]);
        assert_eq!(id[30..36], [0xff, 0xff, 198, 51, 100, 7]);
    }

    #[test]
    fn no_question_goes_out_without_a_cookie() {
        let mut asked = socket(
            Protocol::Tcp,
            IpFamily::Inet,
            "192.0.2.10:1",
            "192.0.2.10:2",
        );
        asked.cookie = None;
        let mut bytes = Vec::new();
        assert!(!append_query(&asked, DiagExtensions::None, 9, &mut bytes));
        assert!(bytes.is_empty());
    }
}
