//! A made-up table: the mix of states of a busy server, in 500 sockets a
//! process.

use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use tcplens::model::counters::Counters;
use tcplens::model::endpoint::Endpoint;
use tcplens::model::limits::Limits;
use tcplens::model::observation::Observation;
use tcplens::model::owner::{Holder, OwnerSearch, OwnerSpan, ProcessId};
use tcplens::model::process::{Process, Program};
use tcplens::model::protocol::{IpFamily, Protocol};
use tcplens::model::reading::{Reading, ReadingKind, Snapshot};
use tcplens::model::socket::Socket;
use tcplens::model::state::State;
use tcplens::model::tcp_metrics::{ByteCounts, TcpCounters};
use tcplens::model::time::Time;
use tcplens::model::timer::{Timer, TimerKind};
use tcplens::monitor::Monitor;

const SOCKETS_A_PROCESS: u32 = 500;

/// How one table differs from the one before.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a condition of its own"
)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Sockets in the table.
    pub(crate) sockets: u32,
    /// How many of a thousand are replaced each time.
    pub(crate) churn: u32,
    pub(crate) cookies: bool,
    /// Whether every table comes in another order.
    pub(crate) scrambled: bool,
    /// Whether the owner of any socket could be found.
    pub(crate) owners: bool,
    /// Whether each connection comes with what it carries.
    pub(crate) flows: bool,
    /// Whether the kernel tells all that rules judge by, queues hold something
    /// and a program runs from where none should.
    pub(crate) troubled: bool,
}

impl Load {
    pub(crate) fn of(sockets: u32) -> Self {
        Self {
            sockets,
            churn: 0,
            cookies: true,
            scrambled: false,
            owners: true,
            flows: false,
            troubled: false,
        }
    }
}

/// 92 % established, 2 % half-closed, 2 % `SYN_SENT`, 0.4 % listeners, the rest
/// UDP.
fn state(number: u32) -> (Protocol, State) {
    match number % 250 {
        0 => (Protocol::Tcp, State::Listen),
        1..=5 => (Protocol::Tcp, State::SynSent),
        6..=10 => (Protocol::Tcp, State::CloseWait),
        11..=20 => (Protocol::Udp, State::Unconnected),
        _ => (Protocol::Tcp, State::Established),
    }
}

pub(crate) fn socket(number: u32, cookies: bool) -> Socket {
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
        socket_family: IpFamily::Inet.into(),
        state,
    }
}

fn snapshot(round: u32, load: Load) -> Snapshot {
    let processes = load.sockets.div_ceil(SOCKETS_A_PROCESS);
    let first = round * load.sockets / 1000 * load.churn;
    let order = |place: u32| {
        if load.scrambled {
            // No factor shares a divisor with the number of sockets.
            let factor = [48_271, 69_623, 39_373][round as usize % 3];
            u32::try_from(u64::from(place) * factor % u64::from(load.sockets)).unwrap()
        } else {
            place
        }
    };
    let numbers = (0..load.sockets).map(|place| first + order(place));
    let span = |start| OwnerSpan { start, count: 1 };
    Snapshot {
        sockets: numbers
            .clone()
            .map(|number| Socket {
                // Every fiftieth queue holds something.
                recv_queue: u32::from(load.troubled && number % 50 == 30) * 20_000,
                ..socket(number, load.cookies)
            })
            .collect(),
        owners: if load.owners {
            (0..load.sockets).map(span).collect()
        } else {
            vec![OwnerSpan::default(); load.sockets as usize]
        },
        holders: numbers
            .map(|number| Holder {
                process: ProcessId(number % processes),
                fd: number,
            })
            .collect(),
        processes: (0..processes)
            .map(|pid| process(pid, load.troubled))
            .collect(),
        tcp_counters: if load.flows {
            vec![Some(sample(round)); load.sockets as usize]
        } else {
            Vec::new()
        },
        owner_search: if load.owners {
            OwnerSearch::Complete
        } else {
            OwnerSearch::Partial
        },
        limits: if load.troubled {
            settings()
        } else {
            Limits::default()
        },
        counters: if load.troubled {
            counters(round)
        } else {
            Counters::default()
        },
        ..Snapshot::default()
    }
}

fn settings() -> Limits {
    Limits {
        syncookies: Some(1),
        max_time_wait: Some(262_144),
        local_ports: Some((32_768, 60_999)),
        reserved_ports: Some(0),
        time_wait_reuse: Some(2),
        ..Limits::default()
    }
}

/// They rise, and tell of no trouble.
fn counters(round: u32) -> Counters {
    let rises = Some(u64::from(round) * 1000);
    Counters {
        active_opens: rises,
        attempt_fails: Some(7),
        embryonic_resets: Some(7),
        queue_full_cookies: Some(0),
        queue_full_drops: Some(0),
        cookies_sent: Some(0),
        cookies_returned: Some(0),
        ..Counters::default()
    }
}

fn sample(round: u32) -> TcpCounters {
    TcpCounters {
        rtt_us: Some(1000),
        total_retransmits: 0,
        bytes: Some(ByteCounts {
            received: u64::from(round) * 1000,
            acked: u64::from(round) * 1000,
        }),
    }
}

fn process(pid: u32, troubled: bool) -> Arc<Process> {
    let odd = Program::verified("/tmp/.x/program");
    Arc::new(Process {
        pid,
        start_ticks: 1,
        name: format!("program-{}", pid % 17).as_str().into(),
        exe: (troubled && pid == 7).then_some(odd),
        ..Process::default()
    })
}

/// The table of a round, one a second.
pub(crate) fn reading(round: u32, load: Load) -> Reading {
    let monotonic_ms = u64::from(round) * 1000;
    Reading {
        time: Time {
            wall_ms: monotonic_ms,
            monotonic_ms,
        },
        kind: ReadingKind::Table(Box::new(snapshot(round, load))),
    }
}

/// What a monitor makes of the first table.
pub(crate) fn observation(sockets: u32) -> Arc<Observation> {
    let reading = reading(0, Load::of(sockets));
    Monitor::default().fold(reading).unwrap()
}
