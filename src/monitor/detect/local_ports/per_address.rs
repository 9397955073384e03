//! Local ports of one address, whatever the destination.
//!
//! `connect` alone may give one port to many destinations. Where a program
//! calls `bind` before (a proxy with an address of its own, without
//! `IP_BIND_ADDRESS_NO_PORT`), the kernel chooses the port before it knows the
//! destination, so each counts once for all of them. No table reports which way
//! a port was chosen; but without `bind`, ports used by several destinations
//! are common long before they run out, and with it there are none.

use super::super::table_context::TableContext;
use super::{EphemeralPorts, RouteUsage, main_owner};
use crate::model::endpoint::Endpoint;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::time::Timestamp;
use crate::monitor::detect::profile::saturating_u32;
use crate::monitor::detect::thresholds::Thresholds;
use foldhash::fast::RandomState;
use foldhash::{HashMap, HashMapExt};
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;

/// Number of groups into which addresses are sorted at first.
const BUCKETS: usize = 1 << 12;
/// Divisor of the ports: if more than this part serves several destinations,
/// they are not bound before the connection is made.
const MAX_SHARED_DIVISOR: u32 = 50;

/// Returns the addresses whose ports take a relevant share and are not shared.
/// `routes` are those of single destinations that do: where one alone explains
/// it, nothing is added.
pub(super) fn count_addresses(
    context: &TableContext<'_>,
    room: EphemeralPorts,
    limits: &Thresholds,
    routes: &[RouteUsage],
) -> Vec<RouteUsage> {
    let least = limits.ports_amber * f64::from(room.count);
    let enough = |count: u32| f64::from(count) >= least / 2.0;
    if !enough(saturating_u32(context.rows.len())) {
        return Vec::new();
    }
    let taking = || {
        let rows = context.rows.iter();
        rows.filter(|row| context.kernel.covers(row) && takes_port(row, room, context.now))
    };
    // As for destinations: first in groups.
    let hasher = RandomState::default();
    let bucket = |row: &Row| {
        let hash = hasher.hash_one(row.socket.local.address());
        usize::try_from(hash % BUCKETS as u64).unwrap_or(0)
    };
    let mut counts = vec![0_u32; BUCKETS];
    for row in taking() {
        counts[bucket(row)] += 1;
    }
    let mut addresses: HashMap<Endpoint, AddressPorts<'_>> = HashMap::new();
    for row in taking().filter(|row| enough(counts[bucket(row)])) {
        let from = Endpoint::new(row.socket.local.address(), 0);
        addresses.entry(from).or_default().add(row);
    }
    let explained = |from: &Endpoint| {
        let one = |used: &RouteUsage| used.route.0 == *from && f64::from(used.count) >= least;
        routes.iter().any(one)
    };
    addresses.retain(|from, taken| {
        let bound_first = taken.is_bound_first() && taken.has_many_destinations();
        enough(taken.distinct) && bound_first && !explained(from)
    });
    let mut used: Vec<RouteUsage> = addresses
        .into_iter()
        .map(|(from, taken)| RouteUsage {
            route: (from, None),
            count: taken.distinct,
            process: main_owner(context, &taken.rows),
        })
        .collect();
    used.sort_by_key(|used| used.route);
    used
}

/// True if a socket takes its port from the next `bind` to its address.
/// `TIME_WAIT` that `connect` may use again is left out: it does not concern
/// `bind`.
fn takes_port(row: &Row, room: EphemeralPorts, now: Timestamp) -> bool {
    let socket = &row.socket;
    let within = (room.first..=room.last).contains(&socket.local.port);
    let bound = socket.protocol == Protocol::Tcp && socket.peer().is_none();
    room.is_used_by(row, now) || (bound && within && row.phase != Phase::Closed)
}

/// Ports in use on one address.
#[derive(Default)]
struct AddressPorts<'r> {
    /// One socket per port.
    rows: Vec<&'r Row>,
    ports: HashMap<u16, PortSharing>,
    distinct: u32,
    shared: u32,
}

/// Number of sockets with a port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PortSharing {
    One,
    Several,
}

impl<'r> AddressPorts<'r> {
    fn add(&mut self, row: &'r Row) {
        match self.ports.entry(row.socket.local.port) {
            Entry::Vacant(port) => {
                port.insert(PortSharing::One);
                self.distinct += 1;
                self.rows.push(row);
            }
            Entry::Occupied(mut port) => {
                if port.insert(PortSharing::Several) == PortSharing::One {
                    self.shared += 1;
                }
            }
        }
    }

    /// False if most ports are taken for one destination: that cannot be
    /// distinguished from `connect` alone.
    fn has_many_destinations(&self) -> bool {
        let mut counts: HashMap<Endpoint, u32> = HashMap::new();
        for row in &self.rows {
            *counts.entry(row.socket.remote).or_default() += 1;
        }
        let most = counts.into_iter().filter(|(remote, _)| !remote.is_none());
        let most = most.map(|(_, count)| count).max().unwrap_or(0);
        most <= self.distinct / 2
    }

    fn is_bound_first(&self) -> bool {
        self.shared <= self.distinct / MAX_SHARED_DIVISOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::test_world::row;
    use crate::model::state::State;

    /// True if this number of ports, of which some serve two destinations,
    /// counts as bound first.
    fn bound_first(ports: u16, twice: u16) -> bool {
        let rows: Vec<Row> = (0..ports)
            .chain(0..twice)
            .map(|port| {
                let local = format!("192.0.2.1:{}", 40_000 + port);
                row(
                    Protocol::Tcp,
                    State::Established,
                    &local,
                    "198.51.100.7:443",
                )
            })
            .collect();
        let mut taken = AddressPorts::default();
        for row in &rows {
            taken.add(row);
        }
        assert_eq!((taken.distinct, taken.shared), (ports.into(), twice.into()));
        taken.is_bound_first()
    }

    #[test]
    fn ports_of_several_destinations_are_not_bound_first() {
        assert!(bound_first(1000, 0));
        assert!(bound_first(1000, 20));
        assert!(!bound_first(1000, 21));
        assert!(!bound_first(1000, 1000));
    }
}
