//! Compiled predicates of a filter, and their evaluation for a row.

use super::ast::{Compare, End, Number, Ports, Prefix};
use super::doubt::Doubt;
use super::freetext::Needle;
use super::owners::{OpenerSet, ProcessSet, is_hidden};
use super::states::States;
use super::truth::{Measured, Truth};
use crate::model::endpoint::Endpoint;
use crate::model::observation::Observation;
use crate::model::owner::User;
use crate::model::protocol::{Family, Protocol};
use crate::model::row::Row;
use crate::model::socket::Socket;
use crate::model::socket_memory::SocketMemory;
use crate::model::state::State;
use crate::model::urgency::{Urgencies, Urgency};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// A compiled predicate.
#[derive(Debug)]
pub(super) enum Check {
    States(States),
    Port(End, RangeInclusive<u16>),
    Host(End, Prefix, Option<u16>),
    /// Holders, and optionally the last owner.
    Owner {
        wanted: ProcessSet,
        /// Units that answer for sockets without a known holder.
        openers: OpenerSet,
        or_last: bool,
    },
    Uid(u32),
    /// The users of a name, ascending.
    UserNames(Vec<u32>),
    /// The network namespaces of a name, or the number itself.
    Namespaces(Name, Vec<u32>),
    /// An interface.
    Device(Name),
    /// The range of automatically assigned ports.
    Autobound(Option<(u16, u16)>),
    Protocol(Protocol),
    Family(Family),
    Inode(u32),
    Number(Number, Compare, u64),
    Age(Compare, u64),
    RoundTrip(Compare, u64),
    /// Urgency of the rows, if evaluated.
    Urgency(Urgency, Option<Arc<Urgencies>>),
    Text(Box<Needle>),
}

/// A name that may be a number.
#[derive(Debug)]
pub(super) struct Name {
    text: String,
    number: Option<u32>,
}

impl Name {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            number: text.parse().ok(),
        }
    }
}

impl Check {
    /// Returns the matching ports as a range, which may be empty.
    pub(super) fn port(end: End, ports: Ports) -> Self {
        const NOTHING: RangeInclusive<u16> = RangeInclusive::new(1, 0);
        let range = match ports {
            Ports::Range(first, last) => first..=last,
            Ports::Compare(Compare::Equal, port) => port..=port,
            Ports::Compare(Compare::LessOrEqual, port) => 0..=port,
            Ports::Compare(Compare::GreaterOrEqual, port) => port..=u16::MAX,
            Ports::Compare(Compare::Less, port) => {
                port.checked_sub(1).map_or(NOTHING, |last| 0..=last)
            }
            Ports::Compare(Compare::Greater, port) => port
                .checked_add(1)
                .map_or(NOTHING, |first| first..=u16::MAX),
        };
        Self::Port(end, range)
    }

    pub(super) fn truth(&self, row: &Row, observation: &Observation) -> Truth {
        let socket = &row.socket;
        match self {
            Self::States(states) => states.contains(socket.state).into(),
            Self::Port(end, ports) => at(*end, row, |_, point| ports.contains(&point.port).into()),
            Self::Host(end, prefix, port) => at(*end, row, |own, point| {
                if port.is_some_and(|port| port != point.port) {
                    return Truth::No;
                }
                if prefix.contains(point.address()) {
                    return Truth::Yes;
                }
                if own && takes_any_v4(*prefix) && point.is_unspecified() {
                    let taken = socket.carries(Family::Inet);
                    return taken.map_or(Truth::Unknown, Truth::from);
                }
                Truth::No
            }),
            Self::Owner {
                wanted,
                openers,
                or_last,
            } => wanted
                .hold(row, observation, *or_last)
                .max(openers.opened(row, observation).into()),
            Self::Uid(uid) => (socket.user() == Some(*uid)).into(),
            Self::UserNames(wanted) => user(socket.user(), wanted, observation),
            Self::Namespaces(name, wanted) => {
                namespace(socket.namespace, name, wanted, observation)
            }
            Self::Device(name) => device(name, row, observation),
            Self::Autobound(range) => autobound(*range, socket.local.port),
            Self::Protocol(protocol) => (socket.protocol == *protocol).into(),
            Self::Family(family) => socket.carries(*family).map_or(Truth::Unknown, Truth::from),
            Self::Inode(inode) => socket
                .inode
                .is_some_and(|known| known.get() == *inode)
                .into(),
            Self::Number(number, compare, value) => {
                number_of(*number, row, observation).compare(*compare, *value)
            }
            Self::Age(compare, seconds) => match compare {
                // '=' compares whole seconds: no age equals a minute to the
                // hundredth.
                Compare::Equal => measured(age(row, observation), |age| age.as_secs())
                    .compare(Compare::Equal, *seconds),
                other => measured(age(row, observation), hundredths)
                    .compare(*other, seconds.saturating_mul(100)),
            },
            Self::RoundTrip(compare, microseconds) => {
                round_trip(row, observation).compare(*compare, *microseconds)
            }
            Self::Urgency(wanted, known) => known
                .as_ref()
                .map_or(Truth::Unknown, |known| (known.of(row) == *wanted).into()),
            Self::Text(needle) => needle.is_in(row, observation),
        }
    }

    /// Returns the reason why the result is unknown, if it is.
    pub(super) fn doubt(&self, row: &Row, observation: &Observation) -> Option<Doubt> {
        Some(match self {
            Self::Owner { .. } | Self::Text(_) if is_hidden(row) => Doubt::Owner,
            Self::Owner { .. } | Self::Text(_) => Doubt::Process,
            Self::UserNames(_) => Doubt::User,
            Self::Namespaces(..) => Doubt::Namespace,
            Self::Device(_) => Doubt::Device,
            Self::Autobound(_) => Doubt::PortRange,
            Self::Family(_) | Self::Host(..) => Doubt::Ipv4,
            Self::Number(Number::RxRate | Number::TxRate, ..) => Doubt::Rate,
            Self::Number(Number::Retransmits, ..) => Doubt::Retransmits,
            Self::Number(Number::SendQueue, ..) => Doubt::Backlog,
            Self::Number(Number::Drops, ..) => Doubt::Drops,
            Self::RoundTrip(..) => Doubt::RoundTrip,
            Self::Age(_, seconds) => Doubt::Age {
                at_least: age(row, observation).0,
                limit: Duration::from_secs(*seconds),
            },
            Self::States(_)
            | Self::Port(..)
            | Self::Uid(_)
            | Self::Protocol(_)
            | Self::Inode(_)
            | Self::Urgency(..)
            | Self::Number(Number::RecvQueue, ..) => return None,
        })
    }
}

/// Evaluates a condition on one end or both; its argument is true for the local
/// end. A row without a peer has no remote end.
fn at(end: End, row: &Row, asked: impl Fn(bool, Endpoint) -> Truth) -> Truth {
    let local = || asked(true, row.socket.local);
    let remote = || {
        let peer = row.socket.peer();
        peer.map_or(Truth::No, |peer| asked(false, peer))
    };
    match end {
        End::Local => local(),
        End::Remote => remote(),
        End::Either | End::Any => local().max(remote()),
    }
}

/// True for 0.0.0.0, which a socket bound to `::` may accept as well.
fn takes_any_v4(prefix: Prefix) -> bool {
    prefix.address() == IpAddr::V4(Ipv4Addr::UNSPECIFIED) && prefix.length().is_none()
}

/// A user whose name is not resolved yet may have any name. A socket that no
/// program holds has no user.
fn user(uid: Option<u32>, wanted: &[u32], observation: &Observation) -> Truth {
    let Some(uid) = uid else {
        return Truth::No;
    };
    let by_id = |user: &User| user.uid;
    if wanted.binary_search(&uid).is_ok() {
        Truth::Yes
    } else if observation.users.binary_search_by_key(&uid, by_id).is_ok() {
        Truth::No
    } else {
        Truth::Unknown
    }
}

fn namespace(id: u32, name: &Name, wanted: &[u32], observation: &Observation) -> Truth {
    if wanted.contains(&id) || (id != 0 && name.number == Some(id)) {
        return Truth::Yes;
    }
    let mut known = observation.namespaces.iter();
    if id != 0 && (name.number.is_some() || known.any(|known| known.id == id)) {
        Truth::No
    } else {
        Truth::Unknown
    }
}

/// `/proc` does not report interfaces, and gives no cookies.
fn device(name: &Name, row: &Row, observation: &Observation) -> Truth {
    let index = row.socket.interface;
    if index == 0 {
        return Truth::yes_or_unknown(row.socket.cookie.is_some()).negated();
    }
    if name.number == Some(index) {
        return Truth::Yes;
    }
    match observation.interface(&row.socket) {
        Some(known) => (known.as_str() == name.text).into(),
        None => Truth::Unknown,
    }
}

fn autobound(range: Option<(u16, u16)>, port: u16) -> Truth {
    match range {
        _ if port == 0 => Truth::No,
        Some((first, last)) => (first..=last).contains(&port).into(),
        None => Truth::Unknown,
    }
}

/// Returns the time in the present state, and true if it is only a lower bound.
pub(super) fn age(row: &Row, observation: &Observation) -> (Duration, bool) {
    let age = observation.state_age(row);
    (age.at_least, !age.is_exact)
}

fn measured((age, bound): (Duration, bool), unit: fn(Duration) -> u64) -> Measured {
    if bound {
        Measured::AtLeast(unit(age))
    } else {
        Measured::Exact(unit(age))
    }
}

fn hundredths(age: Duration) -> u64 {
    u64::try_from(age.as_millis() / 10).unwrap_or(u64::MAX)
}

/// Returns a number that only connections have, as far as it is known.
fn of_connection(socket: &Socket, known: Option<u64>) -> Measured {
    match known {
        Some(known) => Measured::Exact(known),
        None if socket.is_connection() => Measured::Unknown,
        None => Measured::Absent,
    }
}

fn number_of(number: Number, row: &Row, observation: &Observation) -> Measured {
    let socket = &row.socket;
    let flow = || observation.table_flow(row);
    match number {
        Number::RecvQueue => Measured::Exact(socket.recv_queue.into()),
        Number::SendQueue if socket.state == State::Listen => socket
            .backlog()
            .map_or(Measured::Unknown, |backlog| Measured::Exact(backlog.into())),
        Number::SendQueue => Measured::Exact(socket.send_queue.into()),
        Number::Retransmits => match observation.retransmits(row) {
            None => Measured::Absent,
            // Without `TCP_INFO` only retransmissions since the last answer are
            // known.
            Some(open) if observation.flow(row).is_none() && socket.is_connection() => {
                Measured::AtLeast(open.into())
            }
            Some(all) => Measured::Exact(all.into()),
        },
        Number::RxRate => of_connection(socket, flow().and_then(|flow| Some(flow.rx?.bytes()))),
        Number::Drops if !SocketMemory::is_listed(socket) => Measured::Absent,
        Number::Drops => observation
            .drops(row)
            .map_or(Measured::Unknown, |drops| Measured::Exact(drops.into())),
        Number::TxRate => of_connection(socket, flow().and_then(|flow| Some(flow.tx?.bytes()))),
    }
}

/// Returns the round-trip time; before the first answer there is none.
fn round_trip(row: &Row, observation: &Observation) -> Measured {
    if row.socket.state == State::SynSent {
        return Measured::Absent;
    }
    let flow = observation.table_flow(row);
    of_connection(
        &row.socket,
        flow.and_then(|flow| flow.rtt_us).map(u64::from),
    )
}
