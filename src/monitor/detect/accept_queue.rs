//! Rule: connections wait at a listener faster than its program accepts them.
//! Once its queue is full the kernel drops further ones, and clients wait in
//! `SYN_SENT` for a server that runs.
//!
//! A queue may be full only between two tables: its listener counts what it dropped
//! (`tcp_listendrop`). The same number counts stray segments, such as an RST or FIN
//! without a connection; only as far as `ListenOverflows` of the namespace rises with it
//! are they connections.
//!
//! Only `sock_diag` reports the backlog; from `/proc` this rule is inactive.

use super::drop_counter::{DropCounter, WINDOW};
use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Case, Detector, Kernel, blind};
use crate::model::evidence::Evidence;
use crate::model::finding::{Blind, Finding, Lack, Rule, Severity};
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::time::Stamp;
use foldhash::HashMap;
use std::collections::BTreeMap;

/// Tables of a window that must each have shown further drops: clients of one burst
/// knock again after a second, and again after two.
const RISING_TABLES: usize = 4;

/// A finding per listener.
#[derive(Default)]
pub(super) struct AcceptQueue {
    standing: Standing<SocketKey>,
    /// Fill levels in the last table: a single table may have met a burst.
    filled: BTreeMap<SocketKey, Filled>,
    drops: HashMap<SocketKey, DropCounter>,
    /// Time of the table before.
    before: Option<Stamp>,
}

/// Connections that a listener dropped at its full queue within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Dropped {
    /// None where the kernel does not report both counters.
    connections: Option<u64>,
    /// True if it happens again and again.
    repeatedly: bool,
}

impl Detector for AcceptQueue {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let overflows = case
            .meter
            .rise(WINDOW, |counters| counters.listen_overflows);
        let before = std::mem::take(&mut self.filled);
        let since = self.before.replace(case.now).unwrap_or(case.now);
        let mut counters = std::mem::take(&mut self.drops);
        let listeners = case.scene.listeners.rows(case.scene.rows);
        for row in listeners.filter(|row| row.socket.cookie.is_some()) {
            let key = row.socket.key();
            let queue = Queue::of(row);
            let filled = queue.filled(case.limits);
            self.filled.insert(key, filled);
            let lasting = before
                .get(&key)
                .map_or(Filled::Little, |was| filled.min(*was));
            // Counted for the whole namespace: whose they are is not told.
            let overflows = overflows.filter(|_| case.scene.kernel.covers(row));
            let counter = case.scene.drops(row).map(|total| {
                let known = counters.remove(&key);
                let mut counter = known.unwrap_or_else(|| DropCounter::new(total));
                counter.advance(total, since, case.now);
                counter
            });
            let dropped = Dropped::of(counter.as_ref(), overflows, case.now);
            self.drops.extend(counter.map(|counter| (key, counter)));
            let evidence = Evidence::AcceptQueue {
                listener: row.socket.local,
                waiting: queue.waiting,
                backlog: queue.backlog,
                dropped: dropped.connections,
                overflows,
                full: queue.is_full(),
            };
            let level = queue.level(lasting, dropped, case.limits, evidence);
            let holder = case.scene.acceptors(row);
            self.standing.judge(key, holder, level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }

    fn blind(&self, kernel: &Kernel) -> Option<Blind> {
        blind(Rule::AcceptQueue, Lack::Backlog, kernel.tells_backlogs())
    }
}

impl Dropped {
    fn of(counter: Option<&DropCounter>, overflows: Option<u64>, now: Stamp) -> Self {
        let (Some(counter), Some(overflows)) = (counter, overflows) else {
            return Self::default();
        };
        let lately = counter.lately(now);
        let connections = lately.map_or(0, |lately| overflows.min(lately.in_window.into()));
        Self {
            connections: Some(connections),
            repeatedly: connections > 0
                && lately.is_some_and(|lately| lately.rising >= RISING_TABLES),
        }
    }
}

/// How full a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Filled {
    /// Below the threshold.
    Little,
    /// At least the threshold.
    Mostly,
    /// Full.
    Wholly,
}

/// A listener's queue.
#[derive(Clone, Copy)]
struct Queue {
    waiting: u32,
    /// Limit; one more connection fits.
    backlog: u32,
}

impl Queue {
    fn of(row: &Row) -> Self {
        Self {
            waiting: row.socket.recv_queue,
            backlog: row.socket.send_queue,
        }
    }

    /// `sk_acceptq_is_full` in `include/net/sock.h`.
    fn is_full(self) -> bool {
        self.waiting > self.backlog
    }

    fn share(self) -> f64 {
        f64::from(self.waiting) / (f64::from(self.backlog) + 1.0)
    }

    fn filled(self, limits: &Thresholds) -> Filled {
        let crowded = self.waiting >= limits.queue_waiting;
        if self.is_full() {
            Filled::Wholly
        } else if crowded && self.share() >= limits.queue_share {
            Filled::Mostly
        } else {
            Filled::Little
        }
    }

    /// `lasting` is how full it was in this table and in the one before.
    fn level(
        self,
        lasting: Filled,
        dropped: Dropped,
        limits: &Thresholds,
        evidence: Evidence,
    ) -> Level {
        match lasting {
            _ if dropped.repeatedly => Level::Raise(Severity::Warn, evidence),
            Filled::Wholly => Level::Raise(Severity::Warn, evidence),
            Filled::Mostly => Level::Raise(Severity::Info, evidence),
            Filled::Little if dropped.connections > Some(0) => Level::Hold(evidence),
            Filled::Little if self.waiting > 0 && self.share() * 2.0 >= limits.queue_share => {
                Level::Hold(evidence)
            }
            Filled::Little => Level::Below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;

    fn severity(queues: [(u32, u32); 2]) -> Option<Severity> {
        let limits = Thresholds::default();
        let [before, now] = queues.map(|(waiting, backlog)| Queue { waiting, backlog });
        let evidence = Evidence::AcceptQueue {
            listener: Endpoint::default(),
            waiting: now.waiting,
            backlog: now.backlog,
            dropped: None,
            overflows: None,
            full: now.is_full(),
        };
        let lasting = before.filled(&limits).min(now.filled(&limits));
        match now.level(lasting, Dropped::default(), &limits, evidence) {
            Level::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn a_queue_is_full_only_the_second_time() {
        assert_eq!(severity([(0, 4), (5, 4)]), None);
        assert_eq!(severity([(4, 4), (5, 4)]), Some(Severity::Info));
        assert_eq!(severity([(5, 4), (5, 4)]), Some(Severity::Warn));
        assert_eq!(severity([(5, 4), (4, 4)]), Some(Severity::Info));
    }

    #[test]
    fn only_what_overflows_with_it_was_dropped_at_a_full_queue() {
        let mut counter = DropCounter::new(900);
        let drops = |counter: &DropCounter, overflows, second: u32| {
            let dropped = Dropped::of(Some(counter), overflows, Stamp(second * 100));
            (dropped.connections, dropped.repeatedly)
        };
        assert_eq!(drops(&counter, Some(5), 0), (Some(0), false));
        for second in 1..=4 {
            counter.advance(
                900 + second * 3,
                Stamp((second - 1) * 100),
                Stamp(second * 100),
            );
        }
        assert_eq!(drops(&counter, Some(12), 4), (Some(12), true));
        assert_eq!(drops(&counter, Some(5), 4), (Some(5), true));
        assert_eq!(
            drops(&counter, Some(0), 4),
            (Some(0), false),
            "stray segments"
        );
        assert_eq!(drops(&counter, None, 4), (None, false));
        assert_eq!(Dropped::of(None, Some(5), Stamp(0)), Dropped::default());
    }

    #[test]
    fn an_idle_or_tiny_queue_is_nothing() {
        for queue in [(0, 0), (3, 3), (50, 128)] {
            assert_eq!(severity([queue, queue]), None, "{queue:?}");
        }
        assert_eq!(severity([(0, 0), (1, 0)]), None);
        assert_eq!(severity([(91, 128), (91, 128)]), Some(Severity::Info));
        assert_eq!(severity([(0, 128), (91, 128)]), None);
    }
}
