//! Rule: a listener that was not there when watching began. An info for a
//! while; a warning where it is open to the whole network and its program's
//! file is deleted or lies in a folder that anybody may write to.

use super::standing::{Level, Standing};
use super::{Case, Detector, odd_program};
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};
use crate::model::process::Program;
use crate::model::row::Row;
use crate::model::socket::SocketKey;

/// A finding per listener.
#[derive(Default)]
pub(super) struct NewListener {
    standing: Standing<SocketKey>,
}

impl Detector for NewListener {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let listeners = case.scene.listeners.rows(case.scene.rows);
        for row in listeners.filter(|row| row.entry_seen) {
            let key = row.socket.key();
            let holder = case.scene.holder(row);
            self.standing.judge(key, holder, level(row, case), case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }
}

fn level(row: &Row, case: &Case<'_>) -> Level {
    let open_to_all = row.socket.local.is_unspecified();
    let process = case.scene.first_owner(row);
    let program = process.and_then(|process| process.exe.as_ref());
    let doubtful = program.is_some_and(odd_program::is_doubtful);
    let evidence = Evidence::NewListener {
        listener: row.socket.local,
        program: program.map(Program::marked),
        open_to_all,
    };
    if open_to_all && doubtful {
        Level::Raise(Severity::Warn, evidence)
    } else if row.first_seen.age(case.now) < case.limits.listener_fresh {
        Level::Raise(Severity::Info, evidence)
    } else {
        Level::Below
    }
}
