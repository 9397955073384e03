//! One offset between the two clocks. They are read one after the other and
//! drift by a millisecond from table to table, and so would a time in the past.

use crate::model::time::Time;

/// Largest drift, in milliseconds; a larger difference means that the clock was
/// set.
const MAX_DRIFT_MS: u64 = 100;

/// The time of day at the zero of the monotonic clock, once known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WallClock {
    offset_ms: Option<u64>,
}

impl WallClock {
    /// Returns the same time with a wall clock that agrees with earlier ones.
    pub(super) fn align(&mut self, time: Time) -> Time {
        let Some(zero) = time.wall_ms.checked_sub(time.monotonic_ms) else {
            return time;
        };
        let known = self
            .offset_ms
            .filter(|known| known.abs_diff(zero) <= MAX_DRIFT_MS);
        let zero = *self.offset_ms.insert(known.unwrap_or(zero));
        Time {
            wall_ms: zero + time.monotonic_ms,
            ..time
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_stays_where_it_was_until_the_clock_is_set() {
        let mut clocks = WallClock::default();
        let mut wall = |wall_ms, monotonic_ms| {
            let time = Time {
                wall_ms,
                monotonic_ms,
            };
            clocks.align(time).wall_ms
        };
        assert_eq!(wall(10_000, 0), 10_000);
        assert_eq!(wall(10_999, 1000), 11_000, "read a moment apart");
        assert_eq!(wall(12_001, 2000), 12_000);
        assert_eq!(wall(73_000, 3000), 73_000, "set by a minute");
        assert_eq!(wall(74_001, 4000), 74_000);
        assert_eq!(wall(0, 5000), 0, "no time of day is known");
    }
}
