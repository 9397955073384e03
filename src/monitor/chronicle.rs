//! Connection events between tables: joins kernel events to connections,
//! connections to rows, and keeps a log of the latest events.

pub(super) mod attempts;
mod life;
mod line;
mod lives;
mod passage;
mod stream;
#[cfg(test)]
mod tests;
mod whereabouts;

use super::ledger::Turned;
use crate::model::chronicle::{Chronicle, Timeline};
use crate::model::event::{Change, Events, Feed};
use crate::model::observation::Observation;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::socket::SocketKey;
use crate::model::state::State;
use crate::model::time::Stamp;
use attempts::Attempts;
use foldhash::HashSet;
use life::Ends;
use line::{Certainty, Drafted, Latest, ended_only, find_owners};
use lives::{Lives, Meaning, Turn};
use passage::Passages;
use std::sync::Arc;
use stream::{STREAM, Stream};
use whereabouts::{Place, Whereabouts};

/// Maximum number of followed sockets.
pub(super) const FOLLOWED: usize = 256;

/// Tracks connection events and writes the history for observations.
#[derive(Default)]
pub(super) struct Chronicler {
    feed: Feed,
    told: u64,
    lost: u64,
    brief: u64,
    unplaced: u64,
    cost_permille: Option<u16>,
    lives: Lives,
    passages: Passages,
    stream: Stream,
    followed: Vec<SocketKey>,
    /// True if the followed sockets differ from those of the last history.
    behind: bool,
    /// True if the last history lacks events.
    has_news: bool,
    /// Connection attempts since the last table.
    attempts: Attempts,
    /// Ports of listeners opened since the last table.
    opened: HashSet<u16>,
    /// The only network namespace watched; none if all are.
    only: Option<u32>,
}

impl Chronicler {
    /// Sets the sockets whose timelines are included in observations.
    pub(super) fn follow(&mut self, sockets: impl Iterator<Item = SocketKey>) {
        let mut followed: Vec<SocketKey> = sockets.take(FOLLOWED).collect();
        followed.sort_unstable();
        followed.dedup();
        self.behind |= self.followed != followed;
        self.followed = followed;
    }

    /// True if the history should be written again before the next table.
    pub(super) fn is_behind(&self) -> bool {
        self.behind
    }

    /// True if the last history lacks events.
    pub(super) fn has_news(&self) -> bool {
        self.has_news
    }

    /// Resets the state since the last table. Of later changes, those of
    /// network namespaces other than `only` are skipped.
    pub(super) fn end_table(&mut self, only: Option<u32>) {
        self.attempts = Attempts::default();
        self.opened.clear();
        self.only = only;
    }

    /// Outcomes of connection attempts since the last table.
    pub(super) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Processes events; `latest` gives the owners.
    pub(super) fn fold(&mut self, events: Events, latest: Option<&Observation>) {
        let Events {
            feed,
            changes,
            endings,
            lost,
            cost_permille,
        } = events;
        self.has_news |= !changes.is_empty() || !endings.is_empty() || lost > 0;
        self.feed = feed;
        self.cost_permille = cost_permille;
        self.lost += lost;
        self.attempts.listen(feed, lost);
        let opened = std::mem::take(&mut self.opened);
        let mut whereabouts = Whereabouts::new(self.only, latest, opened);
        let mut latest_ones = Latest::default();
        for (number, change) in changes.iter().enumerate() {
            if change.from == change.to {
                continue;
            }
            let meaning = self.lives.take(change, &mut whereabouts);
            if meaning.place == Place::Elsewhere {
                continue;
            }
            self.count(change, &meaning);
            // LISTEN to SYN_RECV is skipped: the change that follows at once
            // reports the accepted connection.
            let accepted = (change.from, change.to) == (State::Listen, State::SynReceived);
            if !accepted {
                latest_ones.push(number, meaning);
            }
        }
        let mut lines = latest_ones.drafted(&changes, self.only);
        self.opened = whereabouts.opened();
        self.lives.settle();
        if let Some(latest) = latest {
            find_owners(&mut lines, latest);
        }
        if feed == Feed::Changes {
            lines.retain(|drafted| drafted.certainty != Certainty::Doubtful);
            let confirmed = |drafted: &&Drafted| drafted.certainty == Certainty::Confirmed;
            self.told += lines.iter().filter(confirmed).count() as u64;
            self.stream
                .extend(lines.into_iter().map(|drafted| drafted.line));
            self.stream.weigh(&endings);
        } else {
            let last = endings.len().saturating_sub(STREAM);
            self.stream
                .extend(ended_only(&endings[last..], latest).into_iter());
        }
    }

    fn count(&mut self, change: &Change, meaning: &Meaning) {
        let end = match meaning.turn {
            Turn::Ends(end) => Some(end),
            Turn::GoesOn | Turn::IsKept => None,
        };
        let is_here = meaning.place == Place::Here;
        self.told += u64::from(is_here);
        self.unplaced += u64::from(meaning.place == Place::Unknown);
        self.brief += u64::from(is_here && end.is_some_and(|end| end.brief));
        if change.from == State::SynSent
            && let Some(caller) = &meaning.caller
        {
            self.attempts.note(change, caller, end.map(|end| end.fate));
        }
    }

    /// Processes a table.
    pub(super) fn note(&mut self, turned: &Turned, now: Stamp, began: Stamp) {
        self.lives.begin_table();
        for row in stirred(turned) {
            self.passages.note(row, now, began);
            if self.feed == Feed::Changes && row.socket.protocol == Protocol::Tcp {
                let ends = Ends::of_socket(&row.socket);
                if !self.lives.show(ends) && row.phase == Phase::New {
                    self.lives.note_ahead(ends);
                }
            }
        }
        self.passages.sweep(&turned.rows);
        self.stream.recognise(stirred(turned), &turned.rows, now);
    }

    /// Returns the history as it is now; `find` returns the row of a key.
    pub(super) fn write<'r>(
        &mut self,
        find: impl Fn(&SocketKey) -> Option<&'r Row>,
        began: Stamp,
    ) -> Arc<Chronicle> {
        let timelines = self.followed.iter().filter_map(|key| {
            let timeline = self.timeline(find(key)?, began);
            Some((*key, timeline))
        });
        let chronicle = Chronicle {
            feed: self.feed,
            told: self.told,
            lost: self.lost,
            brief: self.brief,
            unplaced: self.unplaced,
            cost_permille: self.cost_permille,
            stream: self.stream.lines(),
            timelines: timelines.collect(),
        };
        self.behind = false;
        self.has_news = false;
        Arc::new(chronicle)
    }

    fn timeline(&self, row: &Row, began: Stamp) -> Timeline {
        let seen = self.passages.of(row, began);
        let state = row.socket.state;
        let gone = row.phase == Phase::Closed;
        let Some(life) = self.lives.find(Ends::of_socket(&row.socket), state, gone) else {
            return Timeline { steps: seen };
        };
        let mut timeline = life.timeline(|before| {
            let mut seen = seen.iter();
            seen.find(|step| step.state == before).copied()
        });
        // The table was read later than the last change.
        let last = timeline.steps.last().map(|last| last.state);
        if last != Some(state) && !(gone && last == Some(State::Closed)) {
            timeline.steps.push(passage::present(row));
        }
        timeline
    }
}

fn stirred(turned: &Turned) -> impl Iterator<Item = &Row> {
    let numbers = turned.stirred.iter();
    numbers.filter_map(|number| turned.rows.get(*number as usize))
}
