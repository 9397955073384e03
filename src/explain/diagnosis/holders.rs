//! Holders of one listener, and the relevant one: in a server that forks, the
//! workers accept, and the master never does.

use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The holders of a row, smallest pid first, each with the number of its
/// connections on the port; they are counted for listeners only.
fn holders<'o>(row: &Row, observation: &'o Observation) -> Vec<(&'o Arc<Process>, u32)> {
    let mut busy: BTreeMap<u32, u32> = BTreeMap::new();
    let place = (row.socket.namespace, row.socket.local.port);
    let is_shared = observation.owners(row).nth(1).is_some();
    if is_shared && row.socket.state == State::Listen {
        let accepted = observation.rows.iter().filter(|other| {
            let socket = &other.socket;
            let near = (socket.namespace, socket.local.port) == place;
            near && socket.peer().is_some() && other.phase != Phase::Closed
        });
        for other in accepted {
            for (owner, _) in observation.owners(other) {
                *busy.entry(owner.pid).or_default() += 1;
            }
        }
    }
    observation
        .owners(row)
        .map(|(owner, _)| (owner, busy.get(&owner.pid).copied().unwrap_or(0)))
        .collect()
}

/// The holder that acts on the socket: of a shared listener the one with the
/// most connections on the port, else one that another holder has started, else
/// the first.
pub(super) fn acting_holder<'o>(
    row: &Row,
    observation: &'o Observation,
) -> Option<&'o Arc<Process>> {
    if row.socket.state != State::Listen {
        return observation.first_owner(row);
    }
    let holders = holders(row, observation);
    let most = holders.iter().map(|(_, count)| *count).max().unwrap_or(0);
    if let Some((busiest, _)) = holders.iter().find(|(_, count)| *count == most && most > 0) {
        return Some(busiest);
    }
    let holds = |pid: u32| holders.iter().any(|(holder, _)| holder.pid == pid);
    let is_worker = |holder: &Process| holder.ancestors.first().is_some_and(|(pid, _)| holds(*pid));
    let mut all = holders.iter().map(|(holder, _)| *holder);
    all.find(|holder| is_worker(holder))
        .or_else(|| observation.first_owner(row))
}
