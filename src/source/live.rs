//! The running kernel as a source of readings: joins sockets, owners, facts
//! and names.

use super::addresses::{AddressReader, BoundSockets};
use super::cgroup_tree::CgroupTree;
use super::events::{EventCollector, EventOptions, origin_ns};
use super::interfaces::BoundInterfaces;
use super::namespaces::{self, OtherNamespaces};
use super::owners::{OwnerAssignment, SocketOwners};
use super::processes::ProcessCache;
use super::sock_diag::SockDiag;
use super::socket_units::SocketUnits;
use super::usage::UsageMeter;
use super::users::UserNames;
use super::{
    Entered, ReadingSource, SocketSource, SocketTable, SourceChoice, SourceError, addresses,
    conntrack, counters, interfaces, limits, socket_source,
};
use crate::model::event::EventsMode;
use crate::model::gap::Gap;
use crate::model::limits::Limits;
use crate::model::namespace::{Namespace, NamespaceScope};
use crate::model::namespace_addresses::{NamespaceAddresses, NatForwarding};
use crate::model::opener::Openers;
use crate::model::reading::{Reading, ReadingKind, Snapshot};
use crate::model::socket::Socket;
use crate::model::tcp_metrics::TcpCounters;
use crate::model::text::Text;
use crate::model::time::Time;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Options for reading the kernel.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Kernel interface to read.
    pub source: SourceChoice,
    /// Network namespaces to read.
    pub scope: NamespaceScope,
    /// Namespace that this program has entered, if one was named.
    pub entered: Option<Entered>,
    /// True if user names are looked up.
    pub resolve_names: bool,
    /// Longest wait of a table for user names that are not known yet.
    pub name_timeout: Duration,
    /// Mode of reading kernel events between tables.
    pub events_mode: EventsMode,
    /// Size of each processor's event buffer, in KiB; chosen by the number of
    /// processors if none.
    pub event_buffer_kib: Option<usize>,
    /// Budget of one table.
    pub budget: ReadBudget,
    /// Root of the proc file system: `/proc`, or a fixture.
    pub proc_root: PathBuf,
}

/// Limit of the descriptors read for one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ReadBudget {
    /// No limit: there may be no other table.
    #[default]
    Unlimited,
    /// A limited number of descriptors, and three seconds for other network namespaces.
    /// The rest is read with later tables, and counted until then.
    Bounded {
        /// Largest number of descriptors, at about 1.4 µs each.
        descriptors: u64,
    },
}

impl ReadBudget {
    /// For a table of at most a tenth of a second if nothing else is expensive: 50,000
    /// connections of one server are read at once.
    pub const LIVE: Self = Self::Bounded {
        descriptors: 64 * 1024,
    };
    /// For a program that ends by itself and reads a table each second.
    pub const CHECK: Self = Self::Bounded {
        descriptors: 128 * 1024,
    };

    fn descriptors(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Bounded { descriptors } => Some(descriptors),
        }
    }
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            source: SourceChoice::Auto,
            scope: NamespaceScope::Current,
            entered: None,
            resolve_names: true,
            name_timeout: Duration::from_millis(100),
            events_mode: EventsMode::Off,
            event_buffer_kib: None,
            budget: ReadBudget::Unlimited,
            proc_root: PathBuf::from("/proc"),
        }
    }
}

/// The running kernel.
pub struct LiveSource {
    sockets: Box<dyn SocketSource>,
    permanent_gaps: Vec<Gap>,
    /// The network namespace this program is in.
    namespace_id: u32,
    entered: Option<Entered>,
    other_namespaces: OtherNamespaces,
    scope: NamespaceScope,
    /// Number of sockets of this namespace in the last table.
    own_socket_count: usize,
    /// Number of sockets of all namespaces in the last table.
    total_socket_count: usize,
    /// Memory that the sockets of an earlier table were in.
    buffer: Vec<Socket>,
    owners: SocketOwners,
    cgroups: CgroupTree,
    socket_units: SocketUnits,
    processes: ProcessCache,
    users: UserNames,
    usage: UsageMeter,
    limits: Limits,
    addresses: AddressReader,
    host: Text,
    name_timeout: Duration,
    proc_root: PathBuf,
    started_at: Instant,
    event_options: EventOptions,
    /// Started at the first request: by then the program makes sure that the
    /// trace ends with it.
    events: Option<EventCollector>,
}

/// Context of the sockets of a table.
struct NetworkContext {
    interfaces: BoundInterfaces,
    networks: Vec<NamespaceAddresses>,
    namespaces: Vec<Namespace>,
    /// Parallel to the sockets, or empty.
    counters: Vec<Option<TcpCounters>>,
}

impl LiveSource {
    /// Chooses the interface and prepares to read.
    ///
    /// # Errors
    ///
    /// If the chosen interface is unavailable. `Auto` falls back to `/proc` and
    /// fails only when reading.
    pub fn open(options: &LiveOptions) -> Result<Self, SourceError> {
        let own = namespaces::own_namespace(&options.proc_root);
        let mut standing = Vec::new();
        let sockets = socket_source::open(options.source, &options.proc_root, own, &mut standing)?;
        let began = Instant::now();
        Ok(Self {
            sockets,
            permanent_gaps: standing,
            namespace_id: own,
            entered: options.entered.clone(),
            other_namespaces: OtherNamespaces::new(
                &options.proc_root,
                own,
                options.source,
                options.budget != ReadBudget::Unlimited,
            ),
            scope: options.scope,
            own_socket_count: 0,
            total_socket_count: 0,
            buffer: Vec::new(),
            owners: SocketOwners::new(&options.proc_root, options.budget.descriptors()),
            cgroups: CgroupTree::new(&options.proc_root),
            socket_units: SocketUnits::new(&options.proc_root),
            processes: ProcessCache::new(&options.proc_root),
            users: UserNames::new(options.resolve_names),
            usage: UsageMeter::default(),
            limits: limits::read(&options.proc_root),
            addresses: AddressReader::default(),
            host: Text::new(rustix::system::uname().nodename().to_bytes()),
            name_timeout: options.name_timeout,
            proc_root: options.proc_root.clone(),
            event_options: EventOptions {
                mode: options.events_mode,
                buffer_kib: options.event_buffer_kib,
            },
            events: None,
            started_at: began,
        })
    }

    fn now(&self) -> Time {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Time {
            wall_ms: saturating_millis(since_epoch),
            monotonic_ms: saturating_millis(self.started_at.elapsed()),
        }
    }

    /// Takes a buffer for as many sockets as before and some more. A vector
    /// that grows by doubling leaves holes in memory that nothing else fits
    /// into.
    fn take_buffer(&mut self) -> Vec<Socket> {
        let mut room = std::mem::take(&mut self.buffer);
        let last = self.own_socket_count.max(self.total_socket_count);
        let about = last + last / 32;
        room.shrink_to(about * 2);
        room.reserve(about);
        room
    }

    /// Reads the table while another thread reads processes, if there are many,
    /// and then helps with them.
    fn read_sockets_and_owners(&mut self) -> Result<SocketTable, SourceError> {
        let room = self.take_buffer();
        let sockets = &mut self.sockets;
        let scan = self.owners.plan_scan();
        let table = if scan.needs_thread() {
            thread::scope(|scope| {
                // If no thread can be started, this one does all the work.
                let _ = thread::Builder::new().spawn_scoped(scope, || scan.run());
                let table = sockets.read(room);
                scan.run();
                table
            })
        } else {
            let table = sockets.read(room);
            scan.run();
            table
        };
        self.owners.apply_scan(scan);
        if let Ok(table) = &table {
            self.own_socket_count = table.sockets.len();
        }
        table
    }
}

impl LiveSource {
    fn own_namespace(&self) -> Namespace {
        Namespace {
            id: self.namespace_id,
            name: self.entered.as_ref().map(|entered| entered.name.clone()),
            is_current: true,
            entry: self.entered.as_ref().and_then(|it| it.entrance.clone()),
        }
    }

    /// Adds the tables of other namespaces if the scope includes them.
    fn read_other_namespaces(&mut self, table: &mut SocketTable, around: &mut NetworkContext) {
        if self.scope == NamespaceScope::All {
            let found = self.other_namespaces.read(self.owners.processes());
            table.append(found.table);
            around
                .interfaces
                .interfaces
                .extend(found.interfaces.interfaces);
            around.interfaces.missing.extend(found.interfaces.missing);
            around.networks.extend(found.networks);
            around.namespaces.extend(found.namespaces);
            around
                .namespaces
                .sort_unstable_by_key(|namespace| namespace.id);
        }
    }

    /// Reads interfaces, addresses and name of this namespace.
    fn read_context(&mut self, table: &mut SocketTable) -> NetworkContext {
        let network = self
            .addresses
            .read(BoundSockets::from_table(table, self.namespace_id));
        let networks = addresses::network_or_gap(network, &mut table.gaps);
        NetworkContext {
            interfaces: interfaces::bound_interfaces(&table.sockets, self.namespace_id),
            networks: networks.into_iter().collect(),
            namespaces: vec![self.own_namespace()],
            counters: Vec::new(),
        }
    }

    /// Finds the units that opened the sockets which nobody was found to hold, or process
    /// 1, which opens those of socket units within these where it can.
    fn openers(&mut self, table: &SocketTable, assigned: &OwnerAssignment) -> Openers<u32> {
        let is_asked = |place: u32| {
            let Some(span) = assigned.spans.get(place as usize) else {
                return false;
            };
            match span.resolve(&assigned.holders).first() {
                None => !span.is_pending(),
                Some(holder) => assigned.pids.get(holder.process.0 as usize) == Some(&1),
            }
        };
        let ids: Vec<(u32, u64)> = table
            .cgroups
            .iter()
            .filter(|(place, _)| is_asked(*place))
            .map(|(place, id)| (place, id.get()))
            .collect();
        let wanted = ids.iter().map(|(_, id)| *id).collect();
        self.cgroups.look_up(&wanted, Instant::now());
        Openers::new(
            ids.into_iter()
                .filter_map(|(place, id)| Some((place, Arc::clone(self.cgroups.unit(id)?)))),
        )
    }

    /// Joins a table and its owners with all other facts.
    fn build_reading(
        &mut self,
        time: Time,
        table: SocketTable,
        assigned: OwnerAssignment,
        around: NetworkContext,
    ) -> Reading {
        let openers = self.openers(&table, &assigned);
        let socket_units = if assigned.pids.contains(&1) {
            self.socket_units.units(Instant::now())
        } else {
            Arc::default()
        };
        let processes = self.processes.facts(&assigned.pids);
        // Neighbours in the table mostly have one user.
        let runs = table
            .sockets
            .chunk_by(|left, right| left.uid == right.uid)
            .filter_map(|run| Some(run.first()?.uid));
        let uids: BTreeSet<u32> = runs
            .chain(processes.iter().filter_map(|process| process.uid))
            .collect();
        let mut gaps = self.permanent_gaps.clone();
        gaps.extend(table.gaps);
        let short = self.processes.out_of_descriptors();
        let unsearched = self.owners.gaps(short);
        let owner_search = self.owners.search_coverage(&unsearched);
        gaps.extend(unsearched);
        let snapshot = Snapshot {
            source: self.sockets.kind(),
            host: self.host.clone(),
            interfaces: around.interfaces.interfaces,
            gone_interfaces: around.interfaces.missing,
            namespace_addresses: around.networks,
            namespaces: around.namespaces,
            scope: self.scope,
            tcp_counters: around.counters,
            memory: table.memory,
            sockets: table.sockets,
            owners: assigned.spans,
            openers,
            socket_units,
            holders: assigned.holders,
            processes,
            users: self.users.resolve(uids, self.name_timeout),
            limits: self.limits,
            gaps,
            owner_search,
            counters: counters::read(&self.proc_root),
            gauges: counters::read_gauges(&self.proc_root),
        };
        Reading {
            time,
            kind: ReadingKind::Table(Box::new(snapshot)),
        }
    }
}

impl ReadingSource for LiveSource {
    fn set_scope(&mut self, scope: NamespaceScope) {
        self.scope = scope;
    }

    fn read_table(&mut self) -> Result<Reading, SourceError> {
        let mut table = self.read_sockets_and_owners()?;
        let mut around = self.read_context(&mut table);
        self.read_other_namespaces(&mut table, &mut around);
        self.total_socket_count = table.sockets.len();
        around.counters = table.take_counters();
        let time = self.now();
        let assigned = self.owners.assign(&table.sockets);
        Ok(self.build_reading(time, table, assigned, around))
    }

    fn read_without_owners(&mut self) -> Result<Option<Reading>, SourceError> {
        // The sockets of other namespaces would be missing.
        if self.scope == NamespaceScope::All || !self.owners.plan_scan().is_expensive() {
            return Ok(None);
        }
        let room = self.take_buffer();
        let mut table = self.sockets.read(room)?;
        self.own_socket_count = table.sockets.len();
        let around = self.read_context(&mut table);
        let time = self.now();
        let assigned = OwnerAssignment::pending(&table.sockets);
        Ok(Some(self.build_reading(time, table, assigned, around)))
    }

    fn read_usage(&mut self, pids: &[u32]) -> Reading {
        Reading {
            time: self.now(),
            kind: ReadingKind::Usage(self.usage.sample(pids)),
        }
    }

    fn read_details(&mut self, sockets: &[Socket]) -> Reading {
        let own = self
            .sockets
            .sock_diag()
            .map(|exact| exact.read_details(sockets));
        let mut details = own.unwrap_or_default();
        details.extend(self.other_namespaces.query(sockets, SockDiag::read_details));
        Reading {
            time: self.now(),
            kind: ReadingKind::Details(details),
        }
    }

    fn look_up(&mut self, sockets: &[Socket]) -> Reading {
        let own = self.sockets.sock_diag().map(|exact| exact.look_up(sockets));
        let mut settled = own.unwrap_or_default();
        settled.extend(self.other_namespaces.query(sockets, SockDiag::look_up));
        Reading {
            time: self.now(),
            kind: ReadingKind::Lookups(settled),
        }
    }

    fn read_forwardings(&mut self, port: u16) -> Vec<NatForwarding> {
        conntrack::read(&self.proc_root.join("thread-self"), port).unwrap_or_default()
    }

    fn read_events(&mut self) -> Option<Reading> {
        if self.events.is_none() {
            let origin_ns = origin_ns(self.started_at);
            self.events = EventCollector::start(
                self.event_options,
                self.namespace_id,
                &self.proc_root,
                origin_ns,
            );
        }
        let events = self.events.as_mut()?.drain();
        Some(Reading {
            time: self.now(),
            kind: ReadingKind::Events(Box::new(events)),
        })
    }

    fn recycle(&mut self, room: Vec<Socket>) {
        self.buffer = room;
    }

    fn include_tcp_counters(&mut self, wanted: bool) {
        self.other_namespaces.include_tcp_counters(wanted);
        self.sockets.include_tcp_counters(wanted);
    }
}

fn saturating_millis(duration: Duration) -> u64 {
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
        let reading = LiveSource::open(&options).unwrap().read_table().unwrap();
        match reading.kind {
            ReadingKind::Table(snapshot) => *snapshot,
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
            let holders = snapshot.owners[place].resolve(&snapshot.holders);
            let pids: Vec<u32> = holders
                .iter()
                .map(|holder| snapshot.processes[holder.process.0 as usize].pid)
                .collect();
            assert!(pids.contains(&std::process::id()), "{source:?}: {pids:?}");
            assert_ne!(snapshot.sockets[place].namespace, 0);
        }
    }
}
