//! Joins state changes to connections: start, states and end of each.
//!
//! The kernel names a socket by its address in memory, which it reuses when the
//! socket is gone, and some changes may be lost. So a change continues a
//! connection only if it leaves the very state that connection was in.

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

/// Maximum number of tracked connections; changes of further ones are reported
/// but not joined. A connection takes about 200 bytes.
const MOST: usize = 1_000_000;
/// Maximum number of closed connections remembered for rows that stay in
/// `TIME_WAIT`.
const DEPARTED: usize = 32_768;
/// A SYN is retransmitted after a second (RFC 6298): an attempt that failed
/// earlier was refused or cancelled.
const PATIENCE_US: u64 = 1_000_000;
/// Longest time of a refusal without an interrupt. This machine, and a
/// namespace next to it, refuse within the call, outside of any interrupt. A
/// program that does not wait cancels as soon.
const WITHIN_CALL_US: u64 = 1_000;

/// Number of latest connections searched for the other end of one.
const LATELY: usize = 64;

/// Classification of a state change.
#[derive(Clone, Debug, Default)]
pub(super) struct Meaning {
    pub(super) stayed_us: Option<u64>,
    pub(super) turn: Turn,
    pub(super) caller: Option<Arc<Caller>>,
    /// True if a listener here accepted the connection.
    pub(super) accepted: bool,
    pub(super) place: Place,
}

/// Effect of a change on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// Another state.
    #[default]
    GoesOn,
    /// The kernel replaces the full socket by a minisocket, which tables show
    /// for a minute (`tcp_time_wait`).
    IsKept,
    /// The end.
    Ends(End),
}

impl Turn {
    /// True if the kernel keeps a minisocket of the socket that ends with this
    /// change.
    fn is_kept(change: &Change) -> bool {
        change.to == State::Closed && matches!(change.from, State::FinWait2 | State::Closing)
    }
}

/// End of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) lasted_us: Option<u64>,
    pub(super) unseen: bool,
    /// True if the connection began and ended without any table showing it.
    pub(super) brief: bool,
    pub(super) fate: Fate,
}

/// Sockets with the same addresses: their kernel addresses joined by XOR, so
/// that the only one left is known when the others are gone.
#[derive(Clone, Copy, Default)]
struct Pointed {
    sockets: u64,
    count: u32,
}

/// Open connections, and the latest closed ones.
#[derive(Default)]
pub(super) struct Lives {
    by_socket: HashMap<u64, Life>,
    by_ends: HashMap<Ends, Pointed>,
    departed: HashMap<Ends, Life>,
    /// In the order in which they closed.
    order: VecDeque<Ends>,
    /// Connections that began, or got a port, and are not indexed yet: most end
    /// before they need to be.
    unpointed: Vec<u64>,
    /// Rows of the last table that appeared before their first event.
    ahead: HashSet<Ends>,
}

impl Lives {
    /// Processes a change.
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
                    // Another socket, or this one after lost changes.
                    let same = known == ends && !is_birth(change.from, change.to);
                    let shown = same && life.shown;
                    let pointed = life.pointed.take();
                    let place = if same {
                        life.place
                    } else {
                        whereabouts.beside(other_end, change)
                    };
                    *life = Life::begin(change, shown, place);
                    life.pointed = pointed;
                    self.unpointed.push(change.socket);
                }
            }
            Entry::Vacant(_) if full => {
                return Meaning {
                    place: whereabouts.beside(other_end, change),
                    ..lost(change)
                };
            }
            Entry::Vacant(place) => {
                let shown = !self.ahead.is_empty() && self.ahead.contains(&ends)
                    // Anything that was there before watching began.
                    || !is_birth(change.from, change.to);
                let where_it_is = whereabouts.beside(other_end, change);
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

    /// Namespace of a connection accepted from this very machine: that of the
    /// connecting end, whose changes came just before. Listeners of several
    /// namespaces may have the same port.
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

    /// Remembers the states of a row that stays in `TIME_WAIT`, or on screen as
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

    /// Indexes the open connections after a batch of changes.
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
        // Memory of a burst is released.
        self.unpointed.shrink_to(4096);
    }

    /// Marks a connection as shown by a table. Returns true if it is tracked.
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

    /// Begins a table: the events of rows that came first have arrived.
    pub(super) fn begin_table(&mut self) {
        self.ahead.clear();
    }

    /// Marks a row that appeared before its first event.
    pub(super) fn note_ahead(&mut self, ends: Ends) {
        self.ahead.insert(ends);
    }

    /// Returns the connection of a row in this state; `gone` if it is closed.
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
        // An attempt is reported before it has a port.
        let without_port = || {
            let waits = state == State::SynSent;
            waits.then(|| self.pointed(ends.without_port())).flatten()
        };
        let socket = self.pointed(ends).or_else(without_port)?;
        self.by_socket.get(&socket)
    }

    /// The only socket with these addresses.
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

/// Classification of a change of an untracked socket.
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

/// Reason why a connection ended with this change, after this time in the state
/// it left.
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
        // Whoever closed first, the close did not complete.
        State::SynReceived | State::Established | State::CloseWait | State::FinWait1 => {
            Fate::BrokenOff
        }
        _ => Fate::Unknown,
    }
}
