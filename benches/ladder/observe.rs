//! Folding a table into what is known: the first, the same again, and one that
//! differs in one way or another.

use super::LADDER;
use super::world::{Load, reading};
use divan::Bencher;
use std::cell::Cell;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tcplens::model::endpoint::Endpoint;
use tcplens::model::event::{EventProcess, EventSource, Events, StateChange};
use tcplens::model::observation::Observation;
use tcplens::model::protocol::IpFamily;
use tcplens::model::reading::{Reading, ReadingKind};
use tcplens::model::state::State;
use tcplens::model::time::Time;
use tcplens::monitor::{Monitor, MonitorOptions};

/// How many absences of a table are asked about, as the live table does.
const ASKED: usize = 256;

#[divan::bench(args = LADDER)]
fn cold(bencher: Bencher<'_, '_>, sockets: u32) {
    bencher
        .with_inputs(|| (Monitor::default(), reading(0, Load::of(sockets))))
        .bench_local_values(|(mut monitor, reading)| monitor.fold(reading));
}

#[divan::bench(args = LADDER)]
fn warm(bencher: Bencher<'_, '_>, sockets: u32) {
    again(bencher, Load::of(sockets));
}

#[divan::bench(args = LADDER)]
fn warm_two_percent_replaced(bencher: Bencher<'_, '_>, sockets: u32) {
    again(
        bencher,
        Load {
            churn: 20,
            ..Load::of(sockets)
        },
    );
}

#[divan::bench(args = LADDER)]
fn warm_with_flows(bencher: Bencher<'_, '_>, sockets: u32) {
    again(
        bencher,
        Load {
            flows: true,
            ..Load::of(sockets)
        },
    );
}

#[divan::bench(args = LADDER)]
fn warm_in_another_order(bencher: Bencher<'_, '_>, sockets: u32) {
    again(
        bencher,
        Load {
            scrambled: true,
            ..Load::of(sockets)
        },
    );
}

#[divan::bench(args = LADDER)]
fn warm_without_cookies(bencher: Bencher<'_, '_>, sockets: u32) {
    again(
        bencher,
        Load {
            cookies: false,
            ..Load::of(sockets)
        },
    );
}

#[divan::bench(args = LADDER)]
fn warm_without_owners(bencher: Bencher<'_, '_>, sockets: u32) {
    again(
        bencher,
        Load {
            owners: false,
            ..Load::of(sockets)
        },
    );
}

/// What the rules cost is the difference to the next.
#[divan::bench(args = LADDER)]
fn warm_with_detectors(bencher: Bencher<'_, '_>, sockets: u32) {
    judged(bencher, sockets, true);
}

#[divan::bench(args = LADDER)]
fn warm_without_detectors(bencher: Bencher<'_, '_>, sockets: u32) {
    judged(bencher, sockets, false);
}

/// All that any rule looks at is told, and some troubles stand.
fn judged(bencher: Bencher<'_, '_>, sockets: u32, detects: bool) {
    let load = Load {
        troubled: true,
        churn: 20,
        ..Load::of(sockets)
    };
    let options = MonitorOptions {
        lookup_budget: ASKED,
        detection_enabled: detects,
        ..MonitorOptions::default()
    };
    onwards(bencher, load, options);
}

/// One table after the other into the same monitor, as when watching.
fn again(bencher: Bencher<'_, '_>, load: Load) {
    let options = MonitorOptions {
        lookup_budget: ASKED,
        ..MonitorOptions::default()
    };
    onwards(bencher, load, options);
}

fn onwards(bencher: Bencher<'_, '_>, load: Load, options: MonitorOptions) {
    let round = Cell::new(0);
    let mut monitor = Monitor::new(options);
    for early in 0..3 {
        fold(&mut monitor, reading(early, load));
        round.set(early + 1);
    }
    bencher
        .with_inputs(|| {
            round.set(round.get() + 1);
            reading(round.get(), load)
        })
        .bench_local_values(|reading| fold(&mut monitor, reading));
}

/// A table, and that all it lacks is gone where the monitor asks.
fn fold(monitor: &mut Monitor, reading: Reading) -> Arc<Observation> {
    let time = reading.time;
    monitor.fold(reading).unwrap_or_else(|| {
        let asked = monitor.pending_lookups().iter();
        let gone = asked.map(|socket| (socket.key(), None)).collect();
        let matter = ReadingKind::Lookups(gone);
        monitor.fold(Reading { time, kind: matter }).unwrap()
    })
}

/// Changes that a table's worth of brief connections brings.
#[divan::bench(args = [20_000, 200_000])]
fn changes(bencher: Bencher<'_, '_>, changes: u64) {
    let told: Vec<StateChange> = (0..changes / 5).flat_map(brief).collect();
    bencher
        .with_inputs(|| {
            let events = Events {
                source: EventSource::StateChanges,
                changes: told.clone(),
                ..Events::default()
            };
            let reading = Reading {
                time: Time::default(),
                kind: ReadingKind::Events(Box::new(events)),
            };
            (Monitor::default(), reading)
        })
        .bench_local_values(|(mut monitor, reading)| {
            monitor.fold(reading);
            monitor
        });
}

/// A connection from here that lasts a millisecond.
fn brief(number: u64) -> Vec<StateChange> {
    let states = [
        State::Closed,
        State::SynSent,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::Closed,
    ];
    let port = u16::try_from(number % 60_000).unwrap();
    let host = u32::try_from(0x0a00_0000 + number / 60_000).unwrap();
    let here = |port| Endpoint::new(Ipv4Addr::LOCALHOST.into(), port);
    let caller = Arc::new(EventProcess {
        pid: 812,
        name: "curl".into(),
        start_ticks: 4711,
        namespace: Some(1),
    });
    let pairs = states.windows(2).zip(0..);
    let change = |(pair, step): (&[State], u64)| StateChange {
        at_us: number * 20 + step,
        // Memory is soon given to another.
        socket: 0xffff_8881_0000_0000 + number % 512 * 2304,
        local: here(if step == 0 { 0 } else { port }),
        remote: Endpoint::new(Ipv4Addr::from(host).into(), 443),
        family: IpFamily::Inet,
        from: pair[0],
        to: pair[1],
        in_interrupt: false,
        process: (step == 0).then(|| Arc::clone(&caller)),
    };
    pairs.map(change).collect()
}
