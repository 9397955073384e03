//! Log of the latest events, and what later tables and destroyed sockets add to
//! it.
//!
//! The kernel reports the end of a socket that it replaces by a minisocket like
//! any other end, and its byte counts only when it frees the full socket.

use super::connection::AddressPair;
use crate::model::event::SocketDestroyed;
use crate::model::event_history::{
    CloseReason, ConnectionEvent, ConnectionSummary, EventKind, RetainedState,
};
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::time::Timestamp;
use foldhash::{HashMap, HashMapExt};
use std::collections::VecDeque;

/// Maximum number of events kept.
pub(super) const MAX_EVENTS: usize = 500;
/// Longest time in `FIN_WAIT2` of a socket without a program: it is replaced as
/// soon as the peer has acknowledged its FIN (2 to 25 µs measured). One that
/// the program still holds waits for the peer's FIN.
const IMMEDIATE_US: u64 = 100;

/// Latest events, the newest last.
#[derive(Default)]
pub(super) struct EventLog {
    events: VecDeque<ConnectionEvent>,
    /// Time of the last table.
    last_table: Timestamp,
}

impl EventLog {
    pub(super) fn extend(&mut self, lines: impl Iterator<Item = ConnectionEvent>) {
        self.events.extend(lines);
        let surplus = self.events.len().saturating_sub(MAX_EVENTS);
        self.events.drain(..surplus);
    }

    pub(super) fn events(&self) -> Vec<ConnectionEvent> {
        self.events.iter().cloned().collect()
    }

    /// Attaches byte counts to the last events of connections.
    pub(super) fn attach_byte_counts(&mut self, endings: &[SocketDestroyed]) {
        if endings.is_empty() {
            return;
        }
        // An aborted socket has lost the peer's port, and with it the byte
        // counts (`tcp_disconnect`): its destruction matches no event.
        let lines = self.events.iter_mut();
        let mut waiting: HashMap<AddressPair, &mut ConnectionEvent> = lines
            .filter(|line| line.payload.is_none() && may_have_byte_counts(&line.kind))
            .map(|line| (AddressPair::of(line), line))
            .collect();
        // Of several with the same addresses, the last belongs to the event
        // that waits.
        for ending in endings.iter().rev() {
            if let Some(line) = waiting.remove(&AddressPair::of_socket(&ending.socket)) {
                let finished = has_peer_finished(&line.kind, ending);
                line.payload = ending.info.payload(finished);
            }
        }
    }

    /// Sets the state of retained minisockets that the table shows, and marks
    /// those that no table shows as ended; `stirred` are those of all `rows`
    /// that changed.
    pub(super) fn resolve_minisockets<'r>(
        &mut self,
        changed: impl Iterator<Item = &'r Row>,
        rows: &[Row],
        now: Timestamp,
    ) {
        // Events before the last table was read are in this one.
        let limit = u64::from(self.last_table.0) * 10_000;
        let mut awaited: HashMap<AddressPair, &mut ConnectionEvent> = HashMap::new();
        for line in &mut self.events {
            if is_unresolved(&line.kind, line.at_us >= limit) {
                awaited.insert(AddressPair::of(line), line);
            }
        }
        if !awaited.is_empty() {
            for row in changed {
                resolve(&mut awaited, row);
            }
            let overdue = |line: &&mut ConnectionEvent| line.at_us < limit && is_unseen(&line.kind);
            if awaited.values().any(overdue) {
                for row in rows {
                    resolve(&mut awaited, row);
                }
                awaited.into_values().filter(overdue).for_each(mark_closed);
            }
        }
        self.last_table = now;
    }
}

/// True for the last event of a connection that may have carried data.
fn may_have_byte_counts(what: &EventKind) -> bool {
    match what {
        EventKind::StateChanged { .. } => false,
        EventKind::Retained { .. } => true,
        EventKind::Ended { from, .. } => *from != Some(State::Listen),
    }
}

/// True if a table may add to the event; `fresh` if none has been read since
/// it.
fn is_unresolved(what: &EventKind, fresh: bool) -> bool {
    match what {
        EventKind::StateChanged { .. } => false,
        EventKind::Retained { state: record, .. } => *record != RetainedState::TimeWait,
        // It may be retained as a minisocket: nothing reports that where only
        // destroyed sockets are reported.
        EventKind::Ended {
            from,
            summary: life,
            ..
        } => fresh && from.is_none() && life.never_in_table,
    }
}

fn is_unseen(what: &EventKind) -> bool {
    matches!(
        what,
        EventKind::Retained {
            state: RetainedState::Unknown,
            ..
        }
    )
}

/// Sets the state of the event that waits for this row.
fn resolve(awaited: &mut HashMap<AddressPair, &mut ConnectionEvent>, row: &Row) {
    let record = match row.socket.state {
        State::TimeWait => RetainedState::TimeWait,
        State::FinWait2 => RetainedState::FinWait2,
        _ => return,
    };
    if row.phase == Phase::Closed {
        return;
    }
    if let Some(line) = awaited.get_mut(&AddressPair::of_socket(&row.socket)) {
        line.kind = EventKind::Retained {
            from: line.kind.from_state(),
            time_in_state_us: line.kind.time_in_state_us(),
            state: record,
        };
    }
}

/// Marks an event as ended. A minisocket in no table is not retained:
/// `FIN_WAIT2` ended with a reset, or the kernel keeps no more of them
/// (`tcp_max_tw_buckets`).
fn mark_closed(line: &mut ConnectionEvent) {
    line.kind = EventKind::Ended {
        from: line.kind.from_state(),
        time_in_state_us: line.kind.time_in_state_us(),
        summary: ConnectionSummary {
            duration_us: None,
            never_in_table: false,
            reason: CloseReason::Unknown,
        },
    };
}

/// True if the peer's FIN is among the bytes received.
fn has_peer_finished(what: &EventKind, ending: &SocketDestroyed) -> bool {
    match what {
        EventKind::Retained {
            from: Some(State::FinWait2),
            time_in_state_us,
            ..
        } => {
            // Replaced with the peer's FIN or without: both are reported as the
            // same change. Without a holder, nobody reads the FIN. With a
            // holder, and the FIN in the same segment as the acknowledgement,
            // it is unknown, and counts as a byte of data if there was any.
            ending.socket.recv_queue > 0
                || time_in_state_us.is_some_and(|stayed| stayed >= IMMEDIATE_US)
        }
        other => other.from_state().is_some_and(State::has_received_fin),
    }
}
