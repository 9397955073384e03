//! Tests: the lifecycle of sockets, in tables.

use super::fixture::{process, reading, socket, table, with_cookie};
use super::{Monitor, MonitorOptions};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::namespace::{Namespace, NamespaceScope};
use crate::model::observation::Observation;
use crate::model::owner::{Holder, NoOwnerReason, OwnerSearch, OwnerSpan, ProcessId};
use crate::model::reading::{ProcessUsage, Reading, ReadingKind, Snapshot, SourceKind};
use crate::model::row::{Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::time::{Time, Timestamp};
use std::num::NonZeroU64;
use std::sync::Arc;

/// A monitor together with the time of its next table.
struct SourceMonitor {
    monitor: Monitor,
    source: SourceKind,
    next_ms: u64,
}

impl SourceMonitor {
    fn begin(source: SourceKind, sockets: &[Socket]) -> Self {
        let mut watch = Self {
            monitor: Monitor::new(MonitorOptions::default()),
            source,
            next_ms: 0,
        };
        watch.fold_sockets(sockets);
        watch
    }

    fn fold_sockets(&mut self, sockets: &[Socket]) -> Arc<Observation> {
        self.read(table(sockets))
    }

    fn read(&mut self, snapshot: Snapshot) -> Arc<Observation> {
        let snapshot = Snapshot {
            source: self.source,
            ..snapshot
        };
        let reading = reading(self.next_ms, snapshot);
        self.next_ms += 1000;
        self.monitor.fold(reading).unwrap()
    }
}

/// The only row.
fn only(observation: &Observation) -> Row {
    assert_eq!(observation.rows.len(), 1);
    observation.rows[0]
}

fn without_inode(socket: Socket) -> Socket {
    Socket {
        inode: None,
        ..socket
    }
}

#[test]
fn a_connection_lives_and_ends() {
    let mut watch = SourceMonitor::begin(SourceKind::SockDiag, &[]);
    let row = only(&watch.fold_sockets(&[with_cookie(1, State::SynSent)]));
    assert_eq!(row.phase, Phase::New);

    let row = only(&watch.fold_sockets(&[with_cookie(1, State::Established)]));
    let from = State::SynSent;
    assert_eq!(row.phase, Phase::Changed { from });
    assert_eq!(
        (row.first_seen, row.state_since),
        (Timestamp(100), Timestamp(200))
    );

    let gone = without_inode(with_cookie(1, State::TimeWait));
    let seen = watch.fold_sockets(&[gone]);
    let row = only(&seen);
    assert_eq!(row.no_owner_reason, Some(NoOwnerReason::TimeWait));
    assert_eq!(seen.last_owner(&row).unwrap().pid, 100);
    assert_eq!(seen.state_counts.tcp(State::TimeWait), 1);

    let seen = watch.fold_sockets(&[]);
    let row = only(&seen);
    assert_eq!(row.phase, Phase::Closed);
    assert_eq!(row.socket.state, State::TimeWait);
    assert_eq!(row.no_owner_reason, None);
    assert_eq!(seen.last_owner(&row).unwrap().pid, 100);
    assert_eq!(seen.state_counts.total(), 0);

    assert_eq!(watch.fold_sockets(&[]).rows.len(), 1);
    assert_eq!(watch.fold_sockets(&[]).rows.len(), 1);
    assert!(watch.fold_sockets(&[]).rows.is_empty());
}

#[test]
fn what_was_there_at_first_has_an_age_that_is_a_lower_bound() {
    let mut watch = SourceMonitor::begin(SourceKind::SockDiag, &[with_cookie(1, State::CloseWait)]);
    let row = only(&watch.fold_sockets(&[with_cookie(1, State::CloseWait)]));
    assert!(!row.saw_state_entry);
    assert_eq!(row.phase, Phase::Unchanged);
    assert_eq!(row.state_since, Timestamp(0));
}

#[test]
fn a_proc_row_closes_after_two_missing_tables() {
    let sockets = [socket(1, State::Established)];
    let mut watch = SourceMonitor::begin(SourceKind::Proc, &sockets);
    let seen = watch.fold_sockets(&[]);
    let row = only(&seen);
    assert_eq!(row.phase, Phase::Unchanged);
    assert_eq!(seen.first_owner(&row).unwrap().pid, 100);
    assert_eq!(seen.state_counts.tcp(State::Established), 1);
    // Back again: nothing has changed.
    assert_eq!(only(&watch.fold_sockets(&sockets)).phase, Phase::Unchanged);
    watch.fold_sockets(&[]);
    let row = only(&watch.fold_sockets(&[]));
    assert_eq!(row.phase, Phase::Closed);
}

#[test]
fn time_wait_keeps_the_last_owner_without_a_cookie_too() {
    let mut watch = SourceMonitor::begin(SourceKind::Proc, &[socket(1, State::Established)]);
    let gone = without_inode(socket(1, State::TimeWait));
    for _ in 0..3 {
        let seen = watch.fold_sockets(&[gone]);
        let row = only(&seen);
        assert_eq!(seen.last_owner(&row).unwrap().pid, 100);
    }
}

#[test]
fn addresses_taken_from_time_wait_are_a_new_connection() {
    let gone = without_inode(socket(1, State::TimeWait));
    let mut watch = SourceMonitor::begin(SourceKind::Proc, &[gone]);
    let row = only(&watch.fold_sockets(&[socket(1, State::SynSent)]));
    assert_eq!(row.phase, Phase::New);
    assert_eq!(row.last_owner, None);
}

#[test]
fn a_new_cookie_on_the_same_addresses_is_another_connection() {
    let first = with_cookie(1, State::Established);
    let second = Socket {
        cookie: NonZeroU64::new(77),
        ..first
    };
    let mut watch = SourceMonitor::begin(SourceKind::SockDiag, &[first]);
    let seen = watch.fold_sockets(&[second]);
    let phases: Vec<Phase> = seen.rows.iter().map(|row| row.phase).collect();
    assert_eq!(phases, [Phase::New, Phase::Closed]);
}

#[test]
fn a_change_of_source_is_not_a_change_of_sockets() {
    let states = [State::Established, State::Listen, State::CloseWait];
    let numbered = || (0u32..).zip(states);
    let cookies: Vec<Socket> = numbered().map(|(n, s)| with_cookie(n, s)).collect();
    let tuples: Vec<Socket> = numbered().map(|(n, s)| socket(n, s)).collect();
    let mut watch = SourceMonitor::begin(SourceKind::SockDiag, &[]);
    watch.fold_sockets(&cookies);
    for (source, sockets) in [
        (SourceKind::Proc, &tuples),
        (SourceKind::Proc, &tuples),
        (SourceKind::Proc, &tuples),
        (SourceKind::SockDiag, &cookies),
        (SourceKind::SockDiag, &cookies),
    ] {
        watch.source = source;
        let seen = watch.fold_sockets(sockets);
        assert_eq!(seen.rows.len(), 3);
        let known = seen.rows.iter().all(|row| row.first_seen == Timestamp(100));
        assert!(known, "{source:?}");
        assert_eq!(seen.new_socket_history.iter().sum::<u32>(), 3, "{source:?}");
    }
}

#[test]
fn only_one_socket_takes_over_when_the_source_changes() {
    let mut watch = SourceMonitor::begin(SourceKind::Proc, &[socket(1, State::Established)]);
    watch.source = SourceKind::SockDiag;
    let twins = [4, 3].map(|cookie| Socket {
        cookie: NonZeroU64::new(cookie),
        ..socket(1, State::Established)
    });
    for _ in 0..2 {
        let seen = watch.fold_sockets(&twins);
        let first: Vec<Timestamp> = seen.rows.iter().map(|row| row.first_seen).collect();
        assert_eq!(first, [Timestamp(0), Timestamp(100)]);
    }
}

#[test]
fn a_fallback_that_misses_a_row_is_not_believed_at_once() {
    let mut watch =
        SourceMonitor::begin(SourceKind::SockDiag, &[with_cookie(1, State::Established)]);
    watch.source = SourceKind::Proc;
    assert_eq!(only(&watch.fold_sockets(&[])).phase, Phase::Unchanged);
    let row = only(&watch.fold_sockets(&[socket(1, State::Established)]));
    assert_eq!(
        (row.phase, row.first_seen),
        (Phase::Unchanged, Timestamp(0))
    );
}

#[test]
fn a_socket_that_comes_twice_is_one_row() {
    let mut watch = SourceMonitor::begin(SourceKind::Proc, &[socket(1, State::Established)]);
    let twice = [
        socket(1, State::Established),
        without_inode(socket(1, State::FinWait2)),
    ];
    let seen = watch.fold_sockets(&twice);
    let row = only(&seen);
    assert_eq!(row.socket.state, State::FinWait2);
    assert_eq!(seen.last_owner(&row).unwrap().pid, 100);
    assert_eq!(seen.state_counts.total(), 1);
}

#[test]
fn twice_in_the_first_table_is_not_a_change() {
    let twice = [
        socket(1, State::Established),
        socket(1, State::CloseWait),
        socket(2, State::Established),
    ];
    let mut monitor = Monitor::default();
    let seen = monitor.fold(reading(0, table(&twice))).unwrap();
    assert_eq!(seen.rows.len(), 2);
    assert!(seen.rows.iter().all(|row| row.phase == Phase::Unchanged));
}

#[test]
fn a_cookie_missed_once_comes_back_as_the_same_socket() {
    let mut watch =
        SourceMonitor::begin(SourceKind::SockDiag, &[with_cookie(1, State::Established)]);
    assert_eq!(only(&watch.fold_sockets(&[])).phase, Phase::Closed);
    let row = only(&watch.fold_sockets(&[with_cookie(1, State::Established)]));
    assert_eq!(
        (row.phase, row.first_seen),
        (Phase::Unchanged, Timestamp(0))
    );
}

#[test]
fn the_listener_tells_the_accept_queue_from_an_orphan() {
    let listener = socket(5, State::Listen);
    let waiting = Socket {
        inode: None,
        local: listener.local,
        ..socket(6, State::Established)
    };
    let orphan = without_inode(socket(7, State::Established));
    let mut monitor = Monitor::default();
    let seen = monitor
        .fold(reading(0, table(&[waiting, listener, orphan])))
        .unwrap();
    let reasons: Vec<_> = seen.rows.iter().map(|row| row.no_owner_reason).collect();
    assert_eq!(
        reasons,
        [
            Some(NoOwnerReason::AcceptQueue),
            None,
            Some(NoOwnerReason::Orphan)
        ]
    );
    assert_eq!(seen.listeners, [(listener.local.port, 1)]);
    assert_eq!(seen.best_listeners(&seen.rows[0]).count(), 1);
}

#[test]
fn hidden_owners_are_a_gap() {
    let snapshot = Snapshot {
        owners: vec![OwnerSpan::default()],
        owner_search: OwnerSearch::Partial,
        ..table(&[socket(1, State::Established)])
    };
    let seen = Monitor::default().fold(reading(0, snapshot)).unwrap();
    let hidden = Gap {
        kind: GapKind::OwnersHidden,
        count: 1,
        reason: GapReason::Permission,
    };
    assert_eq!(seen.gaps, [hidden]);
}

#[test]
fn owners_keep_their_numbers_when_the_table_lists_them_otherwise() {
    let sockets = [
        with_cookie(1, State::Established),
        with_cookie(2, State::Established),
    ];
    let held_by = |first: u32, second: u32| {
        let holder = |process| Holder {
            process: ProcessId(process),
            fd: 3,
        };
        let span = |start| OwnerSpan { start, count: 1 };
        Snapshot {
            owners: vec![span(0), span(1)],
            holders: vec![holder(0), holder(1)],
            processes: vec![process(first), process(second)],
            ..table(&sockets)
        }
    };
    let mut watch = SourceMonitor::begin(SourceKind::SockDiag, &[]);
    watch.read(held_by(1, 2));
    let gone = sockets.map(|each| {
        without_inode(Socket {
            state: State::TimeWait,
            ..each
        })
    });
    let seen = watch.read(Snapshot {
        processes: vec![process(3), process(2)],
        ..table(&gone)
    });
    let last = seen
        .rows
        .iter()
        .map(|row| seen.last_owner(row).unwrap().pid);
    assert_eq!(last.collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn arrivals_are_remembered_for_sixty_tables() {
    let all: Vec<Socket> = (0..100).map(|n| with_cookie(n, State::Listen)).collect();
    let mut watch = SourceMonitor::begin(SourceKind::SockDiag, &all[..1]);
    for count in 2..=100 {
        watch.fold_sockets(&all[..count]);
    }
    let seen = watch.fold_sockets(&all);
    assert_eq!(seen.new_socket_history.len(), 60);
    assert_eq!(seen.new_socket_history.iter().sum::<u32>(), 59);
    assert_eq!(seen.table_number, 101);
}

#[test]
fn usage_changes_neither_rows_nor_number() {
    let usage = ProcessUsage {
        pid: 100,
        cpu_percent: Some(3.0),
        memory: 1 << 20,
    };
    let reading_of_usage = || Reading {
        time: Time::default(),
        kind: ReadingKind::Usage(vec![usage]),
    };
    let mut monitor = Monitor::default();
    assert!(monitor.fold(reading_of_usage()).is_none());
    let sockets = [socket(1, State::Established)];
    let first = monitor.fold(reading(0, table(&sockets))).unwrap();
    assert_eq!(first.usage, [usage]);
    let second = monitor.fold(reading_of_usage()).unwrap();
    assert!(Arc::ptr_eq(&first.rows, &second.rows));
    assert_eq!(second.table_number, 1);
    let third = monitor.fold(reading(1000, table(&sockets))).unwrap();
    assert_eq!(third.usage, [usage]);
}

#[test]
fn row_buffers_are_reused_once_unread() {
    let sockets: Vec<Socket> = (0..100).map(|n| with_cookie(n, State::Listen)).collect();
    let mut watch = SourceMonitor::begin(SourceKind::SockDiag, &sockets);
    let places: Vec<_> = (0..6)
        .map(|_| watch.fold_sockets(&sockets).rows.as_ptr())
        .collect();
    assert_eq!(places[1], places[3]);
    assert_eq!(places[2], places[4]);
}

#[test]
fn a_monitor_can_live_on_another_thread() {
    fn assert_send<T: Send>(_: &T) {}
    assert_send(&Monitor::default());
}

/// A table of this namespace, or of all.
fn seen_from_here(scope: NamespaceScope, sockets: &[Socket]) -> Snapshot {
    Snapshot {
        scope,
        namespaces: vec![Namespace {
            id: 1,
            name: None,
            is_current: true,
            entry: None,
        }],
        ..table(sockets)
    }
}

/// Findings of another namespace do not stay over this one's table.
#[test]
fn findings_do_not_outlast_the_look_at_their_namespace() {
    let mut full = Socket {
        namespace: 2,
        ..with_cookie(2, State::Listen)
    };
    (full.recv_queue, full.send_queue) = (9, 4);
    let mut watch = SourceMonitor::begin(SourceKind::SockDiag, &[]);
    let mut see = |scope| watch.read(seen_from_here(scope, &[full])).findings.len();
    let found = (0..20).any(|_| see(NamespaceScope::All) > 0);
    assert!(found, "a full queue");
    assert!(see(NamespaceScope::All) > 0, "it stands");
    let here = watch.read(seen_from_here(NamespaceScope::Current, &[]));
    assert_eq!(here.findings, []);
}

/// Starting or ceasing to watch a namespace neither opens nor closes its rows.
#[test]
fn changing_the_scope_opens_and_closes_nothing() {
    let here = with_cookie(1, State::Established);
    let there = Socket {
        namespace: 2,
        ..with_cookie(2, State::Established)
    };
    let mut watch = SourceMonitor::begin(SourceKind::SockDiag, &[here]);
    watch.read(seen_from_here(NamespaceScope::Current, &[here]));
    let wide = watch.read(seen_from_here(NamespaceScope::All, &[here, there]));
    assert_eq!(wide.rows.len(), 2);
    assert!(
        wide.rows.iter().all(|row| !row.saw_state_entry),
        "found, not new"
    );
    let newcomer = Socket {
        cookie: NonZeroU64::new(77),
        ..there
    };
    let later = watch.read(seen_from_here(
        NamespaceScope::All,
        &[here, there, newcomer],
    ));
    let new = |row: &&Row| row.phase == Phase::New;
    assert_eq!(later.rows.iter().filter(new).count(), 1);
    let narrow = watch.read(seen_from_here(NamespaceScope::Current, &[here]));
    assert_eq!(narrow.rows.len(), 1, "nothing is said to have closed");
    assert_eq!(watch.monitor.ledger.remembered(), 1);
}
