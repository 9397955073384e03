//! The question before processes are ended: all facts the user should know,
//! frozen at the moment it was asked.

use super::keys::Key;
use crate::explain::catalogue::Catalogue;
use crate::explain::template::render;
use crate::listing::SocketRelation;
use crate::model::action::{
    ProcessState, ProcessTarget, SignalRefusal, SignalScope, TargetFacts, TargetId,
};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::risk::{Risk, TypedConfirmation};
use crate::model::row::{Phase, Row};
use crate::model::signal::Signal;
use crate::model::socket::{Socket, SocketKey};
use crate::model::state::State;
use crate::model::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Maximum number of digits of a number to be typed.
const MAX_TYPED_DIGITS: usize = 10;

/// The question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalConfirmation {
    /// Processes in question; more than one if rows are tagged.
    pub targets: Vec<TargetRequest>,
    /// Processes that were requested and are excluded, and the reason.
    pub excluded: Vec<(ProcessTarget, SignalRefusal)>,
    /// Each process alone, or with its tree.
    pub scope: SignalScope,
    /// Sockets of all of them.
    pub affected: AffectedSockets,
    /// Digits typed of the demanded number.
    pub typed: String,
    /// True if a signal was requested before the number was typed.
    pub needs_typing: bool,
    /// The signal that an answer sends.
    pub signal: Signal,
    /// Lines scrolled, while the explanation replaces the question.
    pub help_scroll: Option<u16>,
    /// Processes that match and are spared: name, pid and role.
    pub spared: Vec<(ProcessTarget, SocketRelation)>,
}

/// One process in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRequest {
    /// Id of the request.
    pub id: TargetId,
    /// The process.
    pub target: ProcessTarget,
    /// The same process as the table knows it.
    pub process: Arc<Process>,
    /// Relation of the socket it was picked by; none if the question is repeated.
    pub relation: Option<SocketRelation>,
    /// True if only the remote end of that socket has the port that the filter
    /// names.
    pub remote_only: bool,
    /// Facts found when it was acquired; none until then.
    pub facts: Option<TargetFacts>,
}

/// Returns messages about a process whose name or program has changed since it
/// was chosen.
#[must_use]
pub fn change_messages(facts: &TargetFacts, words: &Catalogue) -> Vec<String> {
    let changes = [
        ("now_called", &facts.current_name),
        ("now_runs", &facts.current_program),
    ];
    let said = changes.into_iter().filter_map(|(name, now)| {
        let now = now.as_ref()?;
        render(words.screen("confirm", name), |_| Some(now.to_string()))
    });
    said.collect()
}

impl SignalConfirmation {
    /// Builds a question about these processes, without facts yet.
    #[must_use]
    pub fn new(asked: Vec<TargetRequest>, reach: SignalScope, observation: &Observation) -> Self {
        let mut confirm = Self {
            targets: asked,
            excluded: Vec::new(),
            scope: reach,
            affected: AffectedSockets::default(),
            typed: String::new(),
            needs_typing: false,
            signal: Signal::Term,
            help_scroll: None,
            spared: Vec::new(),
        };
        confirm.update_affected(observation);
        confirm
    }

    /// Returns the process, if only one was requested.
    #[must_use]
    pub fn single(&self) -> Option<&TargetRequest> {
        match &self.targets[..] {
            [single] if self.excluded.is_empty() => Some(single),
            _ => None,
        }
    }

    /// True if all facts are known.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.targets.is_empty() && self.targets.iter().all(|asked| asked.facts.is_some())
    }

    /// True if a signal has an effect: a process that has ended ignores it.
    #[must_use]
    pub fn has_running_target(&self) -> bool {
        let ended = |asked: &TargetRequest| {
            asked
                .facts
                .as_ref()
                .is_some_and(|facts| facts.state == ProcessState::Zombie)
        };
        !self.targets.iter().all(ended)
    }

    /// True if there is a tree to choose.
    #[must_use]
    pub fn has_tree(&self) -> bool {
        let facts = self.single().and_then(|single| single.facts.as_ref());
        facts.is_some_and(|facts| {
            !facts.descendants.is_empty() && facts.state != ProcessState::Zombie
        })
    }

    /// Returns the number that must be typed first, and the reasons.
    #[must_use]
    pub fn typed_confirmation(&self) -> Option<TypedConfirmation> {
        let known = self.targets.iter().filter_map(|asked| asked.facts.as_ref());
        let mut cautions: Vec<Risk> = known
            .flat_map(|facts| facts.risks_for(self.scope))
            .collect();
        if self.targets.iter().any(|asked| asked.remote_only) {
            cautions.push(Risk::MatchedByRemoteEnd);
        }
        if self.targets.len() > 1 {
            let count = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
            cautions.push(Risk::MultipleTargets(count));
        }
        TypedConfirmation::from_risks(cautions, self.targets.first()?.target.pid)
    }

    /// True if nothing more has to be typed.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.typed_confirmation()
            .is_none_or(|demand| demand.matches(&self.typed))
    }

    /// Handles a key of the number to be typed. True if it was one.
    pub(super) fn handle_key(&mut self, key: Key) -> bool {
        if !self.is_ready() || self.typed_confirmation().is_none() {
            return false;
        }
        match key {
            Key::Char(digit) if digit.is_ascii_digit() => {
                if self.typed.len() < MAX_TYPED_DIGITS {
                    self.typed.push(digit);
                }
            }
            Key::Backspace | Key::Ctrl('h') => drop(self.typed.pop()),
            _ => return false,
        }
        self.needs_typing = false;
        true
    }

    /// Toggles between the process and its tree. The number typed so far was for
    /// the other one.
    pub(super) fn toggle_scope(&mut self, observation: &Observation) {
        self.scope = match self.scope {
            SignalScope::Process => SignalScope::Tree,
            SignalScope::Tree => SignalScope::Process,
        };
        self.typed.clear();
        self.needs_typing = false;
        self.update_affected(observation);
    }

    /// Excludes a process.
    pub(super) fn exclude(&mut self, id: TargetId, refusal: SignalRefusal) {
        if let Some(place) = self.targets.iter().position(|asked| asked.id == id) {
            let asked = self.targets.remove(place);
            self.excluded.push((asked.target, refusal));
        }
    }

    /// Collects the affected sockets.
    pub(super) fn update_affected(&mut self, observation: &Observation) {
        let mut pids: BTreeSet<u32> = self.targets.iter().map(|asked| asked.target.pid).collect();
        if self.scope == SignalScope::Tree {
            let known = self.targets.iter().filter_map(|asked| asked.facts.as_ref());
            let below = known.flat_map(|facts| &facts.descendants);
            pids.extend(below.map(|(pid, _)| *pid));
        }
        self.affected = AffectedSockets::from_pids(&pids, observation);
    }
}

/// The sockets that processes hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AffectedSockets {
    /// Listening sockets.
    pub listening: Vec<Socket>,
    /// Number of sockets in each other state.
    pub states: BTreeMap<State, u32>,
    /// Keys of all these sockets.
    pub sockets: BTreeSet<SocketKey>,
    /// Other processes that hold some of them too.
    pub shared_with: BTreeSet<(u32, Text)>,
    /// True if other processes hold one of the listeners, too.
    pub listener_shared: bool,
    /// Number of connections of each other holder on the listening ports.
    pub connections_of_holder: BTreeMap<u32, u32>,
    /// Other holders of one of the listeners.
    pub listeners_held_by: BTreeSet<u32>,
}

impl AffectedSockets {
    /// Collects the sockets of some processes from the table.
    #[must_use]
    pub fn from_pids(pids: &BTreeSet<u32>, observation: &Observation) -> Self {
        let mut goes = Self::default();
        for row in rows_held_by(pids, observation) {
            let socket = &row.socket;
            goes.sockets.insert(socket.key());
            let others: Vec<(u32, Text)> = observation
                .owners(row)
                .filter(|(owner, _)| !pids.contains(&owner.pid))
                .map(|(owner, _)| (owner.pid, owner.name.clone()))
                .collect();
            if socket.state == State::Listen {
                goes.listening.push(*socket);
                goes.listener_shared |= !others.is_empty();
                goes.listeners_held_by
                    .extend(others.iter().map(|(pid, _)| *pid));
            } else {
                *goes.states.entry(socket.state).or_default() += 1;
            }
            goes.shared_with.extend(others);
        }
        goes.listening.sort_by_key(|socket| socket.local.port);
        goes.count_connections_of_holders(observation);
        goes
    }

    /// Counts the connections that the other holders have accepted.
    fn count_connections_of_holders(&mut self, observation: &Observation) {
        if self.listeners_held_by.is_empty() {
            return;
        }
        let place = |socket: &Socket| (socket.namespace, socket.local.port);
        let places: BTreeSet<(u32, u16)> = self.listening.iter().map(place).collect();
        let rows = observation.rows.iter();
        let accepted = rows.filter(|row| {
            let socket = &row.socket;
            let open = row.phase != Phase::Closed && socket.peer().is_some();
            open && places.contains(&place(socket))
        });
        for row in accepted {
            for (owner, _) in observation.owners(row) {
                if self.listeners_held_by.contains(&owner.pid) {
                    *self.connections_of_holder.entry(owner.pid).or_default() += 1;
                }
            }
        }
    }

    /// Returns the parent of a process, by pid and name, if it probably starts
    /// another one in its place: a master that runs the same program, holds the
    /// listener, too, and is not ended along.
    #[must_use]
    pub fn likely_restarter<'f>(&self, facts: &'f TargetFacts) -> Option<&'f (u32, Text)> {
        let parent = facts.parent.as_ref()?;
        let (pid, name) = parent;
        let same = *pid != 1 && *name == facts.target.name;
        (same && self.listeners_held_by.contains(pid)).then_some(parent)
    }

    /// Number of sockets.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sockets.len()
    }

    /// The listening ports, each once.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self
            .listening
            .iter()
            .map(|socket| socket.local.port)
            .collect();
        ports.dedup();
        ports
    }
}

/// Returns the present rows held by some processes.
fn rows_held_by<'a>(
    pids: &'a BTreeSet<u32>,
    observation: &'a Observation,
) -> impl Iterator<Item = &'a Row> {
    observation.rows.iter().filter(move |row| {
        let holders = row.owners.resolve(&observation.holders).iter();
        let mut owners = holders.filter_map(|holder| observation.process(holder.process));
        row.phase != Phase::Closed && owners.any(|owner| pids.contains(&owner.pid))
    })
}
