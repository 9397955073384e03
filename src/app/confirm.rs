//! The question before processes are ended: everything a person should know,
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

/// No number that is to be typed has more digits.
const DIGITS: usize = 10;

/// The question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// Whom it is about; more than one where rows are tagged.
    pub asked: Vec<Asked>,
    /// Who was asked for and is left out, and why.
    pub left_out: Vec<(Target, Refusal)>,
    /// Each process alone, or with its tree.
    pub reach: Reach,
    /// What would go with all of them.
    pub goes: Goes,
    /// What has been typed of the number that is demanded.
    pub typed: String,
    /// Whether a signal was asked for before the number was typed.
    pub reminded: bool,
    /// The signal that an answer sends.
    pub chosen: Signal,
    /// Lines scrolled, while the question is explained instead of shown.
    pub help: Option<u16>,
    /// Processes that match and are left alone: name, pid and role.
    pub spared: Vec<(Target, Relation)>,
}

/// One process that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The number of the asking.
    pub id: ArmId,
    /// Whom it is about.
    pub target: Target,
    /// The same as the table knows it.
    pub process: Arc<Process>,
    /// What the socket it was picked by is to it; none where a process is asked
    /// about again.
    pub relation: Option<Relation>,
    /// True if only the remote end of that socket has the port that the filter
    /// asks for.
    pub remote_only: bool,
    /// What was found when it was taken hold of; none while that goes on.
    pub facts: Option<ArmedFacts>,
}

/// The name and the program of a process where they are no longer what it was chosen
/// by, in words.
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
    /// A question about these processes, of which nothing is found out yet.
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

    /// The process, where only one was asked for.
    #[must_use]
    pub fn single(&self) -> Option<&Asked> {
        match &self.asked[..] {
            [single] if self.left_out.is_empty() => Some(single),
            _ => None,
        }
    }

    /// Whether everything that is to be known is known.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.asked.is_empty() && self.asked.iter().all(|asked| asked.facts.is_some())
    }

    /// Whether a signal could do anything: not to a process that has ended.
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

    /// Whether there is a tree to choose.
    #[must_use]
    pub fn has_tree(&self) -> bool {
        let facts = self.single().and_then(|single| single.facts.as_ref());
        facts.is_some_and(|facts| !facts.descendants.is_empty() && facts.life != Life::Zombie)
    }

    /// The number that must be typed first, and why.
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

    /// Whether nothing has to be typed any more.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.demand()
            .is_none_or(|demand| demand.is_met_by(&self.typed))
    }

    /// Takes a key that belongs to the number to be typed. Says whether it did.
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

    /// Turns from the process to its tree, or back. What was typed was typed
    /// for the other.
    pub(super) fn turn(&mut self, observation: &Observation) {
        self.reach = match self.reach {
            Reach::Process => Reach::Tree,
            Reach::Tree => Reach::Process,
        };
        self.typed.clear();
        self.reminded = false;
        self.count_sockets(observation);
    }

    /// Leaves a process out.
    pub(super) fn leave_out(&mut self, id: ArmId, refusal: Refusal) {
        if let Some(place) = self.asked.iter().position(|asked| asked.id == id) {
            let asked = self.asked.remove(place);
            self.left_out.push((asked.target, refusal));
        }
    }

    /// Gathers what would go.
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
    /// Where they listen.
    pub listening: Vec<Socket>,
    /// How many sockets in each other state.
    pub states: BTreeMap<State, u32>,
    /// Which sockets these are.
    pub sockets: BTreeSet<SocketKey>,
    /// Other processes that hold some of them too.
    pub shared_with: BTreeSet<(u32, Text)>,
    /// Whether one of the listeners is among what others hold.
    pub listener_shared: bool,
    /// Of those others, how many connections each has on the ports that are
    /// listened on.
    pub busy: BTreeMap<u32, u32>,
    /// Other holders of one of the listeners.
    pub listeners_held_by: BTreeSet<u32>,
}

impl Goes {
    /// Gathers the sockets of some processes from the table.
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

    /// The parent of a process, by pid and name, if it probably starts another one
    /// in its place: a master that runs the same program, holds the listener, too,
    /// and is not ended along.
    #[must_use]
    pub fn restarter<'f>(&self, facts: &'f ArmedFacts) -> Option<&'f (u32, Text)> {
        let parent = facts.parent.as_ref()?;
        let (pid, name) = parent;
        let same = *pid != 1 && *name == facts.target.name;
        (same && self.listeners_held_by.contains(pid)).then_some(parent)
    }

    /// How many sockets there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sockets.len()
    }

    /// The ports that are listened on, each once.
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

/// The present rows that some processes hold.
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
