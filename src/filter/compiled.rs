//! Compiled predicates of a filter, and their evaluation for a row.

use super::ast::{AddressPrefix, Comparison, EndSelector, NumericField, PortMatch};
use super::free_text::Needle;
use super::process_matches::{OpenerSet, ProcessMatches, has_hidden_holder};
use super::state_set::StateSet;
use super::truth::{KnownNumber, Truth};
use super::unknown_reason::UnknownReason;
use crate::model::endpoint::Endpoint;
use crate::model::observation::Observation;
use crate::model::owner::User;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::row::Row;
use crate::model::socket::Socket;
use crate::model::socket_memory::SocketMemory;
use crate::model::state::State;
use crate::model::urgency::{RowUrgencies, Urgency};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// A compiled predicate.
#[derive(Debug)]
pub(super) enum CompiledPredicate {
    States(StateSet),
    Port(EndSelector, RangeInclusive<u16>),
    Host(EndSelector, AddressPrefix, Option<u16>),
    /// Holders, and optionally the last owner.
    Process {
        wanted: ProcessMatches,
        /// Units that answer for sockets without a known holder.
        openers: OpenerSet,
        or_last: bool,
    },
    Uid(u32),
    /// The users of a name, ascending.
    UserNames(Vec<u32>),
    /// The network namespaces of a name, or the number itself.
    Namespaces(NameOrNumber, Vec<u32>),
    /// An interface.
    Device(NameOrNumber),
    /// The range of automatically assigned ports.
    Autobound(Option<(u16, u16)>),
    Protocol(Protocol),
    Family(IpFamily),
    Inode(u32),
    Number(NumericField, Comparison, u64),
    Age(Comparison, u64),
    RoundTrip(Comparison, u64),
    /// Urgency of the rows, if evaluated.
    Urgency(Urgency, Option<Arc<RowUrgencies>>),
    Text(Box<Needle>),
}

/// A name that may be a number.
#[derive(Debug)]
pub(super) struct NameOrNumber {
    text: String,
    number: Option<u32>,
}

impl NameOrNumber {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            number: text.parse().ok(),
        }
    }
}

impl CompiledPredicate {
    /// Returns the matching ports as a range, which may be empty.
    pub(super) fn port(end: EndSelector, ports: PortMatch) -> Self {
        const NOTHING: RangeInclusive<u16> = RangeInclusive::new(1, 0);
        let range = match ports {
            PortMatch::Range(first, last) => first..=last,
            PortMatch::Compare(Comparison::Equal, port) => port..=port,
            PortMatch::Compare(Comparison::LessOrEqual, port) => 0..=port,
            PortMatch::Compare(Comparison::GreaterOrEqual, port) => port..=u16::MAX,
            PortMatch::Compare(Comparison::Less, port) => {
                port.checked_sub(1).map_or(NOTHING, |last| 0..=last)
            }
            PortMatch::Compare(Comparison::Greater, port) => port
                .checked_add(1)
                .map_or(NOTHING, |first| first..=u16::MAX),
        };
        Self::Port(end, range)
    }

    pub(super) fn evaluate(&self, row: &Row, observation: &Observation) -> Truth {
        let socket = &row.socket;
        match self {
            Self::States(states) => states.contains(socket.state).into(),
            Self::Port(end, ports) => {
                evaluate_ends(*end, row, |_, point| ports.contains(&point.port).into())
            }
            Self::Host(end, prefix, port) => evaluate_ends(*end, row, |own, point| {
                if port.is_some_and(|port| port != point.port) {
                    return Truth::No;
                }
                if prefix.contains(point.address()) {
                    return Truth::Yes;
                }
                if own && is_ipv4_any(*prefix) && point.is_unspecified() {
                    let taken = socket.carries_family(IpFamily::Inet);
                    return taken.map_or(Truth::Unknown, Truth::from);
                }
                Truth::No
            }),
            Self::Process {
                wanted,
                openers,
                or_last,
            } => wanted
                .evaluate_holders(row, observation, *or_last)
                .max(openers.opened(row, observation).into()),
            Self::Uid(uid) => (socket.known_uid() == Some(*uid)).into(),
            Self::UserNames(wanted) => evaluate_user(socket.known_uid(), wanted, observation),
            Self::Namespaces(name, wanted) => {
                evaluate_namespace(socket.namespace, name, wanted, observation)
            }
            Self::Device(name) => evaluate_device(name, row, observation),
            Self::Autobound(range) => evaluate_autobound(*range, socket.local.port),
            Self::Protocol(protocol) => (socket.protocol == *protocol).into(),
            Self::Family(family) => socket
                .carries_family(*family)
                .map_or(Truth::Unknown, Truth::from),
            Self::Inode(inode) => socket
                .inode
                .is_some_and(|known| known.get() == *inode)
                .into(),
            Self::Number(number, compare, value) => {
                numeric_value(*number, row, observation).compare(*compare, *value)
            }
            Self::Age(compare, seconds) => match compare {
                // '=' compares whole seconds: no age equals a minute to the
                // hundredth.
                Comparison::Equal => measured_age(state_age(row, observation), |age| age.as_secs())
                    .compare(Comparison::Equal, *seconds),
                other => measured_age(state_age(row, observation), centiseconds)
                    .compare(*other, seconds.saturating_mul(100)),
            },
            Self::RoundTrip(compare, microseconds) => {
                round_trip_time(row, observation).compare(*compare, *microseconds)
            }
            Self::Urgency(wanted, known) => known.as_ref().map_or(Truth::Unknown, |known| {
                (known.of_row(row) == *wanted).into()
            }),
            Self::Text(needle) => needle.evaluate(row, observation),
        }
    }

    /// Returns the reason why the result is unknown, if it is.
    pub(super) fn unknown_reason(
        &self,
        row: &Row,
        observation: &Observation,
    ) -> Option<UnknownReason> {
        Some(match self {
            Self::Process { .. } | Self::Text(_) if has_hidden_holder(row) => UnknownReason::Owner,
            Self::Process { .. } | Self::Text(_) => UnknownReason::Process,
            Self::UserNames(_) => UnknownReason::User,
            Self::Namespaces(..) => UnknownReason::Namespace,
            Self::Device(_) => UnknownReason::Device,
            Self::Autobound(_) => UnknownReason::PortRange,
            Self::Family(_) | Self::Host(..) => UnknownReason::Ipv4,
            Self::Number(NumericField::RxRate | NumericField::TxRate, ..) => UnknownReason::Rate,
            Self::Number(NumericField::Retransmits, ..) => UnknownReason::Retransmits,
            Self::Number(NumericField::SendQueue, ..) => UnknownReason::Backlog,
            Self::Number(NumericField::Drops, ..) => UnknownReason::Drops,
            Self::RoundTrip(..) => UnknownReason::RoundTrip,
            Self::Age(_, seconds) => UnknownReason::Age {
                at_least: state_age(row, observation).0,
                limit: Duration::from_secs(*seconds),
            },
            Self::States(_)
            | Self::Port(..)
            | Self::Uid(_)
            | Self::Protocol(_)
            | Self::Inode(_)
            | Self::Urgency(..)
            | Self::Number(NumericField::RecvQueue, ..) => return None,
        })
    }
}

/// Evaluates a condition on one end or both; its argument is true for the local
/// end. A row without a peer has no remote end.
fn evaluate_ends(end: EndSelector, row: &Row, asked: impl Fn(bool, Endpoint) -> Truth) -> Truth {
    let local = || asked(true, row.socket.local);
    let remote = || {
        let peer = row.socket.peer();
        peer.map_or(Truth::No, |peer| asked(false, peer))
    };
    match end {
        EndSelector::Local => local(),
        EndSelector::Remote => remote(),
        EndSelector::Unspecified | EndSelector::ExplicitEither => local().max(remote()),
    }
}

/// True for 0.0.0.0, which a socket bound to `::` may accept as well.
fn is_ipv4_any(prefix: AddressPrefix) -> bool {
    prefix.address() == IpAddr::V4(Ipv4Addr::UNSPECIFIED) && prefix.length().is_none()
}

/// A user whose name is not resolved yet may have any name. A socket that no
/// program holds has no user.
fn evaluate_user(uid: Option<u32>, wanted: &[u32], observation: &Observation) -> Truth {
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

fn evaluate_namespace(
    id: u32,
    name: &NameOrNumber,
    wanted: &[u32],
    observation: &Observation,
) -> Truth {
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
fn evaluate_device(name: &NameOrNumber, row: &Row, observation: &Observation) -> Truth {
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

fn evaluate_autobound(range: Option<(u16, u16)>, port: u16) -> Truth {
    match range {
        _ if port == 0 => Truth::No,
        Some((first, last)) => (first..=last).contains(&port).into(),
        None => Truth::Unknown,
    }
}

/// Returns the time in the present state, and true if it is only a lower bound.
pub(super) fn state_age(row: &Row, observation: &Observation) -> (Duration, bool) {
    let age = observation.state_age(row);
    (age.at_least, !age.is_exact)
}

fn measured_age((age, bound): (Duration, bool), unit: fn(Duration) -> u64) -> KnownNumber {
    if bound {
        KnownNumber::AtLeast(unit(age))
    } else {
        KnownNumber::Exactly(unit(age))
    }
}

fn centiseconds(age: Duration) -> u64 {
    u64::try_from(age.as_millis() / 10).unwrap_or(u64::MAX)
}

/// Returns a number that only connections have, as far as it is known.
fn connection_value(socket: &Socket, known: Option<u64>) -> KnownNumber {
    match known {
        Some(known) => KnownNumber::Exactly(known),
        None if socket.is_connection() => KnownNumber::Unknown,
        None => KnownNumber::Nobody,
    }
}

fn numeric_value(number: NumericField, row: &Row, observation: &Observation) -> KnownNumber {
    let socket = &row.socket;
    let flow = || observation.table_metrics(row);
    match number {
        NumericField::RecvQueue => KnownNumber::Exactly(socket.recv_queue.into()),
        NumericField::SendQueue if socket.state == State::Listen => {
            socket.backlog().map_or(KnownNumber::Unknown, |backlog| {
                KnownNumber::Exactly(backlog.into())
            })
        }
        NumericField::SendQueue => KnownNumber::Exactly(socket.send_queue.into()),
        NumericField::Retransmits => match observation.retransmits(row) {
            None => KnownNumber::Nobody,
            // Without `TCP_INFO` only retransmissions since the last answer are
            // known.
            Some(open) if observation.tcp_metrics(row).is_none() && socket.is_connection() => {
                KnownNumber::AtLeast(open.into())
            }
            Some(all) => KnownNumber::Exactly(all.into()),
        },
        NumericField::RxRate => connection_value(
            socket,
            flow().and_then(|flow| Some(flow.rx_rate?.bytes_per_second())),
        ),
        NumericField::Drops if !SocketMemory::is_listed(socket) => KnownNumber::Nobody,
        NumericField::Drops => observation
            .drops(row)
            .map_or(KnownNumber::Unknown, |drops| {
                KnownNumber::Exactly(drops.into())
            }),
        NumericField::TxRate => connection_value(
            socket,
            flow().and_then(|flow| Some(flow.tx_rate?.bytes_per_second())),
        ),
    }
}

/// Returns the round-trip time; before the first answer there is none.
fn round_trip_time(row: &Row, observation: &Observation) -> KnownNumber {
    if row.socket.state == State::SynSent {
        return KnownNumber::Nobody;
    }
    let flow = observation.table_metrics(row);
    connection_value(
        &row.socket,
        flow.and_then(|flow| flow.rtt_us).map(u64::from),
    )
}
