//! Reads the kernel: sockets, owners, users and settings.
//!
//! One of the two rooms that touch the operating system. Everything leaves it as a
//! [`Reading`]; whatever could not be read leaves it as a counted gap. The
//! parsers inside take bytes and touch nothing, so foreign bytes can be thrown
//! at them in tests.

mod cgroup;
mod chosen;
pub mod counters;
pub mod diag_message;
mod interfaces;
pub mod limits;
pub mod live;
mod namespaces;
mod owners;
pub mod proc_net;
mod proc_tables;
mod processes;
mod sock_diag;
mod usage;
mod users;

use crate::model::gap::Gap;
use crate::model::namespace::Scope;
use crate::model::reading::{Reading, SourceKind};
use crate::model::socket::Socket;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Yields readings: a live kernel, or something that stands in for one.
pub trait ReadingSource: Send {
    /// Reads the socket table with its owners.
    ///
    /// # Errors
    ///
    /// Only if no table at all can be read; anything less is a gap.
    fn read_table(&mut self) -> Result<Reading, SourceError>;

    /// Chooses the network namespaces of the next tables.
    fn set_scope(&mut self, scope: Scope);

    /// Reads CPU and memory of some processes; those that are gone are left
    /// out.
    fn read_usage(&mut self, pids: &[u32]) -> Reading;
}

/// One interface of the kernel to the socket table.
trait SocketSource: Send {
    /// Which one.
    fn kind(&self) -> SourceKind;

    /// Reads every TCP and UDP socket of this network namespace.
    fn read(&mut self) -> Result<SocketTable, SourceError>;
}

/// The sockets of one reading, and what is missing from them.
#[derive(Debug, Default)]
struct SocketTable {
    sockets: Vec<Socket>,
    gaps: Vec<Gap>,
}

/// Which interface of the kernel to read.
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

/// Why a table could not be read: the operation, what it was done to, and what
/// the system said.
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

    /// What the system said.
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
