//! Rule: connections wait at a listener faster than its program accepts them.
//! Once its queue is full the kernel drops what comes, and clients wait in
//! `SYN_SENT` for a server that runs.
//!
//! Only `sock_diag` tells the backlog; from `/proc` this rule says nothing.

use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Case, Detector};
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use std::collections::BTreeSet;
use std::time::Duration;

/// Over what time dropped connections are told.
const WINDOW: Duration = Duration::from_secs(10);

/// A finding per listener.
#[derive(Default)]
pub(super) struct AcceptQueue {
    standing: Standing<SocketKey>,
    /// Those that were full in the last table: one table may just have met a
    /// burst.
    full: BTreeSet<SocketKey>,
}

impl Detector for AcceptQueue {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let overflows = case
            .meter
            .rise(WINDOW, |counters| counters.listen_overflows);
        let before = std::mem::take(&mut self.full);
        let listeners = case.scene.listeners.rows(case.scene.rows);
        for row in listeners.filter(|row| row.socket.cookie.is_some()) {
            let key = row.socket.key();
            let queue = Queue::of(row);
            if queue.is_full() {
                self.full.insert(key);
            }
            let evidence = Evidence::AcceptQueue {
                listener: row.socket.local,
                waiting: queue.waiting,
                backlog: queue.backlog,
                // Counted for the whole namespace: whose they are is not told.
                overflows: overflows.filter(|_| case.scene.kernel.covers(row)),
                full: queue.is_full(),
            };
            let level = queue.level(before.contains(&key), case.limits, evidence);
            let process = case.scene.first_owner(row);
            self.standing.judge(key, process, level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }
}

/// A listener's queue.
#[derive(Clone, Copy)]
struct Queue {
    waiting: u32,
    /// One more than this fits.
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

    fn level(self, was_full: bool, limits: &Thresholds, evidence: Evidence) -> Level {
        let crowded = self.waiting >= limits.queue_waiting;
        if self.is_full() && was_full {
            Level::Raise(Severity::Warn, evidence)
        } else if crowded && self.share() >= limits.queue_share {
            Level::Raise(Severity::Info, evidence)
        } else if self.waiting > 0 && self.share() * 2.0 >= limits.queue_share {
            Level::Hold(evidence)
        } else {
            Level::Below
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;

    fn severity(waiting: u32, backlog: u32, was_full: bool) -> Option<Severity> {
        let queue = Queue { waiting, backlog };
        let evidence = Evidence::AcceptQueue {
            listener: Endpoint::default(),
            waiting,
            backlog,
            overflows: None,
            full: queue.is_full(),
        };
        match queue.level(was_full, &Thresholds::default(), evidence) {
            Level::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn a_queue_is_full_only_the_second_time() {
        assert_eq!(severity(5, 4, false), Some(Severity::Info));
        assert_eq!(severity(5, 4, true), Some(Severity::Warn));
        assert_eq!(severity(4, 4, true), Some(Severity::Info));
    }

    #[test]
    fn an_idle_or_tiny_queue_is_nothing() {
        assert_eq!(severity(0, 0, true), None);
        assert_eq!(severity(1, 0, false), None);
        assert_eq!(severity(3, 3, true), None);
        assert_eq!(severity(50, 128, true), None);
        assert_eq!(severity(91, 128, true), Some(Severity::Info));
    }
}
