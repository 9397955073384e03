//! Rule: most connections that are tried from here fail, many at a time.
//!
//! A refused one is gone within a millisecond and is in no table; only the
//! kernel's counters report it. They do not report the process; events do,
//! where they can be read. Attempts that waited in the table before they failed
//! are for other rules, which know more of them.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::counter_window::CounterWindow;
use super::detector::{Detector, DetectorInput, inactive_unless};
use super::failing_processes::FailingProcesses;
use super::table_context::KernelStats;
use super::thresholds::Thresholds;
use super::vanished::{SynSentRows, VanishedAttempts};
use crate::model::counters::Counters;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, InactiveRule, MissingInput, Rule, Severity};
use crate::model::process::Process;
use std::sync::Arc;
use std::time::Duration;

/// Window of the counters.
const WINDOW: Duration = Duration::from_secs(10);

/// At most one finding, without a process unless the kernel's events name it.
#[derive(Default)]
pub(super) struct FailedConnectsDetector {
    active: ActiveFindings<()>,
    vanished: VanishedAttempts,
    failing_processes: FailingProcesses,
    /// True if the last table was above the threshold.
    was_above: bool,
}

impl Detector for FailedConnectsDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        self.vanished
            .record(SynSentRows::of(case.context), case.now, WINDOW);
        let level = failed_and_tried(case.counters)
            .map_or(TriggerLevel::Clear, |(failed, tried)| {
                level(failed, tried, self.vanished.count(), case.limits)
            });
        self.failing_processes.record(case.context, WINDOW);
        let level = self.confirm(level);
        let (process, level) = self.attribute(level, case);
        let level = case.network.dampen(level);
        self.active.update((), process.as_ref(), level, case.now);
        self.active.finish_round(case.now, case.limits.clearing)
    }

    fn missing_input(&self, kernel: &KernelStats) -> Option<InactiveRule> {
        let Counters {
            active_opens,
            attempt_fails,
            embryonic_resets,
            ..
        } = kernel.counters;
        let told = active_opens.and(attempt_fails).and(embryonic_resets);
        inactive_unless(Rule::FailedConnects, MissingInput::Counters, told.is_some())
    }
}

impl FailedConnectsDetector {
    /// Attributes the failures to a process, if the kernel's events name it.
    fn attribute(
        &self,
        mut level: TriggerLevel,
        case: &DetectorInput<'_>,
    ) -> (Option<Arc<Process>>, TriggerLevel) {
        let mut process = None;
        if let TriggerLevel::Raise(_, evidence) | TriggerLevel::Sustain(evidence) = &mut level
            && let Evidence::FailedConnects {
                process: whose,
                failed,
                ..
            } = evidence
            && let Some((worst, failing)) = self.failing_processes.worst(*failed, case.context)
        {
            *whose = Some(failing);
            process = Some(worst);
        }
        (process, level)
    }

    /// Raises only what lasts for two tables. Counters are read after the
    /// sockets: a failure in between is counted at once and gone from the next
    /// table only.
    fn confirm(&mut self, level: TriggerLevel) -> TriggerLevel {
        let storms = matches!(level, TriggerLevel::Raise(..));
        let stormed = std::mem::replace(&mut self.was_above, storms);
        if stormed { level } else { level.sustain_only() }
    }
}

/// Number of failed and of tried attempts.
fn failed_and_tried(meter: &CounterWindow) -> Option<(u64, u64)> {
    let tried = meter.increase(WINDOW, |counters| counters.active_opens)?;
    let failed = meter.increase(WINDOW, |counters| counters.attempt_fails)?;
    // Half-open incoming ones that were reset are counted with them. The two
    // counters come from two files, so each increase is taken by itself: from
    // step to step one of them may be a little ahead.
    let resets = meter.increase(WINDOW, |counters| counters.embryonic_resets)?;
    Some((failed.saturating_sub(resets), tried))
}

/// `visible` is the number of failures that the table may have shown.
fn level(failed: u64, tried: u64, visible: u32, limits: &Thresholds) -> TriggerLevel {
    let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let (failed, tried) = (small(failed), small(tried));
    let evidence = Evidence::FailedConnects {
        process: None,
        failed,
        attempted: tried,
        window: WINDOW,
    };
    let share = limits.storm_share * f64::from(tried);
    let failed = failed.saturating_sub(visible);
    if tried == 0 || f64::from(failed) < share / 2.0 {
        TriggerLevel::Clear
    } else if failed >= limits.storm_failed && f64::from(failed) >= share {
        TriggerLevel::Raise(Severity::Warning, evidence)
    } else if failed.saturating_mul(2) >= limits.storm_failed {
        TriggerLevel::Sustain(evidence)
    } else {
        TriggerLevel::Clear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_and_most_must_fail() {
        let judged = |failed, tried| level(failed, tried, 0, &Thresholds::default());
        let raises = |failed, tried| matches!(judged(failed, tried), TriggerLevel::Raise(..));
        assert!(raises(20, 40) && raises(500, 500));
        assert!(!raises(19, 19), "few");
        assert!(!raises(30, 1000), "a health checker");
        assert!(!raises(25, 0), "nothing was tried from here");
        let seen = level(300, 310, 290, &Thresholds::default());
        assert_eq!(seen, TriggerLevel::Clear, "they are in the table");
        assert_eq!(judged(9, 9), TriggerLevel::Clear);
        assert!(matches!(judged(12, 20), TriggerLevel::Sustain(_)));
    }

    #[test]
    fn one_table_raises_nothing() {
        let mut rule = FailedConnectsDetector::default();
        let storm = || level(30, 40, 0, &Thresholds::default());
        assert!(matches!(rule.confirm(storm()), TriggerLevel::Sustain(_)));
        assert_eq!(rule.confirm(TriggerLevel::Clear), TriggerLevel::Clear);
        assert!(matches!(rule.confirm(storm()), TriggerLevel::Sustain(_)));
        assert!(matches!(rule.confirm(storm()), TriggerLevel::Raise(..)));
    }
}
