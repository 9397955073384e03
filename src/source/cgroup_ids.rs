//! The control groups of the sockets of a table, in little memory: those of one
//! program often come in a row, and few are ever looked at.

use std::num::NonZeroU64;
use std::ops::Range;

/// Ids of control groups by the place of the socket.
#[derive(Clone, Debug, Default)]
pub(super) struct CgroupIds {
    /// Ascending by place, without overlap.
    runs: Vec<Run>,
}

/// Neighbouring sockets of one control group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    places: Range<u32>,
    id: NonZeroU64,
}

impl CgroupIds {
    /// Adds that of a socket whose place is behind all others.
    pub(super) fn push(&mut self, place: u32, id: NonZeroU64) {
        let end = place.saturating_add(1);
        match self.runs.last_mut() {
            Some(last) if last.id == id && last.places.end == place => last.places.end = end,
            _ => self.runs.push(Run {
                places: place..end,
                id,
            }),
        }
    }

    /// Adds those of another table, whose first socket gets the place `first`.
    pub(super) fn append(&mut self, other: Self, first: u32) {
        let moved = |place: u32| place.saturating_add(first);
        self.runs.extend(other.runs.into_iter().map(|run| Run {
            places: moved(run.places.start)..moved(run.places.end),
            id: run.id,
        }));
    }

    /// Keeps those of the first sockets.
    pub(super) fn truncate(&mut self, sockets: u32) {
        self.runs.retain_mut(|run| {
            run.places.end = run.places.end.min(sockets);
            !run.places.is_empty()
        });
    }

    /// Every place with its id, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, NonZeroU64)> {
        let runs = self.runs.iter();
        runs.flat_map(|run| run.places.clone().map(|place| (place, run.id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ids: &CgroupIds) -> Vec<(u32, u64)> {
        ids.iter().map(|(place, id)| (place, id.get())).collect()
    }

    #[test]
    fn every_place_keeps_its_id() {
        let id = |number| NonZeroU64::new(number).unwrap();
        let mut ids = CgroupIds::default();
        for (place, group) in [(0, 7), (1, 7), (3, 7), (4, 8)] {
            ids.push(place, id(group));
        }
        assert_eq!(told(&ids), [(0, 7), (1, 7), (3, 7), (4, 8)]);
        assert_eq!(ids.runs.len(), 3);
        let mut both = ids.clone();
        both.append(ids.clone(), 10);
        assert_eq!(told(&both)[4..], [(10, 7), (11, 7), (13, 7), (14, 8)]);
        both.truncate(11);
        assert_eq!(told(&both)[3..], [(4, 8), (10, 7)]);
        both.truncate(1);
        assert_eq!(told(&both), [(0, 7)]);
        both.truncate(0);
        assert_eq!(both.runs, []);
    }
}
