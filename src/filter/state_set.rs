//! Sets of states: single states, ss's groups, and their combinations.

use crate::model::state::State;
use std::fmt;

/// A set of states, one bit each in the order of [`State::ALL`]; one more bit
/// stands for every unknown state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct StateSet(u16);

/// The word for unknown states.
const UNKNOWN: &str = "unknown";

/// The names of ss's groups, in the order in which printing tries them.
const GROUP_NAMES: [&str; 5] = ["all", "connected", "synchronized", "bucket", "big"];

impl StateSet {
    const UNKNOWN: Self = Self(1 << State::ALL.len());

    /// The empty set.
    pub(super) const NONE: Self = Self(0);

    /// Every state, known or not.
    pub(super) const ALL: Self = Self((1 << (State::ALL.len() + 1)) - 1);

    /// The set of this state. All unknown states count as one.
    pub(super) fn single(state: State) -> Self {
        State::ALL
            .iter()
            .position(|known| *known == state)
            .map_or(Self::UNKNOWN, |place| Self(1 << place))
    }

    /// The set of the states that satisfy a condition.
    pub(super) fn matching(wanted: impl Fn(State) -> bool) -> Self {
        State::ALL
            .into_iter()
            .filter(|state| wanted(*state))
            .fold(Self::NONE, |all, state| all.union(Self::single(state)))
    }

    /// True if a state is in the set.
    pub(super) fn contains(self, state: State) -> bool {
        self.0 & Self::single(state).0 != 0
    }

    /// The union of both sets.
    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The difference of the sets.
    pub(super) fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the state or group with this name.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        if let Some(state) = State::from_word(word) {
            return Some(Self::single(state));
        }
        let lower = word.to_ascii_lowercase();
        (lower == UNKNOWN)
            .then_some(Self::UNKNOWN)
            .or_else(|| Self::group(&lower))
    }

    /// ss's groups. ss knows a UDP socket without a peer as `close` too, so
    /// these are not among the connected.
    fn group(word: &str) -> Option<Self> {
        let idle = [
            State::Listen,
            State::Closed,
            State::BoundInactive,
            State::Unconnected,
        ];
        let connected = idle.into_iter().fold(Self::ALL, |rest, state| {
            rest.difference(Self::single(state))
        });
        let bucket = Self::single(State::TimeWait).union(Self::single(State::SynReceived));
        match word {
            "all" => Some(Self::ALL),
            "connected" => Some(connected),
            "synchronized" => Some(connected.difference(Self::single(State::SynSent))),
            "bucket" => Some(bucket),
            "big" => Some(Self::ALL.difference(bucket)),
            _ => None,
        }
    }

    /// Every name to suggest: keys, further spellings, groups.
    pub(super) fn all_names() -> impl Iterator<Item = &'static str> {
        State::ALL
            .iter()
            .map(|state| state.key())
            .chain(GROUP_NAMES)
            .chain(
                State::ALL
                    .iter()
                    .flat_map(|state| state.spellings())
                    .copied(),
            )
    }

    /// The name of this set, if it has one.
    fn word(self) -> Option<&'static str> {
        let group = || {
            GROUP_NAMES
                .into_iter()
                .find(|word| Self::group(word) == Some(self))
        };
        let single = || {
            State::ALL
                .into_iter()
                .find(|state| Self::single(*state) == self)
                .map(State::key)
        };
        group()
            .or_else(single)
            .or((self == Self::UNKNOWN).then_some(UNKNOWN))
    }

    /// The keys of all members, separated by commas.
    fn list(self) -> String {
        let known = State::ALL
            .into_iter()
            .filter(|state| self.contains(*state))
            .map(State::key);
        let unknown = (self.0 & Self::UNKNOWN.0 != 0).then_some(UNKNOWN);
        known.chain(unknown).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for StateSet {
    /// Writes the members or the excluded states, whichever is shorter.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = Self::ALL.difference(*self);
        if let Some(word) = self.word() {
            write!(formatter, "state {word}")
        } else if let Some(word) = rest.word() {
            write!(formatter, "exclude {word}")
        } else if self.0.count_ones() <= rest.0.count_ones() {
            write!(formatter, "state:{}", self.list())
        } else {
            write!(formatter, "exclude:{}", rest.list())
        }
    }
}

impl fmt::Debug for StateSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_those_of_ss() {
        let members = |word: &str| {
            let set = StateSet::from_word(word).unwrap();
            State::ALL
                .into_iter()
                .filter(|state| set.contains(*state))
                .map(State::key)
                .collect::<Vec<_>>()
        };
        assert_eq!(members("bucket"), ["syn_received", "time_wait"]);
        assert_eq!(
            members("connected"),
            [
                "syn_sent",
                "syn_received",
                "established",
                "fin_wait_1",
                "fin_wait_2",
                "closing",
                "time_wait",
                "close_wait",
                "last_ack"
            ]
        );
        assert_eq!(members("synchronized"), members("connected")[1..]);
        assert_eq!(members("all").len(), State::ALL.len());
        assert_eq!(members("big").len(), State::ALL.len() - 2);
        assert!(
            StateSet::from_word("all")
                .unwrap()
                .contains(State::Unknown(42))
        );
        assert!(
            StateSet::from_word("unknown")
                .unwrap()
                .contains(State::Unknown(42))
        );
        assert_eq!(StateSet::from_word("conected"), None);
    }

    #[test]
    fn sets_print_in_their_shorter_form() {
        let one = StateSet::single;
        let cases = [
            (StateSet::ALL, "state all"),
            (StateSet::NONE, "exclude all"),
            (one(State::SynSent), "state syn_sent"),
            (
                StateSet::ALL.difference(one(State::Listen)),
                "exclude listen",
            ),
            (
                one(State::SynSent).union(one(State::CloseWait)),
                "state:syn_sent,close_wait",
            ),
            (
                StateSet::ALL
                    .difference(one(State::Listen))
                    .difference(one(State::Unconnected)),
                "exclude:listen,unconnected",
            ),
        ];
        for (set, text) in cases {
            assert_eq!(set.to_string(), text);
        }
    }
}
