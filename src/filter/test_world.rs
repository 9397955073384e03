//! A small fixture for the tests of the filter and the listing: one row for every
//! kind that columns and filters distinguish.

use crate::model::endpoint::Endpoint;
use crate::model::limits::Limits;
use crate::model::namespace::Interface;
use crate::model::observation::Observation;
use crate::model::opener::Openers;
use crate::model::owner::{Holder, NoOwnerReason, OwnerSpan, ProcessId, User};
use crate::model::process::{Process, Program};
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::row::{LastOwner, Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::tcp_metrics::{ByteCounts, MetricsId, TcpCounters, TcpMetrics};
use crate::model::text::Text;
use crate::model::time::{Time, Timestamp};
use crate::model::timer::{Timer, TimerKind};
use crate::model::unit::Unit;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

/// Present time of the fixture: three days after watching began, in seconds.
pub(crate) const NOW: u32 = 259_200;

/// Row numbers in [`world`].
pub(crate) const SSH_LISTENER: u32 = 0;
pub(crate) const NGINX_CONNECTION: u32 = 1;
pub(crate) const CURL_SYN_SENT: u32 = 2;
pub(crate) const CURL_TIME_WAIT: u32 = 3;
pub(crate) const JAVA_CLOSE_WAIT: u32 = 4;
pub(crate) const AVAHI_UDP: u32 = 5;
pub(crate) const HIDDEN_OWNER: u32 = 6;
pub(crate) const HALF_OPEN: u32 = 7;
pub(crate) const LINK_LOCAL: u32 = 8;
pub(crate) const UNKNOWN_STATE: u32 = 9;
pub(crate) const RESOLVER_UDP: u32 = 10;
pub(crate) const NGINX_LISTENER: u32 = 11;

/// A row between two ends, `-` for no peer, in its state for ten seconds.
pub(crate) fn row(protocol: Protocol, state: State, local: &str, remote: &str) -> Row {
    let end = |text: &str| {
        let parsed = text.parse::<std::net::SocketAddr>();
        parsed.map_or_else(
            |_| Endpoint::default(),
            |at| Endpoint::new(at.ip(), at.port()),
        )
    };
    let since = Timestamp((NOW - 10) * 100);
    Row {
        socket: Socket {
            // As from sock_diag; the addresses identify the rows.
            cookie: NonZeroU64::new(1),
            local: end(local),
            remote: end(remote),
            inode: None,
            uid: 0,
            interface: 0,
            recv_queue: 0,
            send_queue: 0,
            namespace: 1,
            timer: None,
            protocol,
            socket_family: IpFamily::from_address(end(local).address()).into(),
            state,
        },
        owners: OwnerSpan::default(),
        no_owner_reason: None,
        last_owner: None,
        first_seen: since,
        state_since: since,
        saw_state_entry: true,
        phase: Phase::Unchanged,
        severity: None,
        metrics: None,
    }
}

/// A process with its program.
pub(crate) fn process(pid: u32, name: &str, exe: &str) -> Arc<Process> {
    Arc::new(Process {
        pid,
        name: name.into(),
        exe: Some(Program::verified(exe)),
        command_line: vec![exe.into()],
        working_directory: Some("/".into()),
        cgroup: Some("/init.scope".into()),
        ..Process::default()
    })
}

/// Indexes of processes in [`world`].
const SSHD: u32 = 0;
const NGINX_MASTER: u32 = 1;
const NGINX_WORKER: u32 = 2;
const CURL: u32 = 3;
const JVM: u32 = 4;
const AVAHI_DAEMON: u32 = 5;
const RESOLVED: u32 = 6;

/// The fixture.
pub(crate) fn world() -> Observation {
    let mut world = Observation {
        time: Time {
            wall_ms: 0,
            monotonic_ms: u64::from(NOW) * 1000,
        },
        processes: processes(),
        users: Arc::new(
            [
                (0, Some("root")),
                (33, Some("www-data")),
                (70, None),
                (1000, Some("Alice")),
            ]
            .map(|(uid, name)| User {
                uid,
                name: name.map(Text::from),
            })
            .to_vec(),
        ),
        interfaces: vec![Interface {
            namespace: 1,
            index: 2,
            name: "eth0".into(),
        }],
        limits: Limits {
            local_ports: Some((32_768, 60_999)),
            ..Limits::default()
        },
        listeners: vec![(22, SSH_LISTENER), (443, NGINX_LISTENER)],
        ..Observation::default()
    };
    let mut rows = sockets();
    assign_owners(&mut rows, &mut world.holders);
    assign_history(&mut rows);
    world.tcp_metrics = Arc::new(assign_tcp_metrics(&mut rows));
    world.rows = Arc::new(rows);
    world
}

fn processes() -> Vec<Arc<Process>> {
    vec![
        process(640, "sshd", "/usr/sbin/sshd"),
        process(812, "nginx", "/usr/sbin/nginx"),
        process(813, "nginx", "/usr/sbin/nginx"),
        process(4711, "curl", "/usr/bin/curl"),
        Arc::new(Process {
            command_line: vec!["java".into(), "-jar".into(), "shop.jar".into()],
            working_directory: Some("/srv/shop".into()),
            unit: Some(Unit::system("shop.service")),
            cgroup: Some("/system.slice/shop.service".into()),
            ..Process::clone(&process(900, "java", "/opt/浏览器/JVM-Launcher"))
        }),
        process(77, "avahi-daemon", "/usr/sbin/avahi-daemon"),
        process(53, "systemd-resolve", "/usr/lib/systemd/systemd-resolved"),
    ]
}

fn sockets() -> Vec<Row> {
    use Protocol::{Tcp, Udp};
    vec![
        row(Tcp, State::Listen, "0.0.0.0:22", "-"),
        row(
            Tcp,
            State::Established,
            "192.0.2.10:443",
            "198.51.100.7:50122",
        ),
        row(Tcp, State::SynSent, "192.0.2.10:41822", "203.0.113.9:443"),
        row(Tcp, State::TimeWait, "192.0.2.10:41790", "203.0.113.9:443"),
        row(
            Tcp,
            State::CloseWait,
            "[2001:db8::10]:8080",
            "[2001:db8::1]:50000",
        ),
        row(Udp, State::Unconnected, "[::]:5353", "-"),
        row(Tcp, State::Established, "127.0.0.1:5432", "127.0.0.1:40000"),
        row(
            Tcp,
            State::SynReceived,
            "192.0.2.10:443",
            "198.51.100.8:1025",
        ),
        row(Tcp, State::Established, "[fe80::1]:22", "[fe80::2]:60000"),
        row(Tcp, State::Unknown(42), "10.0.0.5:7", "10.0.0.6:9"),
        row(Udp, State::Established, "192.0.2.10:40001", "192.0.2.53:53"),
        row(Tcp, State::Listen, "0.0.0.0:443", "-"),
    ]
}

fn assign_owners(rows: &mut [Row], holders: &mut Vec<Holder>) {
    let owned = [
        (SSH_LISTENER, 0, &[SSHD][..]),
        (NGINX_CONNECTION, 33, &[NGINX_MASTER, NGINX_WORKER]),
        (CURL_SYN_SENT, 1000, &[CURL]),
        (JAVA_CLOSE_WAIT, 1000, &[JVM]),
        (AVAHI_UDP, 70, &[AVAHI_DAEMON]),
        (HIDDEN_OWNER, 33, &[]),
        (LINK_LOCAL, 0, &[SSHD]),
        (UNKNOWN_STATE, 0, &[]),
        (RESOLVER_UDP, 53, &[RESOLVED]),
        (NGINX_LISTENER, 0, &[NGINX_MASTER, NGINX_WORKER]),
    ];
    for (number, uid, owners) in owned {
        let row = &mut rows[number as usize];
        row.socket.uid = uid;
        row.socket.inode = NonZeroU32::new(100 + number);
        row.owners = OwnerSpan {
            start: u32::try_from(holders.len()).unwrap(),
            count: u32::try_from(owners.len()).unwrap(),
        };
        holders.extend(owners.iter().map(|process| Holder {
            process: ProcessId(*process),
            fd: 7,
        }));
    }
}

fn assign_history(rows: &mut [Row]) {
    let timer = |kind, expires_ms, retransmits| {
        Some(Timer {
            kind,
            expires_ms,
            retransmits,
        })
    };
    let mut change = |number: u32, change: &dyn Fn(&mut Row)| change(&mut rows[number as usize]);
    change(SSH_LISTENER, &|row| {
        row.socket.recv_queue = 3;
        row.socket.send_queue = 128;
        row.state_since = Timestamp(0);
        row.saw_state_entry = false;
    });
    change(NGINX_CONNECTION, &|row| {
        row.socket.recv_queue = 33;
        row.phase = Phase::Changed {
            from: State::SynReceived,
        };
    });
    change(CURL_SYN_SENT, &|row| {
        row.socket.send_queue = 1;
        row.socket.timer = timer(TimerKind::Retransmit, 4_200, 3);
        row.phase = Phase::New;
    });
    change(CURL_TIME_WAIT, &|row| {
        row.no_owner_reason = Some(NoOwnerReason::TimeWait);
        row.last_owner = Some(LastOwner::new(ProcessId(CURL)));
        row.socket.timer = timer(TimerKind::TimeWait, 12_000, 0);
        row.phase = Phase::Closed;
    });
    change(JAVA_CLOSE_WAIT, &|row| {
        row.state_since = Timestamp((NOW - 41 * 60) * 100);
        row.socket.recv_queue = 4_200;
        row.socket.send_queue = 2_500_000;
        row.socket.timer = timer(TimerKind::Keepalive, 41 * 60_000, 0);
    });
    change(HIDDEN_OWNER, &|row| {
        row.no_owner_reason = Some(NoOwnerReason::Hidden);
    });
    change(HALF_OPEN, &|row| {
        row.no_owner_reason = Some(NoOwnerReason::ListenerRequest);
        row.socket.timer = timer(TimerKind::Retransmit, 900, 1);
    });
    change(LINK_LOCAL, &|row| row.socket.interface = 2);
    change(UNKNOWN_STATE, &|row| {
        row.no_owner_reason = Some(NoOwnerReason::Kernel);
        row.socket.timer = timer(TimerKind::ZeroWindowProbe, 3_000, 0);
    });
    change(NGINX_LISTENER, &|row| row.socket.cookie = None);
}

/// The same where it is known which unit opened the sockets of these rows.
pub(crate) fn with_openers(mut world: Observation, openers: &[(u32, &str)]) -> Observation {
    let mut rows = world.rows.to_vec();
    let opened = openers.iter().map(|(number, unit)| {
        let socket = &mut rows[*number as usize].socket;
        socket.cookie = NonZeroU64::new(1000 + u64::from(*number));
        (socket.key(), Arc::new(Unit::system(unit)))
    });
    world.openers = Arc::new(Openers::new(opened));
    world.rows = Arc::new(rows);
    world
}

/// One slow connection that receives, and one idle connection nearby.
fn assign_tcp_metrics(rows: &mut [Row]) -> Vec<TcpMetrics> {
    let flow = |rtt_us, total_retransmits, received: u64| {
        let sample = |received| TcpCounters {
            rtt_us: Some(rtt_us),
            total_retransmits,
            bytes: Some(ByteCounts { received, acked: 9 }),
        };
        TcpMetrics::from_first(&sample(0), 0).advance(&sample(received), 1000)
    };
    for (place, number) in [(0, JAVA_CLOSE_WAIT), (1, LINK_LOCAL)] {
        rows[number as usize].metrics = Some(MetricsId::new(place));
    }
    vec![flow(120_400, 7, 1_200_000), flow(44, 0, 0)]
}

/// Many rows in the proportions of a busy server, for measuring: mostly
/// established, one in twenty IPv6, a few of everything else.
pub(crate) fn large_world(rows: u32, processes: u32) -> Observation {
    let mut world = world();
    world.processes = (0..processes)
        .map(|number| {
            process(
                1000 + number,
                &format!("program-{}", number % 50),
                "/usr/bin/program",
            )
        })
        .collect();
    world.holders = (0..rows)
        .map(|number| Holder {
            process: ProcessId(number % processes),
            fd: number,
        })
        .collect();
    world.rows = Arc::new((0..rows).map(large_world_row).collect());
    world
}

/// One of many rows: scattered, but reproducible.
fn large_world_row(number: u32) -> Row {
    let scattered = number.wrapping_mul(2_654_435_761);
    let [a, b, c, _] = scattered.to_be_bytes();
    let state = match number % 50 {
        0 => State::Listen,
        1 => State::TimeWait,
        2 => State::SynSent,
        3 => State::CloseWait,
        _ => State::Established,
    };
    let remote = if state == State::Listen {
        "-".to_owned()
    } else if number % 20 == 7 {
        format!("[2001:db8::{a:x}:{b:x}]:443")
    } else {
        format!("198.{a}.{b}.{c}:443")
    };
    let local = if remote.starts_with('[') {
        "[2001:db8::1]"
    } else {
        "192.0.2.10"
    };
    let port = 1024 + scattered % 60_000;
    let mut row = row(Protocol::Tcp, state, &format!("{local}:{port}"), &remote);
    if state != State::TimeWait {
        row.socket.inode = NonZeroU32::new(number + 1);
        row.socket.uid = if number.is_multiple_of(3) { 1000 } else { 33 };
        row.owners = OwnerSpan {
            start: number,
            count: 1,
        };
    }
    row.state_since = Timestamp(scattered % (NOW * 100));
    row
}
