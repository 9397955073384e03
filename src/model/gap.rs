//! What could not be seen, how often and why: never a silently shorter table.

/// What is missing from a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GapKind {
    /// Sockets whose owner could not be looked for everywhere.
    OwnersHidden,
    /// Processes whose descriptors could not be read.
    ProcessesUnreadable,
    /// Processes that `hidepid` hides (proc(5)): how many is unknown, so the
    /// count is that of the file system, 1.
    ProcessesHidden,
    /// `/proc` lists no process, not even this one: it is not mounted. There is no
    /// number to count; the count is that of the file system, 1.
    ProcMissing,
    /// Process 1 and no other: its descriptors could not be read. Matters only
    /// where a socket lacks its owner.
    InitUnreadable,
    /// Lines of a `/proc/net` table that made no sense.
    LinesMalformed,
    /// Netlink messages that made no sense.
    MessagesMalformed,
    /// Whole tables (a protocol and family) that could not be read.
    TablesUnreadable,
    /// Dumps during which the kernel's table changed under the reader.
    DumpsInterrupted,
    /// The preferred source was not to be had; another one stands in.
    SourceFallback,
    /// Network namespaces that could be neither entered nor read.
    NamespacesUnreadable,
    /// Processes whose network namespace could not be told: it may be one that
    /// is not shown.
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

    /// True if it matters only where a row lacks its owner, which another gap
    /// counts ([`Self::OwnersHidden`]).
    #[must_use]
    pub fn is_of_processes(self) -> bool {
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

/// Why it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GapReason {
    /// Not permitted (EACCES, EPERM).
    Permission,
    /// No descriptors left (EMFILE, ENFILE): raise `ulimit -n`.
    DescriptorLimit,
    /// The kernel does not offer it.
    NotOffered,
    /// `sock_diag` is refused by the kernel, or by a seccomp filter in front of
    /// it: they answer alike.
    SockDiagRefused,
    /// `/proc` is mounted with `hidepid` (proc(5)).
    Hidepid,
    /// `/proc` is not mounted.
    NoProc,
    /// It did not follow its format.
    Malformed,
    /// It changed while it was read.
    Changed,
    /// There was more of it than one table may cost.
    TooMuch,
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
            Self::NotOffered => "not_offered",
            Self::SockDiagRefused => "sock_diag_refused",
            Self::Hidepid => "hidepid",
            Self::NoProc => "no_proc",
            Self::Malformed => "malformed",
            Self::Changed => "changed",
            Self::TooMuch => "too_much",
            Self::Failed => "failed",
        }
    }

    /// The reason behind an error of the operating system.
    #[must_use]
    pub fn of(error: &std::io::Error) -> Self {
        // EMFILE is 24 and ENFILE 23 on every Linux architecture.
        if let Some(23 | 24) = error.raw_os_error() {
            return Self::DescriptorLimit;
        }
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Self::Permission,
            std::io::ErrorKind::NotFound | std::io::ErrorKind::Unsupported => Self::NotOffered,
            std::io::ErrorKind::InvalidData => Self::Malformed,
            _ => Self::Failed,
        }
    }
}

/// Something that could not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What.
    pub kind: GapKind,
    /// How many: sockets, processes, lines, messages, tables or dumps.
    pub count: u64,
    /// Why.
    pub reason: GapReason,
}
