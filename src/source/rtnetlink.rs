//! Encodes requests for addresses and routes, and decodes their replies: pure,
//! bytes only.
//!
//! Format: rtnetlink(7), `include/uapi/linux/rtnetlink.h`,
//! `include/uapi/linux/if_addr.h`. Every length is validated.

use super::diag_info::find_attribute;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Length of `struct nlmsghdr`.
const NLMSGHDR_LEN: usize = 16;
/// Length of `struct ifaddrmsg`.
const IFADDRMSG_LEN: usize = 8;
/// Length of `struct rtmsg`.
const RTMSG_LEN: usize = 12;

const TYPE_ERROR: u16 = 2;
const TYPE_DONE: u16 = 3;
const TYPE_NEWADDR: u16 = 20;
const TYPE_GETADDR: u16 = 22;
const TYPE_NEWROUTE: u16 = 24;
const TYPE_GETROUTE: u16 = 26;
/// `NLM_F_REQUEST`.
const FLAG_REQUEST: u16 = 0x1;
/// `NLM_F_ROOT | NLM_F_MATCH`.
const FLAGS_DUMP: u16 = 0x300;

/// `IFA_ADDRESS`, which is the peer's where both ends have one.
const IFA_ADDRESS: u16 = 1;
/// `IFA_LOCAL`.
const IFA_LOCAL: u16 = 2;
/// `RTA_DST`.
const RTA_DST: u16 = 1;
/// `RT_SCOPE_LINK`; higher scopes do not leave this machine.
const SCOPE_LINK: u8 = 253;

const INET: u8 = 2;
const INET6: u8 = 10;

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// Index of the interface.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// True if it can be reached from beyond the link.
    pub is_global: bool,
}

/// Content of one message of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtnetlinkReply {
    /// An address.
    Address(InterfaceAddress),
    /// Type of the route to the queried address (`RTN_UNICAST` and so on).
    Route(u8),
    /// The end of a dump.
    Done,
    /// The error number of a refusal, positive.
    Error(i32),
    /// Any other message.
    Other,
}

/// Encodes the request for the addresses of all interfaces.
#[must_use]
pub fn encode_dump_addresses(sequence: u32) -> Vec<u8> {
    encode_request(
        TYPE_GETADDR,
        FLAG_REQUEST | FLAGS_DUMP,
        sequence,
        &[0; IFADDRMSG_LEN],
    )
}

/// Encodes the request for the route to an address.
#[must_use]
pub fn encode_route_query(address: IpAddr, sequence: u32) -> Vec<u8> {
    let (family, octets) = match address {
        IpAddr::V4(v4) => (INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (INET6, v6.octets().to_vec()),
    };
    let bits = if family == INET { 32 } else { 128 };
    let mut body = vec![family, bits];
    body.resize(RTMSG_LEN, 0);
    let length = if family == INET { 8_u16 } else { 20 };
    body.extend(length.to_ne_bytes());
    body.extend(RTA_DST.to_ne_bytes());
    body.extend(octets);
    encode_request(TYPE_GETROUTE, FLAG_REQUEST, sequence, &body)
}

fn encode_request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(NLMSGHDR_LEN + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::from(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend([0; 4]);
    message.extend(body);
    message
}

/// Iterates over the messages of a datagram that reply to this request. Bytes after an
/// impossible length are lost.
pub fn replies(datagram: &[u8], sequence: u32) -> impl Iterator<Item = RtnetlinkReply> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        loop {
            let length = usize::try_from(u32_at(rest, 0)?).ok()?;
            let message = rest.get(..length).filter(|_| length >= NLMSGHDR_LEN)?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            if u32_at(message, 8)? == sequence {
                return Some(decode_reply(message).unwrap_or(RtnetlinkReply::Other));
            }
        }
    })
}

fn decode_reply(message: &[u8]) -> Option<RtnetlinkReply> {
    let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
    let body = message.get(NLMSGHDR_LEN..)?;
    Some(match kind {
        TYPE_DONE => RtnetlinkReply::Done,
        TYPE_ERROR => {
            let error = i32::from_ne_bytes(body.get(..4)?.try_into().ok()?);
            RtnetlinkReply::Error(error.saturating_neg())
        }
        TYPE_NEWADDR => RtnetlinkReply::Address(decode_address(body)?),
        TYPE_NEWROUTE => RtnetlinkReply::Route(*body.get(7)?),
        _ => RtnetlinkReply::Other,
    })
}

/// Decodes a `struct ifaddrmsg` and its attributes.
fn decode_address(body: &[u8]) -> Option<InterfaceAddress> {
    let attributes = body.get(IFADDRMSG_LEN..)?;
    let octets = find_attribute(attributes, IFA_LOCAL)
        .or_else(|| find_attribute(attributes, IFA_ADDRESS))?;
    let address = match *body.first()? {
        INET => Ipv4Addr::from(*octets.first_chunk::<4>()?).into(),
        INET6 => Ipv6Addr::from(*octets.first_chunk::<16>()?).into(),
        _ => return None,
    };
    Some(InterfaceAddress {
        index: u32_at(body, 4)?,
        address,
        is_global: *body.get(3)? < SCOPE_LINK,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn address_message(scope: u8) -> Vec<u8> {
        let mut body = vec![INET, 24, 0x80, scope];
        body.extend(3_u32.to_ne_bytes());
        body.extend(attribute(IFA_ADDRESS, &[192, 0, 2, 9]));
        body.extend(attribute(IFA_LOCAL, &[192, 0, 2, 1]));
        body.extend(attribute(3, b"eth0\0"));
        encode_request(TYPE_NEWADDR, 2, 5, &body)
    }

    #[test]
    fn an_address_is_this_ends_and_has_a_scope() {
        let mut bytes = address_message(0);
        bytes.extend(address_message(SCOPE_LINK));
        bytes.extend(encode_request(TYPE_DONE, 2, 5, &[0; 4]));
        let found: Vec<RtnetlinkReply> = replies(&bytes, 5).collect();
        let address = |is_global| {
            RtnetlinkReply::Address(InterfaceAddress {
                index: 3,
                address: "192.0.2.1".parse().unwrap(),
                is_global,
            })
        };
        assert_eq!(found, [address(true), address(false), RtnetlinkReply::Done]);
        // Those of another request are not among them.
        assert_eq!(replies(&bytes, 6).count(), 0);
    }

    #[test]
    fn a_route_has_a_type_and_a_refusal_a_number() {
        let mut route = [0; RTMSG_LEN];
        route[7] = 2;
        let mut bytes = encode_request(TYPE_NEWROUTE, 0, 1, &route);
        bytes.extend(encode_request(TYPE_ERROR, 0, 1, &(-101_i32).to_ne_bytes()));
        let found: Vec<RtnetlinkReply> = replies(&bytes, 1).collect();
        assert_eq!(
            found,
            [RtnetlinkReply::Route(2), RtnetlinkReply::Error(101)]
        );
    }

    #[test]
    fn a_question_holds_the_whole_address() {
        let asked = encode_route_query("192.0.2.1".parse().unwrap(), 7);
        assert_eq!(u32_at(&asked, 0), u32::try_from(asked.len()).ok());
        assert_eq!(asked[16..18], [INET, 32]);
        assert_eq!(asked[asked.len() - 4..], [192, 0, 2, 1]);
        let asked = encode_route_query("2001:db8::1".parse().unwrap(), 7);
        assert_eq!(asked[16..18], [INET6, 128]);
        assert_eq!(asked.len(), 16 + 12 + 4 + 16);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = replies(&bytes, 0).count();
        }

        #[test]
        fn any_mutation_is_survived(place in 0_usize..52, byte in any::<u8>()) {
            let mut bytes = address_message(0);
            bytes[place] = byte;
            let _ = replies(&bytes, 5).count();
        }
    }
}
