//! Attempts that came and went between two tables.
//!
//! A connection that is opened, served and closed within a second is in no
//! table, and one that the peer closed leaves nothing behind. A failing one is
//! always seen. A rule that uses the table alone takes a busy program with a
//! few dead targets for a scanner; so unseen attempts must be counted.

use crate::model::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Unseen attempts within the window, of all processes together.
#[derive(Debug, Default)]
pub(super) struct UntrackedAttempts {
    /// The kernel's counter in the last table.
    opens: Option<u64>,
    counts: VecDeque<(Timestamp, u64)>,
}

/// Attempts since the last table, as one table shows them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AttemptCounts {
    /// The kernel's counter of all attempts.
    pub(super) opens: Option<u64>,
    /// New outbound sockets whose client is known, if only by its user.
    pub(super) seen: u64,
    /// New outbound sockets without a known client: the remains of short
    /// connections.
    pub(super) ownerless: u64,
}

impl UntrackedAttempts {
    /// Records the counts of a table and forgets those outside the window.
    pub(super) fn record(&mut self, now: Timestamp, attempts: AttemptCounts, window: Duration) {
        let before = std::mem::replace(&mut self.opens, attempts.opens);
        let made = before
            .zip(attempts.opens)
            .map_or(0, |(before, after)| after.saturating_sub(before));
        let unseen = made.saturating_sub(attempts.seen).max(attempts.ownerless);
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

    fn attempts(opens: u64, seen: u64, orphaned: u64) -> AttemptCounts {
        AttemptCounts {
            opens: Some(opens),
            seen,
            ownerless: orphaned,
        }
    }

    #[test]
    fn the_first_count_tells_nothing() {
        let mut unseen = UntrackedAttempts::default();
        unseen.record(Timestamp(0), attempts(1_000_000, 0, 0), WINDOW);
        assert_eq!(unseen.share(1, 1), 0);
        unseen.record(Timestamp(100), attempts(1_000_050, 20, 0), WINDOW);
        assert_eq!(unseen.share(1, 1), 30);
    }

    #[test]
    fn without_the_counter_the_remains_are_counted() {
        let mut unseen = UntrackedAttempts::default();
        let remains = AttemptCounts {
            opens: None,
            seen: 5,
            ownerless: 7,
        };
        unseen.record(Timestamp(0), remains, WINDOW);
        assert_eq!(unseen.share(1, 1), 7);
    }

    #[test]
    fn untracked_attempts_are_shared_by_successes() {
        let mut unseen = UntrackedAttempts::default();
        unseen.record(Timestamp(0), attempts(0, 0, 100), WINDOW);
        assert_eq!(unseen.share(3, 4), 75);
        assert_eq!(unseen.share(0, 4), 0);
        assert_eq!(unseen.share(0, 0), 100);
    }

    #[test]
    fn what_is_outside_the_window_is_forgotten() {
        let mut unseen = UntrackedAttempts::default();
        unseen.record(Timestamp(0), attempts(0, 0, 100), WINDOW);
        unseen.record(Timestamp(1001), attempts(0, 0, 1), WINDOW);
        assert_eq!(unseen.share(1, 1), 1);
    }
}
