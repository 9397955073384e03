//! Rule: `TIME_WAIT` approaches the kernel's limit (`tcp_max_tw_buckets`);
//! beyond it connections close without it. Below the limit many of them are
//! normal and cost next to nothing.

use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Case, Detector, Kernel, blind};
use crate::model::evidence::Evidence;
use crate::model::finding::{Blind, Finding, Lack, Rule, Severity};
use std::time::Duration;

/// Window of the overflow count.
const WINDOW: Duration = Duration::from_mins(1);

/// At most one finding, without a process.
#[derive(Default)]
pub(super) struct TimeWaitHeap {
    standing: Standing<()>,
}

impl Detector for TimeWaitHeap {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let kernel = case.scene.kernel;
        let rise = case
            .meter
            .rise(WINDOW, |counters| counters.time_wait_overflows);
        let heap = Heap {
            count: kernel.gauges.time_waits,
            most: kernel.settings.max_time_wait,
            overflows: rise.unwrap_or(0),
        };
        self.standing
            .judge((), None, heap.level(case.limits), case.now);
        self.standing.findings(case.now, case.limits.clearing)
    }

    fn blind(&self, kernel: &Kernel) -> Option<Blind> {
        let gauge = kernel.gauges.time_waits.is_some();
        let limit = kernel.settings.max_time_wait.is_some();
        blind(Rule::TimeWaitHeap, Lack::Counters, gauge)
            .or_else(|| blind(Rule::TimeWaitHeap, Lack::Settings, limit))
    }
}

#[derive(Clone, Copy)]
struct Heap {
    count: Option<u32>,
    most: Option<u32>,
    overflows: u64,
}

impl Heap {
    fn level(self, limits: &Thresholds) -> Level {
        let Some((count, most)) = self.count.zip(self.most) else {
            return Level::Below;
        };
        let evidence = Evidence::TimeWaitHeap {
            count,
            most,
            overflows: self.overflows,
        };
        let reaches = |share: f64| most > 0 && f64::from(count) >= share * f64::from(most);
        if self.overflows > 0 || reaches(limits.time_wait_share) {
            Level::Raise(Severity::Warn, evidence)
        } else if reaches(limits.time_wait_share / 2.0) {
            Level::Hold(evidence)
        } else {
            Level::Below
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_raised(count: u32, overflows: u64) -> bool {
        let heap = Heap {
            count: Some(count),
            most: Some(1000),
            overflows,
        };
        matches!(heap.level(&Thresholds::default()), Level::Raise(..))
    }

    #[test]
    fn only_the_limit_makes_a_heap_a_trouble() {
        assert!(!is_raised(799, 0));
        assert!(is_raised(800, 0));
        assert!(is_raised(10, 1));
        let unknown = Heap {
            count: Some(5000),
            most: None,
            overflows: 9,
        };
        assert_eq!(unknown.level(&Thresholds::default()), Level::Below);
    }
}
