//! Attempts that waited in one table and were gone from the next.
//!
//! The kernel counts each that failed, and so do the rules that watch it wait.
//! Only those that are gone can be among the counted: hundreds that go on
//! waiting for a dead host explain not one refusal.

use super::table_context::TableContext;
use crate::model::row::Phase;
use crate::model::socket::SocketKey;
use crate::model::state::State;
use crate::model::time::Timestamp;
use foldhash::HashSet;
use std::collections::VecDeque;
use std::time::Duration;

/// Time after which an attempt fails whose host does not answer on the link
/// (`EHOSTUNREACH`): between tables farther apart, others like it may have
/// followed.
const UNREACHABLE_TIMEOUT: Duration = Duration::from_secs(3);

/// Vanished attempts within the window.
#[derive(Debug, Default)]
pub(super) struct VanishedAttempts {
    /// Attempts that waited in the last table, and its time.
    waiting: HashSet<SocketKey>,
    at: Option<Timestamp>,
    counts: VecDeque<(Timestamp, u32)>,
}

/// Attempts as one table shows them.
#[derive(Debug, Default)]
pub(super) struct SynSentRows {
    /// Attempts that wait.
    waiting: HashSet<SocketKey>,
    /// Attempts that waited and have been answered.
    answered: Vec<SocketKey>,
}

impl SynSentRows {
    /// Returns the attempts that the counters of this table are about.
    pub(super) fn of(context: &TableContext<'_>) -> Self {
        let mut tried = Self::default();
        let from = State::SynSent;
        for row in context
            .changed_tcp_rows()
            .filter(|row| context.kernel.covers(row))
        {
            let key = row.socket.key();
            if row.socket.state == State::SynSent {
                tried.waiting.insert(key);
            } else if row.phase == (Phase::Changed { from }) {
                tried.answered.push(key);
            }
        }
        tried
    }
}

impl VanishedAttempts {
    /// Records a table and forgets attempts outside the window.
    pub(super) fn record(&mut self, tried: SynSentRows, now: Timestamp, window: Duration) {
        for key in &tried.answered {
            self.waiting.remove(key);
        }
        let gone = self.waiting.difference(&tried.waiting).count();
        let gap = self.at.map_or(Duration::ZERO, |at| at.age(now));
        let turns = gap
            .as_millis()
            .div_ceil(UNREACHABLE_TIMEOUT.as_millis())
            .max(1);
        let turns = u32::try_from(turns).unwrap_or(u32::MAX);
        let gone = u32::try_from(gone).unwrap_or(u32::MAX);
        if gone > 0 {
            self.counts.push_back((now, gone.saturating_mul(turns)));
        }
        while let Some((at, _)) = self.counts.front()
            && at.age(now) > window
        {
            self.counts.pop_front();
        }
        (self.waiting, self.at) = (tried.waiting, Some(now));
    }

    /// Number of failures that they may account for.
    pub(super) fn count(&self) -> u32 {
        let counts = self.counts.iter().map(|(_, count)| *count);
        counts.fold(0, u32::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::socket;
    use super::*;
    use std::ops::Range;

    const WINDOW: Duration = Duration::from_secs(10);

    fn key(number: u32) -> SocketKey {
        socket(number, State::SynSent).key()
    }

    fn noted(
        vanished: &mut VanishedAttempts,
        second: u32,
        waiting: Range<u32>,
        answered: &[u32],
    ) -> u32 {
        let tried = SynSentRows {
            waiting: waiting.map(key).collect(),
            answered: answered.iter().copied().map(key).collect(),
        };
        vanished.record(tried, Timestamp(second * 100), WINDOW);
        vanished.count()
    }

    #[test]
    fn only_vanished_attempts_account_for_failures() {
        let mut vanished = VanishedAttempts::default();
        assert_eq!(noted(&mut vanished, 0, 0..500, &[]), 0);
        assert_eq!(noted(&mut vanished, 1, 0..500, &[]), 0);
        assert_eq!(noted(&mut vanished, 2, 20..510, &[]), 20);
        assert_eq!(noted(&mut vanished, 3, 30..510, &[]), 30);
        assert_eq!(noted(&mut vanished, 13, 30..510, &[]), 10);
        assert_eq!(noted(&mut vanished, 14, 30..510, &[]), 0);
    }

    #[test]
    fn who_was_answered_did_not_fail() {
        let mut vanished = VanishedAttempts::default();
        noted(&mut vanished, 0, 0..10, &[]);
        assert_eq!(noted(&mut vanished, 1, 5..10, &[0, 1, 2]), 2);
    }

    #[test]
    fn long_intervals_may_hide_further_attempts() {
        let mut vanished = VanishedAttempts::default();
        noted(&mut vanished, 0, 0..10, &[]);
        assert_eq!(noted(&mut vanished, 15, 0..0, &[]), 50);
    }
}
