//! Ending a process: ask, confirm, signal, and see whether it is gone.
//!
//! The app never holds a descriptor. It names an asking by its number, and
//! `control` keeps the process behind it.

use super::App;
use super::aftermath::{Aftermath, PortFate};
use super::confirm::{Confirm, Goes};
use super::effect::Effect;
use super::mode::Mode;
use super::notice::{self, Notice};
use crate::explain::lengths::length;
use crate::explain::sentence::fill;
use crate::model::action::{ArmId, ArmedFacts, Outcome, Policy, Refusal, Target};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::Phase;
use crate::model::signal::Signal;
use std::sync::Arc;
use std::time::Duration;

/// A process that a signal was sent to.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    id: ArmId,
    process: Arc<Process>,
    goes: Goes,
    /// How it ended, once it has, and the number of the latest table then.
    ended: Option<(Duration, Signal, u64)>,
}

impl App {
    pub(super) fn end_process(&mut self) -> Vec<Effect> {
        if self.policy == Policy::Look {
            self.say("read_only", &[]);
            return Vec::new();
        }
        let Some(row) = self.selected() else {
            return self.nothing_selected();
        };
        let Some(owner) = self.observation.first_owner(row).cloned() else {
            let reason = row
                .unowned
                .and_then(|reason| self.words.unowned(reason))
                .map_or(String::new(), |words| words.short.clone());
            self.say("no_owner", &[("reason", reason)]);
            return Vec::new();
        };
        // A row that is closed no longer has its socket: identity is then
        // checked by start and name alone.
        let inode = (row.phase != Phase::Closed)
            .then_some(row.socket.inode)
            .flatten();
        let id = ArmId(self.next_arm);
        self.next_arm += 1;
        let target = Target {
            pid: owner.pid,
            start_ticks: owner.start_ticks,
            name: owner.name.clone(),
            inode,
        };
        self.mode = Mode::Confirm(Box::new(Confirm {
            id,
            target: target.clone(),
            facts: None,
            started_ms: owner.started_ms,
            goes: Goes::of(&owner, &self.observation),
        }));
        vec![Effect::Arm(id, target)]
    }

    pub(super) fn armed(&mut self, id: ArmId, result: Result<ArmedFacts, Refusal>) -> Vec<Effect> {
        let Mode::Confirm(confirm) = &mut self.mode else {
            return vec![Effect::Disarm(id)];
        };
        if confirm.id != id {
            return vec![Effect::Disarm(id)];
        }
        match result {
            Ok(facts) => confirm.facts = Some(facts),
            Err(refusal) => {
                let target = confirm.target.clone();
                self.mode = Mode::Table;
                self.refused(&target, &refusal);
            }
        }
        Vec::new()
    }

    pub(super) fn confirm(&mut self, signal: Signal) -> Vec<Effect> {
        let Mode::Confirm(confirm) = &self.mode else {
            return Vec::new();
        };
        if confirm.facts.is_none() || !self.question_shown {
            return Vec::new();
        }
        let confirm = confirm.clone();
        self.mode = Mode::Table;
        self.pending = Some(Pending {
            id: confirm.id,
            process: Arc::new(Process {
                pid: confirm.target.pid,
                start_ticks: confirm.target.start_ticks,
                name: confirm.target.name,
                ..Process::default()
            }),
            goes: confirm.goes,
            ended: None,
        });
        vec![Effect::Signal(confirm.id, signal)]
    }

    pub(super) fn cancel(&mut self) -> Vec<Effect> {
        if let Mode::Close(_) = self.mode {
            self.mode = Mode::Table;
            return Vec::new();
        }
        let Mode::Confirm(confirm) = &self.mode else {
            return Vec::new();
        };
        let id = confirm.id;
        self.mode = Mode::Table;
        vec![Effect::Disarm(id)]
    }

    pub(super) fn acted(&mut self, id: ArmId, outcome: Outcome) -> Vec<Effect> {
        let newest = self.newest;
        let Some(pending) = &mut self.pending else {
            return Vec::new();
        };
        if pending.id != id {
            return Vec::new();
        }
        let process = Arc::clone(&pending.process);
        match outcome {
            Outcome::Ended { after, signal } => {
                pending.ended = Some((after, signal, newest));
                self.outcome("ended", &process, after, signal);
                // The table says what became of its sockets: read it now.
                return vec![Effect::Refresh];
            }
            Outcome::Sent { signal } => self.outcome("sent", &process, Duration::ZERO, signal),
            Outcome::StillRunning { after, signal } => {
                self.pending = None;
                self.outcome("still_running", &process, after, signal);
                let more = match signal {
                    Signal::Kill => "still_running_kill",
                    _ => "still_running_term",
                };
                let more = self.words.outcome(more).to_owned();
                self.add_to_notice(&more);
            }
            Outcome::Refused(refusal) => {
                self.pending = None;
                let target = Target {
                    pid: process.pid,
                    start_ticks: process.start_ticks,
                    name: process.name.clone(),
                    inode: None,
                };
                self.refused(&target, &refusal);
            }
        }
        Vec::new()
    }

    /// Once the process has ended, the table must confirm it: what became of
    /// its sockets, and of the ports it listened on? The first table after
    /// the end may have been under way before it; the second tells.
    pub(super) fn follow_up(&mut self, observation: &Observation) -> Vec<Effect> {
        self.newest = observation.number;
        let Some(pending) = &self.pending else {
            return Vec::new();
        };
        let Some((after, signal, then)) = pending.ended else {
            return Vec::new();
        };
        if observation.number < then + 2 {
            return vec![Effect::Refresh];
        }
        let pending = pending.clone();
        self.pending = None;
        self.outcome("ended", &pending.process, after, signal);
        let aftermath = Aftermath::of(&pending.goes, observation);
        for sentence in self.aftermath(&aftermath) {
            self.add_to_notice(&sentence);
        }
        Vec::new()
    }

    fn aftermath(&self, aftermath: &Aftermath) -> Vec<String> {
        let say = |name: &str, count: usize| {
            let sentence = self.words.outcome(name);
            (count > 0).then(|| fill(sentence, |_| Some(count.to_string())))?
        };
        let gone = match aftermath.gone {
            1 => "gone_from_table_one",
            _ => "gone_from_table",
        };
        let mut said: Vec<String> = say(gone, aftermath.gone).into_iter().collect();
        said.extend(say("left_to_kernel", aftermath.in_kernel));
        said.extend(say("left_to_others", aftermath.held));
        said.extend(aftermath.ports.iter().filter_map(|(port, fate)| {
            let name = match fate {
                PortFate::Free => "port_free",
                PortFate::Held(Some(_)) => "port_held",
                PortFate::Held(None) => "port_held_unknown",
                PortFate::Lingers(_) => "port_lingers",
            };
            fill(self.words.outcome(name), |place| match (place, fate) {
                ("port", _) => Some(port.to_string()),
                ("count", PortFate::Lingers(count)) => Some(count.to_string()),
                ("process", PortFate::Held(owner)) => Some(owner.as_ref()?.name.to_string()),
                ("pid", PortFate::Held(owner)) => Some(owner.as_ref()?.pid.to_string()),
                _ => None,
            })
        }));
        said
    }

    fn outcome(&mut self, name: &str, process: &Process, after: Duration, signal: Signal) {
        let values = [
            ("process", process.name.to_string()),
            ("pid", process.pid.to_string()),
            ("after", length(after)),
            ("signal", signal.word().to_owned()),
        ];
        self.notice = notice::fill(self.words.outcome(name), &values, self.observation.time);
    }

    fn refused(&mut self, target: &Target, refusal: &Refusal) {
        let user = || match refusal {
            Refusal::NotPermitted { uid: Some(uid) } => {
                let name = self.observation.user(*uid);
                name.map_or_else(|| format!("uid {uid}"), ToString::to_string)
            }
            _ => self.words.screen("notice", "another_user").to_owned(),
        };
        let reason = fill(self.words.refusal(refusal.key()), |_| Some(user()));
        let mut text = format!("{} ({}): ", target.name, target.pid);
        text.push_str(&reason.unwrap_or_default());
        if let Refusal::Failed(message) = refusal {
            text.push(' ');
            text.push_str(message.as_str());
        }
        self.notice = Some(Notice::new(text, self.observation.time));
    }

    fn add_to_notice(&mut self, sentence: &str) {
        if let Some(notice) = &mut self.notice {
            notice.text.push(' ');
            notice.text.push_str(sentence);
        }
    }
}
