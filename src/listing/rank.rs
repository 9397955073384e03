//! Alphabetical ranks of names, computed once, so that sorting need not compare
//! texts.

use crate::model::observation::Observation;
use crate::model::owner::ProcessId;
use crate::model::row::Row;
use crate::model::text::Text;
use crate::model::unit::Unit;

/// Ranks of the names in one observation.
pub(super) struct Ranks {
    /// By process: in the order of name, pid and start.
    processes: Vec<u32>,
    /// By process: in the order of the unit's name; none for those without.
    units: Vec<Option<u32>>,
    /// By place among the units that opened sockets: the same ranks.
    openers: Vec<u32>,
    /// By place in the observation's users; none for those without a name.
    users: Vec<Option<u32>>,
}

impl Ranks {
    pub(super) fn new(observation: &Observation) -> Self {
        let processes = ranked(&observation.processes, |process| {
            let name = process.name.as_str();
            (name.to_lowercase(), name, process.pid, process.start_ticks)
        });
        let of_processes = observation.processes.iter();
        let mut units: Vec<Option<&Text>> = of_processes
            .map(|process| process.unit.as_ref().map(Unit::text))
            .collect();
        let openers = observation.openers.units().iter();
        units.extend(openers.map(|unit| Some(unit.text())));
        let mut ranks = ranked(&units, |unit| *unit);
        let openers = ranks.split_off(observation.processes.len());
        let units = ranks
            .into_iter()
            .zip(units)
            .map(|(rank, unit)| unit.is_some().then_some(rank))
            .collect();
        let users = ranked(&observation.users, |user| {
            let name = user.name.as_ref().map(Text::as_str);
            (name.map(str::to_lowercase), name, user.uid)
        });
        let users = users
            .into_iter()
            .zip(observation.users.iter())
            .map(|(rank, user)| user.name.is_some().then_some(rank))
            .collect();
        Self {
            processes,
            units,
            openers,
            users,
        }
    }

    /// The rank of a process; equal ones share it.
    pub(super) fn process(&self, id: ProcessId) -> u32 {
        self.processes
            .get(id.0 as usize)
            .copied()
            .unwrap_or(u32::MAX)
    }

    /// The rank of the unit that a process runs in, if it runs in one.
    pub(super) fn unit(&self, id: ProcessId) -> Option<u32> {
        *self.units.get(id.0 as usize)?
    }

    /// The rank of the unit that opened a row's socket, if that is known.
    pub(super) fn opener(&self, row: &Row, observation: &Observation) -> Option<u32> {
        row.no_owner_reason?;
        let place = observation.openers.place(&row.socket.key())?;
        self.openers.get(place).copied()
    }

    /// Ranks named users by name, then the others by number.
    pub(super) fn user(&self, observation: &Observation, uid: u32) -> u64 {
        let place = observation
            .users
            .binary_search_by_key(&uid, |user| user.uid);
        let rank = place.ok().and_then(|place| *self.users.get(place)?);
        rank.map_or(1 << 32 | u64::from(uid), u64::from)
    }
}

/// Returns the rank of each item by a key; equal ones share it.
fn ranked<'i, T, K: Ord>(items: &'i [T], key: impl Fn(&'i T) -> K) -> Vec<u32> {
    let mut order: Vec<(K, usize)> = items.iter().map(key).zip(0..).collect();
    order.sort_unstable();
    let mut ranks = vec![0; items.len()];
    let runs = order.chunk_by(|(left, _), (right, _)| left == right);
    for (rank, run) in (0_u32..).zip(runs) {
        for (_, place) in run {
            if let Some(slot) = ranks.get_mut(*place) {
                *slot = rank;
            }
        }
    }
    ranks
}
