//! Rows a person has tagged, to act on them together.

use super::App;
use super::command::Command;
use super::effect::Effect;
use crate::model::row::{Phase, Row};
use crate::model::socket::SocketKey;
use std::collections::BTreeSet;

/// The tagged sockets. A tag follows its socket, not a place in the table.
#[derive(Clone, Debug, Default)]
pub struct Tags(BTreeSet<SocketKey>);

impl Tags {
    /// Whether a socket is tagged.
    #[must_use]
    pub fn has(&self, key: SocketKey) -> bool {
        self.0.contains(&key)
    }

    /// How many are tagged.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Tags a socket, or takes its tag away.
    pub(super) fn toggle(&mut self, key: SocketKey) {
        if !self.0.remove(&key) {
            self.0.insert(key);
        }
    }
}

impl App {
    /// Tags the row under the cursor and goes on to the next.
    pub(super) fn toggle_tag(&mut self) -> Vec<Effect> {
        let Some(key) = self.selected().map(|row| row.socket.key()) else {
            return self.nothing_selected();
        };
        self.tags.toggle(key);
        self.browse(Command::Down)
    }

    /// The rows an action is for: those that are tagged and still there,
    /// whether or not the filter shows them, in the order of the table; the
    /// row under the cursor where none is tagged, or none of those is left.
    #[must_use]
    pub fn rows_to_act_on(&self) -> Vec<&Row> {
        let rows = self.observation.rows.iter();
        let tagged: Vec<&Row> = if self.tags.count() == 0 {
            Vec::new()
        } else {
            rows.filter(|row| row.phase != Phase::Closed && self.tags.has(row.socket.key()))
                .collect()
        };
        if tagged.is_empty() {
            return self.selected().into_iter().collect();
        }
        tagged
    }
}
