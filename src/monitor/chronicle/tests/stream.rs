//! Tests: entries of the event log, and what is added to them later.

use super::*;
use crate::model::namespace::{Namespace, Scope};

/// State of the minisocket in the last entry.
fn kept(chronicle: &Chronicle) -> Option<Record> {
    match chronicle.stream.last()?.what {
        What::Kept { record, .. } => Some(record),
        _ => None,
    }
}

fn ending(of: Socket, received: u64) -> Ending {
    Ending {
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
fn what_the_kernel_keeps_has_not_ended() {
    let of = with_cookie(1, TimeWait);
    let cases = [(FinWait2, Record::Unseen), (Closing, Record::TimeWait)];
    for (last, record) in cases {
        let mut watch = Watch::begin(&[]);
        let states = [Closed, SynSent, Established, FinWait1, last, Closed];
        watch.told(way(5_000, &of, 7, &states));
        let seen = watch.see(1000, &[]);
        let line = seen.chronicle.stream.last().unwrap();
        assert_eq!(line.what.from(), Some(last));
        assert_eq!(kept(&seen.chronicle), Some(record));
        assert_eq!(seen.chronicle.brief, 0);
        // A table may show which state it is.
        let seen = watch.see(2000, &[of]);
        assert_eq!(kept(&seen.chronicle), Some(Record::TimeWait));
    }
}

#[test]
fn what_it_carried_comes_with_the_ending() {
    let of = with_cookie(1, Established);
    let states = [Closed, SynSent, Established, CloseWait, LastAck, Closed];
    let mut watch = Watch::begin(&[]);
    // An aborted socket has lost the peer's port, and the bytes.
    for (remote, bytes) in [(of.remote.port, 5), (0, 0)] {
        let remote = Endpoint::new(of.remote.address(), remote);
        watch.hear(Events {
            feed: Feed::Changes,
            changes: way(5_000, &of, 7, &states),
            endings: vec![Ending {
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
        let seen = watch.see(1000, &[]);
        let carried = seen.chronicle.stream.last().unwrap().carried;
        // The FIN of the peer, which closed first, is not counted.
        let told = (remote.port != 0).then_some(Payload {
            received: 4,
            sent: 1,
        });
        assert_eq!(carried, told);
    }
}

#[test]
fn who_is_accepted_belongs_to_the_listener() {
    let mut listener = with_cookie(1, Listen);
    listener.local.port = 8080;
    let mut accepted = with_cookie(2, Established);
    accepted.local.port = 8080;
    let mut watch = Watch::begin(&[listener]);
    watch.told(way(
        5_000,
        &accepted,
        7,
        &[Listen, SynReceived, Established, CloseWait, LastAck, Closed],
    ));
    let seen = watch.see(1000, &[listener]);
    let owners = seen.chronicle.stream.iter().map(|line| &line.owner);
    let owners: Vec<u32> = owners.flatten().map(|owner| owner.pid).collect();
    assert_eq!(owners, [100; 4]);
}

#[test]
fn the_stream_keeps_the_last() {
    let mut watch = Watch::begin(&[]);
    let all = (0..2_000).flat_map(|number| {
        let of = with_cookie(number, SynSent);
        let at = u64::from(number) * 10_000;
        way(at, &of, u64::from(number) + 1, &[Closed, SynSent, Closed])
    });
    watch.told(all.collect());
    let seen = watch.see(30_000, &[]);
    let chronicle = &seen.chronicle;
    assert_eq!((chronicle.stream.len(), chronicle.told), (500, 4_000));
    assert_eq!(chronicle.stream.last().unwrap().at_us, 19_991_000);
    assert_eq!(chronicle.brief, 2_000);
    assert!(chronicle.stream.iter().all(|line| line.owner.is_some()));
}

#[test]
fn what_no_table_shows_is_not_kept() {
    let of = with_cookie(1, FinWait2);
    let told = way(
        500_000,
        &of,
        7,
        &[Closed, SynSent, Established, FinWait1, FinWait2, Closed],
    );
    for (shown, expected) in [
        (vec![of], Some(Record::FinWait2)),
        (Vec::new(), None),
        // Another connection in the same state.
        (vec![with_cookie(2, FinWait2)], None),
    ] {
        let mut watch = Watch::begin(&[]);
        watch.told(told.clone());
        // This table may have been read before the socket was replaced.
        let seen = watch.see(1000, &[]);
        assert_eq!(kept(&seen.chronicle), Some(Record::Unseen));
        watch.see(2000, &shown);
        let seen = watch.see(3000, &[]);
        assert_eq!(kept(&seen.chronicle), expected);
        // Where a table has shown it, its later end is another matter.
        let ended = fates(&seen.chronicle).len();
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
    let line = |changes: Vec<Change>, socket: Socket| {
        let mut watch = Watch::begin(&[]);
        watch.hear(Events {
            feed: Feed::Changes,
            changes,
            endings: vec![ending(socket, 10)],
            ..Events::default()
        });
        let seen = watch.see(1000, &[]);
        seen.chronicle.stream.last().unwrap().carried.unwrap()
    };
    for (states, socket, received) in cases {
        let mut changes = way(5_000, &of, 7, states);
        let last = changes.len() - 1;
        changes[last].at_us -= 990;
        let told = line(changes, socket);
        assert_eq!(told, Payload { received, sent: 5 }, "{states:?}");
    }
    // Nothing but a FIN.
    let mut bare = ending(of, 1);
    bare.info.data_segments_in = Some(0);
    assert_eq!(bare.info.received(false), Some(0));
    // A program that still held it has waited for the FIN and read it.
    let waited = way(5_000, &of, 7, &[FinWait1, FinWait2, Closed]);
    assert_eq!(line(waited, of).received, 9);
}

#[test]
fn where_only_endings_are_told_the_next_table_shows_what_is_kept() {
    let of = with_cookie(1, TimeWait);
    let told = |rows: [&[Socket]; 2]| {
        let mut watch = Watch::begin(&[]);
        watch.hear(Events {
            feed: Feed::Endings(NoFeed::NotPermitted),
            endings: vec![ending(of, 10)],
            ..Events::default()
        });
        watch.see(1000, rows[0]);
        let seen = watch.see(2000, rows[1]);
        assert_eq!(seen.chronicle.stream[0].what.from(), None);
        let unseen = seen.chronicle.stream[0].is_unseen();
        (kept(&seen.chronicle), unseen)
    };
    assert_eq!(told([&[of], &[of]]), (Some(Record::TimeWait), false));
    // Later it is another connection with the same ends.
    assert_eq!(told([&[], &[of]]), (None, true));
}

/// Of two connections with the same addresses the later has the later byte
/// counts.
#[test]
fn a_later_ending_is_not_overwritten() {
    let of = with_cookie(1, Established);
    let states = [Closed, SynSent, Established, Closed];
    let mut changes = way(5_000, &of, 7, &states);
    changes.extend(way(50_000, &of, 8, &states));
    let mut watch = Watch::begin(&[]);
    watch.hear(Events {
        feed: Feed::Changes,
        changes,
        endings: vec![ending(of, 10), ending(of, 20)],
        ..Events::default()
    });
    let seen = watch.see(1000, &[]);
    let last = seen.chronicle.stream.last().unwrap().carried.unwrap();
    assert_eq!(last.received, 20);
}

/// Events of another namespace do not displace those of the watched one.
#[test]
fn lines_of_elsewhere_take_no_room() {
    let of = with_cookie(1, Established);
    let mut changes = way(5_000, &of, 7, &[Closed, SynSent, Established, Closed]);
    // Nothing in the watched namespace explains these.
    for number in 10..2_000 {
        let other = with_cookie(number, Established);
        let at = 10_000 + u64::from(number);
        changes.push(change(at, &other, number.into(), Established, CloseWait));
    }
    let mut snapshot = table(&[]);
    snapshot.scope = Scope::Own;
    snapshot.namespaces = vec![Namespace {
        id: 1,
        name: None,
        own: true,
        entrance: None,
    }];
    let mut monitor = Monitor::new(MonitorOptions::default());
    monitor.fold(reading(0, snapshot.clone())).unwrap();
    let mut watch = Watch(monitor);
    watch.told(changes);
    let seen = watch.0.fold(reading(1000, snapshot)).unwrap();
    assert_eq!(seen.chronicle.stream.len(), 3);
}

#[test]
fn events_need_not_wait_for_the_next_table() {
    let here = with_cookie(1, Established);
    let mut watch = Watch::begin(&[here]);
    let before = watch.see(1000, &[here]);
    assert!(watch.0.with_new_events().is_none(), "nothing came");
    let short = with_cookie(2, SynSent);
    watch.hear(Events {
        feed: Feed::Changes,
        changes: way(1_100_000, &short, 7, &[Closed, SynSent, Closed]),
        ..Events::default()
    });
    let shown = watch.0.with_new_events().unwrap();
    assert_eq!(shown.chronicle.stream.len(), 2);
    assert_eq!(shown.number, before.number);
    assert!(Arc::ptr_eq(&shown.rows, &before.rows));
    assert!(watch.0.with_new_events().is_none(), "all is shown");
    let after = watch.see(2000, &[here]);
    assert_eq!(after.chronicle.stream, shown.chronicle.stream);
}
