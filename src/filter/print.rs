//! The canonical text of a filter: parsing it gives the same tree again.

use super::ast::{
    AddressPrefix, Comparison, EndSelector, Expr, NumericField, PortMatch, Predicate,
};
use super::field::FilterField;
use super::parse::parse;
use super::token::quote;
use super::value::{AUTOBOUND, ROUND_TRIP_UNITS, TIME_UNITS};
use crate::model::text::is_deceptive;
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

impl Display for Expr {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => write_joined(formatter, parts, " and "),
            Self::Or(parts) => write_joined(formatter, parts, " or "),
            Self::Not(inner) => match inner.as_ref() {
                Self::Leaf(test) => test.write_predicate(formatter, true),
                Self::Not(_) => write!(formatter, "not {inner}"),
                Self::And(_) | Self::Or(_) => write!(formatter, "not ({inner})"),
            },
            Self::Leaf(test) => test.write_predicate(formatter, false),
        }
    }
}

fn write_joined(formatter: &mut Formatter<'_>, parts: &[Expr], between: &str) -> fmt::Result {
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            formatter.write_str(between)?;
        }
        // Only an `or` within an `and` needs parentheses; a join within one of
        // its own kind cannot occur.
        if matches!(part, Expr::Or(_)) {
            write!(formatter, "({part})")?;
        } else {
            write!(formatter, "{part}")?;
        }
    }
    Ok(())
}

impl Predicate {
    /// Writes the predicate or its negation: with an operator for "unequal" if
    /// there is one, which is shorter than `not`.
    fn write_predicate(&self, formatter: &mut Formatter<'_>, negated: bool) -> fmt::Result {
        if let Some((field, value)) = self.as_equality().filter(|_| negated) {
            return write!(formatter, "{} != {value}", field.word());
        }
        if negated {
            formatter.write_str("not ")?;
        }
        match self {
            Self::States(states) => write!(formatter, "{states}"),
            Self::Port(end, PortMatch::Range(first, last)) => {
                write!(
                    formatter,
                    "{}:{first}-{last}",
                    FilterField::Port(*end).word()
                )
            }
            Self::Port(
                end @ (EndSelector::Unspecified | EndSelector::ExplicitEither),
                PortMatch::Compare(Comparison::Equal, port),
            ) => {
                write!(formatter, "{}:{port}", FilterField::Port(*end).word())
            }
            Self::Port(end, PortMatch::Compare(compare, port)) => {
                let sign = compare.symbol();
                write!(
                    formatter,
                    "{} {sign} :{port}",
                    FilterField::Port(*end).word()
                )
            }
            Self::Host(end, prefix, port) => {
                write!(
                    formatter,
                    "{} {}",
                    FilterField::Host(*end).word(),
                    format_host(*prefix, *port)
                )
            }
            Self::Process(fact, needle) => {
                write_named(formatter, FilterField::Process(*fact), needle)
            }
            Self::Device(name) => write_named(formatter, FilterField::Device, name),
            Self::Autobound => formatter.write_str(AUTOBOUND),
            Self::Namespace(needle) => write_named(formatter, FilterField::Namespace, needle),
            Self::User(name) => write_named(formatter, FilterField::User, name),
            Self::Pid(pid) => write!(formatter, "pid:{pid}"),
            Self::Uid(uid) => write!(formatter, "uid:{uid}"),
            Self::Inode(inode) => write!(formatter, "inode:{inode}"),
            Self::Protocol(protocol) => formatter.write_str(protocol.word()),
            Self::Family(family) => formatter.write_str(family.word()),
            Self::Number(number, compare, value) => {
                write!(formatter, "{} {} {value}", number.word(), compare.symbol())
            }
            Self::Age(compare, seconds) => {
                write!(
                    formatter,
                    "age {} {}",
                    compare.symbol(),
                    format_age(*seconds)
                )
            }
            Self::RoundTrip(compare, microseconds) => {
                let word = FilterField::RoundTrip.word();
                write!(
                    formatter,
                    "{word} {} {}",
                    compare.symbol(),
                    format_round_trip(*microseconds)
                )
            }
            Self::Urgency(urgency) => write!(formatter, "urgency:{}", urgency.key()),
            Self::Text(text) | Self::VisibleText(text) => {
                formatter.write_str(&format_text_term(text))
            }
        }
    }

    /// Returns field and value of a predicate of equality, if both have a text.
    fn as_equality(&self) -> Option<(FilterField, String)> {
        match self {
            Self::Port(end, PortMatch::Compare(Comparison::Equal, port)) => {
                Some((FilterField::Port(*end), format!(":{port}")))
            }
            Self::Host(end, prefix, port) => {
                Some((FilterField::Host(*end), format_host(*prefix, *port)))
            }
            Self::Number(number, Comparison::Equal, value) => {
                Some((FilterField::Number(*number), value.to_string()))
            }
            Self::Age(Comparison::Equal, seconds) => Some((FilterField::Age, format_age(*seconds))),
            Self::RoundTrip(Comparison::Equal, microseconds) => {
                Some((FilterField::RoundTrip, format_round_trip(*microseconds)))
            }
            _ => None,
        }
    }
}

impl NumericField {
    fn word(self) -> &'static str {
        FilterField::Number(self).word()
    }
}

/// Formats an address, with brackets if a port would else be ambiguous.
fn format_host(prefix: AddressPrefix, port: Option<u16>) -> String {
    let address = prefix.address();
    let length = prefix
        .length()
        .map(|bits| format!("/{bits}"))
        .unwrap_or_default();
    match (address, port) {
        (IpAddr::V6(_), Some(port)) => format!("[{address}]{length}:{port}"),
        (IpAddr::V4(_), Some(port)) => format!("{address}{length}:{port}"),
        (_, None) => format!("{address}{length}"),
    }
}

/// Formats an age in the largest unit without a remainder.
fn format_age(seconds: u64) -> String {
    TIME_UNITS
        .into_iter()
        .find(|(_, factor)| seconds >= *factor && seconds.is_multiple_of(*factor))
        .map_or_else(
            || format!("{seconds}s"),
            |(letter, factor)| format!("{}{letter}", seconds / factor),
        )
}

/// Formats a round-trip time in the same way.
fn format_round_trip(microseconds: u64) -> String {
    ROUND_TRIP_UNITS
        .into_iter()
        .find(|(_, factor)| microseconds >= *factor && microseconds.is_multiple_of(*factor))
        .map_or_else(
            || format!("{microseconds}us"),
            |(unit, factor)| format!("{}{unit}", microseconds / factor),
        )
}

fn write_named(formatter: &mut Formatter<'_>, field: FilterField, name: &str) -> fmt::Result {
    let number = name.bytes().all(|byte| byte.is_ascii_digit());
    let plain = !name.chars().any(|character| {
        character.is_whitespace() || is_deceptive(character) || "()\"=<>!&|,".contains(character)
    });
    let word = field.word();
    if plain && !number {
        write!(formatter, "{word}:{name}")
    } else {
        write!(formatter, "{word}:{}", quote(name))
    }
}

/// Formats a text to search for, in quotation marks unless it parses the same
/// without.
fn format_text_term(text: &str) -> String {
    let reads_the_same = || {
        parse(text).is_ok_and(|read| match read {
            Some(Expr::Leaf(Predicate::Text(again))) => again == text,
            _ => false,
        })
    };
    if !text.starts_with('"') && !text.chars().any(is_deceptive) && reads_the_same() {
        text.to_owned()
    } else {
        quote(text)
    }
}
