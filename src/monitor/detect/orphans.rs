//! Rule: connections without a program approach the kernel's limit. Beyond it
//! the kernel resets instead of finishing them (`tcp_max_orphans`).
//!
//! Both numbers are of the whole machine; the limit can be read in the initial
//! network namespace only, and elsewhere this rule is inactive.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput, inactive_unless};
use super::table_context::KernelStats;
use super::thresholds::Thresholds;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, InactiveRule, MissingInput, Rule, Severity};

/// At most one finding, without a process.
#[derive(Default)]
pub(super) struct OrphansDetector {
    active: ActiveFindings<()>,
}

impl Detector for OrphansDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let kernel = case.context.kernel;
        let both = kernel.gauges.orphans.zip(kernel.settings.max_orphans);
        let level = both.map_or(TriggerLevel::Clear, |(orphans, most)| {
            level(orphans, most, case.limits)
        });
        self.active.update((), None, level, case.now);
        self.active.finish_round(case.now, case.limits.clearing)
    }

    fn missing_input(&self, kernel: &KernelStats) -> Option<InactiveRule> {
        let gauge = kernel.gauges.orphans.is_some();
        let limit = kernel.settings.max_orphans.is_some();
        inactive_unless(Rule::Orphans, MissingInput::Counters, gauge)
            .or_else(|| inactive_unless(Rule::Orphans, MissingInput::Settings, limit))
    }
}

fn level(orphans: u32, most: u32, limits: &Thresholds) -> TriggerLevel {
    let evidence = Evidence::Orphans {
        orphans,
        limit: most,
    };
    let reaches = |share: f64| most > 0 && f64::from(orphans) >= share * f64::from(most);
    if reaches(limits.orphan_share) {
        TriggerLevel::Raise(Severity::Warning, evidence)
    } else if reaches(limits.orphan_share / 2.0) {
        TriggerLevel::Sustain(evidence)
    } else {
        TriggerLevel::Clear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_is_allowed_is_a_warning() {
        let judged = |orphans| level(orphans, 1000, &Thresholds::default());
        assert!(matches!(
            judged(500),
            TriggerLevel::Raise(Severity::Warning, _)
        ));
        assert!(matches!(judged(499), TriggerLevel::Sustain(_)));
        assert_eq!(judged(249), TriggerLevel::Clear);
        assert_eq!(level(9, 0, &Thresholds::default()), TriggerLevel::Clear);
    }
}
