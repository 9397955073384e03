//! Rule: a socket is connected to itself. A client that keeps trying a local
//! port without a listener gets there once the kernel picks that very port for
//! it: its SYN then opens a connection with itself (simultaneous open, RFC
//! 9293, 3.5). The program talks to itself, and the server can no longer bind
//! its port.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use crate::model::evidence::{Evidence, SelfConnectionEvidence as Itself};
use crate::model::finding::{Finding, Severity};
use crate::model::socket::SocketKey;

/// A finding per socket.
#[derive(Default)]
pub(super) struct SelfConnectionDetector {
    active: ActiveFindings<SocketKey>,
}

impl Detector for SelfConnectionDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let scene = case.context;
        for row in scene.row_groups.self_connected(scene.rows) {
            let age = row.state_since.age(case.now);
            // A client that notices closes it at once.
            if age < case.limits.self_connection_after {
                continue;
            }
            let evidence = Evidence::SelfConnection(Itself {
                endpoint: row.socket.local,
                duration: age,
                is_lower_bound: !row.saw_state_entry,
            });
            let level = TriggerLevel::Raise(Severity::Warning, evidence);
            self.active
                .update(row.socket.key(), scene.holder(row), level, case.now);
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }
}
