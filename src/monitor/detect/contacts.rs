//! First contacts of clients with destinations, and their outcomes: the memory
//! that all rules share.
//!
//! Only first contacts count, the pair of a client and a destination, not every
//! connection: a program that connects to one server a thousand times makes one
//! contact, a worm makes a thousand.

use super::Scene;
use super::contact::{Contact, Outcome, Steps, Wait};
use super::hearsay;
use super::party::{Client, Party};
use super::profile::{Measure, Pace, Profile};
use super::thresholds::Thresholds;
use super::throttle::Throttle;
use super::unseen::{Attempts, Unseen};
use super::walk::Walk;
use crate::model::endpoint::Endpoint;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::time::Stamp;
use foldhash::HashMap;
use std::collections::BTreeMap;
use std::time::Duration;

/// All contacts of all clients within the window.
#[derive(Default)]
pub(super) struct Contacts {
    records: BTreeMap<Party, Record>,
    unseen: Unseen,
    /// Time at which anything outside this machine last answered, or connected.
    last_answer: Option<Stamp>,
    /// Number of the table.
    round: u32,
}

/// The contacts of one client.
struct Record {
    client: Client,
    contacts: HashMap<Endpoint, Contact>,
    walk: Walk,
    steps: Steps,
    throttle: Throttle,
    /// Its sockets in `SYN_SENT`; valid for `round` only.
    waiting: u32,
    round: u32,
    /// Time of its last event.
    heard: Option<Stamp>,
}

/// Time for which a process that no table shows counts as running after its
/// last event: until its last failure counts, and somewhat longer.
const HEARD_FOR: Duration = Duration::from_secs(10);

impl Contacts {
    /// Processes a table.
    pub(super) fn observe(&mut self, scene: &Scene<'_>, limits: &Thresholds) {
        self.round = self.round.wrapping_add(1);
        let mut attempts = Attempts {
            opens: scene.kernel.counters.active_opens,
            ..Attempts::default()
        };
        for row in scene.stirred() {
            match row.socket.state {
                State::SynSent => self.tries(scene, row, limits, &mut attempts),
                state if is_connected(state) => self.answers(scene, row, &mut attempts),
                _ => {}
            }
        }
        self.hear(scene);
        if scene.attempts.is_complete() {
            // All attempts were reported.
            (attempts.seen, attempts.orphaned) = (u64::MAX, 0);
        }
        self.unseen.note(scene.now, attempts, limits.window);
        self.settle(scene.now, limits);
        self.forget(scene.now, limits);
    }

    fn tries(
        &mut self,
        scene: &Scene<'_>,
        row: &Row,
        limits: &Thresholds,
        attempts: &mut Attempts,
    ) {
        let Some(client) = scene.client(row) else {
            return;
        };
        let is_new = row.first_seen == scene.now;
        attempts.seen += u64::from(is_new && scene.kernel.covers(row));
        if is_new && client.process().is_none() {
            // A known process may have closed it just before its descriptors
            // were read.
            return;
        }
        let wait = Wait::of(row, scene.now, limits);
        let round = self.round;
        let record = self.record(client);
        record.waiting = if record.round == round {
            record.waiting + 1
        } else {
            1
        };
        record.round = round;
        let contact = record.contact(row.socket.remote, scene.now);
        let steps = contact.waits(wait, scene.now, round, limits);
        record.steps += steps;
    }

    fn answers(&mut self, scene: &Scene<'_>, row: &Row, attempts: &mut Attempts) {
        let opened = matches!(
            row.phase,
            Phase::New
                | Phase::Changed {
                    from: State::SynSent | State::SynReceived
                }
        );
        if opened && !row.socket.remote.is_loopback() {
            self.last_answer = Some(scene.now);
        }
        if !scene.is_outbound(row) {
            return;
        }
        let is_new = row.first_seen == scene.now && scene.kernel.covers(row);
        let Some(client) = scene.client(row) else {
            attempts.orphaned += u64::from(is_new);
            return;
        };
        attempts.seen += u64::from(is_new);
        let record = self.record(client);
        let steps = record
            .contact(row.socket.remote, scene.now)
            .answers(scene.now);
        record.steps += steps;
    }

    /// Records the reported outcomes of attempts since the last table.
    fn hear(&mut self, scene: &Scene<'_>) {
        for (process, destination, told) in hearsay::contacts(scene) {
            // A process from a table is more complete.
            let record = self.known(&Client::Process(process));
            record.heard = Some(scene.now);
            let steps = record
                .contact(destination, scene.now)
                .hears(told, scene.now);
            record.steps += steps;
        }
    }

    fn record(&mut self, client: Client) -> &mut Record {
        let record = self.known(&client);
        record.client = client;
        record
    }

    fn known(&mut self, client: &Client) -> &mut Record {
        self.records
            .entry(client.party())
            .or_insert_with(|| Record::new(client.clone()))
    }

    fn settle(&mut self, now: Stamp, limits: &Thresholds) {
        for record in self.records.values_mut() {
            for contact in record.contacts.values_mut() {
                record.steps += contact.settle(now, limits);
            }
            record.walk.step(std::mem::take(&mut record.steps), limits);
        }
    }

    /// Forgets contacts outside the window and, beyond the limits, the oldest.
    fn forget(&mut self, now: Stamp, limits: &Thresholds) {
        for record in self.records.values_mut() {
            record
                .contacts
                .retain(|_, contact| contact.last_seen.age(now) <= limits.window);
            record.keep_latest(limits.contacts_each);
        }
        self.records.retain(|_, record| !record.contacts.is_empty());
        while self.total() > limits.contacts_all {
            let largest = self
                .records
                .values_mut()
                .max_by_key(|record| record.contacts.len());
            if let Some(record) = largest {
                record.keep_latest(record.contacts.len() / 2);
            }
        }
    }

    /// Number of contacts remembered.
    pub(super) fn total(&self) -> usize {
        self.records
            .values()
            .map(|record| record.contacts.len())
            .sum()
    }

    /// Returns the profile of each client, processes by pid first.
    pub(super) fn profiles(&mut self, scene: &Scene<'_>, limits: &Thresholds) -> Vec<Profile> {
        let measure = Measure {
            now: scene.now,
            round: self.round,
            last_answer: self.last_answer,
            limits,
        };
        let mut profiles: Vec<Profile> = self
            .records
            .values_mut()
            .map(|record| record.profile(measure))
            .collect();
        let reached: usize = profiles.iter().map(|profile| profile.reached.len()).sum();
        for profile in &mut profiles {
            let process = profile.client.process();
            profile.alive |= process.is_none_or(|process| scene.interner.is_enrolled(process));
            profile.unseen = self.unseen.share(profile.reached.len(), reached);
        }
        profiles
    }

    /// Forgives all failures: the network caused them.
    pub(super) fn excuse(&mut self, now: Stamp) {
        for record in self.records.values_mut() {
            record.walk = Walk::default();
            for contact in record.contacts.values_mut() {
                contact.excuse(now);
            }
        }
    }
}

impl Record {
    fn new(client: Client) -> Self {
        Self {
            client,
            contacts: HashMap::default(),
            walk: Walk::default(),
            steps: Steps::default(),
            throttle: Throttle::default(),
            waiting: 0,
            round: 0,
            heard: None,
        }
    }

    fn contact(&mut self, destination: Endpoint, now: Stamp) -> &mut Contact {
        let throttle = &mut self.throttle;
        self.contacts.entry(destination).or_insert_with(|| {
            throttle.join(destination.port, now);
            Contact::new(now)
        })
    }

    /// Drops the oldest contacts beyond the maximum.
    fn keep_latest(&mut self, most: usize) {
        let surplus = self.contacts.len().saturating_sub(most);
        if surplus == 0 {
            return;
        }
        let mut by_age: Vec<(Stamp, Endpoint)> = self
            .contacts
            .iter()
            .map(|(destination, contact)| (contact.last_seen, *destination))
            .collect();
        by_age.sort_unstable();
        for (_, destination) in &by_age[..surplus] {
            self.contacts.remove(destination);
        }
    }

    fn profile(&mut self, measure: Measure<'_>) -> Profile {
        let is_current = self.round == measure.round;
        // A client without any answer may cancel too early; one with some
        // answers has mostly cancelled other attempts in favour of them (RFC
        // 8305).
        let is = |outcome: Outcome| move |contact: &&Contact| contact.outcome == outcome;
        let mut contacts = self.contacts.values();
        let impatient = !contacts.any(|contact| is(Outcome::Reached)(&contact));
        let abandoned = self.contacts.values().filter(is(Outcome::Abandoned));
        let walk = if impatient {
            self.walk.after_failures(abandoned.count(), measure.limits)
        } else {
            self.walk
        };
        let pace = Pace {
            walk: walk.ratio(),
            queue: self.throttle.longest(measure.now),
            waiting: if is_current { self.waiting } else { 0 },
        };
        let mut profile = Profile::new(self.client.clone(), pace);
        profile.impatient = impatient;
        profile.alive = self
            .heard
            .is_some_and(|heard| heard.age(measure.now) <= HEARD_FOR);
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

impl<'a> Scene<'a> {
    /// Returns the TCP rows that changed.
    pub(super) fn stirred(&self) -> impl Iterator<Item = &'a Row> {
        let rows = self.rows;
        self.stirred
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
        row.first_seen > self.began && !self.listeners.take(self.rows, &row.socket)
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
            let record = contacts.record(Client::Process(process));
            for host in 0..each {
                record.contact(v4(host, 80), Stamp(host));
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
        contacts.forget(Stamp(300), &limits);
        assert!(contacts.total() <= 450);
        assert!(
            contacts
                .records
                .values()
                .all(|record| record.contacts.len() <= 100)
        );
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut contacts = contacts(1, 300);
        let record = contacts.records.values_mut().next().unwrap();
        record.keep_latest(10);
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
        contacts.forget(Stamp(30_200), &limits);
        assert_eq!(contacts.total(), 100);
        contacts.forget(Stamp(60_000), &limits);
        assert!(contacts.records.is_empty());
    }
}
