//! Rule: a program accepts no connection while some wait at its listener.
//!
//! The queue need not be full for that: a program that is stopped, hangs, or
//! has no descriptor left keeps a few clients waiting for ever.

use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Case, Detector};
use crate::model::accept_wait::AcceptWait;
use crate::model::evidence::{AcceptStall, Evidence};
use crate::model::finding::{Finding, Severity};
use crate::model::socket::SocketKey;

/// Factor by which the oldest connection may wait longer where some are
/// accepted, before it is worth a warning: clients give up by then.
const TOO_LONG: u32 = 3;

/// A finding per listener.
#[derive(Default)]
pub(super) struct NotAccepting {
    standing: Standing<SocketKey>,
}

impl Detector for NotAccepting {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        for wait in case.scene.accept_waits {
            let Some(row) = case.scene.rows.get(wait.listener as usize) else {
                continue;
            };
            let evidence = Evidence::NotAccepting(AcceptStall {
                listener: row.socket.local,
                waiting: row.socket.recv_queue,
                backlog: row.socket.backlog(),
                oldest: wait.oldest,
                stalled: wait.stalled,
                accepting: wait.accepting,
                at_least: wait.at_least,
            });
            let level = level(wait, case.limits, evidence);
            let holder = case.scene.acceptors(row);
            self.standing
                .judge(row.socket.key(), holder, level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }
}

fn level(wait: &AcceptWait, limits: &Thresholds, evidence: Evidence) -> Level {
    let is_old = wait.oldest >= limits.accept_stalled_after;
    // The queue is first in, first out: where none was seen to be accepted, the oldest
    // has kept back all others for as long as it waits.
    if wait.stalled >= limits.accept_stalled_after || (is_old && !wait.accepting) {
        Level::Raise(Severity::Warn, evidence)
    } else if is_old {
        // It accepts, but so slowly that clients wait for long.
        let too_long = wait.oldest >= limits.accept_stalled_after * TOO_LONG;
        let severity = if too_long {
            Severity::Warn
        } else {
            Severity::Info
        };
        Level::Raise(severity, evidence)
    } else if wait.oldest >= limits.accept_stalled_after / 2 {
        Level::Hold(evidence)
    } else {
        Level::Below
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
            at_least: false,
        };
        let evidence = Evidence::NotAccepting(AcceptStall {
            listener: Endpoint::default(),
            waiting: 3,
            backlog: None,
            oldest: wait.oldest,
            stalled: wait.stalled,
            accepting,
            at_least: false,
        });
        match level(&wait, &Thresholds::default(), evidence) {
            Level::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn who_accepts_slowly_is_warned_of_once_clients_wait_for_a_minute() {
        assert_eq!(severity(19, 1, true), None);
        assert_eq!(severity(20, 1, true), Some(Severity::Info));
        assert_eq!(severity(59, 1, true), Some(Severity::Info));
        assert_eq!(severity(60, 1, true), Some(Severity::Warn));
        assert_eq!(severity(20, 20, true), Some(Severity::Warn));
        assert_eq!(severity(20, 1, false), Some(Severity::Warn));
        assert_eq!(severity(19, 1, false), None);
    }
}
