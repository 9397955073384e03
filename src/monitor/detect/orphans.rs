//! Rule: connections without a program approach the kernel's limit. Beyond it
//! the kernel resets instead of finishing them (`tcp_max_orphans`).
//!
//! Both numbers are of the whole machine; the limit can be read in the initial
//! network namespace only, and elsewhere this rule is inactive.

use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Case, Detector, Kernel, blind};
use crate::model::evidence::Evidence;
use crate::model::finding::{Blind, Finding, Lack, Rule, Severity};

/// At most one finding, without a process.
#[derive(Default)]
pub(super) struct Orphans {
    standing: Standing<()>,
}

impl Detector for Orphans {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let kernel = case.scene.kernel;
        let both = kernel.gauges.orphans.zip(kernel.settings.max_orphans);
        let level = both.map_or(Level::Below, |(orphans, most)| {
            level(orphans, most, case.limits)
        });
        self.standing.judge((), None, level, case.now);
        self.standing.findings(case.now, case.limits.clearing)
    }

    fn blind(&self, kernel: &Kernel) -> Option<Blind> {
        let gauge = kernel.gauges.orphans.is_some();
        let limit = kernel.settings.max_orphans.is_some();
        blind(Rule::Orphans, Lack::Counters, gauge)
            .or_else(|| blind(Rule::Orphans, Lack::Settings, limit))
    }
}

fn level(orphans: u32, most: u32, limits: &Thresholds) -> Level {
    let evidence = Evidence::Orphans { orphans, most };
    let reaches = |share: f64| most > 0 && f64::from(orphans) >= share * f64::from(most);
    if reaches(limits.orphan_share) {
        Level::Raise(Severity::Warn, evidence)
    } else if reaches(limits.orphan_share / 2.0) {
        Level::Hold(evidence)
    } else {
        Level::Below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_is_allowed_is_a_warning() {
        let judged = |orphans| level(orphans, 1000, &Thresholds::default());
        assert!(matches!(judged(500), Level::Raise(Severity::Warn, _)));
        assert!(matches!(judged(499), Level::Hold(_)));
        assert_eq!(judged(249), Level::Below);
        assert_eq!(level(9, 0, &Thresholds::default()), Level::Below);
    }
}
