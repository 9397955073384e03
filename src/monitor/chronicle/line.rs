//! A line of the stream, drafted from what was told: who it was, and what became
//! of the connection.

use super::life::Ends;
use super::lives::{Meaning, Turn};
use crate::model::chronicle::{Fate, Happening, Life, Record, What};
use crate::model::endpoint::Endpoint;
use crate::model::event::{Caller, Change, Ending};
use crate::model::observation::Observation;
use crate::model::row::Row;
use crate::model::state::State;
use foldhash::HashMap;

/// A change that becomes a line of the stream.
pub(super) struct Drafted {
    pub(super) line: Happening,
    /// Whether a listener here took the connection.
    pub(super) accepted: bool,
    /// Whether it is a line only if a row of the table has its ends.
    pub(super) doubtful: bool,
    /// Whether it was doubtful, and a row has.
    pub(super) confirmed: bool,
}

/// The line of a change.
pub(super) fn happening(change: &Change, meaning: &Meaning) -> Happening {
    // Both SYN_RECV and what follows are told when the third segment comes.
    let known = change.from != State::SynReceived;
    let stayed_us = meaning.stayed_us.filter(|_| known);
    let from = Some(change.from);
    let what = match meaning.turn {
        Turn::GoesOn => What::Changed {
            from: change.from,
            to: change.to,
            stayed_us,
        },
        Turn::IsKept => What::Kept {
            from,
            stayed_us,
            record: match change.from {
                State::Closing => Record::TimeWait,
                _ => Record::Unseen,
            },
        },
        Turn::Ends(end) => What::Ended {
            from,
            stayed_us,
            life: Life {
                lasted_us: end.lasted_us,
                unseen: end.unseen,
                fate: end.fate,
            },
        },
    };
    Happening {
        at_us: change.at_us,
        owner: meaning.caller.as_deref().cloned(),
        local: change.local,
        remote: change.remote,
        what,
        carried: None,
    }
}

/// All that is known where only endings are told.
pub(super) fn ended_only(ending: &Ending, latest: Option<&Observation>) -> Happening {
    let key = ending.socket.key();
    let row = latest.and_then(|latest| {
        let mut rows = latest.rows.iter();
        rows.find(|row| row.socket.key() == key)
    });
    let from = row.map(|row| row.socket.state);
    let finished = from.is_some_and(State::has_peer_finished) || ending.socket.recv_queue > 0;
    Happening {
        at_us: ending.at_us,
        owner: row.zip(latest).and_then(|(row, latest)| owner(row, latest)),
        local: ending.socket.local,
        remote: row.map_or(ending.socket.remote, |row| row.socket.remote),
        what: What::Ended {
            from,
            stayed_us: None,
            life: Life {
                lasted_us: None,
                unseen: row.is_none(),
                fate: Fate::Unknown,
            },
        },
        carried: (from != Some(State::Listen))
            .then(|| ending.info.payload(finished))
            .flatten(),
    }
}

/// Finds the owners of connections that nobody here called for, or that were
/// there before: by their rows, else by the listener that took them.
pub(super) fn find_owners(lines: &mut [Drafted], latest: &Observation) {
    let mut wanted: HashMap<Ends, Vec<usize>> = HashMap::default();
    for (place, drafted) in lines.iter().enumerate() {
        if drafted.line.owner.is_none() || drafted.doubtful {
            let ends = Ends::of(&drafted.line);
            wanted.entry(ends).or_default().push(place);
        }
    }
    if wanted.is_empty() {
        return;
    }
    for row in latest.rows.iter() {
        if let Some(places) = wanted.get(&Ends::of_socket(&row.socket)) {
            let owner = owner(row, latest);
            for place in places {
                if let Some(drafted) = lines.get_mut(*place) {
                    drafted.confirmed |= std::mem::take(&mut drafted.doubtful);
                    let known = &mut drafted.line.owner;
                    *known = known.take().or_else(|| owner.clone());
                }
            }
        }
    }
    for Drafted { line, accepted, .. } in lines {
        if *accepted && line.owner.is_none() {
            line.owner = listener(line.local, latest).and_then(|row| owner(row, latest));
        }
    }
}

/// The only listener that can have taken a connection to this end.
fn listener(local: Endpoint, latest: &Observation) -> Option<&Row> {
    let first = latest
        .listeners
        .partition_point(|(port, _)| *port < local.port);
    let mut fitting = latest.listeners[first..]
        .iter()
        .take_while(|(port, _)| *port == local.port)
        .filter_map(|(_, number)| latest.rows.get(*number as usize))
        .filter(|row| {
            let bound = row.socket.local;
            bound.address() == local.address() || bound.is_unspecified()
        });
    let found = fitting.next()?;
    fitting.next().is_none().then_some(found)
}

fn owner(row: &Row, latest: &Observation) -> Option<Caller> {
    let holder = row.owners.of(&latest.holders).first();
    let process = match (holder, row.last_owner) {
        (Some(holder), _) => holder.process,
        (None, last) => last?.process(),
    };
    let process = latest.processes.get(process.0 as usize)?;
    (process.pid != 0).then(|| Caller {
        pid: process.pid,
        name: process.name.clone(),
        start_ticks: process.start_ticks,
        namespace: None,
    })
}
