//! Risks of an action that one key does not confirm.
//!
//! The text to be typed is always a number that is part of the question (a pid, a
//! port, a count): typing it shows that the question was read, it can be typed on
//! every keyboard, and no process can choose it.

use std::fmt;

/// Reason why one key is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Risk {
    /// More than one target: their number.
    MultipleTargets(u32),
    /// A connection that carries a login, perhaps the user's own: the one warning
    /// that must not be cut off on a small screen.
    LoginSession,
    /// The process is one that tcplens runs under: its shell, the terminal
    /// multiplexer, the session's sshd.
    OwnAncestor,
    /// The first process of another PID namespace: a container ends with it.
    ContainerInit,
    /// A listener that is closed: its port refuses from then on, although the
    /// descriptor stays open.
    Listens,
    /// A connection in `TIME_WAIT`: delayed segments, against which it protects
    /// (RFC 1337), may arrive.
    TimeWait,
    /// A process that matches only because of the remote end of its connection:
    /// usually a client of the requested port.
    MatchedByRemoteEnd,
}

impl Risk {
    /// The key of its message in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::MultipleTargets(_) => "several",
            Self::OwnAncestor => "own_ancestor",
            Self::ContainerInit => "container_init",
            Self::Listens => "listener",
            Self::TimeWait => "time_wait",
            Self::LoginSession => "own_session",
            Self::MatchedByRemoteEnd => "remote_only",
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
pub struct TypedConfirmation {
    risks: Vec<Risk>,
    expected: u32,
}

impl TypedConfirmation {
    /// Returns the number demanded by these risks; none if there are none.
    /// `single` is the number to type for one target: its pid, or its local port.
    /// For several targets their count is to be typed.
    #[must_use]
    pub fn from_risks(mut cautions: Vec<Risk>, single: u32) -> Option<Self> {
        cautions.sort_unstable();
        cautions.dedup();
        let word = match cautions.first()? {
            Risk::MultipleTargets(count) => *count,
            _ => single,
        };
        Some(Self {
            risks: cautions,
            expected: word,
        })
    }

    /// The reasons.
    #[must_use]
    pub fn risks(&self) -> &[Risk] {
        &self.risks
    }

    /// True if this is the number that must be typed.
    #[must_use]
    pub fn matches(&self, typed: &str) -> bool {
        typed == self.expected.to_string()
    }
}

impl fmt::Display for TypedConfirmation {
    /// Writes the number to be typed.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_number_is_the_count_of_several_targets() {
        assert_eq!(TypedConfirmation::from_risks(Vec::new(), 812), None);
        let one = TypedConfirmation::from_risks(vec![Risk::OwnAncestor], 812).unwrap();
        assert!(one.matches("812"));
        for typed in ["", "8", "0812", "812 ", "yes"] {
            assert!(!one.matches(typed), "{typed:?}");
        }
        let cautions = vec![Risk::Listens, Risk::MultipleTargets(3), Risk::Listens];
        let several = TypedConfirmation::from_risks(cautions, 443).unwrap();
        assert_eq!(several.to_string(), "3");
        assert_eq!(several.risks(), [Risk::MultipleTargets(3), Risk::Listens]);
    }
}
