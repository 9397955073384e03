//! The units that opened the sockets that no known process holds.
//!
//! The kernel keeps with a socket the control group of the process that created
//! it, for as long as the socket lives: not that of a process which it was
//! passed to, nor the one its creator has moved to since.

use super::unit::Unit;
use foldhash::{HashMap, HashMapExt};
use std::sync::Arc;

/// Units by socket, where a socket is named by a `K`: its place in a table, or its
/// key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Openers<K> {
    units: Vec<Arc<Unit>>,
    /// Ascending by socket; the number is a place among the units.
    sockets: Vec<(K, u32)>,
}

impl<K> Default for Openers<K> {
    fn default() -> Self {
        Self {
            units: Vec::new(),
            sockets: Vec::new(),
        }
    }
}

impl<K: Ord> Openers<K> {
    /// The openers of some sockets. Of a socket that comes twice the last counts.
    #[must_use]
    pub fn new(found: impl IntoIterator<Item = (K, Arc<Unit>)>) -> Self {
        let mut units: Vec<Arc<Unit>> = Vec::new();
        let mut places: HashMap<*const Unit, u32> = HashMap::new();
        let mut sockets: Vec<(K, u32)> = Vec::new();
        for (socket, unit) in found {
            let place = *places.entry(Arc::as_ptr(&unit)).or_insert_with(|| {
                units.push(unit);
                u32::try_from(units.len() - 1).unwrap_or(u32::MAX)
            });
            sockets.push((socket, place));
        }
        Self { units, sockets }.in_order()
    }

    /// The same with the sockets named otherwise; those without such a name are
    /// left out.
    #[must_use]
    pub fn rename<L: Ord>(self, name: impl Fn(K) -> Option<L>) -> Openers<L> {
        let sockets = self.sockets.into_iter();
        Openers {
            units: self.units,
            sockets: sockets
                .filter_map(|(socket, unit)| Some((name(socket)?, unit)))
                .collect(),
        }
        .in_order()
    }

    fn in_order(mut self) -> Self {
        self.sockets.reverse();
        self.sockets.sort_by(|left, right| left.0.cmp(&right.0));
        self.sockets.dedup_by(|later, first| later.0 == first.0);
        self
    }

    /// The unit that opened a socket, where that is known.
    #[must_use]
    pub fn unit(&self, socket: &K) -> Option<&Arc<Unit>> {
        self.units.get(self.place(socket)?)
    }

    /// The place of that unit among [`Self::units`].
    #[must_use]
    pub fn place(&self, socket: &K) -> Option<usize> {
        let sockets = &self.sockets;
        let found = sockets.binary_search_by(|(known, _)| known.cmp(socket));
        Some(sockets.get(found.ok()?)?.1 as usize)
    }

    /// Every unit.
    #[must_use]
    pub fn units(&self) -> &[Arc<Unit>] {
        &self.units
    }

    /// True if no opener is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> Arc<Unit> {
        Arc::new(Unit::system(name))
    }

    #[test]
    fn each_socket_has_the_unit_that_was_told_last() {
        let (first, second) = (unit("a.service"), unit("b.service"));
        let told = [(9, second), (3, Arc::clone(&first)), (9, first)];
        let openers = Openers::new(told);
        let name = |socket| openers.unit(&socket).map(|unit| unit.as_str().to_owned());
        assert_eq!(name(3).as_deref(), Some("a.service"));
        assert_eq!(name(9).as_deref(), Some("a.service"));
        assert_eq!(name(4), None);
        assert_eq!(openers.units().len(), 2);
        let renamed = openers.rename(|number: i32| (number > 3).then_some(-number));
        assert_eq!(renamed.unit(&-9).unwrap().as_str(), "a.service");
        assert_eq!(renamed.unit(&-3), None);
        assert!(!renamed.is_empty() && Openers::<u32>::default().is_empty());
    }
}
