//! Counts and indexes over all rows of a table, made in one pass.

use super::listeners::Listeners;
use super::row_groups::RowGroups;
use crate::model::observation::StateCounts;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;

/// Counts and indexes of one table.
#[derive(Default)]
pub(super) struct TableStats {
    /// Number of rows by state, without closed ones.
    pub(super) state_counts: StateCounts,
    /// Index of the listeners.
    pub(super) listeners: Listeners,
    /// Numbers of rows without an owner, closed ones included.
    pub(super) ownerless: Vec<u32>,
    /// Row subsets for the rules.
    pub(super) row_groups: RowGroups,
}

impl TableStats {
    /// Counts the rows.
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut stats = Self::default();
        for (number, row) in (0u32..).zip(rows) {
            stats.count(number, row);
        }
        stats.listeners.sort();
        stats
    }

    fn count(&mut self, number: u32, row: &Row) {
        if row.owners.count == 0 {
            self.ownerless.push(number);
        }
        if row.phase == Phase::Closed {
            return;
        }
        let (protocol, state) = (row.socket.protocol, row.socket.state);
        self.state_counts.increment(protocol, state);
        self.row_groups.insert(number, row);
        if protocol == Protocol::Tcp && state == State::Listen {
            self.listeners.insert(row.socket.local.port, number);
        }
    }
}
