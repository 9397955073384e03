//! Log of the latest events, and what later tables and destroyed sockets add to
//! it.
//!
//! The kernel reports the end of a socket that it replaces by a minisocket like
//! any other end, and its byte counts only when it frees the full socket.

use super::life::Ends;
use crate::model::chronicle::{Fate, Happening, Life, Record, What};
use crate::model::event::Ending;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::time::Stamp;
use foldhash::{HashMap, HashMapExt};
use std::collections::VecDeque;

/// Maximum number of events kept.
pub(super) const STREAM: usize = 500;
/// Longest time in `FIN_WAIT2` of a socket without a program: it is replaced as
/// soon as the peer has acknowledged its FIN (2 to 25 µs measured). One that
/// the program still holds waits for the peer's FIN.
const AT_ONCE_US: u64 = 100;

/// Latest events, the newest last.
#[derive(Default)]
pub(super) struct Stream {
    lines: VecDeque<Happening>,
    /// Time of the last table.
    table: Stamp,
}

impl Stream {
    pub(super) fn extend(&mut self, lines: impl Iterator<Item = Happening>) {
        self.lines.extend(lines);
        let surplus = self.lines.len().saturating_sub(STREAM);
        self.lines.drain(..surplus);
    }

    pub(super) fn lines(&self) -> Vec<Happening> {
        self.lines.iter().cloned().collect()
    }

    /// Attaches byte counts to the last events of connections.
    pub(super) fn weigh(&mut self, endings: &[Ending]) {
        if endings.is_empty() {
            return;
        }
        // An aborted socket has lost the peer's port, and with it the byte
        // counts (`tcp_disconnect`): its destruction matches no event.
        let lines = self.lines.iter_mut();
        let mut waiting: HashMap<Ends, &mut Happening> = lines
            .filter(|line| line.carried.is_none() && carries(&line.what))
            .map(|line| (Ends::of(line), line))
            .collect();
        // Of several with the same addresses, the last belongs to the event
        // that waits.
        for ending in endings.iter().rev() {
            if let Some(line) = waiting.remove(&Ends::of_socket(&ending.socket)) {
                let finished = has_peer_finished(&line.what, ending);
                line.carried = ending.info.payload(finished);
            }
        }
    }

    /// Sets the state of retained minisockets that the table shows, and marks
    /// those that no table shows as ended; `stirred` are those of all `rows`
    /// that changed.
    pub(super) fn recognise<'r>(
        &mut self,
        stirred: impl Iterator<Item = &'r Row>,
        rows: &[Row],
        now: Stamp,
    ) {
        // Events before the last table was read are in this one.
        let limit = u64::from(self.table.0) * 10_000;
        let mut awaited: HashMap<Ends, &mut Happening> = HashMap::new();
        for line in &mut self.lines {
            if is_awaited(&line.what, line.at_us >= limit) {
                awaited.insert(Ends::of(line), line);
            }
        }
        if !awaited.is_empty() {
            for row in stirred {
                settle(&mut awaited, row);
            }
            let overdue = |line: &&mut Happening| line.at_us < limit && is_unseen(&line.what);
            if awaited.values().any(overdue) {
                for row in rows {
                    settle(&mut awaited, row);
                }
                awaited.into_values().filter(overdue).for_each(give_up);
            }
        }
        self.table = now;
    }
}

/// True for the last event of a connection that may have carried data.
fn carries(what: &What) -> bool {
    match what {
        What::Changed { .. } => false,
        What::Kept { .. } => true,
        What::Ended { from, .. } => *from != Some(State::Listen),
    }
}

/// True if a table may add to the event; `fresh` if none has been read since
/// it.
fn is_awaited(what: &What, fresh: bool) -> bool {
    match what {
        What::Changed { .. } => false,
        What::Kept { record, .. } => *record != Record::TimeWait,
        // It may be retained as a minisocket: nothing reports that where only
        // destroyed sockets are reported.
        What::Ended { from, life, .. } => fresh && from.is_none() && life.unseen,
    }
}

fn is_unseen(what: &What) -> bool {
    matches!(
        what,
        What::Kept {
            record: Record::Unseen,
            ..
        }
    )
}

/// Sets the state of the event that waits for this row.
fn settle(awaited: &mut HashMap<Ends, &mut Happening>, row: &Row) {
    let record = match row.socket.state {
        State::TimeWait => Record::TimeWait,
        State::FinWait2 => Record::FinWait2,
        _ => return,
    };
    if row.phase == Phase::Closed {
        return;
    }
    if let Some(line) = awaited.get_mut(&Ends::of_socket(&row.socket)) {
        line.what = What::Kept {
            from: line.what.from(),
            stayed_us: line.what.stayed_us(),
            record,
        };
    }
}

/// Marks an event as ended. A minisocket in no table is not retained:
/// `FIN_WAIT2` ended with a reset, or the kernel keeps no more of them
/// (`tcp_max_tw_buckets`).
fn give_up(line: &mut Happening) {
    line.what = What::Ended {
        from: line.what.from(),
        stayed_us: line.what.stayed_us(),
        life: Life {
            lasted_us: None,
            unseen: false,
            fate: Fate::Unknown,
        },
    };
}

/// True if the peer's FIN is among the bytes received.
fn has_peer_finished(what: &What, ending: &Ending) -> bool {
    match what {
        What::Kept {
            from: Some(State::FinWait2),
            stayed_us,
            ..
        } => {
            // Replaced with the peer's FIN or without: both are reported as the
            // same change. Without a holder, nobody reads the FIN. With a
            // holder, and the FIN in the same segment as the acknowledgement,
            // it is unknown, and counts as a byte of data if there was any.
            ending.socket.recv_queue > 0 || stayed_us.is_some_and(|stayed| stayed >= AT_ONCE_US)
        }
        other => other.from().is_some_and(State::has_peer_finished),
    }
}
