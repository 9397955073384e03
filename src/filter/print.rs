//! The canonical text of a filter: parsing it gives the same tree again.

use super::ast::{Compare, End, Expr, Number, Ports, Prefix, Test};
use super::field::Field;
use super::parse::parse;
use super::token::quote;
use super::value::{AUTOBOUND, FINE_UNITS, UNITS};
use crate::model::text::is_deceptive;
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

impl Display for Expr {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => join(formatter, parts, " and "),
            Self::Or(parts) => join(formatter, parts, " or "),
            Self::Not(inner) => match inner.as_ref() {
                Self::Is(test) => test.write(formatter, true),
                Self::Not(_) => write!(formatter, "not {inner}"),
                Self::And(_) | Self::Or(_) => write!(formatter, "not ({inner})"),
            },
            Self::Is(test) => test.write(formatter, false),
        }
    }
}

fn join(formatter: &mut Formatter<'_>, parts: &[Expr], between: &str) -> fmt::Result {
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

impl Test {
    /// Writes the predicate or its negation: with an operator for "unequal" if
    /// there is one, which is shorter than `not`.
    fn write(&self, formatter: &mut Formatter<'_>, negated: bool) -> fmt::Result {
        if let Some((field, value)) = self.equation().filter(|_| negated) {
            return write!(formatter, "{} != {value}", field.word());
        }
        if negated {
            formatter.write_str("not ")?;
        }
        match self {
            Self::States(states) => write!(formatter, "{states}"),
            Self::Port(end, Ports::Range(first, last)) => {
                write!(formatter, "{}:{first}-{last}", Field::Port(*end).word())
            }
            Self::Port(end @ (End::Either | End::Any), Ports::Compare(Compare::Equal, port)) => {
                write!(formatter, "{}:{port}", Field::Port(*end).word())
            }
            Self::Port(end, Ports::Compare(compare, port)) => {
                let sign = compare.sign();
                write!(formatter, "{} {sign} :{port}", Field::Port(*end).word())
            }
            Self::Host(end, prefix, port) => {
                write!(
                    formatter,
                    "{} {}",
                    Field::Host(*end).word(),
                    host(*prefix, *port)
                )
            }
            Self::Owner(fact, needle) => named(formatter, Field::Owner(*fact), needle),
            Self::Device(name) => named(formatter, Field::Device, name),
            Self::Autobound => formatter.write_str(AUTOBOUND),
            Self::Namespace(needle) => named(formatter, Field::Namespace, needle),
            Self::User(name) => named(formatter, Field::User, name),
            Self::Pid(pid) => write!(formatter, "pid:{pid}"),
            Self::Uid(uid) => write!(formatter, "uid:{uid}"),
            Self::Inode(inode) => write!(formatter, "inode:{inode}"),
            Self::Protocol(protocol) => formatter.write_str(protocol.word()),
            Self::Family(family) => formatter.write_str(family.word()),
            Self::Number(number, compare, value) => {
                write!(formatter, "{} {} {value}", number.word(), compare.sign())
            }
            Self::Age(compare, seconds) => {
                write!(formatter, "age {} {}", compare.sign(), time(*seconds))
            }
            Self::RoundTrip(compare, microseconds) => {
                let word = Field::RoundTrip.word();
                write!(
                    formatter,
                    "{word} {} {}",
                    compare.sign(),
                    fine(*microseconds)
                )
            }
            Self::Urgency(urgency) => write!(formatter, "urgency:{}", urgency.key()),
            Self::Text(text) | Self::Shown(text) => formatter.write_str(&free(text)),
        }
    }

    /// Returns field and value of a predicate of equality, if both have a text.
    fn equation(&self) -> Option<(Field, String)> {
        match self {
            Self::Port(end, Ports::Compare(Compare::Equal, port)) => {
                Some((Field::Port(*end), format!(":{port}")))
            }
            Self::Host(end, prefix, port) => Some((Field::Host(*end), host(*prefix, *port))),
            Self::Number(number, Compare::Equal, value) => {
                Some((Field::Number(*number), value.to_string()))
            }
            Self::Age(Compare::Equal, seconds) => Some((Field::Age, time(*seconds))),
            Self::RoundTrip(Compare::Equal, microseconds) => {
                Some((Field::RoundTrip, fine(*microseconds)))
            }
            _ => None,
        }
    }
}

impl Number {
    fn word(self) -> &'static str {
        Field::Number(self).word()
    }
}

/// Formats an address, with brackets if a port would else be ambiguous.
fn host(prefix: Prefix, port: Option<u16>) -> String {
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
fn time(seconds: u64) -> String {
    UNITS
        .into_iter()
        .find(|(_, factor)| seconds >= *factor && seconds.is_multiple_of(*factor))
        .map_or_else(
            || format!("{seconds}s"),
            |(letter, factor)| format!("{}{letter}", seconds / factor),
        )
}

/// Formats a round-trip time in the same way.
fn fine(microseconds: u64) -> String {
    FINE_UNITS
        .into_iter()
        .find(|(_, factor)| microseconds >= *factor && microseconds.is_multiple_of(*factor))
        .map_or_else(
            || format!("{microseconds}us"),
            |(unit, factor)| format!("{}{unit}", microseconds / factor),
        )
}

fn named(formatter: &mut Formatter<'_>, field: Field, name: &str) -> fmt::Result {
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
fn free(text: &str) -> String {
    let reads_the_same = || {
        parse(text).is_ok_and(|read| match read {
            Some(Expr::Is(Test::Text(again))) => again == text,
            _ => false,
        })
    };
    if !text.starts_with('"') && !text.chars().any(is_deceptive) && reads_the_same() {
        text.to_owned()
    } else {
        quote(text)
    }
}
