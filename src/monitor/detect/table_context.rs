//! One table as the detectors see it, with what is known of the kernel, and the key by
//! which they remember a process.

use crate::model::accept_wait::AcceptWait;
use crate::model::counters::{Counters, Gauges};
use crate::model::limits::Limits;
use crate::model::owner::{Holder, OwnerSearch};
use crate::model::process::Process;
use crate::model::protocol::Protocol;
use crate::model::reading::SourceKind;
use crate::model::row::Row;
use crate::model::socket_memory::MemoryEntry;
use crate::model::time::Timestamp;
use crate::monitor::details::Details;
use crate::monitor::events::attempts::ConnectAttempts;
use crate::monitor::interner::Interner;
use crate::monitor::listeners::Listeners;
use crate::monitor::row_groups::RowGroups;
use std::sync::Arc;

/// One table as the detectors see it.
pub(in crate::monitor) struct TableContext<'a> {
    /// The time of the table.
    pub(in crate::monitor) now: Timestamp,
    /// The time of the first table.
    pub(in crate::monitor) first_table: Timestamp,
    pub(in crate::monitor) rows: &'a [Row],
    /// Numbers of the rows that changed.
    pub(in crate::monitor) changed: &'a [u32],
    pub(in crate::monitor) holders: &'a [Holder],
    /// Target of the process numbers of holders and last owners.
    pub(in crate::monitor) interner: &'a Interner,
    pub(in crate::monitor) listeners: &'a Listeners,
    pub(in crate::monitor) row_groups: &'a RowGroups,
    /// `TCP_INFO` of some connections, read after the table before.
    pub(in crate::monitor) details: &'a Details,
    /// Waits at listeners, by row number.
    pub(in crate::monitor) accept_waits: &'a [AcceptWait],
    /// Buffer memory of UDP sockets and listeners, ascending by key.
    pub(in crate::monitor) memory: &'a [MemoryEntry],
    pub(in crate::monitor) kernel: KernelStats,
    /// Outcomes of connection attempts since the last table, where traced.
    pub(in crate::monitor) attempts: &'a ConnectAttempts,
}

impl<'a> TableContext<'a> {
    /// Drops at a UDP socket or listener over its life, where they are known.
    pub(super) fn drops(&self, row: &Row) -> Option<u32> {
        let key = row.socket.key();
        let place = self.memory.binary_search_by(|entry| entry.key.cmp(&key));
        self.memory.get(place.ok()?)?.memory.drops
    }

    /// Returns the owner of a row with the smallest pid.
    pub(super) fn first_owner(&self, row: &Row) -> Option<&'a Arc<Process>> {
        let holder = row.owners.resolve(self.holders).first()?;
        self.interner.get(holder.process)
    }
}

/// Kernel data of one network namespace beside its sockets: counters and limits
/// are per namespace.
#[derive(Clone, Copy)]
pub(in crate::monitor) struct KernelStats {
    /// Inode number; 0 if unknown.
    pub(in crate::monitor) namespace: u32,
    /// Interface of the kernel that it was read from.
    pub(in crate::monitor) source: SourceKind,
    pub(in crate::monitor) counters: Counters,
    pub(in crate::monitor) gauges: Gauges,
    pub(in crate::monitor) settings: Limits,
    /// Extent of the search through the processes.
    pub(in crate::monitor) owner_search: OwnerSearch,
}

impl KernelStats {
    /// True if the source reports the backlogs of listeners.
    pub(super) fn has_backlogs(&self) -> bool {
        self.source.has_cookies(Protocol::Tcp)
    }

    /// True if a row is in that namespace.
    pub(super) fn covers(&self, row: &Row) -> bool {
        self.namespace == 0 || row.socket.namespace == self.namespace
    }
}

/// Key of a process, unique even if its pid is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ProcessKey {
    pub(super) pid: u32,
    pub(super) start_ticks: u64,
}

impl ProcessKey {
    pub(super) fn of(process: &Process) -> Self {
        Self {
            pid: process.pid,
            start_ticks: process.start_ticks,
        }
    }
}
