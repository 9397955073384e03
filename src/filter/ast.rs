//! The syntax tree of a filter, independent of its spelling: ss's grammar and the
//! short forms yield the same tree.

use super::state_set::StateSet;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::urgency::Urgency;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An expression. Joins have two or more members, none of them a join of the same
/// kind, so that one meaning has one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    /// All of these match.
    And(Vec<Expr>),
    /// At least one of these matches.
    Or(Vec<Expr>),
    /// This does not match.
    Not(Box<Expr>),
    /// A single predicate.
    Leaf(Predicate),
}

impl Expr {
    /// Joins expressions all of which must match.
    pub(super) fn and(parts: Vec<Self>) -> Self {
        Self::flatten(parts, Self::And, |part| match part {
            Self::And(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// Joins expressions one of which must match.
    pub(super) fn or(parts: Vec<Self>) -> Self {
        Self::flatten(parts, Self::Or, |part| match part {
            Self::Or(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// Negates the expression.
    pub(super) fn not(self) -> Self {
        Self::Not(Box::new(self))
    }

    fn flatten(
        parts: Vec<Self>,
        kind: fn(Vec<Self>) -> Self,
        open: fn(Self) -> Result<Vec<Self>, Self>,
    ) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match open(part) {
                Ok(inner) => flat.extend(inner),
                Err(other) => flat.push(other),
            }
        }
        match flat.pop() {
            Some(only) if flat.is_empty() => only,
            Some(last) => {
                flat.push(last);
                kind(flat)
            }
            None => kind(flat),
        }
    }
}

/// A predicate on a row, without inner expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Predicate {
    /// Its state is one of these.
    States(StateSet),
    /// The port of that end is one of these.
    Port(EndSelector, PortMatch),
    /// The address of that end is within the prefix, and its port is this one.
    Host(EndSelector, AddressPrefix, Option<u16>),
    /// This text of an owner contains this.
    Process(ProcessField, String),
    /// The name or number of its network namespace contains this.
    Namespace(String),
    /// It is bound to the interface of this name or number.
    Device(String),
    /// Its local port is in the range that the kernel assigns automatically.
    Autobound,
    /// A process of this number is among the owners.
    Pid(u32),
    /// It was opened by the user of this name.
    User(String),
    /// It was opened by the user of this number.
    Uid(u32),
    /// Its protocol is this.
    Protocol(Protocol),
    /// It carries this family. An IPv6 socket that accepts IPv4, too, carries
    /// both.
    Family(IpFamily),
    /// Its inode is this.
    Inode(u32),
    /// Comparison of one of its numbers.
    Number(NumericField, Comparison, u64),
    /// Comparison of the time in its present state, in seconds.
    Age(Comparison, u64),
    /// Comparison of its round-trip time, in microseconds.
    RoundTrip(Comparison, u64),
    /// Its urgency is this.
    Urgency(Urgency),
    /// A visible text of the row contains this, or a command line or path of an
    /// owner does.
    Text(String),
    /// A visible text of the row contains this: command lines and paths are not
    /// searched, as for actions.
    VisibleText(String),
}

/// The searchable texts of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcessField {
    /// Its name, or the base name of its program.
    Name,
    /// Its unit or container.
    Unit,
    /// Its command line, the arguments joined with spaces.
    CommandLine,
    /// The path of its program.
    Exe,
    /// Its working directory.
    WorkingDirectory,
    /// The path of its control group, matched from its beginning.
    Cgroup,
}

/// End of a socket that a predicate is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndSelector {
    /// This machine's.
    Local,
    /// The peer's. A row without a peer has none, so that no predicate about it
    /// matches.
    Remote,
    /// At least one of the two, if no end is named. For signals it is the local
    /// one: see [`Expr::with_local_ports`].
    Unspecified,
    /// At least one of the two, by the word `either`.
    ExplicitEither,
}

/// A set of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortMatch {
    /// Those that compare like this with this one.
    Compare(Comparison, u16),
    /// From the first to the last, both included; the first is the smaller.
    Range(u16, u16),
}

/// The numbers of a row that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumericField {
    /// Bytes received and not yet read, or connections waiting.
    RecvQueue,
    /// Bytes sent and not acknowledged, or a listener's backlog.
    SendQueue,
    /// Number of retransmissions.
    Retransmits,
    /// Bytes received a second.
    RxRate,
    /// Bytes sent and acknowledged a second.
    TxRate,
    /// Datagrams or connection requests dropped at the socket.
    Drops,
}

impl Expr {
    /// Returns the expression with each port that names no end replaced by the
    /// local port.
    pub(super) fn with_local_ports(&self) -> Self {
        let all = |parts: &[Self]| parts.iter().map(Self::with_local_ports).collect();
        match self {
            Self::And(parts) => Self::And(all(parts)),
            Self::Or(parts) => Self::Or(all(parts)),
            Self::Not(inner) => Self::Not(Box::new(inner.with_local_ports())),
            Self::Leaf(Predicate::Port(EndSelector::Unspecified, ports)) => {
                Self::Leaf(Predicate::Port(EndSelector::Local, *ports))
            }
            Self::Leaf(Predicate::Host(EndSelector::Unspecified, prefix, port @ Some(_))) => {
                Self::Leaf(Predicate::Host(EndSelector::Local, *prefix, *port))
            }
            Self::Leaf(test) => Self::Leaf(test.clone()),
        }
    }

    /// True if it has a port that names no end. Ports within `not` do not count.
    pub(super) fn has_unqualified_port(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::has_unqualified_port),
            Self::Leaf(
                Predicate::Port(EndSelector::Unspecified, _)
                | Predicate::Host(EndSelector::Unspecified, _, Some(_)),
            ) => true,
            Self::Not(_) | Self::Leaf(_) => false,
        }
    }

    /// Returns the expression without search in command lines and paths.
    pub(super) fn without_command_lines(&self) -> Self {
        let all = |parts: &[Self]| parts.iter().map(Self::without_command_lines).collect();
        match self {
            Self::And(parts) => Self::And(all(parts)),
            Self::Or(parts) => Self::Or(all(parts)),
            Self::Not(inner) => Self::Not(Box::new(inner.without_command_lines())),
            Self::Leaf(Predicate::Text(text)) => Self::Leaf(Predicate::VisibleText(text.clone())),
            Self::Leaf(test) => Self::Leaf(test.clone()),
        }
    }

    /// Appends the texts that are searched anywhere within.
    pub(super) fn collect_text_terms<'e>(&'e self, into: &mut Vec<&'e str>) {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.collect_text_terms(into);
                }
            }
            Self::Not(inner) => inner.collect_text_terms(into),
            Self::Leaf(Predicate::Text(text) | Predicate::VisibleText(text)) => into.push(text),
            Self::Leaf(_) => {}
        }
    }

    /// True if any predicate within satisfies the condition.
    pub(super) fn any_predicate(&self, such: fn(&Predicate) -> bool) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.any_predicate(such)),
            Self::Not(inner) => inner.any_predicate(such),
            Self::Leaf(test) => such(test),
        }
    }
}

impl Predicate {
    /// True if only TCP metrics can decide it.
    pub(super) fn requires_tcp_metrics(&self) -> bool {
        matches!(
            self,
            Self::RoundTrip(..) | Self::Number(NumericField::RxRate | NumericField::TxRate, ..)
        )
    }

    /// True if TCP metrics decide it better than the table alone.
    pub(super) fn uses_tcp_metrics(&self) -> bool {
        self.requires_tcp_metrics() || matches!(self, Self::Number(NumericField::Retransmits, ..))
    }
}

/// A comparison of two numbers. "Unequal" is [`Expr::Not`] of equal, so that for
/// either of two ends it means "neither".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Equal.
    Equal,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
}

impl Comparison {
    /// True if `left` compares like this with `right`.
    pub(super) fn evaluate<T: PartialOrd + Copy>(self, left: T, right: T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    /// The operator.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// An address prefix. Bits beyond the length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressPrefix {
    address: IpAddr,
    length: u8,
}

impl AddressPrefix {
    /// Returns the prefix of that many bits of an address; none if the address
    /// has fewer. A v4-mapped address becomes an IPv4 one if the length includes
    /// the whole mapping prefix.
    pub(super) fn new(address: IpAddr, length: u8) -> Option<Self> {
        match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(v4)) if (96..=128).contains(&length) => {
                Self::new(IpAddr::V4(v4), length - 96)
            }
            (IpAddr::V4(v4), _) => {
                let hidden = 32_u32.checked_sub(length.into())?;
                let cut = u32::from(v4) & u32::MAX.checked_shl(hidden).unwrap_or(0);
                Some(Self {
                    address: IpAddr::V4(Ipv4Addr::from(cut)),
                    length,
                })
            }
            (IpAddr::V6(v6), _) => {
                let hidden = 128_u32.checked_sub(length.into())?;
                let cut = u128::from(v6) & u128::MAX.checked_shl(hidden).unwrap_or(0);
                Some(Self {
                    address: IpAddr::V6(Ipv6Addr::from(cut)),
                    length,
                })
            }
        }
    }

    /// Returns the prefix of exactly this address.
    pub(super) fn host(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self {
            address,
            length: Self::max_length(address),
        }
    }

    /// The first address of the prefix.
    pub(super) fn address(self) -> IpAddr {
        self.address
    }

    /// Number of significant bits; none if all are.
    pub(super) fn length(self) -> Option<u8> {
        (self.length < Self::max_length(self.address)).then_some(self.length)
    }

    /// True if an address, in its canonical form, is within the prefix.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(first), IpAddr::V4(asked)) => {
                let differ = u32::from(first) ^ u32::from(asked);
                differ.leading_zeros() >= self.length.into()
            }
            (IpAddr::V6(first), IpAddr::V6(asked)) => {
                let differ = u128::from(first) ^ u128::from(asked);
                differ.leading_zeros() >= self.length.into()
            }
            _ => false,
        }
    }

    fn max_length(address: IpAddr) -> u8 {
        match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }
}
