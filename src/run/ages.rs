//! Ages that one table does not tell: the kernel is asked for them where a filter, a
//! column or an order needs them, and costs nothing elsewhere.

use crate::filter::{Filter, Truth};
use crate::listing::{QuickFilter, matcher_with_urgencies};
use crate::model::observation::Observation;
use crate::model::socket::Socket;
use crate::monitor::Monitor;
use crate::source::ReadingSource;
use std::sync::Arc;

/// The only table of a command, and who has read it.
pub(super) struct Read<'r> {
    pub(super) monitor: &'r mut Monitor,
    pub(super) source: &'r mut dyn ReadingSource,
    pub(super) observation: Arc<Observation>,
}

impl Read<'_> {
    /// The observation with the ages of the rows that a filter leaves undecided for want
    /// of them, and with `of_matching` of those that match.
    pub(super) fn with_ages(
        self,
        filter: &Filter,
        quick: QuickFilter,
        of_matching: bool,
    ) -> Arc<Observation> {
        let of_age = filter.is_of_age();
        let wanted = |truth| match truth {
            Truth::Yes => of_matching,
            Truth::Unknown => of_age,
            Truth::No => false,
        };
        if !of_age && !of_matching {
            return self.observation;
        }
        let matcher = matcher_with_urgencies(filter, &self.observation);
        let asked: Vec<Socket> = self
            .observation
            .rows
            .iter()
            .filter(|row| row.socket.is_connection() && !self.observation.state_age(row).is_exact)
            .filter(|row| quick.matches(row) && wanted(matcher.evaluate(row)))
            .map(|row| row.socket)
            .collect();
        if asked.is_empty() {
            return self.observation;
        }
        let details = self.source.read_details(&asked);
        self.monitor.learn_ages(details).unwrap_or(self.observation)
    }
}
