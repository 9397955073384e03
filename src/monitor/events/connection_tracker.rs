//! Joins state changes to connections: start, states and end of each.
//!
//! The kernel names a socket by its address in memory, which it reuses when the
//! socket is gone, and some changes may be lost. So a change continues a
//! connection only if it leaves the very state that connection was in.

use super::connection::{AddressPair, TrackedConnection, is_first_change};
use super::netns_filter::{NetnsFilter, NetnsMatch};
use crate::model::event::{EventProcess, StateChange};
use crate::model::event_history::CloseReason;
use crate::model::state::State;
use foldhash::{HashMap, HashSet};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Maximum number of tracked connections; changes of further ones are reported
/// but not joined. A connection takes about 200 bytes.
const MAX_CONNECTIONS: usize = 1_000_000;
/// Maximum number of closed connections remembered for rows that stay in
/// `TIME_WAIT`.
const MAX_RECENTLY_CLOSED: usize = 32_768;
/// A SYN is retransmitted after a second (RFC 6298): an attempt that failed
/// earlier was refused or cancelled.
const SYN_RTO_US: u64 = 1_000_000;
/// Longest time of a refusal without an interrupt. This machine, and a
/// namespace next to it, refuse within the call, outside of any interrupt. A
/// program that does not wait cancels as soon.
const WITHIN_CALL_US: u64 = 1_000;

/// Number of latest connections searched for the other end of one.
const OTHER_END_SEARCH: usize = 64;

/// Classification of a state change.
#[derive(Clone, Debug, Default)]
pub(super) struct ClassifiedChange {
    pub(super) time_in_state_us: Option<u64>,
    pub(super) effect: ChangeEffect,
    pub(super) caller: Option<Arc<EventProcess>>,
    /// True if a listener here accepted the connection.
    pub(super) accepted: bool,
    pub(super) netns: NetnsMatch,
}

/// Effect of a change on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ChangeEffect {
    /// Another state.
    #[default]
    Continues,
    /// The kernel replaces the full socket by a minisocket, which tables show
    /// for a minute (`tcp_time_wait`).
    Retained,
    /// The end.
    Closed(ConnectionEnd),
}

impl ChangeEffect {
    /// True if the kernel keeps a minisocket of the socket that ends with this
    /// change.
    fn is_retained(change: &StateChange) -> bool {
        change.to == State::Closed && matches!(change.from, State::FinWait2 | State::Closing)
    }
}

/// End of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionEnd {
    pub(super) lasted_us: Option<u64>,
    pub(super) unseen: bool,
    /// True if the connection began and ended without any table showing it.
    pub(super) short_lived: bool,
    pub(super) reason: CloseReason,
}

/// Sockets with the same addresses: their kernel addresses joined by XOR, so
/// that the only one left is known when the others are gone.
#[derive(Clone, Copy, Default)]
struct XorEntry {
    sockets: u64,
    count: u32,
}

/// Open connections, and the latest closed ones.
#[derive(Default)]
pub(super) struct ConnectionTracker {
    by_socket: HashMap<u64, TrackedConnection>,
    by_addresses: HashMap<AddressPair, XorEntry>,
    recently_closed: HashMap<AddressPair, TrackedConnection>,
    /// In the order in which they closed.
    closed_order: VecDeque<AddressPair>,
    /// Connections that began, or got a port, and are not indexed yet: most end
    /// before they need to be.
    unindexed: Vec<u64>,
    /// Rows of the last table that appeared before their first event.
    rows_before_event: HashSet<AddressPair>,
}

impl ConnectionTracker {
    /// Processes a change.
    pub(super) fn classify(
        &mut self,
        change: &StateChange,
        namespaces: &mut NetnsFilter<'_>,
    ) -> ClassifiedChange {
        let full = self.by_socket.len() >= MAX_CONNECTIONS;
        let ends = AddressPair {
            local: change.local,
            remote: change.remote,
        };
        let mut time_in_state_us = None;
        let other_end = self.netns_of_other_end(change);
        match self.by_socket.entry(change.socket) {
            Entry::Occupied(mut place) => {
                let life = place.get_mut();
                let (state, since) = life.current();
                let known = life.addresses;
                if state == change.from && !is_first_change(change.from, change.to) {
                    time_in_state_us = Some(change.at_us.saturating_sub(since));
                    life.push(change);
                    if known != ends {
                        life.addresses = ends;
                        life.seen_in_table |= !self.rows_before_event.is_empty()
                            && self.rows_before_event.contains(&ends);
                        self.unindexed.push(change.socket);
                    }
                } else {
                    // Another socket, or this one after lost changes.
                    let same = known == ends && !is_first_change(change.from, change.to);
                    let shown = same && life.seen_in_table;
                    let pointed = life.indexed_as.take();
                    let place = if same {
                        life.netns
                    } else {
                        namespaces.beside(other_end, change)
                    };
                    *life = TrackedConnection::new(change, shown, place);
                    life.indexed_as = pointed;
                    self.unindexed.push(change.socket);
                }
            }
            Entry::Vacant(_) if full => {
                return ClassifiedChange {
                    netns: namespaces.beside(other_end, change),
                    ..classify_untracked(change)
                };
            }
            Entry::Vacant(place) => {
                let shown = !self.rows_before_event.is_empty() && self.rows_before_event.contains(&ends)
                    // Anything that was there before watching began.
                    || !is_first_change(change.from, change.to);
                let where_it_is = namespaces.beside(other_end, change);
                place.insert(TrackedConnection::new(change, shown, where_it_is));
                self.unindexed.push(change.socket);
            }
        }
        if change.to == State::Closed {
            return self.close(change, time_in_state_us);
        }
        let life = self.by_socket.get(&change.socket);
        ClassifiedChange {
            time_in_state_us,
            effect: ChangeEffect::Continues,
            caller: life.and_then(|life| life.caller.clone()),
            accepted: life.is_some_and(TrackedConnection::was_accepted),
            netns: life.map_or(NetnsMatch::Watched, |life| life.netns),
        }
    }

    /// Namespace of a connection accepted from this very machine: that of the
    /// connecting end, whose changes came just before. Listeners of several
    /// namespaces may have the same port.
    fn netns_of_other_end(&self, change: &StateChange) -> Option<NetnsMatch> {
        let accepted = (change.from, change.to) == (State::Listen, State::SynReceived);
        let within =
            change.remote.is_loopback() || change.remote.address() == change.local.address();
        if !accepted || !within {
            return None;
        }
        let ends = AddressPair {
            local: change.remote,
            remote: change.local,
        };
        let lately = self.unindexed.iter().rev().take(OTHER_END_SEARCH);
        let mut lately = lately.filter_map(|socket| self.by_socket.get(socket));
        let life = lately.find(|life| life.addresses == ends).or_else(|| {
            let socket = self.socket_of(ends)?;
            self.by_socket.get(&socket)
        });
        life.map(|life| life.netns)
    }

    fn close(&mut self, change: &StateChange, time_in_state_us: Option<u64>) -> ClassifiedChange {
        let Some(life) = self.by_socket.remove(&change.socket) else {
            return classify_untracked(change);
        };
        if let Some(pointed) = life.indexed_as {
            unindex(&mut self.by_addresses, pointed, change.socket);
        }
        let kept = ChangeEffect::is_retained(change);
        let began = life.began();
        let end = ConnectionEnd {
            lasted_us: began.map(|began| change.at_us.saturating_sub(began)),
            unseen: !life.seen_in_table,
            short_lived: began.is_some() && !life.seen_in_table && !life.is_listener(),
            reason: close_reason(change, time_in_state_us),
        };
        let change_class = ClassifiedChange {
            time_in_state_us,
            effect: if kept {
                ChangeEffect::Retained
            } else {
                ChangeEffect::Closed(end)
            },
            caller: life.caller.clone(),
            accepted: life.was_accepted(),
            netns: life.netns,
        };
        if life.seen_in_table || kept {
            self.remember_closed(life);
        }
        change_class
    }

    /// Remembers the states of a row that stays in `TIME_WAIT`, or on screen as
    /// closed.
    fn remember_closed(&mut self, life: TrackedConnection) {
        self.closed_order.push_back(life.addresses);
        self.recently_closed.insert(life.addresses, life);
        while self.closed_order.len() > MAX_RECENTLY_CLOSED
            && let Some(first) = self.closed_order.pop_front()
        {
            self.recently_closed.remove(&first);
        }
    }

    /// Indexes the open connections after a batch of changes.
    pub(super) fn index_pending(&mut self) {
        for socket in self.unindexed.drain(..) {
            if let Some(life) = self.by_socket.get_mut(&socket)
                && life.indexed_as != Some(life.addresses)
            {
                if let Some(before) = life.indexed_as.replace(life.addresses) {
                    unindex(&mut self.by_addresses, before, socket);
                }
                index(&mut self.by_addresses, life.addresses, socket);
            }
        }
        // Memory of a burst is released.
        self.unindexed.shrink_to(4096);
    }

    /// Marks a connection as shown by a table. Returns true if it is tracked.
    pub(super) fn mark_seen(&mut self, ends: AddressPair) -> bool {
        let socket = self
            .socket_of(ends)
            .or_else(|| self.socket_of(ends.without_port()));
        let life = socket.and_then(|socket| self.by_socket.get_mut(&socket));
        let known = life.is_some();
        if let Some(life) = life {
            life.seen_in_table = true;
            life.netns = NetnsMatch::Watched;
        }
        known || self.recently_closed.contains_key(&ends)
    }

    /// Begins a table: the events of rows that came first have arrived.
    pub(super) fn begin_table(&mut self) {
        self.rows_before_event.clear();
    }

    /// Marks a row that appeared before its first event.
    pub(super) fn mark_row_before_event(&mut self, ends: AddressPair) {
        self.rows_before_event.insert(ends);
    }

    /// Returns the connection of a row in this state; `gone` if it is closed.
    pub(super) fn find(
        &self,
        ends: AddressPair,
        state: State,
        gone: bool,
    ) -> Option<Cow<'_, TrackedConnection>> {
        let departed = || self.recently_closed.get(&ends);
        match state {
            State::TimeWait => return departed().map(|life| Cow::Owned(life.as_minisocket())),
            _ if gone => return departed().map(Cow::Borrowed),
            _ => {}
        }
        let lingering = || {
            let lingers = state == State::FinWait2;
            lingers
                .then(departed)
                .flatten()
                .map(TrackedConnection::as_minisocket)
        };
        let living = self.find_open(ends, state).map(Cow::Borrowed);
        living.or_else(|| lingering().map(Cow::Owned))
    }

    fn find_open(&self, ends: AddressPair, state: State) -> Option<&TrackedConnection> {
        // An attempt is reported before it has a port.
        let without_port = || {
            let waits = state == State::SynSent;
            waits.then(|| self.socket_of(ends.without_port())).flatten()
        };
        let socket = self.socket_of(ends).or_else(without_port)?;
        self.by_socket.get(&socket)
    }

    /// The only socket with these addresses.
    fn socket_of(&self, ends: AddressPair) -> Option<u64> {
        let pointed = self.by_addresses.get(&ends)?;
        (pointed.count == 1).then_some(pointed.sockets)
    }
}

fn index(by_ends: &mut HashMap<AddressPair, XorEntry>, ends: AddressPair, socket: u64) {
    let pointed = by_ends.entry(ends).or_default();
    pointed.sockets ^= socket;
    pointed.count += 1;
}

fn unindex(by_ends: &mut HashMap<AddressPair, XorEntry>, ends: AddressPair, socket: u64) {
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
fn classify_untracked(change: &StateChange) -> ClassifiedChange {
    let turn = match change.to {
        _ if ChangeEffect::is_retained(change) => ChangeEffect::Retained,
        State::Closed => ChangeEffect::Closed(ConnectionEnd {
            lasted_us: None,
            unseen: false,
            short_lived: false,
            reason: close_reason(change, None),
        }),
        _ => ChangeEffect::Continues,
    };
    ClassifiedChange {
        time_in_state_us: None,
        effect: turn,
        caller: change.process.clone(),
        accepted: false,
        netns: NetnsMatch::Watched,
    }
}

/// Reason why a connection ended with this change, after this time in the state
/// it left.
fn close_reason(end: &StateChange, time_in_state_us: Option<u64>) -> CloseReason {
    match end.from {
        State::Listen => CloseReason::ListenerClosed,
        State::SynSent => match time_in_state_us {
            Some(stayed) if stayed >= SYN_RTO_US => CloseReason::TimedOut,
            Some(_) if end.in_interrupt => CloseReason::Refused,
            Some(stayed) if stayed < WITHIN_CALL_US => {
                let here = end.remote.is_loopback() || end.remote.address() == end.local.address();
                if here {
                    CloseReason::Refused
                } else {
                    CloseReason::Unknown
                }
            }
            Some(_) => CloseReason::ConnectCancelled,
            None => CloseReason::Unknown,
        },
        State::LastAck => CloseReason::PeerClosed,
        // Whoever closed first, the close did not complete.
        State::SynReceived | State::Established | State::CloseWait | State::FinWait1 => {
            CloseReason::Aborted
        }
        _ => CloseReason::Unknown,
    }
}
