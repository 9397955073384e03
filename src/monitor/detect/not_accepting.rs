//! Rule: a program accepts no connection while some wait at its listener.
//!
//! The queue need not be full for that: a program that is stopped, hangs, or has
//! no descriptor left lets a few clients wait for ever.

use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Case, Detector};
use crate::model::accept_wait::AcceptWait;
use crate::model::evidence::{AcceptStall, Evidence};
use crate::model::finding::{Finding, Severity};
use crate::model::socket::SocketKey;

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
    if wait.stalled >= limits.accept_stalled_after {
        Level::Raise(Severity::Warn, evidence)
    } else if wait.oldest >= limits.accept_stalled_after {
        // It accepts, but so slowly that clients wait for long.
        Level::Raise(Severity::Info, evidence)
    } else if wait.oldest >= limits.accept_stalled_after / 2 {
        Level::Hold(evidence)
    } else {
        Level::Below
    }
}
