//! Decides which changes are of the watched network namespace: the kernel
//! reports those of the whole machine, without the namespace.
//!
//! A `connect` has the namespace of its caller; that is unknown if the process was
//! gone or hidden when it was read. An accepted connection has that of its listener.
//! Any other connection is in the watched one if a table shows it.

use crate::model::event::StateChange;
use crate::model::observation::Observation;
use crate::model::state::State;
use foldhash::HashSet;

/// Relation of a connection to the watched namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum NetnsMatch {
    /// In a watched namespace.
    #[default]
    Watched,
    /// The namespace of its caller is unknown. It is reported as such unless a table
    /// shows it.
    Unknown,
    /// Nothing in the watched namespace explains it; a table may show it yet.
    Unexplained,
    /// Its caller is in another namespace. Sockets may be passed from one to
    /// another, so a table may show even that.
    Foreign,
}

/// Knowledge from the last table, and since.
pub(super) struct NetnsFilter<'o> {
    /// The only namespace watched; none if all are.
    only_namespace: Option<u32>,
    latest: Option<&'o Observation>,
    /// Ports of listeners reported since; 0 if the kernel had not chosen one
    /// yet.
    new_listener_ports: HashSet<u16>,
}

impl<'o> NetnsFilter<'o> {
    /// Starts from a table.
    pub(super) fn new(
        only_namespace: Option<u32>,
        latest: Option<&'o Observation>,
        new_listener_ports: HashSet<u16>,
    ) -> Self {
        Self {
            only_namespace,
            latest,
            new_listener_ports,
        }
    }

    /// Classifies a connection by its first change.
    pub(super) fn classify(&mut self, change: &StateChange) -> NetnsMatch {
        let (Some(only), Some(latest)) = (self.only_namespace, self.latest) else {
            return NetnsMatch::Watched;
        };
        let place = match (change.from, change.to) {
            (State::Listen, State::SynReceived) => self.by_listener(change.local.port, latest),
            (State::Closed, _) => {
                let caller = change.process.as_ref();
                match caller.and_then(|caller| caller.namespace) {
                    Some(namespace) if namespace == only => NetnsMatch::Watched,
                    Some(_) => NetnsMatch::Foreign,
                    None => NetnsMatch::Unknown,
                }
            }
            _ => NetnsMatch::Unexplained,
        };
        if change.to == State::Listen && matches!(place, NetnsMatch::Watched | NetnsMatch::Unknown)
        {
            self.new_listener_ports.insert(change.local.port);
        }
        place
    }

    /// The same where the place of the other end is known if that is on this machine: a
    /// listener of that port here may still not be the one that took it.
    pub(super) fn beside(
        &mut self,
        other_end: Option<NetnsMatch>,
        change: &StateChange,
    ) -> NetnsMatch {
        match other_end {
            None => self.classify(change),
            Some(NetnsMatch::Unknown) => match self.classify(change) {
                NetnsMatch::Watched => NetnsMatch::Unknown,
                place => place,
            },
            Some(place) => place,
        }
    }

    fn by_listener(&self, port: u16, latest: &Observation) -> NetnsMatch {
        let listeners = &latest.listeners;
        let known = listeners.binary_search_by_key(&port, |(port, _)| *port);
        if known.is_ok()
            || self.new_listener_ports.contains(&port)
            || self.new_listener_ports.contains(&0)
        {
            NetnsMatch::Watched
        } else {
            NetnsMatch::Unexplained
        }
    }

    /// Returns the ports of listeners that no table has shown yet.
    pub(super) fn into_new_listener_ports(self) -> HashSet<u16> {
        self.new_listener_ports
    }
}

#[cfg(test)]
mod tests;
