//! How many others are like one socket.

use crate::model::observation::Observation;
use crate::model::row::{Phase, Row};
use crate::model::state::State;

/// How many other rows are like this one: in the same network namespace and
/// state and of the same process, or where there is none, of the same local port
/// (TIME_WAIT: any). Listeners are alike if the kernel may give a client to either:
/// with the same address and interface. Then, how many of these have the same
/// peer.
pub(super) fn siblings(row: &Row, observation: &Observation) -> (u32, u32) {
    let socket = &row.socket;
    let owner = |row: &Row| Some(row.owners.of(&observation.holders).first()?.process);
    let own = owner(row);
    let mut alike = 0_u32;
    let mut same_remote = 0_u32;
    for other in observation.rows.iter() {
        let kin = other.socket.state == socket.state
            && other.socket.protocol == socket.protocol
            && other.socket.namespace == socket.namespace
            && other.phase != Phase::Closed
            && match (socket.state, own) {
                (State::TimeWait, _) => true,
                (State::Listen, _) => {
                    other.socket.local == socket.local && other.socket.interface == socket.interface
                }
                (_, Some(own)) => owner(other) == Some(own),
                (_, None) => other.socket.local.port == socket.local.port,
            };
        alike += u32::from(kin);
        same_remote += u32::from(kin && other.socket.remote == socket.remote);
    }
    let present = u32::from(row.phase != Phase::Closed);
    (
        alike.saturating_sub(present),
        same_remote.saturating_sub(present),
    )
}

/// Half-open connections that this listener would take; 0 for any other row.
pub(super) fn half_open(row: &Row, observation: &Observation) -> u32 {
    if row.socket.state != State::Listen || observation.tally.tcp(State::SynReceived) == 0 {
        // A large table is not walked for nothing.
        return 0;
    }
    let half_open = observation.rows.iter().filter(|other| {
        other.socket.state == State::SynReceived
            && other.phase != Phase::Closed
            && row.socket.takes(&other.socket)
    });
    u32::try_from(half_open.count()).unwrap_or(u32::MAX)
}
