//! Holders of sockets, and the reasons why a socket has none.

use super::text::Text;

/// Index of a process in the table that came with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub u32);

/// One descriptor through which a process holds a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub process: ProcessId,
    /// File descriptor number.
    pub fd: u32,
}

/// A run of [`Holder`]s in the side table: those of one socket, smallest pid
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OwnerSpan {
    /// Index of the first holder.
    pub start: u32,
    /// Number of descriptors, over all processes.
    pub count: u32,
}

impl OwnerSpan {
    /// No process is known to hold the socket, but not every readable process has
    /// been searched since it appeared.
    pub const PENDING: Self = Self {
        start: u32::MAX,
        count: 0,
    };

    /// True if the search for the owner continues.
    #[must_use]
    pub fn is_pending(self) -> bool {
        self == Self::PENDING
    }

    /// Returns the holders of this span, none if it does not fit the table.
    #[must_use]
    pub fn resolve(self, holders: &[Holder]) -> &[Holder] {
        let start = self.start as usize;
        holders
            .get(start..start + self.count as usize)
            .unwrap_or_default()
    }
}

/// Reason why a row has no owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoOwnerReason {
    /// Closed; the kernel alone keeps it for about a minute.
    TimeWait,
    /// A half-open connection: still a request of the listener on its port.
    ListenerRequest,
    /// Finished, waiting in a listener's accept queue.
    AcceptQueue,
    /// The program has closed it; the kernel finishes the work.
    Orphan,
    /// Some processes' descriptors could not be read: one of them may own it.
    Hidden,
    /// It has just appeared, and not every process has been searched for it yet.
    Pending,
    /// Every process could be read and none has it: the kernel's own (NFS,
    /// `WireGuard`), another PID namespace, a descriptor in flight, or closed
    /// just between the reading of the table and that of the processes.
    Kernel,
}

impl NoOwnerReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::TimeWait,
        Self::ListenerRequest,
        Self::AcceptQueue,
        Self::Orphan,
        Self::Hidden,
        Self::Pending,
        Self::Kernel,
    ];

    /// The key in reports and assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::TimeWait => "time_wait",
            Self::ListenerRequest => "listener_request",
            Self::AcceptQueue => "accept_queue",
            Self::Orphan => "orphan",
            Self::Hidden => "hidden",
            Self::Pending => "pending",
            Self::Kernel => "kernel",
        }
    }
}

/// Extent of the search for the holders of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OwnerSearch {
    /// Every process of the machine.
    Complete,
    /// Every one but process 1, which root may not read here either.
    AllExceptInit,
    /// Every process of this PID namespace; those outside are not in `/proc`.
    PidNamespaceOnly,
    /// Some processes could not be read.
    #[default]
    Partial,
    /// Some processes could not be read although this program runs as root.
    InPartAsRoot,
}

impl OwnerSearch {
    /// True if a process that holds a socket of this user would have been found.
    /// Process 1 opens sockets as root only.
    #[must_use]
    pub fn covers_user(self, uid: u32) -> bool {
        match self {
            Self::Complete | Self::PidNamespaceOnly => true,
            Self::AllExceptInit => uid != 0,
            Self::Partial | Self::InPartAsRoot => false,
        }
    }

    /// True if more privileges may let this program read more processes.
    #[must_use]
    pub fn may_gain_from_root(self) -> bool {
        self == Self::Partial
    }

    /// True if there are no processes beyond those of `/proc`.
    #[must_use]
    pub fn covers_machine(self) -> bool {
        matches!(self, Self::Complete | Self::AllExceptInit)
    }
}

/// Name of a user id, as returned by NSS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Name; none if NSS has none.
    pub name: Option<Text>,
}
