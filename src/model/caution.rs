//! Risks of an action that one key does not confirm.
//!
//! The text to be typed is always a number that is part of the question (a pid, a
//! port, a count): typing it shows that the question was read, it can be typed on
//! every keyboard, and no process can choose it.

use std::fmt;

/// Reason why one key is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Caution {
    /// More than one target: their number.
    Several(u32),
    /// A connection that carries a login, perhaps the user's own: the one warning
    /// that must not be cut off on a small screen.
    OwnSession,
    /// The process is one that tcplens runs under: its shell, the terminal
    /// multiplexer, the session's sshd.
    OwnAncestor,
    /// The first process of another PID namespace: a container ends with it.
    ContainerInit,
    /// A listener that is closed: its port refuses from then on, although the
    /// descriptor stays open.
    Listener,
    /// A connection in `TIME_WAIT`: delayed segments, against which it protects
    /// (RFC 1337), may arrive.
    TimeWait,
    /// A process that matches only because of the remote end of its connection:
    /// usually a client of the requested port.
    RemoteOnly,
}

impl Caution {
    /// The key of its message in the assets.
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

/// A number that must be typed before the action, and the reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    cautions: Vec<Caution>,
    word: u32,
}

impl Demand {
    /// Returns the number demanded by these risks; none if there are none.
    /// `single` is the number to type for one target: its pid, or its local port.
    /// For several targets their count is to be typed.
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

    /// The reasons.
    #[must_use]
    pub fn cautions(&self) -> &[Caution] {
        &self.cautions
    }

    /// True if this is the number that must be typed.
    #[must_use]
    pub fn is_met_by(&self, typed: &str) -> bool {
        typed == self.word.to_string()
    }
}

impl fmt::Display for Demand {
    /// Writes the number to be typed.
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
