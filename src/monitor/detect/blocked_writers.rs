//! Connections within this machine whose writer waits for the other end to
//! read.
//!
//! The reader is at fault there, and only its finding is raised; where both
//! ends wait for each other, neither is reported as the other's victim.

use super::table_context::TableContext;
use crate::model::endpoint::Endpoint;
use crate::model::owner::NoOwnerReason;
use crate::model::row::Row;
use crate::model::timer::TimerKind;
use foldhash::HashMap;

/// Rows with unread bytes or a closed window, by their addresses.
#[derive(Default)]
pub(super) struct BlockedWriters<'a> {
    rows: HashMap<ConnectionKey, &'a Row>,
}

/// Network namespace, local and remote end.
type ConnectionKey = (u32, Endpoint, Endpoint);

impl<'a> BlockedWriters<'a> {
    /// Indexes the rows of a table, if any window is closed.
    pub(super) fn of(context: &TableContext<'a>) -> Self {
        let queued = || context.row_groups.queued(context.rows);
        if !queued().any(is_window_closed) {
            // A large table is not indexed without need.
            return Self::default();
        }
        let blocked = queued().filter(|row| is_unread(row) || is_window_closed(row));
        let rows = blocked.map(|row| {
            let socket = &row.socket;
            ((socket.namespace, socket.local, socket.remote), row)
        });
        Self {
            rows: rows.collect(),
        }
    }

    /// The other end of a row, in the same network namespace; none for a socket that
    /// is connected to itself.
    fn other_end(&self, row: &Row) -> Option<&'a Row> {
        let socket = &row.socket;
        let ends = (socket.namespace, socket.remote, socket.local);
        let other = self.rows.get(&ends).copied()?;
        (socket.local != socket.remote).then_some(other)
    }

    /// The other end of a row whose window is closed because that end does not read.
    pub(super) fn reader_of(&self, row: &Row) -> Option<&'a Row> {
        let other = self.other_end(row).filter(|other| is_unread(other))?;
        is_window_closed(row).then_some(other)
    }

    /// True if the other end of a row waits for this one to be read.
    pub(super) fn blocks_writer(&self, row: &Row) -> bool {
        let other = self.other_end(row);
        is_unread(row) && other.is_some_and(is_window_closed)
    }

    /// The other end of a row, if each of the two waits for the other to read.
    pub(super) fn deadlocked_with(&self, row: &Row) -> Option<&'a Row> {
        self.reader_of(row).filter(|_| self.blocks_writer(row))
    }
}

impl TableContext<'_> {
    /// True if a finding can name who must act on a row: its holder, or its listener.
    pub(super) fn names_holder(&self, row: &Row) -> bool {
        self.owner_key(row).is_some() || row.no_owner_reason == Some(NoOwnerReason::AcceptQueue)
    }
}

fn is_unread(row: &Row) -> bool {
    row.socket.recv_queue > 0
}

/// True if data waits for a closed window of a peer that answers. One probe may be
/// under way; of more that are not answered, the path or the peer may be the cause.
pub(super) fn is_window_closed(row: &Row) -> bool {
    let socket = &row.socket;
    let probes = socket
        .timer
        .is_some_and(|timer| timer.kind == TimerKind::ZeroWindowProbe && timer.retransmits <= 1);
    probes && socket.send_queue > 0
}
