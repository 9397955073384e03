//! The running kernel as a source of readings: joins sockets, owners, facts
//! and names.

use super::owners::Owners;
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
use crate::model::protocol::Protocol;
use crate::model::reading::{Matter, Reading, Snapshot, SourceKind};
use crate::model::socket::Socket;
use crate::model::text::Text;
use crate::model::time::Time;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
    owners: Owners,
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
            owners: Owners::new(&options.root),
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

    /// Reads the table while another thread reads processes, if there are many
    /// to read, and then helps with them.
    fn read_both(&mut self) -> Result<SocketTable, SourceError> {
        let sockets = &mut self.sockets;
        let errand = self.owners.survey();
        let table = if errand.is_large() {
            thread::scope(|scope| {
                // Where no thread is to be had, this one does all the work.
                let _ = thread::Builder::new().spawn_scoped(scope, || errand.work());
                let table = sockets.read();
                errand.work();
                table
            })
        } else {
            let table = sockets.read();
            errand.work();
            table
        };
        self.owners.take_in(errand);
        table
    }
}

impl ReadingSource for Live {
    fn read_table(&mut self) -> Result<Reading, SourceError> {
        let table = self.read_both()?;
        let time = self.now();
        let assigned = self.owners.assign(&table.sockets);
        let processes = self.processes.facts(&assigned.pids);
        // Neighbours in the table mostly have one user.
        let runs = table
            .sockets
            .chunk_by(|left, right| left.uid == right.uid)
            .filter_map(|run| Some(run.first()?.uid));
        let uids: BTreeSet<u32> = runs
            .chain(processes.iter().filter_map(|process| process.uid))
            .collect();
        let mut gaps = self.standing.clone();
        gaps.extend(table.gaps);
        let mut unreadable = self.owners.unreadable();
        if self.processes.short_of_descriptors() {
            *unreadable.entry(GapReason::DescriptorLimit).or_default() += 1;
        }
        gaps.extend(unreadable.iter().map(|(reason, count)| Gap {
            kind: GapKind::ProcessesUnreadable,
            count: *count,
            reason: *reason,
        }));
        let snapshot = Snapshot {
            source: self.sockets.kind(),
            host: self.host.clone(),
            interfaces: interface_names(&table.sockets),
            sockets: table.sockets,
            owners: assigned.spans,
            holders: assigned.holders,
            processes,
            users: self.users.resolve(uids, self.patience),
            limits: self.limits,
            gaps,
            owners_complete: unreadable.is_empty(),
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
            Matter::Usage(_) => panic!("a table was asked for"),
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
}
