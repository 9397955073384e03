//! Severity is one scale: a row that calls for action is covered by a finding of at
//! least a warning, once the rule has had its time. A product over the kinds of rows
//! there are, each watched for two minutes.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::thread;
use tcplens::explain::urgency::urgencies;
use tcplens::model::endpoint::Endpoint;
use tcplens::model::finding::Severity;
use tcplens::model::limits::Limits;
use tcplens::model::namespace_addresses::GoneInterface;
use tcplens::model::observation::Observation;
use tcplens::model::owner::{Holder, OwnerSearch, OwnerSpan, ProcessId};
use tcplens::model::process::Process;
use tcplens::model::protocol::{IpFamily, Protocol};
use tcplens::model::reading::{Reading, ReadingKind, Snapshot};
use tcplens::model::row::Row;
use tcplens::model::socket::Socket;
use tcplens::model::state::State;
use tcplens::model::tcp_info::TcpInfo;
use tcplens::model::time::Time;
use tcplens::model::timer::{Timer, TimerKind};
use tcplens::model::urgency::Urgency;
use tcplens::monitor::Monitor;

/// Seconds at which a table is read. At the last two every rule has had its time.
const TABLES: [u64; 8] = [0, 1, 16, 31, 62, 63, 123, 124];

/// Port of the server whose clients the rows may be.
const SERVED: u16 = 80;

/// What holds the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    ByProcess,
    Hidden,
    ByNobody,
}

/// What is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// A server elsewhere.
    Remote,
    /// A client of a listener here with room …
    Client,
    /// … and of one without.
    ClientOfFull,
    /// Another socket here, with the same queues and timer.
    Here,
    /// The socket itself.
    Itself,
}

/// A kind of row.
#[derive(Clone, Copy, Debug)]
struct Kind {
    state: State,
    /// Receive and send queue.
    queues: (u32, u32),
    timer: Option<(TimerKind, u8)>,
    held: Held,
    peer: Peer,
    copies: u16,
    /// `TCP_INFO`: the peer's window, where it is known.
    room: Option<u32>,
    /// Its interface is gone.
    stranded: bool,
}

/// Every kind. Those that differ in nothing a rule or a diagnosis looks at are left
/// out.
fn kinds() -> Vec<Kind> {
    let timers = [
        None,
        Some((TimerKind::Retransmit, 7)),
        Some((TimerKind::Keepalive, 3)),
        Some((TimerKind::ZeroWindowProbe, 0)),
        Some((TimerKind::ZeroWindowProbe, 6)),
    ];
    let peers = [
        Peer::Remote,
        Peer::Client,
        Peer::ClientOfFull,
        Peer::Here,
        Peer::Itself,
    ];
    let mut kinds = Vec::new();
    for state in State::ALL {
        for queues in [(0, 0), (5, 4), (0, 700), (33, 0), (90_000, 200_000)] {
            for timer in timers {
                for held in [Held::ByProcess, Held::Hidden, Held::ByNobody] {
                    for peer in peers {
                        kinds.push(Kind {
                            state,
                            queues,
                            timer,
                            held,
                            peer,
                            copies: 1,
                            room: None,
                            stranded: false,
                        });
                    }
                }
            }
        }
    }
    let whole = kinds.clone();
    let crowded = |kind: &&Kind| {
        let probes = kind
            .timer
            .filter(|(kind, _)| *kind != TimerKind::Retransmit);
        let alone = matches!(kind.peer, Peer::Here | Peer::Itself);
        probes.is_none() && !alone && kind.held != Held::Hidden
    };
    kinds.extend(whole.iter().filter(crowded).map(|kind| Kind {
        copies: 120,
        ..*kind
    }));
    let connected = |kind: &&Kind| kind.timer.is_some();
    for room in [0, 65_160] {
        kinds.extend(whole.iter().filter(connected).map(|kind| Kind {
            room: Some(room),
            ..*kind
        }));
    }
    let plain = |kind: &&Kind| kind.timer.is_none();
    kinds.extend(whole.iter().filter(plain).map(|kind| Kind {
        stranded: true,
        ..*kind
    }));
    kinds
}

fn socket(number: u16, state: State) -> Socket {
    Socket {
        cookie: NonZeroU64::new(u64::from(number) + 1),
        local: Endpoint::new([192, 0, 2, 1].into(), 1024 + number),
        remote: Endpoint::new([198, 51, 100, 7].into(), 443),
        inode: NonZeroU32::new(u32::from(number) + 1),
        uid: 1000,
        interface: 0,
        recv_queue: 0,
        send_queue: 0,
        namespace: 1,
        timer: None,
        protocol: match state {
            State::Unconnected => Protocol::Udp,
            _ => Protocol::Tcp,
        },
        socket_family: IpFamily::Inet.into(),
        state,
    }
}

impl Kind {
    fn sockets(&self) -> Vec<Socket> {
        let mut sockets: Vec<Socket> = (0..self.copies).map(|number| self.socket(number)).collect();
        let server = Endpoint::new([192, 0, 2, 1].into(), SERVED);
        match self.peer {
            Peer::Client | Peer::ClientOfFull => sockets.push(Socket {
                local: server,
                remote: Endpoint::default(),
                recv_queue: if self.peer == Peer::Client { 1 } else { 5 },
                send_queue: 4,
                ..socket(500, State::Listen)
            }),
            Peer::Here => {
                let others: Vec<Socket> = sockets.clone();
                sockets.extend((600..).zip(others).map(|(number, one)| {
                    Socket {
                        cookie: NonZeroU64::new(number),
                        inode: one
                            .inode
                            .and(NonZeroU32::new(u32::try_from(number).unwrap())),
                        local: one.remote,
                        remote: one.local,
                        ..one
                    }
                }));
            }
            Peer::Remote | Peer::Itself => {}
        }
        sockets
    }

    fn socket(&self, number: u16) -> Socket {
        let mut socket = socket(number, self.state);
        match self.peer {
            Peer::Remote => {}
            Peer::Client | Peer::ClientOfFull => {
                socket.remote.port = 40_000 + number;
                socket.local.port = SERVED;
            }
            Peer::Here => {
                socket.remote = Endpoint::new([192, 0, 2, 1].into(), 20_000 + number);
            }
            Peer::Itself => socket.remote = socket.local,
        }
        match self.state {
            State::Listen | State::Unconnected | State::BoundInactive | State::Closed => {
                (socket.local.port, socket.remote) = (8080, Endpoint::default());
            }
            _ => {}
        }
        if self.held == Held::ByNobody || self.state == State::TimeWait {
            socket.inode = None;
        }
        socket.interface = u32::from(self.stranded) * 9;
        (socket.recv_queue, socket.send_queue) = self.queues;
        socket.timer = self.timer.map(|(kind, retransmits)| Timer {
            kind,
            expires_ms: 3000,
            retransmits,
        });
        socket
    }

    fn table(&self, sockets: &[Socket]) -> Snapshot {
        let process = Process {
            pid: 900,
            start_ticks: 1,
            name: "program".into(),
            ..Process::default()
        };
        let mut table = Snapshot {
            sockets: sockets.to_vec(),
            processes: vec![Arc::new(process)],
            owner_search: match self.held {
                Held::Hidden => OwnerSearch::Partial,
                _ => OwnerSearch::Complete,
            },
            limits: Limits {
                local_ports: Some((1024, 1163)),
                time_wait_reuse: Some(0),
                retries2: Some(15),
                orphan_retries: Some(0),
                ..Limits::default()
            },
            ..Snapshot::default()
        };
        if self.stranded {
            table.gone_interfaces.push(GoneInterface {
                namespace: 1,
                index: 9,
            });
        }
        for (fd, socket) in (3..).zip(sockets) {
            let held = self.held != Held::Hidden && socket.inode.is_some();
            table.owners.push(OwnerSpan {
                start: u32::try_from(table.holders.len()).unwrap(),
                count: u32::from(held),
            });
            table.holders.extend(held.then_some(Holder {
                process: ProcessId(0),
                fd,
            }));
        }
        table
    }

    fn info(&self, second: u64) -> Option<TcpInfo> {
        let idle = u32::try_from(second * 1000).unwrap() + 90_000;
        self.room.map(|room| TcpInfo {
            peer_window: Some(room),
            snd_mss: 1448,
            rto_us: 204_000,
            last_data_sent_ms: idle,
            last_data_received_ms: idle,
            last_ack_received_ms: idle,
            ..TcpInfo::default()
        })
    }

    /// The observations at the last two tables.
    fn watched(&self) -> [Arc<Observation>; 2] {
        let sockets = self.sockets();
        let mut monitor = Monitor::default();
        let seen = TABLES.map(|second| {
            let time = Time {
                wall_ms: 1_700_000_000_000 + second * 1000,
                monotonic_ms: second * 1000,
            };
            let table = ReadingKind::Table(Box::new(self.table(&sockets)));
            let asked = sockets.iter().filter(|socket| socket.is_connection());
            let told = asked.filter_map(|socket| Some((socket.key(), self.info(second)?)));
            let details = ReadingKind::Details(told.collect());
            monitor.fold(Reading { time, kind: table });
            monitor.fold(Reading {
                time,
                kind: details,
            })
        });
        let [.., before, last] = seen;
        [before.unwrap(), last.unwrap()]
    }
}

/// True if a finding that is worth a warning is about the row, or about the listener
/// whose queue it is in.
fn is_covered(row: &Row, seen: &Observation) -> bool {
    let warned = |row: &Row| row.severity >= Some(Severity::Warning);
    warned(row) || seen.best_listeners(row).any(warned)
}

/// States with an urgent row, and what is wrong.
#[derive(Default)]
struct Outcome {
    urgent: BTreeSet<&'static str>,
    uncovered: BTreeMap<String, String>,
}

fn judge(kinds: &[Kind]) -> Outcome {
    let mut outcome = Outcome::default();
    for kind in kinds {
        for seen in kind.watched() {
            let urgencies = urgencies(&seen);
            for (number, row) in (0..).zip(seen.rows.iter()) {
                if urgencies.of_row_number(number) != Urgency::Act {
                    continue;
                }
                outcome.urgent.insert(row.socket.state.key());
                if !is_covered(row, &seen) {
                    let rules = seen.findings.iter().map(|each| each.evidence.rule().key());
                    let found: Vec<&str> = rules.collect();
                    let why = format!("{:?} found {found:?}", row.socket.state);
                    outcome.uncovered.insert(format!("{kind:?}"), why);
                }
            }
        }
    }
    outcome
}

#[test]
fn a_row_that_calls_for_action_has_a_finding_worth_a_warning() {
    let kinds = kinds();
    assert!(kinds.len() > 8000, "{}", kinds.len());
    let (left, right) = kinds.split_at(kinds.len() / 2);
    let (left, right) = thread::scope(|scope| {
        let left = scope.spawn(|| judge(left));
        (judge(right), left.join().unwrap())
    });
    let uncovered: Vec<_> = left.uncovered.iter().chain(&right.uncovered).collect();
    let some: Vec<_> = uncovered.iter().take(20).collect();
    assert!(uncovered.is_empty(), "{} {some:#?}", uncovered.len());
    // The test says something of each state that may call for action.
    let urgent: BTreeSet<&str> = left.urgent.union(&right.urgent).copied().collect();
    let expected = [
        "close_wait",
        "established",
        "fin_wait_1",
        "listen",
        "syn_received",
        "time_wait",
    ];
    assert_eq!(urgent, BTreeSet::from(expected));
}
