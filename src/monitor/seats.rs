//! Stable slot of each socket, independent of its row number.
//!
//! Row numbers shift with every table; if the hash table held them, each row
//! would cost a write to a random place in memory. A slot is found by key only
//! when the order of the table does not already give the next one.

use crate::model::socket::{SocketKey, Tuple};
use foldhash::HashMap;
use std::num::NonZeroU64;

/// Number of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeatId(u32);

/// All slots, and the key of each.
#[derive(Default)]
pub(super) struct Seats {
    names: Names,
    all: Vec<Seat>,
    free: Vec<SeatId>,
    /// Number of the table.
    table: u32,
}

/// Keys of the slots. Two maps, because a cookie takes less than half the space
/// of a tuple and a source gives mostly one or the other.
#[derive(Default)]
struct Names {
    cookies: HashMap<Name, SeatId>,
    tuples: HashMap<Tuple, SeatId>,
}

/// A namespace and a cookie in halves: with the slot it takes 16 bytes, whole
/// it would take 24.
type Name = [u32; 3];

fn name(namespace: u32, cookie: NonZeroU64) -> Name {
    let [first, second, third, fourth, rest @ ..] = cookie.get().to_ne_bytes();
    let first = [first, second, third, fourth];
    [
        namespace,
        u32::from_ne_bytes(first),
        u32::from_ne_bytes(rest),
    ]
}

impl Names {
    fn get(&self, key: &SocketKey) -> Option<SeatId> {
        match key {
            SocketKey::Cookie { namespace, cookie } => self.cookies.get(&name(*namespace, *cookie)),
            SocketKey::Tuple(tuple) => self.tuples.get(tuple),
        }
        .copied()
    }

    fn insert(&mut self, key: SocketKey, seat: SeatId) {
        match key {
            SocketKey::Cookie { namespace, cookie } => {
                self.cookies.insert(name(namespace, cookie), seat)
            }
            SocketKey::Tuple(tuple) => self.tuples.insert(tuple, seat),
        };
    }

    fn remove(&mut self, key: &SocketKey) -> Option<SeatId> {
        match key {
            SocketKey::Cookie { namespace, cookie } => {
                self.cookies.remove(&name(*namespace, *cookie))
            }
            SocketKey::Tuple(tuple) => self.tuples.remove(tuple),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Seat {
    /// Number of the row in the table `table`.
    row: u32,
    table: u32,
}

impl Seats {
    /// Begins a table: no slot is occupied yet.
    pub(super) fn begin_table(&mut self) {
        self.table = self.table.wrapping_add(1);
    }

    /// Returns the slot of a key.
    pub(super) fn find(&self, key: &SocketKey) -> Option<SeatId> {
        self.names.get(key)
    }

    /// Returns a slot for a key without one.
    pub(super) fn add(&mut self, key: SocketKey) -> SeatId {
        let seat = self.free.pop().unwrap_or_else(|| self.grow());
        self.names.insert(key, seat);
        seat
    }

    fn grow(&mut self) -> SeatId {
        let seat = SeatId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Seat::default());
        seat
    }

    /// Gives a slot another key. Returns false if that key has a slot already.
    pub(super) fn rename(&mut self, seat: SeatId, from: &SocketKey, to: SocketKey) -> bool {
        if let Some(known) = self.names.get(&to) {
            return known == seat;
        }
        self.names.remove(from);
        self.names.insert(to, seat);
        true
    }

    /// Frees the slot of a key.
    pub(super) fn leave(&mut self, key: &SocketKey) {
        self.free.extend(self.names.remove(key));
    }

    /// Puts a row of this table into a slot.
    pub(super) fn sit(&mut self, seat: SeatId, row: u32) {
        let table = self.table;
        if let Some(place) = self.all.get_mut(seat.0 as usize) {
            *place = Seat { row, table };
        }
    }

    /// Row number of a slot in this table, or in the last one until it is
    /// occupied.
    pub(super) fn row(&self, seat: SeatId) -> u32 {
        self.all
            .get(seat.0 as usize)
            .map_or(u32::MAX, |place| place.row)
    }

    /// True if a row of this table is in the slot.
    pub(super) fn is_taken(&self, seat: SeatId) -> bool {
        let place = self.all.get(seat.0 as usize);
        place.is_some_and(|place| place.table == self.table)
    }
}

#[cfg(test)]
impl Seats {
    /// Number of keys with a slot.
    pub(super) fn taken(&self) -> usize {
        self.names.cookies.len() + self.names.tuples.len()
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
    fn a_seat_is_kept_and_taken_once_a_table() {
        let mut seats = Seats::default();
        seats.begin_table();
        let seat = seats.add(key(1));
        seats.sit(seat, 7);
        assert!(seats.is_taken(seat));
        seats.begin_table();
        assert_eq!(seats.find(&key(1)), Some(seat));
        assert!(!seats.is_taken(seat));
        assert_eq!(seats.row(seat), 7);
    }

    #[test]
    fn a_seat_that_was_left_serves_the_next() {
        let mut seats = Seats::default();
        let seat = seats.add(key(1));
        seats.leave(&key(1));
        assert_eq!(seats.find(&key(1)), None);
        assert_eq!(seats.add(key(2)), seat);
    }

    #[test]
    fn a_seat_may_change_its_name_but_not_take_anothers() {
        let mut seats = Seats::default();
        let first = seats.add(key(1));
        let second = seats.add(key(2));
        assert!(seats.rename(first, &key(1), key(3)));
        assert_eq!(
            (seats.find(&key(1)), seats.find(&key(3))),
            (None, Some(first))
        );
        assert!(!seats.rename(second, &key(2), key(3)));
        assert!(seats.rename(second, &key(2), key(2)));
    }
}
