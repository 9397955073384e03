//! State of a process's sockets and ports after its end.

use super::signal_confirmation::AffectedSockets;
use super::signal_job::ProcessSnapshot;
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;
use std::sync::Arc;

/// Maximum number of ports that are reported.
const MAX_PORTS: usize = 3;

/// State in a table of the sockets of an ended process.
#[derive(Clone, Debug, Default)]
pub(super) struct PortOutcome {
    /// No longer in the table.
    pub(super) gone_sockets: usize,
    /// Still there without an owner: the kernel finishes them.
    pub(super) kernel_sockets: usize,
    /// Still held by other processes.
    pub(super) held_sockets: usize,
    /// The ports it listened on.
    pub(super) ports: Vec<(u16, PortState)>,
}

/// State of a port.
#[derive(Clone, Debug)]
pub(super) enum PortState {
    /// Nothing is bound to it any more.
    Free,
    /// A process listens on it: the process, if known, and the number of further
    /// ones.
    Held(Option<(Arc<Process>, usize)>),
    /// A process that was started after the signal listens on it.
    Retaken(Arc<Process>),
    /// No listener, but this number of connections still use it.
    ConnectionsRemain(usize),
}

impl PortOutcome {
    pub(super) fn from_observation(
        goes: &AffectedSockets,
        before: &ProcessSnapshot,
        observation: &Observation,
    ) -> Self {
        let present: Vec<&Row> = present_rows(observation)
            .filter(|row| goes.sockets.contains(&row.socket.key()))
            .collect();
        let held_sockets = present.iter().filter(|row| row.owners.count > 0).count();
        let mut ports: Vec<(u16, PortState)> = Vec::new();
        for socket in &goes.listening {
            let port = socket.local.port;
            if ports.len() < MAX_PORTS && ports.iter().all(|(known, _)| *known != port) {
                ports.push((port, port_state(socket, before, observation)));
            }
        }
        Self {
            gone_sockets: goes.count() - present.len(),
            kernel_sockets: present.len() - held_sockets,
            held_sockets,
            ports,
        }
    }

    /// Number of ports taken by new processes.
    pub(super) fn retaken_count(&self) -> usize {
        let taken = |(_, fate): &&(u16, PortState)| matches!(fate, PortState::Retaken(_));
        self.ports.iter().filter(taken).count()
    }

    /// A new process that has taken a port.
    pub(super) fn retaking_process(&self) -> Option<&Process> {
        self.ports.iter().find_map(|(_, fate)| match fate {
            PortState::Retaken(process) => Some(&**process),
            _ => None,
        })
    }
}

fn present_rows(observation: &Observation) -> impl Iterator<Item = &Row> {
    let rows = observation.rows.iter();
    rows.filter(|row| row.phase != Phase::Closed)
}

fn port_state(listener: &Socket, before: &ProcessSnapshot, observation: &Observation) -> PortState {
    let local = listener.local;
    let on_it = || {
        present_rows(observation).filter(|row| {
            let other = row.socket.local;
            let near = row.socket.namespace == listener.namespace;
            let meets = other.is_unspecified()
                || local.is_unspecified()
                || other.address() == local.address();
            near && other.port == local.port && meets
        })
    };
    if let Some(listener) = on_it().find(|row| row.socket.state == State::Listen) {
        return match observation.first_owner(listener).cloned() {
            Some(owner) if before.is_new(&owner) => PortState::Retaken(owner),
            Some(owner) => {
                let more = observation.owners(listener).count() - 1;
                PortState::Held(Some((owner, more)))
            }
            None => PortState::Held(None),
        };
    }
    match on_it().count() {
        0 => PortState::Free,
        count => PortState::ConnectionsRemain(count),
    }
}
