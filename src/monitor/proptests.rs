//! Tests: properties of any sequence of tables.

use super::fixture::{reading, socket, table};
use super::{Monitor, MonitorOptions};
use crate::model::observation::Observation;
use crate::model::reading::{Reading, ReadingKind, Snapshot, SourceKind};
use crate::model::row::Phase;
use crate::model::socket::{Socket, SocketKey};
use crate::model::state::State;
use crate::model::time::Time;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
use std::sync::Arc;

/// Any socket of a few, so that keys come again.
fn any_socket() -> impl Strategy<Value = Socket> {
    let state = prop::sample::select(State::ALL.as_slice());
    (0u32..12, 0u64..6, state, any::<bool>()).prop_map(|(number, cookie, state, held)| {
        let bare = socket(number, state);
        Socket {
            cookie: NonZeroU64::new(cookie),
            inode: bare.inode.filter(|_| held),
            ..bare
        }
    })
}

fn any_source() -> impl Strategy<Value = SourceKind> {
    prop::sample::select(vec![
        SourceKind::SockDiag,
        SourceKind::Proc,
        SourceKind::Mixed,
    ])
}

/// Tables with the milliseconds since the one before.
fn any_tables() -> impl Strategy<Value = Vec<(u64, Snapshot)>> {
    let sockets = prop::collection::vec(any_socket(), 0..12);
    let one = (0u64..2500, any_source(), sockets).prop_map(|(pause, source, sockets)| {
        let snapshot = Snapshot {
            source,
            ..table(&sockets)
        };
        (pause, snapshot)
    });
    prop::collection::vec(one, 1..16)
}

fn readings(tables: &[(u64, Snapshot)]) -> Vec<Reading> {
    let mut now = 0;
    tables
        .iter()
        .map(|(pause, snapshot)| {
            now += pause;
            reading(now, snapshot.clone())
        })
        .collect()
}

/// A monitor that looks up a few missing sockets.
fn monitor_with_lookups() -> Monitor {
    Monitor::new(MonitorOptions {
        lookup_budget: 3,
        ..MonitorOptions::default()
    })
}

/// Folds a reading. Pending lookups find the socket open, in `TIME_WAIT` or
/// gone, or fail, by its port.
fn fold_one(monitor: &mut Monitor, reading: Reading) -> Arc<Observation> {
    let time = reading.time;
    if let Some(observation) = monitor.fold(reading) {
        return observation;
    }
    let unsettled = monitor.pending_lookups();
    assert!((1..=3).contains(&unsettled.len()));
    let answers = unsettled.iter().filter_map(|socket| {
        let waiting = Socket {
            inode: None,
            state: State::TimeWait,
            ..*socket
        };
        let answer = match socket.local.port % 4 {
            0 => Some(*socket),
            1 => Some(waiting),
            2 => None,
            _ => return None,
        };
        Some((socket.key(), answer))
    });
    let matter = ReadingKind::Lookups(answers.collect());
    monitor.fold(Reading { time, kind: matter }).unwrap()
}

fn fold(readings: Vec<Reading>) -> Vec<Arc<Observation>> {
    let mut monitor = monitor_with_lookups();
    let mut fold = |each| fold_one(&mut monitor, each);
    readings.into_iter().map(&mut fold).collect()
}

fn keys_of_table(snapshot: &Snapshot) -> HashSet<SocketKey> {
    snapshot.sockets.iter().map(Socket::key).collect()
}

proptest! {
    #[test]
    fn every_socket_is_exactly_one_row(tables in any_tables()) {
        let seen = fold(readings(&tables));
        for ((_, snapshot), observation) in tables.iter().zip(&seen) {
            let mut rows = HashMap::new();
            for row in observation.rows.iter() {
                *rows.entry(row.socket.key()).or_insert(0) += 1;
            }
            prop_assert!(rows.values().all(|count| *count == 1));
            for key in keys_of_table(snapshot) {
                let row = observation.rows.iter().find(|row| row.socket.key() == key);
                prop_assert!(row.is_some_and(|row| row.phase != Phase::Closed));
            }
        }
    }

    #[test]
    fn missing_rows_do_not_stay(tables in any_tables()) {
        let mut tables = tables;
        let pause = MonitorOptions::default().keep_closed_for.as_secs() * 1000 + 100;
        for pause in [0, 0, pause] {
            tables.push((pause, table(&[])));
        }
        // No lookups here: an open socket would stay.
        for mut monitor in [Monitor::default(), monitor_with_lookups()] {
            for each in readings(&tables) {
                monitor.fold(each);
            }
            let nothing = ReadingKind::Lookups(Vec::new());
            monitor.fold(Reading { time: Time::default(), kind: nothing });
            let last = monitor.latest.unwrap();
            prop_assert!(last.rows.is_empty());
        }
    }

    #[test]
    fn the_ledger_remembers_what_is_shown_and_no_more(tables in any_tables()) {
        let mut monitor = monitor_with_lookups();
        for each in readings(&tables) {
            let observation = fold_one(&mut monitor, each);
            prop_assert_eq!(monitor.ledger.remembered(), observation.rows.len());
        }
    }

    #[test]
    fn times_and_owners_fit_together(tables in any_tables()) {
        for observation in fold(readings(&tables)) {
            let now = observation.time.timestamp();
            let open = observation.rows.iter().filter(|row| row.phase != Phase::Closed);
            prop_assert_eq!(open.count(), observation.state_counts.total() as usize);
            for row in observation.rows.iter() {
                prop_assert!(row.first_seen <= row.state_since && row.state_since <= now);
                let closed = row.phase == Phase::Closed;
                let held = observation.first_owner(row).is_some();
                prop_assert_eq!(row.no_owner_reason.is_none(), held || closed);
                prop_assert!(!(held && closed));
                if let Some(owner) = observation.last_owner(row) {
                    prop_assert_eq!(owner.pid, 100);
                }
            }
        }
    }

    #[test]
    fn the_same_readings_give_the_same_observations(tables in any_tables()) {
        let once = format!("{:?}", fold(readings(&tables)));
        let again = format!("{:?}", fold(readings(&tables)));
        prop_assert_eq!(once, again);
    }
}
