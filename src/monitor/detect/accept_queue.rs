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

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput, inactive_unless};
use super::drop_counter::{DropCounter, WINDOW};
use super::table_context::KernelStats;
use super::thresholds::Thresholds;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, InactiveRule, MissingInput, Rule, Severity};
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::time::Timestamp;
use foldhash::HashMap;
use std::collections::BTreeMap;

/// Tables of a window that must each have shown further drops: clients of one burst
/// knock again after a second, and again after two.
const RISING_TABLES: usize = 4;

/// A finding per listener.
#[derive(Default)]
pub(super) struct AcceptQueueDetector {
    active: ActiveFindings<SocketKey>,
    /// Fill levels in the last table: a single table may have met a burst.
    fill_levels: BTreeMap<SocketKey, FillLevel>,
    drops: HashMap<SocketKey, DropCounter>,
    /// Time of the table before.
    before: Option<Timestamp>,
}

/// Connections that a listener dropped at its full queue within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Dropped {
    /// None where the kernel does not report both counters.
    connections: Option<u64>,
    /// True if it happens again and again.
    repeatedly: bool,
}

impl Detector for AcceptQueueDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let overflows = case
            .counters
            .increase(WINDOW, |counters| counters.listen_overflows);
        let before = std::mem::take(&mut self.fill_levels);
        let since = self.before.replace(case.now).unwrap_or(case.now);
        let mut counters = std::mem::take(&mut self.drops);
        let listeners = case.context.listeners.rows(case.context.rows);
        for row in listeners.filter(|row| row.socket.cookie.is_some()) {
            let key = row.socket.key();
            let queue = AcceptQueueUsage::of(row);
            let filled = queue.fill_level(case.limits);
            self.fill_levels.insert(key, filled);
            let lasting = before
                .get(&key)
                .map_or(FillLevel::Low, |was| filled.min(*was));
            // Counted for the whole namespace: whose they are is not told.
            let overflows = overflows.filter(|_| case.context.kernel.covers(row));
            let counter = case.context.drops(row).map(|total| {
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
            let holder = case.context.acceptors(row);
            self.active.update(key, holder, level, case.now);
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }

    fn missing_input(&self, kernel: &KernelStats) -> Option<InactiveRule> {
        inactive_unless(
            Rule::AcceptQueue,
            MissingInput::Backlog,
            kernel.has_backlogs(),
        )
    }
}

impl Dropped {
    fn of(counter: Option<&DropCounter>, overflows: Option<u64>, now: Timestamp) -> Self {
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
enum FillLevel {
    /// Below the threshold.
    Low,
    /// At least the threshold.
    High,
    /// Full.
    Full,
}

/// A listener's queue.
#[derive(Clone, Copy)]
struct AcceptQueueUsage {
    waiting: u32,
    /// Limit; one more connection fits.
    backlog: u32,
}

impl AcceptQueueUsage {
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

    fn fill_level(self, limits: &Thresholds) -> FillLevel {
        let crowded = self.waiting >= limits.queue_waiting;
        if self.is_full() {
            FillLevel::Full
        } else if crowded && self.share() >= limits.queue_share {
            FillLevel::High
        } else {
            FillLevel::Low
        }
    }

    /// `lasting` is how full it was in this table and in the one before.
    fn level(
        self,
        lasting: FillLevel,
        dropped: Dropped,
        limits: &Thresholds,
        evidence: Evidence,
    ) -> TriggerLevel {
        match lasting {
            _ if dropped.repeatedly => TriggerLevel::Raise(Severity::Warning, evidence),
            FillLevel::Full => TriggerLevel::Raise(Severity::Warning, evidence),
            FillLevel::High => TriggerLevel::Raise(Severity::Info, evidence),
            FillLevel::Low if dropped.connections > Some(0) => TriggerLevel::Sustain(evidence),
            FillLevel::Low if self.waiting > 0 && self.share() * 2.0 >= limits.queue_share => {
                TriggerLevel::Sustain(evidence)
            }
            FillLevel::Low => TriggerLevel::Clear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;

    fn severity(queues: [(u32, u32); 2]) -> Option<Severity> {
        let limits = Thresholds::default();
        let [before, now] = queues.map(|(waiting, backlog)| AcceptQueueUsage { waiting, backlog });
        let evidence = Evidence::AcceptQueue {
            listener: Endpoint::default(),
            waiting: now.waiting,
            backlog: now.backlog,
            dropped: None,
            overflows: None,
            full: now.is_full(),
        };
        let lasting = before.fill_level(&limits).min(now.fill_level(&limits));
        match now.level(lasting, Dropped::default(), &limits, evidence) {
            TriggerLevel::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn a_queue_is_full_only_the_second_time() {
        assert_eq!(severity([(0, 4), (5, 4)]), None);
        assert_eq!(severity([(4, 4), (5, 4)]), Some(Severity::Info));
        assert_eq!(severity([(5, 4), (5, 4)]), Some(Severity::Warning));
        assert_eq!(severity([(5, 4), (4, 4)]), Some(Severity::Info));
    }

    #[test]
    fn only_what_overflows_with_it_was_dropped_at_a_full_queue() {
        let mut counter = DropCounter::new(900);
        let drops = |counter: &DropCounter, overflows, second: u32| {
            let dropped = Dropped::of(Some(counter), overflows, Timestamp(second * 100));
            (dropped.connections, dropped.repeatedly)
        };
        assert_eq!(drops(&counter, Some(5), 0), (Some(0), false));
        for second in 1..=4 {
            counter.advance(
                900 + second * 3,
                Timestamp((second - 1) * 100),
                Timestamp(second * 100),
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
        assert_eq!(Dropped::of(None, Some(5), Timestamp(0)), Dropped::default());
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
