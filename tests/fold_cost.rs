//! What a fold costs at a hundred thousand sockets. Figures to read, not to
//! pass: `cargo test --release --test fold_cost -- --ignored --nocapture`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement may fail loudly and must speak"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tcplens::model::endpoint::Endpoint;
use tcplens::model::flow::{Carried, Sample};
use tcplens::model::owner::{Holder, OwnerSpan, ProcessId};
use tcplens::model::process::Process;
use tcplens::model::protocol::{Family, Protocol};
use tcplens::model::reading::{Matter, Reading, Snapshot};
use tcplens::model::socket::Socket;
use tcplens::model::state::State;
use tcplens::model::time::Time;
use tcplens::model::timer::{Timer, TimerKind};
use tcplens::monitor::{Monitor, MonitorOptions};

const PROCESSES: u32 = 200;
const ROUNDS: u64 = 60;

/// How one table differs from the one before.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a condition of its own"
)]
#[derive(Clone, Copy, Debug)]
struct Load {
    /// Sockets in the table.
    sockets: u32,
    /// Of these, how many are replaced each time.
    churn: u32,
    cookies: bool,
    /// Whether every table comes in another order.
    scrambled: bool,
    /// Whether the owner of any socket could be found.
    owners: bool,
    /// How many absences of a table are asked about; all turn out to be gone.
    settled: usize,
    /// Whether each connection comes with what it carries.
    flows: bool,
}

/// The mixture of the 100k load: 92 % established, 2 % half-closed, 2 %
/// SYN_SENT, 0.4 % listeners, the rest UDP.
fn state(number: u32) -> (Protocol, State) {
    match number % 250 {
        0 => (Protocol::Tcp, State::Listen),
        1..=5 => (Protocol::Tcp, State::SynSent),
        6..=10 => (Protocol::Tcp, State::CloseWait),
        11..=20 => (Protocol::Udp, State::Unconnected),
        _ => (Protocol::Tcp, State::Established),
    }
}

fn socket(number: u32, cookies: bool) -> Socket {
    let (protocol, state) = state(number);
    let address = |base: u32| IpAddr::V4(Ipv4Addr::from(base + number / 28_000));
    let port = u16::try_from(32_768 + number % 28_000).unwrap();
    let retransmits = Timer {
        kind: TimerKind::Retransmit,
        expires_ms: 500,
        retransmits: 2,
    };
    Socket {
        cookie: NonZeroU64::new(u64::from(number) + 1).filter(|_| cookies),
        local: Endpoint::new(address(0x0a00_0001), port),
        remote: Endpoint::new(IpAddr::V4(Ipv4Addr::from(0xc612_0000 + number)), 443),
        inode: NonZeroU32::new(number + 1),
        uid: 1000,
        interface: 0,
        recv_queue: 0,
        send_queue: 0,
        namespace: 4_026_531_840,
        timer: (state == State::SynSent).then_some(retransmits),
        protocol,
        family: Family::Inet,
        state,
    }
}

fn snapshot(round: u32, load: Load) -> Snapshot {
    let first = round * load.churn;
    let order = |place: u32| {
        if load.scrambled {
            // No factor shares a divisor with the number of sockets.
            let factor = [48_271, 69_621, 39_373][round as usize % 3];
            u32::try_from(u64::from(place) * factor % u64::from(load.sockets)).unwrap()
        } else {
            place
        }
    };
    let numbers = (0..load.sockets).map(|place| first + order(place));
    let span = |start| OwnerSpan { start, count: 1 };
    Snapshot {
        sockets: numbers.clone().map(|n| socket(n, load.cookies)).collect(),
        owners: if load.owners {
            (0..load.sockets).map(span).collect()
        } else {
            vec![OwnerSpan::default(); load.sockets as usize]
        },
        holders: numbers
            .map(|number| Holder {
                process: ProcessId(number % PROCESSES),
                fd: number,
            })
            .collect(),
        processes: (0..PROCESSES).map(process).collect(),
        flows: if load.flows {
            vec![Some(sample(round)); load.sockets as usize]
        } else {
            Vec::new()
        },
        owners_complete: load.owners,
        ..Snapshot::default()
    }
}

fn sample(round: u32) -> Sample {
    Sample {
        rtt_us: Some(40),
        total_retransmits: 0,
        carried: Some(Carried {
            received: u64::from(round) * 1000,
            acked: 0,
        }),
    }
}

fn process(pid: u32) -> Arc<Process> {
    Arc::new(Process {
        pid,
        start_ticks: 1,
        name: "program".into(),
        ..Process::default()
    })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn measure(load: Load) {
    let mut monitor = Monitor::new(MonitorOptions {
        settled: load.settled,
        ..MonitorOptions::default()
    });
    let mut costs = Vec::new();
    for round in 0..ROUNDS {
        let monotonic_ms = round * 1000;
        let time = Time {
            wall_ms: monotonic_ms,
            monotonic_ms,
        };
        let reading = Reading {
            time,
            matter: Matter::Table(Box::new(snapshot(u32::try_from(round).unwrap(), load))),
        };
        let begin = Instant::now();
        let observation = monitor.fold(reading).unwrap_or_else(|| {
            let asked = monitor.unsettled().iter();
            let gone = asked.map(|socket| (socket.key(), None)).collect();
            let matter = Matter::Absences(gone);
            monitor.fold(Reading { time, matter }).unwrap()
        });
        costs.push(begin.elapsed());
        assert!(observation.rows.len() >= load.sockets as usize);
    }
    let cold = milliseconds(costs[0]);
    let mut warm: Vec<f64> = costs[3..].iter().copied().map(milliseconds).collect();
    warm.sort_by(f64::total_cmp);
    let (best, median, worst) = (warm[0], warm[warm.len() / 2], warm[warm.len() - 1]);
    println!("{load:?}: cold {cold:.1} ms, warm {best:.1} / {median:.1} / {worst:.1} ms");
}

#[test]
#[ignore = "a measurement, not a check"]
fn fold_at_a_hundred_thousand_sockets() {
    let plain = Load {
        sockets: 109_400,
        churn: 0,
        cookies: true,
        scrambled: false,
        owners: true,
        settled: 0,
        flows: false,
    };
    for load in [
        plain,
        Load {
            churn: 2_000,
            ..plain
        },
        Load {
            churn: 2_000,
            settled: 256,
            ..plain
        },
        Load {
            flows: true,
            ..plain
        },
        Load {
            scrambled: true,
            ..plain
        },
        Load {
            cookies: false,
            ..plain
        },
        Load {
            owners: false,
            ..plain
        },
        Load {
            sockets: 10_000,
            ..plain
        },
    ] {
        measure(load);
    }
}
