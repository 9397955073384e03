//! Asking a row whether a filter wants it, a hundred thousand times in a few
//! milliseconds.
//!
//! What can be answered once for a process or a user is answered when the
//! matcher is made, so that a row needs only looking up.

use super::Filter;
use super::ast::{Compare, End, Expr, Number, Ports, Prefix, Test};
use super::freetext::Needle;
use super::states::States;
use crate::model::endpoint::Endpoint;
use crate::model::observation::Observation;
use crate::model::owner::ProcessId;
use crate::model::process::Process;
use crate::model::protocol::{Family, Protocol};
use crate::model::row::Row;
use std::ops::RangeInclusive;

/// A filter made ready for the rows of one observation.
#[derive(Debug)]
pub struct Matcher<'o> {
    observation: &'o Observation,
    node: Option<Node>,
}

/// The tree with every question made ready. No deeper than what was parsed.
#[derive(Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Is(Check),
}

/// A question made ready.
#[derive(Debug)]
enum Check {
    States(States),
    Port(End, RangeInclusive<u16>),
    Host(End, Prefix, Option<u16>),
    /// Holders, and where the last owner counts too, that one.
    Owner {
        wanted: ProcessSet,
        or_last: bool,
    },
    /// Some users, ascending.
    Users(Vec<u32>),
    /// Some network namespaces.
    Namespaces(Vec<u32>),
    Protocol(Protocol),
    Family(Family),
    Inode(u32),
    Number(Number, Compare, u64),
    Age(Compare, u64),
    RoundTrip(Compare, u64),
    Text(Box<Needle>),
}

impl<'o> Matcher<'o> {
    /// Makes a filter ready.
    #[must_use]
    pub fn new(filter: &Filter, observation: &'o Observation) -> Self {
        let ready = filter.expr.as_ref().map(|expr| node(expr, observation));
        Self {
            observation,
            node: ready,
        }
    }

    /// Whether the filter wants a row of its observation.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        self.node
            .as_ref()
            .is_none_or(|node| node.holds(row, self.observation))
    }
}

impl Node {
    fn holds(&self, row: &Row, observation: &Observation) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(row, observation)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(row, observation)),
            Self::Not(inner) => !inner.holds(row, observation),
            Self::Is(check) => check.holds(row, observation),
        }
    }
}

fn node(expr: &Expr, observation: &Observation) -> Node {
    let all = |parts: &[Expr]| parts.iter().map(|part| node(part, observation)).collect();
    match expr {
        Expr::And(parts) => Node::And(all(parts)),
        Expr::Or(parts) => Node::Or(all(parts)),
        Expr::Not(inner) => Node::Not(Box::new(node(inner, observation))),
        Expr::Is(question) => Node::Is(check(question, observation)),
    }
}

fn check(question: &Test, observation: &Observation) -> Check {
    match question {
        Test::States(states) => Check::States(*states),
        Test::Port(end, ports) => Check::Port(*end, range(*ports)),
        Test::Host(end, prefix, port) => Check::Host(*end, *prefix, *port),
        Test::Process(text) => {
            let needle = text.to_lowercase();
            Check::Owner {
                wanted: ProcessSet::new(observation, |process| is_called(process, &needle)),
                or_last: true,
            }
        }
        Test::Unit(text) => {
            let needle = text.to_lowercase();
            Check::Owner {
                wanted: ProcessSet::new(observation, |process| runs_in(process, &needle)),
                or_last: true,
            }
        }
        Test::Namespace(text) => Check::Namespaces(namespaces(observation, text)),
        Test::Pid(pid) => Check::Owner {
            wanted: ProcessSet::new(observation, |process| process.pid == *pid),
            or_last: false,
        },
        Test::User(name) => {
            let wanted = name.to_lowercase();
            Check::Users(users(observation, |known| known.to_lowercase() == wanted))
        }
        Test::Uid(uid) => Check::Users(vec![*uid]),
        Test::Protocol(protocol) => Check::Protocol(*protocol),
        Test::Family(family) => Check::Family(*family),
        Test::Inode(inode) => Check::Inode(*inode),
        Test::Number(number, compare, value) => Check::Number(*number, *compare, *value),
        Test::Age(compare, seconds) => Check::Age(*compare, *seconds),
        Test::RoundTrip(compare, microseconds) => Check::RoundTrip(*compare, *microseconds),
        Test::Text(text) => Check::Text(Box::new(Needle::new(text, observation))),
    }
}

impl Check {
    fn holds(&self, row: &Row, observation: &Observation) -> bool {
        let socket = &row.socket;
        match self {
            Self::States(states) => states.contains(socket.state),
            Self::Port(end, ports) => at(*end, row, |point| ports.contains(&point.port)),
            Self::Host(end, prefix, port) => at(*end, row, |point| {
                port.is_none_or(|port| port == point.port) && prefix.contains(point.address())
            }),
            Self::Owner { wanted, or_last } => wanted.hold(row, observation, *or_last),
            Self::Users(wanted) => socket
                .user()
                .is_some_and(|uid| wanted.binary_search(&uid).is_ok()),
            Self::Namespaces(wanted) => wanted.contains(&socket.namespace),
            Self::Protocol(protocol) => socket.protocol == *protocol,
            Self::Family(family) => socket.family() == *family,
            Self::Inode(inode) => socket.inode.is_some_and(|known| known.get() == *inode),
            Self::Number(number, compare, value) => number_of(*number, row, observation)
                .is_some_and(|known| compare.holds(known, *value)),
            Self::Age(compare, seconds) => {
                let age = row.state_since.age(observation.time.stamp());
                match compare {
                    // Nothing is exactly a minute old to the hundredth.
                    Compare::Equal => age.as_secs() == *seconds,
                    other => other.holds(age, std::time::Duration::from_secs(*seconds)),
                }
            }
            Self::RoundTrip(compare, microseconds) => observation
                .table_flow(row)
                .and_then(|flow| flow.rtt_us)
                .is_some_and(|rtt| compare.holds(u64::from(rtt), *microseconds)),
            Self::Text(needle) => needle.is_in(row, observation),
        }
    }
}

/// Asks about one end or both. A row without a peer has no remote end.
fn at(end: End, row: &Row, holds: impl Fn(Endpoint) -> bool) -> bool {
    let remote = || row.socket.peer().is_some_and(&holds);
    match end {
        End::Local => holds(row.socket.local),
        End::Remote => remote(),
        End::Either | End::Any => holds(row.socket.local) || remote(),
    }
}

/// The ports that compare so, as a range, which may be empty.
fn range(ports: Ports) -> RangeInclusive<u16> {
    const NOTHING: RangeInclusive<u16> = RangeInclusive::new(1, 0);
    match ports {
        Ports::Range(first, last) => first..=last,
        Ports::Compare(Compare::Equal, port) => port..=port,
        Ports::Compare(Compare::LessOrEqual, port) => 0..=port,
        Ports::Compare(Compare::GreaterOrEqual, port) => port..=u16::MAX,
        Ports::Compare(Compare::Less, port) => port.checked_sub(1).map_or(NOTHING, |last| 0..=last),
        Ports::Compare(Compare::Greater, port) => port
            .checked_add(1)
            .map_or(NOTHING, |first| first..=u16::MAX),
    }
}

/// The number of a row; none where it has none, or it is not known.
fn number_of(number: Number, row: &Row, observation: &Observation) -> Option<u64> {
    let flow = || observation.table_flow(row);
    match number {
        Number::RecvQueue => Some(row.socket.recv_queue.into()),
        Number::SendQueue => Some(row.socket.send_queue.into()),
        Number::Retransmits => observation.retransmits(row).map(u64::from),
        Number::RxRate => Some(flow()?.rx?.bytes()),
        Number::TxRate => Some(flow()?.tx?.bytes()),
    }
}

/// Whether the unit or container of a process contains a text in lower case.
fn runs_in(process: &Process, needle: &str) -> bool {
    let unit = process.unit.as_ref();
    unit.is_some_and(|unit| unit.as_str().to_lowercase().contains(needle))
}

/// The namespaces whose name contains a text, or whose number it is. The one
/// this program is in is called `this`.
fn namespaces(observation: &Observation, text: &str) -> Vec<u32> {
    let needle = text.to_lowercase();
    observation
        .namespaces
        .iter()
        .filter(|known| {
            let name = known.name.as_ref();
            known.id.to_string() == needle
                || known.own && needle == "this"
                || name.is_some_and(|name| name.as_str().to_lowercase().contains(&needle))
        })
        .map(|known| known.id)
        .collect()
}

/// Whether a process's name or the base name of its program contains a text in
/// lower case.
fn is_called(process: &Process, needle: &str) -> bool {
    let program = process.exe.as_ref().map_or("", |exe| exe.path.as_str());
    let base = program.rsplit('/').next().unwrap_or(program);
    [process.name.as_str(), base]
        .into_iter()
        .any(|name| name.to_lowercase().contains(needle))
}

/// The users whose names satisfy a condition, ascending.
pub(super) fn users(observation: &Observation, wanted: impl Fn(&str) -> bool) -> Vec<u32> {
    observation
        .users
        .iter()
        .filter(|user| user.name.as_ref().is_some_and(|name| wanted(name.as_str())))
        .map(|user| user.uid)
        .collect()
}

/// The processes for which something holds, found once for all rows.
#[derive(Debug)]
pub(super) struct ProcessSet(Vec<bool>);

impl ProcessSet {
    pub(super) fn new(observation: &Observation, wanted: impl Fn(&Process) -> bool) -> Self {
        let processes = observation.processes.iter();
        Self(processes.map(|process| wanted(process)).collect())
    }

    fn contains(&self, id: ProcessId) -> bool {
        self.0.get(id.0 as usize).copied().unwrap_or(false)
    }

    /// Whether one of a row's holders is among them, or where that is asked
    /// the one that held it last.
    pub(super) fn hold(&self, row: &Row, observation: &Observation, or_last: bool) -> bool {
        let holders = row.owners.of(&observation.holders);
        holders.iter().any(|holder| self.contains(holder.process))
            || (or_last
                && row
                    .last_owner
                    .is_some_and(|last| self.contains(last.process())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::sample::crowd;
    use std::time::Instant;

    /// Measures, with `cargo test --release -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn how_long_a_hundred_thousand_rows_take() {
        let world = crowd(100_000, 200);
        for text in [
            "state established dport = :443 and not dst 10.0.0.0/8",
            "process:program-17",
            "user:alice age > 60s",
            "nginx",
            "198.51.100.7",
            "10.1.2",
            "443",
            "curl or 1.2.3.4 or (v6 and not :22)",
        ] {
            let filter = Filter::parse(text).unwrap();
            let mut best = f64::MAX;
            let mut found = 0;
            for _ in 0..7 {
                let start = Instant::now();
                let matcher = Matcher::new(&filter, &world);
                found = world.rows.iter().filter(|row| matcher.matches(row)).count();
                best = best.min(start.elapsed().as_secs_f64() * 1000.0);
            }
            println!("{best:7.2} ms  {found:6} of {}  {text}", world.rows.len());
        }
    }
}
