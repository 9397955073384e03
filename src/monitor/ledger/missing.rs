//! Rows missing from a table: decides whether their sockets are closed or were
//! skipped by the dump, and how long they are still shown.
//!
//! A table may omit an open socket: `/proc` is read in pages while it changes,
//! and a dump walks a hash table that does. So a missing socket is looked up
//! where possible; otherwise one absence is enough only in a table that is not
//! in doubt.

use super::{Ledger, TableMerge, TableUpdate, concerns_detectors, held_by, row_number};
use crate::model::observation::Observation;
use crate::model::owner::{Holder, OwnerSpan};
use crate::model::protocol::Protocol;
use crate::model::row::Row;
use crate::model::socket::{Socket, SocketKey};
use crate::model::state::State;
use crate::model::time::Timestamp;
use crate::monitor::phase::{self, MarkTiming};
use crate::monitor::slots::SlotId;

/// Reason for a row whose socket is not in the table.
#[derive(Clone, Copy)]
pub(super) enum MissingState {
    /// Missing once from a source or a table that may omit sockets; not closed
    /// yet.
    Unconfirmed,
    /// Missing from the last table, but open when it was looked up.
    Confirmed,
    /// Closed; shown for a moment longer.
    Closed { at: Timestamp },
}

/// A row of the last table whose socket is not in this one.
struct MissingRow<'a> {
    slot: SlotId,
    before: &'a Row,
    /// Reason for which it was missing from the last table, too, if it was.
    missing: Option<MissingState>,
}

impl Ledger {
    /// Applies the results of lookups. An open socket keeps its row, and its
    /// owners if its inode is the same; any other is closed.
    pub(in crate::monitor) fn apply_lookups(
        &mut self,
        turned: &mut TableUpdate,
        answers: Vec<(SocketKey, Option<Socket>)>,
        moment: MarkTiming,
    ) {
        for (key, answer) in answers {
            let Some((number, absence)) = self.unconfirmed(&key) else {
                continue;
            };
            let Some(row) = turned.rows.get_mut(number as usize) else {
                continue;
            };
            let holder = held_by(row, &turned.holders);
            if let Some(socket) = answer {
                *absence = MissingState::Confirmed;
                *row = phase::restored(row, holder, socket, moment);
                if concerns_detectors(row, false, moment.now) {
                    turned.changed.push(number);
                }
            } else {
                *absence = MissingState::Closed { at: moment.now };
                *row = phase::closed(row, holder);
            }
        }
        turned.pending_lookups.clear();
        turned.changed.sort_unstable();
    }

    /// Returns the row of a key, if it is missing and unconfirmed, and its
    /// reason.
    fn unconfirmed(&mut self, key: &SocketKey) -> Option<(u32, &mut MissingState)> {
        let seat = self.slots.find(key)?;
        let number = self.slots.row(seat);
        let behind = (number as usize).checked_sub(self.present)?;
        let absence = self.missing.get_mut(behind)?;
        let missed = self.slots.is_occupied(seat) && matches!(absence, MissingState::Unconfirmed);
        missed.then_some((number, absence))
    }
}

impl TableMerge<'_> {
    /// Carries over the rows that are not in the table, as long as they are
    /// shown.
    pub(super) fn carry_missing(&mut self) {
        let absences = std::mem::take(&mut self.ledger.missing);
        let present = std::mem::replace(&mut self.ledger.present, self.update.rows.len());
        let seat_of = std::mem::take(&mut self.ledger.slot_of);
        let Some(previous) = self.previous else {
            return;
        };
        if self.scope != self.ledger.scope {
            self.drop_out_of_scope(previous, &seat_of);
        }
        let absent: Vec<MissingRow<'_>> = previous
            .rows
            .iter()
            .zip(seat_of)
            .enumerate()
            .filter(|(_, (_, seat))| !self.ledger.slots.is_occupied(*seat))
            .filter(|(_, (before, _))| self.scope.covers(&before.socket))
            .map(|(number, (before, seat))| MissingRow {
                slot: seat,
                before,
                missing: number
                    .checked_sub(present)
                    .and_then(|behind| absences.get(behind))
                    .copied(),
            })
            .collect();
        let asked = self.choose_lookups(&absent);
        for (absent, asked) in absent.iter().zip(asked) {
            self.handle_missing(absent, asked, previous);
        }
    }

    /// Drops the rows of namespaces that are not covered any more: their
    /// sockets may be open.
    fn drop_out_of_scope(&mut self, previous: &Observation, seat_of: &[SlotId]) {
        for (before, seat) in previous.rows.iter().zip(seat_of) {
            if !self.scope.covers(&before.socket) && !self.ledger.slots.is_occupied(*seat) {
                self.ledger.slots.release(&before.socket.key());
            }
        }
    }

    fn handle_missing(&mut self, absent: &MissingRow<'_>, asked: bool, previous: &Observation) {
        let MissingRow {
            slot: seat, before, ..
        } = *absent;
        match absent.missing {
            Some(MissingState::Closed { at }) => self.keep_closed(seat, before, at),
            _ if asked => {
                self.mark_missing(seat, before, previous);
                self.update.pending_lookups.push(before.socket);
            }
            None | Some(MissingState::Confirmed) if self.may_omit(&before.socket) => {
                self.mark_missing(seat, before, previous);
            }
            None | Some(MissingState::Confirmed | MissingState::Unconfirmed) => {
                self.mark_closed(seat, before, previous);
            }
        }
    }

    /// Decides for each missing row whether it is looked up. If there are too
    /// many, listeners and established connections come first, since they
    /// matter most, and of these the oldest.
    fn choose_lookups(&self, absent: &[MissingRow<'_>]) -> Vec<bool> {
        let mut asked = vec![false; absent.len()];
        let budget = self.ledger.lookup_budget;
        if budget == 0 {
            return asked;
        }
        let mut places: Vec<usize> = (0..absent.len())
            .filter(|place| {
                let MissingRow {
                    before,
                    missing: absence,
                    ..
                } = &absent[*place];
                // A socket missing for the second time counts as closed.
                let first = matches!(absence, None | Some(MissingState::Confirmed));
                first && self.can_be_looked_up(&before.socket)
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
    fn can_be_looked_up(&self, socket: &Socket) -> bool {
        let known = socket.cookie.is_some() && self.source.has_cookies(socket.protocol);
        let alone = socket.protocol == Protocol::Tcp && socket.peer().is_some();
        known && (alone || !self.incomplete)
    }

    /// True if the table may omit an open socket. `/proc` may, as it reads the
    /// table in pages while it changes.
    fn may_omit(&self, socket: &Socket) -> bool {
        self.incomplete || socket.cookie.is_none() || !self.source.has_cookies(socket.protocol)
    }

    fn keep_closed(&mut self, seat: SlotId, before: &Row, at: Timestamp) {
        if at.age(self.timing.marks.now) < self.timing.keep_closed_for {
            self.carry(seat, *before, MissingState::Closed { at });
        } else {
            self.ledger.slots.release(&before.socket.key());
        }
    }

    fn mark_closed(&mut self, seat: SlotId, before: &Row, previous: &Observation) {
        let at = self.timing.marks.now;
        let closed = phase::closed(before, held_by(before, &previous.holders));
        self.carry(seat, closed, MissingState::Closed { at });
    }

    fn mark_missing(&mut self, seat: SlotId, before: &Row, previous: &Observation) {
        let mut row = phase::unmark(before, self.timing.marks);
        if !self.source.has_cookies(row.socket.protocol) {
            row.socket.cookie = None;
        }
        let key = before.socket.key();
        if !self.ledger.slots.rekey(seat, &key, row.socket.key()) {
            self.ledger.slots.release(&key);
            return;
        }
        row.severity = None;
        row.owners = self.copy_holders(before.owners.resolve(&previous.holders));
        row.metrics = previous
            .table_metrics(before)
            .map(|flow| self.add_metrics(*flow));
        self.carry(seat, row, MissingState::Unconfirmed);
    }

    /// Appends the holders of a row of the last table to those of this one.
    fn copy_holders(&mut self, holders: &[Holder]) -> OwnerSpan {
        let start = row_number(self.update.holders.len());
        self.update.holders.extend_from_slice(holders);
        OwnerSpan {
            start,
            count: u32::try_from(holders.len()).unwrap_or(u32::MAX),
        }
    }

    fn carry(&mut self, seat: SlotId, row: Row, absence: MissingState) {
        self.push(seat, row);
        self.ledger.missing.push(absence);
    }
}
