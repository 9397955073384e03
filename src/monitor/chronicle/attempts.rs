//! Outcomes of connection attempts by process and destination: exact where
//! state changes are traced, for rules that otherwise must guess.

use crate::model::chronicle::Fate;
use crate::model::endpoint::Endpoint;
use crate::model::event::{Caller, Change, Feed};
use crate::model::state::State;
use foldhash::HashMap;
use std::sync::Arc;

/// Maximum number of pairs of process and destination between two tables;
/// further ones are not counted.
const MOST: usize = 20_000;

/// Number of attempts per outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::monitor) struct Outcomes {
    pub(in crate::monitor) answered: u32,
    pub(in crate::monitor) refused: u32,
    pub(in crate::monitor) unanswered: u32,
    /// Cancelled by the program before an answer was due: neither success nor
    /// failure.
    pub(in crate::monitor) given_up: u32,
}

impl Outcomes {
    /// Number of failed attempts.
    pub(in crate::monitor) fn failed(self) -> u32 {
        self.refused.saturating_add(self.unanswered)
    }
}

/// Pid and destination.
pub(in crate::monitor) type Attempt = (u32, Endpoint);

/// Connection attempts that ended since the last table.
#[derive(Default)]
pub(in crate::monitor) struct Attempts {
    pub(in crate::monitor) by_whom: HashMap<Attempt, (Arc<Caller>, Outcomes)>,
    /// True if state changes are traced.
    told: bool,
    /// True if some attempts are missing.
    incomplete: bool,
}

impl Attempts {
    /// True if every attempt that ended since the last table is included.
    pub(in crate::monitor) fn is_complete(&self) -> bool {
        self.told && !self.incomplete
    }

    /// Records the event source, and the number of lost events.
    pub(super) fn listen(&mut self, feed: Feed, lost: u64) {
        self.told = feed == Feed::Changes;
        self.incomplete |= lost > 0;
    }

    /// Records a change out of `SYN_SENT`.
    pub(super) fn note(&mut self, change: &Change, caller: &Arc<Caller>, fate: Option<Fate>) {
        let attempt = (caller.pid, change.remote);
        if self.by_whom.len() >= MOST && !self.by_whom.contains_key(&attempt) {
            self.incomplete = true;
            return;
        }
        let (_, outcomes) = self
            .by_whom
            .entry(attempt)
            .or_insert_with(|| (Arc::clone(caller), Outcomes::default()));
        let count = match (change.to, fate) {
            (State::Closed, Some(Fate::Refused)) => &mut outcomes.refused,
            (State::Closed, Some(Fate::Unanswered)) => &mut outcomes.unanswered,
            (State::Closed, Some(Fate::GivenUp)) => &mut outcomes.given_up,
            (State::Closed, _) => return,
            _ => &mut outcomes.answered,
        };
        *count = count.saturating_add(1);
    }
}
