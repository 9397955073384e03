//! Rule: a program does not read what has come for it. Its peer soon finds the
//! window closed, and waits.

use super::standing::{Level, Standing};
use super::still::Still;
use super::{Actor, Case, Detector};
use crate::model::evidence::{Evidence, Stillness};
use crate::model::finding::{Finding, Severity};
use crate::model::protocol::Protocol;
use crate::model::row::Row;
use crate::model::state::State;

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
        let unread = |row: &Row| unread(row).filter(|bytes| *bytes >= least);
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

/// Bytes that have come; a listener's queue holds connections instead.
fn unread(row: &Row) -> Option<u32> {
    let connected = row.socket.protocol == Protocol::Tcp
        && !matches!(row.socket.state, State::Listen | State::SynReceived);
    connected.then_some(row.socket.recv_queue)
}
