//! The row of a case and its surroundings, from a few words.

use crate::filter::test_world::{process, row};
use crate::model::accept_wait::AcceptWait;
use crate::model::event_history::{TimePrecision, Timeline, TimelineStep};
use crate::model::evidence::{
    AcceptStallEvidence, CloseWaitEvidence, Evidence, LocalPortsEvidence, StalledQueueEvidence,
    SynFloodEvidence,
};
use crate::model::finding::{Finding, FindingHolder, Severity};
use crate::model::limits::Limits;
use crate::model::namespace::NamespaceEntry;
use crate::model::namespace_addresses::{GoneInterface, NamespaceAddresses, ReachableInterface};
use crate::model::observation::{ConnectionDetail, Observation};
use crate::model::owner::{Holder, NoOwnerReason, OwnerSpan, ProcessId};
use crate::model::probe_spacing::ProbeSpacing;
use crate::model::process::{Process, RunState};
use crate::model::protocol::{Protocol, SocketFamily};
use crate::model::row::{LastOwner, Phase, Row};
use crate::model::state::State;
use crate::model::tcp_info::TcpInfo;
use crate::model::tcp_metrics::TcpMetrics;
use crate::model::time::{Time, Timestamp};
use crate::model::timer::{Timer, TimerKind};
use crate::model::trend::{Trend, TrendGroup};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Places of processes.
const SERVER: ProcessId = ProcessId(0);

/// The row to explain comes first.
pub(super) struct DiagnosisFixture {
    observation: Observation,
    rows: Vec<Row>,
}

impl DiagnosisFixture {
    /// Default: a TCP socket of one process, in its state for five seconds,
    /// seen to begin, with empty queues.
    pub(super) fn of(words: &str) -> Observation {
        let mut words = words.split_whitespace();
        let (protocol, state) = match words.next().unwrap() {
            "udp" => (Protocol::Udp, words.next().unwrap()),
            state => (Protocol::Tcp, state),
        };
        let state = State::from_word(state).unwrap_or(State::Unknown(42));
        let remote = match state {
            State::Listen | State::Unconnected | State::BoundInactive | State::Closed => "-",
            _ => "198.51.100.7:443",
        };
        let mut world = Self {
            observation: observation(),
            rows: vec![row(protocol, state, "192.0.2.10:8080", remote)],
        };
        world.since(5);
        world.held_by(1);
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            world.add(name, value);
        }
        world.observation.rows = Arc::new(world.rows);
        world.observation
    }

    fn add(&mut self, name: &str, value: &str) {
        let number = || value.parse::<u32>().unwrap();
        let end = || {
            let at: SocketAddr = value.parse().unwrap();
            crate::model::endpoint::Endpoint::new(at.ip(), at.port())
        };
        let mut parts = value.split(':');
        let row = &mut self.rows[0];
        match name {
            "recv" => row.socket.recv_queue = number(),
            "send" => row.socket.send_queue = number(),
            "local" => row.socket.local = end(),
            "remote" => row.socket.remote = end(),
            "device" => row.socket.interface = 2,
            "proc" => row.socket.cookie = None,
            "unseen" => row.saw_state_entry = false,
            "was" => {
                row.phase = Phase::Changed {
                    from: State::from_word(value).unwrap(),
                }
            }
            "closed" => row.phase = Phase::Closed,
            "way" => self.came_through(value),
            "last" => row.last_owner = Some(LastOwner::new(SERVER)),
            "timer" => row.socket.timer = Some(timer(&mut parts)),
            "age" => self.since(number()),
            "owners" => self.held_by(number()),
            "nobody" => self.set_unowned(value),
            "like" => self.repeat(number(), |_| {}),
            // Rows of another namespace, and of another interface.
            "foreign" => self.repeat(number(), |row| row.socket.namespace = 8),
            "apart" => self.repeat(number(), |row| row.socket.interface += 1),
            "elsewhere" => self.repeat(number(), |row| row.socket.remote.port += 1),
            "listener" => self.listen(value == "full"),
            "change" => self.trend(value.parse().unwrap()),
            "data" => self.data(&mut parts),
            "room" => self.set_peer_window(number()),
            "v6" => {
                let only = Some(value == "only");
                row.socket.socket_family = SocketFamily::Inet6 { only };
            }
            "wait" => {
                let oldest = Duration::from_secs(number().into());
                self.observation.accept_waits = vec![AcceptWait {
                    listener: 0,
                    oldest,
                    stalled: oldest,
                    accepting: false,
                    is_lower_bound: false,
                }];
            }
            "stopped" => {
                let mut stopped = Process::clone(&self.observation.processes[0]);
                stopped.run_state = RunState::Stopped;
                self.observation.processes[0] = Arc::new(stopped);
            }
            "warned" => self.warn(),
            "shut" => self.info().receive_shutdown = Some(true),
            "subflow" => self.info().is_subflow = true,
            "unsent" => self.info().segments_out = Some(0),
            "lost" => self.lose_segment(value),
            "paced" => self.set_pacing_rate(number()),
            "spacing" => {
                let key = row.socket.key();
                let spacing = Duration::from_secs(number().into());
                self.observation.probe_spacings = vec![ProbeSpacing { key, spacing }];
            }
            "quiet" => {
                let info = self.info();
                info.last_data_received_ms = value.parse::<u32>().unwrap() * 1000;
                info.last_ack_received_ms = info.last_data_received_ms;
            }
            "fastopen" => self.info().data_in_syn = true,
            "here" => self.add_other_end(value),
            "half" => self.half_open(number()),
            "target" => self.add_target(value),
            "abroad" => self.move_to_other_netns(Some(NamespaceEntry::Process(812))),
            "sealed" => self.move_to_other_netns(None),
            // Missing and present addresses and interfaces.
            "gone" => self.remove_bound(value),
            "reach" => self.add_reachable_interface(value),
            "once" => self.observation.table_number = 1,
            other => panic!("{other}"),
        }
    }

    /// The states before the present one, as followed by events.
    fn came_through(&mut self, states: &str) {
        let socket = self.rows[0].socket;
        let step = |state| TimelineStep {
            state,
            since_us: 0,
            precision: TimePrecision::Exact,
        };
        let before = states
            .split(',')
            .map(|word| State::from_word(word).unwrap());
        let steps = before.chain([socket.state]).map(step).collect();
        let chronicle = Arc::make_mut(&mut self.observation.event_history);
        chronicle.timelines = vec![(socket.key(), Timeline { steps })];
    }

    fn remove_bound(&mut self, what: &str) {
        let socket = self.rows[0].socket;
        match what {
            "interface" => self.observation.gone_interfaces.push(GoneInterface {
                namespace: socket.namespace,
                index: socket.interface,
            }),
            _ => self
                .network()
                .missing_addresses
                .push(socket.local.address()),
        }
    }

    fn add_reachable_interface(&mut self, interface: &str) {
        let network = self.network();
        network.is_loopback_only = interface == "lo";
        network.reachable_interfaces = (interface != "lo")
            .then(|| ReachableInterface {
                name: interface.into(),
                has_ipv4: true,
                has_ipv6: false,
            })
            .into_iter()
            .collect();
    }

    fn network(&mut self) -> &mut NamespaceAddresses {
        let networks = &mut self.observation.namespace_addresses;
        if networks.is_empty() {
            networks.push(NamespaceAddresses {
                namespace: self.rows[0].socket.namespace,
                is_loopback_only: false,
                reachable_interfaces: Vec::new(),
                missing_addresses: Vec::new(),
            });
        }
        &mut networks[0]
    }

    fn since(&mut self, seconds: u32) {
        let now = self.observation.time.timestamp();
        self.rows[0].state_since = Timestamp(now.0 - seconds * 100);
    }

    fn held_by(&mut self, count: u32) {
        let holders = (0..count).map(|number| Holder {
            process: ProcessId(number),
            fd: 7,
        });
        self.observation.holders = holders.collect();
        self.rows[0].socket.inode = NonZeroU32::new(99);
        self.rows[0].owners = OwnerSpan { start: 0, count };
    }

    /// Adds a finding about its program.
    fn warn(&mut self) {
        let row = &mut self.rows[0];
        row.severity = Some(Severity::Warning);
        let leak = CloseWaitEvidence {
            count: 60,
            growth: 0,
            window: Duration::from_mins(5),
            open_files: None,
            open_files_limit: None,
        };
        let stillness = StalledQueueEvidence {
            sockets: 20,
            bytes: 660,
            peer: row.socket.remote,
            longest: Duration::from_secs(40),
        };
        let stall = AcceptStallEvidence {
            listener: row.socket.local,
            waiting: 3,
            backlog: None,
            oldest: Duration::from_secs(45),
            stalled: Duration::from_secs(45),
            accepting: false,
            is_lower_bound: false,
        };
        self.observation.findings.push(Finding {
            severity: Severity::Warning,
            since: Timestamp(0),
            clearing_since: None,
            process: Some(Arc::clone(&self.observation.processes[0])),
            holder: FindingHolder::default(),
            evidence: match row.socket.state {
                State::Listen => Evidence::NotAccepting(stall),
                State::CloseWait => Evidence::CloseWait(leak),
                State::SynReceived => Evidence::SynFlood(SynFloodEvidence {
                    listener: Some(row.socket.local),
                    half_open: 121,
                    unanswered: 121,
                    backlog: None,
                    cookies_sent: None,
                    cookies_returned: None,
                    dropped: None,
                }),
                State::TimeWait => Evidence::LocalPorts(LocalPortsEvidence {
                    local_address: row.socket.local.address(),
                    destination: Some(row.socket.remote),
                    used: 391,
                    available: 401,
                }),
                _ => Evidence::ProgramNotReading(stillness),
            },
        });
    }

    fn set_unowned(&mut self, why: &str) {
        let unowned = NoOwnerReason::ALL
            .into_iter()
            .find(|known| known.key() == why);
        let held = matches!(
            unowned,
            Some(NoOwnerReason::Hidden | NoOwnerReason::Pending | NoOwnerReason::Kernel)
        );
        let row = &mut self.rows[0];
        row.owners = OwnerSpan::default();
        row.socket.inode = NonZeroU32::new(u32::from(held));
        assert!(unowned.is_some(), "{why}");
        row.no_owner_reason = unowned;
    }

    fn repeat(&mut self, count: u32, change: impl Fn(&mut Row)) {
        let mut other = self.rows[0];
        change(&mut other);
        self.rows.extend((0..count).map(|_| other));
    }

    fn listen(&mut self, full: bool) {
        let mut listener = row(Protocol::Tcp, State::Listen, "0.0.0.0:8080", "-");
        listener.socket.inode = NonZeroU32::new(98);
        listener.socket.send_queue = 4;
        listener.socket.recv_queue = if full { 5 } else { 1 };
        listener.owners = OwnerSpan { start: 0, count: 1 };
        self.observation.listeners = vec![(8080, u32::try_from(self.rows.len()).unwrap())];
        self.rows.push(listener);
    }

    fn trend(&mut self, change: i64) {
        let row = &self.rows[0];
        let group = match (row.socket.state, row.owners.count) {
            (State::TimeWait, _) => TrendGroup::All,
            (_, 0) => TrendGroup::Port(row.socket.local.port),
            _ => TrendGroup::Process(SERVER),
        };
        self.observation.trends = vec![Trend {
            group,
            state: row.socket.state,
            change,
            window: Duration::from_mins(5),
        }];
    }

    /// Direction, and the seconds since data was received and sent.
    fn data<'a>(&mut self, parts: &mut impl Iterator<Item = &'a str>) {
        let ways = parts.next().unwrap();
        let mut ms = || parts.next().unwrap().parse::<u32>().unwrap() * 1000;
        let gone = |way: &str| Some(if ways == way || ways == "both" { 99 } else { 0 });
        let info = self.info();
        info.bytes_received = gone("came");
        info.bytes_sent = gone("went");
        info.last_data_received_ms = ms();
        info.last_data_sent_ms = ms();
    }

    /// Window of the peer, in bytes.
    fn set_peer_window(&mut self, bytes: u32) {
        let info = self.info();
        info.peer_window = Some(bytes);
        (info.snd_mss, info.rto_us) = (1448, 204_000);
        // Long after its beginning.
        info.last_data_received_ms = 3_600_000;
        (info.bytes_received, info.bytes_sent) = (Some(0), Some(99));
    }

    /// Loses a full-size segment: `how` adds the known details, and if
    /// retransmissions leave this machine.
    fn lose_segment(&mut self, how: &str) {
        let info = self.info();
        (info.lost, info.retrans, info.snd_mss, info.path_mtu) = (1, 1, 1448, 1500);
        (info.bytes_acked, info.bytes_sent) = (Some(70_000), Some(71_448));
        info.bytes_retransmitted = Some(0);
        match how {
            "later" => info.sacked = 1,
            "all" => info.bytes_acked = Some(1),
            "here" => info.retrans = 0,
            "" => {}
            other => panic!("{other}"),
        }
    }

    /// Maximum rate set by the program, in bytes a second.
    fn set_pacing_rate(&mut self, rate: u32) {
        let info = self.info();
        (info.pacing_rate, info.max_pacing_rate) = (Some(rate.into()), Some(rate.into()));
        (info.not_sent_bytes, info.bytes_sent) = (Some(5000), Some(99));
        (info.bytes_received, info.peer_window) = (Some(0), Some(65_160));
    }

    /// Adds the other end on this machine.
    fn add_other_end(&mut self, how: &str) {
        let mut other = self.rows[0];
        let row = &mut self.rows[0];
        row.socket.remote = crate::model::endpoint::Endpoint::new([192, 0, 2, 10].into(), 50_000);
        (other.socket.local, other.socket.remote) = (row.socket.remote, row.socket.local);
        other.socket.recv_queue = 90_000;
        other.socket.send_queue = 0;
        other.socket.timer = None;
        match how {
            "unread" => {}
            "blocked" => {
                other.socket.send_queue = 80_000;
                other.socket.timer = Some(Timer {
                    kind: TimerKind::ZeroWindowProbe,
                    expires_ms: 3000,
                    retransmits: 0,
                });
            }
            "queued" => {
                other.owners = OwnerSpan::default();
                other.no_owner_reason = Some(NoOwnerReason::AcceptQueue);
                let mut listener = other;
                listener.socket.state = State::Listen;
                listener.socket.remote = crate::model::endpoint::Endpoint::default();
                listener.owners = OwnerSpan { start: 0, count: 1 };
                let number = u32::try_from(self.rows.len()).unwrap();
                self.observation.listeners = vec![(50_000, number)];
                self.rows.push(listener);
            }
            other => panic!("{other}"),
        }
        self.rows.push(other);
    }

    /// Adds half-open connections of a listener.
    fn half_open(&mut self, count: u32) {
        let mut half = self.rows[0];
        half.socket.state = State::SynReceived;
        half.socket.remote = crate::model::endpoint::Endpoint::new([198, 51, 100, 7].into(), 9);
        self.rows.extend((0..count).map(|_| half));
        for _ in 0..count {
            self.observation
                .state_counts
                .increment(Protocol::Tcp, State::SynReceived);
        }
    }

    /// Adds a listener at the target of a SYN to this machine.
    fn add_target(&mut self, how: &str) {
        let remote = self.rows[0].socket.remote;
        let number = u32::try_from(self.rows.len()).unwrap();
        self.listen(how == "full");
        self.rows[number as usize].socket.local.port = remote.port;
        if how == "proc" {
            self.rows[number as usize].socket.cookie = None;
        }
        self.observation.listeners = vec![(remote.port, number)];
    }

    fn info(&mut self) -> &mut TcpInfo {
        if self.observation.details.is_empty() {
            self.observation.details.push(ConnectionDetail {
                key: self.rows[0].socket.key(),
                info: TcpInfo::default(),
                metrics: TcpMetrics::default(),
            });
        }
        &mut self.observation.details[0].info
    }

    /// Moves the row to another network namespace than that of this program.
    fn move_to_other_netns(&mut self, entrance: Option<NamespaceEntry>) {
        let namespace = |id, own, entrance| crate::model::namespace::Namespace {
            id,
            name: None,
            is_current: own,
            entry: entrance,
        };
        let there = namespace(8, false, entrance);
        self.observation.namespaces = vec![namespace(1, true, None), there];
        self.rows[0].socket.namespace = 8;
    }
}

/// Kind, retransmissions, and seconds until it fires.
fn timer<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Timer {
    Timer {
        kind: match parts.next().unwrap() {
            "resend" => TimerKind::Retransmit,
            "keepalive" => TimerKind::Keepalive,
            "window" => TimerKind::ZeroWindowProbe,
            "wait" => TimerKind::TimeWait,
            other => panic!("{other}"),
        },
        retransmits: parts.next().unwrap().parse().unwrap(),
        expires_ms: parts.next().unwrap().parse::<u32>().unwrap() * 1000,
    }
}

/// A machine with the usual settings, watched for long.
fn observation() -> Observation {
    Observation {
        table_number: 9,
        time: Time {
            wall_ms: 0,
            monotonic_ms: 259_200_000,
        },
        processes: [(812, "server"), (813, "worker"), (814, "worker")]
            .map(|(pid, name)| process(pid, name, "/usr/bin/server"))
            .to_vec(),
        interfaces: vec![crate::model::namespace::Interface {
            namespace: 1,
            index: 2,
            name: "eth0".into(),
        }],
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
            local_ports: Some((40_001, 40_400)),
            ..Limits::default()
        },
        ..Observation::default()
    }
}
