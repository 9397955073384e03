//! Rule: several programs fail and nothing outside this machine answers.
//!
//! Unlike the others, this finding does not stay for a while: one answer
//! refutes it.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::network_health::NetworkStatus;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};

/// At most one finding, without a process.
#[derive(Default)]
pub(super) struct NetworkDownDetector {
    active: ActiveFindings<()>,
}

impl Detector for NetworkDownDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        self.active.update((), None, level(case.network), case.now);
        self.active.finish_round(case.now, case.limits.clearing)
    }
}

fn level(outlook: NetworkStatus) -> TriggerLevel {
    match outlook {
        NetworkStatus::Down { processes, failed } => TriggerLevel::Raise(
            Severity::Warning,
            Evidence::NetworkDown { processes, failed },
        ),
        NetworkStatus::Suspect => TriggerLevel::Clear,
        NetworkStatus::Up | NetworkStatus::Recovered => TriggerLevel::Suppress,
    }
}
