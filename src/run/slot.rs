//! The latest observation, handed from the poller to the screen: a newer one
//! replaces an older one, so a slow terminal never makes a queue grow.

use crate::model::observation::Observation;
use std::sync::{Arc, Mutex, PoisonError};

/// Room for one observation.
#[derive(Clone, Default)]
pub(super) struct ObservationSlot(Arc<Mutex<Option<Arc<Observation>>>>);

impl ObservationSlot {
    /// Stores an observation. Returns true if the slot was empty: the receiver
    /// must be notified then.
    pub(super) fn put(&self, observation: Arc<Observation>) -> bool {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.replace(observation).is_none()
    }

    /// Takes the observation.
    pub(super) fn take(&self) -> Option<Arc<Observation>> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_wins_and_is_announced_once() {
        let slot = ObservationSlot::default();
        let numbered = |number| {
            Arc::new(Observation {
                table_number: number,
                ..Observation::default()
            })
        };
        assert!(slot.put(numbered(1)));
        assert!(!slot.put(numbered(2)));
        assert_eq!(slot.take().map(|taken| taken.table_number), Some(2));
        assert!(slot.take().is_none());
        assert!(slot.put(numbered(3)));
    }
}
