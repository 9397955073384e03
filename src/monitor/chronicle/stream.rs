//! The stream: what happened last, and what later tables and endings add to it.
//!
//! The kernel tells the end of a socket that it swaps for a small record as that
//! of any other, and what a socket carried only when it lets go of it.

use super::life::Ends;
use crate::model::chronicle::{Fate, Happening, Life, Record, What};
use crate::model::event::Ending;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::time::Stamp;
use foldhash::{HashMap, HashMapExt};
use std::collections::VecDeque;

/// How much of the stream is kept.
pub(super) const STREAM: usize = 500;
/// A socket that its program has left is swapped as soon as the peer has
/// acknowledged its FIN: 2 to 25 µs were seen. One that the program still holds
/// waits for the peer's FIN.
const AT_ONCE_US: u64 = 100;

/// What happened last, the latest last.
#[derive(Default)]
pub(super) struct Stream {
    lines: VecDeque<Happening>,
    /// When the last table was read.
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

    /// Adds what connections carried to the lines of their ends.
    pub(super) fn weigh(&mut self, endings: &[Ending]) {
        if endings.is_empty() {
            return;
        }
        // Whoever breaks off has forgotten the peer by then, and with it what was
        // carried (`tcp_disconnect`): its ending fits to no line.
        let lines = self.lines.iter_mut();
        let mut waiting: HashMap<Ends, &mut Happening> = lines
            .filter(|line| line.carried.is_none() && carries(&line.what))
            .map(|line| (Ends::of(line), line))
            .collect();
        // Of several with the same ends the last are the line's that waits.
        for ending in endings.iter().rev() {
            if let Some(line) = waiting.remove(&Ends::of_socket(&ending.socket)) {
                let finished = has_peer_finished(&line.what, ending);
                line.carried = ending.info.payload(finished);
            }
        }
    }

    /// Says of what the kernel keeps in which state it is, if the table shows
    /// so, and of what no table shows that it has ended; `stirred` are those of
    /// all `rows` to which something happened.
    pub(super) fn recognise<'r>(
        &mut self,
        stirred: impl Iterator<Item = &'r Row>,
        rows: &[Row],
        now: Stamp,
    ) {
        // What happened before the last table was read is in this one.
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

/// Whether it was the last of a connection that may have carried something.
fn carries(what: &What) -> bool {
    match what {
        What::Changed { .. } => false,
        What::Kept { .. } => true,
        What::Ended { from, .. } => *from != Some(State::Listen),
    }
}

/// Whether a table may tell more of it; `fresh` if none has been read since.
fn is_awaited(what: &What, fresh: bool) -> bool {
    match what {
        What::Changed { .. } => false,
        What::Kept { record, .. } => *record != Record::TimeWait,
        // It may be kept: of that nothing is told where only endings are.
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

/// Takes in what a row tells of the line that waits for it.
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

/// What no table shows is not kept: `FIN_WAIT2` has ended with a reset, or the
/// kernel keeps no more (`tcp_max_tw_buckets`).
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

/// Whether the peer's FIN is among the bytes received.
fn has_peer_finished(what: &What, ending: &Ending) -> bool {
    match what {
        What::Kept {
            from: Some(State::FinWait2),
            stayed_us,
            ..
        } => {
            // Swapped with the peer's FIN or without: both is told as the same
            // change. Where nobody holds the socket, nobody reads the FIN. Where
            // somebody does, and the FIN came with the acknowledgement, it is not
            // known, and counted as a byte of data if there was any.
            ending.socket.recv_queue > 0 || stayed_us.is_some_and(|stayed| stayed >= AT_ONCE_US)
        }
        other => other.from().is_some_and(State::has_peer_finished),
    }
}
