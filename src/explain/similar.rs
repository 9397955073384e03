//! Other sockets that the diagnosis of one socket depends on: similar ones, the
//! other end of a connection within this machine, and half-open connections.

use crate::model::endpoint::Endpoint;
use crate::model::observation::Observation;
use crate::model::owner::ProcessId;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use foldhash::HashMap;
use std::cell::OnceCell;

/// Key of similar sockets: in the same network namespace and state and of the
/// same process, or without a process of the same local port (`TIME_WAIT`:
/// any). Listeners are similar if the kernel may give a client to either: with
/// the same address and interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SimilarityKey {
    protocol: Protocol,
    namespace: u32,
    by: SimilarityBasis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum SimilarityBasis {
    Namespace,
    Listens(Endpoint, u32),
    Process(ProcessId),
    Port(u16),
}

impl SimilarityKey {
    fn of(row: &Row, observation: &Observation) -> Self {
        let socket = &row.socket;
        let owner = row.owners.resolve(&observation.holders).first();
        Self {
            protocol: socket.protocol,
            namespace: socket.namespace,
            by: match (socket.state, owner) {
                (State::TimeWait, _) => SimilarityBasis::Namespace,
                (State::Listen, _) => SimilarityBasis::Listens(socket.local, socket.interface),
                (_, Some(holder)) => SimilarityBasis::Process(holder.process),
                (_, None) => SimilarityBasis::Port(socket.local.port),
            },
        }
    }
}

/// Number of sockets similar to one, without itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct SimilarCount {
    /// All of them.
    pub(super) all: u32,
    /// Those with the same peer.
    pub(super) same_remote: u32,
}

/// Facts about one socket from other sockets.
#[derive(Clone, Copy, Default)]
pub(super) struct Relations<'o> {
    /// Number of similar sockets.
    pub(super) similar: SimilarCount,
    /// The other end of a connection within this machine.
    pub(super) other_end: Option<&'o Row>,
    /// Number of half-open connections of a listener.
    pub(super) half_open: u32,
}

impl<'o> Relations<'o> {
    /// Returns those of one row; walks the table.
    pub(super) fn of(row: &Row, observation: &'o Observation) -> Self {
        Self {
            similar: count_similar(row, observation),
            other_end: observation.other_end(row),
            half_open: count_half_open(row, observation),
        }
    }
}

/// Number of half-open connections of this listener; 0 for any other row.
fn count_half_open(row: &Row, observation: &Observation) -> u32 {
    if row.socket.state != State::Listen || observation.state_counts.tcp(State::SynReceived) == 0 {
        // A large table is not walked without need.
        return 0;
    }
    let half_open = present(observation, State::SynReceived);
    let taken = half_open.filter(|other| row.socket.accepts_connection(&other.socket));
    u32::try_from(taken.count()).unwrap_or(u32::MAX)
}

/// Counts for one row, with one pass over the table.
fn count_similar(row: &Row, observation: &Observation) -> SimilarCount {
    let group = SimilarityKey::of(row, observation);
    let mut alike = SimilarCount::default();
    for other in present(observation, row.socket.state) {
        if SimilarityKey::of(other, observation) == group {
            alike.all += 1;
            alike.same_remote += u32::from(other.socket.remote == row.socket.remote);
        }
    }
    excluding_self(alike, row)
}

/// Counts for many rows: one pass over the table for each bulk state needed, and
/// one for all other states.
pub(super) struct SimilarIndex<'o> {
    observation: &'o Observation,
    bulk: [OnceCell<GroupCounts>; BULK.len()],
    others: OnceCell<[GroupCounts; State::ALL.len()]>,
    half_open: OnceCell<HashMap<(u32, Endpoint, u32), HalfOpenCount<'o>>>,
    by_addresses: OnceCell<HashMap<(u32, Endpoint, Endpoint), &'o Row>>,
}

/// States of most rows of a large table.
const BULK: [State; 2] = [State::Established, State::TimeWait];

/// Half-open connections to one local end.
struct HalfOpenCount<'o> {
    first: &'o Row,
    count: u32,
}

#[derive(Default)]
struct GroupCounts {
    all: HashMap<SimilarityKey, u32>,
    same_remote: HashMap<(SimilarityKey, Endpoint), u32>,
}

impl<'o> SimilarIndex<'o> {
    pub(super) fn new(observation: &'o Observation) -> Self {
        Self {
            observation,
            bulk: [const { OnceCell::new() }; BULK.len()],
            others: OnceCell::new(),
            half_open: OnceCell::new(),
            by_addresses: OnceCell::new(),
        }
    }

    /// Returns the facts from other sockets that the urgency of a row depends
    /// on.
    pub(super) fn of(&self, row: &Row) -> Relations<'o> {
        Relations {
            similar: self.similar(row),
            other_end: self.other_end(row),
            half_open: self.half_open(row),
        }
    }

    fn half_open(&self, row: &Row) -> u32 {
        let observation = self.observation;
        if row.socket.state != State::Listen
            || observation.state_counts.tcp(State::SynReceived) == 0
        {
            return 0;
        }
        let known = self.half_open.get_or_init(|| {
            let mut known: HashMap<_, HalfOpenCount<'o>> = HashMap::default();
            for first in present(observation, State::SynReceived) {
                let socket = &first.socket;
                let end = (socket.namespace, socket.local, socket.interface);
                known
                    .entry(end)
                    .or_insert(HalfOpenCount { first, count: 0 })
                    .count += 1;
            }
            known
        });
        let taken = known
            .values()
            .filter(|ends| row.socket.accepts_connection(&ends.first.socket));
        taken.fold(0, |all, ends| all.saturating_add(ends.count))
    }

    /// Returns the other end of a row; it matters only where data waits in both
    /// directions.
    fn other_end(&self, row: &Row) -> Option<&'o Row> {
        let socket = &row.socket;
        if socket.recv_queue == 0 || socket.send_queue == 0 || socket.local == socket.remote {
            return None;
        }
        let ends = self.by_addresses.get_or_init(|| {
            let rows = self.observation.rows.iter();
            let mut known = HashMap::default();
            for other in rows.filter(|other| other.phase != Phase::Closed) {
                let found = &other.socket;
                if found.protocol == Protocol::Tcp && found.peer().is_some() {
                    let ends = (found.namespace, found.local, found.remote);
                    known.entry(ends).or_insert(other);
                }
            }
            known
        });
        let swapped = (socket.namespace, socket.remote, socket.local);
        let found = ends.get(&swapped).copied();
        found.filter(|_| socket.protocol == Protocol::Tcp)
    }

    fn similar(&self, row: &Row) -> SimilarCount {
        let state = row.socket.state;
        let bulk = BULK.iter().position(|known| *known == state);
        let counts = match bulk.and_then(|place| self.bulk.get(place)) {
            Some(cell) => Some(cell.get_or_init(|| GroupCounts::of(state, self.observation))),
            None => place(state).and_then(|place| {
                let others = || GroupCounts::of_others(self.observation);
                self.others.get_or_init(others).get(place)
            }),
        };
        let Some(counts) = counts else {
            // States unknown to this program are rare.
            return count_similar(row, self.observation);
        };
        let group = SimilarityKey::of(row, self.observation);
        let count = |number: Option<&u32>| number.copied().unwrap_or(0);
        let alike = SimilarCount {
            all: count(counts.all.get(&group)),
            same_remote: count(counts.same_remote.get(&(group, row.socket.remote))),
        };
        excluding_self(alike, row)
    }
}

impl GroupCounts {
    fn of(state: State, observation: &Observation) -> Self {
        let mut counts = Self::default();
        for row in present(observation, state) {
            counts.add(row, observation);
        }
        counts
    }

    /// Counts of each state but those of [`BULK`], by place in [`State::ALL`].
    fn of_others(observation: &Observation) -> [Self; State::ALL.len()] {
        let mut all = [(); State::ALL.len()].map(|()| Self::default());
        for row in observation.rows.iter() {
            let state = row.socket.state;
            if BULK.contains(&state) || row.phase == Phase::Closed {
                continue;
            }
            if let Some(counts) = place(state).and_then(|place| all.get_mut(place)) {
                counts.add(row, observation);
            }
        }
        all
    }

    fn add(&mut self, row: &Row, observation: &Observation) {
        let group = SimilarityKey::of(row, observation);
        *self.all.entry(group).or_default() += 1;
        let to_peer = self.same_remote.entry((group, row.socket.remote));
        *to_peer.or_default() += 1;
    }
}

/// Place of a state in [`State::ALL`]; none if it is unknown.
fn place(state: State) -> Option<usize> {
    State::ALL.iter().position(|known| *known == state)
}

fn present(observation: &Observation, state: State) -> impl Iterator<Item = &Row> {
    let rows = observation.rows.iter();
    rows.filter(move |row| row.socket.state == state && row.phase != Phase::Closed)
}

fn excluding_self(alike: SimilarCount, row: &Row) -> SimilarCount {
    let itself = u32::from(row.phase != Phase::Closed);
    SimilarCount {
        all: alike.all.saturating_sub(itself),
        same_remote: alike.same_remote.saturating_sub(itself),
    }
}
