//! Waiting time of the oldest connection at each listener, and the time since
//! its program last accepted one.
//!
//! The accept queue is first in, first out (`reqsk_queue_remove` in
//! `include/net/request_sock.h`): while the oldest connection in it stays the
//! same, nothing is accepted. For listeners that share an address
//! (`SO_REUSEPORT`) no table reports whose queue such a connection is in. Where
//! only one of them has a queue, the connection is in that one; otherwise a
//! listener counts as having accepted nothing for as long as its queue has not
//! become shorter, if as many connections have waited for as long.

use super::details::Details;
use super::listeners::Listeners;
use crate::model::accept_wait::AcceptWait;
use crate::model::endpoint::Endpoint;
use crate::model::owner::NoOwnerReason;
use crate::model::row::{Phase, Row};
use crate::model::socket::SocketKey;
use crate::model::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum number of connections of a queue whose waiting time is asked for.
const MAX_PROBED: usize = 64;

/// Listeners with connections not yet accepted, from table to table.
#[derive(Default)]
pub(super) struct AcceptWaits {
    queues: BTreeMap<SocketKey, QueueHistory>,
    /// Connections at the head of a queue, by the row number of its listener, of
    /// the last table.
    heads: Vec<(u32, SocketKey)>,
    /// Waits of the last table, by row number.
    waits: Vec<AcceptWait>,
}

/// History of one listener's queue.
#[derive(Clone, Copy)]
struct QueueHistory {
    length: u32,
    /// Time since which it has connections and has not become shorter.
    not_shorter_since: Timestamp,
    /// Number of connections at that time.
    length_at_mark: u32,
    /// True if it has become shorter, or its head was taken, since it is known.
    accepting: bool,
    /// Oldest connection, if it is known to be in this queue.
    head: Option<QueueHead>,
}

/// Connection that is accepted next.
#[derive(Clone, Copy)]
struct QueueHead {
    key: SocketKey,
    /// Time of its arrival.
    arrived: Timestamp,
    /// Time since which it is the next.
    head_since: Timestamp,
}

/// Listeners that share an address, and the connections waiting for any of
/// them.
#[derive(Default)]
struct SharedListeners {
    /// Row numbers of those with a queue.
    listeners: Vec<u32>,
    /// Row numbers of connections not yet accepted.
    waiting: Vec<u32>,
}

type BindKey = (u32, Endpoint, u32);

impl AcceptWaits {
    /// Processes a table: its rows, with the reasons why some have no owner.
    pub(super) fn fold(
        &mut self,
        rows: &[Row],
        ownerless: &[u32],
        listeners: &Listeners,
        now: Timestamp,
        began: Timestamp,
    ) {
        let before = std::mem::take(&mut self.queues);
        self.heads.clear();
        self.waits.clear();
        for group in groups(rows, ownerless, listeners).into_values() {
            let mut waiting: Vec<&Row> = group
                .waiting
                .iter()
                .filter_map(|number| rows.get(*number as usize))
                .collect();
            waiting.sort_by_key(|row| (row.first_seen, row.socket.key()));
            self.fold_group(&group, &waiting, rows, &before, now, began);
        }
        self.waits.sort_unstable_by_key(|wait| wait.listener);
    }

    fn fold_group(
        &mut self,
        group: &SharedListeners,
        waiting: &[&Row],
        rows: &[Row],
        before: &BTreeMap<SocketKey, QueueHistory>,
        now: Timestamp,
        began: Timestamp,
    ) {
        let sole = group.listeners.len() == 1;
        let mut queues: Vec<(u32, SocketKey, QueueHistory)> = group
            .listeners
            .iter()
            .filter_map(|number| {
                let listener = rows.get(*number as usize)?;
                let key = listener.socket.key();
                let queue = QueueHistory::next(before.get(&key), listener, waiting, sole, now);
                Some((*number, key, queue))
            })
            .collect();
        queues.sort_by_key(|(number, _, queue)| (queue.not_shorter_since, *number));
        let mut claimed_length = 0;
        for (number, key, queue) in queues {
            self.queues.insert(key, queue);
            let head = queue.head.map(|head| (head.arrived, head.head_since));
            let claims = || queue.assign_oldest(waiting, &mut claimed_length, now);
            let Some((oldest, stalled)) = head.or_else(claims) else {
                continue;
            };
            self.waits.push(AcceptWait {
                listener: number,
                oldest: oldest.age(now),
                stalled: stalled.age(now),
                accepting: queue.accepting,
                is_lower_bound: oldest <= began,
            });
            if sole {
                let heads = waiting.iter().take(MAX_PROBED);
                self.heads
                    .extend(heads.map(|row| (number, row.socket.key())));
            }
        }
    }

    /// Applies `TCP_INFO` of connections at the head of a queue. A connection
    /// that is not accepted has sent no data, so the time since data was last
    /// sent is the time since the handshake.
    pub(super) fn apply_details(&mut self, details: &Details) {
        for (listener, key) in &self.heads {
            let Some(detail) = details.find(key) else {
                continue;
            };
            let age = Duration::from_millis(detail.info.last_data_sent_ms.into());
            let place = self
                .waits
                .binary_search_by_key(listener, |wait| wait.listener);
            if let Some(wait) = place.ok().and_then(|place| self.waits.get_mut(place))
                && wait.oldest <= age
            {
                (wait.oldest, wait.is_lower_bound) = (age, false);
            }
        }
    }

    /// Waiting time of each listener's oldest connection, by row number.
    pub(super) fn all(&self) -> &[AcceptWait] {
        &self.waits
    }

    /// Returns the connections whose `TCP_INFO` reports their waiting time.
    pub(super) fn heads(&self) -> impl Iterator<Item = &SocketKey> {
        self.heads.iter().map(|(_, key)| key)
    }
}

impl QueueHistory {
    /// Returns the queue as of the next table. `sole` is true if `waiting`,
    /// oldest first, can be in no other queue.
    fn next(
        before: Option<&Self>,
        listener: &Row,
        waiting: &[&Row],
        sole: bool,
        now: Timestamp,
    ) -> Self {
        let length = listener.socket.recv_queue;
        let kept = before.filter(|before| before.length <= length);
        let (not_shorter_since, length_at_mark) = kept.map_or((now, length), |before| {
            (before.not_shorter_since, before.length_at_mark)
        });
        let known = before.and_then(|before| before.head);
        let stays = known.filter(|head| waiting.iter().any(|row| row.socket.key() == head.key));
        let head_taken = known.is_some() && stays.is_none();
        let shorter = before.is_some_and(|before| length < before.length);
        let follows = |row: &&Row| QueueHead {
            key: row.socket.key(),
            arrived: row.first_seen,
            head_since: match (before, known) {
                // It has headed the queue since it came.
                (None, _) => row.first_seen,
                (Some(_), None) => row.first_seen.max(not_shorter_since),
                (Some(_), Some(_)) => now,
            },
        };
        Self {
            length,
            not_shorter_since,
            length_at_mark,
            accepting: head_taken || shorter || before.is_some_and(|before| before.accepting),
            head: stays.or_else(|| waiting.first().filter(|_| sole).map(follows)),
        }
    }

    /// Returns the time since which the connections that were there when the
    /// queue last became shorter have waited; none if fewer are as old as that,
    /// beside those `claimed` for other listeners. A busy server keeps a full
    /// queue full and still accepts.
    fn assign_oldest(
        &self,
        waiting: &[&Row],
        claimed_length: &mut usize,
        now: Timestamp,
    ) -> Option<(Timestamp, Timestamp)> {
        let old = waiting.partition_point(|row| row.first_seen <= self.not_shorter_since);
        let needed = claimed_length.saturating_add(self.length_at_mark as usize);
        (self.not_shorter_since < now && needed <= old).then(|| {
            *claimed_length = needed;
            (self.not_shorter_since, self.not_shorter_since)
        })
    }
}

/// Listeners with a queue, by bound address, and the connections waiting for
/// them.
fn groups(
    rows: &[Row],
    ownerless: &[u32],
    listeners: &Listeners,
) -> BTreeMap<BindKey, SharedListeners> {
    let bound = |row: &Row| {
        let socket = &row.socket;
        (socket.namespace, socket.local, socket.interface)
    };
    let mut groups: BTreeMap<BindKey, SharedListeners> = BTreeMap::new();
    for (number, row) in listeners.numbered(rows) {
        if row.socket.recv_queue > 0 {
            groups.entry(bound(row)).or_default().listeners.push(number);
        }
    }
    if groups.is_empty() {
        return groups;
    }
    for number in ownerless {
        let Some(row) = rows.get(*number as usize) else {
            continue;
        };
        if row.no_owner_reason == Some(NoOwnerReason::AcceptQueue)
            && row.phase != Phase::Closed
            && let Some(listener) = listeners.best_match(rows, &row.socket)
            && let Some(group) = groups.get_mut(&bound(listener))
        {
            group.waiting.push(*number);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::super::Monitor;
    use super::super::fixture::{reading, socket, table};
    use super::*;
    use crate::model::observation::Observation;
    use crate::model::socket::Socket;
    use crate::model::state::State;
    use std::sync::Arc;

    /// A listener with this many connections in its queue.
    fn listener(number: u16, waiting: u32) -> Socket {
        Socket {
            recv_queue: waiting,
            ..at(number, State::Listen)
        }
    }

    fn at(number: u16, state: State) -> Socket {
        let plain = socket(number.into(), state);
        let remote = match state {
            State::Listen => plain.remote,
            _ => Endpoint::new([127, 0, 0, 1].into(), 40_000 + number),
        };
        Socket {
            local: Endpoint::new([127, 0, 0, 1].into(), 8000),
            remote,
            ..plain
        }
    }

    /// A connection not yet accepted.
    fn waiting(number: u16) -> Socket {
        Socket {
            inode: None,
            ..at(number, State::Established)
        }
    }

    fn fold_table(monitor: &mut Monitor, second: u64, sockets: &[Socket]) -> Arc<Observation> {
        monitor
            .fold(reading(second * 1000, table(sockets)))
            .unwrap()
    }

    fn seconds(observation: &Observation) -> Vec<(u64, u64, bool)> {
        let waits = observation.accept_waits.iter();
        waits
            .map(|wait| {
                (
                    wait.oldest.as_secs(),
                    wait.stalled.as_secs(),
                    wait.is_lower_bound,
                )
            })
            .collect()
    }

    #[test]
    fn the_oldest_connection_tells_how_long_nothing_was_accepted() {
        let mut monitor = Monitor::default();
        assert_eq!(seconds(&fold_table(&mut monitor, 0, &[listener(1, 0)])), []);
        fold_table(&mut monitor, 10, &[listener(1, 1), waiting(5)]);
        let later = [listener(1, 2), waiting(5), waiting(6)];
        let now = fold_table(&mut monitor, 30, &later);
        assert_eq!(seconds(&now), [(20, 20, false)]);
        // It accepts the first: the second has waited as long as it has.
        let accepted = at(5, State::Established);
        let now = fold_table(&mut monitor, 40, &[listener(1, 1), accepted, waiting(6)]);
        assert_eq!(seconds(&now), [(10, 0, false)]);
        let now = fold_table(&mut monitor, 41, &[listener(1, 0)]);
        assert_eq!(seconds(&now), []);
    }

    #[test]
    fn what_waited_before_watching_began_has_waited_at_least_so_long() {
        let mut monitor = Monitor::default();
        let stuck = [listener(1, 1), waiting(5)];
        fold_table(&mut monitor, 0, &stuck);
        assert_eq!(
            seconds(&fold_table(&mut monitor, 45, &stuck)),
            [(45, 45, true)]
        );
    }

    #[test]
    fn of_listeners_that_share_a_port_the_one_with_a_queue_is_meant() {
        let mut monitor = Monitor::default();
        let one = [listener(1, 0), listener(2, 1), waiting(5)];
        fold_table(&mut monitor, 0, &one);
        fold_table(&mut monitor, 10, &one);
        // Another has a moment's queue now.
        let both = [listener(1, 1), listener(2, 1), waiting(5), waiting(6)];
        let now = fold_table(&mut monitor, 20, &both);
        assert_eq!(seconds(&now), [(20, 20, true)]);
        assert_eq!(
            now.rows[1].socket,
            now.rows[now.accept_waits[0].listener as usize].socket
        );
    }

    #[test]
    fn of_two_queues_from_the_beginning_the_one_that_shrinks_is_served() {
        let mut monitor = Monitor::default();
        let old = [waiting(5), waiting(6)];
        let both = |fresh: u16, length| {
            let mut all = vec![listener(1, length), listener(2, 1)];
            all.extend(old);
            all.push(waiting(fresh));
            all
        };
        fold_table(&mut monitor, 0, &both(7, 2));
        fold_table(&mut monitor, 10, &both(8, 1));
        fold_table(&mut monitor, 20, &both(9, 2));
        let now = fold_table(&mut monitor, 30, &both(10, 1));
        assert_eq!(seconds(&now), [(30, 30, true)]);
        assert_eq!(now.accept_waits[0].listener, 1);
    }

    #[test]
    fn a_full_queue_without_old_connections_is_served() {
        let mut monitor = Monitor::default();
        for second in 0..5_u16 {
            let fresh = [waiting(100 + second), waiting(200 + second)];
            let [first, other] = fresh;
            let mut all = vec![listener(1, 1), listener(2, 1), first, other];
            // Those of the table before have been accepted.
            let before = [99 + second, 199 + second].map(|number| at(number, State::Established));
            all.extend(before);
            let now = fold_table(&mut monitor, 10 * u64::from(second), &all);
            assert!(
                seconds(&now).iter().all(|(oldest, ..)| *oldest < 10),
                "{second}"
            );
        }
    }
}
