//! Parsing of values: ports, hosts, times, names and numbers.

use super::ast::{
    AddressPrefix, Comparison, EndSelector, Expr, NumericField, PortMatch, Predicate,
};
use super::error::quoted_excerpt;
use super::field::FilterField;
use super::nearest::nearest;
use super::services;
use super::state_set::StateSet;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::urgency::Urgency;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Error in a value. Its position is the whole value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ValueError {
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl ValueError {
    fn new(message: String) -> Self {
        Self {
            message,
            suggestion: None,
        }
    }

    fn with_suggestion(self, suggestion: Option<String>) -> Self {
        Self { suggestion, ..self }
    }
}

/// Parses a value, which is not empty. A user in quotation marks is a name even
/// if it looks like a number. The states of [`FilterField::Exclude`] are not yet
/// excluded.
pub(super) fn parse_value(
    field: FilterField,
    compare: Comparison,
    value: &str,
    quoted: bool,
) -> Result<Expr, ValueError> {
    let test = match field {
        FilterField::Port(end) => Predicate::Port(end, parse_ports(compare, value)?),
        FilterField::Host(end) => return parse_host(end, value),
        FilterField::Pid => Predicate::Pid(parse_number(value)?),
        FilterField::Uid => Predicate::Uid(parse_number(value)?),
        FilterField::Inode => Predicate::Inode(parse_number(value)?),
        FilterField::Number(which @ (NumericField::RxRate | NumericField::TxRate)) => {
            Predicate::Number(which, compare, parse_byte_count(value)?)
        }
        FilterField::Number(which) => Predicate::Number(which, compare, parse_number(value)?),
        FilterField::Urgency => Predicate::Urgency(parse_urgency(value)?),
        FilterField::Age => Predicate::Age(compare, parse_seconds(value)?),
        FilterField::RoundTrip => Predicate::RoundTrip(compare, parse_microseconds(value)?),
        FilterField::User if !quoted && is_number(value) => Predicate::Uid(parse_number(value)?),
        FilterField::User => Predicate::User(value.to_owned()),
        FilterField::Protocol => {
            return parse_protocol(value).ok_or_else(|| {
                ValueError::new(format!("unknown protocol {}", quoted_excerpt(value)))
                    .with_suggestion(
                        nearest(value, ["tcp", "udp", "tcp6", "udp6"]).map(str::to_owned),
                    )
            });
        }
        FilterField::Family => Predicate::Family(parse_family(value).ok_or_else(|| {
            ValueError::new(format!("unknown family {}", quoted_excerpt(value)))
                .with_suggestion(nearest(value, ["inet", "inet6"]).map(str::to_owned))
        })?),
        FilterField::Process(fact) => Predicate::Process(fact, value.to_owned()),
        FilterField::Device => Predicate::Device(value.to_owned()),
        FilterField::Namespace => Predicate::Namespace(value.to_owned()),
        FilterField::State | FilterField::Exclude => Predicate::States(parse_state(value)?),
    };
    Ok(Expr::Leaf(test))
}

/// Parses one state or a group of them.
pub(super) fn parse_state(word: &str) -> Result<StateSet, ValueError> {
    StateSet::from_word(word).ok_or_else(|| {
        ValueError::new(format!("unknown state {}", quoted_excerpt(word)))
            .with_suggestion(nearest(word, StateSet::all_names()).map(str::to_owned))
    })
}

/// Parses `tcp` or `udp`, optionally with the digit of a family.
pub(super) fn parse_protocol(word: &str) -> Option<Expr> {
    let both = |protocol, family| {
        Expr::and(vec![
            Expr::Leaf(Predicate::Protocol(protocol)),
            Expr::Leaf(Predicate::Family(family)),
        ])
    };
    match word.to_ascii_lowercase().as_str() {
        "tcp" => Some(Expr::Leaf(Predicate::Protocol(Protocol::Tcp))),
        "udp" => Some(Expr::Leaf(Predicate::Protocol(Protocol::Udp))),
        "tcp4" => Some(both(Protocol::Tcp, IpFamily::Inet)),
        "tcp6" => Some(both(Protocol::Tcp, IpFamily::Inet6)),
        "udp4" => Some(both(Protocol::Udp, IpFamily::Inet)),
        "udp6" => Some(both(Protocol::Udp, IpFamily::Inet6)),
        _ => None,
    }
}

/// ss's word for an automatically assigned port.
pub(super) const AUTOBOUND: &str = "autobound";

/// Parses a degree of urgency.
fn parse_urgency(word: &str) -> Result<Urgency, ValueError> {
    Urgency::from_key(word).ok_or_else(|| {
        ValueError::new(format!("unknown urgency {}", quoted_excerpt(word)))
            .with_suggestion(nearest(word, Urgency::ALL.map(Urgency::key)).map(str::to_owned))
    })
}

/// Parses the name of a family.
pub(super) fn parse_family(word: &str) -> Option<IpFamily> {
    match word.to_ascii_lowercase().as_str() {
        "v4" | "ipv4" | "inet" => Some(IpFamily::Inet),
        "v6" | "ipv6" | "inet6" => Some(IpFamily::Inet6),
        _ => None,
    }
}

/// Parses an address with a prefix length and nothing else.
pub(super) fn parse_network(word: &str) -> Option<AddressPrefix> {
    let (address, length) = word.split_once('/')?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if !is_number(length) {
        return None;
    }
    parse_prefix(address, Some(length)).ok()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_number<N: std::str::FromStr>(text: &str) -> Result<N, ValueError> {
    if is_number(text) {
        text.parse()
            .map_err(|_| ValueError::new(format!("{} is too large", quoted_excerpt(text))))
    } else {
        Err(ValueError::new(format!(
            "{} is not a number",
            quoted_excerpt(text)
        )))
    }
}

/// The units of time in seconds, the longest first.
pub(super) const TIME_UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

fn parse_seconds(text: &str) -> Result<u64, ValueError> {
    let unit = TIME_UNITS
        .into_iter()
        .find(|(letter, _)| text.ends_with(*letter));
    let (digits, factor) = match unit {
        Some((letter, factor)) => (text.trim_end_matches(letter), factor),
        None => (text, 1),
    };
    if !is_number(digits) || text.len() > digits.len() + 1 {
        let message = format!(
            "{} is not a time, as in 60s, 5m, 2h or 1d",
            quoted_excerpt(text)
        );
        return Err(ValueError::new(message));
    }
    parse_scaled(digits, factor, text)
}

/// The units of a round-trip time in microseconds, the longest first.
pub(super) const ROUND_TRIP_UNITS: [(&str, u64); 3] = [("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// Parses a round-trip time, always with its unit: there is no usual one.
fn parse_microseconds(text: &str) -> Result<u64, ValueError> {
    let not_one = || {
        ValueError::new(format!(
            "{} is not a round-trip time, as in 500us, 100ms or 2s",
            quoted_excerpt(text)
        ))
    };
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let known = ROUND_TRIP_UNITS
        .into_iter()
        .find(|(known, _)| *known == unit);
    let (_, factor) = known.filter(|_| is_number(digits)).ok_or_else(not_one)?;
    parse_scaled(digits, factor, text)
}

/// The units of data in bytes, with and without the B.
const BYTE_UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("k", 1_000),
    ("kb", 1_000),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
];

/// Parses a number of bytes.
fn parse_byte_count(text: &str) -> Result<u64, ValueError> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let unit = unit.to_ascii_lowercase();
    let known = BYTE_UNITS.into_iter().find(|(known, _)| *known == unit);
    let (_, factor) = known.filter(|_| is_number(digits)).ok_or_else(|| {
        ValueError::new(format!(
            "{} is not an amount, as in 500, 20kB or 1MB",
            quoted_excerpt(text)
        ))
    })?;
    parse_scaled(digits, factor, text)
}

/// Parses a number and multiplies it by the size of its unit.
fn parse_scaled(digits: &str, factor: u64, whole: &str) -> Result<u64, ValueError> {
    let count: u64 = parse_number(digits)?;
    count
        .checked_mul(factor)
        .ok_or_else(|| ValueError::new(format!("{} is too large", quoted_excerpt(whole))))
}

/// Parses one port, compared, or a range of them.
fn parse_ports(compare: Comparison, text: &str) -> Result<PortMatch, ValueError> {
    let range = text
        .split_once('-')
        .map(|(first, last)| (strip_port_colon(first), strip_port_colon(last)))
        .filter(|(first, last)| is_number(first) && is_number(last));
    let Some((first, last)) = range else {
        return Ok(PortMatch::Compare(compare, parse_port(text)?));
    };
    let (first, last) = (parse_port(first)?, parse_port(last)?);
    if compare != Comparison::Equal {
        let message = format!(
            "a range such as {} cannot be less or more",
            quoted_excerpt(text)
        );
        return Err(ValueError::new(message));
    }
    if first > last {
        let message = format!("the range {} runs backwards", quoted_excerpt(text));
        return Err(ValueError::new(message).with_suggestion(Some(format!("{last}-{first}"))));
    }
    Ok(PortMatch::Range(first, last))
}

fn strip_port_colon(text: &str) -> &str {
    // Two colons begin an IPv6 address, such as ::1.
    text.strip_prefix(':')
        .filter(|rest| !rest.starts_with(':'))
        .unwrap_or(text)
}

/// Parses a port by number or by the name of its service.
fn parse_port(text: &str) -> Result<u16, ValueError> {
    let bare = strip_port_colon(text);
    if bare.is_empty() {
        return Err(ValueError::new(
            "a port is missing after the colon".to_owned(),
        ));
    }
    if is_number(bare) {
        return bare
            .parse()
            .map_err(|_| ValueError::new(format!("port {} is above 65535", quoted_excerpt(bare))));
    }
    services::port_by_name(bare).ok_or_else(|| {
        let near = nearest(bare, services::names());
        let colon = if text.starts_with(':') { ":" } else { "" };
        ValueError::new(format!(
            "{} is neither a port nor the name of a service",
            quoted_excerpt(bare)
        ))
        .with_suggestion(near.map(|name| format!("{colon}{name}")))
    })
}

/// Parses a whole address as columns show it, with or without a port, or `*` with
/// one, or a prefix: either end. None if the text is no address, or only the
/// beginning of one.
pub(super) fn parse_endpoint(text: &str) -> Result<Option<Expr>, ValueError> {
    let Ok((address, length, port)) = split_host(text) else {
        return Ok(None);
    };
    let bare = address.split('%').next().unwrap_or_default();
    if address.contains(']') {
        return Ok(None);
    }
    let is_address = bare.parse::<IpAddr>().is_ok() || bare == "*" && port.is_some();
    if !is_address || port == Some("") || length == Some("") {
        return Ok(None);
    }
    parse_host(EndSelector::Unspecified, text).map(Some)
}

/// True for a text that can be part of an address with a port.
pub(super) fn could_be_address_part(text: &str) -> bool {
    let before_zone = text.split('%').next().unwrap_or_default();
    let in_addresses = |byte: u8| byte.is_ascii_hexdigit() || b".:[]*".contains(&byte);
    text.starts_with('[')
        || before_zone.contains([':', '.']) && before_zone.bytes().all(in_addresses)
}

/// True for `NAME:PORT` if the name looks like that of a host.
pub(super) fn is_host_name_with_port(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, behind)| {
        (name.contains('.') || name.eq_ignore_ascii_case("localhost")) && parse_port(behind).is_ok()
    })
}

/// Parses `ADDRESS`, `ADDRESS/LENGTH`, with or without `:PORT`; `:PORT`; `*`. Any
/// of them may have `%INTERFACE` after the address.
fn parse_host(end: EndSelector, text: &str) -> Result<Expr, ValueError> {
    let (address, length, port_text) = split_host(text)?;
    let (address, device) = match address.split_once('%') {
        Some((_, "")) => {
            let message = format!(
                "an interface is missing after % in {}",
                quoted_excerpt(text)
            );
            return Err(ValueError::new(message));
        }
        Some((address, device)) => (address, Some(device)),
        None => (address, None),
    };
    let port = match port_text {
        Some(text) => Some(parse_port(text).map_err(|flaw| ValueError {
            // A suggestion must replace the whole value.
            suggestion: None,
            ..flaw
        })?),
        None => None,
    };
    let place = Expr::Leaf(match (address, length, port) {
        ("" | "*", None, Some(port)) => {
            Predicate::Port(end, PortMatch::Compare(Comparison::Equal, port))
        }
        ("*", None, None) => Predicate::States(StateSet::ALL),
        _ => Predicate::Host(end, parse_prefix(address, length)?, port),
    });
    Ok(match device {
        Some(device) => Expr::and(vec![
            place,
            Expr::Leaf(Predicate::Device(device.to_owned())),
        ]),
        None => place,
    })
}

/// Splits a host into address, prefix length and port, none of them parsed yet.
fn split_host(text: &str) -> Result<(&str, Option<&str>, Option<&str>), ValueError> {
    let (address, rest) = if let Some(inside) = text.strip_prefix('[') {
        inside.split_once(']').ok_or_else(|| {
            ValueError::new(format!(
                "the bracket of {} is never closed",
                quoted_excerpt(text)
            ))
        })?
    } else if text.matches(':').count() > 1 {
        (text, "")
    } else {
        text.split_at(text.find(':').unwrap_or(text.len()))
    };
    let (before_port, port) = match rest.split_once(':') {
        Some((before, port)) => (before, Some(port)),
        None => (rest, None),
    };
    let (address, inner) = match address.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (address, None),
    };
    match (before_port.strip_prefix('/'), before_port.is_empty(), inner) {
        (None, true, length) | (length @ Some(_), _, None) => Ok((address, length, port)),
        _ => Err(not_an_address(text)),
    }
}

fn not_an_address(text: &str) -> ValueError {
    let flaw = ValueError::new(format!("{} is not an IP address", quoted_excerpt(text)));
    let is_port = parse_port(text).is_ok();
    flaw.with_suggestion(is_port.then(|| format!(":{text}")))
}

fn parse_prefix(address: &str, length: Option<&str>) -> Result<AddressPrefix, ValueError> {
    let Some(length) = length else {
        let address: IpAddr = address.parse().map_err(|_| not_an_address(address))?;
        return Ok(AddressPrefix::host(address));
    };
    let parsed = parse_short_ipv4(address)
        .map(IpAddr::V4)
        .or_else(|| address.parse::<Ipv6Addr>().ok().map(IpAddr::V6))
        .ok_or_else(|| not_an_address(address))?;
    let (family, most) = match parsed {
        IpAddr::V4(_) => ("IPv4", 32_u8),
        IpAddr::V6(_) => ("IPv6", 128),
    };
    let bits: Option<u8> = is_number(length).then(|| length.parse().ok()).flatten();
    bits.filter(|bits| *bits <= most)
        .and_then(|bits| AddressPrefix::new(parsed, bits))
        .ok_or_else(|| {
            ValueError::new(format!(
                "the prefix of an {family} address has 0 to {most} bits, not {}",
                quoted_excerpt(length)
            ))
        })
}

/// Parses an IPv4 address whose last parts may be omitted, as in `10/8`.
fn parse_short_ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    for (place, part) in text.split('.').enumerate() {
        let padded = part.len() > 1 && part.starts_with('0');
        *octets.get_mut(place)? = (is_number(part) && !padded).then(|| part.parse().ok())??;
    }
    Some(octets.into())
}
