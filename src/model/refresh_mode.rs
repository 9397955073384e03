//! Interval between tables.

use std::time::Duration;

/// Refresh mode chosen by the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RefreshMode {
    /// As often as is cheap: every second, and less often on a machine where a
    /// table is expensive.
    #[default]
    Adaptive,
    /// At this interval, at any cost.
    Fixed(Duration),
}

impl RefreshMode {
    /// Interval of the adaptive mode when tables are cheap.
    pub const MIN_ADAPTIVE_INTERVAL: Duration = Duration::from_secs(1);

    /// Returns the initial interval.
    #[must_use]
    pub fn initial_interval(self) -> Duration {
        match self {
            Self::Adaptive => Self::MIN_ADAPTIVE_INTERVAL,
            Self::Fixed(interval) => interval,
        }
    }
}
