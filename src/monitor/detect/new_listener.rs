//! Rule: a listener that was not there when watching began. An info for a
//! while; a warning where it is open to the whole network and its program's
//! file is deleted or lies in a folder that anybody may write to.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::suspicious_program;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};
use crate::model::process::Program;
use crate::model::row::Row;
use crate::model::socket::SocketKey;

/// A finding per listener.
#[derive(Default)]
pub(super) struct NewListenerDetector {
    active: ActiveFindings<SocketKey>,
}

impl Detector for NewListenerDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let listeners = case.context.listeners.rows(case.context.rows);
        for row in listeners.filter(|row| row.saw_state_entry) {
            let key = row.socket.key();
            let holder = case.context.holder(row);
            self.active.update(key, holder, level(row, case), case.now);
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }
}

fn level(row: &Row, case: &DetectorInput<'_>) -> TriggerLevel {
    let open_to_all = row.socket.local.is_unspecified();
    let process = case.context.first_owner(row);
    let program = process.and_then(|process| process.exe.as_ref());
    let doubtful = program.is_some_and(suspicious_program::is_suspicious);
    let evidence = Evidence::NewListener {
        listener: row.socket.local,
        program: program.map(Program::display_path),
        on_all_addresses: open_to_all,
    };
    if open_to_all && doubtful {
        TriggerLevel::Raise(Severity::Warning, evidence)
    } else if row.first_seen.age(case.now) < case.limits.listener_fresh {
        TriggerLevel::Raise(Severity::Info, evidence)
    } else {
        TriggerLevel::Clear
    }
}
