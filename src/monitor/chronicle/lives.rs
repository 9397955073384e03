//! Joins changes of state to lives: which belong to one connection, when it
//! began, and how it ended.
//!
//! The kernel names a socket by its address in memory, which it gives to
//! another when the socket is gone, and some changes may be lost. So a change
//! is believed to go on with a life only if it leaves the very state that life
//! was in.

use super::life::{Ends, Life, is_birth};
use super::whereabouts::{Place, Whereabouts};
use crate::model::chronicle::Fate;
use crate::model::event::{Caller, Change};
use crate::model::state::State;
use foldhash::{HashMap, HashSet};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Beyond so many lives, changes of further ones are told but not joined. A
/// life takes some 200 bytes.
const MOST: usize = 1_000_000;
/// How many ended lives are remembered for rows that stay in `TIME_WAIT`.
const DEPARTED: usize = 32_768;
/// A SYN is sent again after a second (RFC 6298): what failed before has been
/// refused, or given up.
const PATIENCE_US: u64 = 1_000_000;
/// Who is refused by this machine itself is so within the call, in which no
/// interrupt is to be seen; so is who is refused by a namespace next to this one.
/// But a program that waits for nothing gives up as soon.
const WITHIN_CALL_US: u64 = 1_000;

/// How many of the latest lives are looked at for the other end of one.
const LATELY: usize = 64;

/// What a change meant.
#[derive(Clone, Debug, Default)]
pub(super) struct Meaning {
    pub(super) stayed_us: Option<u64>,
    pub(super) turn: Turn,
    pub(super) caller: Option<Arc<Caller>>,
    /// Whether it is of a connection that a listener here took.
    pub(super) accepted: bool,
    pub(super) place: Place,
}

/// What a change made of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is in another state.
    #[default]
    GoesOn,
    /// The kernel swaps the full socket for a small record, which tables show
    /// for a minute (`tcp_time_wait`).
    IsKept,
    /// It is over.
    Ends(End),
}

impl Turn {
    /// Whether the kernel keeps a record of what ends with this change.
    fn is_kept(change: &Change) -> bool {
        change.to == State::Closed && matches!(change.from, State::FinWait2 | State::Closing)
    }
}

/// An end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) lasted_us: Option<u64>,
    pub(super) unseen: bool,
    /// Whether the connection came and ended without any table showing it.
    pub(super) brief: bool,
    pub(super) fate: Fate,
}

/// Who has these ends: the names of all that do, joined by XOR, so that the
/// only one is known when the others are gone.
#[derive(Clone, Copy, Default)]
struct Pointed {
    sockets: u64,
    count: u32,
}

/// All that have not ended, and the last that have.
#[derive(Default)]
pub(super) struct Lives {
    by_socket: HashMap<u64, Life>,
    by_ends: HashMap<Ends, Pointed>,
    departed: HashMap<Ends, Life>,
    /// In the order in which they departed.
    order: VecDeque<Ends>,
    /// Those that began, or got a port, and cannot be found by that yet: most
    /// end before they must be.
    unpointed: Vec<u64>,
    /// Rows of the last table that were ahead of their first change.
    ahead: HashSet<Ends>,
}

impl Lives {
    /// Takes in a change.
    pub(super) fn take(&mut self, change: &Change, whereabouts: &mut Whereabouts<'_>) -> Meaning {
        let full = self.by_socket.len() >= MOST;
        let ends = Ends {
            local: change.local,
            remote: change.remote,
        };
        let mut stayed_us = None;
        let other_end = self.place_of_other_end(change);
        match self.by_socket.entry(change.socket) {
            Entry::Occupied(mut place) => {
                let life = place.get_mut();
                let (state, since) = life.present();
                let known = life.ends;
                if state == change.from && !is_birth(change.from, change.to) {
                    stayed_us = Some(change.at_us.saturating_sub(since));
                    life.push(change);
                    if known != ends {
                        life.ends = ends;
                        life.shown |= !self.ahead.is_empty() && self.ahead.contains(&ends);
                        self.unpointed.push(change.socket);
                    }
                } else {
                    // Another socket, or this one after changes that were lost.
                    let same = known == ends && !is_birth(change.from, change.to);
                    let shown = same && life.shown;
                    let pointed = life.pointed.take();
                    let place = if same {
                        life.place
                    } else {
                        other_end.unwrap_or_else(|| whereabouts.of(change))
                    };
                    *life = Life::begin(change, shown, place);
                    life.pointed = pointed;
                    self.unpointed.push(change.socket);
                }
            }
            Entry::Vacant(_) if full => return lost(change),
            Entry::Vacant(place) => {
                let shown = !self.ahead.is_empty() && self.ahead.contains(&ends)
                    // Whatever was there before watching began.
                    || !is_birth(change.from, change.to);
                let where_it_is = other_end.unwrap_or_else(|| whereabouts.of(change));
                place.insert(Life::begin(change, shown, where_it_is));
                self.unpointed.push(change.socket);
            }
        }
        if change.to == State::Closed {
            return self.end(change, stayed_us);
        }
        let life = self.by_socket.get(&change.socket);
        Meaning {
            stayed_us,
            turn: Turn::GoesOn,
            caller: life.and_then(|life| life.caller.clone()),
            accepted: life.is_some_and(Life::was_accepted),
            place: life.map_or(Place::Here, |life| life.place),
        }
    }

    /// Where a connection is that a listener takes from this very machine: where
    /// the one who dialled is, whose changes came just before. Listeners of
    /// several namespaces may have the same port.
    fn place_of_other_end(&self, change: &Change) -> Option<Place> {
        let accepted = (change.from, change.to) == (State::Listen, State::SynReceived);
        let within =
            change.remote.is_loopback() || change.remote.address() == change.local.address();
        if !accepted || !within {
            return None;
        }
        let ends = Ends {
            local: change.remote,
            remote: change.local,
        };
        let lately = self.unpointed.iter().rev().take(LATELY);
        let mut lately = lately.filter_map(|socket| self.by_socket.get(socket));
        let life = lately.find(|life| life.ends == ends).or_else(|| {
            let socket = self.pointed(ends)?;
            self.by_socket.get(&socket)
        });
        life.map(|life| life.place)
    }

    fn end(&mut self, change: &Change, stayed_us: Option<u64>) -> Meaning {
        let Some(life) = self.by_socket.remove(&change.socket) else {
            return lost(change);
        };
        if let Some(pointed) = life.pointed {
            unpoint(&mut self.by_ends, pointed, change.socket);
        }
        let kept = Turn::is_kept(change);
        let began = life.began();
        let end = End {
            lasted_us: began.map(|began| change.at_us.saturating_sub(began)),
            unseen: !life.shown,
            brief: began.is_some() && !life.shown && !life.is_listener(),
            fate: fate(change, stayed_us),
        };
        let meaning = Meaning {
            stayed_us,
            turn: if kept { Turn::IsKept } else { Turn::Ends(end) },
            caller: life.caller.clone(),
            accepted: life.was_accepted(),
            place: life.place,
        };
        if life.shown || kept {
            self.depart(life);
        }
        meaning
    }

    /// Keeps the way of a row that stays in `TIME_WAIT`, or is on screen as
    /// closed.
    fn depart(&mut self, life: Life) {
        self.order.push_back(life.ends);
        self.departed.insert(life.ends, life);
        while self.order.len() > DEPARTED
            && let Some(first) = self.order.pop_front()
        {
            self.departed.remove(&first);
        }
    }

    /// After the last of many changes: makes those found that have not ended.
    pub(super) fn settle(&mut self) {
        for socket in self.unpointed.drain(..) {
            if let Some(life) = self.by_socket.get_mut(&socket)
                && life.pointed != Some(life.ends)
            {
                if let Some(before) = life.pointed.replace(life.ends) {
                    unpoint(&mut self.by_ends, before, socket);
                }
                point(&mut self.by_ends, life.ends, socket);
            }
        }
        // What a storm took is given back.
        self.unpointed.shrink_to(4096);
    }

    /// Notes that a table shows this connection. Whether its life is known.
    pub(super) fn show(&mut self, ends: Ends) -> bool {
        let socket = self
            .pointed(ends)
            .or_else(|| self.pointed(ends.without_port()));
        let life = socket.and_then(|socket| self.by_socket.get_mut(&socket));
        let known = life.is_some();
        if let Some(life) = life {
            life.shown = true;
            life.place = Place::Here;
        }
        known || self.departed.contains_key(&ends)
    }

    /// Begins a table: what was ahead of its first change before has had it.
    pub(super) fn begin_table(&mut self) {
        self.ahead.clear();
    }

    /// Notes a row that no change has told of yet.
    pub(super) fn note_ahead(&mut self, ends: Ends) {
        self.ahead.insert(ends);
    }

    /// The life of a row in this state, which may be gone from the table.
    pub(super) fn find(&self, ends: Ends, state: State, gone: bool) -> Option<Cow<'_, Life>> {
        let departed = || self.departed.get(&ends);
        match state {
            State::TimeWait => return departed().map(|life| Cow::Owned(life.lingering())),
            _ if gone => return departed().map(Cow::Borrowed),
            _ => {}
        }
        let lingering = || {
            let lingers = state == State::FinWait2;
            lingers.then(departed).flatten().map(Life::lingering)
        };
        let living = self.living(ends, state).map(Cow::Borrowed);
        living.or_else(|| lingering().map(Cow::Owned))
    }

    fn living(&self, ends: Ends, state: State) -> Option<&Life> {
        // An attempt was told before it had a port.
        let without_port = || {
            let waits = state == State::SynSent;
            waits.then(|| self.pointed(ends.without_port())).flatten()
        };
        let socket = self.pointed(ends).or_else(without_port)?;
        self.by_socket.get(&socket)
    }

    /// The only socket that has these ends.
    fn pointed(&self, ends: Ends) -> Option<u64> {
        let pointed = self.by_ends.get(&ends)?;
        (pointed.count == 1).then_some(pointed.sockets)
    }
}

fn point(by_ends: &mut HashMap<Ends, Pointed>, ends: Ends, socket: u64) {
    let pointed = by_ends.entry(ends).or_default();
    pointed.sockets ^= socket;
    pointed.count += 1;
}

fn unpoint(by_ends: &mut HashMap<Ends, Pointed>, ends: Ends, socket: u64) {
    if let Entry::Occupied(mut place) = by_ends.entry(ends) {
        let pointed = place.get_mut();
        pointed.sockets ^= socket;
        pointed.count -= 1;
        if pointed.count == 0 {
            place.remove();
        }
    }
}

/// What a change means of whose socket nothing else is known.
fn lost(change: &Change) -> Meaning {
    let turn = match change.to {
        _ if Turn::is_kept(change) => Turn::IsKept,
        State::Closed => Turn::Ends(End {
            lasted_us: None,
            unseen: false,
            brief: false,
            fate: fate(change, None),
        }),
        _ => Turn::GoesOn,
    };
    Meaning {
        stayed_us: None,
        turn,
        caller: change.caller.clone(),
        accepted: false,
        place: Place::Here,
    }
}

/// How a connection ended with this change, having been so long in the state it
/// left.
fn fate(end: &Change, stayed_us: Option<u64>) -> Fate {
    match end.from {
        State::Listen => Fate::ListenerClosed,
        State::SynSent => match stayed_us {
            Some(stayed) if stayed >= PATIENCE_US => Fate::Unanswered,
            Some(_) if end.interrupt => Fate::Refused,
            Some(stayed) if stayed < WITHIN_CALL_US => {
                let here = end.remote.is_loopback() || end.remote.address() == end.local.address();
                if here { Fate::Refused } else { Fate::Unknown }
            }
            Some(_) => Fate::GivenUp,
            None => Fate::Unknown,
        },
        State::LastAck => Fate::ClosedThere,
        // Whoever closed first, it did not come to its end.
        State::SynReceived | State::Established | State::CloseWait | State::FinWait1 => {
            Fate::BrokenOff
        }
        _ => Fate::Unknown,
    }
}
