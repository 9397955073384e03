//! Tagged rows, for an action on all of them.

use super::App;
use super::command::Command;
use super::effect::Effect;
use crate::explain::template::{format_thousands, render};
use crate::model::observation::Observation;
use crate::model::row::{Phase, Row};
use crate::model::socket::SocketKey;
use std::collections::BTreeSet;

/// The tagged sockets. A tag follows its socket, not a row number.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    keys: BTreeSet<SocketKey>,
    /// True if all tagged sockets have gone by themselves without a notice yet: a
    /// key meant for them must not act on the row under the cursor.
    all_gone: bool,
}

impl Tags {
    /// True if a socket is tagged.
    #[must_use]
    pub fn contains(&self, key: SocketKey) -> bool {
        self.keys.contains(&key)
    }

    /// Number of tagged sockets.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Tags a socket, or removes its tag.
    pub(super) fn toggle(&mut self, key: SocketKey) {
        if !self.keys.remove(&key) {
            self.keys.insert(key);
        }
    }

    /// Removes all tags. True if there were any.
    pub(super) fn clear(&mut self) -> bool {
        let any = !self.keys.is_empty();
        *self = Self::default();
        any
    }

    /// True if all tagged sockets have gone by themselves since the last key.
    pub(super) fn have_all_gone(&self) -> bool {
        self.all_gone
    }

    /// Records a key that is not about the tags.
    pub(super) fn acknowledge_gone(&mut self) {
        self.all_gone = false;
    }

    /// Removes the tags of sockets that are gone.
    pub(super) fn retain_present(&mut self, observation: &Observation) {
        if self.keys.is_empty() {
            return;
        }
        let present = observation.rows.iter().filter(|row| is_present(row));
        self.keys = present
            .map(|row| row.socket.key())
            .filter(|key| self.keys.contains(key))
            .collect();
        self.all_gone = self.keys.is_empty();
    }
}

fn is_present(row: &Row) -> bool {
    row.phase != Phase::Closed
}

impl App {
    /// Tags the row under the cursor and moves to the next.
    pub(super) fn toggle_tag(&mut self) -> Vec<Effect> {
        let Some(row) = self.selected() else {
            return self.notify_nothing_selected();
        };
        if is_present(row) {
            let key = row.socket.key();
            self.tags.toggle(key);
        }
        self.navigate(Command::Down)
    }

    /// Tags every visible row; if all are tagged, removes all tags.
    pub(super) fn tag_all(&mut self) -> Vec<Effect> {
        let rows = self
            .row_order
            .iter()
            .filter_map(|number| self.observation.rows.get(*number as usize));
        let shown: BTreeSet<SocketKey> = rows
            .filter(|row| is_present(row))
            .map(|row| row.socket.key())
            .collect();
        if shown.is_empty() {
            return self.notify_nothing_selected();
        }
        if shown.is_subset(&self.tags.keys) {
            return self.clear_tags();
        }
        self.tags.keys.extend(shown);
        let sentence = self.messages.closing("tags", "tagged");
        let count = format_thousands(self.tags.count() as u64);
        self.notify(render(sentence, |_| Some(count.clone())).unwrap_or_default());
        Vec::new()
    }

    pub(super) fn clear_tags(&mut self) -> Vec<Effect> {
        if self.tags.clear() {
            let text = self.messages.closing("tags", "cleared").to_owned();
            self.notify(text);
        }
        Vec::new()
    }

    /// Returns the rows an action is for: tagged ones that are still present,
    /// visible or not, in the order of the table; without tags, the row under the
    /// cursor.
    #[must_use]
    pub fn target_rows(&self) -> Vec<&Row> {
        let rows = self.observation.rows.iter();
        let tagged: Vec<&Row> = if self.tags.count() == 0 {
            Vec::new()
        } else {
            rows.filter(|row| is_present(row) && self.tags.contains(row.socket.key()))
                .collect()
        };
        if tagged.is_empty() {
            return self.selected().into_iter().collect();
        }
        tagged
    }
}
