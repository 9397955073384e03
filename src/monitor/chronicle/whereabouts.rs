//! Decides which changes are of the watched network namespace: the kernel
//! reports those of the whole machine, without the namespace.
//!
//! A `connect` has the namespace of its caller; that is unknown if the process was
//! gone or hidden when it was read. An accepted connection has that of its listener.
//! Any other connection is in the watched one if a table shows it.

use crate::model::event::Change;
use crate::model::observation::Observation;
use crate::model::state::State;
use foldhash::HashSet;

/// Relation of a connection to the watched namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// In a watched namespace.
    #[default]
    Here,
    /// The namespace of its caller is unknown. It is reported as such unless a table
    /// shows it.
    Unknown,
    /// Nothing in the watched namespace explains it; a table may show it yet.
    Unsure,
    /// Its caller is in another namespace. Sockets may be passed from one to
    /// another, so a table may show even that.
    Elsewhere,
}

/// Knowledge from the last table, and since.
pub(super) struct Whereabouts<'o> {
    /// The only namespace watched; none if all are.
    only: Option<u32>,
    latest: Option<&'o Observation>,
    /// Ports of listeners reported since; 0 if the kernel had not chosen one
    /// yet.
    opened: HashSet<u16>,
}

impl<'o> Whereabouts<'o> {
    /// Starts from a table.
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

    /// Classifies a connection by its first change.
    pub(super) fn of(&mut self, change: &Change) -> Place {
        let (Some(only), Some(latest)) = (self.only, self.latest) else {
            return Place::Here;
        };
        let place = match (change.from, change.to) {
            (State::Listen, State::SynReceived) => self.by_listener(change.local.port, latest),
            (State::Closed, _) => {
                let caller = change.caller.as_ref();
                match caller.and_then(|caller| caller.namespace) {
                    Some(namespace) if namespace == only => Place::Here,
                    Some(_) => Place::Elsewhere,
                    None => Place::Unknown,
                }
            }
            _ => Place::Unsure,
        };
        if change.to == State::Listen && matches!(place, Place::Here | Place::Unknown) {
            self.opened.insert(change.local.port);
        }
        place
    }

    /// The same where the place of the other end is known if that is on this machine: a
    /// listener of that port here may still not be the one that took it.
    pub(super) fn beside(&mut self, other_end: Option<Place>, change: &Change) -> Place {
        match other_end {
            None => self.of(change),
            Some(Place::Unknown) => match self.of(change) {
                Place::Here => Place::Unknown,
                place => place,
            },
            Some(place) => place,
        }
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

    /// Returns the ports of listeners that no table has shown yet.
    pub(super) fn opened(self) -> HashSet<u16> {
        self.opened
    }
}

#[cfg(test)]
mod tests;
