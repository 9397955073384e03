//! Parsing of values: ports, hosts, times, names and numbers.

use super::ast::{Compare, End, Expr, Number, Ports, Prefix, Test};
use super::error::shown;
use super::field::Field;
use super::nearest::nearest;
use super::services;
use super::states::States;
use crate::model::protocol::{Family, Protocol};
use crate::model::urgency::Urgency;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Error in a value. Its position is the whole value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl Flaw {
    fn new(message: String) -> Self {
        Self {
            message,
            suggestion: None,
        }
    }

    fn or(self, suggestion: Option<String>) -> Self {
        Self { suggestion, ..self }
    }
}

/// Parses a value, which is not empty. A user in quotation marks is a name even
/// if it looks like a number. The states of [`Field::Exclude`] are not yet
/// excluded.
pub(super) fn condition(
    field: Field,
    compare: Compare,
    value: &str,
    quoted: bool,
) -> Result<Expr, Flaw> {
    let test = match field {
        Field::Port(end) => Test::Port(end, ports(compare, value)?),
        Field::Host(end) => return host(end, value),
        Field::Pid => Test::Pid(number(value)?),
        Field::Uid => Test::Uid(number(value)?),
        Field::Inode => Test::Inode(number(value)?),
        Field::Number(which @ (Number::RxRate | Number::TxRate)) => {
            Test::Number(which, compare, amount(value)?)
        }
        Field::Number(which) => Test::Number(which, compare, number(value)?),
        Field::Urgency => Test::Urgency(urgency(value)?),
        Field::Age => Test::Age(compare, seconds(value)?),
        Field::RoundTrip => Test::RoundTrip(compare, microseconds(value)?),
        Field::User if !quoted && is_number(value) => Test::Uid(number(value)?),
        Field::User => Test::User(value.to_owned()),
        Field::Protocol => {
            return protocol(value).ok_or_else(|| {
                Flaw::new(format!("unknown protocol {}", shown(value))).or(nearest(
                    value,
                    ["tcp", "udp", "tcp6", "udp6"],
                )
                .map(str::to_owned))
            });
        }
        Field::Family => Test::Family(family(value).ok_or_else(|| {
            Flaw::new(format!("unknown family {}", shown(value))).or(nearest(
                value,
                ["inet", "inet6"],
            )
            .map(str::to_owned))
        })?),
        Field::Owner(fact) => Test::Owner(fact, value.to_owned()),
        Field::Device => Test::Device(value.to_owned()),
        Field::Namespace => Test::Namespace(value.to_owned()),
        Field::State | Field::Exclude => Test::States(states(value)?),
    };
    Ok(Expr::Is(test))
}

/// Parses one state or a group of them.
pub(super) fn states(word: &str) -> Result<States, Flaw> {
    States::from_word(word).ok_or_else(|| {
        Flaw::new(format!("unknown state {}", shown(word)))
            .or(nearest(word, States::words()).map(str::to_owned))
    })
}

/// Parses `tcp` or `udp`, optionally with the digit of a family.
pub(super) fn protocol(word: &str) -> Option<Expr> {
    let both = |protocol, family| {
        Expr::and(vec![
            Expr::Is(Test::Protocol(protocol)),
            Expr::Is(Test::Family(family)),
        ])
    };
    match word.to_ascii_lowercase().as_str() {
        "tcp" => Some(Expr::Is(Test::Protocol(Protocol::Tcp))),
        "udp" => Some(Expr::Is(Test::Protocol(Protocol::Udp))),
        "tcp4" => Some(both(Protocol::Tcp, Family::Inet)),
        "tcp6" => Some(both(Protocol::Tcp, Family::Inet6)),
        "udp4" => Some(both(Protocol::Udp, Family::Inet)),
        "udp6" => Some(both(Protocol::Udp, Family::Inet6)),
        _ => None,
    }
}

/// ss's word for an automatically assigned port.
pub(super) const AUTOBOUND: &str = "autobound";

/// Parses a degree of urgency.
fn urgency(word: &str) -> Result<Urgency, Flaw> {
    Urgency::from_key(word).ok_or_else(|| {
        Flaw::new(format!("unknown urgency {}", shown(word))).or(nearest(
            word,
            Urgency::ALL.map(Urgency::key),
        )
        .map(str::to_owned))
    })
}

/// Parses the name of a family.
pub(super) fn family(word: &str) -> Option<Family> {
    match word.to_ascii_lowercase().as_str() {
        "v4" | "ipv4" | "inet" => Some(Family::Inet),
        "v6" | "ipv6" | "inet6" => Some(Family::Inet6),
        _ => None,
    }
}

/// Parses an address with a prefix length and nothing else.
pub(super) fn network(word: &str) -> Option<Prefix> {
    let (address, length) = word.split_once('/')?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if !is_number(length) {
        return None;
    }
    prefix(address, Some(length)).ok()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, Flaw> {
    if is_number(text) {
        text.parse()
            .map_err(|_| Flaw::new(format!("{} is too large", shown(text))))
    } else {
        Err(Flaw::new(format!("{} is not a number", shown(text))))
    }
}

/// The units of time in seconds, the longest first.
pub(super) const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

fn seconds(text: &str) -> Result<u64, Flaw> {
    let unit = UNITS
        .into_iter()
        .find(|(letter, _)| text.ends_with(*letter));
    let (digits, factor) = match unit {
        Some((letter, factor)) => (text.trim_end_matches(letter), factor),
        None => (text, 1),
    };
    if !is_number(digits) || text.len() > digits.len() + 1 {
        let message = format!("{} is not a time, as in 60s, 5m, 2h or 1d", shown(text));
        return Err(Flaw::new(message));
    }
    scaled(digits, factor, text)
}

/// The units of a round-trip time in microseconds, the longest first.
pub(super) const FINE_UNITS: [(&str, u64); 3] = [("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// Parses a round-trip time, always with its unit: there is no usual one.
fn microseconds(text: &str) -> Result<u64, Flaw> {
    let not_one = || {
        Flaw::new(format!(
            "{} is not a round-trip time, as in 500us, 100ms or 2s",
            shown(text)
        ))
    };
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let known = FINE_UNITS.into_iter().find(|(known, _)| *known == unit);
    let (_, factor) = known.filter(|_| is_number(digits)).ok_or_else(not_one)?;
    scaled(digits, factor, text)
}

/// The units of data in bytes, with and without the B.
const AMOUNTS: [(&str, u64); 8] = [
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
fn amount(text: &str) -> Result<u64, Flaw> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let unit = unit.to_ascii_lowercase();
    let known = AMOUNTS.into_iter().find(|(known, _)| *known == unit);
    let (_, factor) = known.filter(|_| is_number(digits)).ok_or_else(|| {
        Flaw::new(format!(
            "{} is not an amount, as in 500, 20kB or 1MB",
            shown(text)
        ))
    })?;
    scaled(digits, factor, text)
}

/// Parses a number and multiplies it by the size of its unit.
fn scaled(digits: &str, factor: u64, whole: &str) -> Result<u64, Flaw> {
    let count: u64 = number(digits)?;
    count
        .checked_mul(factor)
        .ok_or_else(|| Flaw::new(format!("{} is too large", shown(whole))))
}

/// Parses one port, compared, or a range of them.
fn ports(compare: Compare, text: &str) -> Result<Ports, Flaw> {
    let range = text
        .split_once('-')
        .map(|(first, last)| (bare_port(first), bare_port(last)))
        .filter(|(first, last)| is_number(first) && is_number(last));
    let Some((first, last)) = range else {
        return Ok(Ports::Compare(compare, port(text)?));
    };
    let (first, last) = (port(first)?, port(last)?);
    if compare != Compare::Equal {
        let message = format!("a range such as {} cannot be less or more", shown(text));
        return Err(Flaw::new(message));
    }
    if first > last {
        let message = format!("the range {} runs backwards", shown(text));
        return Err(Flaw::new(message).or(Some(format!("{last}-{first}"))));
    }
    Ok(Ports::Range(first, last))
}

fn bare_port(text: &str) -> &str {
    // Two colons begin an IPv6 address, such as ::1.
    text.strip_prefix(':')
        .filter(|rest| !rest.starts_with(':'))
        .unwrap_or(text)
}

/// Parses a port by number or by the name of its service.
fn port(text: &str) -> Result<u16, Flaw> {
    let bare = bare_port(text);
    if bare.is_empty() {
        return Err(Flaw::new("a port is missing after the colon".to_owned()));
    }
    if is_number(bare) {
        return bare
            .parse()
            .map_err(|_| Flaw::new(format!("port {} is above 65535", shown(bare))));
    }
    services::port(bare).ok_or_else(|| {
        let near = nearest(bare, services::names());
        let colon = if text.starts_with(':') { ":" } else { "" };
        Flaw::new(format!(
            "{} is neither a port nor the name of a service",
            shown(bare)
        ))
        .or(near.map(|name| format!("{colon}{name}")))
    })
}

/// Parses a whole address as columns show it, with or without a port, or `*` with
/// one, or a prefix: either end. None if the text is no address, or only the
/// beginning of one.
pub(super) fn endpoint(text: &str) -> Result<Option<Expr>, Flaw> {
    let Ok((address, length, port)) = parts(text) else {
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
    host(End::Either, text).map(Some)
}

/// True for a text that can be part of an address with a port.
pub(super) fn is_part_of_address(text: &str) -> bool {
    let before_zone = text.split('%').next().unwrap_or_default();
    let in_addresses = |byte: u8| byte.is_ascii_hexdigit() || b".:[]*".contains(&byte);
    text.starts_with('[')
        || before_zone.contains([':', '.']) && before_zone.bytes().all(in_addresses)
}

/// True for `NAME:PORT` if the name looks like that of a host.
pub(super) fn is_host_name(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, behind)| {
        (name.contains('.') || name.eq_ignore_ascii_case("localhost")) && port(behind).is_ok()
    })
}

/// Parses `ADDRESS`, `ADDRESS/LENGTH`, with or without `:PORT`; `:PORT`; `*`. Any
/// of them may have `%INTERFACE` after the address.
fn host(end: End, text: &str) -> Result<Expr, Flaw> {
    let (address, length, port_text) = parts(text)?;
    let (address, device) = match address.split_once('%') {
        Some((_, "")) => {
            let message = format!("an interface is missing after % in {}", shown(text));
            return Err(Flaw::new(message));
        }
        Some((address, device)) => (address, Some(device)),
        None => (address, None),
    };
    let port = match port_text {
        Some(text) => Some(port(text).map_err(|flaw| Flaw {
            // A suggestion must replace the whole value.
            suggestion: None,
            ..flaw
        })?),
        None => None,
    };
    let place = Expr::Is(match (address, length, port) {
        ("" | "*", None, Some(port)) => Test::Port(end, Ports::Compare(Compare::Equal, port)),
        ("*", None, None) => Test::States(States::ALL),
        _ => Test::Host(end, prefix(address, length)?, port),
    });
    Ok(match device {
        Some(device) => Expr::and(vec![place, Expr::Is(Test::Device(device.to_owned()))]),
        None => place,
    })
}

/// Splits a host into address, prefix length and port, none of them parsed yet.
fn parts(text: &str) -> Result<(&str, Option<&str>, Option<&str>), Flaw> {
    let (address, rest) = if let Some(inside) = text.strip_prefix('[') {
        inside
            .split_once(']')
            .ok_or_else(|| Flaw::new(format!("the bracket of {} is never closed", shown(text))))?
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

fn not_an_address(text: &str) -> Flaw {
    let flaw = Flaw::new(format!("{} is not an IP address", shown(text)));
    let is_port = port(text).is_ok();
    flaw.or(is_port.then(|| format!(":{text}")))
}

fn prefix(address: &str, length: Option<&str>) -> Result<Prefix, Flaw> {
    let Some(length) = length else {
        let address: IpAddr = address.parse().map_err(|_| not_an_address(address))?;
        return Ok(Prefix::whole(address));
    };
    let parsed = short_v4(address)
        .map(IpAddr::V4)
        .or_else(|| address.parse::<Ipv6Addr>().ok().map(IpAddr::V6))
        .ok_or_else(|| not_an_address(address))?;
    let (family, most) = match parsed {
        IpAddr::V4(_) => ("IPv4", 32_u8),
        IpAddr::V6(_) => ("IPv6", 128),
    };
    let bits: Option<u8> = is_number(length).then(|| length.parse().ok()).flatten();
    bits.filter(|bits| *bits <= most)
        .and_then(|bits| Prefix::new(parsed, bits))
        .ok_or_else(|| {
            Flaw::new(format!(
                "the prefix of an {family} address has 0 to {most} bits, not {}",
                shown(length)
            ))
        })
}

/// Parses an IPv4 address whose last parts may be omitted, as in `10/8`.
fn short_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    for (place, part) in text.split('.').enumerate() {
        let padded = part.len() > 1 && part.starts_with('0');
        *octets.get_mut(place)? = (is_number(part) && !padded).then(|| part.parse().ok())??;
    }
    Some(octets.into())
}
