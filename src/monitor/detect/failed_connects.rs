//! Rule: most connections that are tried from here fail, many at a time.
//!
//! A refused one is gone within a millisecond and is in no table; only the
//! kernel's counters report it. They do not report the process; events do,
//! where they can be read. Attempts that waited in the table before they failed
//! are for other rules, which know more of them.

use super::meter::Meter;
use super::refusers::Refusers;
use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::vanished::{Tried, Vanished};
use super::{Case, Detector, Kernel, blind};
use crate::model::counters::Counters;
use crate::model::evidence::Evidence;
use crate::model::finding::{Blind, Finding, Lack, Rule, Severity};
use crate::model::process::Process;
use std::sync::Arc;
use std::time::Duration;

/// Window of the counters.
const WINDOW: Duration = Duration::from_secs(10);

/// At most one finding, without a process unless the kernel's events name it.
#[derive(Default)]
pub(super) struct FailedConnects {
    standing: Standing<()>,
    vanished: Vanished,
    refusers: Refusers,
    /// True if the last table was above the threshold.
    stormed: bool,
}

impl Detector for FailedConnects {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        self.vanished.note(Tried::of(case.scene), case.now, WINDOW);
        let level = signs(case.meter).map_or(Level::Below, |(failed, tried)| {
            level(failed, tried, self.vanished.count(), case.limits)
        });
        self.refusers.note(case.scene, WINDOW);
        let level = self.confirmed(level);
        let (process, level) = self.named(level, case);
        let level = case.outlook.temper(level);
        self.standing.judge((), process.as_ref(), level, case.now);
        self.standing.findings(case.now, case.limits.clearing)
    }

    fn blind(&self, kernel: &Kernel) -> Option<Blind> {
        let Counters {
            active_opens,
            attempt_fails,
            embryonic_resets,
            ..
        } = kernel.counters;
        let told = active_opens.and(attempt_fails).and(embryonic_resets);
        blind(Rule::FailedConnects, Lack::Counters, told.is_some())
    }
}

impl FailedConnects {
    /// Attributes the failures to a process, if the kernel's events name it.
    fn named(&self, mut level: Level, case: &Case<'_>) -> (Option<Arc<Process>>, Level) {
        let mut process = None;
        if let Level::Raise(_, evidence) | Level::Hold(evidence) = &mut level
            && let Evidence::FailedConnects { whose, failed, .. } = evidence
            && let Some((worst, failing)) = self.refusers.worst(*failed, case.scene)
        {
            *whose = Some(failing);
            process = Some(worst);
        }
        (process, level)
    }

    /// Raises only what lasts for two tables. Counters are read after the
    /// sockets: a failure in between is counted at once and gone from the next
    /// table only.
    fn confirmed(&mut self, level: Level) -> Level {
        let storms = matches!(level, Level::Raise(..));
        let stormed = std::mem::replace(&mut self.stormed, storms);
        if stormed { level } else { level.held() }
    }
}

/// Number of failed and of tried attempts.
fn signs(meter: &Meter) -> Option<(u64, u64)> {
    let tried = meter.rise(WINDOW, |counters| counters.active_opens)?;
    let failed = meter.rise(WINDOW, |counters| counters.attempt_fails)?;
    // Half-open incoming ones that were reset are counted with them. The two
    // counters come from two files, so each increase is taken by itself: from
    // step to step one of them may be a little ahead.
    let resets = meter.rise(WINDOW, |counters| counters.embryonic_resets)?;
    Some((failed.saturating_sub(resets), tried))
}

/// `visible` is the number of failures that the table may have shown.
fn level(failed: u64, tried: u64, visible: u32, limits: &Thresholds) -> Level {
    let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let (failed, tried) = (small(failed), small(tried));
    let evidence = Evidence::FailedConnects {
        whose: None,
        failed,
        tried,
        window: WINDOW,
    };
    let share = limits.storm_share * f64::from(tried);
    let failed = failed.saturating_sub(visible);
    if tried == 0 || f64::from(failed) < share / 2.0 {
        Level::Below
    } else if failed >= limits.storm_failed && f64::from(failed) >= share {
        Level::Raise(Severity::Warn, evidence)
    } else if failed.saturating_mul(2) >= limits.storm_failed {
        Level::Hold(evidence)
    } else {
        Level::Below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_and_most_must_fail() {
        let judged = |failed, tried| level(failed, tried, 0, &Thresholds::default());
        let raises = |failed, tried| matches!(judged(failed, tried), Level::Raise(..));
        assert!(raises(20, 40) && raises(500, 500));
        assert!(!raises(19, 19), "few");
        assert!(!raises(30, 1000), "a health checker");
        assert!(!raises(25, 0), "nothing was tried from here");
        let seen = level(300, 310, 290, &Thresholds::default());
        assert_eq!(seen, Level::Below, "they are in the table");
        assert_eq!(judged(9, 9), Level::Below);
        assert!(matches!(judged(12, 20), Level::Hold(_)));
    }

    #[test]
    fn one_table_raises_nothing() {
        let mut rule = FailedConnects::default();
        let storm = || level(30, 40, 0, &Thresholds::default());
        assert!(matches!(rule.confirmed(storm()), Level::Hold(_)));
        assert_eq!(rule.confirmed(Level::Below), Level::Below);
        assert!(matches!(rule.confirmed(storm()), Level::Hold(_)));
        assert!(matches!(rule.confirmed(storm()), Level::Raise(..)));
    }
}
