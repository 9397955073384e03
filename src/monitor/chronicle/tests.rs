//! Tests: connections as reported by changes, tables and destroyed sockets.

mod stream;

use super::super::fixture::{reading, table, with_cookie};
use super::super::{Monitor, MonitorOptions};
use crate::model::chronicle::{Chronicle, Fate, Known, Record, Step, What};
use crate::model::endpoint::Endpoint;
use crate::model::event::{Caller, Change, Ending, Events, Feed, NoFeed};
use crate::model::observation::Observation;
use crate::model::protocol::Family;
use crate::model::reading::{Matter, Reading};
use crate::model::socket::Socket;
use crate::model::state::State::{self, *};
use crate::model::tcp_info::{Payload, TcpInfo};
use crate::model::time::Time;
use std::sync::Arc;

/// A change of the socket with these addresses.
fn change(at_us: u64, of: &Socket, name: u64, from: State, to: State) -> Change {
    let by_call = matches!(to, SynSent | Listen);
    let caller = by_call.then(|| {
        Arc::new(Caller {
            pid: 812,
            name: "curl".into(),
            ..Caller::default()
        })
    });
    let port = if to == SynSent { 0 } else { of.local.port };
    Change {
        at_us,
        socket: name,
        local: Endpoint::new(of.local.address(), port),
        remote: of.remote,
        family: Family::Inet,
        from,
        to,
        interrupt: from == SynSent,
        caller,
    }
}

/// All changes of a socket, a millisecond apart.
fn way(from_us: u64, of: &Socket, name: u64, states: &[State]) -> Vec<Change> {
    let pairs = states.windows(2).zip(0..);
    let step =
        |(pair, step): (&[State], u64)| change(from_us + 1000 * step, of, name, pair[0], pair[1]);
    pairs.map(step).collect()
}

struct Watch(Monitor);

impl Watch {
    /// A monitor at time 0 with these rows.
    fn begin(sockets: &[Socket]) -> Self {
        let mut watch = Self(Monitor::new(MonitorOptions::default()));
        watch.see(0, sockets);
        watch
    }

    fn see(&mut self, at_ms: u64, sockets: &[Socket]) -> Arc<Observation> {
        self.0.follow(sockets);
        self.0.fold(reading(at_ms, table(sockets))).unwrap()
    }

    fn hear(&mut self, events: Events) {
        self.0.fold(Reading {
            time: Time::default(),
            matter: Matter::Events(Box::new(events)),
        });
    }

    fn told(&mut self, changes: Vec<Change>) {
        self.hear(Events {
            feed: Feed::Changes,
            changes,
            ..Events::default()
        });
    }
}

fn fates(chronicle: &Chronicle) -> Vec<(Fate, bool, Option<u64>)> {
    let ends = chronicle.stream.iter().filter_map(|line| match line.what {
        What::Ended { life, .. } => Some(life),
        _ => None,
    });
    ends.map(|life| (life.fate, life.unseen, life.lasted_us))
        .collect()
}

fn steps(observation: &Observation, socket: &Socket) -> Vec<(State, u64, Known)> {
    let timeline = observation.chronicle.timeline(&socket.key()).unwrap();
    let step = |step: &Step| (step.state, step.since_us, step.known);
    timeline.steps.iter().map(step).collect()
}

#[test]
fn every_way_has_its_fate() {
    let cases: [(&[State], Fate); 7] = [
        (&[Closed, SynSent, Closed], Fate::Refused),
        (
            &[Closed, SynSent, Established, CloseWait, LastAck, Closed],
            Fate::ClosedThere,
        ),
        (&[Closed, SynSent, Established, Closed], Fate::BrokenOff),
        (
            &[Listen, SynReceived, Established, CloseWait, Closed],
            Fate::BrokenOff,
        ),
        (
            &[Listen, SynReceived, Established, CloseWait, LastAck, Closed],
            Fate::ClosedThere,
        ),
        (&[Closed, Listen, Closed], Fate::ListenerClosed),
        (&[SynSent, Closed], Fate::Unknown),
    ];
    let of = with_cookie(1, Established);
    for (states, fate) in cases {
        let mut watch = Watch::begin(&[]);
        watch.told(way(5_000, &of, 7, states));
        let seen = watch.see(1000, &[]);
        let told_whole = states[0] == Closed || states[1] == SynReceived;
        let lasted = told_whole.then_some(1000 * (states.len() as u64 - 2));
        assert_eq!(
            fates(&seen.chronicle),
            [(fate, told_whole, lasted)],
            "{states:?}"
        );
        let brief = u64::from(told_whole && fate != Fate::ListenerClosed);
        assert_eq!(seen.chronicle.brief, brief, "{states:?}");
        assert_eq!(seen.chronicle.told, states.len() as u64 - 1);
    }
}

#[test]
fn who_waited_for_a_second_was_not_refused() {
    let of = with_cookie(1, SynSent);
    let mut watch = Watch::begin(&[]);
    watch.told(vec![
        change(0, &of, 7, Closed, SynSent),
        change(3_000_000, &of, 7, SynSent, Closed),
    ]);
    let seen = watch.see(4000, &[]);
    assert_eq!(
        fates(&seen.chronicle),
        [(Fate::Unanswered, true, Some(3_000_000))]
    );
    let line = seen.chronicle.stream.last().unwrap();
    assert_eq!(line.what.stayed_us(), Some(3_000_000));
    assert_eq!(line.owner.as_ref().unwrap().pid, 812);
}

#[test]
fn a_row_has_the_exact_way_of_its_life() {
    let waits = with_cookie(1, SynSent);
    let open = with_cookie(1, Established);
    let mut watch = Watch::begin(&[]);
    watch.told(vec![change(900_000, &waits, 7, Closed, SynSent)]);
    let seen = watch.see(1000, &[waits]);
    let begun = (SynSent, 900_000, Known::Exactly);
    assert_eq!(steps(&seen, &waits), [begun]);
    watch.told(vec![change(1_250_001, &open, 7, SynSent, Established)]);
    let seen = watch.see(2000, &[open]);
    let answered = (Established, 1_250_001, Known::Exactly);
    assert_eq!(steps(&seen, &open), [begun, answered]);
    // A table has shown it, so it is not an unseen connection.
    watch.told(vec![change(2_500_000, &open, 7, Established, Closed)]);
    let seen = watch.see(3000, &[]);
    assert_eq!(
        fates(&seen.chronicle),
        [(Fate::BrokenOff, false, Some(1_600_000))]
    );
    assert_eq!(seen.chronicle.brief, 0);
}

#[test]
fn the_table_adds_what_is_never_told() {
    let open = with_cookie(1, Established);
    let waits = with_cookie(1, TimeWait);
    let states = [Closed, SynSent, Established, FinWait1, FinWait2, Closed];
    let mut watch = Watch::begin(&[]);
    watch.told(way(500_000, &open, 7, &states));
    let seen = watch.see(1000, &[waits]);
    let passed: Vec<State> = steps(&seen, &waits).iter().map(|step| step.0).collect();
    assert_eq!(passed, [SynSent, Established, FinWait1, FinWait2, TimeWait]);
    let last = *steps(&seen, &waits).last().unwrap();
    // The reported end may be that of the full socket only.
    assert_eq!(last, (TimeWait, 1_000_000, Known::ByTable));

    let half_open = with_cookie(2, SynReceived);
    let accepted = with_cookie(2, Established);
    watch.see(2000, &[half_open]);
    watch.told(way(
        2_500_000,
        &accepted,
        8,
        &[Listen, SynReceived, Established],
    ));
    let seen = watch.see(3000, &[accepted]);
    assert_eq!(
        *steps(&seen, &accepted).last().unwrap(),
        (Established, 2_501_000, Known::Exactly)
    );
}

#[test]
fn a_closing_row_is_followed_to_its_end() {
    // After the program has closed it, the kernel reports a socket in FIN_WAIT2
    // as ended, and it may wait for the peer for a minute.
    let at = |state| with_cookie(1, state);
    let mut watch = Watch::begin(&[]);
    let told = [Closed, SynSent, Established];
    watch.told(way(500_000, &at(Established), 7, &told));
    watch.see(1000, &[at(Established)]);
    let told = [Established, FinWait1, FinWait2, Closed];
    watch.told(way(1_500_000, &at(FinWait1), 7, &told));
    let exactly = [
        (SynSent, 500_000, Known::Exactly),
        (Established, 501_000, Known::Exactly),
        (FinWait1, 1_500_000, Known::Exactly),
        (FinWait2, 1_501_000, Known::Exactly),
    ];
    let seen = watch.see(2000, &[at(FinWait2)]);
    assert_eq!(steps(&seen, &at(FinWait2)), exactly);
    let seen = watch.see(3000, &[at(TimeWait)]);
    let mut all = exactly.to_vec();
    all.push((TimeWait, 3_000_000, Known::ByTable));
    assert_eq!(steps(&seen, &at(TimeWait)), all);
}

#[test]
fn from_closing_time_wait_is_told() {
    let of = with_cookie(1, TimeWait);
    let mut watch = Watch::begin(&[]);
    let told = [Closed, SynSent, Established, FinWait1, Closing, Closed];
    watch.told(way(500_000, &of, 7, &told));
    let seen = watch.see(1000, &[of]);
    let last = *steps(&seen, &of).last().unwrap();
    assert_eq!(last, (TimeWait, 504_000, Known::Exactly));
}

#[test]
fn a_closed_row_keeps_its_way_with_its_end() {
    let of = with_cookie(1, Established);
    let mut watch = Watch::begin(&[]);
    watch.told(way(500_000, &of, 7, &[Closed, SynSent, Established]));
    watch.see(1000, &[of]);
    watch.told(way(
        1_500_000,
        &of,
        7,
        &[Established, CloseWait, LastAck, Closed],
    ));
    let gone = watch.0.fold(reading(2000, table(&[]))).unwrap();
    let ways = steps(&gone, &of);
    let passed: Vec<State> = ways.iter().map(|step| step.0).collect();
    assert_eq!(passed, [SynSent, Established, CloseWait, LastAck, Closed]);
    assert!(ways.iter().all(|step| step.2 == Known::Exactly));
}

#[test]
fn a_listener_has_its_beginning() {
    let of = with_cookie(1, Listen);
    let mut watch = Watch::begin(&[]);
    watch.told(vec![change(700_000, &of, 7, Closed, Listen)]);
    let seen = watch.see(1000, &[of]);
    assert_eq!(steps(&seen, &of), [(Listen, 700_000, Known::Exactly)]);
}

#[test]
fn what_began_before_is_known_as_far_as_it_was_told() {
    let open = with_cookie(1, Established);
    let closing = with_cookie(1, CloseWait);
    let mut watch = Watch::begin(&[open]);
    watch.told(vec![change(700_000, &closing, 7, Established, CloseWait)]);
    let seen = watch.see(1000, &[closing]);
    assert_eq!(
        steps(&seen, &closing),
        [
            (Established, 0, Known::AtLeast),
            (CloseWait, 700_000, Known::Exactly)
        ]
    );
    watch.told(vec![change(1_700_000, &closing, 7, CloseWait, LastAck)]);
    watch.told(vec![change(1_700_100, &closing, 7, LastAck, Closed)]);
    let seen = watch.see(2000, &[]);
    // A connection that was there before may have been seen, and is not
    // short-lived.
    assert_eq!(fates(&seen.chronicle), [(Fate::ClosedThere, false, None)]);
    assert_eq!(seen.chronicle.brief, 0);
}

#[test]
fn a_name_that_is_used_again_is_another_life() {
    let first = with_cookie(1, Established);
    let second = with_cookie(2, Established);
    let mut watch = Watch::begin(&[]);
    // The end of the first was lost.
    watch.told(way(1000, &first, 7, &[Closed, SynSent, Established]));
    watch.told(way(500_000, &second, 7, &[Closed, SynSent, Closed]));
    let seen = watch.see(1000, &[first]);
    assert_eq!(fates(&seen.chronicle), [(Fate::Refused, true, Some(1000))]);
    // The first row is joined only to its own changes.
    assert_eq!(steps(&seen, &first).len(), 1);
}

#[test]
fn a_loss_in_between_makes_no_false_step() {
    let open = with_cookie(1, Established);
    let mut watch = Watch::begin(&[]);
    watch.hear(Events {
        feed: Feed::Changes,
        changes: vec![
            change(1000, &open, 7, Closed, SynSent),
            // SYN_SENT to ESTABLISHED was lost.
            change(9000, &open, 7, Established, FinWait1),
        ],
        lost: 1,
        ..Events::default()
    });
    let closing = with_cookie(1, FinWait1);
    let seen = watch.see(1000, &[closing]);
    assert_eq!(seen.chronicle.lost, 1);
    assert_eq!(
        steps(&seen, &closing).last(),
        Some(&(FinWait1, 9000, Known::Exactly))
    );
    assert_eq!(seen.chronicle.stream.last().unwrap().what.stayed_us(), None);
}

#[test]
fn without_a_feed_the_tables_tell() {
    let mut watch = Watch::begin(&[with_cookie(1, Established)]);
    watch.see(
        1000,
        &[with_cookie(1, Established), with_cookie(2, SynSent)],
    );
    let later = [with_cookie(1, CloseWait), with_cookie(2, Established)];
    let seen = watch.see(2000, &later);
    assert_eq!(
        steps(&seen, &later[0]),
        [
            (Established, 0, Known::AtLeast),
            (CloseWait, 2_000_000, Known::ByTable)
        ]
    );
    assert_eq!(
        steps(&seen, &later[1]),
        [
            (SynSent, 1_000_000, Known::ByTable),
            (Established, 2_000_000, Known::ByTable)
        ]
    );
    assert_eq!(seen.chronicle.feed, Feed::Off);
}

#[test]
fn two_of_the_same_ends_are_not_confused() {
    // The same addresses in two namespaces.
    let of = with_cookie(1, Established);
    let mut watch = Watch::begin(&[]);
    watch.told(way(1_000, &of, 7, &[Closed, SynSent, Established]));
    watch.told(way(2_000, &of, 8, &[Closed, SynSent, Established]));
    let seen = watch.see(1000, &[of]);
    assert_eq!(
        steps(&seen, &of),
        [(Established, 1_000_000, Known::ByTable)]
    );
    // With one of them gone, the other is known.
    watch.told(vec![change(1_500_000, &of, 8, Established, Closed)]);
    let seen = watch.see(2000, &[of]);
    assert_eq!(steps(&seen, &of)[0], (SynSent, 1_000, Known::Exactly));
}

#[test]
fn who_is_followed_now_need_not_wait_for_a_table() {
    let of = with_cookie(1, Established);
    let mut watch = Watch::begin(&[]);
    watch.0.fold(reading(1000, table(&[of])));
    watch.0.follow(&[of]);
    let seen = watch.0.fold(Reading {
        time: Time::default(),
        matter: Matter::Details(Vec::new()),
    });
    assert_eq!(
        steps(&seen.unwrap(), &of),
        [(Established, 1_000_000, Known::ByTable)]
    );
}

/// This machine refuses within the call, but a remote host cannot answer that
/// soon without an interrupt: the program may have cancelled.
#[test]
fn nobody_elsewhere_refuses_within_the_call() {
    let to = |remote: &str, interrupt: bool| {
        let mut of = with_cookie(1, SynSent);
        of.remote = Endpoint::new(remote.parse().unwrap(), 443);
        if of.remote.is_loopback() {
            of.local = Endpoint::new(of.remote.address(), 40_000);
        }
        let mut told = way(5_000, &of, 7, &[Closed, SynSent, Closed]);
        told[1].at_us = told[0].at_us + 90;
        told[1].interrupt = interrupt;
        let mut watch = Watch::begin(&[]);
        watch.told(told);
        fates(&watch.see(1000, &[]).chronicle)[0].0
    };
    assert_eq!(to("127.0.0.1", false), Fate::Refused);
    assert_eq!(to("203.0.113.9", true), Fate::Refused);
    assert_eq!(to("203.0.113.9", false), Fate::Unknown);
    let own = with_cookie(1, SynSent).local.address().to_string();
    assert_eq!(to(&own, false), Fate::Refused);
}
