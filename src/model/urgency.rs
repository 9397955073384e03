//! Attention that a socket deserves, by its own evidence, and the urgent rows of
//! one observation.

use super::observation::Observation;
use super::row::{Phase, Row};
use super::socket::SocketKey;

/// Degree of attention that a socket deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Urgency {
    /// No attention needed.
    #[default]
    Normal,
    /// Worth attention: it may recover, or be intended.
    Look,
    /// It is urgent: it does not recover by itself.
    Act,
}

impl Urgency {
    /// Every degree, the least urgent first.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Look, Self::Act];

    /// The key in assets, filters and reports.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Look => "look",
            Self::Act => "act",
        }
    }

    /// The urgency with this key, in any case.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|urgency| urgency.key().eq_ignore_ascii_case(key))
    }
}

/// The rows of one observation that are not [`Urgency::Normal`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowUrgencies {
    /// Parallel to the rows; empty if every row is normal.
    by_row: Vec<Urgency>,
    /// The urgent rows by key, ascending.
    by_key: Vec<(SocketKey, Urgency)>,
}

impl RowUrgencies {
    /// Evaluates every row of an observation once.
    #[must_use]
    pub fn new(observation: &Observation, mut evaluate: impl FnMut(&Row) -> Urgency) -> Self {
        let mut urgencies = Self::default();
        for (place, row) in observation.rows.iter().enumerate() {
            let urgency = evaluate(row);
            if urgency == Urgency::Normal || row.phase == Phase::Closed {
                continue;
            }
            if urgencies.by_row.is_empty() {
                urgencies
                    .by_row
                    .resize(observation.rows.len(), Urgency::Normal);
            }
            if let Some(slot) = urgencies.by_row.get_mut(place) {
                *slot = urgency;
            }
            urgencies.by_key.push((row.socket.key(), urgency));
        }
        urgencies.by_key.sort_unstable_by_key(|(key, _)| *key);
        urgencies
    }

    /// The urgency of the row with this number.
    #[must_use]
    pub fn of_row_number(&self, number: u32) -> Urgency {
        self.by_row
            .get(number as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The urgency of a row.
    #[must_use]
    pub fn of_row(&self, row: &Row) -> Urgency {
        if self.by_key.is_empty() || row.phase == Phase::Closed {
            return Urgency::Normal;
        }
        let key = row.socket.key();
        let place = self.by_key.binary_search_by(|(known, _)| known.cmp(&key));
        place
            .ok()
            .and_then(|place| self.by_key.get(place))
            .map_or(Urgency::Normal, |(_, urgency)| *urgency)
    }

    /// Number of rows of one degree; of [`Urgency::Normal`] none are counted.
    #[must_use]
    pub fn count(&self, wanted: Urgency) -> usize {
        let alike = |(_, urgency): &&(SocketKey, Urgency)| *urgency == wanted;
        self.by_key.iter().filter(alike).count()
    }
}
