//! First contacts of clients with destinations, and their outcomes: the memory
//! that all rules share.
//!
//! Only first contacts count, the pair of a client and a destination, not every
//! connection: a program that connects to one server a thousand times makes one
//! contact, a worm makes a thousand.

use super::contact::{Contact, ContactOutcome, PendingSyn, TrwSteps};
use super::event_attempts;
use super::owner_key::{Client, OwnerKey};
use super::profile::{AttemptRate, Profile, ProfileContext};
use super::table_context::TableContext;
use super::thresholds::Thresholds;
use super::throttle::Throttle;
use super::trw::ThresholdRandomWalk;
use super::untracked_attempts::{AttemptCounts, UntrackedAttempts};
use crate::model::endpoint::Endpoint;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::time::Timestamp;
use foldhash::HashMap;
use std::collections::BTreeMap;
use std::time::Duration;

/// All contacts of all clients within the window.
#[derive(Default)]
pub(super) struct Contacts {
    clients: BTreeMap<OwnerKey, ClientContacts>,
    untracked: UntrackedAttempts,
    /// Time at which anything outside this machine last answered, or connected.
    last_answer: Option<Timestamp>,
    /// Number of the table.
    table_number: u32,
}

/// The contacts of one client.
struct ClientContacts {
    client: Client,
    contacts: HashMap<Endpoint, Contact>,
    trw: ThresholdRandomWalk,
    steps: TrwSteps,
    throttle: Throttle,
    /// Its sockets in `SYN_SENT`; valid for `table_number` only.
    waiting: u32,
    table_number: u32,
    /// Time of its last event.
    last_event: Option<Timestamp>,
}

/// Time for which a process that no table shows counts as running after its
/// last event: until its last failure counts, and somewhat longer.
const EVENT_LIFETIME: Duration = Duration::from_secs(10);

impl Contacts {
    /// Processes a table.
    pub(super) fn observe(&mut self, context: &TableContext<'_>, limits: &Thresholds) {
        self.table_number = self.table_number.wrapping_add(1);
        let mut attempts = AttemptCounts {
            opens: context.kernel.counters.active_opens,
            ..AttemptCounts::default()
        };
        for row in context.changed_tcp_rows() {
            match row.socket.state {
                State::SynSent => self.record_attempt(context, row, limits, &mut attempts),
                state if is_connected(state) => self.record_answer(context, row, &mut attempts),
                _ => {}
            }
        }
        self.record_events(context);
        if context.attempts.is_complete() {
            // All attempts were reported.
            (attempts.seen, attempts.ownerless) = (u64::MAX, 0);
        }
        self.untracked.record(context.now, attempts, limits.window);
        self.confirm_failures(context.now, limits);
        self.expire(context.now, limits);
    }

    fn record_attempt(
        &mut self,
        context: &TableContext<'_>,
        row: &Row,
        limits: &Thresholds,
        attempts: &mut AttemptCounts,
    ) {
        let Some(client) = context.client(row) else {
            return;
        };
        let is_new = row.first_seen == context.now;
        attempts.seen += u64::from(is_new && context.kernel.covers(row));
        if is_new && client.process().is_none() {
            // A known process may have closed it just before its descriptors
            // were read.
            return;
        }
        let wait = PendingSyn::of(row, context.now, limits);
        let round = self.table_number;
        let record = self.client_mut(client);
        record.waiting = if record.table_number == round {
            record.waiting + 1
        } else {
            1
        };
        record.table_number = round;
        let contact = record.contact(row.socket.remote, context.now);
        let steps = contact.record_pending(wait, context.now, round, limits);
        record.steps += steps;
    }

    fn record_answer(
        &mut self,
        context: &TableContext<'_>,
        row: &Row,
        attempts: &mut AttemptCounts,
    ) {
        let opened = matches!(
            row.phase,
            Phase::New
                | Phase::Changed {
                    from: State::SynSent | State::SynReceived
                }
        );
        if opened && !row.socket.remote.is_loopback() {
            self.last_answer = Some(context.now);
        }
        if !context.is_outbound(row) {
            return;
        }
        let is_new = row.first_seen == context.now && context.kernel.covers(row);
        let Some(client) = context.client(row) else {
            attempts.ownerless += u64::from(is_new);
            return;
        };
        attempts.seen += u64::from(is_new);
        let record = self.client_mut(client);
        let steps = record
            .contact(row.socket.remote, context.now)
            .record_answer(context.now);
        record.steps += steps;
    }

    /// Records the reported outcomes of attempts since the last table.
    fn record_events(&mut self, context: &TableContext<'_>) {
        for (process, destination, told) in event_attempts::contacts(context) {
            // A process from a table is more complete.
            let record = self.client_entry(&Client::Process(process));
            record.last_event = Some(context.now);
            let steps = record
                .contact(destination, context.now)
                .record_event_outcomes(told, context.now);
            record.steps += steps;
        }
    }

    fn client_mut(&mut self, client: Client) -> &mut ClientContacts {
        let record = self.client_entry(&client);
        record.client = client;
        record
    }

    fn client_entry(&mut self, client: &Client) -> &mut ClientContacts {
        self.clients
            .entry(client.owner_key())
            .or_insert_with(|| ClientContacts::new(client.clone()))
    }

    fn confirm_failures(&mut self, now: Timestamp, limits: &Thresholds) {
        for record in self.clients.values_mut() {
            for contact in record.contacts.values_mut() {
                record.steps += contact.confirm_failure(now, limits);
            }
            record.trw.apply(std::mem::take(&mut record.steps), limits);
        }
    }

    /// Forgets contacts outside the window and, beyond the limits, the oldest.
    fn expire(&mut self, now: Timestamp, limits: &Thresholds) {
        for record in self.clients.values_mut() {
            record
                .contacts
                .retain(|_, contact| contact.last_seen.age(now) <= limits.window);
            record.truncate_oldest(limits.contacts_each);
        }
        self.clients.retain(|_, record| !record.contacts.is_empty());
        while self.total() > limits.contacts_all {
            let largest = self
                .clients
                .values_mut()
                .max_by_key(|record| record.contacts.len());
            if let Some(record) = largest {
                record.truncate_oldest(record.contacts.len() / 2);
            }
        }
    }

    /// Number of contacts remembered.
    pub(super) fn total(&self) -> usize {
        self.clients
            .values()
            .map(|record| record.contacts.len())
            .sum()
    }

    /// Returns the profile of each client, processes by pid first.
    pub(super) fn profiles(
        &mut self,
        context: &TableContext<'_>,
        limits: &Thresholds,
    ) -> Vec<Profile> {
        let measure = ProfileContext {
            now: context.now,
            table_number: self.table_number,
            last_answer: self.last_answer,
            limits,
        };
        let mut profiles: Vec<Profile> = self
            .clients
            .values_mut()
            .map(|record| record.profile(measure))
            .collect();
        let reached: usize = profiles.iter().map(|profile| profile.reached.len()).sum();
        for profile in &mut profiles {
            let process = profile.client.process();
            profile.alive |= process.is_none_or(|process| context.interner.is_listed(process));
            profile.untracked = self.untracked.share(profile.reached.len(), reached);
        }
        profiles
    }

    /// Forgives all failures: the network caused them.
    pub(super) fn forgive(&mut self, now: Timestamp) {
        for record in self.clients.values_mut() {
            record.trw = ThresholdRandomWalk::default();
            for contact in record.contacts.values_mut() {
                contact.forgive(now);
            }
        }
    }
}

impl ClientContacts {
    fn new(client: Client) -> Self {
        Self {
            client,
            contacts: HashMap::default(),
            trw: ThresholdRandomWalk::default(),
            steps: TrwSteps::default(),
            throttle: Throttle::default(),
            waiting: 0,
            table_number: 0,
            last_event: None,
        }
    }

    fn contact(&mut self, destination: Endpoint, now: Timestamp) -> &mut Contact {
        let throttle = &mut self.throttle;
        self.contacts.entry(destination).or_insert_with(|| {
            throttle.add_contact(destination.port, now);
            Contact::new(now)
        })
    }

    /// Drops the oldest contacts beyond the maximum.
    fn truncate_oldest(&mut self, most: usize) {
        let surplus = self.contacts.len().saturating_sub(most);
        if surplus == 0 {
            return;
        }
        let mut by_age: Vec<(Timestamp, Endpoint)> = self
            .contacts
            .iter()
            .map(|(destination, contact)| (contact.last_seen, *destination))
            .collect();
        by_age.sort_unstable();
        for (_, destination) in &by_age[..surplus] {
            self.contacts.remove(destination);
        }
    }

    fn profile(&mut self, measure: ProfileContext<'_>) -> Profile {
        let is_current = self.table_number == measure.table_number;
        // A client without any answer may cancel too early; one with some
        // answers has mostly cancelled other attempts in favour of them (RFC
        // 8305).
        let is = |outcome: ContactOutcome| move |contact: &&Contact| contact.outcome == outcome;
        let mut contacts = self.contacts.values();
        let impatient = !contacts.any(|contact| is(ContactOutcome::Reached)(&contact));
        let abandoned = self.contacts.values().filter(is(ContactOutcome::Abandoned));
        let walk = if impatient {
            self.trw.after_failures(abandoned.count(), measure.limits)
        } else {
            self.trw
        };
        let pace = AttemptRate {
            trw_ratio: walk.ratio(),
            throttle_queue: self.throttle.longest_queue(measure.now),
            syn_sent: if is_current { self.waiting } else { 0 },
        };
        let mut profile = Profile::new(self.client.clone(), pace);
        profile.gave_up_early = impatient;
        profile.alive = self
            .last_event
            .is_some_and(|heard| heard.age(measure.now) <= EVENT_LIFETIME);
        for (destination, contact) in &self.contacts {
            profile.add(*destination, contact, measure);
        }
        profile.sort();
        profile
    }
}

/// True if a socket in this state has had an answer from its peer.
fn is_connected(state: State) -> bool {
    matches!(
        state,
        State::Established
            | State::FinWait1
            | State::FinWait2
            | State::Closing
            | State::TimeWait
            | State::CloseWait
            | State::LastAck
    )
}

impl<'a> TableContext<'a> {
    /// Returns the TCP rows that changed.
    pub(super) fn changed_tcp_rows(&self) -> impl Iterator<Item = &'a Row> {
        let rows = self.rows;
        self.changed
            .iter()
            .filter_map(move |number| rows.get(*number as usize))
            .filter(|row| row.socket.protocol == Protocol::Tcp && row.phase != Phase::Closed)
    }

    /// True if a connection was opened from here while watching.
    ///
    /// Certain if it was seen in `SYN_SENT`. Otherwise no listener may accept
    /// connections to its local address.
    fn is_outbound(&self, row: &Row) -> bool {
        let from = State::SynSent;
        if row.phase == (Phase::Changed { from }) {
            return true;
        }
        row.first_seen > self.first_table && !self.listeners.any_match(self.rows, &row.socket)
    }
}

#[cfg(test)]
mod tests {
    use super::super::profile::fixture::v4;
    use super::*;
    use crate::model::process::Process;
    use std::sync::Arc;

    /// Contacts of a number of processes, each with a number of destinations,
    /// one seen per hundredth of a second.
    fn contacts(processes: u32, each: u32) -> Contacts {
        let mut contacts = Contacts::default();
        for pid in 0..processes {
            let process = Arc::new(Process {
                pid,
                ..Process::default()
            });
            let record = contacts.client_mut(Client::Process(process));
            for host in 0..each {
                record.contact(v4(host, 80), Timestamp(host));
            }
        }
        contacts
    }

    #[test]
    fn memory_is_bounded_for_each_process_and_in_all() {
        let limits = Thresholds {
            contacts_each: 100,
            contacts_all: 450,
            ..Thresholds::default()
        };
        let mut contacts = contacts(10, 300);
        contacts.expire(Timestamp(300), &limits);
        assert!(contacts.total() <= 450);
        assert!(
            contacts
                .clients
                .values()
                .all(|record| record.contacts.len() <= 100)
        );
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut contacts = contacts(1, 300);
        let record = contacts.clients.values_mut().next().unwrap();
        record.truncate_oldest(10);
        let mut left: Vec<Endpoint> = record.contacts.keys().copied().collect();
        left.sort_unstable();
        assert_eq!(
            left,
            (290..300).map(|host| v4(host, 80)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_process_without_contacts_is_forgotten() {
        let mut contacts = contacts(1, 300);
        let limits = Thresholds::default();
        contacts.expire(Timestamp(30_200), &limits);
        assert_eq!(contacts.total(), 100);
        contacts.expire(Timestamp(60_000), &limits);
        assert!(contacts.clients.is_empty());
    }
}
