//! Matches the sockets of each table with the rows of the last one: the one
//! place where identity becomes history.
//!
//! History is stored in the rows of the last observation; the ledger only maps
//! keys to rows, so nothing is kept twice. The kernel lists its sockets in
//! nearly the same order every time: the row that followed the last one found
//! is tried before the hash table.

mod absent;

use super::horizon::Horizon;
use super::phase::{self, Moment, Sighting};
use super::seats::{SeatId, Seats};
use crate::model::flow::{Flow, FlowId, Sample};
use crate::model::observation::Observation;
use crate::model::owner::{Holder, OwnerSpan};
use crate::model::reading::SourceKind;
use crate::model::row::{LastOwner, Phase, Row};
use crate::model::socket::{Socket, SocketKey, Tuple};
use crate::model::state::State;
use crate::model::time::Stamp;
use absent::Absence;
use foldhash::{HashMap, HashMapExt};
use std::time::Duration;

/// Index of the rows of the last table, and the reasons of those that were
/// missing from it.
pub(super) struct Ledger {
    /// Maximum number of missing sockets of a table that are looked up.
    budget: usize,
    seats: Seats,
    /// Parallel to the rows of the last table.
    seat_of: Vec<SeatId>,
    /// Number of rows of the last table that were in it. Those behind are
    /// missing.
    present: usize,
    /// Parallel to the rows behind `present`.
    absences: Vec<Absence>,
    /// Scope of the last table.
    horizon: Horizon,
}

/// One table as input of the ledger.
pub(super) struct Page {
    pub(super) sockets: Vec<Socket>,
    /// Parallel to `sockets`.
    pub(super) owners: Vec<OwnerSpan>,
    /// Holders that the owners point into, with lasting process numbers.
    pub(super) holders: Vec<Holder>,
    /// Parallel to `sockets`, or empty.
    pub(super) flows: Vec<Option<Sample>>,
    /// Time at which it was read, in milliseconds, for rates.
    pub(super) monotonic_ms: u64,
    pub(super) source: SourceKind,
    pub(super) horizon: Horizon,
    /// True if the reading may lack open sockets: it was interrupted, or a part
    /// of it failed.
    pub(super) doubtful: bool,
}

/// Time of a table, and durations for which rows are shown and marked.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) moment: Moment,
    /// Duration for which a closed row stays.
    pub(super) linger: Duration,
}

/// Result of merging a table.
pub(super) struct Turned {
    pub(super) rows: Vec<Row>,
    pub(super) holders: Vec<Holder>,
    /// Rates that the rows refer to.
    pub(super) flows: Vec<Flow>,
    /// Numbers of changed rows that may concern a detector: all in `SYN_SENT`,
    /// and those that appeared, changed or got an owner.
    pub(super) stirred: Vec<u32>,
    /// Number of sockets that appeared.
    pub(super) arrivals: u32,
    /// Missing sockets to be looked up before they count as closed.
    pub(super) unsettled: Vec<Socket>,
    /// Buffer that held the sockets of the table.
    pub(super) spent: Vec<Socket>,
}

impl Ledger {
    /// Returns a ledger without any table.
    pub(super) fn new(budget: usize) -> Self {
        Self {
            budget,
            seats: Seats::default(),
            seat_of: Vec::new(),
            present: 0,
            absences: Vec::new(),
            horizon: Horizon::default(),
        }
    }

    /// Returns the index of a key's row in the last table.
    pub(super) fn row_of(&self, key: &SocketKey) -> Option<usize> {
        let seat = self.seats.find(key)?;
        let place = self.seats.row(seat) as usize;
        (self.seat_of.get(place) == Some(&seat)).then_some(place)
    }

    /// Merges a table into the rows of the last one. `buffer` is an old vector
    /// whose memory may be used again.
    pub(super) fn turn(
        &mut self,
        mut page: Page,
        previous: Option<&Observation>,
        clock: Clock,
        buffer: Vec<Row>,
    ) -> Turned {
        self.seats.begin_table();
        let mut turning = Turning::new(self, page.holders, page.source, previous, clock, buffer);
        turning.doubtful = page.doubtful;
        turning.horizon = page.horizon;
        turning.monotonic_ms = page.monotonic_ms;
        turning.reserve(page.sockets.len());
        turning.turned.flows.reserve(page.flows.len());
        let mut spans = page.owners.into_iter();
        let mut samples = page.flows.into_iter();
        for socket in page.sockets.drain(..) {
            let owners = spans.next().unwrap_or_default();
            let sample = samples.next().flatten();
            turning.enter(Sighting { socket, owners }, sample.as_ref());
        }
        turning.turned.spent = page.sockets;
        turning.carry_absent();
        let turned = turning.close_the_book();
        self.horizon = page.horizon;
        turned
    }
}

/// State of merging one table.
struct Turning<'a> {
    ledger: &'a mut Ledger,
    /// None for the first table.
    previous: Option<&'a Observation>,
    /// Index of the row of the last table that is likely to come next.
    cursor: usize,
    /// Rows of the last table by tuple, for the one table that comes from
    /// another source than the last: it matches rows with a cookie and rows
    /// without.
    bridge: HashMap<Tuple, u32>,
    source: SourceKind,
    horizon: Horizon,
    doubtful: bool,
    monotonic_ms: u64,
    clock: Clock,
    /// Parallel to the rows.
    seat_of: Vec<SeatId>,
    turned: Turned,
}

impl<'a> Turning<'a> {
    fn new(
        ledger: &'a mut Ledger,
        holders: Vec<Holder>,
        source: SourceKind,
        previous: Option<&'a Observation>,
        clock: Clock,
        mut buffer: Vec<Row>,
    ) -> Self {
        buffer.clear();
        Self {
            ledger,
            previous,
            cursor: 0,
            bridge: previous
                .filter(|last| last.source != source)
                .map(bridge)
                .unwrap_or_default(),
            source,
            horizon: Horizon::default(),
            doubtful: false,
            monotonic_ms: 0,
            clock,
            seat_of: Vec::new(),
            turned: Turned {
                rows: buffer,
                holders,
                flows: Vec::new(),
                stirred: Vec::new(),
                arrivals: 0,
                unsettled: Vec::new(),
                spent: Vec::new(),
            },
        }
    }

    /// Reserves memory for the table and for the missing rows behind it.
    fn reserve(&mut self, sockets: usize) {
        let rows = sockets + self.ledger.absences.len() + sockets / 32;
        self.turned.rows.reserve(rows);
        self.seat_of.reserve(rows);
    }

    /// Makes the row of one socket of the table.
    fn enter(&mut self, sighting: Sighting, sample: Option<&Sample>) {
        let key = sighting.socket.key();
        let seat = self.expected(&key).or_else(|| self.ledger.seats.find(&key));
        let (seat, known) = match seat {
            Some(seat) if self.ledger.seats.is_taken(seat) => {
                self.correct(self.ledger.seats.row(seat), sighting);
                return;
            }
            Some(seat) => (seat, self.known(seat)),
            None => match self.across_the_bridge(&sighting.socket) {
                Some(seat) => (seat, self.known(seat)),
                None => (self.ledger.seats.add(key), None),
            },
        };
        let (mut row, owner_settled) = self.succeed(known, sighting);
        row.flow = sample.map(|sample| self.carry_on(known, sample));
        self.note(row_number(self.turned.rows.len()), &row, owner_settled);
        self.push(seat, row);
    }

    /// Returns the slot of the row that comes next if the table has kept its
    /// order, and if that row has this key.
    fn expected(&self, key: &SocketKey) -> Option<SeatId> {
        let next = self.previous?.rows.get(self.cursor)?;
        let seat = *self.ledger.seat_of.get(self.cursor)?;
        // An occupied slot may have another key by now.
        let fits = next.socket.key() == *key && !self.ledger.seats.is_taken(seat);
        fits.then_some(seat)
    }

    /// Returns the row of the last table in this slot.
    fn known(&mut self, seat: SeatId) -> Option<&'a Row> {
        let place = self.ledger.seats.row(seat) as usize;
        self.cursor = place + 1;
        self.previous?.rows.get(place)
    }

    fn push(&mut self, seat: SeatId, row: Row) {
        let number = row_number(self.turned.rows.len());
        self.ledger.seats.sit(seat, number);
        self.seat_of.push(seat);
        self.turned.rows.push(row);
    }

    /// Computes the rates of a connection from its present and its earlier
    /// counters.
    fn carry_on(&mut self, known: Option<&Row>, sample: &Sample) -> FlowId {
        let before = known
            .zip(self.previous)
            .and_then(|(known, previous)| previous.table_flow(known));
        let flow = match before {
            Some(before) => before.next(sample, self.monotonic_ms),
            None => Flow::begin(sample, self.monotonic_ms),
        };
        self.add_flow(flow)
    }

    fn add_flow(&mut self, flow: Flow) -> FlowId {
        let id = FlowId::new(row_number(self.turned.flows.len()));
        self.turned.flows.push(flow);
        id
    }

    /// Returns the row that follows one of the last table, and true if its
    /// owner was found since, or the search for one ended.
    fn succeed(&self, before: Option<&Row>, sighting: Sighting) -> (Row, bool) {
        let moment = self.clock.moment;
        let Some(previous) = self.previous else {
            return (phase::found(sighting, moment.now), false);
        };
        match before {
            Some(before) if phase::is_same_connection(before, &sighting.socket) => {
                let found = before.owners.count == 0 && sighting.owners.count > 0;
                let ended = before.owners.is_pending() && !sighting.owners.is_pending();
                let held_by = held_by(before, &previous.holders);
                let row = phase::stayed(before, held_by, sighting, moment);
                (row, found || ended)
            }
            // The last table did not cover it.
            _ if !self.ledger.horizon.covers(&sighting.socket) => {
                (phase::found(sighting, moment.now), false)
            }
            _ => (phase::arrived(sighting, moment.now), false),
        }
    }

    /// Replaces the row of a key that comes twice in one table: the later one
    /// counts, because the kernel's table was read later there.
    fn correct(&mut self, number: u32, sighting: Sighting) {
        let Some(row) = self.turned.rows.get_mut(number as usize) else {
            return;
        };
        let moment = self.clock.moment;
        let flow = row.flow;
        *row = if self.previous.is_none() {
            phase::found(sighting, moment.now)
        } else {
            let held_by = held_by(row, &self.turned.holders);
            phase::stayed(row, held_by, sighting, moment)
        };
        row.flow = flow;
        let row = *row;
        // If it is an arrival, it has been counted.
        let arrivals = self.turned.arrivals;
        self.note(number, &row, false);
        self.turned.arrivals = arrivals;
    }

    /// Returns the slot of a socket that has lost or gained its cookie because
    /// the source has changed.
    fn across_the_bridge(&mut self, socket: &Socket) -> Option<SeatId> {
        let number = *self.bridge.get(&socket.tuple())? as usize;
        let before = self.previous?.rows.get(number)?.socket;
        let seat = *self.ledger.seat_of.get(number)?;
        let crosses = before.cookie.is_some() != socket.cookie.is_some();
        let seats = &mut self.ledger.seats;
        let may_cross = crosses && !seats.is_taken(seat);
        (may_cross && seats.rename(seat, &before.key(), socket.key())).then_some(seat)
    }

    fn note(&mut self, number: u32, row: &Row, owner_settled: bool) {
        let now = self.clock.moment.now;
        if stirs(row, owner_settled, now) {
            self.turned.stirred.push(number);
        }
        if row.phase == Phase::New && row.first_seen == now {
            self.turned.arrivals += 1;
        }
    }

    fn close_the_book(mut self) -> Turned {
        self.ledger.seat_of = self.seat_of;
        // A row that came twice is listed twice.
        self.turned.stirred.sort_unstable();
        self.turned.stirred.dedup();
        self.turned
    }
}

/// True if a row has changed in a way that may concern a detector.
fn stirs(row: &Row, owner_settled: bool, now: Stamp) -> bool {
    let happened = row.entry_seen && (owner_settled || row.state_since == now);
    happened || row.socket.state == State::SynSent
}

/// Rows of the last table by tuple, without closed ones.
fn bridge(last: &Observation) -> HashMap<Tuple, u32> {
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
    match row.owners.of(holders).first() {
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
        self.seats.taken()
    }
}
