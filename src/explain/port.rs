//! Use of one local port: its listener, or whatever keeps it in use without
//! one. This answers "Address already in use", which a table answers only to a
//! reader who knows which of its rows count.

#[cfg(test)]
mod tests;
mod text;

use super::catalogue::Catalogue;
use crate::model::endpoint::Endpoint;
use crate::model::gap::GapKind;
use crate::model::namespace_addresses::NatForwarding;
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::protocol::Protocol;
use crate::model::reading::SourceKind;
use crate::model::row::{Phase, Row, TIME_WAIT_LENGTH};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::timer::TimerKind;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The use of one local port.
#[derive(Debug)]
pub struct PortStatus<'o> {
    port: u16,
    /// Holders in the network namespace of this program.
    here: Vec<PortHolder<'o>>,
    /// Holders in other network namespaces, as far as they are in the table.
    other_namespaces: Vec<PortHolder<'o>>,
    /// Targets to which NAT forwards connections to the port.
    forwardings: Vec<NatForwarding>,
    /// Connections accepted on the port while a listener is there.
    accepted: usize,
    /// True if the port is in the range for outgoing connections; none if the
    /// range is unknown.
    is_ephemeral: Option<bool>,
    /// True if part of the table is missing.
    is_partial: bool,
    /// True if sockets that are only bound are in the table, too.
    shows_bound: bool,
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortVerdict {
    /// A TCP listener is here.
    Listened,
    /// No TCP listener is here, but other TCP sockets take the port.
    Taken,
    /// As before, and all of them end by themselves.
    KernelOnly,
    /// Only UDP sockets have the port.
    UdpOnly,
    /// Only sockets of other network namespaces have the port.
    OtherNamespace,
    /// No socket has the port here, and NAT forwards connections to it.
    Forwarded,
    /// No socket has the port.
    Free,
    /// No socket with the port was seen, but part of the table is missing.
    Unknown,
}

impl PortVerdict {
    /// The name of the verdict in outputs.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Listened => "listened",
            Self::Taken => "taken",
            Self::KernelOnly => "remnants",
            Self::UdpOnly => "datagrams",
            Self::OtherNamespace => "elsewhere",
            Self::Forwarded => "forwarded",
            Self::Free => "free",
            Self::Unknown => "unknown",
        }
    }
}

/// Sockets of one kind and one owner that have the port.
#[derive(Clone, Debug)]
pub struct PortHolder<'o> {
    /// Use of the port.
    pub role: PortRole,
    /// The first socket.
    pub row: &'o Row,
    /// Their owner; none if it is hidden, or missing.
    pub process: Option<&'o Arc<Process>>,
    /// All sockets.
    pub rows: Vec<&'o Row>,
    /// For remnants, the longest time until one is gone; none if unknown.
    pub remaining: Option<Duration>,
}

/// Use of the port by a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortRole {
    /// Listens.
    Listener,
    /// Is bound and does not listen.
    Bound,
    /// A connection that a program opened from the port.
    Outgoing,
    /// Any other connection that a program holds.
    Connection,
    /// A connection that only the kernel keeps.
    KernelOnly(State),
    /// Sends or receives datagrams.
    Udp,
}

impl PortRole {
    /// The name of the role in outputs.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Bound => "bound",
            Self::Outgoing => "outgoing",
            Self::Connection => "connection",
            Self::KernelOnly(_) => "remnant",
            Self::Udp => "datagrams",
        }
    }
}

impl<'o> PortStatus<'o> {
    /// The use of a port as an observation shows it.
    #[must_use]
    pub fn of(port: u16, observation: &'o Observation) -> Self {
        let mut here = HolderGroups::new(observation);
        let mut elsewhere = HolderGroups::new(observation);
        for row in observation.rows.iter() {
            if row.socket.local.port != port || row.phase == Phase::Closed {
                continue;
            }
            if observation.is_in_current_namespace(row) {
                here.add(row);
            } else {
                elsewhere.add(row);
            }
        }
        let mut here = here.holders();
        let mut accepted = 0;
        if here.iter().any(|holder| holder.role == PortRole::Listener) {
            // Remains of accepted connections are the listener's.
            here.retain(|holder| {
                let is_accepted =
                    matches!(holder.role, PortRole::Connection | PortRole::KernelOnly(_));
                if holder.role == PortRole::Connection {
                    let half_open = |row: &&&Row| row.socket.state == State::SynReceived;
                    accepted += holder.rows.iter().filter(|row| !half_open(row)).count();
                }
                !is_accepted
            });
        }
        let mut other_namespaces = elsewhere.holders();
        other_namespaces.retain(|holder| !matches!(holder.role, PortRole::KernelOnly(_)));
        let range = observation.limits.local_ports;
        Self {
            port,
            here,
            other_namespaces,
            forwardings: Vec::new(),
            accepted,
            is_ephemeral: range.map(|(first, last)| (first..=last).contains(&port)),
            is_partial: observation
                .gaps
                .iter()
                .any(|gap| gap.kind == GapKind::TablesUnreadable),
            shows_bound: observation.source != SourceKind::Proc,
        }
    }

    /// Returns the same with NAT forwardings, and the holders of their targets
    /// in other network namespaces of the observation.
    #[must_use]
    pub fn with_forwardings(
        mut self,
        forwardings: Vec<NatForwarding>,
        observation: &'o Observation,
    ) -> Self {
        let mut behind = HolderGroups::new(observation);
        for row in observation.rows.iter() {
            let is_target = |one: &NatForwarding| one.target == row.socket.local;
            let is_there = row.phase != Phase::Closed && !observation.is_in_current_namespace(row);
            if is_there && forwardings.iter().any(is_target) {
                behind.add(row);
            }
        }
        self.other_namespaces.extend(behind.holders());
        self.forwardings = forwardings;
        self
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its holders in this network namespace, the most important first.
    #[must_use]
    pub fn here(&self) -> &[PortHolder<'o>] {
        &self.here
    }

    /// Its holders in other network namespaces, and those behind its NAT.
    #[must_use]
    pub fn other_namespaces(&self) -> &[PortHolder<'o>] {
        &self.other_namespaces
    }

    /// Targets to which NAT forwards connections to it.
    #[must_use]
    pub fn forwardings(&self) -> &[NatForwarding] {
        &self.forwardings
    }

    /// Number of connections accepted on it while a listener is there.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// True if it is in the range for outgoing connections; none if the range
    /// is unknown.
    #[must_use]
    pub fn is_ephemeral(&self) -> Option<bool> {
        self.is_ephemeral
    }

    /// The time until it is free, where only the kernel has it; none if
    /// unknown.
    #[must_use]
    pub fn free_in(&self) -> Option<Duration> {
        let is_left = self.verdict() == PortVerdict::KernelOnly;
        self.longest_remaining().filter(|_| is_left)
    }

    /// The time until all remnants are gone; none if unknown for one of them.
    fn longest_remaining(&self) -> Option<Duration> {
        let mut longest = None;
        for holder in &self.here {
            if matches!(holder.role, PortRole::KernelOnly(_)) {
                longest = longest.max(Some(holder.remaining?));
            }
        }
        longest
    }

    /// The answer in one word.
    #[must_use]
    pub fn verdict(&self) -> PortVerdict {
        let has = |such: fn(PortRole) -> bool| self.here.iter().any(|holder| such(holder.role));
        if has(|role| role == PortRole::Listener) {
            PortVerdict::Listened
        } else if has(|role| !matches!(role, PortRole::KernelOnly(_) | PortRole::Udp)) {
            PortVerdict::Taken
        } else if has(|role| matches!(role, PortRole::KernelOnly(_))) {
            PortVerdict::KernelOnly
        } else if has(|role| role == PortRole::Udp) {
            PortVerdict::UdpOnly
        } else if self.is_partial {
            PortVerdict::Unknown
        } else if !self.forwardings.is_empty() {
            PortVerdict::Forwarded
        } else if !self.other_namespaces.is_empty() {
            PortVerdict::OtherNamespace
        } else {
            PortVerdict::Free
        }
    }

    /// The answer in one sentence.
    #[must_use]
    pub fn headline(&self, observation: &Observation, words: &Catalogue) -> String {
        text::verdict(self, observation, words)
    }

    /// Advice, the most useful first.
    #[must_use]
    pub fn advice(&self, observation: &Observation, words: &Catalogue) -> Vec<String> {
        text::advice(self, observation, words)
    }

    /// The answer in one sentence, followed by the advice.
    #[must_use]
    pub fn lines(&self, observation: &Observation, words: &Catalogue) -> Vec<String> {
        lines(
            self.headline(observation, words),
            &self.advice(observation, words),
            words,
        )
    }
}

/// A verdict and advice as lines, the advice with its headings.
#[must_use]
pub fn lines(headline: String, advice: &[String], words: &Catalogue) -> Vec<String> {
    let advice = advice.iter().enumerate().map(|(number, text)| {
        let heading = if number == 0 { "next" } else { "then" };
        format!("{}{text}", words.diagnosis("join", heading))
    });
    let lines = std::iter::once(headline).chain(advice);
    lines.filter(|line| !line.is_empty()).collect()
}

/// Groups sockets of one kind and one owner.
struct HolderGroups<'o> {
    observation: &'o Observation,
    groups: BTreeMap<(PortRole, u32, u32, u32), Vec<&'o Row>>,
}

impl<'o> HolderGroups<'o> {
    fn new(observation: &'o Observation) -> Self {
        Self {
            observation,
            groups: BTreeMap::new(),
        }
    }

    fn add(&mut self, row: &'o Row) {
        let role = role(row, self.observation);
        let owner = self.observation.first_owner(row);
        let pid = owner.map_or(0, |owner| owner.pid);
        // Sockets of hidden processes are distinguished by their users.
        let uid = match (pid, role) {
            (0, PortRole::KernelOnly(_)) => 0,
            (0, _) => row.socket.uid,
            _ => 0,
        };
        let key = (role, row.socket.namespace, pid, uid);
        self.groups.entry(key).or_default().push(row);
    }

    fn holders(self) -> Vec<PortHolder<'o>> {
        self.groups
            .into_iter()
            .filter_map(|((role, ..), rows)| {
                let row = *rows.first()?;
                let left: Option<Vec<Duration>> =
                    rows.iter().map(|row| remaining_time(&row.socket)).collect();
                Some(PortHolder {
                    role,
                    row,
                    process: self.observation.first_owner(row),
                    remaining: left.and_then(|left| left.into_iter().max()),
                    rows,
                })
            })
            .collect()
    }
}

fn role(row: &Row, observation: &Observation) -> PortRole {
    let socket = &row.socket;
    match socket.state {
        _ if socket.protocol == Protocol::Udp => PortRole::Udp,
        State::Listen => PortRole::Listener,
        State::BoundInactive | State::Closed => PortRole::Bound,
        // A request or a connection that waits for a listener has no inode either.
        State::TimeWait | State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck
            if socket.inode.is_none() =>
        {
            PortRole::KernelOnly(socket.state)
        }
        _ if is_outgoing(row, observation) => PortRole::Outgoing,
        _ => PortRole::Connection,
    }
}

/// True if the program here opened the connection, as far as that shows.
fn is_outgoing(row: &Row, observation: &Observation) -> bool {
    let socket = &row.socket;
    let Some(peer) = socket.peer() else {
        return false;
    };
    // Only a program that connects can have reached its own port.
    if socket.state == State::SynSent || peer == socket.local {
        return true;
    }
    if peer.is_loopback() || peer.address() == socket.local.address() {
        let listens_at = |end: Endpoint| {
            observation.listeners_on_port(end.port).any(|row| {
                let bound = row.socket.local;
                row.socket.namespace == socket.namespace
                    && (bound.is_unspecified() || bound.address() == end.address())
            })
        };
        match (listens_at(peer), listens_at(socket.local)) {
            (true, false) => return true,
            (false, true) => return false,
            _ => {}
        }
    }
    observation.limits.local_ports.is_some_and(|(first, last)| {
        let range = first..=last;
        range.contains(&socket.local.port) && !range.contains(&peer.port)
    })
}

/// The time until the kernel surely frees a socket that no program holds. A FIN of the
/// peer turns `FIN_WAIT2` into `TIME_WAIT`, which then takes its whole time.
fn remaining_time(socket: &Socket) -> Option<Duration> {
    let timer = socket.timer?;
    let expires = Duration::from_millis(timer.expires_ms.into());
    match socket.state {
        State::TimeWait => Some(expires),
        State::FinWait2 if timer.kind == TimerKind::TimeWait => Some(expires + TIME_WAIT_LENGTH),
        _ => None,
    }
}
