//! Chooses the time between tables so that watching costs little: no more than
//! a twentieth of one core, unless a person has chosen otherwise.

use crate::model::pace::Pace;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The largest share of one core, as a divisor.
const SHARE: u32 = 20;
/// The times between tables there are, so that the number on screen is calm.
const STEPS: [Duration; 10] = [
    Pace::QUICKEST,
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

/// Follows what watching costs.
pub(super) struct Pacer {
    pace: Pace,
    /// What a table costs: processor time from one table to the next, which
    /// has everything in it, drawing too. None until a second table has been
    /// read: the first is dearer than all others.
    cost: Option<Duration>,
    /// The program's processor time when the last table was begun, and how many
    /// have been.
    spent: Duration,
    tables: u32,
    interval: Duration,
}

impl Pacer {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            cost: None,
            spent: Duration::ZERO,
            tables: 0,
            interval: pace.first(),
        }
    }

    /// The time between tables now.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Follows another wish.
    pub(super) fn choose(&mut self, pace: Pace) {
        self.pace = pace;
        self.interval = match (pace, self.cost) {
            (Pace::Adaptive, Some(cost)) => spared(cost, self.interval),
            _ => pace.first(),
        };
    }

    /// Takes note that a table is begun when the program has used so much
    /// processor time. Says whether the time between tables is another now.
    pub(super) fn begin_table(&mut self, used: Duration) -> bool {
        let latest = used.saturating_sub(self.spent);
        self.spent = used;
        self.tables = self.tables.saturating_add(1);
        if self.tables <= 2 {
            return false;
        }
        // A dear table counts at once, a cheap one only if others follow.
        let cost = match self.cost {
            Some(known) if latest < known => (known * 3 + latest) / 4,
            _ => latest,
        };
        self.cost = Some(cost);
        let before = self.interval;
        if self.pace == Pace::Adaptive {
            self.interval = spared(cost, before);
        }
        self.interval != before
    }
}

/// The shortest step that keeps a cost within its share. A shorter one than
/// now is taken only if it would do so with room to spare.
fn spared(cost: Duration, now: Duration) -> Duration {
    let needed = cost.saturating_mul(SHARE);
    let fits = |step: &&Duration| {
        let needed = if **step < now {
            needed + needed / 8
        } else {
            needed
        };
        **step >= needed
    };
    let [.., longest] = STEPS;
    STEPS.iter().find(fits).copied().unwrap_or(longest)
}

/// Processor time of this program so far, all threads together.
pub(super) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times between tables when each costs so many milliseconds.
    fn followed(pacer: &mut Pacer, costs: &[u64]) -> Vec<u64> {
        let mut used = pacer.spent;
        costs
            .iter()
            .map(|cost| {
                used += Duration::from_millis(*cost);
                pacer.begin_table(used);
                u64::try_from(pacer.interval().as_millis()).unwrap()
            })
            .collect()
    }

    #[test]
    fn a_dear_table_is_read_less_often() {
        let mut pacer = Pacer::new(Pace::Adaptive);
        let intervals = followed(&mut pacer, &[5, 800, 140, 140, 300, 10, 10, 10, 10, 10, 10]);
        assert_eq!(intervals[..5], [1000, 1000, 3000, 3000, 7000]);
        assert!(intervals[5..].is_sorted_by(|left, right| left >= right));
        assert!(intervals[10] < 3000, "{intervals:?}");
        assert_eq!(followed(&mut pacer, &[10; 20])[19], 1000);
    }

    #[test]
    fn the_share_is_kept_at_every_cost() {
        for cost in 1..1500 {
            let cost = Duration::from_millis(cost);
            for now in STEPS {
                let interval = spared(cost, now);
                assert!(interval >= cost * SHARE, "{cost:?} {interval:?}");
            }
        }
        let [.., longest] = STEPS;
        assert_eq!(spared(Duration::from_mins(1), longest), longest);
    }

    #[test]
    fn a_number_on_screen_does_not_go_to_and_fro() {
        let mut pacer = Pacer::new(Pace::Adaptive);
        let costs: Vec<u64> = (0..40).map(|table| 98 + table % 5).collect();
        let intervals = followed(&mut pacer, &costs);
        let changes = intervals.windows(2).filter(|pair| pair[0] != pair[1]);
        assert!(changes.count() <= 2, "{intervals:?}");
    }

    #[test]
    fn a_person_may_choose_otherwise() {
        let fixed = Duration::from_millis(250);
        let mut pacer = Pacer::new(Pace::Fixed(fixed));
        followed(&mut pacer, &[100; 5]);
        assert_eq!(pacer.interval(), fixed);
        pacer.choose(Pace::Adaptive);
        assert_eq!(pacer.interval(), Duration::from_secs(2));
    }

    #[test]
    fn processor_time_is_read() {
        assert!(processor_time() > Duration::ZERO);
    }
}
