//! Increase of numbers within a window, for many keys at once.

use crate::model::time::Timestamp;
use foldhash::HashMap;
use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

/// Number of parts of the window; of each only the minimum is kept.
const WINDOW_PARTS: u32 = 60;
/// Maximum number of keys: peers can make as many as they like.
const MAX_KEYS: usize = 4096;

/// Numbers within the window, by key.
pub(super) struct Growth<K> {
    past: HashMap<K, VecDeque<(Timestamp, u32)>>,
    /// Largest number that was evicted for want of space, and when.
    largest_evicted: Option<(Timestamp, u32)>,
    /// True once a complete table was seen: later keys are new.
    has_baseline: bool,
}

impl<K> Default for Growth<K> {
    fn default() -> Self {
        Self {
            past: HashMap::default(),
            largest_evicted: None,
            has_baseline: false,
        }
    }
}

impl<K: Copy + Eq + Hash> Growth<K> {
    /// Records the present numbers and returns for each key its increase over
    /// the minimum of the window, and the number. A key that appears in or
    /// before the first table that is `whole` has not grown: it was there.
    pub(super) fn update(
        &mut self,
        numbers: &HashMap<K, u32>,
        whole: bool,
        now: Timestamp,
        within: Duration,
    ) -> Vec<(K, u32, u32)> {
        let step = within / WINDOW_PARTS;
        let begun = self.has_baseline;
        self.has_baseline |= whole;
        self.largest_evicted = self.largest_evicted.filter(|(at, _)| at.age(now) <= within);
        let forgotten = self.largest_evicted.map_or(0, |(_, number)| number);
        for (key, number) in self.admit(numbers, now) {
            // A key that seems new may have been evicted with a number no
            // larger than this.
            let before = if begun { number.min(forgotten) } else { number };
            self.past.insert(key, VecDeque::from([(now, before)]));
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
            // A key that has long been gone need not be kept.
            past.iter().any(|(_, number)| *number > 0) || number > 0
        });
        grown
    }

    /// Keys to add. Where there is no space for all, those with the smallest
    /// numbers are evicted, of equal ones the oldest: there may be thousands of
    /// small ones, and the large ones matter.
    fn admit(&mut self, numbers: &HashMap<K, u32>, now: Timestamp) -> Vec<(K, u32)> {
        let unknown = numbers
            .iter()
            .filter(|(key, _)| !self.past.contains_key(key));
        let unknown: Vec<(K, u32)> = unknown.map(|(key, number)| (*key, *number)).collect();
        let surplus = (self.past.len() + unknown.len()).saturating_sub(MAX_KEYS);
        if surplus == 0 {
            return unknown;
        }
        let known = self.past.iter().map(|(key, past)| {
            let number = numbers.get(key).copied().unwrap_or(0);
            (number, past.front().map_or(now, |(at, _)| *at), *key)
        });
        let new = unknown.into_iter().map(|(key, number)| (number, now, key));
        let mut all: Vec<(u32, Timestamp, K)> = known.chain(new).collect();
        all.select_nth_unstable_by_key(surplus - 1, |(number, since, _)| (*number, *since));
        let kept = all.split_off(surplus);
        let mut largest = 0;
        for (number, _, key) in all {
            self.past.remove(&key);
            largest = largest.max(number);
        }
        if self
            .largest_evicted
            .is_none_or(|(_, before)| largest >= before)
        {
            self.largest_evicted = Some((now, largest));
        }
        let kept = kept.into_iter();
        kept.filter(|(_, _, key)| !self.past.contains_key(key))
            .map(|(number, _, key)| (key, number))
            .collect()
    }
}

fn remember(past: &mut VecDeque<(Timestamp, u32)>, number: u32, now: Timestamp, step: Duration) {
    match past.back_mut() {
        Some((at, least)) if at.age(now) < step => *least = number.min(*least),
        _ => past.push_back((now, number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(1);

    fn update(growth: &mut Growth<u8>, second: u32, numbers: &[(u8, u32)]) -> Vec<(u8, u32, u32)> {
        let numbers = numbers.iter().copied().collect();
        let mut grown = growth.update(&numbers, true, Timestamp(second * 100), WINDOW);
        grown.sort_unstable();
        grown
    }

    #[test]
    fn what_was_there_has_not_grown_and_what_comes_has() {
        let mut growth = Growth::default();
        assert_eq!(update(&mut growth, 0, &[(1, 500)]), [(1, 0, 500)]);
        let both = [(1, 520), (2, 30)];
        assert_eq!(update(&mut growth, 10, &both), [(1, 20, 520), (2, 30, 30)]);
        // A minute later these are the usual numbers.
        assert_eq!(update(&mut growth, 71, &both), [(1, 0, 520), (2, 0, 30)]);
    }

    #[test]
    fn before_the_first_whole_table_nothing_is_new() {
        let mut growth = Growth::default();
        let some = HashMap::from_iter([(1, 5)]);
        let more = HashMap::from_iter([(1, 5), (2, 90)]);
        growth.update(&some, false, Timestamp(0), WINDOW);
        let grown = growth.update(&more, true, Timestamp(100), WINDOW);
        assert!(grown.iter().all(|(_, by, _)| *by == 0), "{grown:?}");
    }

    #[test]
    fn what_is_gone_is_forgotten_and_the_room_is_bounded() {
        let mut growth = Growth::default();
        update(&mut growth, 0, &[(1, 5)]);
        update(&mut growth, 10, &[]);
        update(&mut growth, 100, &[]);
        assert!(growth.past.is_empty());
        let many: HashMap<usize, u32> = (0..MAX_KEYS + 100).map(|key| (key, 1)).collect();
        let mut growth = Growth::default();
        growth.update(&many, true, Timestamp(0), WINDOW);
        assert_eq!(growth.past.len(), MAX_KEYS);
    }

    #[test]
    fn the_smallest_keys_are_evicted_first() {
        let mut growth = Growth::default();
        let small: HashMap<usize, u32> = (0..MAX_KEYS).map(|key| (key, 1)).collect();
        growth.update(&small, true, Timestamp(0), WINDOW);
        let mut all = small.clone();
        all.insert(MAX_KEYS, 90);
        let grown = growth.update(&all, true, Timestamp(100), WINDOW);
        assert_eq!(growth.past.len(), MAX_KEYS);
        assert!(
            grown.contains(&(MAX_KEYS, 90, 90)),
            "none was forgotten yet"
        );
        // Then the large one stays, whichever other keys come.
        all.extend((MAX_KEYS + 1..MAX_KEYS * 2).map(|key| (key, 1)));
        all.insert(MAX_KEYS, 95);
        let grown = growth.update(&all, true, Timestamp(200), WINDOW);
        assert_eq!(growth.past.len(), MAX_KEYS);
        assert!(grown.contains(&(MAX_KEYS, 95, 95)));
    }

    #[test]
    fn what_was_forgotten_and_is_seen_again_has_not_grown() {
        let mut growth = Growth::default();
        let many: HashMap<usize, u32> = (0..MAX_KEYS + 500).map(|key| (key, 7)).collect();
        for second in 0..5 {
            let grown = growth.update(&many, true, Timestamp(second * 100), WINDOW);
            assert_eq!(growth.past.len(), MAX_KEYS);
            assert!(grown.iter().all(|(_, by, _)| *by == 0), "{second} s");
        }
        // Long after, it is unknown, and a key that comes is new.
        growth.update(&HashMap::default(), true, Timestamp(6100), WINDOW);
        growth.update(&HashMap::default(), true, Timestamp(12_200), WINDOW);
        let one = HashMap::from_iter([(1, 7)]);
        let grown = growth.update(&one, true, Timestamp(12_300), WINDOW);
        assert_eq!(grown, [(1, 7, 7)]);
    }
}
