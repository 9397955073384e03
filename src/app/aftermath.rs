//! State of a process's sockets and ports after its end.

use super::affair::Before;
use super::confirm::Goes;
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;
use std::sync::Arc;

/// Maximum number of ports that are reported.
const TOLD: usize = 3;

/// State in a table of the sockets of an ended process.
#[derive(Clone, Debug, Default)]
pub(super) struct Aftermath {
    /// No longer in the table.
    pub(super) gone: usize,
    /// Still there without an owner: the kernel finishes them.
    pub(super) in_kernel: usize,
    /// Still held by other processes.
    pub(super) held: usize,
    /// The ports it listened on.
    pub(super) ports: Vec<(u16, PortFate)>,
}

/// State of a port.
#[derive(Clone, Debug)]
pub(super) enum PortFate {
    /// Nothing is bound to it any more.
    Free,
    /// A process listens on it: the process, if known, and the number of further
    /// ones.
    Held(Option<(Arc<Process>, usize)>),
    /// A process that was started after the signal listens on it.
    Taken(Arc<Process>),
    /// No listener, but this number of connections still use it.
    Lingers(usize),
}

impl Aftermath {
    pub(super) fn of(goes: &Goes, before: &Before, observation: &Observation) -> Self {
        let present: Vec<&Row> = present(observation)
            .filter(|row| goes.sockets.contains(&row.socket.key()))
            .collect();
        let held = present.iter().filter(|row| row.owners.count > 0).count();
        let mut ports: Vec<(u16, PortFate)> = Vec::new();
        for socket in &goes.listening {
            let port = socket.local.port;
            if ports.len() < TOLD && ports.iter().all(|(known, _)| *known != port) {
                ports.push((port, fate(socket, before, observation)));
            }
        }
        Self {
            gone: goes.count() - present.len(),
            in_kernel: present.len() - held,
            held,
            ports,
        }
    }

    /// Number of ports taken by new processes.
    pub(super) fn taken(&self) -> usize {
        let taken = |(_, fate): &&(u16, PortFate)| matches!(fate, PortFate::Taken(_));
        self.ports.iter().filter(taken).count()
    }

    /// A new process that has taken a port.
    pub(super) fn taker(&self) -> Option<&Process> {
        self.ports.iter().find_map(|(_, fate)| match fate {
            PortFate::Taken(process) => Some(&**process),
            _ => None,
        })
    }
}

fn present(observation: &Observation) -> impl Iterator<Item = &Row> {
    let rows = observation.rows.iter();
    rows.filter(|row| row.phase != Phase::Closed)
}

fn fate(listener: &Socket, before: &Before, observation: &Observation) -> PortFate {
    let local = listener.local;
    let on_it = || {
        present(observation).filter(|row| {
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
            Some(owner) if before.is_new(&owner) => PortFate::Taken(owner),
            Some(owner) => {
                let more = observation.owners(listener).count() - 1;
                PortFate::Held(Some((owner, more)))
            }
            None => PortFate::Held(None),
        };
    }
    match on_it().count() {
        0 => PortFate::Free,
        count => PortFate::Lingers(count),
    }
}
