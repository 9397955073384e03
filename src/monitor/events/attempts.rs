//! Outcomes of connection attempts by process and destination: exact where
//! state changes are traced, for rules that otherwise must guess.

use crate::model::endpoint::Endpoint;
use crate::model::event::{EventProcess, EventSource, StateChange};
use crate::model::event_history::CloseReason;
use crate::model::state::State;
use foldhash::HashMap;
use std::sync::Arc;

/// Maximum number of pairs of process and destination between two tables;
/// further ones are not counted.
const MAX_ATTEMPTS: usize = 20_000;

/// Number of attempts per outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::monitor) struct AttemptOutcomes {
    pub(in crate::monitor) answered: u32,
    pub(in crate::monitor) refused: u32,
    pub(in crate::monitor) timed_out: u32,
    /// Cancelled by the program before an answer was due: neither success nor
    /// failure.
    pub(in crate::monitor) cancelled: u32,
}

impl AttemptOutcomes {
    /// Number of failed attempts.
    pub(in crate::monitor) fn failed(self) -> u32 {
        self.refused.saturating_add(self.timed_out)
    }
}

/// Pid and destination.
pub(in crate::monitor) type AttemptKey = (u32, Endpoint);

/// Connection attempts that ended since the last table.
#[derive(Default)]
pub(in crate::monitor) struct ConnectAttempts {
    pub(in crate::monitor) by_process: HashMap<AttemptKey, (Arc<EventProcess>, AttemptOutcomes)>,
    /// True if state changes are traced.
    has_source: bool,
    /// True if some attempts are missing.
    incomplete: bool,
}

impl ConnectAttempts {
    /// True if every attempt that ended since the last table is included.
    pub(in crate::monitor) fn is_complete(&self) -> bool {
        self.has_source && !self.incomplete
    }

    /// Records the event source, and the number of lost events.
    pub(super) fn set_source(&mut self, feed: EventSource, lost: u64) {
        self.has_source = feed == EventSource::StateChanges;
        self.incomplete |= lost > 0;
    }

    /// Records a change out of `SYN_SENT`.
    pub(super) fn record(
        &mut self,
        change: &StateChange,
        caller: &Arc<EventProcess>,
        fate: Option<CloseReason>,
    ) {
        let attempt = (caller.pid, change.remote);
        if self.by_process.len() >= MAX_ATTEMPTS && !self.by_process.contains_key(&attempt) {
            self.incomplete = true;
            return;
        }
        let (_, outcomes) = self
            .by_process
            .entry(attempt)
            .or_insert_with(|| (Arc::clone(caller), AttemptOutcomes::default()));
        let count = match (change.to, fate) {
            (State::Closed, Some(CloseReason::Refused)) => &mut outcomes.refused,
            (State::Closed, Some(CloseReason::TimedOut)) => &mut outcomes.timed_out,
            (State::Closed, Some(CloseReason::ConnectCancelled)) => &mut outcomes.cancelled,
            (State::Closed, _) => return,
            _ => &mut outcomes.answered,
        };
        *count = count.saturating_add(1);
    }
}
