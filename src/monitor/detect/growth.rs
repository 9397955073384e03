//! How much a number has grown within a time, for many numbers at once.

use crate::model::time::Stamp;
use foldhash::HashMap;
use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

/// The window is remembered in so many parts; of each only the least counts.
const PARTS: u32 = 60;
/// So many numbers are remembered at most: peers can make as many as they like.
const MOST: usize = 4096;

/// The numbers of the last while, by what they are of.
pub(super) struct Growth<K> {
    past: HashMap<K, VecDeque<(Stamp, u32)>>,
    /// Whether whoever appears now was not there before.
    begun: bool,
}

impl<K> Default for Growth<K> {
    fn default() -> Self {
        Self {
            past: HashMap::default(),
            begun: false,
        }
    }
}

impl<K: Copy + Eq + Hash> Growth<K> {
    /// Takes in the present numbers and gives for each by how much it is more
    /// than the least of the window, and itself. What appears in the first table
    /// that is `whole`, or before, has not grown: it was there.
    pub(super) fn note(
        &mut self,
        numbers: &HashMap<K, u32>,
        whole: bool,
        now: Stamp,
        within: Duration,
    ) -> Vec<(K, u32, u32)> {
        let step = within / PARTS;
        let begun = self.begun;
        self.begun |= whole;
        for (key, number) in numbers {
            if self.past.len() >= MOST && !self.past.contains_key(key) {
                continue;
            }
            let past = self.past.entry(*key).or_default();
            if past.is_empty() {
                past.push_back((now, if begun { 0 } else { *number }));
            }
        }
        let mut grown = Vec::new();
        self.past.retain(|key, past| {
            let number = numbers.get(key).copied().unwrap_or(0);
            remember(past, number, now, step);
            while past.front().is_some_and(|(at, _)| at.age(now) > within) {
                past.pop_front();
            }
            let least = past.iter().map(|(_, number)| *number).min();
            grown.push((*key, number - least.unwrap_or(number).min(number), number));
            // Of what has long been gone nothing need be known.
            past.iter().any(|(_, number)| *number > 0) || number > 0
        });
        grown
    }
}

fn remember(past: &mut VecDeque<(Stamp, u32)>, number: u32, now: Stamp, step: Duration) {
    match past.back_mut() {
        Some((at, least)) if at.age(now) < step => *least = number.min(*least),
        _ => past.push_back((now, number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(1);

    fn noted(growth: &mut Growth<u8>, second: u32, numbers: &[(u8, u32)]) -> Vec<(u8, u32, u32)> {
        let numbers = numbers.iter().copied().collect();
        let mut grown = growth.note(&numbers, true, Stamp(second * 100), WINDOW);
        grown.sort_unstable();
        grown
    }

    #[test]
    fn what_was_there_has_not_grown_and_what_comes_has() {
        let mut growth = Growth::default();
        assert_eq!(noted(&mut growth, 0, &[(1, 500)]), [(1, 0, 500)]);
        let both = [(1, 520), (2, 30)];
        assert_eq!(noted(&mut growth, 10, &both), [(1, 20, 520), (2, 30, 30)]);
        // A minute later that is how it has been.
        assert_eq!(noted(&mut growth, 71, &both), [(1, 0, 520), (2, 0, 30)]);
    }

    #[test]
    fn before_the_first_whole_table_nothing_is_new() {
        let mut growth = Growth::default();
        let some = HashMap::from_iter([(1, 5)]);
        let more = HashMap::from_iter([(1, 5), (2, 90)]);
        growth.note(&some, false, Stamp(0), WINDOW);
        let grown = growth.note(&more, true, Stamp(100), WINDOW);
        assert!(grown.iter().all(|(_, by, _)| *by == 0), "{grown:?}");
    }

    #[test]
    fn what_is_gone_is_forgotten_and_the_room_is_bounded() {
        let mut growth = Growth::default();
        noted(&mut growth, 0, &[(1, 5)]);
        noted(&mut growth, 10, &[]);
        noted(&mut growth, 100, &[]);
        assert!(growth.past.is_empty());
        let many: HashMap<usize, u32> = (0..MOST + 100).map(|key| (key, 1)).collect();
        let mut growth = Growth::default();
        growth.note(&many, true, Stamp(0), WINDOW);
        assert_eq!(growth.past.len(), MOST);
    }
}
