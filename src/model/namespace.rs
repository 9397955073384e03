//! Network namespaces: separate tables of sockets on one machine.

use super::text::Text;

/// A network namespace that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its inode number, as in `/proc/PID/ns/net`.
    pub id: u32,
    /// Its name: that under `/run/netns` (ip-netns(8)), else the container or
    /// unit of the process with the smallest pid in it. None for the one that
    /// this program was started in, and if there is neither.
    pub name: Option<Text>,
    /// True if this program is in it.
    pub is_current: bool,
    /// Way to run a command in it; none for the one that this program was started
    /// in, and if there is none.
    pub entry: Option<NamespaceEntry>,
}

/// A way into a network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceEntry {
    /// Its name under `/run/netns`, for ip-netns(8): a word that a shell takes as
    /// it stands.
    Name(Text),
    /// A process in it, for nsenter(1).
    Process(u32),
}

impl NamespaceEntry {
    /// Returns the way by name, if that is a plain word.
    #[must_use]
    pub fn from_name(name: &Text) -> Option<Self> {
        let plain = |sign: char| sign.is_ascii_alphanumeric() || "._-".contains(sign);
        let name_is_plain =
            name.as_str().chars().all(plain) && !name.is_empty() && !name.as_str().starts_with('-');
        name_is_plain.then(|| Self::Name(name.clone()))
    }

    /// Returns the prefix of a command that is to run there.
    #[must_use]
    pub fn command_prefix(&self) -> String {
        match self {
            Self::Name(name) => format!("ip netns exec {name} "),
            Self::Process(pid) => format!("nsenter -t {pid} -n "),
        }
    }

    /// Returns the flag with which a command of this program is about it.
    #[must_use]
    pub fn flag(&self) -> String {
        match self {
            Self::Name(name) => format!("--netns {name}"),
            Self::Process(pid) => format!("--netns {pid}"),
        }
    }
}

/// Network namespaces to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NamespaceScope {
    /// The one that this program is in.
    #[default]
    Current,
    /// All that can be entered or read.
    All,
}

impl NamespaceScope {
    /// Returns the other scope.
    #[must_use]
    pub fn toggled(self) -> Self {
        match self {
            Self::Current => Self::All,
            Self::All => Self::Current,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_stand_in_a_command() {
        let prefix =
            |name: &str| Some(NamespaceEntry::from_name(&Text::from(name))?.command_prefix());
        assert_eq!(prefix("vpn-1.a").as_deref(), Some("ip netns exec vpn-1.a "));
        for name in ["", "a b", "-x", "a;b", "$(x)", "é"] {
            assert_eq!(prefix(name), None, "{name}");
        }
        assert_eq!(
            NamespaceEntry::Process(7).command_prefix(),
            "nsenter -t 7 -n "
        );
    }
}
