//! States of rows as tables showed them: all there is where no state changes
//! are traced, and the source of the two states that are never traced.

use crate::model::event_history::{TimePrecision, TimelineStep};
use crate::model::row::{Phase, Row};
use crate::model::socket::SocketKey;
use crate::model::time::Timestamp;
use foldhash::{HashMap, HashSet};

/// Maximum number of rows whose states are kept; of others only the present
/// state is known.
const MAX_ROWS: usize = 65_536;
/// Maximum number of states of a connection.
const MAX_STEPS: usize = 8;

/// Earlier states of rows that changed.
#[derive(Default)]
pub(super) struct StateLog {
    steps: HashMap<SocketKey, Vec<TimelineStep>>,
}

impl StateLog {
    /// Records the new state of a row of the latest table.
    pub(super) fn record(&mut self, row: &Row, now: Timestamp, began: Timestamp) {
        let Phase::Changed { from } = row.phase else {
            return;
        };
        if row.state_since != now {
            return;
        }
        let key = row.socket.key();
        if self.steps.len() >= MAX_ROWS && !self.steps.contains_key(&key) {
            return;
        }
        let way = self.steps.entry(key).or_insert_with(|| {
            vec![TimelineStep {
                state: from,
                since_us: microseconds(row.first_seen),
                precision: first_precision(row, began),
            }]
        });
        if way.len() < MAX_STEPS {
            way.push(current_step(row));
        }
    }

    /// Forgets rows that are gone, if the maximum is reached.
    pub(super) fn retain_rows(&mut self, rows: &[Row]) {
        if self.steps.len() < MAX_ROWS {
            return;
        }
        let there: HashSet<SocketKey> = rows.iter().map(|row| row.socket.key()).collect();
        self.steps.retain(|key, _| there.contains(key));
    }

    /// Returns the states of a row, the present one last.
    pub(super) fn steps(&self, row: &Row, began: Timestamp) -> Vec<TimelineStep> {
        match self.steps.get(&row.socket.key()) {
            Some(way)
                if way
                    .last()
                    .is_some_and(|last| last.state == row.socket.state) =>
            {
                way.clone()
            }
            Some(way) => {
                let mut way = way.clone();
                way.push(current_step(row));
                way
            }
            None => vec![TimelineStep {
                precision: if row.saw_state_entry {
                    TimePrecision::FirstSeen
                } else {
                    first_precision(row, began)
                },
                ..current_step(row)
            }],
        }
    }
}

/// The present state of a row that was seen to enter it.
pub(super) fn current_step(row: &Row) -> TimelineStep {
    TimelineStep {
        state: row.socket.state,
        since_us: microseconds(row.state_since),
        precision: TimePrecision::FirstSeen,
    }
}

/// Precision of the start of a row's first state.
fn first_precision(row: &Row, began: Timestamp) -> TimePrecision {
    if row.first_seen > began {
        TimePrecision::FirstSeen
    } else {
        TimePrecision::LowerBound
    }
}

fn microseconds(stamp: Timestamp) -> u64 {
    u64::from(stamp.0) * 10_000
}
