//! How much happened lately: a short memory of counts, one a table.

use std::collections::VecDeque;

/// How many sockets appeared in each of the last tables.
pub(super) struct History {
    counts: VecDeque<u32>,
    longest: usize,
}

impl History {
    /// A memory of that many tables.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            counts: VecDeque::with_capacity(longest),
            longest,
        }
    }

    /// Adds the latest count and forgets the oldest when there are too many.
    pub(super) fn push(&mut self, count: u32) {
        self.counts.push_back(count);
        while self.counts.len() > self.longest {
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
        let mut history = History::new(3);
        for count in 0..5 {
            history.push(count);
        }
        assert_eq!(history.counts(), [2, 3, 4]);
    }
}
