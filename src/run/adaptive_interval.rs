//! Chooses the time between tables so that watching is cheap: at most a tenth of
//! one core, unless the user has chosen otherwise.
//!
//! A single expensive table among cheap ones slows nothing down: it is paid for
//! once. Of sixteen tables two such count, but the time grows in steps: a short
//! time of high cost must not stop the screen for half a minute.

use crate::model::refresh_mode::RefreshMode;
use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
use std::time::Duration;

/// The largest share of one core, as a divisor.
const CPU_SHARE_DIVISOR: u32 = 10;
/// The times between tables there are, so that the number on screen is calm.
const INTERVAL_STEPS: [Duration; 10] = [
    RefreshMode::MIN_ADAPTIVE_INTERVAL,
    Duration::from_millis(1500),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(4),
    Duration::from_secs(5),
    Duration::from_secs(7),
    Duration::from_secs(10),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// Number of steps by which the time between tables may grow with each table.
const CLIMB: usize = 2;
/// Number of costs that are kept.
const MAX_COSTS: usize = 16;
/// Number of latest tables after which a higher cost no longer counts.
const RECENT_COSTS: usize = 3;

/// Tracks the cost of tables, in processor time.
pub(super) struct AdaptiveInterval {
    mode: RefreshMode,
    /// The latest last.
    costs: VecDeque<Duration>,
    /// True if the next cost is that of a table unlike those to come: the first
    /// of all, or of another choice of namespaces.
    skips_next: bool,
    /// The program's processor time when the last table was begun and ended.
    table_began: Duration,
    table_ended: Option<Duration>,
    interval: Duration,
}

impl AdaptiveInterval {
    pub(super) fn new(mode: RefreshMode) -> Self {
        Self {
            mode,
            costs: VecDeque::with_capacity(MAX_COSTS),
            skips_next: true,
            table_began: Duration::ZERO,
            table_ended: None,
            interval: mode.initial_interval(),
        }
    }

    /// The time between tables now.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns the cost that makes the interval longer than the shortest,
    /// unless the interval is fixed by the user.
    pub(super) fn slowing_cost(&self) -> Option<Duration> {
        let slowed = self.mode == RefreshMode::Adaptive
            && self.interval > RefreshMode::MIN_ADAPTIVE_INTERVAL;
        self.cost().filter(|_| slowed)
    }

    /// Sets another refresh mode.
    pub(super) fn set_mode(&mut self, pace: RefreshMode) {
        self.mode = pace;
        self.interval = match (pace, self.cost()) {
            (RefreshMode::Adaptive, Some(cost)) => interval_for_cost(cost, self.interval),
            _ => pace.initial_interval(),
        };
    }

    /// Resets the costs before tables of another kind, the first of which costs
    /// more than those after it.
    pub(super) fn reset(&mut self) {
        self.costs.clear();
        self.skips_next = true;
        self.table_ended = None;
    }

    /// Records that a table is begun, with the CPU time used so far. Returns
    /// true if the interval has changed.
    pub(super) fn begin_table(&mut self, used: Duration) -> bool {
        let before = self.table_began;
        self.table_began = used;
        let Some(ended) = self.table_ended.take() else {
            return false;
        };
        if std::mem::take(&mut self.skips_next) {
            return false;
        }
        let reading = ended.saturating_sub(before);
        // Drawing a table costs no more than reading it. Other work meanwhile
        // grows with the time between tables and must not lengthen it.
        let drawing = used.saturating_sub(ended).min(reading);
        if self.costs.len() == MAX_COSTS {
            self.costs.pop_front();
        }
        let latest = reading + drawing;
        self.costs.push_back(latest);
        let before = self.interval;
        if let (RefreshMode::Adaptive, Some(cost)) = (self.mode, self.cost()) {
            // A cheap table gives no reason to wait longer.
            let asks_for_more = interval_for_cost(latest, before) > before;
            let most = if asks_for_more {
                longer(before)
            } else {
                before
            };
            self.interval = interval_for_cost(cost, before).min(most);
        }
        self.interval != before
    }

    /// Records that the table is read.
    pub(super) fn end_table(&mut self, used: Duration) {
        self.table_ended = Some(used);
    }

    /// Expected cost of a table; none before two are known. A single one that
    /// costs much more than those around it does not count, the second does.
    fn cost(&self) -> Option<Duration> {
        let mut latest = self.costs.iter().rev().copied();
        let both = latest.next()?.min(latest.next()?);
        let recent = self.costs.iter().rev().take(RECENT_COSTS).max().copied()?;
        Some(both.max(recent.min(self.clipped_mean()?)))
    }

    /// The mean of the kept costs, the highest counted as the second.
    fn clipped_mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.costs.len()).ok()?;
        let highest = self.costs.iter().max()?;
        let place = self.costs.iter().position(|cost| cost == highest)?;
        let others = || {
            let numbered = self.costs.iter().enumerate();
            numbered.filter_map(move |(at, cost)| (at != place).then_some(*cost))
        };
        let second = others().max()?;
        (others().sum::<Duration>() + second).checked_div(count)
    }
}

/// Returns the shortest step that keeps a cost within its share. A step shorter
/// than the current one is taken only with some reserve.
fn interval_for_cost(cost: Duration, now: Duration) -> Duration {
    let needed = cost.saturating_mul(CPU_SHARE_DIVISOR);
    let fits = |step: &&Duration| {
        let needed = if **step < now {
            needed + needed / 8
        } else {
            needed
        };
        **step >= needed
    };
    let [.., longest] = INTERVAL_STEPS;
    INTERVAL_STEPS.iter().find(fits).copied().unwrap_or(longest)
}

/// The longest time between tables that may follow this one.
fn longer(now: Duration) -> Duration {
    let [.., longest] = INTERVAL_STEPS;
    let above = INTERVAL_STEPS.iter().filter(|step| **step > now);
    above.take(CLIMB).last().copied().unwrap_or(longest)
}

/// Processor time of this program so far, all threads together.
pub(super) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the intervals, in milliseconds, for tables of these costs. The
    /// first is not known before the second table is begun.
    fn intervals_for(pacer: &mut AdaptiveInterval, costs: &[u64]) -> Vec<u64> {
        let mut used = pacer.table_ended.unwrap_or_default();
        let begun = costs.iter().map(|cost| {
            pacer.begin_table(used);
            used += Duration::from_millis(*cost);
            pacer.end_table(used);
            u64::try_from(pacer.interval().as_millis()).unwrap()
        });
        begun.collect()
    }

    /// Interval of an adaptive one after these costs.
    fn interval_after(costs: &[u64]) -> u64 {
        let mut pacer = AdaptiveInterval::new(RefreshMode::Adaptive);
        let all: Vec<u64> = costs.iter().copied().chain([0]).collect();
        intervals_for(&mut pacer, &all)[costs.len()]
    }

    #[test]
    fn the_interval_follows_the_cost_of_tables() {
        let cases: [(&str, &[u64], u64); 14] = [
            ("the first does not count", &[9000, 20], 1000),
            ("nor one among cheap ones", &[90, 20, 20, 5000, 20], 1000),
            ("nor the last, yet", &[90, 20, 20, 5000], 1000),
            (
                "the second does, by its share",
                &[90, 20, 900, 20, 20, 900, 20],
                2000,
            ),
            ("two together by two steps", &[90, 20, 20, 900, 900], 2000),
            ("a third by two more", &[90, 20, 20, 900, 900, 900], 4000),
            ("all of them in full", &[900; 9], 10_000),
            ("cheap ones for ever", &[20; 50], 1000),
            ("the shortest that saves", &[100; 9], 1000),
            ("a bit more", &[101; 9], 1500),
            ("180 ms", &[180; 9], 2000),
            ("the longest", &[9000; 9], 30_000),
            (
                "what is over is over",
                &[180, 180, 180, 180, 180, 20, 20, 20],
                1000,
            ),
            ("but not before", &[180, 180, 180, 180, 180, 20, 20], 1500),
        ];
        for (what, costs, expected) in cases {
            assert_eq!(interval_after(costs), expected, "{what}: {costs:?}");
        }
    }

    #[test]
    fn a_moment_of_high_cost_does_not_leave_the_screen_standing() {
        let mut pacer = AdaptiveInterval::new(RefreshMode::Adaptive);
        let costs = [20, 20, 20, 5000, 5000, 20, 20, 20, 20, 20];
        let intervals = intervals_for(&mut pacer, &costs);
        assert!(intervals.iter().all(|pace| *pace <= 2000), "{intervals:?}");
        assert_eq!(intervals.last(), Some(&1000));
    }

    #[test]
    fn another_choice_of_namespaces_is_charged_for_what_it_goes_on_costing() {
        let mut pacer = AdaptiveInterval::new(RefreshMode::Adaptive);
        intervals_for(&mut pacer, &[300, 5, 5, 5]);
        for _ in 0..3 {
            pacer.reset();
            let intervals = intervals_for(&mut pacer, &[700, 30, 30, 30, 30]);
            assert_eq!(intervals, [1000; 5]);
        }
        pacer.reset();
        assert_eq!(intervals_for(&mut pacer, &[700, 180, 180, 180])[3], 2000);
        assert_eq!(pacer.slowing_cost(), Some(Duration::from_millis(180)));
    }

    #[test]
    fn what_is_done_between_tables_does_not_lengthen_the_time_between_them() {
        // Keys, details, events: a tenth of a core, table or not.
        let mut pacer = AdaptiveInterval::new(RefreshMode::Adaptive);
        let mut used = Duration::ZERO;
        for _ in 0..100 {
            pacer.begin_table(used);
            used += Duration::from_millis(20);
            pacer.end_table(used);
            used += pacer.interval() / 10;
        }
        assert_eq!(pacer.interval(), Duration::from_secs(1));
        assert_eq!(pacer.slowing_cost(), None);
    }

    proptest! {
        #[test]
        fn cheap_tables_are_read_every_second_whatever_comes_between(
            mut costs in proptest::collection::vec(0u64..=100, 17),
            spike in 0u64..100_000,
            place in 0usize..17,
        ) {
            costs[place] = spike;
            let mut pacer = AdaptiveInterval::new(RefreshMode::Adaptive);
            let intervals = intervals_for(&mut pacer, &costs);
            prop_assert!(intervals.iter().all(|pace| *pace == 1000), "{:?}", intervals);
        }

        #[test]
        fn the_share_is_kept_whatever_tables_cost(
            costs in proptest::collection::vec(0u64..1500, 300..400),
        ) {
            let mut pacer = AdaptiveInterval::new(RefreshMode::Adaptive);
            let intervals = intervals_for(&mut pacer, &costs);
            let spent: u64 = costs.iter().sum();
            let passed: u64 = intervals.iter().sum();
            prop_assert!(spent * 100 < passed * 12, "{spent} of {passed}");
        }

        #[test]
        fn no_interval_is_longer_than_the_most_expensive_table_needs(
            costs in proptest::collection::vec(0u64..1500, 3..60),
        ) {
            let mut pacer = AdaptiveInterval::new(RefreshMode::Adaptive);
            let intervals = intervals_for(&mut pacer, &costs);
            let dearest = Duration::from_millis(*costs.iter().max().unwrap());
            let slowest = interval_for_cost(dearest, RefreshMode::MIN_ADAPTIVE_INTERVAL).as_millis();
            // A step down is taken only with some reserve.
            let longer = interval_for_cost(dearest + dearest / 8, RefreshMode::MIN_ADAPTIVE_INTERVAL).as_millis().max(slowest);
            prop_assert!(intervals.iter().all(|pace| u128::from(*pace) <= longer));
        }
    }

    #[test]
    fn the_share_is_kept_at_every_cost() {
        for cost in 1..1500 {
            let cost = Duration::from_millis(cost);
            for now in INTERVAL_STEPS {
                let interval = interval_for_cost(cost, now);
                assert!(
                    interval >= cost * CPU_SHARE_DIVISOR,
                    "{cost:?} {interval:?}"
                );
            }
        }
        let [.., longest] = INTERVAL_STEPS;
        assert_eq!(interval_for_cost(Duration::from_mins(1), longest), longest);
    }

    #[test]
    fn the_interval_does_not_oscillate() {
        let mut pacer = AdaptiveInterval::new(RefreshMode::Adaptive);
        let costs: Vec<u64> = (0..40).map(|table| 98 + table % 5).collect();
        let intervals = intervals_for(&mut pacer, &costs);
        let changes = intervals.windows(2).filter(|pair| pair[0] != pair[1]);
        assert!(changes.count() <= 2, "{intervals:?}");
    }

    #[test]
    fn a_fixed_interval_is_kept() {
        let fixed = Duration::from_millis(250);
        let mut pacer = AdaptiveInterval::new(RefreshMode::Fixed(fixed));
        intervals_for(&mut pacer, &[200; 5]);
        assert_eq!(pacer.interval(), fixed);
        pacer.set_mode(RefreshMode::Adaptive);
        assert_eq!(pacer.interval(), Duration::from_secs(2));
    }

    #[test]
    fn processor_time_is_read() {
        assert!(cpu_time() > Duration::ZERO);
    }
}
