//! What became of connects, by process and destination: exact, where changes
//! are told, for the rules that otherwise must guess.

use crate::model::chronicle::Fate;
use crate::model::endpoint::Endpoint;
use crate::model::event::{Caller, Change, Feed};
use crate::model::state::State;
use foldhash::HashMap;
use std::sync::Arc;

/// Pairs of process and destination between two tables; of further ones nothing
/// is kept.
const MOST: usize = 20_000;

/// How many connects had which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::monitor) struct Outcomes {
    pub(in crate::monitor) answered: u32,
    pub(in crate::monitor) refused: u32,
    pub(in crate::monitor) unanswered: u32,
    /// By the program itself, before an answer was due: neither good nor bad.
    pub(in crate::monitor) given_up: u32,
}

impl Outcomes {
    /// How many came to nothing.
    pub(in crate::monitor) fn failed(self) -> u32 {
        self.refused.saturating_add(self.unanswered)
    }
}

/// Who tried what.
pub(in crate::monitor) type Attempt = (u32, Endpoint);

/// Connects that came to an outcome since the last table.
#[derive(Default)]
pub(in crate::monitor) struct Attempts {
    pub(in crate::monitor) by_whom: HashMap<Attempt, (Arc<Caller>, Outcomes)>,
    /// Whether changes are told at all.
    told: bool,
    /// Whether some of them are missing here.
    incomplete: bool,
}

impl Attempts {
    /// Whether every connect since the last table is here that came to an
    /// outcome.
    pub(in crate::monitor) fn is_complete(&self) -> bool {
        self.told && !self.incomplete
    }

    /// Notes what told, and how much of it was lost.
    pub(super) fn listen(&mut self, feed: Feed, lost: u64) {
        self.told = feed == Feed::Changes;
        self.incomplete |= lost > 0;
    }

    /// Takes in a change on the way out of `SYN_SENT`.
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
