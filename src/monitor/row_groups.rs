//! Row subsets that rules look at one by one, collected in one pass over all
//! rows: of a hundred thousand rows most are idle connections, and each further
//! pass costs as much as reading their memory again.

use super::trends::is_transient;
use crate::model::protocol::Protocol;
use crate::model::row::Row;
use crate::model::state::State;

/// Row numbers, ascending, without closed rows.
#[derive(Default)]
pub(super) struct RowGroups {
    half_open: Vec<u32>,
    close_wait: Vec<u32>,
    queued: Vec<u32>,
    transient: Vec<u32>,
    self_connected: Vec<u32>,
    unanswered_probes: Vec<u32>,
}

impl RowGroups {
    /// Adds the next row, which is not closed.
    pub(super) fn insert(&mut self, number: u32, row: &Row) {
        let socket = &row.socket;
        // Those in TIME_WAIT have no holder, and the tally has their number.
        if is_transient(socket.state) && socket.state != State::TimeWait {
            self.transient.push(number);
        }
        match socket.state {
            // Its queues hold connections.
            State::Listen => return,
            State::SynReceived => return self.half_open.push(number),
            State::CloseWait => self.close_wait.push(number),
            _ => {}
        }
        if socket.local == socket.remote && socket.state == State::Established {
            self.self_connected.push(number);
        }
        if socket.has_unanswered_probes() {
            self.unanswered_probes.push(number);
        }
        let waits = socket.recv_queue > 0 || socket.send_queue > 0;
        if waits && socket.protocol == Protocol::Tcp {
            self.queued.push(number);
        }
    }

    /// Rows in `SYN_RECV`.
    pub(super) fn half_open<'a>(&'a self, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
        rows_by_number(&self.half_open, rows)
    }

    /// Rows in `CLOSE_WAIT`.
    pub(super) fn close_wait<'a>(&'a self, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
        rows_by_number(&self.close_wait, rows)
    }

    /// Rows in states that connections should pass through, except `TIME_WAIT`.
    pub(super) fn transient<'a>(&'a self, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
        rows_by_number(&self.transient, rows)
    }

    /// Established connections whose two ends are the same.
    pub(super) fn self_connected<'a>(&'a self, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
        let connected = rows_by_number(&self.self_connected, rows);
        connected.filter(|row| row.socket.protocol == Protocol::Tcp)
    }

    /// Connections with unanswered keepalive probes.
    pub(super) fn unanswered_probes<'a>(
        &'a self,
        rows: &'a [Row],
    ) -> impl Iterator<Item = &'a Row> {
        rows_by_number(&self.unanswered_probes, rows)
    }

    /// TCP connections with bytes in either queue.
    pub(super) fn queued<'a>(&'a self, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
        rows_by_number(&self.queued, rows)
    }
}

fn rows_by_number<'a>(numbers: &'a [u32], rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
    let numbers = numbers.iter();
    numbers.filter_map(|number| rows.get(*number as usize))
}
