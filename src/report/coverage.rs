//! Coverage of the requested time by tables. A check that read too little must not
//! report that all is well.

use crate::model::gap::{Gap, GapKind, GapReason};
use std::time::Duration;

/// Time from one table of a check to the next.
pub const TABLE_INTERVAL: Duration = Duration::from_secs(1);
/// Tables that are further apart than this left something out.
const MAX_SPACING: Duration = Duration::from_secs(3);
/// No rule over the last ten seconds (`failed_connects`, floods) can be evaluated
/// across a gap of this length.
const MAX_GAP: Duration = Duration::from_secs(10);
/// Divisor: gaps may take this part of the watched time in all.
const GAP_SHARE: u32 = 10;

/// The tables that a check has read, as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Number of tables that were read.
    pub tables: u32,
    /// Number of tables that could not be read.
    pub failed: u32,
    /// Longest time without a table.
    pub longest_gap: Duration,
    /// Sum of all times without a table that were longer than [`MAX_SPACING`].
    gaps: Duration,
    /// Number of tables for which not all processes were searched for owners in
    /// time.
    unsearched_tables: u32,
    /// Largest number of such processes.
    unsearched: u64,
    /// Number of tables that were read where `/proc` is not mounted.
    tables_without_proc: u32,
    /// Time of the last table, counted from the beginning.
    last: Duration,
}

/// Reason why a check cannot report that all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// It was ended before its time.
    EndedEarly,
    /// Fewer than half of the tables were read. An unanswered SYN whose program gives up
    /// after 3 s, with its one retransmission (RFC 6298), is then in no table.
    FewTables {
        /// Number that was read.
        read: u32,
        /// Number that was due.
        due: u32,
    },
    /// There was no table for too long: the process was stopped, or the machine busy.
    Gaps {
        /// Longest time without one.
        longest: Duration,
    },
    /// `/proc` is not mounted: no rule knows whose sockets it looks at.
    NoProc,
    /// Most tables lack owners, because processes were not searched in time.
    OwnersUnread {
        /// Largest number of such processes.
        processes: u64,
    },
}

impl Coverage {
    /// Adds a table that was begun at `at`, counted from the beginning of the check,
    /// with the number of processes that could not be searched in time.
    pub fn add_table(&mut self, at: Duration, unsearched: u64) {
        self.tables += 1;
        self.close_gap(at);
        self.unsearched_tables += u32::from(unsearched > 0);
        self.unsearched = self.unsearched.max(unsearched);
    }

    /// Notes of the table added last that `/proc` was not mounted.
    pub fn note_missing_proc(&mut self) {
        self.tables_without_proc += 1;
    }

    /// Adds a table that could not be read.
    pub fn add_failure(&mut self) {
        self.failed += 1;
    }

    /// Ends the last gap: nothing more is read from `at` on.
    pub fn end(&mut self, at: Duration) {
        self.close_gap(at);
    }

    fn close_gap(&mut self, at: Duration) {
        let gap = at.saturating_sub(self.last);
        self.longest_gap = self.longest_gap.max(gap);
        if gap > MAX_SPACING {
            self.gaps += gap;
        }
        self.last = at;
    }

    /// Number of tables due in such a time, with one at its beginning and one at its
    /// end.
    #[must_use]
    pub fn due(watched: Duration) -> u32 {
        let intervals = watched.as_secs() / TABLE_INTERVAL.as_secs();
        u32::try_from(intervals)
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    /// Returns the shortfall of the tables read in `watched` of `wanted`.
    #[must_use]
    pub fn shortfall(&self, watched: Duration, wanted: Duration) -> Option<Shortfall> {
        let due = Self::due(wanted);
        if watched < wanted {
            Some(Shortfall::EndedEarly)
        } else if self.tables.saturating_mul(2) < due {
            Some(Shortfall::FewTables {
                read: self.tables,
                due,
            })
        } else if self.longest_gap >= MAX_GAP || self.gaps > watched / GAP_SHARE {
            Some(Shortfall::Gaps {
                longest: self.longest_gap,
            })
        } else if self.tables_without_proc.saturating_mul(2) > self.tables {
            Some(Shortfall::NoProc)
        } else if self.unsearched_tables.saturating_mul(2) > self.tables {
            Some(Shortfall::OwnersUnread {
                processes: self.unsearched,
            })
        } else {
            None
        }
    }
}

impl Shortfall {
    /// Name in reports and assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::EndedEarly => "ended_early",
            Self::FewTables { .. } => "few_tables",
            Self::Gaps { .. } => "gaps",
            Self::NoProc => "no_proc",
            Self::OwnersUnread { .. } => "owners_unread",
        }
    }
}

/// True if one of these gaps means that `/proc` is not mounted.
#[must_use]
pub fn lacks_proc(gaps: &[Gap]) -> bool {
    gaps.iter().any(|gap| gap.kind == GapKind::ProcMissing)
}

/// Number of processes that were not searched for owners although they may be: where
/// they may not (another user's, `hidepid`), watching longer or at another time would
/// change nothing, and the sockets are counted as hidden.
#[must_use]
pub fn unsearched(gaps: &[Gap]) -> u64 {
    let barred = [GapReason::Permission, GapReason::Hidepid, GapReason::NoProc];
    let gaps = gaps.iter().filter(|gap| gap.kind.concerns_processes());
    gaps.filter(|gap| !barred.contains(&gap.reason))
        .map(|gap| gap.count)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_may_not_be_read_are_no_shortfall() {
        let gap = |kind, reason| Gap {
            kind,
            count: 3,
            reason,
        };
        let cases = [
            (GapKind::ProcessesUnreadable, GapReason::Permission, 0),
            (GapKind::ProcessesHidden, GapReason::Hidepid, 0),
            (GapKind::ProcessesUnreadable, GapReason::BudgetExceeded, 3),
            (GapKind::ProcessesUnreadable, GapReason::DescriptorLimit, 3),
            (GapKind::NamespacesUnreadable, GapReason::BudgetExceeded, 0),
        ];
        for (kind, reason, expected) in cases {
            assert_eq!(unsearched(&[gap(kind, reason)]), expected, "{kind:?}");
        }
    }

    /// Shortfall of a check that read tables at these seconds, each with a number of
    /// unsearched processes.
    fn shortfall(tables: &[(u64, u64)], watched: u64, wanted: u64) -> Option<Shortfall> {
        let mut coverage = Coverage::default();
        for (at, unsearched) in tables {
            coverage.add_table(Duration::from_secs(*at), *unsearched);
        }
        let [watched, wanted] = [watched, wanted].map(Duration::from_secs);
        coverage.end(watched);
        coverage.shortfall(watched, wanted)
    }

    fn every(step: usize, until: u64) -> Vec<(u64, u64)> {
        (0..=until).step_by(step).map(|at| (at, 0)).collect()
    }

    #[test]
    fn what_was_not_seen_has_its_reason() {
        let gaps = |seconds| Shortfall::Gaps {
            longest: Duration::from_secs(seconds),
        };
        let stopped: Vec<(u64, u64)> = [0, 1, 2, 3, 11, 12, 13, 14, 15].map(|at| (at, 0)).into();
        let unsearched: Vec<(u64, u64)> = (0..=15).map(|at| (at, u64::from(at > 6) * 9)).collect();
        let soon: Vec<(u64, u64)> = (0..=15).map(|at| (at, u64::from(at < 6) * 9)).collect();
        let few = |read, due| Shortfall::FewTables { read, due };
        let cases = [
            ("all", every(1, 15), 15, 15, None),
            ("half", every(2, 15), 15, 15, None),
            ("a third", every(3, 15), 15, 15, Some(few(6, 16))),
            ("one of two", vec![(0, 0)], 1, 1, None),
            (
                "the first and the last",
                vec![(0, 0), (17, 0)],
                17,
                15,
                Some(few(2, 16)),
            ),
            ("none", vec![], 15, 15, Some(few(0, 16))),
            ("stopped", stopped, 15, 15, Some(gaps(8))),
            ("late at the end", every(1, 10), 15, 15, Some(gaps(5))),
            (
                "a short pause",
                [every(1, 57), vec![(60, 0)]].concat(),
                60,
                60,
                None,
            ),
            (
                "long in a long time",
                [every(1, 500), (511..=600).map(|at| (at, 0)).collect()].concat(),
                600,
                600,
                Some(gaps(11)),
            ),
            ("ended", every(1, 9), 9, 15, Some(Shortfall::EndedEarly)),
            (
                "owners",
                unsearched,
                15,
                15,
                Some(Shortfall::OwnersUnread { processes: 9 }),
            ),
            ("owners soon", soon, 15, 15, None),
        ];
        for (what, tables, watched, wanted, expected) in cases {
            assert_eq!(shortfall(&tables, watched, wanted), expected, "{what}");
        }
    }

    #[test]
    fn without_proc_nothing_is_well() {
        let missing = Gap {
            kind: GapKind::ProcMissing,
            count: 1,
            reason: GapReason::NoProc,
        };
        assert!(lacks_proc(&[missing]) && !lacks_proc(&[]));
        let whole = Duration::from_secs(4);
        let mut coverage = Coverage::default();
        for at in 0..=4 {
            coverage.add_table(Duration::from_secs(at), unsearched(&[missing]));
            if at >= 2 {
                coverage.note_missing_proc();
            }
        }
        assert_eq!(coverage.shortfall(whole, whole), Some(Shortfall::NoProc));
    }

    #[test]
    fn a_table_that_failed_leaves_a_gap() {
        let mut coverage = Coverage::default();
        coverage.add_table(Duration::ZERO, 0);
        for _ in 1..8 {
            coverage.add_failure();
        }
        for at in 8..=15 {
            coverage.add_table(Duration::from_secs(at), 0);
        }
        let whole = Duration::from_secs(15);
        assert_eq!(coverage.failed, 7);
        let longest = Duration::from_secs(8);
        assert_eq!(
            coverage.shortfall(whole, whole),
            Some(Shortfall::Gaps { longest })
        );
    }
}
