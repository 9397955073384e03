//! What is counted and indexed over all rows of a table, in one walk.

use super::listeners::Listeners;
use super::muster::Muster;
use crate::model::observation::Tally;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;

/// The counts of one table.
#[derive(Default)]
pub(super) struct Census {
    /// Rows by state, without those that closed.
    pub(super) tally: Tally,
    /// Where to find the listeners.
    pub(super) listeners: Listeners,
    /// Rows that nobody holds, those that closed among them.
    pub(super) ownerless: Vec<u32>,
    /// Rows that rules look at.
    pub(super) muster: Muster,
}

impl Census {
    /// Walks over the rows.
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut census = Self::default();
        for (number, row) in (0u32..).zip(rows) {
            census.count(number, row);
        }
        census.listeners.sort();
        census
    }

    fn count(&mut self, number: u32, row: &Row) {
        if row.owners.count == 0 {
            self.ownerless.push(number);
        }
        if row.phase == Phase::Closed {
            return;
        }
        let (protocol, state) = (row.socket.protocol, row.socket.state);
        self.tally.count(protocol, state);
        self.muster.note(number, row);
        if protocol == Protocol::Tcp && state == State::Listen {
            self.listeners.add(row.socket.local.port, number);
        }
    }
}
