//! Rule: connections wait at a listener faster than its program accepts them.
//! Once its queue is full the kernel drops further ones, and clients wait in
//! `SYN_SENT` for a server that runs.
//!
//! Only `sock_diag` reports the backlog; from `/proc` this rule is inactive.

use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Case, Detector, Kernel, blind};
use crate::model::evidence::Evidence;
use crate::model::finding::{Blind, Finding, Lack, Rule, Severity};
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use std::collections::BTreeMap;
use std::time::Duration;

/// Window of the count of dropped connections.
const WINDOW: Duration = Duration::from_secs(10);

/// A finding per listener.
#[derive(Default)]
pub(super) struct AcceptQueue {
    standing: Standing<SocketKey>,
    /// Fill levels in the last table: a single table may have met a burst.
    filled: BTreeMap<SocketKey, Filled>,
}

impl Detector for AcceptQueue {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let overflows = case
            .meter
            .rise(WINDOW, |counters| counters.listen_overflows);
        let before = std::mem::take(&mut self.filled);
        let listeners = case.scene.listeners.rows(case.scene.rows);
        for row in listeners.filter(|row| row.socket.cookie.is_some()) {
            let key = row.socket.key();
            let queue = Queue::of(row);
            let filled = queue.filled(case.limits);
            self.filled.insert(key, filled);
            let lasting = before
                .get(&key)
                .map_or(Filled::Little, |was| filled.min(*was));
            let evidence = Evidence::AcceptQueue {
                listener: row.socket.local,
                waiting: queue.waiting,
                backlog: queue.backlog,
                // Counted for the whole namespace: nothing reports for which
                // listener.
                overflows: overflows.filter(|_| case.scene.kernel.covers(row)),
                full: queue.is_full(),
            };
            let level = queue.level(lasting, case.limits, evidence);
            let holder = case.scene.acceptors(row);
            self.standing.judge(key, holder, level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }

    fn blind(&self, kernel: &Kernel) -> Option<Blind> {
        blind(Rule::AcceptQueue, Lack::Backlog, kernel.tells_backlogs())
    }
}

/// Fill level of a queue.
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

    /// `lasting` is the lower fill level of this table and the one before.
    fn level(self, lasting: Filled, limits: &Thresholds, evidence: Evidence) -> Level {
        match lasting {
            Filled::Wholly => Level::Raise(Severity::Warn, evidence),
            Filled::Mostly => Level::Raise(Severity::Info, evidence),
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
            overflows: None,
            full: now.is_full(),
        };
        let lasting = before.filled(&limits).min(now.filled(&limits));
        match now.level(lasting, &limits, evidence) {
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
    fn an_idle_or_tiny_queue_is_nothing() {
        for queue in [(0, 0), (3, 3), (50, 128)] {
            assert_eq!(severity([queue, queue]), None, "{queue:?}");
        }
        assert_eq!(severity([(0, 0), (1, 0)]), None);
        assert_eq!(severity([(91, 128), (91, 128)]), Some(Severity::Info));
        assert_eq!(severity([(0, 128), (91, 128)]), None);
    }
}
