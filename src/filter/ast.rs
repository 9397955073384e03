//! What a filter says, apart from how it was written: the tree that ss's
//! grammar and the sugar are two spellings of.

use super::states::States;
use crate::model::protocol::{Family, Protocol};
use crate::model::urgency::Urgency;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A condition. Joins have two or more members, none of them a join of the
/// same kind, so that one meaning has one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    /// All of these.
    And(Vec<Expr>),
    /// At least one of these.
    Or(Vec<Expr>),
    /// Not this.
    Not(Box<Expr>),
    /// A single question.
    Is(Test),
}

impl Expr {
    /// Joins conditions of which all must hold.
    pub(super) fn and(parts: Vec<Self>) -> Self {
        Self::join(parts, Self::And, |part| match part {
            Self::And(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// Joins conditions of which one must hold.
    pub(super) fn or(parts: Vec<Self>) -> Self {
        Self::join(parts, Self::Or, |part| match part {
            Self::Or(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// The opposite.
    pub(super) fn not(self) -> Self {
        Self::Not(Box::new(self))
    }

    fn join(
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

/// A question to a row that has no smaller ones inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// Is its state one of these?
    States(States),
    /// Is the port of that end one of these?
    Port(End, Ports),
    /// Is the address of that end within the prefix, and its port this one?
    Host(End, Prefix, Option<u16>),
    /// Does this fact about an owner contain this?
    Owner(Fact, String),
    /// Does the name or number of its network namespace contain this?
    Namespace(String),
    /// Is it bound to the interface of this name or number?
    Device(String),
    /// Is its local port one that the kernel gives to who asks for none?
    Autobound,
    /// Is a process of this number among the owners?
    Pid(u32),
    /// Was it opened by the user of this name?
    User(String),
    /// Was it opened by the user of this number?
    Uid(u32),
    /// Is this its protocol?
    Protocol(Protocol),
    /// Does it carry this family? An IPv6 socket that takes IPv4, too, carries both.
    Family(Family),
    /// Is this its inode?
    Inode(u32),
    /// How does a number of it compare?
    Number(Number, Compare, u64),
    /// How does the time in its present state compare, in seconds?
    Age(Compare, u64),
    /// How does its round-trip time compare, in microseconds?
    RoundTrip(Compare, u64),
    /// Is it as urgent as this?
    Urgency(Urgency),
    /// Does anything that is shown of it contain this, or a command line or path of
    /// an owner?
    Text(String),
    /// The same without command lines and paths: what is ended or closed is named.
    Shown(String),
}

/// The texts that are known of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// Its name, or the base name of its program.
    Process,
    /// Its unit or container.
    Unit,
    /// Its command line, the arguments joined with spaces.
    Command,
    /// The path of its program.
    Exe,
    /// Its working directory.
    Directory,
    /// The path of its control group, from its beginning.
    ControlGroup,
}

/// Which end of a socket a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// This machine's.
    Local,
    /// The peer's. A row without a peer has none, so every question about it
    /// is answered with no.
    Remote,
    /// At least one of the two, where no end is named. A signal is meant for the
    /// local one: see [`Expr::with_local_ports`].
    Either,
    /// At least one of the two, by the word `either`.
    Any,
}

/// Some ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ports {
    /// Those that compare so with this one.
    Compare(Compare, u16),
    /// From the first to the last, both included; the first is the smaller.
    Range(u16, u16),
}

/// The numbers of a row that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// Bytes received and not yet read, or connections waiting.
    RecvQueue,
    /// Bytes sent and not acknowledged, or a listener's backlog.
    SendQueue,
    /// How often something has been sent again.
    Retransmits,
    /// Bytes received a second.
    RxRate,
    /// Bytes sent and acknowledged a second.
    TxRate,
    /// Datagrams or connection requests dropped at the socket.
    Drops,
}

impl Expr {
    /// The same conditions, with each port that names no end taken for the local
    /// port.
    pub(super) fn with_local_ports(&self) -> Self {
        let all = |parts: &[Self]| parts.iter().map(Self::with_local_ports).collect();
        match self {
            Self::And(parts) => Self::And(all(parts)),
            Self::Or(parts) => Self::Or(all(parts)),
            Self::Not(inner) => Self::Not(Box::new(inner.with_local_ports())),
            Self::Is(Test::Port(End::Either, ports)) => Self::Is(Test::Port(End::Local, *ports)),
            Self::Is(Test::Host(End::Either, prefix, port @ Some(_))) => {
                Self::Is(Test::Host(End::Local, *prefix, *port))
            }
            Self::Is(test) => Self::Is(test.clone()),
        }
    }

    /// True if a port that names no end is asked for. What `not` keeps away is not
    /// asked for.
    pub(super) fn asks_for_bare_port(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::asks_for_bare_port),
            Self::Is(Test::Port(End::Either, _) | Test::Host(End::Either, _, Some(_))) => true,
            Self::Not(_) | Self::Is(_) => false,
        }
    }

    /// The same conditions, with texts looked for in no command line and no path.
    pub(super) fn without_command_lines(&self) -> Self {
        let all = |parts: &[Self]| parts.iter().map(Self::without_command_lines).collect();
        match self {
            Self::And(parts) => Self::And(all(parts)),
            Self::Or(parts) => Self::Or(all(parts)),
            Self::Not(inner) => Self::Not(Box::new(inner.without_command_lines())),
            Self::Is(Test::Text(text)) => Self::Is(Test::Shown(text.clone())),
            Self::Is(test) => Self::Is(test.clone()),
        }
    }

    /// Adds the texts that are looked for anywhere within.
    pub(super) fn collect_texts<'e>(&'e self, into: &mut Vec<&'e str>) {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.collect_texts(into);
                }
            }
            Self::Not(inner) => inner.collect_texts(into),
            Self::Is(Test::Text(text) | Test::Shown(text)) => into.push(text),
            Self::Is(_) => {}
        }
    }

    /// Whether it asks such a question anywhere within.
    pub(super) fn asks(&self, such: fn(&Test) -> bool) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.asks(such)),
            Self::Not(inner) => inner.asks(such),
            Self::Is(test) => such(test),
        }
    }
}

impl Test {
    /// Whether nothing but what connections carry can answer it.
    pub(super) fn is_of_flow(&self) -> bool {
        matches!(
            self,
            Self::RoundTrip(..) | Self::Number(Number::RxRate | Number::TxRate, ..)
        )
    }

    /// Whether that answers it better than the table alone.
    pub(super) fn gains_from_flow(&self) -> bool {
        self.is_of_flow() || matches!(self, Self::Number(Number::Retransmits, ..))
    }
}

/// How one number stands to another. "Unequal" is [`Expr::Not`] of equal, so
/// that for either of two ends it means "neither".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    /// The same.
    Equal,
    /// Below.
    Less,
    /// Below or the same.
    LessOrEqual,
    /// Above.
    Greater,
    /// Above or the same.
    GreaterOrEqual,
}

impl Compare {
    /// Whether `left` stands so to `right`.
    pub(super) fn holds<T: PartialOrd + Copy>(self, left: T, right: T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    /// The sign for it.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// The addresses whose first bits are these. Bits beyond the length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The prefix of that many bits around an address; none if the address
    /// has fewer. A v4-mapped address becomes the IPv4 one it stands for, as
    /// far as the length leaves the mark of the mapping alone.
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

    /// Just this address.
    pub(super) fn whole(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self {
            address,
            length: Self::most(address),
        }
    }

    /// The first address of the prefix.
    pub(super) fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits count; none if all do.
    pub(super) fn length(self) -> Option<u8> {
        (self.length < Self::most(self.address)).then_some(self.length)
    }

    /// Whether an address, in its canonical form, is within.
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

    fn most(address: IpAddr) -> u8 {
        match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }
}
