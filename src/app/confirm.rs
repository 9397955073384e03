//! The question before a process is ended: everything a person should know,
//! frozen at the moment it was asked.

use crate::model::action::{ArmId, ArmedFacts, Target};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::socket::{Socket, SocketKey};
use crate::model::state::State;
use crate::model::text::Text;
use std::collections::{BTreeMap, BTreeSet};

/// The question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The number of the asking.
    pub id: ArmId,
    /// Whom it is about.
    pub target: Target,
    /// What was found when it was taken hold of; none while that goes on.
    pub facts: Option<ArmedFacts>,
    /// When it was started, milliseconds since 1970.
    pub started_ms: Option<u64>,
    /// What would go with it.
    pub goes: Goes,
}

/// The sockets that a process holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goes {
    /// Where it listens.
    pub listening: Vec<Socket>,
    /// How many sockets in each other state.
    pub states: BTreeMap<State, u32>,
    /// Which sockets these are.
    pub sockets: BTreeSet<SocketKey>,
    /// Other processes that hold some of them too.
    pub shared_with: BTreeSet<(u32, Text)>,
}

impl Goes {
    /// Gathers the sockets of a process from the table.
    #[must_use]
    pub fn of(process: &Process, observation: &Observation) -> Self {
        let mut goes = Self::default();
        for row in held_by(process, observation) {
            let socket = &row.socket;
            goes.sockets.insert(socket.key());
            if socket.state == State::Listen {
                goes.listening.push(*socket);
            } else {
                *goes.states.entry(socket.state).or_default() += 1;
            }
            let others = observation
                .owners(row)
                .filter(|(owner, _)| owner.pid != process.pid)
                .map(|(owner, _)| (owner.pid, owner.name.clone()));
            goes.shared_with.extend(others);
        }
        goes.listening.sort_by_key(|socket| socket.local.port);
        goes
    }

    /// How many sockets there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sockets.len()
    }
}

/// The present rows that a process holds.
pub(super) fn held_by<'a>(
    process: &'a Process,
    observation: &'a Observation,
) -> impl Iterator<Item = &'a Row> {
    observation.rows.iter().filter(move |row| {
        row.phase != Phase::Closed
            && row
                .owners
                .of(&observation.holders)
                .iter()
                .filter_map(|holder| observation.process(holder.process))
                .any(|owner| owner.pid == process.pid && owner.start_ticks == process.start_ticks)
    })
}
