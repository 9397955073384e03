//! What must be confirmed by more than one key: the deeds a person may regret.
//!
//! The word to be typed is always a number that stands in the question (a pid,
//! a port, how many): it proves that the question was read, can be typed on
//! every keyboard, and no process can choose it.

use std::fmt;

/// Why one key is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Caution {
    /// More than one target: so many.
    Several(u32),
    /// A connection that carries a login, perhaps the person's own: the one
    /// warning that must not be cut off where there is little room.
    OwnSession,
    /// The process is one that tcplens runs under: its shell, the terminal
    /// multiplexer, the session's sshd.
    OwnAncestor,
    /// The first process of another PID namespace: a container ends with it.
    ContainerInit,
    /// A listener that is closed: its port refuses from then on, although the
    /// descriptor stays open.
    Listener,
    /// A connection in `TIME_WAIT`: what it protects against (RFC 1337) may come.
    TimeWait,
    /// A process that matches only because of the remote end of its connection:
    /// a client of what was asked for, in most cases.
    RemoteOnly,
}

impl Caution {
    /// The key of its words in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Several(_) => "several",
            Self::OwnAncestor => "own_ancestor",
            Self::ContainerInit => "container_init",
            Self::Listener => "listener",
            Self::TimeWait => "time_wait",
            Self::OwnSession => "own_session",
            Self::RemoteOnly => "remote_only",
        }
    }

    /// Every key a caution can have.
    pub const KEYS: [&'static str; 7] = [
        "several",
        "own_ancestor",
        "container_init",
        "listener",
        "time_wait",
        "own_session",
        "remote_only",
    ];
}

/// A number that must be typed before the deed is done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    cautions: Vec<Caution>,
    word: u32,
}

impl Demand {
    /// What is demanded for these cautions; nothing if there are none. `single`
    /// is the number to type for one target: its pid, or its local port. Of
    /// several targets their count is to be typed.
    #[must_use]
    pub fn of(mut cautions: Vec<Caution>, single: u32) -> Option<Self> {
        cautions.sort_unstable();
        cautions.dedup();
        let word = match cautions.first()? {
            Caution::Several(count) => *count,
            _ => single,
        };
        Some(Self { cautions, word })
    }

    /// Why.
    #[must_use]
    pub fn cautions(&self) -> &[Caution] {
        &self.cautions
    }

    /// Whether this is what must be typed.
    #[must_use]
    pub fn is_met_by(&self, typed: &str) -> bool {
        typed == self.word.to_string()
    }
}

impl fmt::Display for Demand {
    /// The word to be typed.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_typed_where_there_are_several_and_else_the_single_number() {
        assert_eq!(Demand::of(Vec::new(), 812), None);
        let one = Demand::of(vec![Caution::OwnAncestor], 812).unwrap();
        assert!(one.is_met_by("812"));
        for typed in ["", "8", "0812", "812 ", "yes"] {
            assert!(!one.is_met_by(typed), "{typed:?}");
        }
        let cautions = vec![Caution::Listener, Caution::Several(3), Caution::Listener];
        let several = Demand::of(cautions, 443).unwrap();
        assert_eq!(several.to_string(), "3");
        assert_eq!(several.cautions(), [Caution::Several(3), Caution::Listener]);
    }
}
