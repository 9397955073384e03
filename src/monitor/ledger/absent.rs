//! Rows missing from a table: decides whether their sockets are closed or were
//! skipped by the dump, and how long they are still shown.
//!
//! A table may omit an open socket: `/proc` is read in pages while it changes,
//! and a dump walks a hash table that does. So a missing socket is looked up
//! where possible; otherwise one absence is enough only in a table that is not
//! in doubt.

use super::{Ledger, Turned, Turning, held_by, row_number, stirs};
use crate::model::observation::Observation;
use crate::model::owner::{Holder, OwnerSpan};
use crate::model::protocol::Protocol;
use crate::model::row::Row;
use crate::model::socket::{Socket, SocketKey};
use crate::model::state::State;
use crate::model::time::Stamp;
use crate::monitor::phase::{self, Moment};
use crate::monitor::seats::SeatId;

/// Reason for a row whose socket is not in the table.
#[derive(Clone, Copy)]
pub(super) enum Absence {
    /// Missing once from a source or a table that may omit sockets; not closed
    /// yet.
    Missed,
    /// Missing from the last table, but open when it was looked up.
    There,
    /// Closed; shown for a moment longer.
    Closed { at: Stamp },
}

/// A row of the last table whose socket is not in this one.
struct Absent<'a> {
    seat: SeatId,
    before: &'a Row,
    /// Reason for which it was missing from the last table, too, if it was.
    absence: Option<Absence>,
}

impl Ledger {
    /// Applies the results of lookups. An open socket keeps its row, and its
    /// owners if its inode is the same; any other is closed.
    pub(in crate::monitor) fn settle(
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

    /// Returns the row of a key, if it is missing and unconfirmed, and its
    /// reason.
    fn missed(&mut self, key: &SocketKey) -> Option<(u32, &mut Absence)> {
        let seat = self.seats.find(key)?;
        let number = self.seats.row(seat);
        let behind = (number as usize).checked_sub(self.present)?;
        let absence = self.absences.get_mut(behind)?;
        let missed = self.seats.is_taken(seat) && matches!(absence, Absence::Missed);
        missed.then_some((number, absence))
    }
}

impl Turning<'_> {
    /// Carries over the rows that are not in the table, as long as they are
    /// shown.
    pub(super) fn carry_absent(&mut self) {
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

    /// Drops the rows of namespaces that are not covered any more: their
    /// sockets may be open.
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

    /// Decides for each missing row whether it is looked up. If there are too
    /// many, listeners and established connections come first, since they
    /// matter most, and of these the oldest.
    fn choose(&self, absent: &[Absent<'_>]) -> Vec<bool> {
        let mut asked = vec![false; absent.len()];
        let budget = self.ledger.budget;
        if budget == 0 {
            return asked;
        }
        let mut places: Vec<usize> = (0..absent.len())
            .filter(|place| {
                let Absent {
                    before, absence, ..
                } = &absent[*place];
                // A socket missing for the second time counts as closed.
                let first = matches!(absence, None | Some(Absence::There));
                first && self.can_be_settled(&before.socket)
            })
            .collect();
        if places.len() > budget {
            places.sort_by_key(|place| {
                let row = absent[*place].before;
                let matters = matches!(row.socket.state, State::Listen | State::Established);
                (!matters, row.first_seen)
            });
        }
        for place in places.into_iter().take(budget) {
            asked[place] = true;
        }
        asked
    }

    /// True if an exact lookup can decide whether a socket is closed. Where the
    /// table is in doubt, only the answer about a connection is certain:
    /// another socket may share the port of a listener.
    fn can_be_settled(&self, socket: &Socket) -> bool {
        let known = socket.cookie.is_some() && self.source.gives_cookies(socket.protocol);
        let alone = socket.protocol == Protocol::Tcp && socket.peer().is_some();
        known && (alone || !self.doubtful)
    }

    /// True if the table may omit an open socket. `/proc` may, as it reads the
    /// table in pages while it changes.
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
            count: u32::try_from(holders.len()).unwrap_or(u32::MAX),
        }
    }

    fn carry(&mut self, seat: SeatId, row: Row, absence: Absence) {
        self.push(seat, row);
        self.ledger.absences.push(absence);
    }
}
