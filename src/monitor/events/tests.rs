//! Tests: connections as reported by changes, tables and destroyed sockets.

mod stream;

use super::super::fixture::{reading, table, with_cookie};
use super::super::{Monitor, MonitorOptions};
use crate::model::endpoint::Endpoint;
use crate::model::event::{
    EventProcess, EventSource, Events, EventsUnavailable, SocketDestroyed, StateChange,
};
use crate::model::event_history::{
    CloseReason, EventHistory, EventKind, RetainedState, TimePrecision, TimelineStep,
};
use crate::model::observation::Observation;
use crate::model::protocol::IpFamily;
use crate::model::reading::{Reading, ReadingKind};
use crate::model::socket::Socket;
use crate::model::state::State::{self, *};
use crate::model::tcp_info::{Payload, TcpInfo};
use crate::model::time::Time;
use std::sync::Arc;

/// A change of the socket with these addresses.
fn change(at_us: u64, of: &Socket, name: u64, from: State, to: State) -> StateChange {
    let by_call = matches!(to, SynSent | Listen);
    let caller = by_call.then(|| {
        Arc::new(EventProcess {
            pid: 812,
            name: "curl".into(),
            ..EventProcess::default()
        })
    });
    let port = if to == SynSent { 0 } else { of.local.port };
    StateChange {
        at_us,
        socket: name,
        local: Endpoint::new(of.local.address(), port),
        remote: of.remote,
        family: IpFamily::Inet,
        from,
        to,
        in_interrupt: from == SynSent,
        process: caller,
    }
}

/// All changes of a socket, a millisecond apart.
fn change_sequence(from_us: u64, of: &Socket, name: u64, states: &[State]) -> Vec<StateChange> {
    let pairs = states.windows(2).zip(0..);
    let step =
        |(pair, step): (&[State], u64)| change(from_us + 1000 * step, of, name, pair[0], pair[1]);
    pairs.map(step).collect()
}

struct EventMonitor(Monitor);

impl EventMonitor {
    /// A monitor at time 0 with these rows.
    fn begin(sockets: &[Socket]) -> Self {
        let mut watch = Self(Monitor::new(MonitorOptions::default()));
        watch.fold_table(0, sockets);
        watch
    }

    fn fold_table(&mut self, at_ms: u64, sockets: &[Socket]) -> Arc<Observation> {
        self.0.set_followed(sockets);
        self.0.fold(reading(at_ms, table(sockets))).unwrap()
    }

    fn fold_events(&mut self, events: Events) {
        self.0.fold(Reading {
            time: Time::default(),
            kind: ReadingKind::Events(Box::new(events)),
        });
    }

    fn fold_changes(&mut self, changes: Vec<StateChange>) {
        self.fold_events(Events {
            source: EventSource::StateChanges,
            changes,
            ..Events::default()
        });
    }
}

fn close_reasons(chronicle: &EventHistory) -> Vec<(CloseReason, bool, Option<u64>)> {
    let ends = chronicle.events.iter().filter_map(|line| match line.kind {
        EventKind::Ended { summary: life, .. } => Some(life),
        _ => None,
    });
    ends.map(|life| (life.reason, life.never_in_table, life.duration_us))
        .collect()
}

fn steps(observation: &Observation, socket: &Socket) -> Vec<(State, u64, TimePrecision)> {
    let timeline = observation.event_history.timeline(&socket.key()).unwrap();
    let step = |step: &TimelineStep| (step.state, step.since_us, step.precision);
    timeline.steps.iter().map(step).collect()
}

#[test]
fn every_change_sequence_has_its_close_reason() {
    let cases: [(&[State], CloseReason); 7] = [
        (&[Closed, SynSent, Closed], CloseReason::Refused),
        (
            &[Closed, SynSent, Established, CloseWait, LastAck, Closed],
            CloseReason::PeerClosed,
        ),
        (
            &[Closed, SynSent, Established, Closed],
            CloseReason::Aborted,
        ),
        (
            &[Listen, SynReceived, Established, CloseWait, Closed],
            CloseReason::Aborted,
        ),
        (
            &[Listen, SynReceived, Established, CloseWait, LastAck, Closed],
            CloseReason::PeerClosed,
        ),
        (&[Closed, Listen, Closed], CloseReason::ListenerClosed),
        (&[SynSent, Closed], CloseReason::Unknown),
    ];
    let of = with_cookie(1, Established);
    for (states, fate) in cases {
        let mut watch = EventMonitor::begin(&[]);
        watch.fold_changes(change_sequence(5_000, &of, 7, states));
        let seen = watch.fold_table(1000, &[]);
        let told_whole = states[0] == Closed || states[1] == SynReceived;
        let lasted = told_whole.then_some(1000 * (states.len() as u64 - 2));
        assert_eq!(
            close_reasons(&seen.event_history),
            [(fate, told_whole, lasted)],
            "{states:?}"
        );
        let brief = u64::from(told_whole && fate != CloseReason::ListenerClosed);
        assert_eq!(seen.event_history.short_lived, brief, "{states:?}");
        assert_eq!(seen.event_history.received, states.len() as u64 - 1);
    }
}

#[test]
fn who_waited_for_a_second_was_not_refused() {
    let of = with_cookie(1, SynSent);
    let mut watch = EventMonitor::begin(&[]);
    watch.fold_changes(vec![
        change(0, &of, 7, Closed, SynSent),
        change(3_000_000, &of, 7, SynSent, Closed),
    ]);
    let seen = watch.fold_table(4000, &[]);
    assert_eq!(
        close_reasons(&seen.event_history),
        [(CloseReason::TimedOut, true, Some(3_000_000))]
    );
    let line = seen.event_history.events.last().unwrap();
    assert_eq!(line.kind.time_in_state_us(), Some(3_000_000));
    assert_eq!(line.owner.as_ref().unwrap().pid, 812);
}

#[test]
fn a_row_has_the_exact_timeline_of_its_connection() {
    let waits = with_cookie(1, SynSent);
    let open = with_cookie(1, Established);
    let mut watch = EventMonitor::begin(&[]);
    watch.fold_changes(vec![change(900_000, &waits, 7, Closed, SynSent)]);
    let seen = watch.fold_table(1000, &[waits]);
    let begun = (SynSent, 900_000, TimePrecision::Exact);
    assert_eq!(steps(&seen, &waits), [begun]);
    watch.fold_changes(vec![change(1_250_001, &open, 7, SynSent, Established)]);
    let seen = watch.fold_table(2000, &[open]);
    let answered = (Established, 1_250_001, TimePrecision::Exact);
    assert_eq!(steps(&seen, &open), [begun, answered]);
    // A table has shown it, so it is not an unseen connection.
    watch.fold_changes(vec![change(2_500_000, &open, 7, Established, Closed)]);
    let seen = watch.fold_table(3000, &[]);
    assert_eq!(
        close_reasons(&seen.event_history),
        [(CloseReason::Aborted, false, Some(1_600_000))]
    );
    assert_eq!(seen.event_history.short_lived, 0);
}

#[test]
fn tables_add_states_that_events_never_report() {
    let open = with_cookie(1, Established);
    let waits = with_cookie(1, TimeWait);
    let states = [Closed, SynSent, Established, FinWait1, FinWait2, Closed];
    let mut watch = EventMonitor::begin(&[]);
    watch.fold_changes(change_sequence(500_000, &open, 7, &states));
    let seen = watch.fold_table(1000, &[waits]);
    let passed: Vec<State> = steps(&seen, &waits).iter().map(|step| step.0).collect();
    assert_eq!(passed, [SynSent, Established, FinWait1, FinWait2, TimeWait]);
    let last = *steps(&seen, &waits).last().unwrap();
    // The reported end may be that of the full socket only.
    assert_eq!(last, (TimeWait, 1_000_000, TimePrecision::FirstSeen));

    let half_open = with_cookie(2, SynReceived);
    let accepted = with_cookie(2, Established);
    watch.fold_table(2000, &[half_open]);
    watch.fold_changes(change_sequence(
        2_500_000,
        &accepted,
        8,
        &[Listen, SynReceived, Established],
    ));
    let seen = watch.fold_table(3000, &[accepted]);
    assert_eq!(
        *steps(&seen, &accepted).last().unwrap(),
        (Established, 2_501_000, TimePrecision::Exact)
    );
}

#[test]
fn a_closing_row_is_followed_to_its_end() {
    // After the program has closed it, the kernel reports a socket in FIN_WAIT2
    // as ended, and it may wait for the peer for a minute.
    let at = |state| with_cookie(1, state);
    let mut watch = EventMonitor::begin(&[]);
    let told = [Closed, SynSent, Established];
    watch.fold_changes(change_sequence(500_000, &at(Established), 7, &told));
    watch.fold_table(1000, &[at(Established)]);
    let told = [Established, FinWait1, FinWait2, Closed];
    watch.fold_changes(change_sequence(1_500_000, &at(FinWait1), 7, &told));
    let exactly = [
        (SynSent, 500_000, TimePrecision::Exact),
        (Established, 501_000, TimePrecision::Exact),
        (FinWait1, 1_500_000, TimePrecision::Exact),
        (FinWait2, 1_501_000, TimePrecision::Exact),
    ];
    let seen = watch.fold_table(2000, &[at(FinWait2)]);
    assert_eq!(steps(&seen, &at(FinWait2)), exactly);
    let seen = watch.fold_table(3000, &[at(TimeWait)]);
    let mut all = exactly.to_vec();
    all.push((TimeWait, 3_000_000, TimePrecision::FirstSeen));
    assert_eq!(steps(&seen, &at(TimeWait)), all);
}

#[test]
fn from_closing_time_wait_is_told() {
    let of = with_cookie(1, TimeWait);
    let mut watch = EventMonitor::begin(&[]);
    let told = [Closed, SynSent, Established, FinWait1, Closing, Closed];
    watch.fold_changes(change_sequence(500_000, &of, 7, &told));
    let seen = watch.fold_table(1000, &[of]);
    let last = *steps(&seen, &of).last().unwrap();
    assert_eq!(last, (TimeWait, 504_000, TimePrecision::Exact));
}

#[test]
fn a_closed_row_keeps_its_way_with_its_end() {
    let of = with_cookie(1, Established);
    let mut watch = EventMonitor::begin(&[]);
    watch.fold_changes(change_sequence(
        500_000,
        &of,
        7,
        &[Closed, SynSent, Established],
    ));
    watch.fold_table(1000, &[of]);
    watch.fold_changes(change_sequence(
        1_500_000,
        &of,
        7,
        &[Established, CloseWait, LastAck, Closed],
    ));
    let gone = watch.0.fold(reading(2000, table(&[]))).unwrap();
    let ways = steps(&gone, &of);
    let passed: Vec<State> = ways.iter().map(|step| step.0).collect();
    assert_eq!(passed, [SynSent, Established, CloseWait, LastAck, Closed]);
    assert!(ways.iter().all(|step| step.2 == TimePrecision::Exact));
}

#[test]
fn a_listener_has_its_beginning() {
    let of = with_cookie(1, Listen);
    let mut watch = EventMonitor::begin(&[]);
    watch.fold_changes(vec![change(700_000, &of, 7, Closed, Listen)]);
    let seen = watch.fold_table(1000, &[of]);
    assert_eq!(steps(&seen, &of), [(Listen, 700_000, TimePrecision::Exact)]);
}

#[test]
fn what_began_before_is_known_as_far_as_it_was_told() {
    let open = with_cookie(1, Established);
    let closing = with_cookie(1, CloseWait);
    let mut watch = EventMonitor::begin(&[open]);
    watch.fold_changes(vec![change(700_000, &closing, 7, Established, CloseWait)]);
    let seen = watch.fold_table(1000, &[closing]);
    assert_eq!(
        steps(&seen, &closing),
        [
            (Established, 0, TimePrecision::LowerBound),
            (CloseWait, 700_000, TimePrecision::Exact)
        ]
    );
    watch.fold_changes(vec![change(1_700_000, &closing, 7, CloseWait, LastAck)]);
    watch.fold_changes(vec![change(1_700_100, &closing, 7, LastAck, Closed)]);
    let seen = watch.fold_table(2000, &[]);
    // A connection that was there before may have been seen, and is not
    // short-lived.
    assert_eq!(
        close_reasons(&seen.event_history),
        [(CloseReason::PeerClosed, false, None)]
    );
    assert_eq!(seen.event_history.short_lived, 0);
}

#[test]
fn a_reused_socket_address_is_another_connection() {
    let first = with_cookie(1, Established);
    let second = with_cookie(2, Established);
    let mut watch = EventMonitor::begin(&[]);
    // The end of the first was lost.
    watch.fold_changes(change_sequence(
        1000,
        &first,
        7,
        &[Closed, SynSent, Established],
    ));
    watch.fold_changes(change_sequence(
        500_000,
        &second,
        7,
        &[Closed, SynSent, Closed],
    ));
    let seen = watch.fold_table(1000, &[first]);
    assert_eq!(
        close_reasons(&seen.event_history),
        [(CloseReason::Refused, true, Some(1000))]
    );
    // The first row is joined only to its own changes.
    assert_eq!(steps(&seen, &first).len(), 1);
}

#[test]
fn a_loss_in_between_makes_no_false_step() {
    let open = with_cookie(1, Established);
    let mut watch = EventMonitor::begin(&[]);
    watch.fold_events(Events {
        source: EventSource::StateChanges,
        changes: vec![
            change(1000, &open, 7, Closed, SynSent),
            // SYN_SENT to ESTABLISHED was lost.
            change(9000, &open, 7, Established, FinWait1),
        ],
        lost: 1,
        ..Events::default()
    });
    let closing = with_cookie(1, FinWait1);
    let seen = watch.fold_table(1000, &[closing]);
    assert_eq!(seen.event_history.lost, 1);
    assert_eq!(
        steps(&seen, &closing).last(),
        Some(&(FinWait1, 9000, TimePrecision::Exact))
    );
    assert_eq!(
        seen.event_history
            .events
            .last()
            .unwrap()
            .kind
            .time_in_state_us(),
        None
    );
}

#[test]
fn without_an_event_source_tables_give_the_timeline() {
    let mut watch = EventMonitor::begin(&[with_cookie(1, Established)]);
    watch.fold_table(
        1000,
        &[with_cookie(1, Established), with_cookie(2, SynSent)],
    );
    let later = [with_cookie(1, CloseWait), with_cookie(2, Established)];
    let seen = watch.fold_table(2000, &later);
    assert_eq!(
        steps(&seen, &later[0]),
        [
            (Established, 0, TimePrecision::LowerBound),
            (CloseWait, 2_000_000, TimePrecision::FirstSeen)
        ]
    );
    assert_eq!(
        steps(&seen, &later[1]),
        [
            (SynSent, 1_000_000, TimePrecision::FirstSeen),
            (Established, 2_000_000, TimePrecision::FirstSeen)
        ]
    );
    assert_eq!(seen.event_history.source, EventSource::Off);
}

#[test]
fn connections_with_the_same_addresses_are_not_confused() {
    // The same addresses in two namespaces.
    let of = with_cookie(1, Established);
    let mut watch = EventMonitor::begin(&[]);
    watch.fold_changes(change_sequence(
        1_000,
        &of,
        7,
        &[Closed, SynSent, Established],
    ));
    watch.fold_changes(change_sequence(
        2_000,
        &of,
        8,
        &[Closed, SynSent, Established],
    ));
    let seen = watch.fold_table(1000, &[of]);
    assert_eq!(
        steps(&seen, &of),
        [(Established, 1_000_000, TimePrecision::FirstSeen)]
    );
    // With one of them gone, the other is known.
    watch.fold_changes(vec![change(1_500_000, &of, 8, Established, Closed)]);
    let seen = watch.fold_table(2000, &[of]);
    assert_eq!(steps(&seen, &of)[0], (SynSent, 1_000, TimePrecision::Exact));
}

#[test]
fn newly_followed_sockets_do_not_wait_for_a_table() {
    let of = with_cookie(1, Established);
    let mut watch = EventMonitor::begin(&[]);
    watch.0.fold(reading(1000, table(&[of])));
    watch.0.set_followed(&[of]);
    let seen = watch.0.fold(Reading {
        time: Time::default(),
        kind: ReadingKind::Details(Vec::new()),
    });
    assert_eq!(
        steps(&seen.unwrap(), &of),
        [(Established, 1_000_000, TimePrecision::FirstSeen)]
    );
}

/// This machine refuses within the call, but a remote host cannot answer that
/// soon without an interrupt: the program may have cancelled.
#[test]
fn remote_hosts_do_not_refuse_within_the_connect_call() {
    let to = |remote: &str, interrupt: bool| {
        let mut of = with_cookie(1, SynSent);
        of.remote = Endpoint::new(remote.parse().unwrap(), 443);
        if of.remote.is_loopback() {
            of.local = Endpoint::new(of.remote.address(), 40_000);
        }
        let mut told = change_sequence(5_000, &of, 7, &[Closed, SynSent, Closed]);
        told[1].at_us = told[0].at_us + 90;
        told[1].in_interrupt = interrupt;
        let mut watch = EventMonitor::begin(&[]);
        watch.fold_changes(told);
        close_reasons(&watch.fold_table(1000, &[]).event_history)[0].0
    };
    assert_eq!(to("127.0.0.1", false), CloseReason::Refused);
    assert_eq!(to("203.0.113.9", true), CloseReason::Refused);
    assert_eq!(to("203.0.113.9", false), CloseReason::Unknown);
    let own = with_cookie(1, SynSent).local.address().to_string();
    assert_eq!(to(&own, false), CloseReason::Refused);
}
