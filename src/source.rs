//! Reads the kernel: sockets, owners, users and settings.
//!
//! One of the modules that touch the operating system. Everything leaves it as
//! a [`Reading`]; whatever could not be read becomes a counted gap. The parsers
//! inside are pure functions of bytes, so tests can feed them any input.

mod addresses;
mod cgroup;
mod cgroup_ids;
mod cgroup_tree;
mod conntrack;
pub mod counters;
pub mod diag_info;
pub mod diag_memory;
pub mod diag_message;
pub mod diag_request;
pub mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod interfaces;
pub mod limits;
pub mod live;
mod lookup;
mod namespaces;
mod owners;
pub mod proc_net;
mod proc_tables;
mod processes;
mod program_file;
pub mod rtnetlink;
mod sock_diag;
mod socket_source;
mod socket_units;
mod usage;
mod users;

pub use namespaces::entering::{EnterError, Entered, enter_named};

use crate::model::gap::Gap;
use crate::model::namespace::NamespaceScope;
use crate::model::namespace_addresses::NatForwarding;
use crate::model::reading::{Reading, SourceKind};
use crate::model::socket::Socket;
use crate::model::socket_memory::SocketMemory;
use crate::model::tcp_metrics::TcpCounters;
use cgroup_ids::CgroupIds;
use sock_diag::SockDiag;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;

/// Source of readings: a live kernel, or a substitute for one.
pub trait ReadingSource: Send {
    /// Reads the socket table with its owners.
    ///
    /// # Errors
    ///
    /// Only if no table can be read at all; anything less is a gap.
    fn read_table(&mut self) -> Result<Reading, SourceError>;

    /// Reads a first table without owners, to be shown while they are searched
    /// for; none if the search takes too little time to be worth it.
    ///
    /// # Errors
    ///
    /// Same as [`Self::read_table`].
    fn read_without_owners(&mut self) -> Result<Option<Reading>, SourceError> {
        Ok(None)
    }

    /// Chooses the network namespaces of the next tables.
    fn set_scope(&mut self, scope: NamespaceScope);

    /// Reads CPU and memory of some processes; ended ones are left out.
    fn read_usage(&mut self, pids: &[u32]) -> Reading;

    /// Reads `TCP_INFO` of some sockets of the last table. Sockets that are not
    /// connections or have ended are left out; a source without queries for
    /// single sockets returns none.
    fn read_details(&mut self, sockets: &[Socket]) -> Reading;

    /// Looks up sockets that the last table lacks: a table may miss an existing
    /// socket. A source without queries for single sockets returns none.
    fn look_up(&mut self, sockets: &[Socket]) -> Reading;

    /// Reads the targets to which NAT forwards connections to a port of this network
    /// namespace; none if they are unknown. It needs root.
    fn read_forwardings(&mut self, _port: u16) -> Vec<NatForwarding> {
        Vec::new()
    }

    /// Returns the kernel's events since the last call; none if no events are
    /// traced. To be called right before a table is read, so that the end of a
    /// connection is known before its row disappears.
    fn read_events(&mut self) -> Option<Reading> {
        None
    }

    /// Sets whether tables include the TCP counters of each connection, which
    /// makes them about a fifth more expensive.
    fn include_tcp_counters(&mut self, wanted: bool);

    /// Returns the memory of a table's sockets, emptied, to be reused for the
    /// next. Freed and allocated with every table, it would be the largest hole
    /// in memory, and later allocations in it would make the next table need
    /// another one.
    fn recycle(&mut self, _room: Vec<Socket>) {}
}

/// One interface of the kernel to the socket table.
trait SocketSource: Send {
    /// Kind of the interface.
    fn kind(&self) -> SourceKind;

    /// Reads every TCP and UDP socket of this network namespace into `room`, an
    /// empty buffer.
    fn read(&mut self, room: Vec<Socket>) -> Result<SocketTable, SourceError>;

    /// Sets whether tables include TCP counters. A source without them ignores
    /// it.
    fn include_tcp_counters(&mut self, _wanted: bool) {}

    /// Returns the source that answers queries for single sockets, if there is
    /// one.
    fn sock_diag(&mut self) -> Option<&mut SockDiag> {
        None
    }
}

/// Sockets and gaps of one read.
#[derive(Clone, Debug, Default)]
struct SocketTable {
    sockets: Vec<Socket>,
    /// TCP counters of the sockets, by position; those beyond the last entry
    /// are unknown.
    counters: Vec<Option<TcpCounters>>,
    /// Local addresses of the transparent sockets (`IP_TRANSPARENT`); none if no socket
    /// of the table reported its options.
    transparent_addresses: Option<Vec<IpAddr>>,
    /// Buffer memory of some sockets, by ascending index.
    memory: Vec<(u32, SocketMemory)>,
    /// Control groups that the sockets were created in.
    cgroups: CgroupIds,
    gaps: Vec<Gap>,
}

impl SocketTable {
    /// Creates an empty table that reads into `room`.
    fn with_buffer(room: Vec<Socket>) -> Self {
        Self {
            sockets: room,
            ..Self::default()
        }
    }

    /// Adds the TCP counters of the last socket.
    fn add_counters(&mut self, sample: Option<TcpCounters>) {
        self.counters
            .resize(self.sockets.len().saturating_sub(1), None);
        self.counters.push(sample);
    }

    /// Adds whether the last socket is transparent.
    fn add_transparent(&mut self, is_transparent: bool) {
        let transparent = self.transparent_addresses.get_or_insert_default();
        if is_transparent {
            transparent.extend(self.sockets.last().map(|socket| socket.local.address()));
        }
    }

    /// Adds the buffer memory of the last socket.
    fn add_memory(&mut self, memory: SocketMemory) {
        if let Some(place) = self.sockets.len().checked_sub(1) {
            self.memory.push((saturating_u32(place), memory));
        }
    }

    /// Says which control group the socket added last was created in.
    fn add_cgroup(&mut self, id: NonZeroU64) {
        if let Some(place) = self.sockets.len().checked_sub(1) {
            self.cgroups.push(saturating_u32(place), id);
        }
    }

    /// Appends the sockets and gaps of another table.
    fn append(&mut self, mut other: Self) {
        if !other.counters.is_empty() {
            self.counters.resize(self.sockets.len(), None);
            self.counters.append(&mut other.counters);
        }
        let first = saturating_u32(self.sockets.len());
        let moved = other.memory.into_iter();
        self.memory
            .extend(moved.map(|(place, memory)| (first.saturating_add(place), memory)));
        self.cgroups.append(other.cgroups, first);
        self.sockets.append(&mut other.sockets);
        for gap in other.gaps {
            self.add_gap(gap);
        }
    }

    /// Counts a gap with those of its kind and reason.
    fn add_gap(&mut self, gap: Gap) {
        let alike = |known: &&mut Gap| (known.kind, known.reason) == (gap.kind, gap.reason);
        match self.gaps.iter_mut().find(alike) {
            Some(known) => known.count += gap.count,
            None => self.gaps.push(gap),
        }
    }

    /// Keeps only the first sockets.
    fn truncate(&mut self, sockets: usize) {
        self.sockets.truncate(sockets);
        self.counters.truncate(sockets);
        let kept = saturating_u32(sockets);
        self.memory.retain(|(place, _)| *place < kept);
        self.cgroups.truncate(kept);
    }

    /// Takes the TCP counters, parallel to the sockets, or empty.
    fn take_counters(&mut self) -> Vec<Option<TcpCounters>> {
        if !self.counters.is_empty() {
            self.counters.resize(self.sockets.len(), None);
        }
        std::mem::take(&mut self.counters)
    }
}

/// Converts an index, saturating.
fn saturating_u32(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Choice of the kernel interface to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SourceChoice {
    /// `sock_diag` where the kernel has it, else `/proc`, protocol by protocol.
    #[default]
    Auto,
    /// Netlink `sock_diag` only.
    SockDiag,
    /// `/proc/net/{tcp,tcp6,udp,udp6}` only.
    Proc,
}

/// Failure to read a table: the operation, its object, and the system's error.
#[derive(Debug)]
pub struct SourceError {
    operation: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl SourceError {
    fn new(operation: &'static str, path: impl Into<PathBuf>, error: impl Into<io::Error>) -> Self {
        Self {
            operation,
            path: path.into(),
            error: error.into(),
        }
    }

    /// The system's error.
    #[must_use]
    pub fn io(&self) -> &io::Error {
        &self.error
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "cannot {} {}: {}",
            self.operation,
            self.path.display(),
            self.error
        )
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
