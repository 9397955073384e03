//! Attempts that came and went between two tables.
//!
//! A connection that is opened, served and closed within a second is in no
//! table, and one that the peer closed leaves nothing behind. A failing one is
//! always seen. A rule that uses the table alone takes a busy program with a
//! few dead targets for a scanner; so unseen attempts must be counted.

use crate::model::time::Stamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Unseen attempts within the window, of all processes together.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    /// The kernel's counter in the last table.
    opens: Option<u64>,
    counts: VecDeque<(Stamp, u64)>,
}

/// Attempts since the last table, as one table shows them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    /// The kernel's counter of all attempts.
    pub(super) opens: Option<u64>,
    /// New outbound sockets whose client is known, if only by its user.
    pub(super) seen: u64,
    /// New outbound sockets without a known client: the remains of short
    /// connections.
    pub(super) orphaned: u64,
}

impl Unseen {
    /// Records the counts of a table and forgets those outside the window.
    pub(super) fn note(&mut self, now: Stamp, attempts: Attempts, window: Duration) {
        let before = std::mem::replace(&mut self.opens, attempts.opens);
        let made = before
            .zip(attempts.opens)
            .map_or(0, |(before, after)| after.saturating_sub(before));
        let unseen = made.saturating_sub(attempts.seen).max(attempts.orphaned);
        if unseen > 0 {
            self.counts.push_back((now, unseen));
        }
        while let Some((at, _)) = self.counts.front()
            && at.age(now) > window
        {
            self.counts.pop_front();
        }
    }

    /// Number of unseen attempts that one process may have made: in proportion
    /// to its contacts that were seen to succeed, `own` of `all`. Without any,
    /// each process gets the benefit of the doubt.
    pub(super) fn share(&self, own: usize, all: usize) -> u64 {
        let total: u64 = self.counts.iter().map(|(_, count)| count).sum();
        match all {
            0 => total,
            _ => total.saturating_mul(own as u64) / all as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn attempts(opens: u64, seen: u64, orphaned: u64) -> Attempts {
        Attempts {
            opens: Some(opens),
            seen,
            orphaned,
        }
    }

    #[test]
    fn the_first_count_tells_nothing() {
        let mut unseen = Unseen::default();
        unseen.note(Stamp(0), attempts(1_000_000, 0, 0), WINDOW);
        assert_eq!(unseen.share(1, 1), 0);
        unseen.note(Stamp(100), attempts(1_000_050, 20, 0), WINDOW);
        assert_eq!(unseen.share(1, 1), 30);
    }

    #[test]
    fn without_the_counter_the_remains_are_counted() {
        let mut unseen = Unseen::default();
        let remains = Attempts {
            opens: None,
            seen: 5,
            orphaned: 7,
        };
        unseen.note(Stamp(0), remains, WINDOW);
        assert_eq!(unseen.share(1, 1), 7);
    }

    #[test]
    fn who_is_seen_to_succeed_more_gets_more() {
        let mut unseen = Unseen::default();
        unseen.note(Stamp(0), attempts(0, 0, 100), WINDOW);
        assert_eq!(unseen.share(3, 4), 75);
        assert_eq!(unseen.share(0, 4), 0);
        assert_eq!(unseen.share(0, 0), 100);
    }

    #[test]
    fn what_is_outside_the_window_is_forgotten() {
        let mut unseen = Unseen::default();
        unseen.note(Stamp(0), attempts(0, 0, 100), WINDOW);
        unseen.note(Stamp(1001), attempts(0, 0, 1), WINDOW);
        assert_eq!(unseen.share(1, 1), 1);
    }
}
