//! Event log entries made from state changes: owner and outcome of the
//! connection.

use super::life::Ends;
use super::lives::{Meaning, Turn};
use super::stream::STREAM;
use super::whereabouts::Place;
use crate::model::chronicle::{Fate, Happening, Life, Record, What};
use crate::model::endpoint::Endpoint;
use crate::model::event::{Caller, Change, Ending};
use crate::model::observation::Observation;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::state::State;
use foldhash::{HashMap, HashSet};
use std::collections::VecDeque;

/// A change that is to become an entry of the event log.
pub(super) struct Drafted {
    pub(super) line: Happening,
    /// True if a listener here is known to have accepted the connection.
    pub(super) accepted: bool,
    pub(super) certainty: Certainty,
}

/// Confidence that a change belongs to the watched namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certainty {
    /// It does.
    Sure,
    /// Only if a row of the table has its addresses.
    Doubtful,
    /// A row has its addresses.
    Confirmed,
}

/// The latest of many changes. Those that may be of another namespace do not
/// displace those of the watched one.
#[derive(Default)]
pub(super) struct Latest {
    here: VecDeque<(usize, Meaning)>,
    unsure: VecDeque<(usize, Meaning)>,
}

impl Latest {
    /// Adds the classification of the change with this number.
    pub(super) fn push(&mut self, number: usize, meaning: Meaning) {
        let last = match meaning.place {
            Place::Here | Place::Unknown => &mut self.here,
            Place::Unsure | Place::Elsewhere => &mut self.unsure,
        };
        if last.len() == STREAM {
            last.pop_front();
        }
        last.push_back((number, meaning));
    }

    /// Returns their events, in the order of the changes; `only` is the namespace that is watched,
    /// if it is the only one.
    pub(super) fn drafted(self, changes: &[Change], only: Option<u32>) -> Vec<Drafted> {
        let mut last: Vec<_> = self.here.into_iter().chain(self.unsure).collect();
        last.sort_unstable_by_key(|(number, _)| *number);
        let lines = last.iter().filter_map(|(number, meaning)| {
            Some(Drafted {
                line: happening(changes.get(*number)?, meaning, only),
                accepted: meaning.accepted && meaning.place != Place::Unknown,
                certainty: match meaning.place {
                    Place::Here | Place::Unknown => Certainty::Sure,
                    Place::Unsure | Place::Elsewhere => Certainty::Doubtful,
                },
            })
        });
        lines.collect()
    }
}

/// The event of a change.
fn happening(change: &Change, meaning: &Meaning, only: Option<u32>) -> Happening {
    // Both SYN_RECV and what follows are reported when the third segment comes.
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
        namespace: only
            .filter(|_| meaning.place == Place::Here)
            .or_else(|| meaning.caller.as_ref()?.namespace)
            .unwrap_or(0),
        local: change.local,
        remote: change.remote,
        what,
        carried: None,
    }
}

/// Events where only destroyed sockets are reported.
pub(super) fn ended_only(endings: &[Ending], latest: Option<&Observation>) -> Vec<Happening> {
    if endings.is_empty() {
        // A large table is not walked without need.
        return Vec::new();
    }
    let wanted: HashSet<SocketKey> = endings.iter().map(|ending| ending.socket.key()).collect();
    let rows = latest.into_iter().flat_map(|latest| latest.rows.iter());
    let rows: HashMap<SocketKey, &Row> = rows
        .map(|row| (row.socket.key(), row))
        .filter(|(key, _)| wanted.contains(key))
        .collect();
    let lines = endings.iter().map(|ending| {
        let row = rows.get(&ending.socket.key()).copied();
        ended(ending, row, latest)
    });
    lines.collect()
}

/// Event of a destroyed socket, with its row in the last table.
fn ended(ending: &Ending, row: Option<&Row>, latest: Option<&Observation>) -> Happening {
    let from = row.map(|row| row.socket.state);
    let finished = from.is_some_and(State::has_peer_finished) || ending.socket.recv_queue > 0;
    Happening {
        at_us: ending.at_us,
        owner: row.zip(latest).and_then(|(row, latest)| owner(row, latest)),
        namespace: ending.socket.namespace,
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

/// Finds the owners of connections without a calling process: by their rows,
/// else by the listener that accepted them. Confirms events of rows in the
/// table.
pub(super) fn find_owners(lines: &mut [Drafted], latest: &Observation) {
    let mut wanted: HashMap<Ends, Vec<usize>> = HashMap::default();
    for (place, drafted) in lines.iter().enumerate() {
        let line = &drafted.line;
        let placed = line.namespace != 0 && drafted.certainty != Certainty::Doubtful;
        if line.owner.is_none() || !placed {
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
                    if drafted.certainty == Certainty::Doubtful {
                        drafted.certainty = Certainty::Confirmed;
                    }
                    drafted.line.namespace = row.socket.namespace;
                    let known = &mut drafted.line.owner;
                    *known = known.take().or_else(|| owner.clone());
                }
            }
        }
    }
    for Drafted { line, accepted, .. } in lines {
        if *accepted && line.owner.is_none() {
            let listener = listener(line.local, latest);
            line.owner = listener.and_then(|row| owner(row, latest));
            if line.namespace == 0 {
                line.namespace = listener.map_or(0, |row| row.socket.namespace);
            }
        }
    }
}

/// The only listener that can have accepted a connection to this address.
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
