//! A small server as the screens and the picture show it: made by hand, with
//! documentation addresses only (RFC 5737, RFC 3849), and folded by the real
//! monitor.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use tcplens::app::message::Message;
use tcplens::app::{App, AppOptions};
use tcplens::explain::catalogue::{Catalogue, Language};
use tcplens::filter::Filter;
use tcplens::listing::{QuickFilter, Sort};
use tcplens::model::action::AccessMode;
use tcplens::model::close::CloseRefusal;
use tcplens::model::counters::{Counters, Gauges};
use tcplens::model::endpoint::Endpoint;
use tcplens::model::event::EventsMode;
use tcplens::model::gap::{Gap, GapKind, GapReason};
use tcplens::model::limits::Limits;
use tcplens::model::observation::Observation;
use tcplens::model::owner::{Holder, OwnerSearch, OwnerSpan, ProcessId, User};
use tcplens::model::privileges::{Hardening, Privileges, ProbedCapabilities, ProcessHandleSupport};
use tcplens::model::process::{Process, Program, RunState};
use tcplens::model::protocol::{IpFamily, Protocol};
use tcplens::model::reading::{Reading, ReadingKind, Snapshot, SourceKind};
use tcplens::model::socket::Socket;
use tcplens::model::state::State;
use tcplens::model::tcp_info::TcpInfo;
use tcplens::model::text::Text;
use tcplens::model::time::Time;
use tcplens::model::timer::{Timer, TimerKind};
use tcplens::model::unit::Unit;
use tcplens::monitor::Monitor;

/// 2026-11-22T10:00:00Z.
const NOON_MS: u64 = 1_795_341_600_000;

const SSHD: u32 = 0;
const NGINX: u32 = 1;
const WORKER: u32 = 2;
const CURL: u32 = 3;
const CHRONYD: u32 = 4;

/// Sockets of one table, each with the processes that hold it.
#[derive(Default)]
pub(crate) struct Table {
    sockets: Vec<Socket>,
    spans: Vec<OwnerSpan>,
    holders: Vec<Holder>,
}

impl Table {
    fn add(&mut self, socket: Socket, owners: &[u32]) -> &mut Self {
        let start = u32::try_from(self.holders.len()).unwrap();
        for owner in owners {
            self.holders.push(Holder {
                process: ProcessId(*owner),
                fd: 6 + start,
            });
        }
        let count = u32::try_from(owners.len()).unwrap();
        self.spans.push(OwnerSpan { start, count });
        self.sockets.push(socket);
        self
    }
}

/// A socket; its number is its inode and its cookie.
fn socket(number: u32, state: State, local: &str, remote: &str) -> Socket {
    let endpoint = |text: &str| {
        let address: SocketAddr = text.parse().unwrap();
        Endpoint::new(address.ip(), address.port())
    };
    let minisocket = matches!(state, State::TimeWait | State::SynReceived);
    Socket {
        cookie: NonZeroU64::new(number.into()),
        local: endpoint(local),
        remote: if remote == "*" {
            let any = if local.starts_with('[') {
                "[::]:0"
            } else {
                "0.0.0.0:0"
            };
            endpoint(any)
        } else {
            endpoint(remote)
        },
        inode: if minisocket {
            None
        } else {
            NonZeroU32::new(number)
        },
        uid: if minisocket { 0 } else { 33 },
        interface: 0,
        recv_queue: 0,
        send_queue: if state == State::Listen { 511 } else { 0 },
        namespace: 4_026_531_840,
        timer: None,
        protocol: Protocol::Tcp,
        socket_family: IpFamily::from_address(endpoint(local).address()).into(),
        state,
    }
}

fn timed(socket: Socket, kind: TimerKind, expires_ms: u32, retransmits: u8) -> Socket {
    Socket {
        timer: Some(Timer {
            kind,
            expires_ms,
            retransmits,
        }),
        ..socket
    }
}

fn processes() -> Vec<Arc<Process>> {
    let process =
        |pid: u32, name: &str, exe: &str, command: &[&str], uid: u32, parent: (u32, &str)| {
            Arc::new(Process {
                run_state: RunState::Normal,
                pid,
                start_ticks: u64::from(pid) * 100,
                started_ms: Some(NOON_MS - 259_200_000),
                name: Text::from(name),
                exe: Some(Program::verified(exe)),
                command_line: command.iter().map(|word| Text::from(*word)).collect(),
                uid: Some(uid),
                unit: Some(Unit::system(&format!("{name}.service"))),
                ancestors: vec![(parent.0, Text::from(parent.1)), (1, Text::from("systemd"))],
                ..Process::default()
            })
        };
    vec![
        process(
            640,
            "sshd",
            "/usr/sbin/sshd",
            &["sshd: /usr/sbin/sshd -D"],
            0,
            (1, "systemd"),
        ),
        process(
            811,
            "nginx",
            "/usr/sbin/nginx",
            &["nginx: master process"],
            0,
            (1, "systemd"),
        ),
        process(
            812,
            "nginx",
            "/usr/sbin/nginx",
            &["nginx: worker process"],
            33,
            (811, "nginx"),
        ),
        process(
            4711,
            "curl",
            "/usr/bin/curl",
            &["curl", "https://203.0.113.9/"],
            1000,
            (900, "bash"),
        ),
        process(
            512,
            "chronyd",
            "/usr/sbin/chronyd",
            &["/usr/sbin/chronyd", "-F", "1"],
            104,
            (1, "systemd"),
        ),
    ]
}

/// What stands during the whole scene.
fn standing() -> Table {
    let mut table = Table::default();
    table
        .add(
            Socket {
                uid: 0,
                send_queue: 128,
                ..socket(11, State::Listen, "0.0.0.0:22", "*")
            },
            &[SSHD],
        )
        .add(socket(12, State::Listen, "[::]:443", "*"), &[NGINX, WORKER])
        .add(
            timed(
                Socket {
                    uid: 0,
                    ..socket(
                        13,
                        State::Established,
                        "192.0.2.10:22",
                        "198.51.100.23:50514",
                    )
                },
                TimerKind::Keepalive,
                5_400_000,
                0,
            ),
            &[SSHD],
        )
        .add(
            socket(
                14,
                State::Established,
                "192.0.2.10:443",
                "198.51.100.7:50122",
            ),
            &[WORKER],
        )
        .add(
            socket(
                15,
                State::Established,
                "[2001:db8::10]:443",
                "[2001:db8:7::9]:41022",
            ),
            &[WORKER],
        )
        .add(
            Socket {
                recv_queue: 33,
                ..socket(16, State::CloseWait, "192.0.2.10:443", "198.51.100.8:40110")
            },
            &[WORKER],
        )
        .add(
            Socket {
                protocol: Protocol::Udp,
                uid: 104,
                ..socket(17, State::Unconnected, "192.0.2.10:323", "*")
            },
            &[CHRONYD],
        );
    table
}

/// The first table: a curl is about to finish.
fn first() -> Table {
    let mut table = standing();
    table
        .add(
            socket(
                20,
                State::Established,
                "192.0.2.10:41790",
                "203.0.113.9:443",
            ),
            &[CURL],
        )
        .add(
            socket(
                21,
                State::Established,
                "192.0.2.10:443",
                "198.51.100.9:33010",
            ),
            &[WORKER],
        );
    table
}

/// The second: it has closed, a peer has closed, another curl knocks in vain.
fn second() -> Table {
    let mut table = standing();
    table
        .add(
            timed(
                socket(20, State::TimeWait, "192.0.2.10:41790", "203.0.113.9:443"),
                TimerKind::TimeWait,
                58_000,
                0,
            ),
            &[],
        )
        .add(
            Socket {
                recv_queue: 1,
                ..socket(21, State::CloseWait, "192.0.2.10:443", "198.51.100.9:33010")
            },
            &[WORKER],
        )
        .add(
            timed(
                Socket {
                    uid: 1000,
                    send_queue: 1,
                    ..socket(30, State::SynSent, "192.0.2.10:41822", "203.0.113.9:8443")
                },
                TimerKind::Retransmit,
                1400,
                1,
            ),
            &[CURL],
        )
        .add(
            socket(
                31,
                State::SynReceived,
                "192.0.2.10:443",
                "198.51.100.66:1025",
            ),
            &[],
        );
    table
}

fn reading(table: Table, monotonic_ms: u64, gaps: &[Gap]) -> Reading {
    let user = |uid: u32, name: &str| User {
        uid,
        name: Some(Text::from(name)),
    };
    let snapshot = Snapshot {
        namespaces: Vec::new(),
        scope: tcplens::model::namespace::NamespaceScope::Current,
        source: SourceKind::SockDiag,
        host: Text::from("web1"),
        sockets: table.sockets,
        owners: table.spans,
        holders: table.holders,
        tcp_counters: Vec::new(),
        memory: Vec::new(),
        openers: tcplens::model::opener::Openers::default(),
        socket_units: Arc::default(),
        processes: processes(),
        users: Arc::new(vec![
            user(0, "root"),
            user(33, "www-data"),
            user(104, "_chrony"),
            user(1000, "anna"),
        ]),
        interfaces: Vec::new(),
        gone_interfaces: Vec::new(),
        namespace_addresses: Vec::new(),
        limits: Limits {
            syn_retries: Some(6),
            syn_linear_timeouts: Some(4),
            synack_retries: Some(5),
            fin_timeout: Some(60),
            orphan_retries: Some(0),
            retries2: Some(15),
            keepalive_time: Some(7200),
            keepalive_interval: Some(75),
            keepalive_probes: Some(9),
            somaxconn: Some(4096),
            local_ports: Some((32_768, 60_999)),
            max_time_wait: Some(65_536),
            // Not told in a container.
            max_orphans: None,
            ..Limits::default()
        },
        gaps: gaps.to_vec(),
        owner_search: if gaps.is_empty() {
            OwnerSearch::Complete
        } else {
            OwnerSearch::Partial
        },
        counters: Counters {
            active_opens: Some(5000),
            attempt_fails: Some(12),
            embryonic_resets: Some(3),
            queue_full_cookies: Some(0),
            queue_full_drops: Some(0),
            cookies_sent: Some(0),
            cookies_returned: Some(0),
            ..Counters::default()
        },
        gauges: Gauges {
            orphans: Some(1),
            time_waits: Some(2),
        },
    };
    Reading {
        time: Time {
            wall_ms: NOON_MS + monotonic_ms,
            monotonic_ms,
        },
        kind: ReadingKind::Table(Box::new(snapshot)),
    }
}

/// The scene at its most telling moment: one second after the changes.
pub(crate) fn scene() -> Arc<Observation> {
    let mut monitor = Monitor::default();
    for second_of in [0, 20_000, 40_000] {
        monitor.fold(reading(first(), second_of, &[]));
    }
    monitor.fold(reading(second(), 41_000, &[]));
    monitor.fold(reading(second(), 42_000, &[])).unwrap()
}

/// The same a second after what connections carry was read for the first time.
pub(crate) fn flowing_scene() -> Arc<Observation> {
    let mut monitor = Monitor::default();
    let observation = monitor.fold(reading(standing(), 0, &[])).unwrap();
    let connections: Vec<Socket> = observation
        .rows
        .iter()
        .map(|row| row.socket)
        .filter(Socket::is_connection)
        .collect();
    let details = |monotonic_ms: u64| Reading {
        time: Time {
            wall_ms: NOON_MS + monotonic_ms,
            monotonic_ms,
        },
        kind: ReadingKind::Details(
            (1..)
                .zip(&connections)
                .map(|(number, socket)| (socket.key(), tcp_info(number, monotonic_ms)))
                .collect(),
        ),
    };
    monitor.fold(details(0));
    monitor.fold(reading(standing(), 1000, &[]));
    monitor.fold(details(1000)).unwrap()
}

/// What the kernel tells of a connection: each further one is farther away and
/// carries more.
fn tcp_info(number: u32, monotonic_ms: u64) -> TcpInfo {
    let carried = u64::from(number).pow(6) * monotonic_ms;
    TcpInfo {
        rtt_us: Some(44 * number.pow(6)),
        rtt_variation_us: 7 * number.pow(6),
        min_rtt_us: Some(40 * number.pow(6)),
        rto_us: 204_000 + 44 * number.pow(6),
        snd_mss: 1448,
        congestion_window: 10 * number,
        unacked: 3,
        total_retransmits: number - 1,
        bytes_received: Some(carried),
        bytes_acked: Some(carried * 40),
        bytes_sent: Some(carried * 40),
        last_data_sent_ms: 40,
        last_data_received_ms: 2_600,
        peer_window: Some(64_256),
        busy_us: Some(1_000_000),
        peer_window_limited_us: Some(120_000),
        congestion_control: Some(Text::from("cubic")),
        ..TcpInfo::default()
    }
}

/// The same seen without privilege.
pub(crate) fn hidden_scene() -> Arc<Observation> {
    let mut table = Table::default();
    table.add(socket(12, State::Listen, "0.0.0.0:443", "*"), &[]);
    let gap = Gap {
        kind: GapKind::ProcessesUnreadable,
        count: 17,
        reason: GapReason::Permission,
    };
    Monitor::default().fold(reading(table, 0, &[gap])).unwrap()
}

/// One process asks 300 machines for one port, and none answers.
pub(crate) fn scan_scene() -> Arc<Observation> {
    let table = |retransmits: u8| {
        let mut table = standing();
        for number in 0..300_u32 {
            let remote = format!("198.51.100.{}:445", number % 250 + 1);
            let remote = if number >= 250 {
                remote.replace("198.51.100", "203.0.113")
            } else {
                remote
            };
            let local = format!("192.0.2.10:{}", 42_000 + number);
            let knocking = socket(1000 + number, State::SynSent, &local, &remote);
            table.add(
                timed(knocking, TimerKind::Retransmit, 700, retransmits),
                &[CURL],
            );
        }
        table
    };
    let mut monitor = Monitor::default();
    monitor.fold(reading(standing(), 0, &[]));
    for second in 1..=6_u8 {
        let at = u64::from(second) * 1000;
        monitor.fold(reading(table(second - 1), at, &[]));
    }
    monitor.fold(reading(table(6), 7000, &[])).unwrap()
}

/// What is chosen unless a test wants otherwise.
pub(crate) fn choices() -> AppOptions {
    AppOptions {
        clipboard: tcplens::model::clipboard::Clipboard::default(),
        access_mode: tcplens::model::action::AccessMode::Full,
        login_session: tcplens::model::login_session::LoginSession::default(),
        alerts: tcplens::app::findings_state::AlertOptions::default(),
        ascii_only: false,
        events: EventsMode::default(),
        lab_mode: None,
        host_limits: None,
        scope: tcplens::model::namespace::NamespaceScope::Current,
        filter: Filter::all(),
        quick_filter: QuickFilter::default(),
        sort: Sort::default(),
        numeric: false,
        refresh_mode: tcplens::model::refresh_mode::RefreshMode::Fixed(
            std::time::Duration::from_secs(1),
        ),
    }
}

/// The app with an observation in it.
pub(crate) fn app(observation: Arc<Observation>) -> App {
    app_of(observation, choices())
}

/// The same as somebody chose it.
pub(crate) fn app_of(observation: Arc<Observation>, choices: AppOptions) -> App {
    let mut app = App::new(Catalogue::of(Language::English), choices);
    app.update(Message::Observed(observation));
    app
}

/// What an ordinary user can do.
pub(crate) fn ordinary_means() -> ProbedCapabilities {
    ProbedCapabilities {
        privileges: Privileges {
            uid: 1000,
            is_machine_wide: true,
            hardening: Hardening {
                least_capabilities: true,
                no_new_privileges: true,
                no_core_dumps: true,
                no_execution: true,
            },
            ..Privileges::default()
        },
        access_mode: AccessMode::Full,
        process_handles: ProcessHandleSupport::Pidfd,
        close_support: Err(CloseRefusal::NotPermitted),
        program: Text::from("/usr/local/bin/tcplens"),
    }
}
