//! Increases of the kernel's counters within a window.

use crate::model::counters::Counters;
use crate::model::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Time for which samples are kept: twice the longest window, so that the value
/// before it is known, too.
const RETENTION: Duration = Duration::from_mins(2);

/// Selects one counter.
pub(super) type CounterSelector = fn(&Counters) -> Option<u64>;

/// Minimum number of samples kept, however seldom tables are read: two steps.
const MIN_SAMPLES: usize = 3;

/// Samples of the last two minutes.
#[derive(Debug, Default)]
pub(super) struct CounterWindow {
    samples: VecDeque<(Timestamp, Counters)>,
}

impl CounterWindow {
    /// Records the counters of a table.
    pub(super) fn push(&mut self, now: Timestamp, counters: Counters) {
        self.samples.push_back((now, counters));
        while let Some((at, _)) = self.samples.front()
            && at.age(now) > RETENTION
            && self.samples.len() > MIN_SAMPLES
        {
            self.samples.pop_front();
        }
    }

    /// Returns the increase of a counter within the last `window`; none if it
    /// is not reported, or there are no two samples to compare. Where tables
    /// are read less often than that, it is the part of the last step that
    /// falls into one window.
    ///
    /// Only values above all earlier ones count: a step back (another
    /// namespace, a wrap) and the return from it count as nothing.
    pub(super) fn increase(&self, window: Duration, pick: CounterSelector) -> Option<u64> {
        let mut values = self.values(window, 2, pick).into_iter();
        let first = values.next().filter(|(_, value)| value.is_some())?.0;
        let past = self.samples.iter().take_while(|(at, _)| *at <= first);
        let mut highest = past.filter_map(|(_, counters)| pick(counters)).max()?;
        let (mut last, mut risen) = (None, 0u64);
        for (at, value) in values {
            let value = value?;
            risen = risen.saturating_add(value.saturating_sub(highest));
            highest = highest.max(value);
            last = Some(at);
        }
        let span = first.age(last?).as_millis();
        let window = window.as_millis();
        if span <= window {
            return Some(risen);
        }
        u64::try_from(u128::from(risen) * window / span).ok()
    }

    /// True if a counter rose in most of the steps within the last `window`, of
    /// which three fifths must have been seen, and in at least two steps: a
    /// burst does not count.
    pub(super) fn is_mostly_rising(&self, window: Duration, pick: CounterSelector) -> bool {
        let values = self.values(window, MIN_SAMPLES, pick);
        let rose = |pair: &&[(Timestamp, Option<u64>)]| {
            let (before, after) = (pair[0].1, pair[1].1);
            before.zip(after).is_some_and(|(a, b)| b > a)
        };
        let rises = values.windows(2).filter(rose).count();
        let ends = values.first().zip(values.last());
        let span = ends.map_or(Duration::ZERO, |((first, _), (last, _))| first.age(*last));
        rises >= 2 && rises * 5 >= (values.len() - 1) * 3 && span * 5 >= window * 3
    }

    /// Returns a counter in the samples within the window, and in the last
    /// `least` in any case.
    fn values(
        &self,
        window: Duration,
        least: usize,
        pick: CounterSelector,
    ) -> Vec<(Timestamp, Option<u64>)> {
        let Some((now, _)) = self.samples.back() else {
            return Vec::new();
        };
        let outside = self
            .samples
            .partition_point(|(at, _)| at.age(*now) > window);
        let first = outside.min(self.samples.len().saturating_sub(least));
        self.samples
            .range(first..)
            .map(|(at, counters)| (*at, pick(counters)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn meter(values: &[Option<u64>]) -> CounterWindow {
        let mut meter = CounterWindow::default();
        for (second, value) in (0u32..).zip(values) {
            let counters = Counters {
                listen_drops: *value,
                ..Counters::default()
            };
            meter.push(Timestamp(second * 100), counters);
        }
        meter
    }

    fn rise(values: &[Option<u64>]) -> Option<u64> {
        meter(values).increase(TEN, |counters| counters.listen_drops)
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
    fn a_step_back_counts_as_nothing_nor_does_the_return() {
        assert_eq!(rise(&[Some(u64::MAX), Some(3), Some(5)]), Some(0));
        assert_eq!(rise(&[Some(900), Some(3), Some(902)]), Some(2));
    }

    #[test]
    fn a_long_interval_counts_in_proportion() {
        let mut meter = CounterWindow::default();
        for (minute, drops) in [(0u32, 0), (2, 50), (4, 290)] {
            let counters = Counters {
                listen_drops: Some(drops),
                ..Counters::default()
            };
            meter.push(Timestamp(minute * 6000), counters);
        }
        assert_eq!(
            meter.increase(TEN, |counters| counters.listen_drops),
            Some(20)
        );
        assert!(meter.is_mostly_rising(TEN, |counters| counters.listen_drops));
    }

    #[test]
    fn only_the_window_counts() {
        let values: Vec<_> = (0..30).map(|second| Some(second * 10)).collect();
        assert_eq!(rise(&values), Some(100));
        let meter = meter(&values);
        assert!(meter.samples.len() <= 121);
    }

    #[test]
    fn a_burst_is_not_most_of_the_time() {
        const FIVE: Duration = Duration::from_secs(5);
        let mostly = |values: &[u64]| {
            let values: Vec<_> = values.iter().copied().map(Some).collect();
            meter(&values).is_mostly_rising(FIVE, |counters| counters.listen_drops)
        };
        assert!(!mostly(&[]) && !mostly(&[1]) && !mostly(&[1, 2]));
        assert!(!mostly(&[1, 2, 3]), "too early to say");
        assert!(mostly(&[1, 2, 3, 4]));
        assert!(!mostly(&[1, 90, 90, 90, 90, 91]));
        assert!(mostly(&[1, 2, 2, 3, 3, 4]));
    }
}
