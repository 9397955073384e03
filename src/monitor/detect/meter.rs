//! How much the kernel's counters rose in the last minute.

use crate::model::counters::Counters;
use crate::model::time::Stamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Samples are kept so long.
const REACH: Duration = Duration::from_mins(1);

/// Picks one counter.
pub(super) type Pick = fn(&Counters) -> Option<u64>;

/// The samples of the last minute.
#[derive(Debug, Default)]
pub(super) struct Meter {
    samples: VecDeque<(Stamp, Counters)>,
}

impl Meter {
    /// Takes in the counters of a table.
    pub(super) fn note(&mut self, now: Stamp, counters: Counters) {
        self.samples.push_back((now, counters));
        while let Some((at, _)) = self.samples.front()
            && at.age(now) > REACH
        {
            self.samples.pop_front();
        }
    }

    /// By how much a counter rose within the last `window`; none where it is
    /// not told, or there are no two samples to compare. A step back (another
    /// namespace, a wrap) counts as nothing.
    pub(super) fn rise(&self, window: Duration, pick: Pick) -> Option<u64> {
        let (now, _) = self.samples.back()?;
        let within: Vec<u64> = self
            .samples
            .iter()
            .filter(|(at, _)| at.age(*now) <= window)
            .map(|(_, counters)| pick(counters))
            .collect::<Option<_>>()?;
        if within.len() < 2 {
            return None;
        }
        let steps = within
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]));
        Some(steps.sum())
    }

    /// Whether a counter rose in most of the steps within the last `window`,
    /// and in two at least: a burst is no trouble.
    pub(super) fn mostly_rises(&self, window: Duration, pick: Pick) -> bool {
        let Some((now, _)) = self.samples.back() else {
            return false;
        };
        let within: Vec<Option<u64>> = self
            .samples
            .iter()
            .filter(|(at, _)| at.age(*now) <= window)
            .map(|(_, counters)| pick(counters))
            .collect();
        let rose = |pair: &&[Option<u64>]| pair[0].zip(pair[1]).is_some_and(|(a, b)| b > a);
        let rises = within.windows(2).filter(rose).count();
        rises >= 2 && rises * 5 >= (within.len() - 1) * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn meter(values: &[Option<u64>]) -> Meter {
        let mut meter = Meter::default();
        for (second, value) in (0u32..).zip(values) {
            let counters = Counters {
                listen_drops: *value,
                ..Counters::default()
            };
            meter.note(Stamp(second * 100), counters);
        }
        meter
    }

    fn rise(values: &[Option<u64>]) -> Option<u64> {
        meter(values).rise(TEN, |counters| counters.listen_drops)
    }

    #[test]
    fn only_differences_count() {
        assert_eq!(rise(&[]), None);
        assert_eq!(rise(&[Some(1_000_000)]), None, "the first tells nothing");
        assert_eq!(rise(&[Some(5), Some(5)]), Some(0));
        assert_eq!(rise(&[Some(5), Some(7), Some(12)]), Some(7));
        assert_eq!(rise(&[Some(5), None, Some(12)]), None);
    }

    #[test]
    fn a_step_back_counts_as_nothing() {
        assert_eq!(rise(&[Some(u64::MAX), Some(3), Some(5)]), Some(2));
    }

    #[test]
    fn only_the_window_counts() {
        let values: Vec<_> = (0..30).map(|second| Some(second * 10)).collect();
        assert_eq!(rise(&values), Some(100));
        let meter = meter(&values);
        assert!(meter.samples.len() <= 61);
    }

    #[test]
    fn a_burst_is_not_most_of_the_time() {
        let mostly = |values: &[u64]| {
            let values: Vec<_> = values.iter().copied().map(Some).collect();
            meter(&values).mostly_rises(TEN, |counters| counters.listen_drops)
        };
        assert!(!mostly(&[]) && !mostly(&[1]) && !mostly(&[1, 2]));
        assert!(mostly(&[1, 2, 3]));
        assert!(!mostly(&[1, 90, 90, 90, 90, 91]));
        assert!(mostly(&[1, 2, 2, 3, 3, 4]));
    }
}
