//! Tests: one namespace is watched, and changes of several are reported.

use super::super::super::fixture::{reading, table, with_cookie};
use super::super::super::{Monitor, MonitorOptions};
use crate::model::chronicle::Chronicle;
use crate::model::endpoint::Endpoint;
use crate::model::event::{Caller, Change, Events, Feed};
use crate::model::namespace::{Namespace, Scope};
use crate::model::protocol::Family;
use crate::model::reading::{Matter, Reading};
use crate::model::socket::Socket;
use crate::model::state::State::{self, *};
use crate::model::time::Time;
use std::sync::Arc;

/// Namespace of the rows in the fixture.
const HERE: u32 = 1;
const THERE: u32 = 8;

/// Changes of a socket, with a caller in a namespace.
fn way(of: &Socket, name: u64, namespace: Option<u32>, states: &[State]) -> Vec<Change> {
    let caller = Arc::new(Caller {
        pid: 812,
        name: "curl".into(),
        start_ticks: 5,
        namespace,
    });
    let pairs = states.windows(2).zip(0..);
    let change = |(pair, step): (&[State], u64)| {
        let by_call = matches!(pair[1], SynSent | Listen);
        let port = if pair[1] == SynSent { 0 } else { of.local.port };
        Change {
            at_us: 1000 + 100 * step,
            socket: name,
            local: Endpoint::new(of.local.address(), port),
            remote: of.remote,
            family: Family::Inet,
            from: pair[0],
            to: pair[1],
            interrupt: !by_call,
            caller: by_call.then(|| Arc::clone(&caller)),
        }
    };
    pairs.map(change).collect()
}

/// History after a table with these rows, which is read again.
fn chronicle(scope: Scope, rows: &[Socket], batches: Vec<Vec<Change>>) -> Arc<Chronicle> {
    chronicle_since(0, scope, rows, batches)
}

/// The same with rows that appear later.
fn chronicle_since(
    since_ms: u64,
    scope: Scope,
    rows: &[Socket],
    batches: Vec<Vec<Change>>,
) -> Arc<Chronicle> {
    let mut monitor = Monitor::new(MonitorOptions::default());
    let mut see = |at_ms: u64, changes: Vec<Change>| {
        monitor.fold(Reading {
            time: Time::default(),
            matter: Matter::Events(Box::new(Events {
                feed: Feed::Changes,
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
            own: true,
            entrance: None,
        }];
        monitor.fold(reading(at_ms, table)).unwrap()
    };
    let mut last = see(0, Vec::new());
    for (changes, second) in batches.into_iter().zip(1..) {
        last = see(second * 1000, changes);
    }
    Arc::clone(&last.chronicle)
}

/// Number of log entries, received changes and short-lived connections.
fn figures(chronicle: &Chronicle) -> (usize, u64, u64) {
    (chronicle.stream.len(), chronicle.told, chronicle.brief)
}

const REFUSED: [State; 3] = [Closed, SynSent, Closed];
const ACCEPTED: [State; 5] = [Listen, SynReceived, Established, CloseWait, Closed];

#[test]
fn the_caller_tells_where_a_connect_is() {
    let of = with_cookie(1, SynSent);
    let told = |scope, namespace| {
        let told = chronicle(scope, &[], vec![way(&of, 1, namespace, &REFUSED)]);
        figures(&told)
    };
    let all = (2, 2, 1);
    assert_eq!(told(Scope::Own, Some(HERE)), all);
    assert_eq!(told(Scope::Own, Some(THERE)), (0, 0, 0));
    // Nothing tells where: shown, and neither counted as of here nor left out.
    assert_eq!(told(Scope::Own, None), (2, 0, 0));
    assert_eq!(told(Scope::All, Some(THERE)), all);
}

#[test]
fn what_nothing_places_is_of_an_unknown_namespace() {
    let row = with_cookie(1, Established);
    let begun = || way(&row, 1, None, &[Closed, SynSent, Established]);
    let ended = || way(&row, 1, None, &[Established, FinWait1, Closed]);
    let namespaces = |told: &Chronicle| {
        let lines = told.stream.iter();
        lines.map(|line| line.namespace).collect::<Vec<u32>>()
    };
    let told = chronicle(Scope::Own, &[], vec![begun(), ended()]);
    assert_eq!(namespaces(&told), [0; 4]);
    assert_eq!((told.unplaced, figures(&told)), (4, (4, 0, 0)));
    // A table places what it shows.
    let told = chronicle_since(1000, Scope::Own, &[row], vec![begun(), ended()]);
    assert_eq!(namespaces(&told), [0, 0, HERE, HERE]);
    assert_eq!((told.unplaced, told.told), (2, 2));
    let told = chronicle(Scope::Own, &[], vec![way(&row, 1, Some(HERE), &REFUSED)]);
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
    let mut told = way(&dialled, 7, None, &[Closed, SynSent, Established]);
    told.extend(way(&taken, 8, None, &[Listen, SynReceived, Established]));
    let told = chronicle(Scope::Own, &[listener], vec![Vec::new(), told]);
    let lines = told
        .stream
        .iter()
        .map(|line| (line.namespace, line.owner.is_some()));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [(0, true), (0, true), (0, false)]
    );
}

#[test]
fn a_row_is_here_whoever_called() {
    // A socket may be passed to a process of another namespace.
    let row = with_cookie(1, Established);
    let begun = way(&row, 1, Some(THERE), &[Closed, SynSent, Established]);
    let ended = way(&row, 1, None, &[Established, Closed]);
    let told = chronicle_since(1000, Scope::Own, &[row], vec![begun, ended]);
    // By then it is known.
    assert_eq!(figures(&told), (1, 1, 0));
}

#[test]
fn who_is_accepted_is_where_the_listener_is() {
    let mut listener = with_cookie(1, Listen);
    listener.local.port = 8080;
    let mut taken = with_cookie(2, Established);
    taken.local.port = 8080;
    let accepted = || vec![way(&taken, 1, None, &ACCEPTED)];
    assert_eq!(
        figures(&chronicle(Scope::Own, &[listener], accepted())),
        (3, 4, 1)
    );
    // No listener here: received, and not shown.
    let told = chronicle(Scope::Own, &[], accepted());
    assert_eq!((told.stream.len(), told.brief), (0, 0));
    assert_eq!(figures(&chronicle(Scope::All, &[], accepted())), (3, 4, 1));
    // A listener opened after the table is known by its own change.
    for (namespace, lines) in [(HERE, 4), (THERE, 0)] {
        let mut changes = way(&listener, 9, Some(namespace), &[Closed, Listen]);
        changes.extend(way(&taken, 1, None, &ACCEPTED));
        let told = chronicle(Scope::Own, &[], vec![changes]);
        assert_eq!(told.stream.len(), lines);
    }
}

#[test]
fn what_began_before_is_here_if_a_row_shows_it() {
    let row = with_cookie(1, Established);
    let ended = || vec![way(&row, 1, None, &[Established, CloseWait])];
    let shown = chronicle(Scope::Own, &[row], ended());
    assert_eq!(shown.stream.len(), 1);
    assert_eq!(chronicle(Scope::Own, &[], ended()).stream.len(), 0);
    assert_eq!(chronicle(Scope::All, &[], ended()).stream.len(), 1);
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
        let mut told = way(
            &dialled,
            7,
            Some(namespace),
            &[Closed, SynSent, Established],
        );
        told.extend(way(
            &taken,
            8,
            None,
            &[Listen, SynReceived, Established, CloseWait],
        ));
        let chronicle = chronicle(Scope::Own, &[listener], vec![Vec::new(), told]);
        assert_eq!(chronicle.stream.len(), lines, "{namespace}");
    }
}
