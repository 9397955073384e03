//! Tests: sockets missing from a table, with lookups.

use super::fixture::{process, reading, socket, table, with_cookie};
use super::{Monitor, MonitorOptions};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::observation::Observation;
use crate::model::owner::Unowned;
use crate::model::reading::{Matter, Reading, Snapshot, SourceKind};
use crate::model::row::{Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::time::Time;
use std::sync::Arc;

/// A monitor with this lookup budget, and the time of its next table.
struct Watch {
    monitor: Monitor,
    next_ms: u64,
}

impl Watch {
    fn begin(budget: usize, sockets: &[Socket]) -> Self {
        let mut watch = Self {
            monitor: Monitor::new(MonitorOptions {
                settled: budget,
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
    fn see(&mut self, sockets: &[Socket], fate: impl Fn(&Socket) -> Fate) -> Arc<Observation> {
        let seen = self.read(table(sockets));
        let unsettled = self.monitor.unsettled().to_vec();
        match seen {
            Some(seen) => {
                assert!(unsettled.is_empty());
                seen
            }
            None => self.monitor.fold(answers(&unsettled, fate)).unwrap(),
        }
    }
}

fn answers(asked: &[Socket], fate: impl Fn(&Socket) -> Fate) -> Reading {
    let settled = asked.iter().filter_map(|socket| match fate(socket) {
        Fate::Is(now) => Some((socket.key(), Some(now))),
        Fate::Gone => Some((socket.key(), None)),
        Fate::Untold => None,
    });
    Reading {
        time: Time::default(),
        matter: Matter::Absences(settled.collect()),
    }
}

/// Result of a lookup.
enum Fate {
    Is(Socket),
    Gone,
    Untold,
}

fn there(socket: &Socket) -> Fate {
    Fate::Is(*socket)
}

fn gone(_: &Socket) -> Fate {
    Fate::Gone
}

fn the_row(observation: &Observation, socket: &Socket) -> Row {
    let found = observation
        .rows
        .iter()
        .find(|row| row.socket.key() == socket.key());
    *found.unwrap()
}

#[test]
fn what_is_there_after_all_has_not_closed() {
    let [one, two] = [1, 2].map(|number| with_cookie(number, State::Established));
    let mut watch = Watch::begin(256, &[one, two]);
    // As often as the table lacks it.
    for _ in 0..3 {
        let seen = watch.see(&[two], there);
        let row = the_row(&seen, &one);
        assert_eq!((row.phase, row.unowned), (Phase::Steady, None));
        assert_eq!(seen.first_owner(&row).unwrap().pid, 100);
        assert_eq!(seen.tally.tcp(State::Established), 2);
        assert_eq!(seen.arrivals.iter().sum::<u32>(), 0);
    }
    let seen = watch.see(&[two, one], gone);
    assert_eq!(the_row(&seen, &one).phase, Phase::Steady);
    assert_eq!(seen.rows.len(), 2);
    assert_eq!(seen.number, 5, "one observation a table");
}

#[test]
fn what_is_gone_has_closed_now() {
    let sockets = [
        with_cookie(1, State::Established),
        with_cookie(2, State::Listen),
    ];
    let mut watch = Watch::begin(256, &sockets);
    let seen = watch.see(&[], gone);
    for socket in &sockets {
        let row = the_row(&seen, socket);
        assert_eq!((row.phase, row.unowned), (Phase::Closed, None));
        assert_eq!(seen.last_owner(&row).unwrap().pid, 100);
    }
    assert_eq!(seen.tally.total(), 0);
    assert!(seen.listeners.is_empty(), "the port is free");
    // It is shown for three seconds and not looked up again.
    for _ in 0..2 {
        assert_eq!(watch.see(&[], there).rows.len(), 2);
    }
    assert!(watch.see(&[], there).rows.is_empty());
}

#[test]
fn what_is_in_another_state_has_changed() {
    let one = with_cookie(1, State::Established);
    let waiting = Socket {
        inode: None,
        ..with_cookie(1, State::TimeWait)
    };
    let mut watch = Watch::begin(256, &[one]);
    let seen = watch.see(&[], |_| Fate::Is(waiting));
    let row = the_row(&seen, &one);
    let from = State::Established;
    assert_eq!(row.phase, Phase::Changed { from });
    assert_eq!(row.unowned, Some(Unowned::TimeWait));
    assert_eq!(seen.owners(&row).count(), 0);
    assert_eq!(seen.last_owner(&row).unwrap().pid, 100);
    assert_eq!(seen.tally.tcp(State::TimeWait), 1);
}

#[test]
fn without_an_answer_it_takes_two_tables() {
    let one = with_cookie(1, State::Established);
    let mut watch = Watch::begin(256, &[one]);
    let seen = watch.see(&[], |_| Fate::Untold);
    assert_eq!(the_row(&seen, &one).phase, Phase::Steady);
    let seen = watch.see(&[], there);
    assert_eq!(the_row(&seen, &one).phase, Phase::Closed);
}

#[test]
fn another_reading_than_the_answer_leaves_it_open() {
    let one = with_cookie(1, State::Established);
    let mut watch = Watch::begin(256, &[one]);
    assert!(watch.read(table(&[])).is_none());
    let usage = Reading {
        time: Time::default(),
        matter: Matter::Usage(Vec::new()),
    };
    let seen = watch.monitor.fold(usage).unwrap();
    assert_eq!(
        (seen.number, the_row(&seen, &one).phase),
        (2, Phase::Steady)
    );
    assert!(watch.monitor.unsettled().is_empty());
    // An answer that comes too late has no effect.
    assert!(watch.monitor.fold(answers(&[one], gone)).is_none());
    let seen = watch.read(table(&[one])).unwrap();
    assert_eq!(
        (seen.number, the_row(&seen, &one).phase),
        (3, Phase::Steady)
    );
    // A table is an answer, too.
    assert!(watch.read(table(&[])).is_none());
    let seen = watch.read(table(&[one])).unwrap();
    assert_eq!(
        (seen.number, the_row(&seen, &one).phase),
        (5, Phase::Steady)
    );
}

#[test]
fn beyond_the_budget_the_oldest_that_matter_are_asked_for() {
    let waiting = with_cookie(1, State::TimeWait);
    let old = with_cookie(2, State::Established);
    let listener = with_cookie(3, State::Listen);
    let young = with_cookie(4, State::Established);
    let mut watch = Watch::begin(2, &[waiting, old]);
    watch.see(&[waiting, old, listener], gone);
    watch.see(&[young, waiting, old, listener], gone);
    assert!(watch.read(table(&[])).is_none());
    assert_eq!(watch.monitor.unsettled(), [old, listener]);
    let seen = watch
        .monitor
        .fold(answers(&[old, listener], there))
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
    let mut watch = Watch::begin(256, &[connection, listener]);
    assert!(watch.read(doubtful(&[])).is_none());
    assert_eq!(watch.monitor.unsettled(), [connection]);
    let seen = watch.monitor.fold(answers(&[connection], gone)).unwrap();
    assert_eq!(the_row(&seen, &connection).phase, Phase::Closed);
    assert_eq!(the_row(&seen, &listener).phase, Phase::Steady);
}

#[test]
fn without_a_cookie_nobody_is_asked() {
    let one = socket(1, State::Established);
    let mut watch = Watch::begin(256, &[one]);
    let from_proc = || Snapshot {
        source: SourceKind::Proc,
        ..table(&[])
    };
    let seen = watch.read(from_proc()).unwrap();
    assert_eq!(the_row(&seen, &one).phase, Phase::Steady);
    let seen = watch.read(from_proc()).unwrap();
    assert_eq!(the_row(&seen, &one).phase, Phase::Closed);
}

#[test]
fn an_owner_of_nothing_else_is_not_forgotten() {
    let one = with_cookie(1, State::Established);
    let mut watch = Watch::begin(256, &[one]);
    // No socket of the process is in the table, so neither is the process.
    let nobody = Snapshot {
        processes: Vec::new(),
        ..table(&[])
    };
    assert!(watch.read(nobody.clone()).is_none());
    let seen = watch.monitor.fold(answers(&[one], there)).unwrap();
    assert_eq!(seen.first_owner(&the_row(&seen, &one)).unwrap().pid, 100);
    // Nor when another process takes the number that it would have freed.
    let other = Snapshot {
        processes: vec![process(7)],
        ..nobody
    };
    assert!(watch.read(other).is_none());
    let seen = watch.monitor.fold(answers(&[one], there)).unwrap();
    assert_eq!(seen.first_owner(&the_row(&seen, &one)).unwrap().pid, 100);
}

#[test]
fn only_what_was_asked_for_is_settled() {
    let [one, two] = [1, 2].map(|number| with_cookie(number, State::Established));
    let mut watch = Watch::begin(256, &[one, two]);
    assert!(watch.read(table(&[two])).is_none());
    // Answers about a row that is in the table, and about an unknown one.
    let stray = [one, two, with_cookie(9, State::Established)];
    let seen = watch.monitor.fold(answers(&stray, gone)).unwrap();
    assert_eq!(the_row(&seen, &two).phase, Phase::Steady);
    assert_eq!(the_row(&seen, &one).phase, Phase::Closed);
    assert_eq!(seen.rows.len(), 2);
}
