//! Urgency of every row of an observation, cheap enough for a hundred thousand of
//! them: rows that cannot be urgent are recognised by their queues and timers,
//! and only the others are diagnosed.

use super::diagnosis::urgency_among;
use super::siblings::Siblings;
use crate::model::observation::Observation;
use crate::model::owner::Unowned;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::timer::TimerKind;
pub use crate::model::urgency::{Urgencies, Urgency};

/// Returns the urgent rows of an observation.
#[must_use]
pub fn urgencies(observation: &Observation) -> Urgencies {
    let siblings = Siblings::new(observation);
    let ports_matter = time_wait_may_exhaust_ports(observation);
    let may_be_lost = misses_anything(observation);
    Urgencies::new(observation, |row| {
        let is_lost = || may_be_lost && observation.lost(&row.socket).is_some();
        if is_quiet(row, ports_matter) && !is_lost() {
            Urgency::Normal
        } else {
            urgency_among(row, observation, &siblings)
        }
    })
}

/// Evaluates the same rows as in an earlier observation, the urgencies of which are
/// known: only rows with details or events in either may have changed.
#[must_use]
pub fn urgencies_after(
    before: &Observation,
    known: &Urgencies,
    observation: &Observation,
) -> Urgencies {
    let siblings = Siblings::new(observation);
    let ports_matter = time_wait_may_exhaust_ports(observation);
    let is_read = |row: &Row| {
        let key = row.socket.key();
        // How long connections have waited is told by their listener.
        row.socket.state == State::Listen
            || [before, observation].iter().any(|world| {
                world.detail(row).is_some() || world.chronicle.timeline(&key).is_some()
            })
    };
    let mut numbers = 0..;
    Urgencies::new(observation, |row| {
        let number = numbers.next().unwrap_or(u32::MAX);
        if is_quiet(row, ports_matter) || !is_read(row) {
            known.at(number)
        } else {
            urgency_among(row, observation, &siblings)
        }
    })
}

/// True if no evidence of a row in this state can make it urgent. Bulk rows
/// must be recognised here; any other is only slower.
fn is_quiet(row: &Row, ports_matter: bool) -> bool {
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
            rests && empty && !itself && row.unowned != Some(Unowned::AcceptQueue)
        }
        (Protocol::Udp, State::Established | State::Unconnected) => socket.recv_queue == 0,
        _ => false,
    }
}

/// True if any address or interface that sockets are bound to is missing.
fn misses_anything(observation: &Observation) -> bool {
    let mut networks = observation.networks.iter();
    !observation.gone_interfaces.is_empty() || networks.any(|known| !known.missing.is_empty())
}

/// True if there are enough `TIME_WAIT` rows to take half of the local ports.
fn time_wait_may_exhaust_ports(observation: &Observation) -> bool {
    let present = observation.tally.tcp(State::TimeWait);
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
    use super::super::siblings::{Relations, Siblings};
    use super::*;
    use crate::filter::sample::{row, world};
    use crate::model::flow::Flow;
    use crate::model::limits::Limits;
    use crate::model::network::Network;
    use crate::model::observation::Detail;
    use crate::model::owner::OwnerSpan;
    use crate::model::tcp_info::TcpInfo;
    use crate::model::time::{Stamp, Time};
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
            row.state_since = Stamp(history.0);
            row.unowned = (history.2 == 1).then_some(Unowned::AcceptQueue);
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
        world.number = 2;
        world.limits = Limits {
            local_ports: Some((1, 4)),
            ..world.limits
        };
        for row in rows.iter().filter(|row| row.phase != Phase::Closed) {
            world.tally.count(row.socket.protocol, row.socket.state);
        }
        world.networks = rows
            .first()
            .map(|row| Network {
                namespace: row.socket.namespace,
                is_loopback_only: false,
                reached_over: Vec::new(),
                missing: vec![std::net::Ipv4Addr::new(192, 0, 2, 1).into()],
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
            let counted = Siblings::new(&world);
            for (number, row) in (0_u32..).zip(world.rows.iter()) {
                let single = urgency(row, &world);
                prop_assert_eq!(urgencies.at(number), single, "{:?}", row);
                let (many, one) = (counted.of(row), Relations::of(row, &world));
                prop_assert_eq!(many.alike, one.alike);
                prop_assert_eq!(many.half_open, one.half_open);
            }
        }
    }

    /// Details that the urgency of a row may depend on.
    fn any_info() -> impl Strategy<Value = TcpInfo> {
        let path = (0_u32..2, 0_u32..2, any::<bool>());
        let times = (0_u32..2, 0_u32..2);
        (path, times).prop_map(|((lost, retrans, has_room), (received, sent))| TcpInfo {
            lost,
            retrans,
            peer_window: Some(u32::from(has_room) * 65_536),
            snd_mss: 1448,
            rto_us: 200_000,
            last_data_received_ms: received * 60_000,
            last_data_sent_ms: sent * 60_000,
            ..TcpInfo::default()
        })
    }

    fn details(rows: &[Row], read: &[(usize, TcpInfo)]) -> Vec<Detail> {
        let details = read.iter().filter_map(|(number, info)| {
            let row = rows.get(number % rows.len().max(1))?;
            Some(Detail {
                key: row.socket.key(),
                info: info.clone(),
                flow: Flow::default(),
            })
        });
        let mut details: Vec<Detail> = details.collect();
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
    fn how_long_a_hundred_thousand_rows_take() {
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
                assert!(urgencies(&world).at(0) >= Urgency::Normal);
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
        assert_eq!(urgencies(&world), Urgencies::default());
    }
}
