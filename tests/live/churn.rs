//! Long-lived sockets beside very many short ones: none of the former may be
//! lost, doubled, or taken for another.
//!
//! A dump of the kernel's table is no snapshot. It comes in answers of 32 KiB,
//! and goes on where it was by counting within a bucket; if a socket before
//! that place is gone by then, one behind it is passed over. `sock_diag` does
//! so about once in a million rows here, which is counted. Nobody may notice:
//! what a table lacks is asked for by its cookie.

use super::namespace::{LabNamespace, NotHere, is_deep};
use foldhash::{HashMap, HashMapExt};
use rustix::net::sockopt::set_socket_linger;
use std::fs;
use std::io::{Read, Write, stdin, stdout};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tcplens::lab::load::{Load, LoadSize};
use tcplens::model::endpoint::Endpoint;
use tcplens::model::observation::Observation;
use tcplens::model::protocol::Protocol;
use tcplens::model::reading::{ReadingKind, Snapshot};
use tcplens::model::row::Phase;
use tcplens::model::socket::Socket;
use tcplens::monitor::{Monitor, MonitorOptions};
use tcplens::source::live::{LiveOptions, LiveSource};
use tcplens::source::{ReadingSource, SourceChoice};

/// The hidden first argument of a process that churns.
const CHURN: &str = "--churn";
/// How many such processes there are.
const CHURNERS: u8 = 3;
/// How many of its connections each of them has at a time.
const AT_A_TIME: usize = 32;
/// How long is watched, where tests take their time, and on a busy machine.
const WATCHED: Duration = Duration::from_secs(8);
const WATCHED_DEEPLY: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_secs(80);
/// When nobody can be watching any more.
const OVER_AT_LAST: Duration = Duration::from_mins(2);
/// Fewer connections a second prove nothing.
const LEAST_RATE: u64 = 3_000;
/// Fewer tables neither.
const LEAST_TABLES: usize = 10;
/// Absences settled with each table, as in the live table.
const SETTLED: usize = 256;

/// In a process that churns: where the test program is, and which one it is.
pub(crate) fn asked(mut arguments: impl Iterator<Item = String>) -> Option<(u64, u8)> {
    (arguments.next()? == CHURN).then_some(())?;
    Some((
        arguments.next()?.parse().ok()?,
        arguments.next()?.parse().ok()?,
    ))
}

/// Opens and closes connections until its input closes, at the latest when
/// nobody can be watching any more.
pub(crate) fn play((outside, number): (u64, u8)) -> ExitCode {
    static OVER: AtomicBool = AtomicBool::new(false);
    LabNamespace::verify(outside).unwrap();
    // An address each, so that none runs out of ports.
    let address = Ipv4Addr::new(127, 0, 1, number);
    let listener = TcpListener::bind((address, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(|| {
        let _ = stdin().read_to_end(&mut Vec::new());
        OVER.store(true, Ordering::Relaxed);
    });
    let mut open = std::collections::VecDeque::new();
    let began = Instant::now();
    stdout().write_all(b"go\n").unwrap();
    while !OVER.load(Ordering::Relaxed) && began.elapsed() < OVER_AT_LAST {
        let client = TcpStream::connect(at).unwrap();
        // A reset leaves nothing behind.
        set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        let (server, _) = listener.accept().unwrap();
        open.push_back((client, server));
        if open.len() > AT_A_TIME {
            open.pop_front();
        }
    }
    ExitCode::SUCCESS
}

struct Churn(Vec<Child>);

impl Churn {
    fn begin(namespace: &LabNamespace) -> Self {
        let program = std::env::current_exe().unwrap();
        let children = (1..=CHURNERS).map(|number| {
            let mut child = Command::new(&program)
                .args([CHURN, &namespace.host_id().to_string(), &number.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let output = child.stdout.as_mut().unwrap();
            output.read_exact(&mut [0; 3]).unwrap();
            child
        });
        Self(children.collect())
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// What a socket is known by, whatever the source.
type Ends = (Protocol, Endpoint, Endpoint, Option<NonZeroU32>);

fn ends(socket: &Socket) -> Ends {
    // An inode tells those apart that have no peer.
    let inode = socket.inode.filter(|_| socket.peer().is_none());
    (socket.protocol, socket.local, socket.remote, inode)
}

/// A long-lived socket: who holds it, and in how many tables running the source
/// has left it out.
struct Known {
    pid: u32,
    left_out: u32,
}

/// What went wrong, in rows and tables.
#[derive(Debug, Default)]
struct Figures {
    tables: usize,
    rows: usize,
    left_out: usize,
    left_out_twice: usize,
    doubled_by_source: usize,
    tables_doubled: usize,
    missing: usize,
    doubled: usize,
    marked: usize,
    closed: usize,
    closed_too_soon: usize,
    wrong_owner: usize,
}

struct Watcher {
    live: LiveSource,
    monitor: Monitor,
    known: HashMap<Ends, Known>,
    figures: Figures,
}

impl Watcher {
    /// Knows what is there before anything churns.
    fn begin(source: SourceChoice, load: &Load, mix: LoadSize) -> Self {
        let options = LiveOptions {
            source,
            ..LiveOptions::default()
        };
        let mut watcher = Self {
            live: LiveSource::open(&options).unwrap(),
            monitor: Monitor::new(MonitorOptions {
                lookup_budget: SETTLED,
                ..MonitorOptions::default()
            }),
            known: HashMap::new(),
            figures: Figures::default(),
        };
        let pids: Vec<u32> = load.pids().collect();
        let reading = watcher.live.read_table().unwrap();
        let seen = watcher.monitor.fold(reading).unwrap();
        for row in seen.rows.iter() {
            let owners: Vec<u32> = seen.owners(row).map(|(owner, _)| owner.pid).collect();
            assert!(owners.len() == 1 && pids.contains(&owners[0]), "{row:?}");
            let known = Known {
                pid: owners[0],
                left_out: 0,
            };
            assert!(watcher.known.insert(ends(&row.socket), known).is_none());
        }
        assert_eq!(watcher.known.len() as u64, mix.socket_count());
        watcher
    }

    fn look(&mut self) {
        let reading = self.live.read_table().unwrap();
        let ReadingKind::Table(snapshot) = &reading.kind else {
            panic!("a table was asked for")
        };
        self.count_source(snapshot);
        let seen = self.monitor.fold(reading).unwrap_or_else(|| {
            let absences = self.live.look_up(self.monitor.pending_lookups());
            self.monitor.fold(absences).unwrap()
        });
        self.count_folded(&seen);
        self.figures.tables += 1;
        self.figures.rows = self.figures.rows.max(seen.rows.len());
    }

    /// What the source itself gives.
    fn count_source(&mut self, snapshot: &Snapshot) {
        let mut times: HashMap<Ends, usize> = HashMap::new();
        for socket in &snapshot.sockets {
            *times.entry(ends(socket)).or_default() += 1;
        }
        let mut doubled = 0;
        for (ends, known) in &mut self.known {
            match times.get(ends) {
                None => {
                    println!("table {} leaves out {ends:?}", self.figures.tables);
                    known.left_out += 1;
                    self.figures.left_out += 1;
                    self.figures.left_out_twice += usize::from(known.left_out == 2);
                }
                Some(times) => {
                    known.left_out = 0;
                    doubled += times - 1;
                }
            }
        }
        self.figures.doubled_by_source += doubled;
        self.figures.tables_doubled += usize::from(doubled > 0);
    }

    /// What is made of it.
    fn count_folded(&mut self, seen: &Observation) {
        let figures = &mut self.figures;
        let mut found: HashMap<Ends, usize> = HashMap::new();
        for row in seen.rows.iter() {
            let ends = ends(&row.socket);
            let Some(known) = self.known.get(&ends) else {
                continue;
            };
            let times = found.entry(ends).or_default();
            *times += 1;
            figures.doubled += usize::from(*times > 1);
            if row.phase == Phase::Closed {
                figures.closed += 1;
                figures.closed_too_soon += usize::from(known.left_out < 2);
                continue;
            }
            figures.marked += usize::from(row.phase != Phase::Unchanged);
            let owners: Vec<u32> = seen.owners(row).map(|(owner, _)| owner.pid).collect();
            figures.wrong_owner += usize::from(owners != [known.pid]);
        }
        figures.missing += self.known.len() - found.len();
    }
}

/// How many connections this namespace has opened (RFC 4022).
fn active_opens() -> u64 {
    let bytes = fs::read("/proc/net/snmp").unwrap();
    tcplens::source::counters::parse(&bytes, b"")
        .active_opens
        .unwrap()
}

pub(crate) fn loses_no_long_lived_row(namespace: &LabNamespace) -> Result<(), NotHere> {
    let mix = LoadSize {
        sockets: 3_000,
        processes: NonZeroU32::new(10).unwrap(),
    };
    let load = Load::start(namespace, mix).unwrap();
    for source in [SourceChoice::SockDiag, SourceChoice::Proc] {
        let mut watcher = Watcher::begin(source, &load, mix);
        let churn = Churn::begin(namespace);
        let (began, opened) = (Instant::now(), active_opens());
        let long_enough = if is_deep() { WATCHED_DEEPLY } else { WATCHED };
        let enough = |tables| tables >= LEAST_TABLES && began.elapsed() >= long_enough;
        while !enough(watcher.figures.tables) && began.elapsed() < LONGEST {
            watcher.look();
        }
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap();
        let rate = (active_opens() - opened) * 1000 / millis;
        drop(churn);
        let Watcher { known, figures, .. } = watcher;
        println!(
            "{source:?}: {} long-lived rows beside {rate} new connections a second: {figures:?}",
            known.len()
        );
        assert!(rate >= LEAST_RATE, "only {rate} connections a second");
        assert!(figures.tables >= LEAST_TABLES, "{figures:?}");
        let wrong = [
            figures.missing,
            figures.doubled,
            figures.marked,
            figures.wrong_owner,
        ];
        assert_eq!(wrong, [0; 4], "{figures:?}");
        // Without cookies only two tables running can tell.
        let closed = match source {
            SourceChoice::Proc => figures.closed_too_soon,
            _ => figures.closed,
        };
        assert_eq!(closed, 0, "{figures:?}");
    }
    Ok(())
}
