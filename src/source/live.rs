//! The running kernel as a source of readings: joins sockets, owners, facts
//! and names.

use super::owners::{Link, Walk, Walker};
use super::proc_tables::ProcTables;
use super::processes::Processes;
use super::sock_diag::SockDiag;
use super::usage::UsageMeter;
use super::users::UserNames;
use super::{
    ReadingSource, SocketSource, SocketTable, SourceChoice, SourceError, counters, limits,
};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::limits::Limits;
use crate::model::owner::{Holder, OwnerSpan, ProcessId};
use crate::model::protocol::Protocol;
use crate::model::reading::{Matter, Reading, Snapshot, SourceKind};
use crate::model::socket::Socket;
use crate::model::text::Text;
use crate::model::time::Time;
use foldhash::{HashMap, HashMapExt};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A machine with fewer processes is walked faster than a thread is started.
const WORTH_A_THREAD: usize = 64;

/// How the kernel is to be read.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Which interface.
    pub source: SourceChoice,
    /// Whether user names are looked up.
    pub names: bool,
    /// How long a table waits for user names that are not known yet.
    pub patience: Duration,
    /// Where the proc file system is: `/proc`, or a fixture.
    pub root: PathBuf,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            source: SourceChoice::Auto,
            names: true,
            patience: Duration::from_millis(100),
            root: PathBuf::from("/proc"),
        }
    }
}

/// The running kernel.
pub struct Live {
    sockets: Box<dyn SocketSource>,
    standing: Vec<Gap>,
    processes: Processes,
    users: UserNames,
    usage: UsageMeter,
    limits: Limits,
    host: Text,
    patience: Duration,
    root: PathBuf,
    began: Instant,
}

impl Live {
    /// Chooses the interface and prepares to read.
    ///
    /// # Errors
    ///
    /// If the chosen interface is not to be had. `Auto` falls back to `/proc`
    /// and fails only when reading.
    pub fn open(options: &LiveOptions) -> Result<Self, SourceError> {
        let namespace = own_namespace(&options.root);
        let mut standing = Vec::new();
        let sockets: Box<dyn SocketSource> = match options.source {
            SourceChoice::SockDiag => Box::new(SockDiag::open(namespace)?),
            SourceChoice::Proc => Box::new(ProcTables::new(&options.root, namespace)),
            SourceChoice::Auto => choose(&options.root, namespace, &mut standing),
        };
        Ok(Self {
            sockets,
            standing,
            processes: Processes::new(&options.root),
            users: UserNames::new(options.names),
            usage: UsageMeter::default(),
            limits: limits::read(&options.root),
            host: Text::new(rustix::system::uname().nodename().to_bytes()),
            patience: options.patience,
            root: options.root.clone(),
            began: Instant::now(),
        })
    }

    fn now(&self) -> Time {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Time {
            wall_ms: milliseconds(since_epoch),
            monotonic_ms: milliseconds(self.began.elapsed()),
        }
    }

    /// Reads the table while another thread walks the processes, then helps
    /// with the walk.
    fn read_both(&mut self) -> Result<(SocketTable, Walk), SourceError> {
        let sockets = &mut self.sockets;
        let walker = match Walker::new(&self.root) {
            Ok(walker) => walker,
            Err(error) => return Ok((sockets.read()?, Walk::refused(&error))),
        };
        let table = if walker.len() < WORTH_A_THREAD {
            let table = sockets.read();
            walker.work();
            table
        } else {
            thread::scope(|scope| {
                // Where no thread is to be had, this one does all the work.
                let _ = thread::Builder::new().spawn_scoped(scope, || walker.work());
                let table = sockets.read();
                walker.work();
                table
            })
        };
        Ok((table?, walker.finish()))
    }
}

impl ReadingSource for Live {
    fn read_table(&mut self) -> Result<Reading, SourceError> {
        let (mut table, walk) = self.read_both()?;
        let flows = table.take_flows();
        let time = self.now();
        let owned = Owned::join(&table.sockets, &walk.links);
        let processes = self.processes.facts(&owned.pids);
        let uids: BTreeSet<u32> = table
            .sockets
            .iter()
            .map(|socket| socket.uid)
            .chain(processes.iter().filter_map(|process| process.uid))
            .collect();
        let mut gaps = self.standing.clone();
        gaps.extend(table.gaps);
        gaps.extend(walk.unreadable.iter().map(|(reason, count)| Gap {
            kind: GapKind::ProcessesUnreadable,
            count: *count,
            reason: *reason,
        }));
        let snapshot = Snapshot {
            source: self.sockets.kind(),
            host: self.host.clone(),
            interfaces: interface_names(&table.sockets),
            flows,
            sockets: table.sockets,
            owners: owned.spans,
            holders: owned.holders,
            processes,
            users: self.users.resolve(uids, self.patience),
            limits: self.limits,
            gaps,
            owners_complete: walk.unreadable.is_empty(),
            active_opens: std::fs::read(self.root.join("net/snmp"))
                .ok()
                .and_then(|bytes| counters::active_opens(&bytes)),
        };
        Ok(Reading {
            time,
            matter: Matter::Table(Box::new(snapshot)),
        })
    }

    fn read_usage(&mut self, pids: &[u32]) -> Reading {
        Reading {
            time: self.now(),
            matter: Matter::Usage(self.usage.sample(pids)),
        }
    }

    fn read_details(&mut self, sockets: &[Socket]) -> Reading {
        let details = self.sockets.exact().map(|exact| exact.details(sockets));
        Reading {
            time: self.now(),
            matter: Matter::Details(details.unwrap_or_default()),
        }
    }

    fn look_up(&mut self, sockets: &[Socket]) -> Reading {
        let settled = self.sockets.exact().map(|exact| exact.look_up(sockets));
        Reading {
            time: self.now(),
            matter: Matter::Absences(settled.unwrap_or_default()),
        }
    }

    fn include_flows(&mut self, wanted: bool) {
        self.sockets.include_flows(wanted);
    }
}

/// `sock_diag` if it answers, else `/proc`, with the reason as a gap.
fn choose(root: &Path, namespace: u32, standing: &mut Vec<Gap>) -> Box<dyn SocketSource> {
    let proc = ProcTables::new(root, namespace);
    match SockDiag::open(namespace) {
        Ok(diag) => Box::new(Preferred {
            diag,
            proc,
            udp_from_proc: None,
        }),
        Err(error) => {
            standing.push(fallback(&error));
            Box::new(proc)
        }
    }
}

fn fallback(error: &SourceError) -> Gap {
    Gap {
        kind: GapKind::SourceFallback,
        count: 1,
        reason: GapReason::of(error.io()),
    }
}

/// `sock_diag`, with `/proc` for UDP where the kernel lacks `udp_diag`.
struct Preferred {
    diag: SockDiag,
    proc: ProcTables,
    /// Why UDP is read from `/proc`, once it is.
    udp_from_proc: Option<Gap>,
}

impl SocketSource for Preferred {
    fn kind(&self) -> SourceKind {
        match self.udp_from_proc {
            None => SourceKind::SockDiag,
            Some(_) => SourceKind::Mixed,
        }
    }

    fn include_flows(&mut self, wanted: bool) {
        self.diag.include_flows(wanted);
    }

    fn exact(&mut self) -> Option<&mut SockDiag> {
        Some(&mut self.diag)
    }

    fn read(&mut self) -> Result<SocketTable, SourceError> {
        let mut table = SocketTable::default();
        self.diag.read_protocol(Protocol::Tcp, &mut table)?;
        if self.udp_from_proc.is_none()
            && let Err(error) = self.diag.read_protocol(Protocol::Udp, &mut table)
        {
            match GapReason::of(error.io()) {
                GapReason::NotOffered => self.udp_from_proc = Some(fallback(&error)),
                // A passing error is no reason to change the source for good.
                reason => table.gaps.push(Gap {
                    kind: GapKind::TablesUnreadable,
                    count: 1,
                    reason,
                }),
            }
        }
        if let Some(gap) = self.udp_from_proc {
            table.gaps.push(gap);
            if let Err(error) = self.proc.read_protocol(Protocol::Udp, &mut table) {
                table.gaps.push(Gap {
                    kind: GapKind::TablesUnreadable,
                    count: 1,
                    reason: GapReason::of(error.io()),
                });
            }
        }
        Ok(table)
    }
}

/// The owners of each socket, in the compact form of a snapshot.
struct Owned {
    spans: Vec<OwnerSpan>,
    holders: Vec<Holder>,
    pids: Vec<u32>,
}

impl Owned {
    /// `links` is sorted by inode, pid and descriptor. Sockets may share an
    /// inode (MPTCP subflows have their owner's).
    fn join(sockets: &[Socket], links: &[Link]) -> Self {
        let mut runs: HashMap<u32, OwnerSpan> = HashMap::with_capacity(links.len());
        let mut holders = Vec::with_capacity(links.len());
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        let mut pids = Vec::new();
        let wanted: foldhash::HashSet<u32> = sockets
            .iter()
            .filter_map(|socket| Some(socket.inode?.get()))
            .collect();
        for run in links.chunk_by(|left, right| left.inode == right.inode) {
            let inode = run.first().map_or(0, |link| link.inode);
            if !wanted.contains(&inode) {
                continue;
            }
            let start = u32::try_from(holders.len()).unwrap_or(u32::MAX);
            for link in run.iter().take(usize::from(u16::MAX)) {
                let number = *numbers.entry(link.pid).or_insert_with(|| {
                    pids.push(link.pid);
                    u32::try_from(pids.len() - 1).unwrap_or(u32::MAX)
                });
                holders.push(Holder {
                    process: ProcessId(number),
                    fd: link.fd,
                });
            }
            let count = u16::try_from(run.len()).unwrap_or(u16::MAX);
            runs.insert(inode, OwnerSpan { start, count });
        }
        let spans = sockets
            .iter()
            .map(|socket| {
                let inode = socket.inode.map_or(0, std::num::NonZeroU32::get);
                runs.get(&inode).copied().unwrap_or_default()
            })
            .collect();
        Self {
            spans,
            holders,
            pids,
        }
    }
}

/// The number in `net:[4026531840]`; 0 if it can't be read.
fn own_namespace(root: &Path) -> u32 {
    let link = std::fs::read_link(root.join("thread-self/ns/net"));
    link.ok()
        .and_then(|target| {
            let target = target.to_str()?;
            let digits = target.strip_prefix("net:[")?.strip_suffix(']')?;
            digits.parse().ok()
        })
        .unwrap_or(0)
}

fn interface_names(sockets: &[Socket]) -> Vec<(u32, Text)> {
    let indexes: BTreeSet<u32> = sockets
        .iter()
        .map(|socket| socket.interface)
        .filter(|index| *index != 0)
        .collect();
    if indexes.is_empty() {
        return Vec::new();
    }
    let Ok(asking) = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    ) else {
        return Vec::new();
    };
    indexes
        .into_iter()
        .filter_map(|index| {
            let name = rustix::net::netdevice::index_to_name(&asking, index).ok()?;
            Some((index, Text::from(name.as_str())))
        })
        .collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn snapshot(source: SourceChoice) -> Snapshot {
        let options = LiveOptions {
            source,
            ..LiveOptions::default()
        };
        let reading = Live::open(&options).unwrap().read_table().unwrap();
        match reading.matter {
            Matter::Table(snapshot) => *snapshot,
            other => panic!("a table was asked for: {other:?}"),
        }
    }

    #[test]
    fn every_source_finds_a_listener_and_its_owner() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for source in [
            SourceChoice::Auto,
            SourceChoice::SockDiag,
            SourceChoice::Proc,
        ] {
            let snapshot = snapshot(source);
            let place = snapshot
                .sockets
                .iter()
                .position(|socket| socket.local.port == port && socket.peer().is_none())
                .unwrap();
            let holders = snapshot.owners[place].of(&snapshot.holders);
            let pids: Vec<u32> = holders
                .iter()
                .map(|holder| snapshot.processes[holder.process.0 as usize].pid)
                .collect();
            assert!(pids.contains(&std::process::id()), "{source:?}: {pids:?}");
            assert_ne!(snapshot.sockets[place].namespace, 0);
        }
    }

    #[test]
    fn sockets_that_share_an_inode_share_its_owners() {
        let socket = Socket {
            inode: std::num::NonZeroU32::new(5),
            ..snapshot_socket()
        };
        let links = [(4, 1), (5, 7), (5, 9)].map(|(inode, pid)| Link { inode, pid, fd: 3 });
        let owned = Owned::join(&[socket, snapshot_socket(), socket], &links);
        assert_eq!(owned.pids, [7, 9]);
        assert_eq!(owned.spans[0], owned.spans[2]);
        assert_eq!(owned.spans[1].count, 0);
    }

    fn snapshot_socket() -> Socket {
        let line = b"0: 0100007F:1F90 0100007F:C350 01 0:0 00:0 0 0 0 0\n";
        super::super::proc_net::parse_table(line, Protocol::Tcp, 0).sockets[0]
    }
}
