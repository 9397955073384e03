//! Encodes requests for addresses and routes, and decodes their replies: pure,
//! bytes only.
//!
//! Format: rtnetlink(7), `include/uapi/linux/rtnetlink.h`,
//! `include/uapi/linux/if_addr.h`. Every length is validated.

use super::diag_info::find;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Length of `struct ifaddrmsg`.
const ADDRESS_MESSAGE: usize = 8;
/// Length of `struct rtmsg`.
const ROUTE_MESSAGE: usize = 12;

const TYPE_ERROR: u16 = 2;
const TYPE_DONE: u16 = 3;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 0x1;
/// `NLM_F_ROOT | NLM_F_MATCH`.
const DUMP: u16 = 0x300;

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
pub enum Answer {
    /// An address.
    Address(InterfaceAddress),
    /// Type of the route to the queried address (`RTN_UNICAST` and so on).
    Route(u8),
    /// The end of a dump.
    Done,
    /// The error number of a refusal, positive.
    Refused(i32),
    /// Any other message.
    Other,
}

/// Encodes the request for the addresses of all interfaces.
#[must_use]
pub fn dump_addresses(sequence: u32) -> Vec<u8> {
    request(GET_ADDRESS, REQUEST | DUMP, sequence, &[0; ADDRESS_MESSAGE])
}

/// Encodes the request for the route to an address.
#[must_use]
pub fn route_to(address: IpAddr, sequence: u32) -> Vec<u8> {
    let (family, octets) = match address {
        IpAddr::V4(v4) => (INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (INET6, v6.octets().to_vec()),
    };
    let bits = if family == INET { 32 } else { 128 };
    let mut body = vec![family, bits];
    body.resize(ROUTE_MESSAGE, 0);
    let length = if family == INET { 8_u16 } else { 20 };
    body.extend(length.to_ne_bytes());
    body.extend(RTA_DST.to_ne_bytes());
    body.extend(octets);
    request(GET_ROUTE, REQUEST, sequence, &body)
}

fn request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
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
pub fn answers(datagram: &[u8], sequence: u32) -> impl Iterator<Item = Answer> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        loop {
            let length = usize::try_from(number(rest, 0)?).ok()?;
            let message = rest.get(..length).filter(|_| length >= HEADER)?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            if number(message, 8)? == sequence {
                return Some(answer(message).unwrap_or(Answer::Other));
            }
        }
    })
}

fn answer(message: &[u8]) -> Option<Answer> {
    let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
    let body = message.get(HEADER..)?;
    Some(match kind {
        TYPE_DONE => Answer::Done,
        TYPE_ERROR => {
            let error = i32::from_ne_bytes(body.get(..4)?.try_into().ok()?);
            Answer::Refused(error.saturating_neg())
        }
        NEW_ADDRESS => Answer::Address(interface_address(body)?),
        NEW_ROUTE => Answer::Route(*body.get(7)?),
        _ => Answer::Other,
    })
}

/// Decodes a `struct ifaddrmsg` and its attributes.
fn interface_address(body: &[u8]) -> Option<InterfaceAddress> {
    let attributes = body.get(ADDRESS_MESSAGE..)?;
    let octets = find(attributes, IFA_LOCAL).or_else(|| find(attributes, IFA_ADDRESS))?;
    let address = match *body.first()? {
        INET => Ipv4Addr::from(*octets.first_chunk::<4>()?).into(),
        INET6 => Ipv6Addr::from(*octets.first_chunk::<16>()?).into(),
        _ => return None,
    };
    Some(InterfaceAddress {
        index: number(body, 4)?,
        address,
        is_global: *body.get(3)? < SCOPE_LINK,
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
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
        request(NEW_ADDRESS, 2, 5, &body)
    }

    #[test]
    fn an_address_is_this_ends_and_has_a_scope() {
        let mut bytes = address_message(0);
        bytes.extend(address_message(SCOPE_LINK));
        bytes.extend(request(TYPE_DONE, 2, 5, &[0; 4]));
        let found: Vec<Answer> = answers(&bytes, 5).collect();
        let address = |is_global| {
            Answer::Address(InterfaceAddress {
                index: 3,
                address: "192.0.2.1".parse().unwrap(),
                is_global,
            })
        };
        assert_eq!(found, [address(true), address(false), Answer::Done]);
        // Those of another request are not among them.
        assert_eq!(answers(&bytes, 6).count(), 0);
    }

    #[test]
    fn a_route_has_a_type_and_a_refusal_a_number() {
        let mut route = [0; ROUTE_MESSAGE];
        route[7] = 2;
        let mut bytes = request(NEW_ROUTE, 0, 1, &route);
        bytes.extend(request(TYPE_ERROR, 0, 1, &(-101_i32).to_ne_bytes()));
        let found: Vec<Answer> = answers(&bytes, 1).collect();
        assert_eq!(found, [Answer::Route(2), Answer::Refused(101)]);
    }

    #[test]
    fn a_question_holds_the_whole_address() {
        let asked = route_to("192.0.2.1".parse().unwrap(), 7);
        assert_eq!(number(&asked, 0), u32::try_from(asked.len()).ok());
        assert_eq!(asked[16..18], [INET, 32]);
        assert_eq!(asked[asked.len() - 4..], [192, 0, 2, 1]);
        let asked = route_to("2001:db8::1".parse().unwrap(), 7);
        assert_eq!(asked[16..18], [INET6, 128]);
        assert_eq!(asked.len(), 16 + 12 + 4 + 16);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = answers(&bytes, 0).count();
        }

        #[test]
        fn any_mutation_is_survived(place in 0_usize..52, byte in any::<u8>()) {
            let mut bytes = address_message(0);
            bytes[place] = byte;
            let _ = answers(&bytes, 5).count();
        }
    }
}
