//! Which changes are of the network namespace that is watched: the kernel tells
//! those of the whole machine and does not say where.
//!
//! The caller of a connect tells it. Who is accepted is where its listener is.
//! Everything else is here if a table shows it.

use crate::model::event::Change;
use crate::model::observation::Observation;
use crate::model::state::State;
use foldhash::HashSet;

/// Where a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// In a namespace that is watched, or nobody knows where.
    #[default]
    Here,
    /// Nothing that is here explains it; a table may show it yet.
    Unsure,
    /// Its caller is in another namespace. Sockets may be handed from one to
    /// another, so a table may show even that.
    Elsewhere,
}

/// What is known by the last table, and since.
pub(super) struct Whereabouts<'o> {
    /// The only namespace that is watched; none if all are.
    only: Option<u32>,
    latest: Option<&'o Observation>,
    /// Ports of listeners that were told since; 0 where the kernel had not
    /// chosen one yet.
    opened: HashSet<u16>,
}

impl<'o> Whereabouts<'o> {
    /// As of a table.
    pub(super) fn new(
        only: Option<u32>,
        latest: Option<&'o Observation>,
        opened: HashSet<u16>,
    ) -> Self {
        Self {
            only,
            latest,
            opened,
        }
    }

    /// Where a connection is whose first change is this.
    pub(super) fn of(&mut self, change: &Change) -> Place {
        let (Some(only), Some(latest)) = (self.only, self.latest) else {
            return Place::Here;
        };
        let place = match (change.from, change.to) {
            (State::Listen, State::SynReceived) => self.by_listener(change.local.port, latest),
            (State::Closed, _) => {
                let caller = change.caller.as_ref();
                match caller.and_then(|caller| caller.namespace) {
                    Some(namespace) if namespace != only => Place::Elsewhere,
                    _ => Place::Here,
                }
            }
            _ => Place::Unsure,
        };
        if change.to == State::Listen && place == Place::Here {
            self.opened.insert(change.local.port);
        }
        place
    }

    fn by_listener(&self, port: u16, latest: &Observation) -> Place {
        let listeners = &latest.listeners;
        let known = listeners.binary_search_by_key(&port, |(port, _)| *port);
        if known.is_ok() || self.opened.contains(&port) || self.opened.contains(&0) {
            Place::Here
        } else {
            Place::Unsure
        }
    }

    /// The listeners that no table has shown yet.
    pub(super) fn opened(self) -> HashSet<u16> {
        self.opened
    }
}

#[cfg(test)]
mod tests;
