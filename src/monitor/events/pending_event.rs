//! Event log entries made from state changes: owner and outcome of the
//! connection.

use super::connection::AddressPair;
use super::connection_tracker::{ChangeEffect, ClassifiedChange};
use super::event_log::MAX_EVENTS;
use super::netns_filter::NetnsMatch;
use crate::model::endpoint::Endpoint;
use crate::model::event::{EventProcess, SocketDestroyed, StateChange};
use crate::model::event_history::{
    CloseReason, ConnectionEvent, ConnectionSummary, EventKind, RetainedState,
};
use crate::model::observation::Observation;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::state::State;
use foldhash::{HashMap, HashSet};
use std::collections::VecDeque;

/// A change that is to become an entry of the event log.
pub(super) struct PendingEvent {
    pub(super) event: ConnectionEvent,
    /// True if a listener here is known to have accepted the connection.
    pub(super) accepted: bool,
    pub(super) confidence: Confidence,
}

/// Confidence that a change belongs to the watched namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confidence {
    /// It does.
    Certain,
    /// Only if a row of the table has its addresses.
    Unconfirmed,
    /// A row has its addresses.
    Confirmed,
}

/// The latest of many changes. Those that may be of another namespace do not
/// displace those of the watched one.
#[derive(Default)]
pub(super) struct RecentChanges {
    local: VecDeque<(usize, ClassifiedChange)>,
    unknown: VecDeque<(usize, ClassifiedChange)>,
}

impl RecentChanges {
    /// Adds the classification of the change with this number.
    pub(super) fn push(&mut self, number: usize, change_class: ClassifiedChange) {
        let last = match change_class.netns {
            NetnsMatch::Watched | NetnsMatch::Unknown => &mut self.local,
            NetnsMatch::Unexplained | NetnsMatch::Foreign => &mut self.unknown,
        };
        if last.len() == MAX_EVENTS {
            last.pop_front();
        }
        last.push_back((number, change_class));
    }

    /// Returns their events, in the order of the changes; `only` is the namespace that is watched,
    /// if it is the only one.
    pub(super) fn into_pending_events(
        self,
        changes: &[StateChange],
        only: Option<u32>,
    ) -> Vec<PendingEvent> {
        let mut last: Vec<_> = self.local.into_iter().chain(self.unknown).collect();
        last.sort_unstable_by_key(|(number, _)| *number);
        let lines = last.iter().filter_map(|(number, change_class)| {
            Some(PendingEvent {
                event: event_of_change(changes.get(*number)?, change_class, only),
                accepted: change_class.accepted && change_class.netns != NetnsMatch::Unknown,
                confidence: match change_class.netns {
                    NetnsMatch::Watched | NetnsMatch::Unknown => Confidence::Certain,
                    NetnsMatch::Unexplained | NetnsMatch::Foreign => Confidence::Unconfirmed,
                },
            })
        });
        lines.collect()
    }
}

/// The event of a change.
fn event_of_change(
    change: &StateChange,
    change_class: &ClassifiedChange,
    only: Option<u32>,
) -> ConnectionEvent {
    // Both SYN_RECV and what follows are reported when the third segment comes.
    let known = change.from != State::SynReceived;
    let time_in_state_us = change_class.time_in_state_us.filter(|_| known);
    let from = Some(change.from);
    let what = match change_class.effect {
        ChangeEffect::Continues => EventKind::StateChanged {
            from: change.from,
            to: change.to,
            time_in_state_us,
        },
        ChangeEffect::Retained => EventKind::Retained {
            from,
            time_in_state_us,
            state: match change.from {
                State::Closing => RetainedState::TimeWait,
                _ => RetainedState::Unknown,
            },
        },
        ChangeEffect::Closed(end) => EventKind::Ended {
            from,
            time_in_state_us,
            summary: ConnectionSummary {
                duration_us: end.lasted_us,
                never_in_table: end.unseen,
                reason: end.reason,
            },
        },
    };
    ConnectionEvent {
        at_us: change.at_us,
        owner: change_class.caller.as_deref().cloned(),
        namespace: only
            .filter(|_| change_class.netns == NetnsMatch::Watched)
            .or_else(|| change_class.caller.as_ref()?.namespace)
            .unwrap_or(0),
        local: change.local,
        remote: change.remote,
        kind: what,
        payload: None,
    }
}

/// Events where only destroyed sockets are reported.
pub(super) fn destroyed_events(
    endings: &[SocketDestroyed],
    latest: Option<&Observation>,
) -> Vec<ConnectionEvent> {
    if endings.is_empty() {
        // A large table is not walked without need.
        return Vec::new();
    }
    let wanted: HashSet<SocketKey> = endings.iter().map(|ending| ending.socket.key()).collect();
    let rows = latest.into_iter().flat_map(|latest| latest.rows.iter());
    let rows: HashMap<SocketKey, &Row> = rows
        .map(|row| (row.socket.key(), row))
        .filter(|(key, _)| wanted.contains(key))
        .collect();
    let lines = endings.iter().map(|ending| {
        let row = rows.get(&ending.socket.key()).copied();
        destroyed_event(ending, row, latest)
    });
    lines.collect()
}

/// Event of a destroyed socket, with its row in the last table.
fn destroyed_event(
    ending: &SocketDestroyed,
    row: Option<&Row>,
    latest: Option<&Observation>,
) -> ConnectionEvent {
    let from = row.map(|row| row.socket.state);
    let finished = from.is_some_and(State::has_received_fin) || ending.socket.recv_queue > 0;
    ConnectionEvent {
        at_us: ending.at_us,
        owner: row.zip(latest).and_then(|(row, latest)| owner(row, latest)),
        namespace: ending.socket.namespace,
        local: ending.socket.local,
        remote: row.map_or(ending.socket.remote, |row| row.socket.remote),
        kind: EventKind::Ended {
            from,
            time_in_state_us: None,
            summary: ConnectionSummary {
                duration_us: None,
                never_in_table: row.is_none(),
                reason: CloseReason::Unknown,
            },
        },
        payload: (from != Some(State::Listen))
            .then(|| ending.info.payload(finished))
            .flatten(),
    }
}

/// Finds the owners of connections without a calling process: by their rows,
/// else by the listener that accepted them. Confirms events of rows in the
/// table.
pub(super) fn find_owners(lines: &mut [PendingEvent], latest: &Observation) {
    let mut wanted: HashMap<AddressPair, Vec<usize>> = HashMap::default();
    for (place, drafted) in lines.iter().enumerate() {
        let line = &drafted.event;
        let placed = line.namespace != 0 && drafted.confidence != Confidence::Unconfirmed;
        if line.owner.is_none() || !placed {
            let ends = AddressPair::of(&drafted.event);
            wanted.entry(ends).or_default().push(place);
        }
    }
    if wanted.is_empty() {
        return;
    }
    for row in latest.rows.iter() {
        if let Some(places) = wanted.get(&AddressPair::of_socket(&row.socket)) {
            let owner = owner(row, latest);
            for place in places {
                if let Some(drafted) = lines.get_mut(*place) {
                    if drafted.confidence == Confidence::Unconfirmed {
                        drafted.confidence = Confidence::Confirmed;
                    }
                    drafted.event.namespace = row.socket.namespace;
                    let known = &mut drafted.event.owner;
                    *known = known.take().or_else(|| owner.clone());
                }
            }
        }
    }
    for PendingEvent {
        event: line,
        accepted,
        ..
    } in lines
    {
        if *accepted && line.owner.is_none() {
            let listener = listener(line.local, latest);
            line.owner = listener.and_then(|row| owner(row, latest));
            if line.namespace == 0 {
                line.namespace = listener.map_or(0, |row| row.socket.namespace);
            }
        }
    }
}

/// The only listener that can have accepted a connection to this address.
fn listener(local: Endpoint, latest: &Observation) -> Option<&Row> {
    let first = latest
        .listeners
        .partition_point(|(port, _)| *port < local.port);
    let mut fitting = latest.listeners[first..]
        .iter()
        .take_while(|(port, _)| *port == local.port)
        .filter_map(|(_, number)| latest.rows.get(*number as usize))
        .filter(|row| {
            let bound = row.socket.local;
            bound.address() == local.address() || bound.is_unspecified()
        });
    let found = fitting.next()?;
    fitting.next().is_none().then_some(found)
}

fn owner(row: &Row, latest: &Observation) -> Option<EventProcess> {
    let holder = row.owners.resolve(&latest.holders).first();
    let process = match (holder, row.last_owner) {
        (Some(holder), _) => holder.process,
        (None, last) => last?.process(),
    };
    let process = latest.processes.get(process.0 as usize)?;
    (process.pid != 0).then(|| EventProcess {
        pid: process.pid,
        name: process.name.clone(),
        start_ticks: process.start_ticks,
        namespace: None,
    })
}
