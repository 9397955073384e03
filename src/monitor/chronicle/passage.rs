//! States of rows as tables showed them: all there is where no state changes
//! are traced, and the source of the two states that are never traced.

use crate::model::chronicle::{Known, Step};
use crate::model::row::{Phase, Row};
use crate::model::socket::SocketKey;
use crate::model::time::Stamp;
use foldhash::{HashMap, HashSet};

/// Maximum number of rows whose states are kept; of others only the present
/// state is known.
const MOST: usize = 65_536;
/// Maximum number of states of a connection.
const STEPS: usize = 8;

/// Earlier states of rows that changed.
#[derive(Default)]
pub(super) struct Passages {
    ways: HashMap<SocketKey, Vec<Step>>,
}

impl Passages {
    /// Records the new state of a row of the latest table.
    pub(super) fn note(&mut self, row: &Row, now: Stamp, began: Stamp) {
        let Phase::Changed { from } = row.phase else {
            return;
        };
        if row.state_since != now {
            return;
        }
        let key = row.socket.key();
        if self.ways.len() >= MOST && !self.ways.contains_key(&key) {
            return;
        }
        let way = self.ways.entry(key).or_insert_with(|| {
            vec![Step {
                state: from,
                since_us: microseconds(row.first_seen),
                known: first_known(row, began),
            }]
        });
        if way.len() < STEPS {
            way.push(present(row));
        }
    }

    /// Forgets rows that are gone, if the maximum is reached.
    pub(super) fn sweep(&mut self, rows: &[Row]) {
        if self.ways.len() < MOST {
            return;
        }
        let there: HashSet<SocketKey> = rows.iter().map(|row| row.socket.key()).collect();
        self.ways.retain(|key, _| there.contains(key));
    }

    /// Returns the states of a row, the present one last.
    pub(super) fn of(&self, row: &Row, began: Stamp) -> Vec<Step> {
        match self.ways.get(&row.socket.key()) {
            Some(way)
                if way
                    .last()
                    .is_some_and(|last| last.state == row.socket.state) =>
            {
                way.clone()
            }
            Some(way) => {
                let mut way = way.clone();
                way.push(present(row));
                way
            }
            None => vec![Step {
                known: if row.entry_seen {
                    Known::ByTable
                } else {
                    first_known(row, began)
                },
                ..present(row)
            }],
        }
    }
}

/// The present state of a row that was seen to enter it.
pub(super) fn present(row: &Row) -> Step {
    Step {
        state: row.socket.state,
        since_us: microseconds(row.state_since),
        known: Known::ByTable,
    }
}

/// Precision of the start of a row's first state.
fn first_known(row: &Row, began: Stamp) -> Known {
    if row.first_seen > began {
        Known::ByTable
    } else {
        Known::AtLeast
    }
}

fn microseconds(stamp: Stamp) -> u64 {
    u64::from(stamp.0) * 10_000
}
