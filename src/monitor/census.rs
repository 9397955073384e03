//! Counts and indexes over all rows of a table, made in one pass.

use super::listeners::Listeners;
use super::muster::Muster;
use crate::model::observation::Tally;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;

/// Counts and indexes of one table.
#[derive(Default)]
pub(super) struct Census {
    /// Number of rows by state, without closed ones.
    pub(super) tally: Tally,
    /// Index of the listeners.
    pub(super) listeners: Listeners,
    /// Numbers of rows without an owner, closed ones included.
    pub(super) ownerless: Vec<u32>,
    /// Row subsets for the rules.
    pub(super) muster: Muster,
}

impl Census {
    /// Counts the rows.
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
