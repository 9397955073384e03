//! Rule: a program accepts no connection while some wait at its listener.
//!
//! The queue need not be full for that: a program that is stopped, hangs, or
//! has no descriptor left keeps a few clients waiting for ever.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::thresholds::Thresholds;
use crate::model::accept_wait::AcceptWait;
use crate::model::evidence::{AcceptStallEvidence, Evidence};
use crate::model::finding::{Finding, Severity};
use crate::model::socket::SocketKey;

/// Factor by which the oldest connection may wait longer where some are
/// accepted, before it is worth a warning: clients give up by then.
const WARN_FACTOR: u32 = 3;

/// A finding per listener.
#[derive(Default)]
pub(super) struct NotAcceptingDetector {
    active: ActiveFindings<SocketKey>,
}

impl Detector for NotAcceptingDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        for wait in case.context.accept_waits {
            let Some(row) = case.context.rows.get(wait.listener as usize) else {
                continue;
            };
            let evidence = Evidence::NotAccepting(AcceptStallEvidence {
                listener: row.socket.local,
                waiting: row.socket.recv_queue,
                backlog: row.socket.backlog(),
                oldest: wait.oldest,
                stalled: wait.stalled,
                accepting: wait.accepting,
                is_lower_bound: wait.is_lower_bound,
            });
            let level = level(wait, case.limits, evidence);
            let holder = case.context.acceptors(row);
            self.active
                .update(row.socket.key(), holder, level, case.now);
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }
}

fn level(wait: &AcceptWait, limits: &Thresholds, evidence: Evidence) -> TriggerLevel {
    let is_old = wait.oldest >= limits.accept_stalled_after;
    // The queue is first in, first out: where none was seen to be accepted, the oldest
    // has kept back all others for as long as it waits.
    if wait.stalled >= limits.accept_stalled_after || (is_old && !wait.accepting) {
        TriggerLevel::Raise(Severity::Warning, evidence)
    } else if is_old {
        // It accepts, but so slowly that clients wait for long.
        let too_long = wait.oldest >= limits.accept_stalled_after * WARN_FACTOR;
        let severity = if too_long {
            Severity::Warning
        } else {
            Severity::Info
        };
        TriggerLevel::Raise(severity, evidence)
    } else if wait.oldest >= limits.accept_stalled_after / 2 {
        TriggerLevel::Sustain(evidence)
    } else {
        TriggerLevel::Clear
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;
    use std::time::Duration;

    /// The severity of a queue whose oldest connection has waited `oldest`
    /// seconds, and from which none was accepted for `stalled` seconds.
    fn severity(oldest: u64, stalled: u64, accepting: bool) -> Option<Severity> {
        let wait = AcceptWait {
            listener: 0,
            oldest: Duration::from_secs(oldest),
            stalled: Duration::from_secs(stalled),
            accepting,
            is_lower_bound: false,
        };
        let evidence = Evidence::NotAccepting(AcceptStallEvidence {
            listener: Endpoint::default(),
            waiting: 3,
            backlog: None,
            oldest: wait.oldest,
            stalled: wait.stalled,
            accepting,
            is_lower_bound: false,
        });
        match level(&wait, &Thresholds::default(), evidence) {
            TriggerLevel::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn who_accepts_slowly_is_warned_of_once_clients_wait_for_a_minute() {
        assert_eq!(severity(19, 1, true), None);
        assert_eq!(severity(20, 1, true), Some(Severity::Info));
        assert_eq!(severity(59, 1, true), Some(Severity::Info));
        assert_eq!(severity(60, 1, true), Some(Severity::Warning));
        assert_eq!(severity(20, 20, true), Some(Severity::Warning));
        assert_eq!(severity(20, 1, false), Some(Severity::Warning));
        assert_eq!(severity(19, 1, false), None);
    }
}
