//! Rule: `TIME_WAIT` approaches the kernel's limit (`tcp_max_tw_buckets`);
//! beyond it connections close without it. Below the limit many of them are
//! normal and cost next to nothing.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput, inactive_unless};
use super::table_context::KernelStats;
use super::thresholds::Thresholds;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, InactiveRule, MissingInput, Rule, Severity};
use std::time::Duration;

/// Window of the overflow count.
const WINDOW: Duration = Duration::from_mins(1);

/// At most one finding, without a process.
#[derive(Default)]
pub(super) struct TimeWaitLimitDetector {
    active: ActiveFindings<()>,
}

impl Detector for TimeWaitLimitDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let kernel = case.context.kernel;
        let rise = case
            .counters
            .increase(WINDOW, |counters| counters.time_wait_overflows);
        let heap = TimeWaitUsage {
            count: kernel.gauges.time_waits,
            most: kernel.settings.max_time_wait,
            overflows: rise.unwrap_or(0),
        };
        self.active
            .update((), None, heap.level(case.limits), case.now);
        self.active.finish_round(case.now, case.limits.clearing)
    }

    fn missing_input(&self, kernel: &KernelStats) -> Option<InactiveRule> {
        let gauge = kernel.gauges.time_waits.is_some();
        let limit = kernel.settings.max_time_wait.is_some();
        inactive_unless(Rule::TimeWaitLimit, MissingInput::Counters, gauge)
            .or_else(|| inactive_unless(Rule::TimeWaitLimit, MissingInput::Settings, limit))
    }
}

#[derive(Clone, Copy)]
struct TimeWaitUsage {
    count: Option<u32>,
    most: Option<u32>,
    overflows: u64,
}

impl TimeWaitUsage {
    fn level(self, limits: &Thresholds) -> TriggerLevel {
        let Some((count, most)) = self.count.zip(self.most) else {
            return TriggerLevel::Clear;
        };
        let evidence = Evidence::TimeWaitLimit {
            count,
            limit: most,
            overflows: self.overflows,
        };
        let reaches = |share: f64| most > 0 && f64::from(count) >= share * f64::from(most);
        if self.overflows > 0 || reaches(limits.time_wait_share) {
            TriggerLevel::Raise(Severity::Warning, evidence)
        } else if reaches(limits.time_wait_share / 2.0) {
            TriggerLevel::Sustain(evidence)
        } else {
            TriggerLevel::Clear
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_raised(count: u32, overflows: u64) -> bool {
        let heap = TimeWaitUsage {
            count: Some(count),
            most: Some(1000),
            overflows,
        };
        matches!(heap.level(&Thresholds::default()), TriggerLevel::Raise(..))
    }

    #[test]
    fn time_wait_warns_only_near_its_limit() {
        assert!(!is_raised(799, 0));
        assert!(is_raised(800, 0));
        assert!(is_raised(10, 1));
        let unknown = TimeWaitUsage {
            count: Some(5000),
            most: None,
            overflows: 9,
        };
        assert_eq!(unknown.level(&Thresholds::default()), TriggerLevel::Clear);
    }
}
