//! What the monitor makes of all readings so far: the only thing faces read.

use super::accept_wait::AcceptWait;
use super::chronicle::{Chronicle, Known, Step, Timeline};
use super::finding::{Blind, Finding};
use super::flow::Flow;
use super::gap::Gap;
use super::limits::Limits;
use super::namespace::{Interface, Namespace};
use super::network::{GoneInterface, Lost, Network};
use super::owner::{Holder, OwnerSearch, ProcessId, User};
use super::probe_spacing::ProbeSpacing;
use super::process::Process;
use super::protocol::Protocol;
use super::reading::{SourceKind, Usage};
use super::row::{Phase, Row};
use super::socket::{Socket, SocketKey};
use super::socket_memory::{MemoryEntry, SocketMemory};
use super::state::State;
use super::tcp_info::TcpInfo;
use super::text::Text;
use super::time::Time;
use super::trend::{Heap, Trend};
use std::sync::Arc;
use std::time::Duration;

/// The state of the world as far as it is known. Made anew for every table
/// and never changed afterwards.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// When the table was read.
    pub time: Time,
    /// How many tables have been read.
    pub number: u64,
    /// This machine's name.
    pub host: Text,
    /// Where the table came from.
    pub source: SourceKind,
    /// Sockets, and those that closed a moment ago.
    pub rows: Arc<Vec<Row>>,
    /// What the rows' owner spans point into.
    pub holders: Vec<Holder>,
    /// What holders and last owners point into. A process keeps its place as
    /// long as anything points to it; a place that is free holds a blank
    /// process with pid 0.
    pub processes: Vec<Arc<Process>>,
    /// Users by id, ascending.
    pub users: Arc<Vec<User>>,
    /// The interfaces that occur.
    pub interfaces: Vec<Interface>,
    /// Interfaces that sockets are bound to and that are gone.
    pub gone_interfaces: Vec<GoneInterface>,
    /// The addresses of network namespaces, where they could be read.
    pub networks: Vec<Network>,
    /// The network namespaces that were read, by ascending id.
    pub namespaces: Vec<Namespace>,
    /// Row numbers of the listeners, by port.
    pub listeners: Vec<(u16, u32)>,
    /// Waits at the listeners that have connections to accept, by row number.
    pub accept_waits: Vec<AcceptWait>,
    /// Observed spacings of unanswered keepalive probes, ascending by key.
    pub probe_spacings: Vec<ProbeSpacing>,
    /// How many rows are in each state (those that closed are not counted).
    pub tally: Tally,
    /// Sockets that appeared, per table, the latest last; at most the last 60
    /// tables, and none for the first, when nothing can be called new.
    pub arrivals: Vec<u32>,
    /// How many rows were in each state, per table, the latest last; at most
    /// the last 60 tables.
    pub tallies: Vec<Tally>,
    /// Heaps of sockets in passing states that have been heaps for some time.
    pub trends: Vec<Trend>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// How far the processes could be searched for the holders of sockets.
    pub owner_search: OwnerSearch,
    /// Troubles that stand, gravest first.
    pub findings: Vec<Finding>,
    /// Those that stand and are muted, in the same order.
    pub muted: Vec<Finding>,
    /// Rules that have nothing to judge by here.
    pub blind: Vec<Blind>,
    /// CPU and memory where they were asked for.
    pub usage: Vec<Usage>,
    /// What the rows' flows point into; empty unless the tables are read with
    /// them.
    pub flows: Arc<Vec<Flow>>,
    /// Buffer memory and drops of UDP sockets and listeners, ascending by key.
    pub memory: Arc<Vec<MemoryEntry>>,
    /// `TCP_INFO` of the connections it was asked for, ascending by key.
    pub details: Vec<Detail>,
    /// What is known beyond the present moment.
    pub chronicle: Arc<Chronicle>,
    /// This kernel's settings.
    pub limits: Limits,
}

impl Observation {
    /// Waiting times at the listeners among these rows.
    #[must_use]
    pub fn accept_wait(&self, row: &Row) -> Option<&AcceptWait> {
        let key = row.socket.key();
        let mut waits = self.accept_waits.iter();
        waits.find(|wait| {
            let listener = self.rows.get(wait.listener as usize);
            listener.is_some_and(|listener| listener.socket.key() == key)
        })
    }

    /// Time between unanswered keepalive probes of a row, where two tables showed
    /// it.
    #[must_use]
    pub fn probe_spacing(&self, row: &Row) -> Option<Duration> {
        let key = row.socket.key();
        let place = self
            .probe_spacings
            .binary_search_by(|known| known.key.cmp(&key));
        Some(self.probe_spacings.get(place.ok()?)?.spacing)
    }

    /// The way of a row through its states: as it was followed, else as far as
    /// the row itself tells. The present state is the last.
    #[must_use]
    pub fn timeline(&self, row: &Row) -> Timeline {
        if let Some(followed) = self.chronicle.timeline(&row.socket.key()) {
            return followed.clone();
        }
        let step = Step {
            state: row.socket.state,
            since_us: u64::from(row.state_since.0) * 10_000,
            known: if row.entry_seen {
                Known::ByTable
            } else {
                Known::AtLeast
            },
        };
        Timeline { steps: vec![step] }
    }

    /// Whether a row is of the network namespace that this program is in, or may
    /// be: where none is known there is only one.
    #[must_use]
    pub fn is_own(&self, row: &Row) -> bool {
        let own = self.namespaces.iter().find(|known| known.own);
        own.is_none_or(|own| [0, own.id].contains(&row.socket.namespace))
    }

    /// The owners of a row: each process with its descriptors, smallest pid
    /// first.
    pub fn owners<'a>(&'a self, row: &Row) -> impl Iterator<Item = (&'a Arc<Process>, Vec<u32>)> {
        row.owners
            .of(&self.holders)
            .chunk_by(|left, right| left.process == right.process)
            .filter_map(|run| {
                let process = self.process(run.first()?.process)?;
                Some((process, run.iter().map(|holder| holder.fd).collect()))
            })
    }

    /// The owner a row is shown under: the one with the smallest pid.
    #[must_use]
    pub fn first_owner(&self, row: &Row) -> Option<&Arc<Process>> {
        let holder = row.owners.of(&self.holders).first()?;
        self.process(holder.process)
    }

    /// Who held the row before nobody did.
    #[must_use]
    pub fn last_owner(&self, row: &Row) -> Option<&Arc<Process>> {
        self.process(row.last_owner?.process())
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

    /// The addresses of the network namespace a socket is in, where they are known.
    #[must_use]
    pub fn network(&self, socket: &Socket) -> Option<&Network> {
        let mut networks = self.networks.iter();
        networks.find(|known| known.namespace == socket.namespace)
    }

    /// Returns what the socket is bound to and its network namespace does not have, if
    /// that is so and known.
    #[must_use]
    pub fn lost(&self, socket: &Socket) -> Option<Lost> {
        let bound_to = (socket.namespace, socket.interface);
        let mut gone = self.gone_interfaces.iter();
        if gone.any(|gone| (gone.namespace, gone.index) == bound_to) {
            return Some(Lost::Interface);
        }
        // For the short records the kernel does not tell whether it may be any address.
        let lasts = socket.is_connection()
            || socket.protocol == Protocol::Udp
            || matches!(socket.state, State::Listen | State::BoundInactive);
        let missing = &self.network(socket)?.missing;
        let is_missing = missing.binary_search(&socket.local.address()).is_ok();
        (lasts && is_missing && socket.interface == 0).then_some(Lost::Address)
    }

    /// The network namespace a socket is in, where it was read.
    #[must_use]
    pub fn namespace(&self, socket: &Socket) -> Option<&Namespace> {
        let place = self
            .namespaces
            .binary_search_by_key(&socket.namespace, |known| known.id)
            .ok()?;
        self.namespaces.get(place)
    }

    /// Whether there are several network namespaces to tell apart.
    #[must_use]
    pub fn spans_namespaces(&self) -> bool {
        self.namespaces.len() > 1
    }

    /// `TCP_INFO` of a row, where it was asked for.
    #[must_use]
    pub fn detail(&self, row: &Row) -> Option<&Detail> {
        let key = row.socket.key();
        let place = self
            .details
            .binary_search_by(|detail| detail.key.cmp(&key))
            .ok()?;
        self.details.get(place)
    }

    /// How the number of sockets like this one goes: in the same state, and of
    /// the same process, or where there is none, on the same port (`TIME_WAIT`:
    /// of all). None while little is known of them, or few are there, and where
    /// those of several network namespaces would be counted together.
    #[must_use]
    pub fn trend(&self, row: &Row) -> Option<&Trend> {
        let socket = &row.socket;
        let owner = row.owners.of(&self.holders).first();
        let heap = match (socket.state, owner) {
            (State::TimeWait, _) => Heap::Machine,
            (_, Some(holder)) => Heap::Process(holder.process),
            (_, None) => Heap::Port(socket.local.port),
        };
        if self.spans_namespaces() && !matches!(heap, Heap::Process(_)) {
            return None;
        }
        let mut trends = self.trends.iter();
        trends
            .find(|trend| (trend.heap, trend.state) == (heap, socket.state))
            .filter(|_| socket.protocol == Protocol::Tcp)
    }

    /// The other end of a TCP connection within this machine: in the same network
    /// namespace, with the addresses swapped. None for a socket that is connected to
    /// itself. Walks the table: for a selected row, not for all.
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

    /// The listener in the same network namespace that takes what a socket here
    /// sends to its peer.
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
            .filter(|listener| listener.socket.takes(&arriving))
            .min_by_key(|listener| listener.socket.local.is_unspecified())
    }

    /// How much a row carries, as read with the table: the same for all rows,
    /// and so what they are sorted and filtered by.
    #[must_use]
    pub fn table_flow(&self, row: &Row) -> Option<&Flow> {
        self.flows.get(row.flow?.place())
    }

    /// How much a row carries, as far as anything is known of it.
    #[must_use]
    pub fn flow(&self, row: &Row) -> Option<&Flow> {
        self.table_flow(row)
            .or_else(|| self.detail(row).map(|detail| &detail.flow))
    }

    /// Buffer memory and drops of a row: as listed with the table, else as asked
    /// for.
    #[must_use]
    pub fn socket_memory(&self, row: &Row) -> Option<SocketMemory> {
        self.listed_memory(row)
            .or_else(|| self.detail(row)?.info.memory)
    }

    /// Number of datagrams or connection requests that were dropped at a row's
    /// socket, the same for all rows. None for a TCP connection, and where the
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

    /// How often something of a row has been sent again: over its life where
    /// that is known, else without an answer so far. None where nothing ever is.
    #[must_use]
    pub fn retransmits(&self, row: &Row) -> Option<u32> {
        let connection = row.socket.protocol == Protocol::Tcp && row.socket.peer().is_some();
        connection.then(|| match self.flow(row) {
            Some(flow) => flow.total_retransmits,
            None => row.socket.timer.map_or(0, |timer| timer.retransmits.into()),
        })
    }

    /// The listeners whose connection this row could be: same namespace and
    /// port, and bound to its local address or to any.
    ///
    /// A listener bound to the very address goes before one bound to any, and
    /// then one bound to an interface before one bound to none, as in the kernel;
    /// of those that fit equally well all are given.
    pub fn listeners_of<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a Row> {
        let best = self
            .listeners_on(row)
            .map(|found| breadth(found, row))
            .min();
        self.listeners_on(row)
            .filter(move |found| Some(breadth(found, row)) == best)
    }

    /// Whether another socket listens on the port that a row is bound to, at
    /// whatever address.
    #[must_use]
    pub fn listens_beside(&self, row: &Row) -> bool {
        self.listening_on(row.socket.local.port)
            .any(|listener| listener.socket.namespace == row.socket.namespace)
    }

    fn listeners_on<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a Row> {
        self.listening_on(row.socket.local.port)
            .filter(|listener| listener.socket.takes(&row.socket))
    }

    /// The listeners on a port, at whatever address and in whatever namespace.
    pub fn listening_on(&self, port: u16) -> impl Iterator<Item = &Row> {
        let first = self.listeners.partition_point(|(known, _)| *known < port);
        self.listeners[first..]
            .iter()
            .take_while(move |(known, _)| *known == port)
            .filter_map(|(_, number)| self.rows.get(*number as usize))
    }
}

/// How widely a listener is bound that takes a row's connection: narrower goes
/// first.
fn breadth(listener: &Row, row: &Row) -> (u8, bool) {
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

/// What is known of one connection beyond its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Which.
    pub key: SocketKey,
    /// All the kernel tells.
    pub info: TcpInfo,
    /// What it carries.
    pub flow: Flow,
}

/// How many sockets are in each state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    tcp: [u32; State::ALL.len()],
    /// TCP sockets in states this program does not know.
    pub unknown: u32,
    /// UDP sockets, connected or not.
    pub udp: u32,
}

impl Tally {
    /// Counts one more socket.
    pub fn count(&mut self, protocol: Protocol, state: State) {
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
