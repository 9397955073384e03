//! Threshold Random Walk: likelihood that a process scans.
//!
//! After each first contact the likelihood ratio "scanner against innocent" is
//! multiplied (Jung and others 2004). It never falls below 1, so that past
//! successes cannot hide a later infection (Schechter and others 2004).

use super::contact::TrwSteps;
use super::thresholds::Thresholds;

/// Natural logarithm of the present ratio: thousands of steps at once would
/// leave the range of the ratio itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ThresholdRandomWalk {
    logarithm: f64,
}

impl ThresholdRandomWalk {
    /// Applies the steps of one table together: their order within it is
    /// unknown.
    pub(super) fn apply(&mut self, steps: TrwSteps, limits: &Thresholds) {
        let up = f64::from(steps.failures) * limits.walk_failure.ln();
        let down = f64::from(steps.successes) * limits.walk_success.ln();
        let ceiling = limits.walk_ceiling.ln();
        self.logarithm = (self.logarithm + up + down).min(ceiling).max(0.0);
    }

    /// Returns the walk after this number of further failures.
    pub(super) fn after_failures(mut self, failures: usize, limits: &Thresholds) -> Self {
        self.apply(
            TrwSteps {
                failures: i32::try_from(failures).unwrap_or(i32::MAX),
                successes: 0,
            },
            limits,
        );
        self
    }

    /// The likelihood ratio, from 1 to the ceiling.
    pub(super) fn ratio(self) -> f64 {
        self.logarithm.exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(failures: i32, successes: i32) -> TrwSteps {
        TrwSteps {
            failures,
            successes,
        }
    }

    #[test]
    fn nine_net_failures_reach_the_alarm() {
        let limits = Thresholds::default();
        let mut walk = ThresholdRandomWalk::default();
        walk.apply(steps(8, 0), &limits);
        assert!(walk.ratio() < limits.walk_alarm);
        walk.apply(steps(1, 0), &limits);
        assert!(walk.ratio() >= limits.walk_alarm);
    }

    #[test]
    fn past_successes_do_not_hide_a_later_infection() {
        let limits = Thresholds::default();
        let mut walk = ThresholdRandomWalk::default();
        walk.apply(steps(0, 10_000), &limits);
        walk.apply(steps(9, 0), &limits);
        assert!(walk.ratio() >= limits.walk_alarm);
    }

    #[test]
    fn a_few_successes_bring_it_back_from_the_ceiling() {
        let limits = Thresholds::default();
        let mut walk = ThresholdRandomWalk::default();
        walk.apply(steps(100_000, 0), &limits);
        walk.apply(steps(0, 4), &limits);
        assert!(walk.ratio() < limits.walk_alarm);
    }

    #[test]
    fn equal_failures_and_successes_raise_no_alarm() {
        let limits = Thresholds::default();
        let mut walk = ThresholdRandomWalk::default();
        walk.apply(steps(5000, 5000), &limits);
        assert!(walk.ratio() < limits.walk_alarm);
    }
}
