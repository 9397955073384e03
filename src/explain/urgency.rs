//! Urgency of every row of an observation, cheap enough for a hundred thousand of
//! them: rows that cannot be urgent are recognised by their queues and timers,
//! and only the others are diagnosed.

use super::diagnosis::urgency_with_relations;
use super::similar::SimilarIndex;
use crate::model::observation::Observation;
use crate::model::owner::NoOwnerReason;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::timer::TimerKind;
pub use crate::model::urgency::{RowUrgencies, Urgency};

/// Returns the urgent rows of an observation.
#[must_use]
pub fn urgencies(observation: &Observation) -> RowUrgencies {
    let siblings = SimilarIndex::new(observation);
    let ports_matter = time_wait_may_exhaust_ports(observation);
    let may_be_lost = has_missing_bind_targets(observation);
    RowUrgencies::new(observation, |row| {
        let is_lost = || may_be_lost && observation.missing_bind_target(&row.socket).is_some();
        if cannot_be_urgent(row, ports_matter) && !is_lost() {
            Urgency::Normal
        } else {
            urgency_with_relations(row, observation, &siblings)
        }
    })
}

/// Evaluates the same rows as in an earlier observation, the urgencies of which are
/// known: only rows with details or events in either may have changed.
#[must_use]
pub fn urgencies_after(
    before: &Observation,
    known: &RowUrgencies,
    observation: &Observation,
) -> RowUrgencies {
    let siblings = SimilarIndex::new(observation);
    let ports_matter = time_wait_may_exhaust_ports(observation);
    let is_read = |row: &Row| {
        let key = row.socket.key();
        // How long connections have waited is told by their listener.
        row.socket.state == State::Listen
            || [before, observation].iter().any(|world| {
                world.detail(row).is_some() || world.event_history.timeline(&key).is_some()
            })
    };
    let mut numbers = 0..;
    RowUrgencies::new(observation, |row| {
        let number = numbers.next().unwrap_or(u32::MAX);
        if cannot_be_urgent(row, ports_matter) || !is_read(row) {
            known.of_row_number(number)
        } else {
            urgency_with_relations(row, observation, &siblings)
        }
    })
}

/// True if no evidence of a row in this state can make it urgent. Bulk rows
/// must be recognised here; any other is only slower.
fn cannot_be_urgent(row: &Row, ports_matter: bool) -> bool {
    if row.phase == Phase::Closed {
        return true;
    }
    let socket = &row.socket;
    match (socket.protocol, socket.state) {
        (_, State::Closed | State::BoundInactive) => true,
        (_, State::TimeWait) => !ports_matter,
        (Protocol::Tcp, State::Established) => {
            let rests = socket
                .timer
                .is_none_or(|timer| timer.kind == TimerKind::Keepalive && timer.retransmits == 0);
            let empty = socket.recv_queue == 0 && socket.send_queue == 0;
            let itself = socket.local == socket.remote;
            rests && empty && !itself && row.no_owner_reason != Some(NoOwnerReason::AcceptQueue)
        }
        (Protocol::Udp, State::Established | State::Unconnected) => socket.recv_queue == 0,
        _ => false,
    }
}

/// True if any address or interface that sockets are bound to is missing.
fn has_missing_bind_targets(observation: &Observation) -> bool {
    let mut networks = observation.namespace_addresses.iter();
    !observation.gone_interfaces.is_empty()
        || networks.any(|known| !known.missing_addresses.is_empty())
}

/// True if there are enough `TIME_WAIT` rows to take half of the local ports.
fn time_wait_may_exhaust_ports(observation: &Observation) -> bool {
    let present = observation.state_counts.tcp(State::TimeWait);
    let half = observation
        .limits
        .local_ports
        .and_then(|(first, last)| last.checked_sub(first))
        .map_or(0, |ports| {
            let reserved = observation.limits.reserved_ports.unwrap_or(0);
            (u32::from(ports) + 1).saturating_sub(reserved) / 2
        });
    present >= half
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::urgency;
    use super::super::similar::{Relations, SimilarIndex};
    use super::*;
    use crate::filter::test_world::{row, world};
    use crate::model::limits::Limits;
    use crate::model::namespace_addresses::NamespaceAddresses;
    use crate::model::observation::ConnectionDetail;
    use crate::model::owner::OwnerSpan;
    use crate::model::tcp_info::TcpInfo;
    use crate::model::tcp_metrics::TcpMetrics;
    use crate::model::time::{Time, Timestamp};
    use crate::model::timer::Timer;
    use proptest::prelude::*;
    use std::num::{NonZeroU32, NonZeroU64};
    use std::sync::Arc;

    /// Rows with everything in the row itself that the diagnosis depends on.
    fn any_row() -> impl Strategy<Value = Row> {
        let kind = (0..State::ALL.len(), any::<bool>(), 0_u16..4, 0_u16..4);
        let queues = (0_u32..3, 0_u32..3, any::<bool>());
        let timer = (0..TimerKind::ALL.len(), 0_u8..4, any::<bool>());
        let history = (0_u32..12_000, 0_u32..3, 0_u8..4);
        (kind, queues, timer, history).prop_map(|(kind, queues, timer, history)| {
            let (state, udp, local, remote) = kind;
            let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
            let ends = [local, remote].map(|port| format!("192.0.2.{port}:{port}"));
            let mut row = row(protocol, State::ALL[state], &ends[0], &ends[1]);
            let scale = if queues.2 { 1 } else { 200_000 };
            row.socket.recv_queue = queues.0 * scale;
            row.socket.send_queue = queues.1 * scale;
            row.socket.timer = timer.2.then_some(Timer {
                kind: TimerKind::ALL[timer.0],
                expires_ms: 3000,
                retransmits: timer.1,
            });
            row.socket.inode = NonZeroU32::new(history.1);
            row.state_since = Timestamp(history.0);
            row.no_owner_reason = (history.2 == 1).then_some(NoOwnerReason::AcceptQueue);
            row.owners = OwnerSpan {
                start: 0,
                count: u32::from(history.2 > 1),
            };
            if history.2 == 3 {
                row.phase = Phase::Closed;
            }
            row
        })
    }

    fn of(rows: Vec<Row>) -> Observation {
        let mut world = world();
        world.time = Time {
            monotonic_ms: 120_000,
            ..world.time
        };
        world.table_number = 2;
        world.limits = Limits {
            local_ports: Some((1, 4)),
            ..world.limits
        };
        for row in rows.iter().filter(|row| row.phase != Phase::Closed) {
            world
                .state_counts
                .increment(row.socket.protocol, row.socket.state);
        }
        world.namespace_addresses = rows
            .first()
            .map(|row| NamespaceAddresses {
                namespace: row.socket.namespace,
                is_loopback_only: false,
                reachable_interfaces: Vec::new(),
                missing_addresses: vec![std::net::Ipv4Addr::new(192, 0, 2, 1).into()],
            })
            .into_iter()
            .collect();
        world.listeners = (0_u32..)
            .zip(&rows)
            .filter(|(_, row)| row.socket.state == State::Listen)
            .map(|(number, row)| (row.socket.local.port, number))
            .collect();
        world.listeners.sort_unstable();
        world.rows = Arc::new(rows);
        world
    }

    proptest! {
        #[test]
        fn every_row_is_as_urgent_as_its_diagnosis(
            rows in proptest::collection::vec(any_row(), 0..40)
        ) {
            let world = of(rows);
            let urgencies = urgencies(&world);
            let counted = SimilarIndex::new(&world);
            for (number, row) in (0_u32..).zip(world.rows.iter()) {
                let single = urgency(row, &world);
                prop_assert_eq!(urgencies.of_row_number(number), single, "{:?}", row);
                let (many, one) = (counted.of(row), Relations::of(row, &world));
                prop_assert_eq!(many.similar, one.similar);
                prop_assert_eq!(many.half_open, one.half_open);
            }
        }
    }

    /// Details that the urgency of a row may depend on.
    fn any_info() -> impl Strategy<Value = TcpInfo> {
        let path = (0_u32..2, 0_u32..2, any::<bool>());
        let times = (0_u32..2, 0_u32..2);
        (path, times).prop_map(
            |((lost, retrans, peer_has_window), (received, sent))| TcpInfo {
                lost,
                retrans,
                peer_window: Some(u32::from(peer_has_window) * 65_536),
                snd_mss: 1448,
                rto_us: 200_000,
                last_data_received_ms: received * 60_000,
                last_data_sent_ms: sent * 60_000,
                ..TcpInfo::default()
            },
        )
    }

    fn details(rows: &[Row], read: &[(usize, TcpInfo)]) -> Vec<ConnectionDetail> {
        let details = read.iter().filter_map(|(number, info)| {
            let row = rows.get(number % rows.len().max(1))?;
            Some(ConnectionDetail {
                key: row.socket.key(),
                info: info.clone(),
                metrics: TcpMetrics::default(),
            })
        });
        let mut details: Vec<ConnectionDetail> = details.collect();
        details.sort_by_key(|detail| detail.key);
        details.dedup_by_key(|detail| detail.key);
        details
    }

    proptest! {
        #[test]
        fn what_is_read_of_some_rows_changes_the_urgency_of_no_others(
            mut rows in proptest::collection::vec(any_row(), 1..40),
            read in proptest::collection::vec((0_usize..40, any_info()), 0..20),
            read_then in proptest::collection::vec((0_usize..40, any_info()), 0..20),
        ) {
            for (number, row) in (1..).zip(&mut rows) {
                row.socket.cookie = NonZeroU64::new(number);
            }
            let mut before = of(rows);
            before.details = details(&before.rows, &read);
            let mut then = before.clone();
            then.details = details(&before.rows, &read_then);
            let known = urgencies(&before);
            prop_assert_eq!(urgencies_after(&before, &known, &then), urgencies(&then));
        }
    }

    /// Measures, with `cargo test --release -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn cost_of_a_hundred_thousand_rows() {
        let end = |number: u32| format!("10.{}.{}.9:9", number / 250, number % 250);
        for (what, state, queue) in [
            ("idle connections", State::Established, 0),
            ("unread connections", State::Established, 5),
            ("leaked connections", State::CloseWait, 1),
            ("half-open connections", State::SynReceived, 0),
        ] {
            let rows = (0..100_000).map(|number| {
                let mut row = row(Protocol::Tcp, state, "192.0.2.3:80", &end(number % 60_000));
                row.socket.recv_queue = queue;
                row.socket.send_queue = queue;
                row
            });
            let world = of(rows.collect());
            let mut best = f64::MAX;
            for _ in 0..5 {
                let start = std::time::Instant::now();
                assert!(urgencies(&world).of_row_number(0) >= Urgency::Normal);
                best = best.min(start.elapsed().as_secs_f64() * 1000.0);
            }
            println!("{best:7.2} ms  {what}");
        }
    }

    #[test]
    fn without_urgent_rows_nothing_is_kept() {
        let idle = row(
            Protocol::Tcp,
            State::Established,
            "192.0.2.3:1",
            "192.0.2.2:2",
        );
        let world = of(vec![idle; 3]);
        assert_eq!(urgencies(&world), RowUrgencies::default());
    }
}
