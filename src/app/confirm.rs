//! The question before processes are ended: all facts the user should know,
//! frozen at the moment it was asked.

use super::keys::Key;
use crate::explain::catalogue::Catalogue;
use crate::explain::sentence::fill;
use crate::listing::Relation;
use crate::model::action::{ArmId, ArmedFacts, Life, Reach, Refusal, Target};
use crate::model::caution::{Caution, Demand};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::signal::Signal;
use crate::model::socket::{Socket, SocketKey};
use crate::model::state::State;
use crate::model::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Maximum number of digits of a number to be typed.
const DIGITS: usize = 10;

/// The question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// Processes in question; more than one if rows are tagged.
    pub asked: Vec<Asked>,
    /// Processes that were requested and are excluded, and the reason.
    pub left_out: Vec<(Target, Refusal)>,
    /// Each process alone, or with its tree.
    pub reach: Reach,
    /// Sockets of all of them.
    pub goes: Goes,
    /// Digits typed of the demanded number.
    pub typed: String,
    /// True if a signal was requested before the number was typed.
    pub reminded: bool,
    /// The signal that an answer sends.
    pub chosen: Signal,
    /// Lines scrolled, while the explanation replaces the question.
    pub help: Option<u16>,
    /// Processes that match and are spared: name, pid and role.
    pub spared: Vec<(Target, Relation)>,
}

/// One process in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Id of the request.
    pub id: ArmId,
    /// The process.
    pub target: Target,
    /// The same process as the table knows it.
    pub process: Arc<Process>,
    /// Relation of the socket it was picked by; none if the question is repeated.
    pub relation: Option<Relation>,
    /// True if only the remote end of that socket has the port that the filter
    /// names.
    pub remote_only: bool,
    /// Facts found when it was acquired; none until then.
    pub facts: Option<ArmedFacts>,
}

/// Returns messages about a process whose name or program has changed since it
/// was chosen.
#[must_use]
pub fn changes(facts: &ArmedFacts, words: &Catalogue) -> Vec<String> {
    let changes = [
        ("now_called", &facts.now_called),
        ("now_runs", &facts.now_runs),
    ];
    let said = changes.into_iter().filter_map(|(name, now)| {
        let now = now.as_ref()?;
        fill(words.screen("confirm", name), |_| Some(now.to_string()))
    });
    said.collect()
}

impl Confirm {
    /// Builds a question about these processes, without facts yet.
    #[must_use]
    pub fn about(asked: Vec<Asked>, reach: Reach, observation: &Observation) -> Self {
        let mut confirm = Self {
            asked,
            left_out: Vec::new(),
            reach,
            goes: Goes::default(),
            typed: String::new(),
            reminded: false,
            chosen: Signal::Term,
            help: None,
            spared: Vec::new(),
        };
        confirm.count_sockets(observation);
        confirm
    }

    /// Returns the process, if only one was requested.
    #[must_use]
    pub fn single(&self) -> Option<&Asked> {
        match &self.asked[..] {
            [single] if self.left_out.is_empty() => Some(single),
            _ => None,
        }
    }

    /// True if all facts are known.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.asked.is_empty() && self.asked.iter().all(|asked| asked.facts.is_some())
    }

    /// True if a signal has an effect: a process that has ended ignores it.
    #[must_use]
    pub fn is_of_use(&self) -> bool {
        let ended = |asked: &Asked| {
            asked
                .facts
                .as_ref()
                .is_some_and(|facts| facts.life == Life::Zombie)
        };
        !self.asked.iter().all(ended)
    }

    /// True if there is a tree to choose.
    #[must_use]
    pub fn has_tree(&self) -> bool {
        let facts = self.single().and_then(|single| single.facts.as_ref());
        facts.is_some_and(|facts| !facts.descendants.is_empty() && facts.life != Life::Zombie)
    }

    /// Returns the number that must be typed first, and the reasons.
    #[must_use]
    pub fn demand(&self) -> Option<Demand> {
        let known = self.asked.iter().filter_map(|asked| asked.facts.as_ref());
        let mut cautions: Vec<Caution> = known
            .flat_map(|facts| facts.cautions_for(self.reach))
            .collect();
        if self.asked.iter().any(|asked| asked.remote_only) {
            cautions.push(Caution::RemoteOnly);
        }
        if self.asked.len() > 1 {
            let count = u32::try_from(self.asked.len()).unwrap_or(u32::MAX);
            cautions.push(Caution::Several(count));
        }
        Demand::of(cautions, self.asked.first()?.target.pid)
    }

    /// True if nothing more has to be typed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.demand()
            .is_none_or(|demand| demand.is_met_by(&self.typed))
    }

    /// Handles a key of the number to be typed. True if it was one.
    pub(super) fn take(&mut self, key: Key) -> bool {
        if !self.is_ready() || self.demand().is_none() {
            return false;
        }
        match key {
            Key::Char(digit) if digit.is_ascii_digit() => {
                if self.typed.len() < DIGITS {
                    self.typed.push(digit);
                }
            }
            Key::Backspace | Key::Ctrl('h') => drop(self.typed.pop()),
            _ => return false,
        }
        self.reminded = false;
        true
    }

    /// Toggles between the process and its tree. The number typed so far was for
    /// the other one.
    pub(super) fn turn(&mut self, observation: &Observation) {
        self.reach = match self.reach {
            Reach::Process => Reach::Tree,
            Reach::Tree => Reach::Process,
        };
        self.typed.clear();
        self.reminded = false;
        self.count_sockets(observation);
    }

    /// Excludes a process.
    pub(super) fn leave_out(&mut self, id: ArmId, refusal: Refusal) {
        if let Some(place) = self.asked.iter().position(|asked| asked.id == id) {
            let asked = self.asked.remove(place);
            self.left_out.push((asked.target, refusal));
        }
    }

    /// Collects the affected sockets.
    pub(super) fn count_sockets(&mut self, observation: &Observation) {
        let mut pids: BTreeSet<u32> = self.asked.iter().map(|asked| asked.target.pid).collect();
        if self.reach == Reach::Tree {
            let known = self.asked.iter().filter_map(|asked| asked.facts.as_ref());
            let below = known.flat_map(|facts| &facts.descendants);
            pids.extend(below.map(|(pid, _)| *pid));
        }
        self.goes = Goes::of(&pids, observation);
    }
}

/// The sockets that processes hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goes {
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
    pub busy: BTreeMap<u32, u32>,
    /// Other holders of one of the listeners.
    pub listeners_held_by: BTreeSet<u32>,
}

impl Goes {
    /// Collects the sockets of some processes from the table.
    #[must_use]
    pub fn of(pids: &BTreeSet<u32>, observation: &Observation) -> Self {
        let mut goes = Self::default();
        for row in held_by(pids, observation) {
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
        goes.count_busy(observation);
        goes
    }

    /// Counts the connections that the other holders have accepted.
    fn count_busy(&mut self, observation: &Observation) {
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
                    *self.busy.entry(owner.pid).or_default() += 1;
                }
            }
        }
    }

    /// Returns the parent of a process, by pid and name, if it probably starts
    /// another one in its place: a master that runs the same program, holds the
    /// listener, too, and is not ended along.
    #[must_use]
    pub fn restarter<'f>(&self, facts: &'f ArmedFacts) -> Option<&'f (u32, Text)> {
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
fn held_by<'a>(
    pids: &'a BTreeSet<u32>,
    observation: &'a Observation,
) -> impl Iterator<Item = &'a Row> {
    observation.rows.iter().filter(move |row| {
        let holders = row.owners.of(&observation.holders).iter();
        let mut owners = holders.filter_map(|holder| observation.process(holder.process));
        row.phase != Phase::Closed && owners.any(|owner| pids.contains(&owner.pid))
    })
}
