//! Gaps in what could be read, with count and reason: a table is never silently
//! shorter.

/// Kind of a gap in a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GapKind {
    /// Sockets whose owner could not be searched for everywhere.
    OwnersHidden,
    /// Processes whose descriptors could not be read.
    ProcessesUnreadable,
    /// Processes hidden by `hidepid` (proc(5)): their number is unknown, so the
    /// count is that of the file system, 1.
    ProcessesHidden,
    /// `/proc` lists no process, not even this one: it is not mounted. There is no
    /// number to count; the count is that of the file system, 1.
    ProcMissing,
    /// Process 1 and no other: its descriptors could not be read. Matters only if
    /// a socket lacks its owner.
    InitUnreadable,
    /// Malformed lines of a `/proc/net` table.
    LinesMalformed,
    /// Malformed netlink messages.
    MessagesMalformed,
    /// Whole tables (a protocol and family) that could not be read.
    TablesUnreadable,
    /// Dumps during which the kernel's table changed.
    DumpsInterrupted,
    /// The preferred source was unavailable; another one replaces it.
    SourceFallback,
    /// Network namespaces that could be neither entered nor read.
    NamespacesUnreadable,
    /// Processes whose network namespace is unknown: it may be one that is not
    /// shown.
    NamespacesUnknown,
    /// Network namespaces whose addresses could not be read.
    AddressesUnreadable,
}

impl GapKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::OwnersHidden,
        Self::ProcessesUnreadable,
        Self::ProcessesHidden,
        Self::ProcMissing,
        Self::InitUnreadable,
        Self::LinesMalformed,
        Self::MessagesMalformed,
        Self::TablesUnreadable,
        Self::DumpsInterrupted,
        Self::SourceFallback,
        Self::NamespacesUnreadable,
        Self::NamespacesUnknown,
        Self::AddressesUnreadable,
    ];

    /// True if it matters only if a row lacks its owner, which another gap counts
    /// ([`Self::OwnersHidden`]).
    #[must_use]
    pub fn concerns_processes(self) -> bool {
        matches!(
            self,
            Self::ProcessesUnreadable
                | Self::ProcessesHidden
                | Self::ProcMissing
                | Self::InitUnreadable
        )
    }

    /// The key in reports and assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::OwnersHidden => "owners_hidden",
            Self::ProcessesUnreadable => "processes_unreadable",
            Self::ProcessesHidden => "processes_hidden",
            Self::ProcMissing => "proc_missing",
            Self::InitUnreadable => "init_unreadable",
            Self::LinesMalformed => "lines_malformed",
            Self::MessagesMalformed => "messages_malformed",
            Self::TablesUnreadable => "tables_unreadable",
            Self::DumpsInterrupted => "dumps_interrupted",
            Self::SourceFallback => "source_fallback",
            Self::NamespacesUnreadable => "namespaces_unreadable",
            Self::NamespacesUnknown => "namespaces_unknown",
            Self::AddressesUnreadable => "addresses_unreadable",
        }
    }
}

/// Reason of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GapReason {
    /// Not permitted (EACCES, EPERM).
    Permission,
    /// No descriptors left (EMFILE, ENFILE): raise `ulimit -n`.
    DescriptorLimit,
    /// Unsupported by the kernel.
    Unsupported,
    /// `sock_diag` is refused by the kernel, or by a seccomp filter in front of
    /// it: the error is the same.
    SockDiagRefused,
    /// `/proc` is mounted with `hidepid` (proc(5)).
    Hidepid,
    /// `/proc` is not mounted.
    NoProc,
    /// It was malformed.
    Malformed,
    /// It changed while it was read.
    Changed,
    /// It exceeded the budget of one table.
    BudgetExceeded,
    /// Any other error.
    Failed,
}

impl GapReason {
    /// The word in reports and assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::DescriptorLimit => "descriptor_limit",
            Self::Unsupported => "not_offered",
            Self::SockDiagRefused => "sock_diag_refused",
            Self::Hidepid => "hidepid",
            Self::NoProc => "no_proc",
            Self::Malformed => "malformed",
            Self::Changed => "changed",
            Self::BudgetExceeded => "too_much",
            Self::Failed => "failed",
        }
    }

    /// Returns the reason for an error of the operating system.
    #[must_use]
    pub fn from_io_error(error: &std::io::Error) -> Self {
        // EMFILE is 24 and ENFILE 23 on every Linux architecture.
        if let Some(23 | 24) = error.raw_os_error() {
            return Self::DescriptorLimit;
        }
        // EPROTONOSUPPORT is 93, ESOCKTNOSUPPORT 94 and EAFNOSUPPORT 97, but on MIPS and
        // SPARC: socket(2) of a kernel without the protocol, or of a filter in front of it.
        if let Some(93 | 94 | 97) = error.raw_os_error() {
            return Self::Unsupported;
        }
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Self::Permission,
            std::io::ErrorKind::NotFound | std::io::ErrorKind::Unsupported => Self::Unsupported,
            std::io::ErrorKind::InvalidData => Self::Malformed,
            _ => Self::Failed,
        }
    }
}

/// A gap in a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its kind.
    pub kind: GapKind,
    /// Number of affected sockets, processes, lines, messages, tables or dumps.
    pub count: u64,
    /// Its reason.
    pub reason: GapReason,
}
