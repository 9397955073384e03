//! Outcome of a signal: process exit, freed ports, and ports taken again.

mod telling;

use super::App;
use super::aftermath::Aftermath;
use super::confirm::{Asked, Confirm, Goes};
use super::effect::Effect;
use super::notice::Notice;
use crate::model::action::{ArmId, Outcome, Reach, Refusal, Target};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::signal::Signal;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Time after the end for which ports are watched for a new process: service
/// managers wait up to some seconds before they restart one.
const WATCHED_MS: u64 = 15_000;
/// Tolerance of start times, which are known to about a second, as is boot time.
const SLACK_MS: u64 = 1500;

/// A signal that was sent to some processes, and its outcome so far.
#[derive(Clone, Debug)]
pub(super) struct Affair {
    signal: Signal,
    reach: Reach,
    parties: Vec<Party>,
    goes: Goes,
    before: Before,
    /// Number of the latest table when the last process ended, and the time.
    ended: Option<(u64, u64)>,
    /// Number of ports taken again in the last notice; none before the ports were
    /// reported.
    taken: Option<usize>,
    /// Text of the last notice.
    told: String,
}

/// Processes and time when the signal was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    processes: BTreeSet<(u32, u64)>,
    wall_ms: u64,
}

impl Before {
    fn of(observation: &Observation) -> Self {
        let processes = observation.processes.iter();
        Self {
            processes: processes
                .map(|process| (process.pid, process.start_ticks))
                .collect(),
            wall_ms: observation.time.wall_ms,
        }
    }

    /// True if a process was started since.
    pub(super) fn is_new(&self, process: &Process) -> bool {
        let known = (process.pid, process.start_ticks);
        let started = process.started_ms.unwrap_or(0);
        !self.processes.contains(&known) && started + SLACK_MS >= self.wall_ms
    }
}

/// A process that was sent the signal.
#[derive(Clone, Debug)]
struct Party {
    id: ArmId,
    target: Target,
    process: Arc<Process>,
    /// Number of processes the signal was sent to, for a tree.
    reached: usize,
    fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// No result yet.
    Asked,
    /// It received the signal and runs.
    Sent,
    Ended(Duration),
    /// It still runs after this time, although the signal should end it.
    Runs(Duration),
    /// It still runs, as expected after this signal.
    GoesOn,
    Refused(Refusal),
}

impl Party {
    fn runs(&self) -> bool {
        matches!(self.fate, Fate::Asked | Fate::Sent | Fate::Runs(_))
    }

    fn asked(&self) -> Asked {
        // It may have closed its socket before it ended.
        let target = Target {
            inode: None,
            ..self.target.clone()
        };
        Asked {
            id: self.id,
            target,
            process: Arc::clone(&self.process),
            relation: None,
            remote_only: false,
            facts: None,
        }
    }
}

/// Step to take with a new table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// Read the next table at once.
    Refresh,
    /// Report the ports it shows.
    Aftermath,
}

impl Affair {
    pub(super) fn new(confirm: Confirm, signal: Signal, observation: &Observation) -> Self {
        let party = |asked: Asked| Party {
            id: asked.id,
            target: asked.target,
            process: asked.process,
            reached: 1,
            fate: Fate::Asked,
        };
        Self {
            signal,
            reach: confirm.reach,
            parties: confirm.asked.into_iter().map(party).collect(),
            goes: confirm.goes,
            before: Before::of(observation),
            ended: None,
            taken: None,
            told: String::new(),
        }
    }

    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// Ids under which processes are held.
    pub(super) fn ids(&self) -> Vec<ArmId> {
        self.parties.iter().map(|party| party.id).collect()
    }

    /// True if a process is held to watch the outcome of the signal.
    pub(super) fn watches(&self, id: ArmId) -> bool {
        let mut parties = self.parties.iter();
        parties.any(|party| party.id == id && party.runs())
    }

    /// Returns the existing request that holds a process.
    pub(super) fn held(&self, process: &Process) -> Option<Asked> {
        let same = |party: &&Party| {
            party.runs()
                && party.target.pid == process.pid
                && party.target.start_ticks == process.start_ticks
        };
        self.parties.iter().find(same).map(Party::asked)
    }

    /// Returns the requests whose process still runs after some seconds.
    pub(super) fn stubborn(&self) -> Vec<Asked> {
        let stubborn = |party: &&Party| matches!(party.fate, Fate::Runs(_));
        self.parties
            .iter()
            .filter(stubborn)
            .map(Party::asked)
            .collect()
    }

    fn party(&mut self, id: ArmId) -> Option<&mut Party> {
        self.parties.iter_mut().find(|party| party.id == id)
    }

    fn any(&self, which: impl Fn(&Fate) -> bool) -> bool {
        self.parties.iter().any(|party| which(&party.fate))
    }

    /// True if the outcome for some process is pending.
    fn is_open(&self) -> bool {
        self.any(|fate| matches!(fate, Fate::Asked | Fate::Sent))
    }

    /// True if a process is part of it.
    fn has(&self, id: ArmId) -> bool {
        self.parties.iter().any(|party| party.id == id)
    }

    /// Returns the step that a table requires.
    fn due(&self, observation: &Observation) -> Due {
        let runs = || self.any(|fate| matches!(fate, Fate::Runs(_)));
        match self.ended {
            Some(_) if self.is_open() || runs() => Due::Nothing,
            Some((then, _)) if observation.number < then + 2 => Due::Refresh,
            Some(_) => Due::Aftermath,
            None => Due::Nothing,
        }
    }

    /// True if no further outcome is expected.
    fn is_over(&self, observation: &Observation) -> bool {
        if self.is_open() || self.any(|fate| matches!(fate, Fate::Runs(_))) {
            return false;
        }
        self.ended
            .is_none_or(|(_, then)| observation.time.monotonic_ms >= then + WATCHED_MS)
    }
}

/// Maximum number of signals tracked at once; the oldest are released.
const FOLLOWED: usize = 8;

impl App {
    /// Tracks the outcome of a signal. A process that was signalled before is
    /// tracked as part of the new one.
    pub(super) fn begin(&mut self, affair: Affair) -> Vec<Effect> {
        let taken_over = affair.ids();
        for earlier in &mut self.affairs {
            earlier
                .parties
                .retain(|party| !taken_over.contains(&party.id));
        }
        self.affairs.retain(|earlier| !earlier.parties.is_empty());
        let surplus = (self.affairs.len() + 1).saturating_sub(FOLLOWED);
        let dropped: Vec<Affair> = self.affairs.drain(..surplus).collect();
        self.affairs.push(affair);
        let ids = dropped.iter().flat_map(Affair::ids);
        ids.flat_map(|id| self.let_go(id)).collect()
    }

    /// Records the number of processes in a tree that was signalled.
    pub(super) fn reached(&mut self, id: ArmId, count: usize) -> Vec<Effect> {
        let mut affairs = self.affairs.iter_mut();
        if let Some(party) = affairs.find_map(|affair| affair.party(id)) {
            party.reached = count;
        }
        Vec::new()
    }

    pub(super) fn acted(&mut self, id: ArmId, outcome: Outcome) -> Vec<Effect> {
        let now = (self.newest, self.newest_ms);
        let place = self.affairs.iter().position(|affair| affair.has(id));
        let Some(affair) = place.and_then(|place| self.affairs.get_mut(place)) else {
            return Vec::new();
        };
        let Some(party) = affair.party(id) else {
            return Vec::new();
        };
        party.fate = match outcome {
            Outcome::Ended { after, .. } => Fate::Ended(after),
            Outcome::Sent { .. } => Fate::Sent,
            Outcome::StillRunning { signal, .. } if !signal.ends() => Fate::GoesOn,
            Outcome::StillRunning { after, .. } => Fate::Runs(after),
            Outcome::Refused(refusal) => Fate::Refused(refusal),
        };
        let ended = matches!(party.fate, Fate::Ended(_));
        if ended {
            affair.ended = Some(now);
        }
        self.tell_of_affair(place.unwrap_or_default(), None);
        // The table shows the fate of its sockets: read it now.
        ended.then_some(Effect::Refresh).into_iter().collect()
    }

    /// Once the processes have ended, a table must confirm the fate of their
    /// sockets and listening ports. The first table after the end may have been
    /// under way before it; the second is reported. Later ones show if a process
    /// takes a port again.
    pub(super) fn follow_up(&mut self, observation: &Observation) -> Vec<Effect> {
        self.newest = observation.number;
        self.newest_ms = observation.time.monotonic_ms;
        self.affairs.retain(|affair| !affair.is_over(observation));
        let mut refresh = false;
        for place in 0..self.affairs.len() {
            let Some(affair) = self.affairs.get(place) else {
                continue;
            };
            match affair.due(observation) {
                Due::Nothing => {}
                Due::Refresh => refresh = true,
                Due::Aftermath => {
                    let aftermath = Aftermath::of(&affair.goes, &affair.before, observation);
                    if affair.taken.is_none_or(|taken| aftermath.taken() > taken) {
                        self.tell_of_affair(place, Some(&aftermath));
                    }
                }
            }
        }
        refresh.then_some(Effect::Refresh).into_iter().collect()
    }

    /// Shows a notice with the outcome, if that has changed.
    fn tell_of_affair(&mut self, place: usize, aftermath: Option<&Aftermath>) {
        let Some(affair) = self.affairs.get(place) else {
            return;
        };
        let mut sentences = self.fates(affair);
        sentences.extend(aftermath.into_iter().flat_map(|found| self.ports(found)));
        let text = self.words.sentences(&sentences);
        let offers = !affair.stubborn().is_empty();
        if let Some(affair) = self.affairs.get_mut(place) {
            affair.taken = aftermath.map(Aftermath::taken).or(affair.taken);
            if text.is_empty() || affair.told == text {
                return;
            }
            affair.told.clone_from(&text);
        }
        let notice = Notice::new(text, self.observation.time);
        self.notice = Some(if offers { notice.with_offer() } else { notice });
    }
}
