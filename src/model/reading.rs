//! Input from outside: the only input of the monitor.
//!
//! A live kernel, a recording and a test script all produce these, so that
//! everything behind the monitor is the same for all three.

use super::counters::{Counters, Gauges};
use super::event::Events;
use super::gap::Gap;
use super::limits::Limits;
use super::namespace::{Interface, Namespace, NamespaceScope};
use super::namespace_addresses::{GoneInterface, NamespaceAddresses};
use super::opener::Openers;
use super::owner::{Holder, OwnerSearch, OwnerSpan, User};
use super::process::Process;
use super::protocol::Protocol;
use super::socket::{Socket, SocketKey};
use super::socket_memory::SocketMemory;
use super::socket_unit::SocketUnit;
use super::tcp_info::TcpInfo;
use super::tcp_metrics::TcpCounters;
use super::text::Text;
use super::time::Time;
use std::sync::Arc;

/// A reading with its time.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Time of the reading.
    pub time: Time,
    /// Content of the reading.
    pub kind: ReadingKind,
}

/// The kinds of readings.
#[derive(Clone, Debug)]
pub enum ReadingKind {
    /// The whole socket table, with owners.
    Table(Box<Snapshot>),
    /// CPU and memory of some processes.
    Usage(Vec<ProcessUsage>),
    /// `TCP_INFO` of the requested connections, as far as they exist and the
    /// source provides it.
    Details(Vec<(SocketKey, TcpInfo)>),
    /// Current state of sockets that the last table lacked; none if they are
    /// gone. Sockets that could not be queried are left out.
    Lookups(Vec<(SocketKey, Option<Socket>)>),
    /// Kernel events between tables.
    Events(Box<Events>),
}

/// The socket table at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Source of the table.
    pub source: SourceKind,
    /// This machine's name.
    pub host: Text,
    /// The sockets, in no particular order, each once.
    pub sockets: Vec<Socket>,
    /// The owners of each socket: as long as `sockets`.
    pub owners: Vec<OwnerSpan>,
    /// TCP counters of each socket: as long as `sockets` if requested, else
    /// empty. None for sockets that are no connections.
    pub tcp_counters: Vec<Option<TcpCounters>>,
    /// Buffer memory of UDP sockets and listeners, by the index of the socket,
    /// ascending; sockets for which the source does not report it are left out.
    pub memory: Vec<(u32, SocketMemory)>,
    /// Units that opened the sockets without a known holder, by the place of the
    /// socket, where the source tells.
    pub openers: Openers<u32>,
    /// Socket units of systemd, while it holds a socket.
    pub socket_units: Arc<Vec<SocketUnit>>,
    /// Holders that the spans index.
    pub holders: Vec<Holder>,
    /// Processes that the holders index.
    pub processes: Vec<Arc<Process>>,
    /// Names of the users that occur; a uid that is not here has not been
    /// resolved (yet).
    pub users: Arc<Vec<User>>,
    /// The interfaces that occur.
    pub interfaces: Vec<Interface>,
    /// Interfaces that sockets are bound to and that are gone.
    pub gone_interfaces: Vec<GoneInterface>,
    /// The addresses of network namespaces, if they could be read.
    pub namespace_addresses: Vec<NamespaceAddresses>,
    /// Network namespaces that were to be read.
    pub scope: NamespaceScope,
    /// The network namespaces that were read, by ascending id.
    pub namespaces: Vec<Namespace>,
    /// This kernel's settings.
    pub limits: Limits,
    /// Gaps in what could be read.
    pub gaps: Vec<Gap>,
    /// Extent of the search for the holders of sockets.
    pub owner_search: OwnerSearch,
    /// The kernel's counters of this namespace, which include sockets that came
    /// and went between two tables.
    pub counters: Counters,
    /// The kernel's current values.
    pub gauges: Gauges,
}

impl Snapshot {
    /// The network namespace that this program is in; 0 if it is not known.
    #[must_use]
    pub fn current_namespace(&self) -> u32 {
        let own = self.namespaces.iter().find(|known| known.is_current);
        own.map_or(0, |known| known.id)
    }
}

/// The interface of the kernel that a table came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SourceKind {
    /// Netlink `sock_diag`: every field, consistent under load.
    #[default]
    SockDiag,
    /// `/proc/net/{tcp,tcp6,udp,udp6}`: everywhere, without backlog and cookie.
    Proc,
    /// TCP through `sock_diag`, UDP through `/proc`: kernels without
    /// `CONFIG_INET_UDP_DIAG`.
    Mixed,
}

impl SourceKind {
    /// True if sockets of this protocol come with a cookie.
    #[must_use]
    pub fn has_cookies(self, protocol: Protocol) -> bool {
        match self {
            Self::SockDiag => true,
            Self::Mixed => protocol == Protocol::Tcp,
            Self::Proc => false,
        }
    }

    /// The word in reports and on screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::SockDiag => "sock_diag",
            Self::Proc => "proc",
            Self::Mixed => "sock_diag+proc",
        }
    }
}

/// Current resource use of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessUsage {
    /// Process id.
    pub pid: u32,
    /// Share of one core in percent; may exceed 100. None until two samples.
    pub cpu_percent: Option<f32>,
    /// Resident memory in bytes.
    pub memory: u64,
}
