//! Rule: a program does not read what has come for it. Its peer soon finds the
//! window closed, and waits.

use super::standing::{Level, Standing};
use super::still::Still;
use super::{Actor, Case, Detector};
use crate::model::evidence::{Evidence, Stillness};
use crate::model::finding::{Finding, Severity};
use crate::model::row::Row;

/// A finding per process.
#[derive(Default)]
pub(super) struct ProgramNotReading {
    standing: Standing<Actor>,
    still: Still,
}

impl Detector for ProgramNotReading {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let least = case.limits.still_bytes;
        let patience = case.limits.still_after;
        let unread = |row: &Row| Some(row.socket.recv_queue).filter(|bytes| *bytes >= least);
        let stuck = self.still.observe(case.scene, patience, unread);
        for (actor, stuck) in &stuck {
            let evidence = Evidence::ProgramNotReading(Stillness {
                sockets: stuck.sockets,
                bytes: stuck.bytes,
                peer: stuck.peer,
                longest: stuck.longest,
            });
            let level = Level::Raise(Severity::Info, evidence);
            self.standing
                .judge(*actor, Some(stuck.process), level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }
}
