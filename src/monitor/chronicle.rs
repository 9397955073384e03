//! What became of connections between tables: joins what the kernel told to
//! lives, lives to rows, and keeps the stream of what happened last.

pub(super) mod attempts;
mod life;
mod lives;
mod passage;
#[cfg(test)]
mod tests;
mod whereabouts;

use super::ledger::Turned;
use crate::model::chronicle::{Chronicle, Fate, Happening, Life as Told, Timeline};
use crate::model::endpoint::Endpoint;
use crate::model::event::{Caller, Change, Ending, Events, Feed};
use crate::model::observation::Observation;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::socket::{Socket, SocketKey};
use crate::model::state::State;
use crate::model::time::Stamp;
use attempts::Attempts;
use foldhash::{HashMap, HashMapExt, HashSet};
use life::Ends;
use lives::{Lives, Meaning};
use passage::Passages;
use std::collections::VecDeque;
use std::sync::Arc;
use whereabouts::{Place, Whereabouts};

/// How much of the stream is kept.
const STREAM: usize = 500;
/// How many sockets may be followed.
pub(super) const FOLLOWED: usize = 256;

/// Writes the chronicle.
#[derive(Default)]
pub(super) struct Chronicler {
    feed: Feed,
    told: u64,
    lost: u64,
    brief: u64,
    cost_permille: Option<u16>,
    lives: Lives,
    passages: Passages,
    stream: VecDeque<Happening>,
    followed: Vec<SocketKey>,
    /// Whether others are followed than the last chronicle tells of.
    behind: bool,
    /// Since the last table.
    attempts: Attempts,
    /// Ports of listeners that came since.
    opened: HashSet<u16>,
    /// The only network namespace that is watched; none if all are.
    only: Option<u32>,
}

/// A change that becomes a line of the stream.
struct Drafted {
    line: Happening,
    /// Whether a listener here took the connection.
    accepted: bool,
    /// Whether it is a line only if a row of the table has its ends.
    doubtful: bool,
}

impl Chronicler {
    /// Whose ways are to be told with each table.
    pub(super) fn follow(&mut self, sockets: impl Iterator<Item = SocketKey>) {
        let mut followed: Vec<SocketKey> = sockets.take(FOLLOWED).collect();
        followed.sort_unstable();
        followed.dedup();
        self.behind |= self.followed != followed;
        self.followed = followed;
    }

    /// Whether the chronicle should be written anew before the next table.
    pub(super) fn is_behind(&self) -> bool {
        self.behind
    }

    /// Done with what was told since the table before. Of the changes to come,
    /// those of other network namespaces than this are left out.
    pub(super) fn end_table(&mut self, only: Option<u32>) {
        self.attempts = Attempts::default();
        self.opened.clear();
        self.only = only;
    }

    /// What connects came to since the last table.
    pub(super) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Takes in what was told; `latest` says who owns what.
    pub(super) fn fold(&mut self, events: Events, latest: Option<&Observation>) {
        let Events {
            feed,
            changes,
            endings,
            lost,
            cost_permille,
        } = events;
        self.feed = feed;
        self.cost_permille = cost_permille;
        self.lost += lost;
        self.attempts.listen(feed, lost);
        let opened = std::mem::take(&mut self.opened);
        let mut whereabouts = Whereabouts::new(self.only, latest, opened);
        // Only the last become lines.
        let first = changes.len().saturating_sub(STREAM);
        let mut lines = Vec::with_capacity(changes.len() - first);
        for (number, change) in changes.iter().enumerate() {
            if change.from == change.to {
                continue;
            }
            let meaning = self.lives.take(change, &mut whereabouts);
            if meaning.place == Place::Elsewhere {
                continue;
            }
            self.count(change, &meaning);
            // That somebody is accepted is told by what follows at once.
            let accepted = (change.from, change.to) == (State::Listen, State::SynReceived);
            if number >= first && !accepted {
                lines.push(Drafted {
                    line: happening(change, &meaning),
                    accepted: meaning.accepted,
                    doubtful: meaning.place != Place::Here,
                });
            }
        }
        self.opened = whereabouts.opened();
        self.lives.settle();
        if let Some(latest) = latest {
            find_owners(&mut lines, latest);
        }
        if feed == Feed::Changes {
            let sure = lines.into_iter().filter(|drafted| !drafted.doubtful);
            self.stream.extend(sure.map(|drafted| drafted.line));
            self.weigh(&endings);
        } else {
            let ended = endings.iter().rev().take(STREAM).rev();
            self.stream
                .extend(ended.map(|ending| ended_only(ending, latest)));
        }
        let surplus = self.stream.len().saturating_sub(STREAM);
        self.stream.drain(..surplus);
    }

    fn count(&mut self, change: &Change, meaning: &Meaning) {
        let end = meaning.end;
        self.told += 1;
        let is_here = meaning.place == Place::Here;
        self.brief += u64::from(is_here && end.is_some_and(|end| end.brief));
        if change.from == State::SynSent
            && let Some(caller) = &meaning.caller
        {
            self.attempts.note(change, caller, end.map(|end| end.fate));
        }
    }

    /// Adds what ended connections carried to their lines.
    fn weigh(&mut self, endings: &[Ending]) {
        let mut waiting: HashMap<Ends, usize> = HashMap::new();
        for (place, line) in self.stream.iter().enumerate() {
            if line.life.is_some_and(|life| life.carried.is_none()) {
                let (local, remote) = (line.local, line.remote);
                waiting.insert(Ends { local, remote }, place);
                // Who breaks off has forgotten the peer by then.
                let remote = Endpoint::new(remote.address(), 0);
                waiting.insert(Ends { local, remote }, place);
            }
        }
        if waiting.is_empty() {
            return;
        }
        for ending in endings {
            let ends = Ends {
                local: ending.socket.local,
                remote: ending.socket.remote,
            };
            let line = waiting
                .get(&ends)
                .and_then(|place| self.stream.get_mut(*place));
            if let Some(life) = line.and_then(|line| line.life.as_mut()) {
                life.carried = carried(ending).map(|(received, sent)| {
                    // The peer's FIN is counted as a byte received.
                    let fin = u64::from(life.fate == Fate::ClosedThere);
                    (received.saturating_sub(fin), sent)
                });
            }
        }
    }

    /// Takes in a table, and gives the chronicle after it.
    pub(super) fn note(&mut self, turned: &Turned, now: Stamp, began: Stamp) {
        self.lives.begin_table();
        for row in stirred(turned) {
            self.passages.note(row, now, began);
            if self.feed == Feed::Changes && row.socket.protocol == Protocol::Tcp {
                let ends = ends(&row.socket);
                if !self.lives.show(ends) && row.phase == Phase::New {
                    self.lives.note_ahead(ends);
                }
            }
        }
        self.passages.sweep(&turned.rows);
        self.recognise(turned);
    }

    /// Says of what the kernel keeps that it is in `TIME_WAIT`, if the table
    /// shows so.
    fn recognise(&mut self, turned: &Turned) {
        let stream = self.stream.iter_mut();
        let mut kept: HashMap<Ends, &mut Happening> = stream
            .filter(|line| line.from == line.to)
            .map(|line| {
                let (local, remote) = (line.local, line.remote);
                (Ends { local, remote }, line)
            })
            .collect();
        if kept.is_empty() {
            return;
        }
        let waiting = stirred(turned).filter(|row| row.socket.state == State::TimeWait);
        for row in waiting {
            if let Some(line) = kept.get_mut(&ends(&row.socket)) {
                line.to = State::TimeWait;
            }
        }
    }

    /// The chronicle as it is now; `find` gives the row of a key.
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
            cost_permille: self.cost_permille,
            stream: self.stream.iter().cloned().collect(),
            timelines: timelines.collect(),
        };
        self.behind = false;
        Arc::new(chronicle)
    }

    fn timeline(&self, row: &Row, began: Stamp) -> Timeline {
        let seen = self.passages.of(row, began);
        let state = row.socket.state;
        let gone = row.phase == Phase::Closed;
        let Some(life) = self.lives.find(ends(&row.socket), state, gone) else {
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

fn ends(socket: &Socket) -> Ends {
    Ends {
        local: socket.local,
        remote: socket.remote,
    }
}

fn carried(ending: &Ending) -> Option<(u64, u64)> {
    // What was acknowledged counts SYN and FIN as bytes; what was sent does not.
    let info = &ending.info;
    let sent = info.bytes_sent.zip(info.bytes_retransmitted);
    let sent = sent.map(|(all, again)| all.saturating_sub(again));
    info.bytes_received.zip(sent.or(info.bytes_acked))
}

fn happening(change: &Change, meaning: &Meaning) -> Happening {
    Happening {
        at_us: change.at_us,
        owner: meaning.caller.as_deref().cloned(),
        local: change.local,
        remote: change.remote,
        from: change.from,
        to: came_to(change, meaning),
        stayed_us: meaning
            .stayed_us
            .filter(|_| change.from != State::SynReceived),
        life: meaning.end.map(|end| Told {
            lasted_us: end.lasted_us,
            carried: None,
            unseen: end.unseen,
            fate: end.fate,
        }),
    }
}

/// Where a change led: what tables still show has not ended.
fn came_to(change: &Change, meaning: &Meaning) -> State {
    match (change.from, change.to) {
        (State::Closing, State::Closed) if meaning.end.is_none() => State::TimeWait,
        (from, State::Closed) if meaning.end.is_none() => from,
        (_, to) => to,
    }
}

/// All that is known where only endings are told.
fn ended_only(ending: &Ending, latest: Option<&Observation>) -> Happening {
    let key = ending.socket.key();
    let row = latest.and_then(|latest| {
        let mut rows = latest.rows.iter();
        rows.find(|row| row.socket.key() == key)
    });
    Happening {
        at_us: ending.at_us,
        owner: row.zip(latest).and_then(|(row, latest)| owner(row, latest)),
        local: ending.socket.local,
        remote: row.map_or(ending.socket.remote, |row| row.socket.remote),
        from: row.map_or(State::Unknown(0), |row| row.socket.state),
        to: State::Closed,
        stayed_us: None,
        life: Some(Told {
            lasted_us: None,
            carried: carried(ending),
            unseen: row.is_none(),
            fate: Fate::Unknown,
        }),
    }
}

/// Finds the owners of connections that nobody here called for, or that were
/// there before: by their rows, else by the listener that took them.
fn find_owners(lines: &mut [Drafted], latest: &Observation) {
    let mut wanted: HashMap<Ends, Vec<usize>> = HashMap::new();
    for (place, drafted) in lines.iter().enumerate() {
        let line = &drafted.line;
        if line.owner.is_none() || drafted.doubtful {
            let (local, remote) = (line.local, line.remote);
            wanted
                .entry(Ends { local, remote })
                .or_default()
                .push(place);
        }
    }
    if wanted.is_empty() {
        return;
    }
    for row in latest.rows.iter() {
        if let Some(places) = wanted.get(&ends(&row.socket)) {
            let owner = owner(row, latest);
            for place in places {
                if let Some(drafted) = lines.get_mut(*place) {
                    drafted.doubtful = false;
                    let known = &mut drafted.line.owner;
                    *known = known.take().or_else(|| owner.clone());
                }
            }
        }
    }
    for Drafted { line, accepted, .. } in lines {
        if *accepted && line.owner.is_none() {
            line.owner = listener(line.local, latest).and_then(|row| owner(row, latest));
        }
    }
}

/// The only listener that can have taken a connection to this end.
fn listener(local: Endpoint, latest: &Observation) -> Option<&Row> {
    let first = latest
        .listeners
        .partition_point(|(port, _)| *port < local.port);
    let mut fitting = latest.listeners[first..]
        .iter()
        .take_while(|(port, _)| *port == local.port)
        .filter_map(|(_, number)| latest.rows.get(*number as usize))
        .filter(|row| {
            let bound = row.socket.local;
            bound.address() == local.address() || bound.is_unspecified()
        });
    let found = fitting.next()?;
    fitting.next().is_none().then_some(found)
}

fn owner(row: &Row, latest: &Observation) -> Option<Caller> {
    let holder = row.owners.of(&latest.holders).first();
    let process = match (holder, row.last_owner) {
        (Some(holder), _) => holder.process,
        (None, last) => last?.process(),
    };
    let process = latest.processes.get(process.0 as usize)?;
    (process.pid != 0).then(|| Caller {
        pid: process.pid,
        name: process.name.clone(),
        start_ticks: process.start_ticks,
        namespace: None,
    })
}
