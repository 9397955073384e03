//! Keeps `TCP_INFO` of the connections it was last read of, and computes rates
//! from two readings.

use crate::model::observation::ConnectionDetail;
use crate::model::socket::SocketKey;
use crate::model::tcp_info::TcpInfo;
use crate::model::tcp_metrics::{TcpCounters, TcpMetrics};
use crate::model::time::{Time, Timestamp};

/// Details of the last reading that had any, ascending by key. A connection
/// that is not read again is forgotten, so there are never more than in one
/// reading.
#[derive(Default)]
pub(super) struct Details {
    known: Vec<ConnectionDetail>,
    read_at: Timestamp,
}

impl Details {
    /// Processes a reading.
    pub(super) fn fold(&mut self, read: Vec<(SocketKey, TcpInfo)>, time: Time) {
        let monotonic_ms = time.monotonic_ms;
        self.read_at = time.timestamp();
        let mut fresh: Vec<ConnectionDetail> = read
            .into_iter()
            .map(|(key, info)| {
                let sample = TcpCounters::from(&info);
                let flow = match self.find(&key) {
                    Some(before) => before.metrics.advance(&sample, monotonic_ms),
                    None => TcpMetrics::from_first(&sample, monotonic_ms),
                };
                ConnectionDetail {
                    key,
                    info,
                    metrics: flow,
                }
            })
            .collect();
        fresh.sort_unstable_by_key(|detail| detail.key);
        fresh.dedup_by(|left, right| left.key == right.key);
        self.known = fresh;
    }

    /// Details of one connection, if known.
    pub(super) fn find(&self, key: &SocketKey) -> Option<&ConnectionDetail> {
        let place = self
            .known
            .binary_search_by(|detail| detail.key.cmp(key))
            .ok()?;
        self.known.get(place)
    }

    /// When they were read.
    pub(super) fn read_at(&self) -> Timestamp {
        self.read_at
    }

    /// All known details, ascending by key.
    pub(super) fn all(&self) -> &[ConnectionDetail] {
        &self.known
    }
}

#[cfg(test)]
mod tests {
    use super::super::Monitor;
    use super::super::fixture::{reading, table, with_cookie};
    use super::*;
    use crate::model::observation::Observation;
    use crate::model::reading::{Reading, ReadingKind, Snapshot};
    use crate::model::socket::Socket;
    use crate::model::state::State;
    use crate::model::tcp_metrics::{ByteCounts, Rate};
    use crate::model::time::Time;
    use crate::model::timer::{Timer, TimerKind};
    use std::sync::Arc;

    fn info(received: u64) -> TcpInfo {
        TcpInfo {
            rtt_us: Some(40),
            bytes_received: Some(received),
            bytes_acked: Some(0),
            ..TcpInfo::default()
        }
    }

    fn details(monotonic_ms: u64, read: &[(Socket, u64)]) -> Reading {
        let read = read
            .iter()
            .map(|(socket, received)| (socket.key(), info(*received)));
        Reading {
            time: Time {
                wall_ms: 0,
                monotonic_ms,
            },
            kind: ReadingKind::Details(read.collect()),
        }
    }

    fn rx(observation: &Observation, place: usize) -> Option<u64> {
        let flow = observation.tcp_metrics(&observation.rows[place])?;
        flow.rx_rate.map(Rate::bytes_per_second)
    }

    #[test]
    fn details_change_neither_rows_nor_number() {
        let sockets = [1, 2].map(|number| with_cookie(number, State::Established));
        let mut monitor = Monitor::default();
        assert!(monitor.fold(details(0, &[(sockets[0], 5)])).is_none());
        let first = monitor.fold(reading(0, table(&sockets))).unwrap();
        let second = monitor.fold(details(0, &[(sockets[0], 5)])).unwrap();
        assert!(Arc::ptr_eq(&first.rows, &second.rows));
        assert_eq!((second.table_number, rx(&second, 0)), (1, None));
        assert_eq!(second.detail(&second.rows[0]).unwrap().info, info(5));
        assert_eq!(second.detail(&second.rows[1]), None);
    }

    #[test]
    fn rates_go_on_over_tables_and_end_with_the_interest() {
        let sockets = [1, 2].map(|number| with_cookie(number, State::Established));
        let mut monitor = Monitor::default();
        monitor.fold(reading(0, table(&sockets)));
        monitor.fold(details(0, &[(sockets[1], 0), (sockets[0], 1000)]));
        // Details stay until they are read again.
        let seen = monitor.fold(reading(2000, table(&sockets))).unwrap();
        assert!(seen.tcp_metrics(&seen.rows[1]).is_some());
        let seen = monitor
            .fold(details(2000, &[(sockets[0], 5000), (sockets[1], 3)]))
            .unwrap();
        assert_eq!((rx(&seen, 0), rx(&seen, 1)), (Some(2000), Some(1)));
        let seen = monitor.fold(details(3000, &[(sockets[0], 5000)])).unwrap();
        assert_eq!(rx(&seen, 0), Some(0));
        assert!(seen.tcp_metrics(&seen.rows[1]).is_none());
    }

    #[test]
    fn a_socket_that_is_told_of_twice_is_kept_once() {
        let socket = with_cookie(1, State::Established);
        let mut monitor = Monitor::default();
        monitor.fold(reading(0, table(&[socket])));
        let seen = monitor
            .fold(details(0, &[(socket, 1), (socket, 1)]))
            .unwrap();
        assert_eq!(seen.details.len(), 1);
    }

    /// A table in which each socket has received this number of bytes.
    fn with_counters(received: &[(Socket, Option<u64>)]) -> Snapshot {
        let sockets: Vec<Socket> = received.iter().map(|(socket, _)| *socket).collect();
        let sample = |received| TcpCounters {
            rtt_us: Some(40),
            total_retransmits: 2,
            bytes: Some(ByteCounts { received, acked: 0 }),
        };
        Snapshot {
            tcp_counters: received
                .iter()
                .map(|(_, received)| received.map(sample))
                .collect(),
            ..table(&sockets)
        }
    }

    #[test]
    fn tables_may_tell_what_every_row_carries() {
        let [one, two, listener] = [
            with_cookie(1, State::Established),
            with_cookie(2, State::Established),
            with_cookie(3, State::Listen),
        ];
        let mut monitor = Monitor::default();
        let first = with_counters(&[(one, Some(0)), (two, Some(0)), (listener, None)]);
        let seen = monitor.fold(reading(0, first)).unwrap();
        assert_eq!((rx(&seen, 0), seen.rows[2].metrics), (None, None));
        assert_eq!(seen.retransmits(&seen.rows[0]), Some(2));
        // In another order, and one of them twice.
        let second = [(two, Some(500)), (one, Some(7000)), (two, Some(500))];
        let seen = monitor.fold(reading(1000, with_counters(&second))).unwrap();
        assert_eq!((rx(&seen, 0), rx(&seen, 1)), (Some(500), Some(7000)));
        // Counters that are no longer read are no longer shown.
        let seen = monitor.fold(reading(2000, table(&[one, two]))).unwrap();
        assert_eq!(rx(&seen, 0), None);
        assert!(seen.tcp_metrics.is_empty());
    }

    #[test]
    fn connections_whose_data_does_not_get_through_are_asked_about() {
        let waiting = |number, kind, retransmits| Socket {
            send_queue: 700,
            timer: Some(Timer {
                kind,
                expires_ms: 300,
                retransmits,
            }),
            ..with_cookie(number, State::Established)
        };
        let sockets = [
            with_cookie(1, State::Established),
            waiting(2, TimerKind::Retransmit, 0),
            waiting(3, TimerKind::Retransmit, 4),
            waiting(4, TimerKind::ZeroWindowProbe, 0),
        ];
        let mut monitor = Monitor::default();
        monitor.fold(reading(0, table(&sockets)));
        assert_eq!(monitor.probed(), &sockets[2..]);
    }
}
