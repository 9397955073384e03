//! Tests: sockets missing from a table, with lookups.

use super::fixture::{process, reading, socket, table, with_cookie};
use super::{Monitor, MonitorOptions};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::observation::Observation;
use crate::model::owner::NoOwnerReason;
use crate::model::reading::{Reading, ReadingKind, Snapshot, SourceKind};
use crate::model::row::{Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::time::Time;
use std::sync::Arc;

/// A monitor with this lookup budget, and the time of its next table.
struct LookupMonitor {
    monitor: Monitor,
    next_ms: u64,
}

impl LookupMonitor {
    fn begin(budget: usize, sockets: &[Socket]) -> Self {
        let mut watch = Self {
            monitor: Monitor::new(MonitorOptions {
                lookup_budget: budget,
                ..MonitorOptions::default()
            }),
            next_ms: 0,
        };
        watch.read(table(sockets)).unwrap();
        watch
    }

    fn read(&mut self, snapshot: Snapshot) -> Option<Arc<Observation>> {
        let reading = reading(self.next_ms, snapshot);
        self.next_ms += 1000;
        self.monitor.fold(reading)
    }

    /// Reads a table that lacks sockets, and answers the lookup of each.
    fn fold_and_answer(
        &mut self,
        sockets: &[Socket],
        fate: impl Fn(&Socket) -> LookupAnswer,
    ) -> Arc<Observation> {
        let seen = self.read(table(sockets));
        let unsettled = self.monitor.pending_lookups().to_vec();
        match seen {
            Some(seen) => {
                assert!(unsettled.is_empty());
                seen
            }
            None => self.monitor.fold(answers(&unsettled, fate)).unwrap(),
        }
    }
}

fn answers(asked: &[Socket], fate: impl Fn(&Socket) -> LookupAnswer) -> Reading {
    let settled = asked.iter().filter_map(|socket| match fate(socket) {
        LookupAnswer::Is(now) => Some((socket.key(), Some(now))),
        LookupAnswer::Gone => Some((socket.key(), None)),
        LookupAnswer::Untold => None,
    });
    Reading {
        time: Time::default(),
        kind: ReadingKind::Lookups(settled.collect()),
    }
}

/// Result of a lookup.
enum LookupAnswer {
    Is(Socket),
    Gone,
    Untold,
}

fn unchanged(socket: &Socket) -> LookupAnswer {
    LookupAnswer::Is(*socket)
}

fn gone(_: &Socket) -> LookupAnswer {
    LookupAnswer::Gone
}

fn the_row(observation: &Observation, socket: &Socket) -> Row {
    let found = observation
        .rows
        .iter()
        .find(|row| row.socket.key() == socket.key());
    *found.unwrap()
}

#[test]
fn a_looked_up_socket_that_exists_stays_open() {
    let [one, two] = [1, 2].map(|number| with_cookie(number, State::Established));
    let mut watch = LookupMonitor::begin(256, &[one, two]);
    // As often as the table lacks it.
    for _ in 0..3 {
        let seen = watch.fold_and_answer(&[two], unchanged);
        let row = the_row(&seen, &one);
        assert_eq!((row.phase, row.no_owner_reason), (Phase::Unchanged, None));
        assert_eq!(seen.first_owner(&row).unwrap().pid, 100);
        assert_eq!(seen.state_counts.tcp(State::Established), 2);
        assert_eq!(seen.new_socket_history.iter().sum::<u32>(), 0);
    }
    let seen = watch.fold_and_answer(&[two, one], gone);
    assert_eq!(the_row(&seen, &one).phase, Phase::Unchanged);
    assert_eq!(seen.rows.len(), 2);
    assert_eq!(seen.table_number, 5, "one observation a table");
}

#[test]
fn a_looked_up_socket_that_is_gone_closes_now() {
    let sockets = [
        with_cookie(1, State::Established),
        with_cookie(2, State::Listen),
    ];
    let mut watch = LookupMonitor::begin(256, &sockets);
    let seen = watch.fold_and_answer(&[], gone);
    for socket in &sockets {
        let row = the_row(&seen, socket);
        assert_eq!((row.phase, row.no_owner_reason), (Phase::Closed, None));
        assert_eq!(seen.last_owner(&row).unwrap().pid, 100);
    }
    assert_eq!(seen.state_counts.total(), 0);
    assert!(seen.listeners.is_empty(), "the port is free");
    // It is shown for three seconds and not looked up again.
    for _ in 0..2 {
        assert_eq!(watch.fold_and_answer(&[], unchanged).rows.len(), 2);
    }
    assert!(watch.fold_and_answer(&[], unchanged).rows.is_empty());
}

#[test]
fn what_is_in_another_state_has_changed() {
    let one = with_cookie(1, State::Established);
    let waiting = Socket {
        inode: None,
        ..with_cookie(1, State::TimeWait)
    };
    let mut watch = LookupMonitor::begin(256, &[one]);
    let seen = watch.fold_and_answer(&[], |_| LookupAnswer::Is(waiting));
    let row = the_row(&seen, &one);
    let from = State::Established;
    assert_eq!(row.phase, Phase::Changed { from });
    assert_eq!(row.no_owner_reason, Some(NoOwnerReason::TimeWait));
    assert_eq!(seen.owners(&row).count(), 0);
    assert_eq!(seen.last_owner(&row).unwrap().pid, 100);
    assert_eq!(seen.state_counts.tcp(State::TimeWait), 1);
}

#[test]
fn an_unanswered_lookup_closes_with_the_second_table() {
    let one = with_cookie(1, State::Established);
    let mut watch = LookupMonitor::begin(256, &[one]);
    let seen = watch.fold_and_answer(&[], |_| LookupAnswer::Untold);
    assert_eq!(the_row(&seen, &one).phase, Phase::Unchanged);
    let seen = watch.fold_and_answer(&[], unchanged);
    assert_eq!(the_row(&seen, &one).phase, Phase::Closed);
}

#[test]
fn another_reading_leaves_lookups_unconfirmed() {
    let one = with_cookie(1, State::Established);
    let mut watch = LookupMonitor::begin(256, &[one]);
    assert!(watch.read(table(&[])).is_none());
    let usage = Reading {
        time: Time::default(),
        kind: ReadingKind::Usage(Vec::new()),
    };
    let seen = watch.monitor.fold(usage).unwrap();
    assert_eq!(
        (seen.table_number, the_row(&seen, &one).phase),
        (2, Phase::Unchanged)
    );
    assert!(watch.monitor.pending_lookups().is_empty());
    // An answer that comes too late has no effect.
    assert!(watch.monitor.fold(answers(&[one], gone)).is_none());
    let seen = watch.read(table(&[one])).unwrap();
    assert_eq!(
        (seen.table_number, the_row(&seen, &one).phase),
        (3, Phase::Unchanged)
    );
    // A table is an answer, too.
    assert!(watch.read(table(&[])).is_none());
    let seen = watch.read(table(&[one])).unwrap();
    assert_eq!(
        (seen.table_number, the_row(&seen, &one).phase),
        (5, Phase::Unchanged)
    );
}

#[test]
fn beyond_the_budget_the_oldest_that_matter_are_asked_for() {
    let waiting = with_cookie(1, State::TimeWait);
    let old = with_cookie(2, State::Established);
    let listener = with_cookie(3, State::Listen);
    let young = with_cookie(4, State::Established);
    let mut watch = LookupMonitor::begin(2, &[waiting, old]);
    watch.fold_and_answer(&[waiting, old, listener], gone);
    watch.fold_and_answer(&[young, waiting, old, listener], gone);
    assert!(watch.read(table(&[])).is_none());
    assert_eq!(watch.monitor.pending_lookups(), [old, listener]);
    let seen = watch
        .monitor
        .fold(answers(&[old, listener], unchanged))
        .unwrap();
    for socket in [old, listener] {
        assert_ne!(the_row(&seen, &socket).phase, Phase::Closed);
    }
    // The others count as closed, as the table is not in doubt.
    for socket in [young, waiting] {
        assert_eq!(the_row(&seen, &socket).phase, Phase::Closed);
    }
}

fn doubtful(sockets: &[Socket]) -> Snapshot {
    Snapshot {
        gaps: vec![Gap {
            kind: GapKind::DumpsInterrupted,
            count: 1,
            reason: GapReason::Changed,
        }],
        ..table(sockets)
    }
}

#[test]
fn where_the_table_is_in_doubt_only_a_connection_is_asked_for() {
    let connection = with_cookie(1, State::Established);
    let listener = with_cookie(2, State::Listen);
    let mut watch = LookupMonitor::begin(256, &[connection, listener]);
    assert!(watch.read(doubtful(&[])).is_none());
    assert_eq!(watch.monitor.pending_lookups(), [connection]);
    let seen = watch.monitor.fold(answers(&[connection], gone)).unwrap();
    assert_eq!(the_row(&seen, &connection).phase, Phase::Closed);
    assert_eq!(the_row(&seen, &listener).phase, Phase::Unchanged);
}

#[test]
fn sockets_without_a_cookie_are_not_looked_up() {
    let one = socket(1, State::Established);
    let mut watch = LookupMonitor::begin(256, &[one]);
    let from_proc = || Snapshot {
        source: SourceKind::Proc,
        ..table(&[])
    };
    let seen = watch.read(from_proc()).unwrap();
    assert_eq!(the_row(&seen, &one).phase, Phase::Unchanged);
    let seen = watch.read(from_proc()).unwrap();
    assert_eq!(the_row(&seen, &one).phase, Phase::Closed);
}

#[test]
fn an_owner_of_nothing_else_is_not_forgotten() {
    let one = with_cookie(1, State::Established);
    let mut watch = LookupMonitor::begin(256, &[one]);
    // No socket of the process is in the table, so neither is the process.
    let nobody = Snapshot {
        processes: Vec::new(),
        ..table(&[])
    };
    assert!(watch.read(nobody.clone()).is_none());
    let seen = watch.monitor.fold(answers(&[one], unchanged)).unwrap();
    assert_eq!(seen.first_owner(&the_row(&seen, &one)).unwrap().pid, 100);
    // Nor when another process takes the number that it would have freed.
    let other = Snapshot {
        processes: vec![process(7)],
        ..nobody
    };
    assert!(watch.read(other).is_none());
    let seen = watch.monitor.fold(answers(&[one], unchanged)).unwrap();
    assert_eq!(seen.first_owner(&the_row(&seen, &one)).unwrap().pid, 100);
}

#[test]
fn only_what_was_asked_for_is_settled() {
    let [one, two] = [1, 2].map(|number| with_cookie(number, State::Established));
    let mut watch = LookupMonitor::begin(256, &[one, two]);
    assert!(watch.read(table(&[two])).is_none());
    // Answers about a row that is in the table, and about an unknown one.
    let stray = [one, two, with_cookie(9, State::Established)];
    let seen = watch.monitor.fold(answers(&stray, gone)).unwrap();
    assert_eq!(the_row(&seen, &two).phase, Phase::Unchanged);
    assert_eq!(the_row(&seen, &one).phase, Phase::Closed);
    assert_eq!(seen.rows.len(), 2);
}
