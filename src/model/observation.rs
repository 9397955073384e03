//! The monitor's current view of the system: the only input of views and reports.

use super::accept_wait::AcceptWait;
use super::event_history::{EventHistory, TimePrecision, Timeline, TimelineStep};
use super::finding::{Finding, InactiveRule};
use super::gap::Gap;
use super::limits::Limits;
use super::namespace::{Interface, Namespace, NamespaceEntry};
use super::namespace_addresses::{GoneInterface, MissingBindTarget, NamespaceAddresses};
use super::opener::Openers;
use super::owner::{Holder, OwnerSearch, ProcessId, User};
use super::probe_spacing::ProbeSpacing;
use super::process::Process;
use super::protocol::Protocol;
use super::reading::{ProcessUsage, SourceKind};
use super::row::{Phase, Row, StateAge};
use super::socket::{Socket, SocketKey};
use super::socket_memory::{MemoryEntry, SocketMemory};
use super::socket_unit::SocketUnit;
use super::state::State;
use super::tcp_info::TcpInfo;
use super::tcp_metrics::TcpMetrics;
use super::text::Text;
use super::time::Time;
use super::trend::{Trend, TrendGroup};
use super::unit::{Unit, UnitKind, UnitManager};
use super::unwatched::Unwatched;
use std::sync::Arc;
use std::time::Duration;

/// The state of the system as far as it is known. Built for every table and never
/// changed afterwards.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// Time at which the table was read.
    pub time: Time,
    /// Number of tables read so far.
    pub table_number: u64,
    /// This machine's name.
    pub host: Text,
    /// Source of the table.
    pub source: SourceKind,
    /// Sockets, and those that closed a moment ago.
    pub rows: Arc<Vec<Row>>,
    /// Holders that the rows' owner spans index.
    pub holders: Vec<Holder>,
    /// Processes that holders and last owners index. A process keeps its index as
    /// long as anything refers to it; a free index holds a blank process with pid
    /// 0.
    pub processes: Vec<Arc<Process>>,
    /// Users by id, ascending.
    pub users: Arc<Vec<User>>,
    /// The interfaces of the table.
    pub interfaces: Vec<Interface>,
    /// Interfaces that sockets are bound to and that are gone.
    pub gone_interfaces: Vec<GoneInterface>,
    /// The addresses of network namespaces, if they could be read.
    pub namespace_addresses: Vec<NamespaceAddresses>,
    /// The network namespaces that were read, by ascending id.
    pub namespaces: Vec<Namespace>,
    /// Row numbers of the listeners, by port.
    pub listeners: Vec<(u16, u32)>,
    /// Waits at the listeners that have connections to accept, by row number.
    pub accept_waits: Vec<AcceptWait>,
    /// Observed spacings of unanswered keepalive probes, ascending by key.
    pub probe_spacings: Vec<ProbeSpacing>,
    /// Number of rows in each state, without closed ones.
    pub state_counts: StateCounts,
    /// Sockets that appeared, per table, the latest last; at most the last 60
    /// tables, and none for the first, when nothing can be called new.
    pub new_socket_history: Vec<u32>,
    /// Number of rows in each state, per table, the latest last; at most the last
    /// 60 tables.
    pub state_count_history: Vec<StateCounts>,
    /// Groups of sockets in transient states that have been large for some time.
    pub trends: Vec<Trend>,
    /// Gaps in what could be read.
    pub gaps: Vec<Gap>,
    /// Extent of the search for the holders of sockets.
    pub owner_search: OwnerSearch,
    /// Active findings, the most severe first.
    pub findings: Vec<Finding>,
    /// Active findings that are muted, in the same order.
    pub muted: Vec<Finding>,
    /// Rules that are inactive here for lack of an input.
    pub inactive_rules: Vec<InactiveRule>,
    /// CPU and memory of the requested processes.
    pub usage: Vec<ProcessUsage>,
    /// TCP metrics that the rows index; empty unless the tables are read with
    /// them.
    pub tcp_metrics: Arc<Vec<TcpMetrics>>,
    /// Buffer memory and drops of UDP sockets and listeners, ascending by key.
    pub memory: Arc<Vec<MemoryEntry>>,
    /// Units that opened the sockets without a known holder.
    pub openers: Arc<Openers<SocketKey>>,
    /// Socket units of systemd, while it holds a socket.
    pub socket_units: Arc<Vec<SocketUnit>>,
    /// `TCP_INFO` of the requested connections, ascending by key.
    pub details: Vec<ConnectionDetail>,
    /// Ages that began before watching did, ascending by key.
    pub unwatched: Arc<Vec<Unwatched>>,
    /// Connection history beyond the present table.
    pub event_history: Arc<EventHistory>,
    /// This kernel's settings.
    pub limits: Limits,
}

impl Observation {
    /// Returns the waiting times at a listener.
    #[must_use]
    pub fn accept_wait(&self, row: &Row) -> Option<&AcceptWait> {
        let key = row.socket.key();
        let mut waits = self.accept_waits.iter();
        waits.find(|wait| {
            let listener = self.rows.get(wait.listener as usize);
            listener.is_some_and(|listener| listener.socket.key() == key)
        })
    }

    /// Returns the time between unanswered keepalive probes of a row, if two
    /// tables showed it.
    #[must_use]
    pub fn probe_spacing(&self, row: &Row) -> Option<Duration> {
        let key = row.socket.key();
        let place = self
            .probe_spacings
            .binary_search_by(|known| known.key.cmp(&key));
        Some(self.probe_spacings.get(place.ok()?)?.spacing)
    }

    /// Least time in the present state before it was first seen there.
    #[must_use]
    pub fn unwatched(&self, row: &Row) -> Duration {
        if self.unwatched.is_empty() || row.saw_state_entry {
            return Duration::ZERO;
        }
        let key = row.socket.key();
        let place = self.unwatched.binary_search_by(|known| known.key.cmp(&key));
        let known = place.ok().and_then(|place| self.unwatched.get(place));
        known.map_or(Duration::ZERO, |known| known.at_least)
    }

    /// Time that a row has been in its state. The table, filters and outputs all take it
    /// from here.
    #[must_use]
    pub fn state_age(&self, row: &Row) -> StateAge {
        let age = row.state_age(self.time.timestamp());
        if age.is_exact {
            return age;
        }
        StateAge {
            at_least: age.at_least + self.unwatched(row),
            ..age
        }
    }

    /// Returns the states a row has passed through: as tracked, else as far as
    /// the row itself shows. The present state is the last.
    #[must_use]
    pub fn timeline(&self, row: &Row) -> Timeline {
        if let Some(followed) = self.event_history.timeline(&row.socket.key()) {
            return followed.clone();
        }
        let step = TimelineStep {
            state: row.socket.state,
            since_us: u64::from(row.state_since.0) * 10_000,
            precision: if row.saw_state_entry {
                TimePrecision::FirstSeen
            } else {
                TimePrecision::LowerBound
            },
        };
        Timeline { steps: vec![step] }
    }

    /// Way into the network namespace that this program has entered, if one was named.
    #[must_use]
    pub fn entered(&self) -> Option<&NamespaceEntry> {
        let own = self.namespaces.iter().find(|known| known.is_current);
        own?.entry.as_ref()
    }

    /// True if a row is in the network namespace of this program, or may be: if
    /// none is known there is only one.
    #[must_use]
    pub fn is_in_current_namespace(&self, row: &Row) -> bool {
        let own = self.namespaces.iter().find(|known| known.is_current);
        own.is_none_or(|own| [0, own.id].contains(&row.socket.namespace))
    }

    /// The owners of a row: each process with its descriptors, smallest pid
    /// first.
    pub fn owners<'a>(&'a self, row: &Row) -> impl Iterator<Item = (&'a Arc<Process>, Vec<u32>)> {
        row.owners
            .resolve(&self.holders)
            .chunk_by(|left, right| left.process == right.process)
            .filter_map(|run| {
                let process = self.process(run.first()?.process)?;
                Some((process, run.iter().map(|holder| holder.fd).collect()))
            })
    }

    /// The owner a row is shown under: the one with the smallest pid.
    #[must_use]
    pub fn first_owner(&self, row: &Row) -> Option<&Arc<Process>> {
        let holder = row.owners.resolve(&self.holders).first()?;
        self.process(holder.process)
    }

    /// Returns the last process that held the row, if it has none now.
    #[must_use]
    pub fn last_owner(&self, row: &Row) -> Option<&Arc<Process>> {
        self.process(row.last_owner?.process())
    }

    /// The unit that opened a row's socket, where no process is known to hold it:
    /// that of the process which created it, not of one which it was passed to.
    #[must_use]
    pub fn opener(&self, row: &Row) -> Option<&Arc<Unit>> {
        if row.no_owner_reason.is_none() || self.openers.is_empty() {
            return None;
        }
        self.openers.unit(&row.socket.key())
    }

    /// The socket unit for which process 1 holds the sockets on a local port: the one
    /// that opened them, else the only one with their addresses. None where there may
    /// be several.
    #[must_use]
    pub fn socket_unit(&self, port: u16) -> Option<&Unit> {
        let mut found: Option<&Unit> = None;
        for row in self.rows.iter() {
            let is_its = || self.owners(row).any(|(process, _)| process.pid == 1);
            let waits = row.socket.local.port == port && row.socket.peer().is_none();
            if !waits || row.phase == Phase::Closed || !is_its() {
                continue;
            }
            let unit = self.socket_unit_of(&row.socket)?;
            if found.is_some_and(|known| known != unit) {
                return None;
            }
            found = Some(unit);
        }
        found
    }

    fn socket_unit_of(&self, socket: &Socket) -> Option<&Unit> {
        let opener = self.openers.unit(&socket.key()).map(AsRef::as_ref);
        let is_socket =
            |unit: &&Unit| (unit.kind, unit.manager) == (UnitKind::Socket, UnitManager::System);
        opener.filter(is_socket).or_else(|| {
            let mut units = self.socket_units.iter().filter(|unit| unit.has(socket));
            let only = units.next().filter(|_| units.next().is_none())?;
            Some(&only.unit)
        })
    }

    /// A process by its id.
    #[must_use]
    pub fn process(&self, id: ProcessId) -> Option<&Arc<Process>> {
        self.processes.get(id.0 as usize)
    }

    /// A user's name, if it is known.
    #[must_use]
    pub fn user(&self, uid: u32) -> Option<&Text> {
        let place = self
            .users
            .binary_search_by_key(&uid, |user| user.uid)
            .ok()?;
        self.users.get(place)?.name.as_ref()
    }

    /// The name of the interface a socket is bound to.
    #[must_use]
    pub fn interface(&self, socket: &Socket) -> Option<&Text> {
        let wanted = (socket.namespace, socket.interface);
        let bound = |known: &&Interface| (known.namespace, known.index) == wanted;
        Some(&self.interfaces.iter().find(bound)?.name)
    }

    /// The addresses of the network namespace a socket is in, if known.
    #[must_use]
    pub fn namespace_addresses(&self, socket: &Socket) -> Option<&NamespaceAddresses> {
        let mut networks = self.namespace_addresses.iter();
        networks.find(|known| known.namespace == socket.namespace)
    }

    /// Returns the bind target of a socket that its network namespace does not
    /// have; none if it has it, or if that is unknown.
    #[must_use]
    pub fn missing_bind_target(&self, socket: &Socket) -> Option<MissingBindTarget> {
        let bound_to = (socket.namespace, socket.interface);
        let mut gone = self.gone_interfaces.iter();
        if gone.any(|gone| (gone.namespace, gone.index) == bound_to) {
            return Some(MissingBindTarget::Interface);
        }
        // For minisockets the kernel does not report if any address may be used.
        let lasts = socket.is_connection()
            || socket.protocol == Protocol::Udp
            || matches!(socket.state, State::Listen | State::BoundInactive);
        let missing = &self.namespace_addresses(socket)?.missing_addresses;
        let is_missing = missing.binary_search(&socket.local.address()).is_ok();
        (lasts && is_missing && socket.interface == 0).then_some(MissingBindTarget::Address)
    }

    /// The network namespace a socket is in, if it was read.
    #[must_use]
    pub fn namespace(&self, socket: &Socket) -> Option<&Namespace> {
        let place = self
            .namespaces
            .binary_search_by_key(&socket.namespace, |known| known.id)
            .ok()?;
        self.namespaces.get(place)
    }

    /// True if there are several network namespaces to distinguish.
    #[must_use]
    pub fn has_several_namespaces(&self) -> bool {
        self.namespaces.len() > 1
    }

    /// `TCP_INFO` of a row, if requested.
    #[must_use]
    pub fn detail(&self, row: &Row) -> Option<&ConnectionDetail> {
        let key = row.socket.key();
        let place = self
            .details
            .binary_search_by(|detail| detail.key.cmp(&key))
            .ok()?;
        self.details.get(place)
    }

    /// Returns the trend of the number of sockets like this one: in the same
    /// state, and of the same process, or without one, on the same port
    /// (`TIME_WAIT`: of all). None while little is known of them, or there are
    /// few, and if those of several network namespaces would be counted together.
    #[must_use]
    pub fn trend(&self, row: &Row) -> Option<&Trend> {
        let socket = &row.socket;
        let owner = row.owners.resolve(&self.holders).first();
        let heap = match (socket.state, owner) {
            (State::TimeWait, _) => TrendGroup::All,
            (_, Some(holder)) => TrendGroup::Process(holder.process),
            (_, None) => TrendGroup::Port(socket.local.port),
        };
        if self.has_several_namespaces() && !matches!(heap, TrendGroup::Process(_)) {
            return None;
        }
        let mut trends = self.trends.iter();
        trends
            .find(|trend| (trend.group, trend.state) == (heap, socket.state))
            .filter(|_| socket.protocol == Protocol::Tcp)
    }

    /// The other end of a TCP connection within this machine: in the same network
    /// namespace, with the addresses swapped. None for a socket that is connected
    /// to itself. Searches the table: for a selected row, not for all.
    #[must_use]
    pub fn other_end(&self, row: &Row) -> Option<&Row> {
        let socket = &row.socket;
        let alone = socket.peer().is_none() || socket.local == socket.remote;
        let mut rows = self.rows.iter().filter(|_| !alone);
        rows.find(|other| {
            let found = &other.socket;
            (found.local, found.remote) == (socket.remote, socket.local)
                && (found.protocol, found.namespace) == (Protocol::Tcp, socket.namespace)
                && socket.protocol == Protocol::Tcp
                && other.phase != Phase::Closed
        })
    }

    /// The listener in the same network namespace that accepts connections to the
    /// peer's end.
    #[must_use]
    pub fn listener_of_peer(&self, row: &Row) -> Option<&Row> {
        let arriving = Socket {
            local: row.socket.remote,
            remote: row.socket.local,
            interface: 0,
            ..row.socket
        };
        let port = arriving.local.port;
        let first = self.listeners.partition_point(|(known, _)| *known < port);
        self.listeners[first..]
            .iter()
            .take_while(|(known, _)| *known == port)
            .filter_map(|(_, number)| self.rows.get(*number as usize))
            .filter(|listener| listener.socket.accepts_connection(&arriving))
            .min_by_key(|listener| listener.socket.local.is_unspecified())
    }

    /// Returns the TCP metrics of a row as read with the table: available for all
    /// rows alike, and therefore the basis of sorting and filtering.
    #[must_use]
    pub fn table_metrics(&self, row: &Row) -> Option<&TcpMetrics> {
        self.tcp_metrics.get(row.metrics?.index())
    }

    /// Returns the TCP metrics of a row from any source.
    #[must_use]
    pub fn tcp_metrics(&self, row: &Row) -> Option<&TcpMetrics> {
        self.table_metrics(row)
            .or_else(|| self.detail(row).map(|detail| &detail.metrics))
    }

    /// Returns buffer memory and drops of a row: as listed with the table, else
    /// as requested.
    #[must_use]
    pub fn socket_memory(&self, row: &Row) -> Option<SocketMemory> {
        self.listed_memory(row)
            .or_else(|| self.detail(row)?.info.memory)
    }

    /// Number of datagrams or connection requests that were dropped at a row's
    /// socket, the same for all rows. None for a TCP connection, and if the
    /// source does not report it.
    #[must_use]
    pub fn drops(&self, row: &Row) -> Option<u32> {
        self.listed_memory(row)?.drops
    }

    /// True if anything was dropped at any socket of the table.
    #[must_use]
    pub fn has_drops(&self) -> bool {
        let mut drops = self.memory.iter().filter_map(|entry| entry.memory.drops);
        drops.any(|drops| drops > 0)
    }

    fn listed_memory(&self, row: &Row) -> Option<SocketMemory> {
        if !SocketMemory::is_listed(&row.socket) {
            return None;
        }
        let key = row.socket.key();
        let place = self.memory.binary_search_by(|entry| entry.key.cmp(&key));
        Some(self.memory.get(place.ok()?)?.memory)
    }

    /// Number of retransmissions of a row: over its life if known, else of the
    /// segment without an answer so far. None for sockets that never retransmit.
    #[must_use]
    pub fn retransmits(&self, row: &Row) -> Option<u32> {
        let connection = row.socket.protocol == Protocol::Tcp && row.socket.peer().is_some();
        connection.then(|| match self.tcp_metrics(row) {
            Some(flow) => flow.total_retransmits,
            None => row.socket.timer.map_or(0, |timer| timer.retransmits.into()),
        })
    }

    /// Returns the listeners whose connection this row could be: same namespace
    /// and port, and bound to its local address or to any.
    ///
    /// A listener bound to the exact address precedes one bound to any, and then
    /// one bound to an interface precedes one bound to none, as in the kernel; of
    /// equally specific ones all are returned.
    pub fn best_listeners<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a Row> {
        let best = self
            .matching_listeners(row)
            .map(|found| bind_specificity(found, row))
            .min();
        self.matching_listeners(row)
            .filter(move |found| Some(bind_specificity(found, row)) == best)
    }

    /// True if another socket listens on the port that a row is bound to, at any
    /// address.
    #[must_use]
    pub fn has_listener_on_local_port(&self, row: &Row) -> bool {
        self.listeners_on_port(row.socket.local.port)
            .any(|listener| listener.socket.namespace == row.socket.namespace)
    }

    fn matching_listeners<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a Row> {
        self.listeners_on_port(row.socket.local.port)
            .filter(|listener| listener.socket.accepts_connection(&row.socket))
    }

    /// The listeners on a port, at whatever address and in whatever namespace.
    pub fn listeners_on_port(&self, port: u16) -> impl Iterator<Item = &Row> {
        let first = self.listeners.partition_point(|(known, _)| *known < port);
        self.listeners[first..]
            .iter()
            .take_while(move |(known, _)| *known == port)
            .filter_map(|(_, number)| self.rows.get(*number as usize))
    }
}

/// Specificity of the address of a listener that accepts a row's connection:
/// lower is more specific.
fn bind_specificity(listener: &Row, row: &Row) -> (u8, bool) {
    let bound = listener.socket.local;
    let address = if bound.address() == row.socket.local.address() {
        0
    } else if bound.is_v4() == row.socket.local.is_v4() {
        1
    } else {
        2
    };
    (address, listener.socket.interface == 0)
}

/// Details of one connection beyond its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionDetail {
    /// The connection.
    pub key: SocketKey,
    /// Its whole `TCP_INFO`.
    pub info: TcpInfo,
    /// Its TCP metrics.
    pub metrics: TcpMetrics,
}

/// Number of sockets in each state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateCounts {
    tcp: [u32; State::ALL.len()],
    /// TCP sockets in states this program does not know.
    pub unknown: u32,
    /// UDP sockets, connected or not.
    pub udp: u32,
}

impl StateCounts {
    /// Increments the count of one state.
    pub fn increment(&mut self, protocol: Protocol, state: State) {
        let counter = match (
            protocol,
            State::ALL.iter().position(|known| *known == state),
        ) {
            (Protocol::Udp, _) => &mut self.udp,
            (Protocol::Tcp, Some(place)) => &mut self.tcp[place],
            (Protocol::Tcp, None) => &mut self.unknown,
        };
        *counter += 1;
    }

    /// TCP sockets in a state.
    #[must_use]
    pub fn tcp(&self, state: State) -> u32 {
        State::ALL
            .iter()
            .position(|known| *known == state)
            .map_or(self.unknown, |place| self.tcp[place])
    }

    /// All sockets.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.tcp.iter().sum::<u32>() + self.unknown + self.udp
    }
}
