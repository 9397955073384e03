//! Privileges of this program, and the hardening it applied: plain facts for
//! explaining its limits.

use super::action::AccessMode;
use super::close::CloseRefusal;
use super::text::Text;
use std::collections::BTreeSet;
use std::fmt;

/// A Linux capability that some part of this program uses (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// Reading other users' files and folders: one of two capabilities needed to
    /// find owners.
    DacReadSearch,
    /// Inspecting other users' processes: the other one.
    SysPtrace,
    /// Signals to other users' processes.
    Kill,
    /// Closing connections.
    NetAdmin,
    /// Entering other network namespaces.
    SysAdmin,
    /// Acting as the far end of the lab on a pair of devices, in its own
    /// namespace.
    NetRaw,
}

impl Capability {
    /// Capabilities used outside the lab.
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

/// Privileges of this program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// Its effective user.
    pub uid: u32,
    /// Capabilities that it has, of those it uses.
    pub capabilities: BTreeSet<Capability>,
    /// True if its privileges are valid for the whole machine. In a user
    /// namespace (a rootless container) they are valid only for resources that
    /// belong to it.
    pub is_machine_wide: bool,
    /// Privileges and abilities it gave up at its start.
    pub hardening: Hardening,
}

/// Privileges and abilities a program can give up so that a defect in it does
/// less harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is given up by itself, or not"
)]
pub struct Hardening {
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

/// Reliability with which a process can be identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessHandleSupport {
    /// By a pidfd.
    Pidfd,
    /// By its number only: the kernel, or a filter, gives no pidfds.
    PidOnly,
    /// Not at all: `/proc` numbers processes of another PID namespace.
    Unavailable,
}

/// Effective abilities of this program, determined by harmless probing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedCapabilities {
    /// Its privileges.
    pub privileges: Privileges,
    /// Actions that the user permits.
    pub access_mode: AccessMode,
    /// Reliability with which a process can be identified.
    pub process_handles: ProcessHandleSupport,
    /// Result of probing for `SOCK_DESTROY`.
    pub close_support: Result<(), CloseRefusal>,
    /// The path of the program file.
    pub program: Text,
}
