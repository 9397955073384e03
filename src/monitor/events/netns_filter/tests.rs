//! Tests: one namespace is watched, and changes of several are reported.

use super::super::super::fixture::{reading, table, with_cookie};
use super::super::super::{Monitor, MonitorOptions};
use crate::model::endpoint::Endpoint;
use crate::model::event::{EventProcess, EventSource, Events, StateChange};
use crate::model::event_history::EventHistory;
use crate::model::namespace::{Namespace, NamespaceScope};
use crate::model::protocol::IpFamily;
use crate::model::reading::{Reading, ReadingKind};
use crate::model::socket::Socket;
use crate::model::state::State::{self, *};
use crate::model::time::Time;
use std::sync::Arc;

/// Namespace of the rows in the fixture.
const HERE: u32 = 1;
const THERE: u32 = 8;

/// Changes of a socket, with a caller in a namespace.
fn change_sequence(
    of: &Socket,
    name: u64,
    namespace: Option<u32>,
    states: &[State],
) -> Vec<StateChange> {
    let caller = Arc::new(EventProcess {
        pid: 812,
        name: "curl".into(),
        start_ticks: 5,
        namespace,
    });
    let pairs = states.windows(2).zip(0..);
    let change = |(pair, step): (&[State], u64)| {
        let by_call = matches!(pair[1], SynSent | Listen);
        let port = if pair[1] == SynSent { 0 } else { of.local.port };
        StateChange {
            at_us: 1000 + 100 * step,
            socket: name,
            local: Endpoint::new(of.local.address(), port),
            remote: of.remote,
            family: IpFamily::Inet,
            from: pair[0],
            to: pair[1],
            in_interrupt: !by_call,
            process: by_call.then(|| Arc::clone(&caller)),
        }
    };
    pairs.map(change).collect()
}

/// History after a table with these rows, which is read again.
fn chronicle(
    scope: NamespaceScope,
    rows: &[Socket],
    batches: Vec<Vec<StateChange>>,
) -> Arc<EventHistory> {
    chronicle_since(0, scope, rows, batches)
}

/// The same with rows that appear later.
fn chronicle_since(
    since_ms: u64,
    scope: NamespaceScope,
    rows: &[Socket],
    batches: Vec<Vec<StateChange>>,
) -> Arc<EventHistory> {
    let mut monitor = Monitor::new(MonitorOptions::default());
    let mut see = |at_ms: u64, changes: Vec<StateChange>| {
        monitor.fold(Reading {
            time: Time::default(),
            kind: ReadingKind::Events(Box::new(Events {
                source: EventSource::StateChanges,
                changes,
                ..Events::default()
            })),
        });
        let there = if at_ms < since_ms { &[][..] } else { rows };
        let mut table = table(there);
        table.scope = scope;
        table.namespaces = vec![Namespace {
            id: HERE,
            name: None,
            is_current: true,
            entry: None,
        }];
        monitor.fold(reading(at_ms, table)).unwrap()
    };
    let mut last = see(0, Vec::new());
    for (changes, second) in batches.into_iter().zip(1..) {
        last = see(second * 1000, changes);
    }
    Arc::clone(&last.event_history)
}

/// Number of log entries, received changes and short-lived connections.
fn figures(chronicle: &EventHistory) -> (usize, u64, u64) {
    (
        chronicle.events.len(),
        chronicle.received,
        chronicle.short_lived,
    )
}

const REFUSED: [State; 3] = [Closed, SynSent, Closed];
const ACCEPTED: [State; 5] = [Listen, SynReceived, Established, CloseWait, Closed];

#[test]
fn the_caller_tells_where_a_connect_is() {
    let of = with_cookie(1, SynSent);
    let told = |scope, namespace| {
        let told = chronicle(
            scope,
            &[],
            vec![change_sequence(&of, 1, namespace, &REFUSED)],
        );
        figures(&told)
    };
    let all = (2, 2, 1);
    assert_eq!(told(NamespaceScope::Current, Some(HERE)), all);
    assert_eq!(told(NamespaceScope::Current, Some(THERE)), (0, 0, 0));
    // Nothing tells where: shown, and neither counted as of here nor left out.
    assert_eq!(told(NamespaceScope::Current, None), (2, 0, 0));
    assert_eq!(told(NamespaceScope::All, Some(THERE)), all);
}

#[test]
fn what_nothing_places_is_of_an_unknown_namespace() {
    let row = with_cookie(1, Established);
    let begun = || change_sequence(&row, 1, None, &[Closed, SynSent, Established]);
    let ended = || change_sequence(&row, 1, None, &[Established, FinWait1, Closed]);
    let namespaces = |told: &EventHistory| {
        let lines = told.events.iter();
        lines.map(|line| line.namespace).collect::<Vec<u32>>()
    };
    let told = chronicle(NamespaceScope::Current, &[], vec![begun(), ended()]);
    assert_eq!(namespaces(&told), [0; 4]);
    assert_eq!((told.unplaced, figures(&told)), (4, (4, 0, 0)));
    // A table places what it shows.
    let told = chronicle_since(
        1000,
        NamespaceScope::Current,
        &[row],
        vec![begun(), ended()],
    );
    assert_eq!(namespaces(&told), [0, 0, HERE, HERE]);
    assert_eq!((told.unplaced, told.received), (2, 2));
    let told = chronicle(
        NamespaceScope::Current,
        &[],
        vec![change_sequence(&row, 1, Some(HERE), &REFUSED)],
    );
    assert_eq!((namespaces(&told), told.unplaced), (vec![HERE; 2], 0));
}

#[test]
fn who_is_accepted_from_nobody_knows_where_may_be_taken_elsewhere() {
    let mut listener = with_cookie(1, Listen);
    listener.local = Endpoint::new("127.0.0.1".parse().unwrap(), 8000);
    let mut dialled = with_cookie(2, Established);
    dialled.local = Endpoint::new(listener.local.address(), 40_000);
    dialled.remote = listener.local;
    let mut taken = dialled;
    (taken.local, taken.remote) = (dialled.remote, dialled.local);
    let mut told = change_sequence(&dialled, 7, None, &[Closed, SynSent, Established]);
    told.extend(change_sequence(
        &taken,
        8,
        None,
        &[Listen, SynReceived, Established],
    ));
    let told = chronicle(NamespaceScope::Current, &[listener], vec![Vec::new(), told]);
    let lines = told
        .events
        .iter()
        .map(|line| (line.namespace, line.owner.is_some()));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [(0, true), (0, true), (0, false)]
    );
}

#[test]
fn a_row_is_watched_whatever_namespace_connected() {
    // A socket may be passed to a process of another namespace.
    let row = with_cookie(1, Established);
    let begun = change_sequence(&row, 1, Some(THERE), &[Closed, SynSent, Established]);
    let ended = change_sequence(&row, 1, None, &[Established, Closed]);
    let told = chronicle_since(1000, NamespaceScope::Current, &[row], vec![begun, ended]);
    // By then it is known.
    assert_eq!(figures(&told), (1, 1, 0));
}

#[test]
fn accepted_connections_are_in_the_listeners_namespace() {
    let mut listener = with_cookie(1, Listen);
    listener.local.port = 8080;
    let mut taken = with_cookie(2, Established);
    taken.local.port = 8080;
    let accepted = || vec![change_sequence(&taken, 1, None, &ACCEPTED)];
    assert_eq!(
        figures(&chronicle(NamespaceScope::Current, &[listener], accepted())),
        (3, 4, 1)
    );
    // No listener here: received, and not shown.
    let told = chronicle(NamespaceScope::Current, &[], accepted());
    assert_eq!((told.events.len(), told.short_lived), (0, 0));
    assert_eq!(
        figures(&chronicle(NamespaceScope::All, &[], accepted())),
        (3, 4, 1)
    );
    // A listener opened after the table is known by its own change.
    for (namespace, lines) in [(HERE, 4), (THERE, 0)] {
        let mut changes = change_sequence(&listener, 9, Some(namespace), &[Closed, Listen]);
        changes.extend(change_sequence(&taken, 1, None, &ACCEPTED));
        let told = chronicle(NamespaceScope::Current, &[], vec![changes]);
        assert_eq!(told.events.len(), lines);
    }
}

#[test]
fn what_began_before_is_here_if_a_row_shows_it() {
    let row = with_cookie(1, Established);
    let ended = || vec![change_sequence(&row, 1, None, &[Established, CloseWait])];
    let shown = chronicle(NamespaceScope::Current, &[row], ended());
    assert_eq!(shown.events.len(), 1);
    assert_eq!(
        chronicle(NamespaceScope::Current, &[], ended())
            .events
            .len(),
        0
    );
    assert_eq!(chronicle(NamespaceScope::All, &[], ended()).events.len(), 1);
}

/// A connection accepted from this very machine is in the namespace of the
/// connecting end.
#[test]
fn a_listener_of_the_same_port_elsewhere_takes_its_own() {
    let mut listener = with_cookie(1, Listen);
    listener.local = Endpoint::new("127.0.0.1".parse().unwrap(), 8000);
    let mut dialled = with_cookie(2, Established);
    dialled.local = Endpoint::new(listener.local.address(), 40_000);
    dialled.remote = listener.local;
    let mut taken = dialled;
    (taken.local, taken.remote) = (dialled.remote, dialled.local);
    for (namespace, lines) in [(HERE, 4), (THERE, 0)] {
        let mut told = change_sequence(
            &dialled,
            7,
            Some(namespace),
            &[Closed, SynSent, Established],
        );
        told.extend(change_sequence(
            &taken,
            8,
            None,
            &[Listen, SynReceived, Established, CloseWait],
        ));
        let chronicle = chronicle(NamespaceScope::Current, &[listener], vec![Vec::new(), told]);
        assert_eq!(chronicle.events.len(), lines, "{namespace}");
    }
}
