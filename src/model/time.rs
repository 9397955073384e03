//! Time as an argument: the time of a reading, by both clocks.
//!
//! Nothing above the source reads a clock, so the same readings always give
//! the same screen.

use std::time::Duration;

/// Time at which a reading was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Time {
    /// Milliseconds since 1970-01-01 UTC, for display and reports.
    pub wall_ms: u64,
    /// Milliseconds on a clock that never goes back, for ages and rates.
    /// Its zero is the moment watching began.
    pub monotonic_ms: u64,
}

impl Time {
    /// The monotonic part in the compact form that rows carry.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp(u32::try_from(self.monotonic_ms / 10).unwrap_or(u32::MAX))
    }
}

/// A moment in hundredths of a second since watching began; reaches 497 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp(pub u32);

impl Timestamp {
    /// Time from this moment to `now`; zero if it is later.
    #[must_use]
    pub fn age(self, now: Timestamp) -> Duration {
        Duration::from_millis(u64::from(now.0.saturating_sub(self.0)) * 10)
    }
}
