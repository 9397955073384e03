//! Matches the sockets of each table with the rows of the last one: the one
//! place where identity becomes history.
//!
//! History is stored in the rows of the last observation; the ledger only maps
//! keys to rows, so nothing is kept twice. The kernel lists its sockets in
//! nearly the same order every time: the row that followed the last one found
//! is tried before the hash table.

mod missing;

use super::phase::{self, MarkTiming, SocketSample};
use super::slots::{SlotId, SlotMap};
use super::table_scope::TableScope;
use crate::model::observation::Observation;
use crate::model::owner::{Holder, OwnerSpan};
use crate::model::reading::SourceKind;
use crate::model::row::{LastOwner, Phase, Row};
use crate::model::socket::{Socket, SocketKey, SocketTuple};
use crate::model::state::State;
use crate::model::tcp_metrics::{MetricsId, TcpCounters, TcpMetrics};
use crate::model::time::Timestamp;
use foldhash::{HashMap, HashMapExt};
use missing::MissingState;
use std::time::Duration;

/// Index of the rows of the last table, and the reasons of those that were
/// missing from it.
pub(super) struct Ledger {
    /// Maximum number of missing sockets of a table that are looked up.
    lookup_budget: usize,
    slots: SlotMap,
    /// Parallel to the rows of the last table.
    slot_of: Vec<SlotId>,
    /// Number of rows of the last table that were in it. Those behind are
    /// missing.
    present: usize,
    /// Parallel to the rows behind `present`.
    missing: Vec<MissingState>,
    /// Scope of the last table.
    scope: TableScope,
}

/// One table as input of the ledger.
pub(super) struct TableInput {
    pub(super) sockets: Vec<Socket>,
    /// Parallel to `sockets`.
    pub(super) owners: Vec<OwnerSpan>,
    /// Holders that the owners point into, with lasting process numbers.
    pub(super) holders: Vec<Holder>,
    /// Parallel to `sockets`, or empty.
    pub(super) tcp_counters: Vec<Option<TcpCounters>>,
    /// Time at which it was read, in milliseconds, for rates.
    pub(super) monotonic_ms: u64,
    pub(super) source: SourceKind,
    pub(super) scope: TableScope,
    /// True if the reading may lack open sockets: it was interrupted, or a part
    /// of it failed.
    pub(super) incomplete: bool,
}

/// Time of a table, and durations for which rows are shown and marked.
#[derive(Clone, Copy)]
pub(super) struct MergeTiming {
    pub(super) marks: MarkTiming,
    /// Duration for which a closed row stays.
    pub(super) keep_closed_for: Duration,
}

/// Result of merging a table.
pub(super) struct TableUpdate {
    pub(super) rows: Vec<Row>,
    pub(super) holders: Vec<Holder>,
    /// Rates that the rows refer to.
    pub(super) tcp_metrics: Vec<TcpMetrics>,
    /// Numbers of changed rows that may concern a detector: all in `SYN_SENT`,
    /// and those that appeared, changed or got an owner.
    pub(super) changed: Vec<u32>,
    /// Number of sockets that appeared.
    pub(super) new_sockets: u32,
    /// Missing sockets to be looked up before they count as closed.
    pub(super) pending_lookups: Vec<Socket>,
    /// Buffer that held the sockets of the table.
    pub(super) socket_buffer: Vec<Socket>,
}

impl Ledger {
    /// Returns a ledger without any table.
    pub(super) fn new(lookup_budget: usize) -> Self {
        Self {
            lookup_budget,
            slots: SlotMap::default(),
            slot_of: Vec::new(),
            present: 0,
            missing: Vec::new(),
            scope: TableScope::default(),
        }
    }

    /// Returns the index of a key's row in the last table.
    pub(super) fn row_of(&self, key: &SocketKey) -> Option<usize> {
        let slot = self.slots.find(key)?;
        let place = self.slots.row(slot) as usize;
        (self.slot_of.get(place) == Some(&slot)).then_some(place)
    }

    /// Merges a table into the rows of the last one. `buffer` is an old vector
    /// whose memory may be used again.
    pub(super) fn merge(
        &mut self,
        mut page: TableInput,
        previous: Option<&Observation>,
        clock: MergeTiming,
        buffer: Vec<Row>,
    ) -> TableUpdate {
        self.slots.next_generation();
        let mut turning = TableMerge::new(self, page.holders, page.source, previous, clock, buffer);
        turning.incomplete = page.incomplete;
        turning.scope = page.scope;
        turning.monotonic_ms = page.monotonic_ms;
        turning.reserve(page.sockets.len());
        turning.update.tcp_metrics.reserve(page.tcp_counters.len());
        let mut spans = page.owners.into_iter();
        let mut samples = page.tcp_counters.into_iter();
        for socket in page.sockets.drain(..) {
            let owners = spans.next().unwrap_or_default();
            let sample = samples.next().flatten();
            turning.merge_socket(SocketSample { socket, owners }, sample.as_ref());
        }
        turning.update.socket_buffer = page.sockets;
        turning.carry_missing();
        let turned = turning.finish();
        self.scope = page.scope;
        turned
    }
}

/// State of merging one table.
struct TableMerge<'a> {
    ledger: &'a mut Ledger,
    /// None for the first table.
    previous: Option<&'a Observation>,
    /// Index of the row of the last table that is likely to come next.
    cursor: usize,
    /// Rows of the last table by tuple, for the one table that comes from
    /// another source than the last: it matches rows with a cookie and rows
    /// without.
    tuple_index: HashMap<SocketTuple, u32>,
    source: SourceKind,
    scope: TableScope,
    incomplete: bool,
    monotonic_ms: u64,
    timing: MergeTiming,
    /// Parallel to the rows.
    slot_of: Vec<SlotId>,
    update: TableUpdate,
}

impl<'a> TableMerge<'a> {
    fn new(
        ledger: &'a mut Ledger,
        holders: Vec<Holder>,
        source: SourceKind,
        previous: Option<&'a Observation>,
        timing: MergeTiming,
        mut buffer: Vec<Row>,
    ) -> Self {
        buffer.clear();
        Self {
            ledger,
            previous,
            cursor: 0,
            tuple_index: previous
                .filter(|last| last.source != source)
                .map(tuple_index)
                .unwrap_or_default(),
            source,
            scope: TableScope::default(),
            incomplete: false,
            monotonic_ms: 0,
            timing,
            slot_of: Vec::new(),
            update: TableUpdate {
                rows: buffer,
                holders,
                tcp_metrics: Vec::new(),
                changed: Vec::new(),
                new_sockets: 0,
                pending_lookups: Vec::new(),
                socket_buffer: Vec::new(),
            },
        }
    }

    /// Reserves memory for the table and for the missing rows behind it.
    fn reserve(&mut self, sockets: usize) {
        let rows = sockets + self.ledger.missing.len() + sockets / 32;
        self.update.rows.reserve(rows);
        self.slot_of.reserve(rows);
    }

    /// Makes the row of one socket of the table.
    fn merge_socket(&mut self, sighting: SocketSample, sample: Option<&TcpCounters>) {
        let key = sighting.socket.key();
        let slot = self.expected(&key).or_else(|| self.ledger.slots.find(&key));
        let (slot, known) = match slot {
            Some(slot) if self.ledger.slots.is_occupied(slot) => {
                self.replace_duplicate(self.ledger.slots.row(slot), sighting);
                return;
            }
            Some(slot) => (slot, self.previous_row(slot)),
            None => match self.match_by_tuple(&sighting.socket) {
                Some(slot) => (slot, self.previous_row(slot)),
                None => (self.ledger.slots.insert(key), None),
            },
        };
        let (mut row, owner_settled) = self.next_row(known, sighting);
        row.metrics = sample.map(|sample| self.next_metrics(known, sample));
        self.record_change(row_number(self.update.rows.len()), &row, owner_settled);
        self.push(slot, row);
    }

    /// Returns the slot of the row that comes next if the table has kept its
    /// order, and if that row has this key.
    fn expected(&self, key: &SocketKey) -> Option<SlotId> {
        let next = self.previous?.rows.get(self.cursor)?;
        let slot = *self.ledger.slot_of.get(self.cursor)?;
        // An occupied slot may have another key by now.
        let fits = next.socket.key() == *key && !self.ledger.slots.is_occupied(slot);
        fits.then_some(slot)
    }

    /// Returns the row of the last table in this slot.
    fn previous_row(&mut self, slot: SlotId) -> Option<&'a Row> {
        let place = self.ledger.slots.row(slot) as usize;
        self.cursor = place + 1;
        self.previous?.rows.get(place)
    }

    fn push(&mut self, slot: SlotId, row: Row) {
        let number = row_number(self.update.rows.len());
        self.ledger.slots.occupy(slot, number);
        self.slot_of.push(slot);
        self.update.rows.push(row);
    }

    /// Computes the rates of a connection from its present and its earlier
    /// counters.
    fn next_metrics(&mut self, known: Option<&Row>, sample: &TcpCounters) -> MetricsId {
        let before = known
            .zip(self.previous)
            .and_then(|(known, previous)| previous.table_metrics(known));
        let flow = match before {
            Some(before) => before.advance(sample, self.monotonic_ms),
            None => TcpMetrics::from_first(sample, self.monotonic_ms),
        };
        self.add_metrics(flow)
    }

    fn add_metrics(&mut self, flow: TcpMetrics) -> MetricsId {
        let id = MetricsId::new(row_number(self.update.tcp_metrics.len()));
        self.update.tcp_metrics.push(flow);
        id
    }

    /// Returns the row that follows one of the last table, and true if its
    /// owner was found since, or the search for one ended.
    fn next_row(&self, before: Option<&Row>, sighting: SocketSample) -> (Row, bool) {
        let moment = self.timing.marks;
        let Some(previous) = self.previous else {
            return (phase::initial(sighting, moment.now), false);
        };
        match before {
            Some(before) if phase::is_same_connection(before, &sighting.socket) => {
                let found = before.owners.count == 0 && sighting.owners.count > 0;
                let ended = before.owners.is_pending() && !sighting.owners.is_pending();
                let held_by = held_by(before, &previous.holders);
                let row = phase::updated(before, held_by, sighting, moment);
                (row, found || ended)
            }
            // The last table did not cover it.
            _ if !self.ledger.scope.covers(&sighting.socket) => {
                (phase::initial(sighting, moment.now), false)
            }
            _ => (phase::appeared(sighting, moment.now), false),
        }
    }

    /// Replaces the row of a key that comes twice in one table: the later one
    /// counts, because the kernel's table was read later there.
    fn replace_duplicate(&mut self, number: u32, sighting: SocketSample) {
        let Some(row) = self.update.rows.get_mut(number as usize) else {
            return;
        };
        let moment = self.timing.marks;
        let flow = row.metrics;
        *row = if self.previous.is_none() {
            phase::initial(sighting, moment.now)
        } else {
            let held_by = held_by(row, &self.update.holders);
            phase::updated(row, held_by, sighting, moment)
        };
        row.metrics = flow;
        let row = *row;
        // If it is an arrival, it has been counted.
        let arrivals = self.update.new_sockets;
        self.record_change(number, &row, false);
        self.update.new_sockets = arrivals;
    }

    /// Returns the slot of a socket that has lost or gained its cookie because
    /// the source has changed.
    fn match_by_tuple(&mut self, socket: &Socket) -> Option<SlotId> {
        let number = *self.tuple_index.get(&socket.tuple())? as usize;
        let before = self.previous?.rows.get(number)?.socket;
        let slot = *self.ledger.slot_of.get(number)?;
        let crosses = before.cookie.is_some() != socket.cookie.is_some();
        let seats = &mut self.ledger.slots;
        let may_cross = crosses && !seats.is_occupied(slot);
        (may_cross && seats.rekey(slot, &before.key(), socket.key())).then_some(slot)
    }

    fn record_change(&mut self, number: u32, row: &Row, owner_settled: bool) {
        let now = self.timing.marks.now;
        if concerns_detectors(row, owner_settled, now) {
            self.update.changed.push(number);
        }
        if row.phase == Phase::New && row.first_seen == now {
            self.update.new_sockets += 1;
        }
    }

    fn finish(mut self) -> TableUpdate {
        self.ledger.slot_of = self.slot_of;
        // A row that came twice is listed twice.
        self.update.changed.sort_unstable();
        self.update.changed.dedup();
        self.update
    }
}

/// True if a row has changed in a way that may concern a detector.
fn concerns_detectors(row: &Row, owner_settled: bool, now: Timestamp) -> bool {
    let happened = row.saw_state_entry && (owner_settled || row.state_since == now);
    happened || row.socket.state == State::SynSent
}

/// Rows of the last table by tuple, without closed ones.
fn tuple_index(last: &Observation) -> HashMap<SocketTuple, u32> {
    let mut bridge = HashMap::with_capacity(last.rows.len());
    for (number, row) in last.rows.iter().enumerate() {
        if row.phase != Phase::Closed {
            bridge.insert(row.socket.tuple(), row_number(number));
        }
    }
    bridge
}

/// The present or the last holder of a row.
fn held_by(row: &Row, holders: &[Holder]) -> Option<LastOwner> {
    match row.owners.resolve(holders).first() {
        Some(holder) => Some(LastOwner::new(holder.process)),
        None => row.last_owner,
    }
}

fn row_number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
impl Ledger {
    /// Number of sockets that it remembers.
    pub(super) fn remembered(&self) -> usize {
        self.slots.len()
    }
}
