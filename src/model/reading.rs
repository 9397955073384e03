//! What comes from outside: the only input of the monitor.
//!
//! A live kernel, a recording and a test script all yield these, so everything
//! behind the monitor is the same for all three.

use super::counters::{Counters, Gauges};
use super::event::Events;
use super::flow::Sample;
use super::gap::Gap;
use super::limits::Limits;
use super::namespace::{Interface, Namespace, Scope};
use super::network::{GoneInterface, Network};
use super::owner::{Holder, OwnerSearch, OwnerSpan, User};
use super::process::Process;
use super::protocol::Protocol;
use super::socket::{Socket, SocketKey};
use super::socket_memory::SocketMemory;
use super::tcp_info::TcpInfo;
use super::text::Text;
use super::time::Time;
use std::sync::Arc;

/// Something seen at some time.
#[derive(Clone, Debug)]
pub struct Reading {
    /// When.
    pub time: Time,
    /// What.
    pub matter: Matter,
}

/// The kinds of readings.
#[derive(Clone, Debug)]
pub enum Matter {
    /// The whole socket table, with owners.
    Table(Box<Snapshot>),
    /// CPU and memory of some processes.
    Usage(Vec<Usage>),
    /// `TCP_INFO` of the connections it was asked for, as far as they are there
    /// and the source can tell.
    Details(Vec<(SocketKey, TcpInfo)>),
    /// What has become of sockets that the last table lacked: as they are now,
    /// or none where they are gone. Those left out could not be asked for.
    Absences(Vec<(SocketKey, Option<Socket>)>),
    /// What the kernel told between tables.
    Events(Box<Events>),
}

/// The socket table at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Where it came from.
    pub source: SourceKind,
    /// This machine's name.
    pub host: Text,
    /// The sockets, in no particular order, each once.
    pub sockets: Vec<Socket>,
    /// The owners of each socket: as long as `sockets`.
    pub owners: Vec<OwnerSpan>,
    /// How much each socket carries: as long as `sockets` if that was asked for,
    /// else empty. None for what is no connection.
    pub flows: Vec<Option<Sample>>,
    /// Buffer memory of UDP sockets and listeners, by the place of the socket,
    /// ascending; what the source does not report is left out.
    pub memory: Vec<(u32, SocketMemory)>,
    /// What the spans point into.
    pub holders: Vec<Holder>,
    /// What the holders point into.
    pub processes: Vec<Arc<Process>>,
    /// Names of the users that occur; a uid that is not here has not been
    /// resolved (yet).
    pub users: Arc<Vec<User>>,
    /// The interfaces that occur.
    pub interfaces: Vec<Interface>,
    /// Interfaces that sockets are bound to and that are gone.
    pub gone_interfaces: Vec<GoneInterface>,
    /// The addresses of network namespaces, where they could be read.
    pub networks: Vec<Network>,
    /// Which network namespaces were to be read.
    pub scope: Scope,
    /// The network namespaces that were read, by ascending id.
    pub namespaces: Vec<Namespace>,
    /// This kernel's settings.
    pub limits: Limits,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// How far the processes could be searched for the holders of sockets.
    pub owner_search: OwnerSearch,
    /// The kernel's counters of this namespace: they tell what came and went
    /// between two tables.
    pub counters: Counters,
    /// What the kernel holds at present.
    pub gauges: Gauges,
}

impl Snapshot {
    /// The network namespace that this program is in; 0 if it is not known.
    #[must_use]
    pub fn own_namespace(&self) -> u32 {
        let own = self.namespaces.iter().find(|known| known.own);
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
    /// Whether sockets of this protocol come with a cookie.
    #[must_use]
    pub fn gives_cookies(self, protocol: Protocol) -> bool {
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

/// What a process uses just now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Which process.
    pub pid: u32,
    /// Share of one core in percent; may exceed 100. None until two samples.
    pub cpu_percent: Option<f32>,
    /// Resident memory in bytes.
    pub memory: u64,
}
