//! Tests: entries of the event log, and what is added to them later.

use super::*;
use crate::model::namespace::{Namespace, NamespaceScope};

/// State of the minisocket in the last entry.
fn retained_state(chronicle: &EventHistory) -> Option<RetainedState> {
    match chronicle.events.last()?.kind {
        EventKind::Retained { state: record, .. } => Some(record),
        _ => None,
    }
}

fn ending(of: Socket, received: u64) -> SocketDestroyed {
    SocketDestroyed {
        at_us: 9_000,
        socket: of,
        info: TcpInfo {
            bytes_received: Some(received),
            bytes_sent: Some(7),
            bytes_retransmitted: Some(2),
            ..TcpInfo::default()
        },
    }
}

#[test]
fn retained_minisockets_are_not_closed() {
    let of = with_cookie(1, TimeWait);
    let cases = [
        (FinWait2, RetainedState::Unknown),
        (Closing, RetainedState::TimeWait),
    ];
    for (last, record) in cases {
        let mut watch = EventMonitor::begin(&[]);
        let states = [Closed, SynSent, Established, FinWait1, last, Closed];
        watch.fold_changes(change_sequence(5_000, &of, 7, &states));
        let seen = watch.fold_table(1000, &[]);
        let line = seen.event_history.events.last().unwrap();
        assert_eq!(line.kind.from_state(), Some(last));
        assert_eq!(retained_state(&seen.event_history), Some(record));
        assert_eq!(seen.event_history.short_lived, 0);
        // A table may show which state it is.
        let seen = watch.fold_table(2000, &[of]);
        assert_eq!(
            retained_state(&seen.event_history),
            Some(RetainedState::TimeWait)
        );
    }
}

#[test]
fn byte_counts_come_with_socket_destruction() {
    let of = with_cookie(1, Established);
    let states = [Closed, SynSent, Established, CloseWait, LastAck, Closed];
    let mut watch = EventMonitor::begin(&[]);
    // An aborted socket has lost the peer's port, and the bytes.
    for (remote, bytes) in [(of.remote.port, 5), (0, 0)] {
        let remote = Endpoint::new(of.remote.address(), remote);
        watch.fold_events(Events {
            source: EventSource::StateChanges,
            changes: change_sequence(5_000, &of, 7, &states),
            destroyed: vec![SocketDestroyed {
                at_us: 9_000,
                socket: Socket { remote, ..of },
                info: TcpInfo {
                    bytes_received: Some(bytes),
                    bytes_acked: Some(1),
                    ..TcpInfo::default()
                },
            }],
            ..Events::default()
        });
        let seen = watch.fold_table(1000, &[]);
        let carried = seen.event_history.events.last().unwrap().payload;
        // The FIN of the peer, which closed first, is not counted.
        let told = (remote.port != 0).then_some(Payload {
            received: 4,
            sent: 1,
        });
        assert_eq!(carried, told);
    }
}

#[test]
fn accepted_connections_belong_to_the_listeners_owner() {
    let mut listener = with_cookie(1, Listen);
    listener.local.port = 8080;
    let mut accepted = with_cookie(2, Established);
    accepted.local.port = 8080;
    let mut watch = EventMonitor::begin(&[listener]);
    watch.fold_changes(change_sequence(
        5_000,
        &accepted,
        7,
        &[Listen, SynReceived, Established, CloseWait, LastAck, Closed],
    ));
    let seen = watch.fold_table(1000, &[listener]);
    let owners = seen.event_history.events.iter().map(|line| &line.owner);
    let owners: Vec<u32> = owners.flatten().map(|owner| owner.pid).collect();
    assert_eq!(owners, [100; 4]);
}

#[test]
fn the_stream_keeps_the_last() {
    let mut watch = EventMonitor::begin(&[]);
    let all = (0..2_000).flat_map(|number| {
        let of = with_cookie(number, SynSent);
        let at = u64::from(number) * 10_000;
        change_sequence(at, &of, u64::from(number) + 1, &[Closed, SynSent, Closed])
    });
    watch.fold_changes(all.collect());
    let seen = watch.fold_table(30_000, &[]);
    let chronicle = &seen.event_history;
    assert_eq!((chronicle.events.len(), chronicle.received), (500, 4_000));
    assert_eq!(chronicle.events.last().unwrap().at_us, 19_991_000);
    assert_eq!(chronicle.short_lived, 2_000);
    assert!(chronicle.events.iter().all(|line| line.owner.is_some()));
}

#[test]
fn a_minisocket_in_no_table_is_closed() {
    let of = with_cookie(1, FinWait2);
    let told = change_sequence(
        500_000,
        &of,
        7,
        &[Closed, SynSent, Established, FinWait1, FinWait2, Closed],
    );
    for (shown, expected) in [
        (vec![of], Some(RetainedState::FinWait2)),
        (Vec::new(), None),
        // Another connection in the same state.
        (vec![with_cookie(2, FinWait2)], None),
    ] {
        let mut watch = EventMonitor::begin(&[]);
        watch.fold_changes(told.clone());
        // This table may have been read before the socket was replaced.
        let seen = watch.fold_table(1000, &[]);
        assert_eq!(
            retained_state(&seen.event_history),
            Some(RetainedState::Unknown)
        );
        watch.fold_table(2000, &shown);
        let seen = watch.fold_table(3000, &[]);
        assert_eq!(retained_state(&seen.event_history), expected);
        // Where a table has shown it, its later end is another matter.
        let ended = close_reasons(&seen.event_history).len();
        assert_eq!(ended, usize::from(expected.is_none()));
    }
}

#[test]
fn the_fin_is_none_of_the_bytes() {
    let of = with_cookie(1, Established);
    let unread = Socket {
        recv_queue: 1,
        ..of
    };
    let cases: [(&[State], Socket, u64); 7] = [
        (&[Established, CloseWait, LastAck, Closed], of, 9),
        (&[Established, CloseWait, Closed], of, 9),
        (&[Established, Closed], of, 10),
        (&[Established, FinWait1, Closing, Closed], of, 9),
        (&[Established, FinWait1, Closed], of, 10),
        // Without the FIN, as no program waits for it.
        (&[Established, FinWait1, FinWait2, Closed], of, 10),
        // With the FIN, and no program to read it.
        (&[Established, FinWait1, FinWait2, Closed], unread, 9),
    ];
    let line = |changes: Vec<StateChange>, socket: Socket| {
        let mut watch = EventMonitor::begin(&[]);
        watch.fold_events(Events {
            source: EventSource::StateChanges,
            changes,
            destroyed: vec![ending(socket, 10)],
            ..Events::default()
        });
        let seen = watch.fold_table(1000, &[]);
        seen.event_history.events.last().unwrap().payload.unwrap()
    };
    for (states, socket, received) in cases {
        let mut changes = change_sequence(5_000, &of, 7, states);
        let last = changes.len() - 1;
        changes[last].at_us -= 990;
        let told = line(changes, socket);
        assert_eq!(told, Payload { received, sent: 5 }, "{states:?}");
    }
    // Nothing but a FIN.
    let mut bare = ending(of, 1);
    bare.info.data_segments_in = Some(0);
    assert_eq!(bare.info.payload_received(false), Some(0));
    // A program that still held it has waited for the FIN and read it.
    let waited = change_sequence(5_000, &of, 7, &[FinWait1, FinWait2, Closed]);
    assert_eq!(line(waited, of).received, 9);
}

#[test]
fn where_only_endings_are_told_the_next_table_shows_what_is_kept() {
    let of = with_cookie(1, TimeWait);
    let told = |rows: [&[Socket]; 2]| {
        let mut watch = EventMonitor::begin(&[]);
        watch.fold_events(Events {
            source: EventSource::DestroyedOnly(EventsUnavailable::NotPermitted),
            destroyed: vec![ending(of, 10)],
            ..Events::default()
        });
        watch.fold_table(1000, rows[0]);
        let seen = watch.fold_table(2000, rows[1]);
        assert_eq!(seen.event_history.events[0].kind.from_state(), None);
        let unseen = seen.event_history.events[0].is_short_lived();
        (retained_state(&seen.event_history), unseen)
    };
    assert_eq!(told([&[of], &[of]]), (Some(RetainedState::TimeWait), false));
    // Later it is another connection with the same ends.
    assert_eq!(told([&[], &[of]]), (None, true));
}

/// Of two connections with the same addresses the later has the later byte
/// counts.
#[test]
fn a_later_ending_is_not_overwritten() {
    let of = with_cookie(1, Established);
    let states = [Closed, SynSent, Established, Closed];
    let mut changes = change_sequence(5_000, &of, 7, &states);
    changes.extend(change_sequence(50_000, &of, 8, &states));
    let mut watch = EventMonitor::begin(&[]);
    watch.fold_events(Events {
        source: EventSource::StateChanges,
        changes,
        destroyed: vec![ending(of, 10), ending(of, 20)],
        ..Events::default()
    });
    let seen = watch.fold_table(1000, &[]);
    let last = seen.event_history.events.last().unwrap().payload.unwrap();
    assert_eq!(last.received, 20);
}

/// Events of another namespace do not displace those of the watched one.
#[test]
fn events_of_other_namespaces_evict_nothing() {
    let of = with_cookie(1, Established);
    let mut changes = change_sequence(5_000, &of, 7, &[Closed, SynSent, Established, Closed]);
    // Nothing in the watched namespace explains these.
    for number in 10..2_000 {
        let other = with_cookie(number, Established);
        let at = 10_000 + u64::from(number);
        changes.push(change(at, &other, number.into(), Established, CloseWait));
    }
    let mut snapshot = table(&[]);
    snapshot.scope = NamespaceScope::Current;
    snapshot.namespaces = vec![Namespace {
        id: 1,
        name: None,
        is_current: true,
        entry: None,
    }];
    let mut monitor = Monitor::new(MonitorOptions::default());
    monitor.fold(reading(0, snapshot.clone())).unwrap();
    let mut watch = EventMonitor(monitor);
    watch.fold_changes(changes);
    let seen = watch.0.fold(reading(1000, snapshot)).unwrap();
    assert_eq!(seen.event_history.events.len(), 3);
}

#[test]
fn events_need_not_wait_for_the_next_table() {
    let here = with_cookie(1, Established);
    let mut watch = EventMonitor::begin(&[here]);
    let before = watch.fold_table(1000, &[here]);
    assert!(watch.0.with_new_events().is_none(), "nothing came");
    let short = with_cookie(2, SynSent);
    watch.fold_events(Events {
        source: EventSource::StateChanges,
        changes: change_sequence(1_100_000, &short, 7, &[Closed, SynSent, Closed]),
        ..Events::default()
    });
    let shown = watch.0.with_new_events().unwrap();
    assert_eq!(shown.event_history.events.len(), 2);
    assert_eq!(shown.table_number, before.table_number);
    assert!(Arc::ptr_eq(&shown.rows, &before.rows));
    assert!(watch.0.with_new_events().is_none(), "all is shown");
    let after = watch.fold_table(2000, &[here]);
    assert_eq!(after.event_history.events, shown.event_history.events);
}
