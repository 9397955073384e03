//! History of arrivals: one count per table.

use std::collections::VecDeque;

/// Number of sockets that appeared in each of the last tables.
pub(super) struct NewSocketHistory {
    counts: VecDeque<u32>,
    max_tables: usize,
}

impl NewSocketHistory {
    /// Returns an empty history of at most that many tables.
    pub(super) fn new(max_tables: usize) -> Self {
        Self {
            counts: VecDeque::with_capacity(max_tables),
            max_tables,
        }
    }

    /// Adds the latest count and drops the oldest beyond the maximum.
    pub(super) fn push(&mut self, count: u32) {
        self.counts.push_back(count);
        while self.counts.len() > self.max_tables {
            self.counts.pop_front();
        }
    }

    /// The counts, the latest last.
    pub(super) fn counts(&self) -> Vec<u32> {
        self.counts.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_are_kept() {
        let mut history = NewSocketHistory::new(3);
        for count in 0..5 {
            history.push(count);
        }
        assert_eq!(history.counts(), [2, 3, 4]);
    }
}
