//! What this program may do here, and what it kept of it: plain facts, for
//! those who must explain what can't be seen or done.

use super::action::Policy;
use super::closing::CloseRefusal;
use super::text::Text;
use std::collections::BTreeSet;
use std::fmt;

/// A privilege of the kernel that some part of this program uses
/// (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// Reading other users' files and folders: half of what it takes to find
    /// owners.
    DacReadSearch,
    /// Looking into other users' processes: the other half.
    SysPtrace,
    /// Signals to other users' processes.
    Kill,
    /// Closing connections.
    NetAdmin,
    /// Entering other network namespaces.
    SysAdmin,
    /// Playing the far end of the lab on a pair of devices, in its own namespace.
    NetRaw,
}

impl Capability {
    /// All that what the program tells and does on the machine takes: the lab takes
    /// more.
    pub const ALL: [Self; 5] = [
        Self::DacReadSearch,
        Self::SysPtrace,
        Self::Kill,
        Self::NetAdmin,
        Self::SysAdmin,
    ];

    /// As setcap(8) writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::DacReadSearch => "cap_dac_read_search",
            Self::SysPtrace => "cap_sys_ptrace",
            Self::Kill => "cap_kill",
            Self::NetAdmin => "cap_net_admin",
            Self::SysAdmin => "cap_sys_admin",
            Self::NetRaw => "cap_net_raw",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// What this program may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Powers {
    /// Its effective user.
    pub uid: u32,
    /// Which of the privileges it uses it has.
    pub capabilities: BTreeSet<Capability>,
    /// Whether its privileges count for the whole machine. In a user namespace
    /// (a rootless container) they count only for what belongs to that.
    pub whole_machine: bool,
    /// What it gave up at its start.
    pub restraint: Restraint,
}

/// What a program can give up so that a mistake in it does less harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is given up by itself, or not"
)]
pub struct Restraint {
    /// It has no privilege beside those of [`Capability`] that it asked to keep.
    pub least_capabilities: bool,
    /// Nothing it starts can gain privileges (`PR_SET_NO_NEW_PRIVS`).
    pub no_new_privileges: bool,
    /// Its memory, which holds other users' command lines, is not written to
    /// disk when it crashes, and no process of the same user may read it
    /// (`PR_SET_DUMPABLE`).
    pub no_core_dumps: bool,
    /// It cannot start a program (a seccomp filter).
    pub no_execution: bool,
}

/// How surely a process can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// By a pidfd.
    Surely,
    /// By its number only: the kernel, or a filter, gives no pidfds.
    ByNumber,
    /// Not at all: `/proc` counts processes as another PID namespace does.
    NotAtAll,
}

/// What this program can do with what it may do, found out by trying, without
/// harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Means {
    /// What it may do.
    pub powers: Powers,
    /// What a person lets it do.
    pub policy: Policy,
    /// How surely a process can be named.
    pub naming: Naming,
    /// Whether it closes connections.
    pub closing: Result<(), CloseRefusal>,
    /// The path of the program file.
    pub program: Text,
}
