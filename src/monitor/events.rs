//! Connection events between tables: joins kernel events to connections,
//! connections to rows, and keeps a log of the latest events.

pub(super) mod attempts;
mod connection;
mod connection_tracker;
mod event_log;
mod netns_filter;
mod pending_event;
mod state_log;
#[cfg(test)]
mod tests;

use super::ledger::TableUpdate;
use crate::model::event::{EventSource, Events, StateChange};
use crate::model::event_history::{EventHistory, Timeline};
use crate::model::observation::Observation;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::socket::SocketKey;
use crate::model::state::State;
use crate::model::time::Timestamp;
use attempts::ConnectAttempts;
use connection::AddressPair;
use connection_tracker::{ChangeEffect, ClassifiedChange, ConnectionTracker};
use event_log::{EventLog, MAX_EVENTS};
use foldhash::HashSet;
use netns_filter::{NetnsFilter, NetnsMatch};
use pending_event::{Confidence, PendingEvent, RecentChanges, destroyed_events, find_owners};
use state_log::StateLog;
use std::sync::Arc;

/// Maximum number of followed sockets.
pub(super) const MAX_FOLLOWED: usize = 256;

/// Tracks connection events and writes the history for observations.
#[derive(Default)]
pub(super) struct EventTracker {
    source: EventSource,
    received: u64,
    lost: u64,
    short_lived: u64,
    unplaced: u64,
    cost_permille: Option<u16>,
    connections: ConnectionTracker,
    state_log: StateLog,
    log: EventLog,
    followed: Vec<SocketKey>,
    /// True if the followed sockets differ from those of the last history.
    timelines_stale: bool,
    /// True if the last history lacks events.
    has_new_events: bool,
    /// Connection attempts since the last table.
    attempts: ConnectAttempts,
    /// Ports of listeners opened since the last table.
    new_listener_ports: HashSet<u16>,
    /// The only network namespace watched; none if all are.
    only_namespace: Option<u32>,
}

impl EventTracker {
    /// Sets the sockets whose timelines are included in observations.
    pub(super) fn follow(&mut self, sockets: impl Iterator<Item = SocketKey>) {
        let mut followed: Vec<SocketKey> = sockets.take(MAX_FOLLOWED).collect();
        followed.sort_unstable();
        followed.dedup();
        self.timelines_stale |= self.followed != followed;
        self.followed = followed;
    }

    /// True if the history should be written again before the next table.
    pub(super) fn has_stale_timelines(&self) -> bool {
        self.timelines_stale
    }

    /// True if the last history lacks events.
    pub(super) fn has_new_events(&self) -> bool {
        self.has_new_events
    }

    /// Resets the state since the last table. Of later changes, those of
    /// network namespaces other than `only_namespace` are skipped.
    pub(super) fn end_table(&mut self, only: Option<u32>) {
        self.attempts = ConnectAttempts::default();
        self.new_listener_ports.clear();
        self.only_namespace = only;
    }

    /// Outcomes of connection attempts since the last table.
    pub(super) fn attempts(&self) -> &ConnectAttempts {
        &self.attempts
    }

    /// Processes events; `latest` gives the owners.
    pub(super) fn fold_events(&mut self, events: Events, latest: Option<&Observation>) {
        let Events {
            source: feed,
            changes,
            destroyed: endings,
            lost,
            cost_permille,
        } = events;
        self.has_new_events |= !changes.is_empty() || !endings.is_empty() || lost > 0;
        self.source = feed;
        self.cost_permille = cost_permille;
        self.lost += lost;
        self.attempts.set_source(feed, lost);
        let opened = std::mem::take(&mut self.new_listener_ports);
        let mut namespaces = NetnsFilter::new(self.only_namespace, latest, opened);
        let mut latest_ones = RecentChanges::default();
        for (number, change) in changes.iter().enumerate() {
            if change.from == change.to {
                continue;
            }
            let change_class = self.connections.classify(change, &mut namespaces);
            if change_class.netns == NetnsMatch::Foreign {
                continue;
            }
            self.count(change, &change_class);
            // LISTEN to SYN_RECV is skipped: the change that follows at once
            // reports the accepted connection.
            let accepted = (change.from, change.to) == (State::Listen, State::SynReceived);
            if !accepted {
                latest_ones.push(number, change_class);
            }
        }
        let mut lines = latest_ones.into_pending_events(&changes, self.only_namespace);
        self.new_listener_ports = namespaces.into_new_listener_ports();
        self.connections.index_pending();
        if let Some(latest) = latest {
            find_owners(&mut lines, latest);
        }
        if feed == EventSource::StateChanges {
            lines.retain(|drafted| drafted.confidence != Confidence::Unconfirmed);
            let confirmed = |drafted: &&PendingEvent| drafted.confidence == Confidence::Confirmed;
            self.received += lines.iter().filter(confirmed).count() as u64;
            self.log
                .extend(lines.into_iter().map(|drafted| drafted.event));
            self.log.attach_byte_counts(&endings);
        } else {
            let last = endings.len().saturating_sub(MAX_EVENTS);
            self.log
                .extend(destroyed_events(&endings[last..], latest).into_iter());
        }
    }

    fn count(&mut self, change: &StateChange, change_class: &ClassifiedChange) {
        let end = match change_class.effect {
            ChangeEffect::Closed(end) => Some(end),
            ChangeEffect::Continues | ChangeEffect::Retained => None,
        };
        let is_here = change_class.netns == NetnsMatch::Watched;
        self.received += u64::from(is_here);
        self.unplaced += u64::from(change_class.netns == NetnsMatch::Unknown);
        self.short_lived += u64::from(is_here && end.is_some_and(|end| end.short_lived));
        if change.from == State::SynSent
            && let Some(caller) = &change_class.caller
        {
            self.attempts
                .record(change, caller, end.map(|end| end.reason));
        }
    }

    /// Processes a table.
    pub(super) fn fold_table(&mut self, update: &TableUpdate, now: Timestamp, began: Timestamp) {
        self.connections.begin_table();
        for row in changed_rows(update) {
            self.state_log.record(row, now, began);
            if self.source == EventSource::StateChanges && row.socket.protocol == Protocol::Tcp {
                let ends = AddressPair::of_socket(&row.socket);
                if !self.connections.mark_seen(ends) && row.phase == Phase::New {
                    self.connections.mark_row_before_event(ends);
                }
            }
        }
        self.state_log.retain_rows(&update.rows);
        self.log
            .resolve_minisockets(changed_rows(update), &update.rows, now);
    }

    /// Returns the history as it is now; `find` returns the row of a key.
    pub(super) fn history<'r>(
        &mut self,
        find: impl Fn(&SocketKey) -> Option<&'r Row>,
        began: Timestamp,
    ) -> Arc<EventHistory> {
        let timelines = self.followed.iter().filter_map(|key| {
            let timeline = self.timeline(find(key)?, began);
            Some((*key, timeline))
        });
        let chronicle = EventHistory {
            source: self.source,
            received: self.received,
            lost: self.lost,
            short_lived: self.short_lived,
            unplaced: self.unplaced,
            cost_permille: self.cost_permille,
            events: self.log.events(),
            timelines: timelines.collect(),
        };
        self.timelines_stale = false;
        self.has_new_events = false;
        Arc::new(chronicle)
    }

    fn timeline(&self, row: &Row, began: Timestamp) -> Timeline {
        let seen = self.state_log.steps(row, began);
        let state = row.socket.state;
        let gone = row.phase == Phase::Closed;
        let Some(life) = self
            .connections
            .find(AddressPair::of_socket(&row.socket), state, gone)
        else {
            return Timeline { steps: seen };
        };
        let mut timeline = life.timeline(|before| {
            let mut seen = seen.iter();
            seen.find(|step| step.state == before).copied()
        });
        // The table was read later than the last change.
        let last = timeline.steps.last().map(|last| last.state);
        if last != Some(state) && !(gone && last == Some(State::Closed)) {
            timeline.steps.push(state_log::current_step(row));
        }
        timeline
    }
}

fn changed_rows(update: &TableUpdate) -> impl Iterator<Item = &Row> {
    let numbers = update.changed.iter();
    numbers.filter_map(|number| update.rows.get(*number as usize))
}
