//! The running kernel as a source of readings: joins sockets, owners, facts
//! and names.

use super::addresses::{Addresses, Bound};
use super::cgroup_tree::CgroupTree;
use super::events::{EventFeed, Wanted, origin_ns};
use super::interfaces::BoundTo;
use super::namespaces::{self, Neighbours};
use super::owners::{Assigned, Owners};
use super::processes::Processes;
use super::sock_diag::SockDiag;
use super::socket_units::SocketUnits;
use super::usage::UsageMeter;
use super::users::UserNames;
use super::{
    Entered, ReadingSource, SocketSource, SocketTable, SourceChoice, SourceError, addresses,
    chosen, conntrack, counters, interfaces, limits,
};
use crate::model::event::EventsChoice;
use crate::model::flow::Sample;
use crate::model::gap::Gap;
use crate::model::limits::Limits;
use crate::model::namespace::{Namespace, Scope};
use crate::model::network::{Forwarding, Network};
use crate::model::opener::Openers;
use crate::model::reading::{Matter, Reading, Snapshot};
use crate::model::socket::Socket;
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
    pub scope: Scope,
    /// Namespace that this program has entered, if one was named.
    pub entered: Option<Entered>,
    /// True if user names are looked up.
    pub names: bool,
    /// Longest wait of a table for user names that are not known yet.
    pub patience: Duration,
    /// Mode of reading kernel events between tables.
    pub events: EventsChoice,
    /// Size of each processor's event buffer, in KiB; chosen by the number of
    /// processors if none.
    pub events_kib: Option<usize>,
    /// Budget of one table.
    pub effort: Effort,
    /// Root of the proc file system: `/proc`, or a fixture.
    pub root: PathBuf,
}

/// Limit of the descriptors read for one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Effort {
    /// No limit: there may be no other table.
    #[default]
    Whole,
    /// A limited number of descriptors, and three seconds for other network namespaces.
    /// The rest is read with later tables, and counted until then.
    InTurns {
        /// Largest number of descriptors, at about 1.4 µs each.
        descriptors: u64,
    },
}

impl Effort {
    /// For a table of at most a tenth of a second if nothing else is expensive: 50,000
    /// connections of one server are read at once.
    pub const LIVE: Self = Self::InTurns {
        descriptors: 64 * 1024,
    };
    /// For a program that ends by itself and reads a table each second.
    pub const CHECK: Self = Self::InTurns {
        descriptors: 128 * 1024,
    };

    fn descriptors(self) -> Option<u64> {
        match self {
            Self::Whole => None,
            Self::InTurns { descriptors } => Some(descriptors),
        }
    }
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            source: SourceChoice::Auto,
            scope: Scope::Own,
            entered: None,
            names: true,
            patience: Duration::from_millis(100),
            events: EventsChoice::Off,
            events_kib: None,
            effort: Effort::Whole,
            root: PathBuf::from("/proc"),
        }
    }
}

/// The running kernel.
pub struct Live {
    sockets: Box<dyn SocketSource>,
    standing: Vec<Gap>,
    /// The network namespace this program is in.
    own: u32,
    entered: Option<Entered>,
    neighbours: Neighbours,
    scope: Scope,
    /// Number of sockets of this namespace in the last table.
    last: usize,
    /// Number of sockets of all namespaces in the last table.
    whole: usize,
    /// Memory that the sockets of an earlier table were in.
    spare: Vec<Socket>,
    owners: Owners,
    cgroups: CgroupTree,
    socket_units: SocketUnits,
    processes: Processes,
    users: UserNames,
    usage: UsageMeter,
    limits: Limits,
    addresses: Addresses,
    host: Text,
    patience: Duration,
    root: PathBuf,
    began: Instant,
    wanted_events: Wanted,
    /// Started at the first request: by then the program makes sure that the
    /// trace ends with it.
    events: Option<EventFeed>,
}

/// Context of the sockets of a table.
struct Around {
    bound_to: BoundTo,
    networks: Vec<Network>,
    namespaces: Vec<Namespace>,
    /// Parallel to the sockets, or empty.
    flows: Vec<Option<Sample>>,
}

impl Live {
    /// Chooses the interface and prepares to read.
    ///
    /// # Errors
    ///
    /// If the chosen interface is unavailable. `Auto` falls back to `/proc` and
    /// fails only when reading.
    pub fn open(options: &LiveOptions) -> Result<Self, SourceError> {
        let own = namespaces::own(&options.root);
        let mut standing = Vec::new();
        let sockets = chosen::open(options.source, &options.root, own, &mut standing)?;
        let began = Instant::now();
        Ok(Self {
            sockets,
            standing,
            own,
            entered: options.entered.clone(),
            neighbours: Neighbours::new(
                &options.root,
                own,
                options.source,
                options.effort != Effort::Whole,
            ),
            scope: options.scope,
            last: 0,
            whole: 0,
            spare: Vec::new(),
            owners: Owners::new(&options.root, options.effort.descriptors()),
            cgroups: CgroupTree::new(&options.root),
            socket_units: SocketUnits::new(&options.root),
            processes: Processes::new(&options.root),
            users: UserNames::new(options.names),
            usage: UsageMeter::default(),
            limits: limits::read(&options.root),
            addresses: Addresses::default(),
            host: Text::new(rustix::system::uname().nodename().to_bytes()),
            patience: options.patience,
            root: options.root.clone(),
            wanted_events: Wanted {
                choice: options.events,
                room_kib: options.events_kib,
            },
            events: None,
            began,
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

    /// Takes a buffer for as many sockets as before and some more. A vector
    /// that grows by doubling leaves holes in memory that nothing else fits
    /// into.
    fn room(&mut self) -> Vec<Socket> {
        let mut room = std::mem::take(&mut self.spare);
        let last = self.last.max(self.whole);
        let about = last + last / 32;
        room.shrink_to(about * 2);
        room.reserve(about);
        room
    }

    /// Reads the table while another thread reads processes, if there are many,
    /// and then helps with them.
    fn read_both(&mut self) -> Result<SocketTable, SourceError> {
        let room = self.room();
        let sockets = &mut self.sockets;
        let errand = self.owners.survey();
        let table = if errand.is_large() {
            thread::scope(|scope| {
                // If no thread can be started, this one does all the work.
                let _ = thread::Builder::new().spawn_scoped(scope, || errand.work());
                let table = sockets.read(room);
                errand.work();
                table
            })
        } else {
            let table = sockets.read(room);
            errand.work();
            table
        };
        self.owners.take_in(errand);
        if let Ok(table) = &table {
            self.last = table.sockets.len();
        }
        table
    }
}

impl Live {
    fn own_namespace(&self) -> Namespace {
        Namespace {
            id: self.own,
            name: self.entered.as_ref().map(|entered| entered.name.clone()),
            own: true,
            entrance: self.entered.as_ref().and_then(|it| it.entrance.clone()),
        }
    }

    /// Adds the tables of other namespaces if the scope includes them.
    fn visit_neighbours(&mut self, table: &mut SocketTable, around: &mut Around) {
        if self.scope == Scope::All {
            let found = self.neighbours.read(self.owners.processes());
            table.append(found.table);
            around.bound_to.interfaces.extend(found.bound_to.interfaces);
            around.bound_to.gone.extend(found.bound_to.gone);
            around.networks.extend(found.networks);
            around.namespaces.extend(found.namespaces);
            around
                .namespaces
                .sort_unstable_by_key(|namespace| namespace.id);
        }
    }

    /// Reads interfaces, addresses and name of this namespace.
    fn around(&mut self, table: &mut SocketTable) -> Around {
        let network = self.addresses.read(Bound::of(table, self.own));
        let networks = addresses::or_gap(network, &mut table.gaps);
        Around {
            bound_to: interfaces::of(&table.sockets, self.own),
            networks: networks.into_iter().collect(),
            namespaces: vec![self.own_namespace()],
            flows: Vec::new(),
        }
    }

    /// Finds the units that opened the sockets which nobody was found to hold, or process
    /// 1, which opens those of socket units within these where it can.
    fn openers(&mut self, table: &SocketTable, assigned: &Assigned) -> Openers<u32> {
        let is_asked = |place: u32| {
            let Some(span) = assigned.spans.get(place as usize) else {
                return false;
            };
            match span.of(&assigned.holders).first() {
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
    fn reading(
        &mut self,
        time: Time,
        table: SocketTable,
        assigned: Assigned,
        around: Around,
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
        let mut gaps = self.standing.clone();
        gaps.extend(table.gaps);
        let short = self.processes.short_of_descriptors();
        let unsearched = self.owners.gaps(short);
        let owner_search = self.owners.search_of(&unsearched);
        gaps.extend(unsearched);
        let snapshot = Snapshot {
            source: self.sockets.kind(),
            host: self.host.clone(),
            interfaces: around.bound_to.interfaces,
            gone_interfaces: around.bound_to.gone,
            networks: around.networks,
            namespaces: around.namespaces,
            scope: self.scope,
            flows: around.flows,
            memory: table.memory,
            sockets: table.sockets,
            owners: assigned.spans,
            openers,
            socket_units,
            holders: assigned.holders,
            processes,
            users: self.users.resolve(uids, self.patience),
            limits: self.limits,
            gaps,
            owner_search,
            counters: counters::read(&self.root),
            gauges: counters::gauges(&self.root),
        };
        Reading {
            time,
            matter: Matter::Table(Box::new(snapshot)),
        }
    }
}

impl ReadingSource for Live {
    fn set_scope(&mut self, scope: Scope) {
        self.scope = scope;
    }

    fn read_table(&mut self) -> Result<Reading, SourceError> {
        let mut table = self.read_both()?;
        let mut around = self.around(&mut table);
        self.visit_neighbours(&mut table, &mut around);
        self.whole = table.sockets.len();
        around.flows = table.take_flows();
        let time = self.now();
        let assigned = self.owners.assign(&table.sockets);
        Ok(self.reading(time, table, assigned, around))
    }

    fn read_first(&mut self) -> Result<Option<Reading>, SourceError> {
        // The sockets of other namespaces would be missing.
        if self.scope == Scope::All || !self.owners.survey().is_dear() {
            return Ok(None);
        }
        let room = self.room();
        let mut table = self.sockets.read(room)?;
        self.last = table.sockets.len();
        let around = self.around(&mut table);
        let time = self.now();
        let assigned = Assigned::pending(&table.sockets);
        Ok(Some(self.reading(time, table, assigned, around)))
    }

    fn read_usage(&mut self, pids: &[u32]) -> Reading {
        Reading {
            time: self.now(),
            matter: Matter::Usage(self.usage.sample(pids)),
        }
    }

    fn read_details(&mut self, sockets: &[Socket]) -> Reading {
        let own = self.sockets.exact().map(|exact| exact.details(sockets));
        let mut details = own.unwrap_or_default();
        details.extend(self.neighbours.ask(sockets, SockDiag::details));
        Reading {
            time: self.now(),
            matter: Matter::Details(details),
        }
    }

    fn look_up(&mut self, sockets: &[Socket]) -> Reading {
        let own = self.sockets.exact().map(|exact| exact.look_up(sockets));
        let mut settled = own.unwrap_or_default();
        settled.extend(self.neighbours.ask(sockets, SockDiag::look_up));
        Reading {
            time: self.now(),
            matter: Matter::Absences(settled),
        }
    }

    fn read_forwardings(&mut self, port: u16) -> Vec<Forwarding> {
        conntrack::read(&self.root.join("thread-self"), port).unwrap_or_default()
    }

    fn read_events(&mut self) -> Option<Reading> {
        if self.events.is_none() {
            let origin_ns = origin_ns(self.began);
            self.events = EventFeed::begin(self.wanted_events, self.own, &self.root, origin_ns);
        }
        let events = self.events.as_mut()?.take();
        Some(Reading {
            time: self.now(),
            matter: Matter::Events(Box::new(events)),
        })
    }

    fn reuse(&mut self, room: Vec<Socket>) {
        self.spare = room;
    }

    fn include_flows(&mut self, wanted: bool) {
        self.neighbours.include_flows(wanted);
        self.sockets.include_flows(wanted);
    }
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
}
