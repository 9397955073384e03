//! Network namespaces: separate tables of sockets on one machine.

use super::text::Text;

/// A network namespace that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its inode number, as in `/proc/PID/ns/net`.
    pub id: u32,
    /// What people call it: its name under `/run/netns` (ip-netns(8)), else the
    /// container or unit of the process with the smallest pid in it. None for
    /// the one that this program is in, and where there is neither.
    pub name: Option<Text>,
    /// Whether this program is in it.
    pub own: bool,
}

/// Which network namespaces to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scope {
    /// The one that this program is in.
    #[default]
    Own,
    /// All that can be entered or read.
    All,
}

impl Scope {
    /// The other one.
    #[must_use]
    pub fn toggled(self) -> Self {
        match self {
            Self::Own => Self::All,
            Self::All => Self::Own,
        }
    }
}

/// A network interface. The same index means another one in another namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Namespace it is in, by inode number.
    pub namespace: u32,
    /// Its index there, from 1.
    pub index: u32,
    /// Its name.
    pub name: Text,
}
