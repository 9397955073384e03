//! The line with the latest notice.

use crate::explain::template;
use crate::model::time::Time;

/// Time for which a notice is shown, in milliseconds.
const DISPLAY_MS: u64 = 12_000;

/// A short notice to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its text.
    pub text: String,
    /// True if it offers to ask again about a process that did not end.
    pub offers_retry: bool,
    since: Time,
}

impl Notice {
    /// A notice that appears now.
    #[must_use]
    pub fn new(text: String, since: Time) -> Self {
        Self {
            text,
            offers_retry: false,
            since,
        }
    }

    /// Adds the offer to ask again.
    #[must_use]
    pub fn with_retry_offer(self) -> Self {
        Self {
            offers_retry: true,
            ..self
        }
    }

    /// True if its time has elapsed.
    #[must_use]
    pub fn is_expired(&self, now: Time) -> bool {
        now.monotonic_ms.saturating_sub(self.since.monotonic_ms) >= DISPLAY_MS
    }
}

/// Builds a notice from a message of the assets.
pub(super) fn notice_from_template(
    text: &str,
    values: &[(&str, String)],
    now: Time,
) -> Option<Notice> {
    let text = template::render(text, |place| {
        let (_, value) = values.iter().find(|(name, _)| *name == place)?;
        Some(value.clone())
    })?;
    Some(Notice::new(text, now))
}
