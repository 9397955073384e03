//! Measures the spacing of the unanswered keepalive probes of a connection.
//!
//! No table reports `TCP_KEEPINTVL`. But while probes stay unanswered, each one
//! sets the timer anew by it (`tcp_keepalive_timer` in `net/ipv4/tcp_timer.c`),
//! so the timer's expiries before and after a probe are as far apart as the
//! probes are.

use crate::model::probe_spacing::ProbeSpacing;
use crate::model::row::Row;
use crate::model::socket::{Socket, SocketKey};
use std::collections::BTreeMap;
use std::time::Duration;

/// Shortest time that a program can set between probes, and before the first
/// (`TCP_KEEPINTVL`, `TCP_KEEPIDLE`), milliseconds.
const MIN_PROBE_INTERVAL_MS: u64 = 1000;
/// Largest move of an expiry from table to table, as a table is not read in one
/// moment, milliseconds.
const MAX_JITTER_MS: u64 = 250;

/// Connections with unanswered keepalive probes, from table to table.
#[derive(Default)]
pub(super) struct ProbeSpacings {
    series: BTreeMap<SocketKey, ProbeSeries>,
}

/// Probes of one connection since the last answer.
#[derive(Clone, Copy)]
struct ProbeSeries {
    /// Time at which the table was read, monotonic milliseconds.
    seen_ms: u64,
    unanswered: u8,
    /// Milliseconds from the table to the next probe.
    expires_ms: u32,
    /// Time at which the next probe is due, monotonic milliseconds; none if
    /// that has moved: the probe could not be sent, the program has set other
    /// times, or the row is of an earlier table.
    due_ms: Option<u64>,
    spacing: Option<Duration>,
}

impl ProbeSpacings {
    /// Processes a table: its rows with unanswered keepalive probes.
    pub(super) fn fold<'a>(&mut self, rows: impl Iterator<Item = &'a Row>, now_ms: u64) {
        let before = std::mem::take(&mut self.series);
        let series = rows.filter_map(|row| {
            let key = row.socket.key();
            let fresh = ProbeSeries::of(&row.socket, now_ms)?;
            let last = before.get(&key);
            Some((key, last.map_or(fresh, |last| fresh.after(last))))
        });
        self.series = series.collect();
    }

    /// Spacings known, ascending by key.
    pub(super) fn all(&self) -> Vec<ProbeSpacing> {
        let series = self.series.iter();
        series
            .filter_map(|(key, series)| {
                let spacing = series.spacing?;
                Some(ProbeSpacing { key: *key, spacing })
            })
            .collect()
    }
}

impl ProbeSeries {
    fn of(socket: &Socket, seen_ms: u64) -> Option<Self> {
        let timer = socket.timer.filter(|_| socket.has_unanswered_probes())?;
        Some(Self {
            seen_ms,
            unanswered: timer.retransmits,
            expires_ms: timer.expires_ms,
            due_ms: Some(seen_ms + u64::from(timer.expires_ms)),
            spacing: None,
        })
    }

    /// Returns the series with the results of the table before.
    fn after(self, last: &Self) -> Self {
        let stays = |due_ms: &u64| {
            let before = last.due_ms;
            before.is_some_and(|before| due_ms.abs_diff(before) <= MAX_JITTER_MS)
        };
        if self.unanswered == last.unanswered {
            return Self {
                due_ms: self.due_ms.filter(stays),
                spacing: last.spacing,
                ..self
            };
        }
        Self {
            spacing: self.spacing_since(last),
            ..self
        }
    }

    /// Time between the probes that went out since an earlier table; none if one
    /// may have been answered in between.
    fn spacing_since(&self, last: &Self) -> Option<Duration> {
        let probes = u64::from(self.unanswered.checked_sub(last.unanswered)?);
        // After an answer, the kernel first waits the idle time, then between
        // the probes: there was no time for this number.
        let wait_ms = u64::from(self.expires_ms.max(last.expires_ms)).max(MIN_PROBE_INTERVAL_MS);
        let least_ms = MIN_PROBE_INTERVAL_MS + wait_ms * u64::from(self.unanswered - 1);
        if self.seen_ms.saturating_sub(last.seen_ms) >= least_ms {
            return None;
        }
        let Some(before_ms) = last.due_ms else {
            return last.spacing;
        };
        let between_ms = self.due_ms?.checked_sub(before_ms)?;
        Some(Duration::from_millis(between_ms.checked_div(probes)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Monitor;
    use super::super::fixture::{reading, table, with_cookie};
    use super::*;
    use crate::model::state::State;
    use crate::model::timer::{Timer, TimerKind};

    /// Unanswered probes and milliseconds to the next one.
    fn probed(unanswered: u8, expires_ms: u32) -> Socket {
        Socket {
            timer: Some(Timer {
                kind: TimerKind::Keepalive,
                expires_ms,
                retransmits: unanswered,
            }),
            ..with_cookie(1, State::Established)
        }
    }

    /// The spacing known after each of these tables, by their milliseconds.
    fn spacings(tables: &[(u64, Socket)]) -> Vec<Option<u128>> {
        let mut monitor = Monitor::default();
        let tables = tables.iter().map(|(at_ms, socket)| {
            let seen = monitor.fold(reading(*at_ms, table(&[*socket]))).unwrap();
            let spacing = seen.probe_spacing(&seen.rows[0]);
            assert_eq!(seen.probe_spacings.len(), usize::from(spacing.is_some()));
            spacing.map(|spacing| spacing.as_millis())
        });
        tables.collect()
    }

    #[test]
    fn two_expiries_tell_how_far_probes_are_apart() {
        let tables = [
            (0, probed(1, 900)),
            (1000, probed(2, 4950)),
            // No probe went out: the measured spacing stays.
            (2000, probed(2, 3950)),
            (6100, probed(3, 4900)),
        ];
        assert_eq!(
            spacings(&tables),
            [None, Some(5050), Some(5050), Some(5050)]
        );
        // Several between two tables: their mean.
        let tables = [(0, probed(2, 1000)), (6500, probed(4, 4500))];
        assert_eq!(spacings(&tables), [None, Some(5000)]);
    }

    #[test]
    fn an_answer_ends_what_is_known() {
        let (first, second) = (probed(1, 900), probed(2, 4950));
        let known = [(0, first), (1000, second)];
        let after = |socket| {
            let mut tables = known.to_vec();
            tables.push((2000, socket));
            spacings(&tables)[2]
        };
        assert_eq!(after(probed(0, 8000)), None);
        assert_eq!(after(probed(1, 4000)), None, "answered, and asked again");
        assert_eq!(after(with_cookie(1, State::Established)), None);
        // The first probe is as far from the one before as the program's idle time.
        let tables = [(0, probed(0, 900)), (1000, probed(1, 4950))];
        assert_eq!(spacings(&tables), [None, None]);
    }

    /// Idle 5 s, 2 s between probes: answered at 0.1 s, the next probes go out at
    /// 5.1 and 7.1 s.
    #[test]
    fn probes_far_apart_may_have_been_answered() {
        let tables = [(0, probed(1, 100)), (8000, probed(2, 1100))];
        assert_eq!(spacings(&tables), [None, None]);
        // Within 10 s there is no time for an answer, the idle time and two
        // probes of 60 s.
        let tables = [(0, probed(1, 100)), (10_000, probed(2, 50_100))];
        assert_eq!(spacings(&tables), [None, Some(60_000)]);
    }

    /// A probe that cannot be sent is tried again every half second, and is not
    /// counted.
    #[test]
    fn a_due_time_that_moves_measures_nothing() {
        let tables = [
            (0, probed(1, 900)),
            (1000, probed(1, 400)),
            (2000, probed(2, 4950)),
            (7000, probed(3, 4950)),
            (7500, probed(3, 4950)),
            (12_500, probed(4, 4950)),
        ];
        let measured = [None, None, None, Some(5000), Some(5000), Some(5000)];
        assert_eq!(spacings(&tables), measured);
    }

    #[test]
    fn an_orphan_is_not_probed() {
        let orphan = |unanswered, expires_ms| Socket {
            state: State::FinWait2,
            inode: None,
            ..probed(unanswered, expires_ms)
        };
        let tables = [(0, orphan(1, 900)), (1000, orphan(2, 4950))];
        assert_eq!(spacings(&tables), [None, None]);
    }
}
