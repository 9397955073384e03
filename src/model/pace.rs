//! How often tables are read.

use std::time::Duration;

/// How often a person wants tables to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pace {
    /// As often as costs little: every second, and less often on a machine
    /// where a table is dear.
    #[default]
    Adaptive,
    /// This often, whatever it costs.
    Fixed(Duration),
}

impl Pace {
    /// The time between tables of an adaptive pace where they cost little.
    pub const QUICKEST: Duration = Duration::from_secs(1);

    /// The time between tables to begin with.
    #[must_use]
    pub fn first(self) -> Duration {
        match self {
            Self::Adaptive => Self::QUICKEST,
            Self::Fixed(interval) => interval,
        }
    }
}
