//! The line that says what just happened.

use crate::explain::sentence;
use crate::model::time::Time;

/// How long a notice stays, milliseconds.
const STAYS_MS: u64 = 12_000;

/// Something to be read in passing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub text: String,
    /// Whether it offers to ask again about a process that did not end.
    pub offers: bool,
    since: Time,
}

impl Notice {
    /// A notice that appears now.
    #[must_use]
    pub fn new(text: String, since: Time) -> Self {
        Self {
            text,
            offers: false,
            since,
        }
    }

    /// The same, offering to ask again.
    #[must_use]
    pub fn with_offer(self) -> Self {
        Self {
            offers: true,
            ..self
        }
    }

    /// Whether it has been there long enough.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        now.monotonic_ms.saturating_sub(self.since.monotonic_ms) >= STAYS_MS
    }
}

/// A notice from a sentence of the assets.
pub(super) fn fill(text: &str, values: &[(&str, String)], now: Time) -> Option<Notice> {
    let text = sentence::fill(text, |place| {
        let (_, value) = values.iter().find(|(name, _)| *name == place)?;
        Some(value.clone())
    })?;
    Some(Notice::new(text, now))
}
