//! Ages of sockets that were there when watching began: `TCP_INFO` bounds them from
//! below.
//!
//! Such a row keeps its state from the first table until it is seen to change it. What
//! was read in between was read in that state, or in a later one, for which the same
//! bound holds.

use super::details::Details;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::unwatched::Unwatched;
use std::sync::Arc;

/// Best bounds so far, ascending by key.
#[derive(Default)]
pub(super) struct Ages {
    known: Arc<Vec<Unwatched>>,
}

impl Ages {
    /// Raises the bounds as far as details tell, and forgets those of sockets that are gone
    /// or have been seen to enter a state; `find` gives the row of a key.
    pub(super) fn update<'r>(
        &mut self,
        details: &Details,
        find: impl Fn(&SocketKey) -> Option<&'r Row>,
    ) {
        let waits = |key: &SocketKey| find(key).filter(|row| !row.saw_state_entry);
        let told = details.all().iter().filter_map(|detail| {
            let row = waits(&detail.key)?;
            let age = detail.info.least_age(row.socket.state)?;
            let watched = row.state_since.age(details.read_at());
            Some(Unwatched {
                key: detail.key,
                at_least: age.checked_sub(watched)?,
            })
        });
        let kept = self
            .known
            .iter()
            .filter(|known| waits(&known.key).is_some());
        let mut known: Vec<Unwatched> = kept.copied().chain(told).collect();
        if known.len() == self.known.len() && known == *self.known {
            return;
        }
        known.sort_unstable_by(|left, right| {
            let by_key = left.key.cmp(&right.key);
            by_key.then(right.at_least.cmp(&left.at_least))
        });
        known.dedup_by_key(|known| known.key);
        self.known = Arc::new(known);
    }

    /// All bounds.
    pub(super) fn all(&self) -> Arc<Vec<Unwatched>> {
        Arc::clone(&self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Monitor;
    use super::super::fixture::{reading, table, with_cookie};
    use crate::model::observation::Observation;
    use crate::model::reading::{Reading, ReadingKind};
    use crate::model::state::State;
    use crate::model::tcp_info::TcpInfo;
    use crate::model::time::Time;

    #[test]
    fn ages_are_raised_at_once_on_demand_and_else_with_the_next_table() {
        let sockets = [
            with_cookie(1, State::Established),
            with_cookie(2, State::CloseWait),
            with_cookie(3, State::Established),
        ];
        let idle = |quiet_ms, acked_ms| TcpInfo {
            last_data_sent_ms: quiet_ms,
            last_ack_received_ms: acked_ms,
            ..TcpInfo::default()
        };
        let read = |monotonic_ms, quiet_ms, acked_ms| Reading {
            time: Time {
                wall_ms: 0,
                monotonic_ms,
            },
            kind: ReadingKind::Details(
                sockets[..2]
                    .iter()
                    .map(|socket| (socket.key(), idle(quiet_ms, acked_ms)))
                    .collect(),
            ),
        };
        let seconds = |seen: &Observation| {
            let ages = seen.rows.iter().map(|row| {
                let age = seen.state_age(row);
                assert!(!age.is_exact);
                age.at_least.as_secs()
            });
            ages.collect::<Vec<u64>>()
        };
        let mut once = Monitor::default();
        once.fold(reading(0, table(&sockets)));
        let seen = once.learn_ages(read(0, 600_000, 300_000)).unwrap();
        assert_eq!((seconds(&seen), seen.details.len()), (vec![600, 300, 0], 0));

        let mut live = Monitor::default();
        live.fold(reading(1000, table(&sockets)));
        let seen = live.fold(read(1500, 600_500, 300_500)).unwrap();
        assert_eq!(seconds(&seen), [0, 0, 0]);
        let seen = live.fold(reading(2000, table(&sockets))).unwrap();
        assert_eq!(seconds(&seen), [601, 301, 1]);
        // Data that comes later makes nothing younger.
        live.fold(read(2500, 10, 10));
        let seen = live.fold(reading(3000, table(&sockets))).unwrap();
        assert_eq!(seconds(&seen), [602, 302, 2]);
        // And a state that was seen to begin has its age.
        let mut closed = sockets;
        closed[0].state = State::CloseWait;
        live.fold(read(3500, 600_000, 600_000));
        let seen = live.fold(reading(4000, table(&closed))).unwrap();
        let age = seen.state_age(&seen.rows[0]);
        assert_eq!((age.at_least.as_secs(), age.is_exact), (0, true));
    }
}
