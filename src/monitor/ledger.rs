//! Knows every socket again in the next table: the one place where identity
//! becomes history.
//!
//! The history itself stands in the rows of the last observation; the ledger
//! only finds the row for a key, so nothing is kept twice. The kernel lists its
//! sockets in nearly the same order every time: the row that followed the last
//! one found is tried before the hash table.

use super::horizon::Horizon;
use super::phase::{self, Moment, Sighting};
use super::seats::{SeatId, Seats};
use crate::model::flow::{Flow, FlowId, Sample};
use crate::model::observation::Observation;
use crate::model::owner::{Holder, OwnerSpan};
use crate::model::protocol::Protocol;
use crate::model::reading::SourceKind;
use crate::model::row::{LastOwner, Phase, Row};
use crate::model::socket::{Socket, SocketKey, Tuple};
use crate::model::state::State;
use crate::model::time::Stamp;
use foldhash::{HashMap, HashMapExt};
use std::time::Duration;

/// Where the rows of the last table are, and which of them only linger.
pub(super) struct Ledger {
    /// Of how many absent sockets of a table it is asked what has become of
    /// them.
    budget: usize,
    seats: Seats,
    /// Parallel to the rows of the last table.
    seat_of: Vec<SeatId>,
    /// How many rows of the last table were in it. Those behind are absent.
    present: usize,
    /// Parallel to the rows behind `present`.
    absences: Vec<Absence>,
    /// What the last table was about.
    horizon: Horizon,
}

/// Why a row stands in the observation although its socket is not in the table.
#[derive(Clone, Copy)]
enum Absence {
    /// Missed once by a source or a table that may err; not believed yet.
    Missed,
    /// Missed by the last table, but there when it was asked for.
    There,
    /// Closed; shown for a moment longer.
    Closed { at: Stamp },
}

/// One table as the ledger takes it.
pub(super) struct Page {
    pub(super) sockets: Vec<Socket>,
    /// Parallel to `sockets`.
    pub(super) owners: Vec<OwnerSpan>,
    /// What the owners point into, with lasting process numbers.
    pub(super) holders: Vec<Holder>,
    /// Parallel to `sockets`, or empty.
    pub(super) flows: Vec<Option<Sample>>,
    /// When it was read, to the millisecond, for rates.
    pub(super) monotonic_ms: u64,
    pub(super) source: SourceKind,
    pub(super) horizon: Horizon,
    /// Whether the reading may lack rows that are there: it was interrupted, or
    /// a part of it failed.
    pub(super) doubtful: bool,
}

/// When a page is turned, and how long things are shown.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) moment: Moment,
    /// How long a closed row stays.
    pub(super) linger: Duration,
}

/// What the ledger makes of a page.
pub(super) struct Turned {
    pub(super) rows: Vec<Row>,
    pub(super) holders: Vec<Holder>,
    /// What the rows' flows point into.
    pub(super) flows: Vec<Flow>,
    /// Rows something happened to that may concern a detector: all in
    /// `SYN_SENT`, and those that appeared, changed or got an owner.
    pub(super) stirred: Vec<u32>,
    /// How many sockets appeared.
    pub(super) arrivals: u32,
    /// What is missed, but could be asked for before it is believed.
    pub(super) unsettled: Vec<Socket>,
}

impl Ledger {
    /// A ledger that has seen nothing.
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

    /// Folds a table into the rows of the last one. `buffer` is an old vector
    /// whose memory may be used again.
    pub(super) fn turn(
        &mut self,
        page: Page,
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
        for socket in page.sockets {
            let owners = spans.next().unwrap_or_default();
            let sample = samples.next().flatten();
            turning.enter(Sighting { socket, owners }, sample.as_ref());
        }
        turning.carry_absent();
        let turned = turning.close_the_book();
        self.horizon = page.horizon;
        turned
    }

    /// Takes in what has become of absent sockets. One that is there keeps its
    /// row, and its owners if its inode is the same; one that is not is closed.
    pub(super) fn settle(
        &mut self,
        turned: &mut Turned,
        answers: Vec<(SocketKey, Option<Socket>)>,
        moment: Moment,
    ) {
        for (key, answer) in answers {
            let Some((number, absence)) = self.missed(&key) else {
                continue;
            };
            let Some(row) = turned.rows.get_mut(number as usize) else {
                continue;
            };
            let holder = held_by(row, &turned.holders);
            if let Some(socket) = answer {
                *absence = Absence::There;
                *row = phase::found_after_all(row, holder, socket, moment);
                if stirs(row, false, moment.now) {
                    turned.stirred.push(number);
                }
            } else {
                *absence = Absence::Closed { at: moment.now };
                *row = phase::closed(row, holder);
            }
        }
        turned.unsettled.clear();
        turned.stirred.sort_unstable();
    }

    /// The row of a key, if that row is missed, and the note that it is.
    fn missed(&mut self, key: &SocketKey) -> Option<(u32, &mut Absence)> {
        let seat = self.seats.find(key)?;
        let number = self.seats.row(seat);
        let behind = (number as usize).checked_sub(self.present)?;
        let absence = self.absences.get_mut(behind)?;
        let missed = self.seats.is_taken(seat) && matches!(absence, Absence::Missed);
        missed.then_some((number, absence))
    }
}

/// A row of the last table whose socket is not in this one.
struct Absent<'a> {
    seat: SeatId,
    before: &'a Row,
    /// Why it was no longer in the last table either, if it was not.
    absence: Option<Absence>,
}

/// The work of one table.
struct Turning<'a> {
    ledger: &'a mut Ledger,
    /// None for the very first table.
    previous: Option<&'a Observation>,
    /// The row of the last table that is likely to come next.
    cursor: usize,
    /// The way from a row with a cookie to one without and back, in the one
    /// table that comes from another source than the last.
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
            },
        }
    }

    /// Makes room for the table and for what may linger behind it.
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
        let (mut row, gained_owner) = self.succeed(known, sighting);
        row.flow = sample.map(|sample| self.carry_on(known, sample));
        self.note(row_number(self.turned.rows.len()), &row, gained_owner);
        self.push(seat, row);
    }

    /// The seat of the row that comes next if the table has kept its order, and
    /// if that is the row of this key.
    fn expected(&self, key: &SocketKey) -> Option<SeatId> {
        let next = self.previous?.rows.get(self.cursor)?;
        let seat = *self.ledger.seat_of.get(self.cursor)?;
        // A taken seat may have another key by now.
        let fits = next.socket.key() == *key && !self.ledger.seats.is_taken(seat);
        fits.then_some(seat)
    }

    /// The row of the last table that had this seat.
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

    /// What a connection carries now, in the light of what it carried before.
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

    /// The row that follows one of the last table, and whether it got an owner.
    fn succeed(&self, before: Option<&Row>, sighting: Sighting) -> (Row, bool) {
        let moment = self.clock.moment;
        let Some(previous) = self.previous else {
            return (phase::found(sighting, moment.now), false);
        };
        match before {
            Some(before) if phase::is_same_connection(before, &sighting.socket) => {
                let gained_owner = before.owners.count == 0 && sighting.owners.count > 0;
                let held_by = held_by(before, &previous.holders);
                let row = phase::stayed(before, held_by, sighting, moment);
                (row, gained_owner)
            }
            // Nobody has looked there before.
            _ if !self.ledger.horizon.covers(&sighting.socket) => {
                (phase::found(sighting, moment.now), false)
            }
            _ => (phase::arrived(sighting, moment.now), false),
        }
    }

    /// A key that comes twice in one table: the later sighting counts, because
    /// the kernel's table was read later there.
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
        // It has been counted as an arrival already, if it is one.
        let arrivals = self.turned.arrivals;
        self.note(number, &row, false);
        self.turned.arrivals = arrivals;
    }

    /// The seat of a socket that has lost or gained its cookie because the
    /// source has changed.
    fn across_the_bridge(&mut self, socket: &Socket) -> Option<SeatId> {
        let number = *self.bridge.get(&socket.tuple())? as usize;
        let before = self.previous?.rows.get(number)?.socket;
        let seat = *self.ledger.seat_of.get(number)?;
        let crosses = before.cookie.is_some() != socket.cookie.is_some();
        let seats = &mut self.ledger.seats;
        let may_cross = crosses && !seats.is_taken(seat);
        (may_cross && seats.rename(seat, &before.key(), socket.key())).then_some(seat)
    }

    fn note(&mut self, number: u32, row: &Row, gained_owner: bool) {
        let now = self.clock.moment.now;
        if stirs(row, gained_owner, now) {
            self.turned.stirred.push(number);
        }
        if row.phase == Phase::New && row.first_seen == now {
            self.turned.arrivals += 1;
        }
    }

    /// Takes over the rows that were not in the table, as long as they linger.
    fn carry_absent(&mut self) {
        let absences = std::mem::take(&mut self.ledger.absences);
        let present = std::mem::replace(&mut self.ledger.present, self.turned.rows.len());
        let seat_of = std::mem::take(&mut self.ledger.seat_of);
        let Some(previous) = self.previous else {
            return;
        };
        if self.horizon != self.ledger.horizon {
            self.lose_sight(previous, &seat_of);
        }
        let absent: Vec<Absent<'_>> = previous
            .rows
            .iter()
            .zip(seat_of)
            .enumerate()
            .filter(|(_, (_, seat))| !self.ledger.seats.is_taken(*seat))
            .filter(|(_, (before, _))| self.horizon.covers(&before.socket))
            .map(|(number, (before, seat))| Absent {
                seat,
                before,
                absence: number
                    .checked_sub(present)
                    .and_then(|behind| absences.get(behind))
                    .copied(),
            })
            .collect();
        let asked = self.choose(&absent);
        for (absent, asked) in absent.iter().zip(asked) {
            self.bear_absence(absent, asked, previous);
        }
    }

    /// Forgets the rows of namespaces that nobody looks into any more: they
    /// may well be there.
    fn lose_sight(&mut self, previous: &Observation, seat_of: &[SeatId]) {
        for (before, seat) in previous.rows.iter().zip(seat_of) {
            if !self.horizon.covers(&before.socket) && !self.ledger.seats.is_taken(*seat) {
                self.ledger.seats.leave(&before.socket.key());
            }
        }
    }

    fn bear_absence(&mut self, absent: &Absent<'_>, asked: bool, previous: &Observation) {
        let Absent { seat, before, .. } = *absent;
        match absent.absence {
            Some(Absence::Closed { at }) => self.linger(seat, before, at),
            _ if asked => {
                self.miss(seat, before, previous);
                self.turned.unsettled.push(before.socket);
            }
            None | Some(Absence::There) if self.may_err_about(&before.socket) => {
                self.miss(seat, before, previous);
            }
            None | Some(Absence::There | Absence::Missed) => self.close(seat, before, previous),
        }
    }

    /// For each absent row whether it is to be asked for. If there are too many
    /// for that, listeners and established connections go first, since most
    /// hangs on them, and of these the oldest.
    fn choose(&self, absent: &[Absent<'_>]) -> Vec<bool> {
        let may_ask = |absent: &&Absent<'_>| {
            // What is missed for the second time is believed to be gone.
            let first = matches!(absent.absence, None | Some(Absence::There));
            first && self.can_be_settled(&absent.before.socket)
        };
        if self.ledger.budget == 0 {
            return vec![false; absent.len()];
        }
        if absent.iter().filter(may_ask).count() <= self.ledger.budget {
            return absent.iter().map(|absent| may_ask(&absent)).collect();
        }
        let mut places: Vec<usize> = (0..absent.len())
            .filter(|place| may_ask(&&absent[*place]))
            .collect();
        places.sort_by_key(|place| {
            let row = absent[*place].before;
            let matters = matches!(row.socket.state, State::Listen | State::Established);
            (!matters, row.first_seen)
        });
        let mut asked = vec![false; absent.len()];
        for place in places.into_iter().take(self.ledger.budget) {
            asked[place] = true;
        }
        asked
    }

    /// Whether an exact question can settle what has become of a socket. Where
    /// the table may err, only a connection's answer is certain: another socket
    /// may share the port of a listener.
    fn can_be_settled(&self, socket: &Socket) -> bool {
        let known = socket.cookie.is_some() && self.source.gives_cookies(socket.protocol);
        let alone = socket.protocol == Protocol::Tcp && socket.peer().is_some();
        known && (alone || !self.doubtful)
    }

    /// Whether the table may leave out a socket that is there. `/proc` may, as
    /// it reads the table in pages while it changes.
    fn may_err_about(&self, socket: &Socket) -> bool {
        self.doubtful || socket.cookie.is_none() || !self.source.gives_cookies(socket.protocol)
    }

    fn linger(&mut self, seat: SeatId, before: &Row, at: Stamp) {
        if at.age(self.clock.moment.now) < self.clock.linger {
            self.carry(seat, *before, Absence::Closed { at });
        } else {
            self.ledger.seats.leave(&before.socket.key());
        }
    }

    fn close(&mut self, seat: SeatId, before: &Row, previous: &Observation) {
        let at = self.clock.moment.now;
        let closed = phase::closed(before, held_by(before, &previous.holders));
        self.carry(seat, closed, Absence::Closed { at });
    }

    fn miss(&mut self, seat: SeatId, before: &Row, previous: &Observation) {
        let mut row = phase::faded(before, self.clock.moment);
        if !self.source.gives_cookies(row.socket.protocol) {
            row.socket.cookie = None;
        }
        let key = before.socket.key();
        if !self.ledger.seats.rename(seat, &key, row.socket.key()) {
            self.ledger.seats.leave(&key);
            return;
        }
        row.flagged = None;
        row.owners = self.take_over(before.owners.of(&previous.holders));
        row.flow = previous.table_flow(before).map(|flow| self.add_flow(*flow));
        self.carry(seat, row, Absence::Missed);
    }

    /// Appends the holders of a row of the last table to those of this one.
    fn take_over(&mut self, holders: &[Holder]) -> OwnerSpan {
        let start = row_number(self.turned.holders.len());
        self.turned.holders.extend_from_slice(holders);
        OwnerSpan {
            start,
            count: u16::try_from(holders.len()).unwrap_or(u16::MAX),
        }
    }

    fn carry(&mut self, seat: SeatId, row: Row, absence: Absence) {
        self.push(seat, row);
        self.ledger.absences.push(absence);
    }

    fn close_the_book(mut self) -> Turned {
        self.ledger.seat_of = self.seat_of;
        // A row that came twice stirred twice.
        self.turned.stirred.sort_unstable();
        self.turned.stirred.dedup();
        self.turned
    }
}

/// Whether something happened to a row that may concern a detector.
fn stirs(row: &Row, gained_owner: bool, now: Stamp) -> bool {
    let happened = row.entry_seen && (gained_owner || row.state_since == now);
    happened || row.socket.state == State::SynSent
}

/// The rows of the last table by their addresses, without those that closed.
fn bridge(last: &Observation) -> HashMap<Tuple, u32> {
    let mut bridge = HashMap::with_capacity(last.rows.len());
    for (number, row) in last.rows.iter().enumerate() {
        if row.phase != Phase::Closed {
            bridge.insert(row.socket.tuple(), row_number(number));
        }
    }
    bridge
}

/// Who holds a row, or held it last.
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
    /// How many sockets it remembers.
    pub(super) fn remembered(&self) -> usize {
        self.seats.taken()
    }
}
