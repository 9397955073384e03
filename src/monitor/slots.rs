//! Stable slot of each socket, independent of its row number.
//!
//! Row numbers shift with every table; if the hash table held them, each row
//! would cost a write to a random place in memory. A slot is found by key only
//! when the order of the table does not already give the next one.

use crate::model::socket::{SocketKey, SocketTuple};
use foldhash::HashMap;
use std::num::NonZeroU64;

/// Number of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotId(u32);

/// All slots, and the key of each.
#[derive(Default)]
pub(super) struct SlotMap {
    keys: SlotKeys,
    slots: Vec<SlotEntry>,
    free: Vec<SlotId>,
    /// Number of the table.
    generation: u32,
}

/// Keys of the slots. Two maps, because a cookie takes less than half the space
/// of a tuple and a source gives mostly one or the other.
#[derive(Default)]
struct SlotKeys {
    cookies: HashMap<CookieKey, SlotId>,
    tuples: HashMap<SocketTuple, SlotId>,
}

/// A namespace and a cookie in halves: with the slot it takes 16 bytes, whole
/// it would take 24.
type CookieKey = [u32; 3];

fn cookie_key(namespace: u32, cookie: NonZeroU64) -> CookieKey {
    let [first, second, third, fourth, rest @ ..] = cookie.get().to_ne_bytes();
    let first = [first, second, third, fourth];
    [
        namespace,
        u32::from_ne_bytes(first),
        u32::from_ne_bytes(rest),
    ]
}

impl SlotKeys {
    fn get(&self, key: &SocketKey) -> Option<SlotId> {
        match key {
            SocketKey::Cookie { namespace, cookie } => {
                self.cookies.get(&cookie_key(*namespace, *cookie))
            }
            SocketKey::Tuple(tuple) => self.tuples.get(tuple),
        }
        .copied()
    }

    fn insert(&mut self, key: SocketKey, slot: SlotId) {
        match key {
            SocketKey::Cookie { namespace, cookie } => {
                self.cookies.insert(cookie_key(namespace, cookie), slot)
            }
            SocketKey::Tuple(tuple) => self.tuples.insert(tuple, slot),
        };
    }

    fn remove(&mut self, key: &SocketKey) -> Option<SlotId> {
        match key {
            SocketKey::Cookie { namespace, cookie } => {
                self.cookies.remove(&cookie_key(*namespace, *cookie))
            }
            SocketKey::Tuple(tuple) => self.tuples.remove(tuple),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct SlotEntry {
    /// Number of the row in the table `generation`.
    row: u32,
    generation: u32,
}

impl SlotMap {
    /// Begins a table: no slot is occupied yet.
    pub(super) fn next_generation(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Returns the slot of a key.
    pub(super) fn find(&self, key: &SocketKey) -> Option<SlotId> {
        self.keys.get(key)
    }

    /// Returns a slot for a key without one.
    pub(super) fn insert(&mut self, key: SocketKey) -> SlotId {
        let slot = self.free.pop().unwrap_or_else(|| self.grow());
        self.keys.insert(key, slot);
        slot
    }

    fn grow(&mut self) -> SlotId {
        let slot = SlotId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        self.slots.push(SlotEntry::default());
        slot
    }

    /// Gives a slot another key. Returns false if that key has a slot already.
    pub(super) fn rekey(&mut self, slot: SlotId, from: &SocketKey, to: SocketKey) -> bool {
        if let Some(known) = self.keys.get(&to) {
            return known == slot;
        }
        self.keys.remove(from);
        self.keys.insert(to, slot);
        true
    }

    /// Frees the slot of a key.
    pub(super) fn release(&mut self, key: &SocketKey) {
        self.free.extend(self.keys.remove(key));
    }

    /// Puts a row of this table into a slot.
    pub(super) fn occupy(&mut self, slot: SlotId, row: u32) {
        let table = self.generation;
        if let Some(place) = self.slots.get_mut(slot.0 as usize) {
            *place = SlotEntry {
                row,
                generation: table,
            };
        }
    }

    /// Row number of a slot in this table, or in the last one until it is
    /// occupied.
    pub(super) fn row(&self, slot: SlotId) -> u32 {
        self.slots
            .get(slot.0 as usize)
            .map_or(u32::MAX, |place| place.row)
    }

    /// True if a row of this table is in the slot.
    pub(super) fn is_occupied(&self, slot: SlotId) -> bool {
        let place = self.slots.get(slot.0 as usize);
        place.is_some_and(|place| place.generation == self.generation)
    }
}

#[cfg(test)]
impl SlotMap {
    /// Number of keys with a slot.
    pub(super) fn len(&self) -> usize {
        self.keys.cookies.len() + self.keys.tuples.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::socket;
    use super::*;
    use crate::model::state::State;

    fn key(number: u32) -> SocketKey {
        socket(number, State::Established).key()
    }

    #[test]
    fn a_slot_is_kept_and_occupied_once_per_table() {
        let mut seats = SlotMap::default();
        seats.next_generation();
        let slot = seats.insert(key(1));
        seats.occupy(slot, 7);
        assert!(seats.is_occupied(slot));
        seats.next_generation();
        assert_eq!(seats.find(&key(1)), Some(slot));
        assert!(!seats.is_occupied(slot));
        assert_eq!(seats.row(slot), 7);
    }

    #[test]
    fn a_released_slot_is_reused() {
        let mut seats = SlotMap::default();
        let slot = seats.insert(key(1));
        seats.release(&key(1));
        assert_eq!(seats.find(&key(1)), None);
        assert_eq!(seats.insert(key(2)), slot);
    }

    #[test]
    fn a_slot_may_be_rekeyed_but_not_to_a_used_key() {
        let mut seats = SlotMap::default();
        let first = seats.insert(key(1));
        let second = seats.insert(key(2));
        assert!(seats.rekey(first, &key(1), key(3)));
        assert_eq!(
            (seats.find(&key(1)), seats.find(&key(3))),
            (None, Some(first))
        );
        assert!(!seats.rekey(second, &key(2), key(3)));
        assert!(seats.rekey(second, &key(2), key(2)));
    }
}
