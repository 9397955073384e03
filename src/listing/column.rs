//! The columns of the table, and the properties shared by all their cells.

use crate::filter::{nearest, normalize};
use crate::model::observation::Observation;
use crate::model::text::Text;
use std::fmt;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    /// Recent change of the row, as one sign.
    Mark,
    /// Holder of the socket, or the reason why there is none.
    Process,
    /// The owner's process id.
    Pid,
    /// User that opened it.
    User,
    /// Protocol and family.
    Proto,
    /// This machine's end.
    Local,
    /// The peer's end.
    Remote,
    /// Its state, with the previous one if it changed a moment ago.
    State,
    /// Party that the state waits for, and the awaited action.
    WaitsFor,
    /// Time in that state.
    Age,
    /// The running timer.
    Timer,
    /// Bytes not read, or connections not accepted.
    RecvQ,
    /// Bytes not acknowledged, or the maximum number of waiting connections.
    SendQ,
    /// Smoothed round-trip time.
    Rtt,
    /// Number of retransmissions.
    Retrans,
    /// Bytes received a second.
    Rx,
    /// Bytes sent and acknowledged a second.
    Tx,
    /// Datagrams or connection requests dropped at the socket.
    Drops,
    /// The service by its well-known port.
    Service,
    /// The container or unit of the owner.
    Unit,
    /// The network namespace it is in.
    Netns,
    /// The socket's inode.
    Inode,
    /// The interface it is bound to.
    Interface,
}

/// Text alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// For text.
    Left,
    /// For numbers.
    Right,
}

/// Further names of columns: those of other tools and of the reports. Compared
/// like the keys, in lower case and without `-` and `_`.
const ALIASES: &[(&str, Column)] = &[
    ("urgency", Column::Mark),
    ("command", Column::Process),
    ("container", Column::Unit),
    ("cgroup", Column::Unit),
    ("namespace", Column::Netns),
    ("uid", Column::User),
    ("protocol", Column::Proto),
    ("peer", Column::Remote),
    ("foreign", Column::Remote),
    ("recvqueue", Column::RecvQ),
    ("sendqueue", Column::SendQ),
    ("retransmits", Column::Retrans),
    ("roundtrip", Column::Rtt),
    ("rx/s", Column::Rx),
    ("rxrate", Column::Rx),
    ("tx/s", Column::Tx),
    ("txrate", Column::Tx),
    ("iface", Column::Interface),
    ("dev", Column::Interface),
    ("waits for", Column::WaitsFor),
];

impl Column {
    /// Every column, in the order in which they are shown.
    pub const ALL: [Self; 23] = [
        Self::Mark,
        Self::Process,
        Self::Pid,
        Self::User,
        Self::Proto,
        Self::Local,
        Self::Remote,
        Self::State,
        Self::WaitsFor,
        Self::Age,
        Self::Timer,
        Self::RecvQ,
        Self::SendQ,
        Self::Rtt,
        Self::Retrans,
        Self::Rx,
        Self::Tx,
        Self::Drops,
        Self::Service,
        Self::Unit,
        Self::Netns,
        Self::Inode,
        Self::Interface,
    ];

    /// Returns the columns that may distinguish rows of an observation, and for a
    /// learner the one with the awaited party.
    #[must_use]
    pub fn applicable(observation: &Observation, learning: bool) -> Vec<Self> {
        let several = observation.has_several_namespaces();
        Self::ALL
            .into_iter()
            .filter(|column| match column {
                Self::Netns => several,
                Self::Drops => observation.has_drops(),
                Self::WaitsFor => learning,
                // All of the lab's sockets are of one user and one family.
                Self::Proto | Self::User => !learning,
                _ => true,
            })
            .collect()
    }

    /// Its name in settings and on the command line.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::Process => "process",
            Self::Pid => "pid",
            Self::User => "user",
            Self::Proto => "proto",
            Self::Local => "local",
            Self::Remote => "remote",
            Self::State => "state",
            Self::WaitsFor => "awaits",
            Self::Age => "age",
            Self::Timer => "timer",
            Self::RecvQ => "recvq",
            Self::SendQ => "sendq",
            Self::Rtt => "rtt",
            Self::Retrans => "retrans",
            Self::Rx => "rx",
            Self::Tx => "tx",
            Self::Drops => "drops",
            Self::Service => "service",
            Self::Unit => "unit",
            Self::Netns => "netns",
            Self::Inode => "inode",
            Self::Interface => "interface",
        }
    }

    /// Text alignment.
    #[must_use]
    pub fn align(self) -> Align {
        match self {
            Self::Pid
            | Self::Age
            | Self::RecvQ
            | Self::SendQ
            | Self::Rtt
            | Self::Retrans
            | Self::Rx
            | Self::Tx
            | Self::Drops
            | Self::Inode => Align::Right,
            _ => Align::Left,
        }
    }

    /// Priority on a narrow terminal: the smaller the number, the later it is
    /// dropped.
    #[must_use]
    pub fn priority(self) -> u8 {
        match self {
            Self::Mark => 0,
            Self::State => 1,
            Self::Remote => 2,
            Self::Local => 3,
            // Only for learners, for whom it is the main column.
            Self::WaitsFor => 4,
            Self::Process => 5,
            Self::Pid => 6,
            Self::Proto => 7,
            // Only if there are several to distinguish.
            Self::Netns => 8,
            Self::Age => 9,
            Self::User => 10,
            Self::RecvQ => 11,
            Self::SendQ => 12,
            Self::Rx => 13,
            Self::Tx => 14,
            Self::Rtt => 15,
            Self::Retrans => 16,
            Self::Timer => 17,
            Self::Drops => 18,
            Self::Service => 19,
            Self::Unit => 20,
            Self::Inode => 21,
            Self::Interface => 22,
        }
    }

    /// Usual width of its texts in cells, if they change with every reading:
    /// reserved, so that the columns beside it do not move.
    #[must_use]
    pub fn min_width(self) -> usize {
        match self {
            // `0.04ms`, `118 kB`
            Self::Rtt | Self::Rx | Self::Tx => 6,
            _ => 0,
        }
    }

    /// True for sizes, rates, counts and times: they describe the present, and a
    /// closed row has none.
    #[must_use]
    pub fn is_measured(self) -> bool {
        matches!(
            self,
            Self::Age
                | Self::Timer
                | Self::RecvQ
                | Self::SendQ
                | Self::Rtt
                | Self::Retrans
                | Self::Rx
                | Self::Tx
                | Self::Drops
        )
    }

    /// True if sorting by it naturally begins with the largest value: that is so
    /// for amounts and for marks, which begin with the most urgent; not for
    /// names, addresses and numbers that only identify.
    #[must_use]
    pub fn sorts_descending(self) -> bool {
        self.is_measured() || self == Self::Mark
    }

    /// True if it shows TCP metrics. Sorting by it requires tables read with them
    /// for every row.
    #[must_use]
    pub fn shows_tcp_metrics(self) -> bool {
        matches!(self, Self::Rtt | Self::Retrans | Self::Rx | Self::Tx)
    }

    /// Returns the column named by `word`, ignoring `-`, `_` and case.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    pub fn from_word(word: &str) -> Result<Self, UnknownColumn> {
        let wanted = normalize(word);
        Self::ALL
            .into_iter()
            .find(|column| column.key() == wanted)
            .or_else(|| {
                let (_, column) = ALIASES.iter().find(|(known, _)| *known == wanted)?;
                Some(*column)
            })
            .ok_or_else(|| UnknownColumn::new(word))
    }

    /// Every name that [`Self::from_word`] suggests.
    fn all_names() -> impl Iterator<Item = &'static str> {
        let others = ALIASES.iter().map(|(word, _)| *word);
        Self::ALL.into_iter().map(Self::key).chain(others)
    }
}

/// A word that names no column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownColumn {
    /// The word.
    pub word: Text,
    /// The nearest valid name.
    pub suggestion: Option<&'static str>,
}

impl UnknownColumn {
    fn new(word: &str) -> Self {
        Self {
            word: word.into(),
            suggestion: nearest(word, Column::all_names()),
        }
    }
}

impl fmt::Display for UnknownColumn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "unknown column `{}`; ", self.word)?;
        if let Some(suggestion) = self.suggestion {
            return write!(formatter, "did you mean `{suggestion}`?");
        }
        let keys: Vec<&str> = Column::ALL.into_iter().map(Column::key).collect();
        write!(formatter, "there are {}", keys.join(", "))
    }
}

impl std::error::Error for UnknownColumn {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::{Catalogue, Language};
    use std::collections::BTreeSet;

    #[test]
    fn every_column_parses_its_names() {
        for column in Column::ALL {
            assert_eq!(Column::from_word(column.key()), Ok(column));
            let title = Catalogue::of(Language::English).column_title(column.key());
            if column != Column::Mark {
                assert_eq!(Column::from_word(title), Ok(column));
            }
        }
        for (word, column) in ALIASES {
            assert_eq!(Column::from_word(word), Ok(*column));
        }
        let priorities: BTreeSet<u8> = Column::ALL.into_iter().map(Column::priority).collect();
        assert_eq!(priorities.len(), Column::ALL.len());
    }

    #[test]
    fn mistyped_names_suggest_the_nearest() {
        let error = Column::from_word("remot").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown column `remot`; did you mean `remote`?"
        );
        let error = Column::from_word("colum\u{1b}").unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("unknown column `colum\\x1b`; there are mark, process,"));
    }
}
