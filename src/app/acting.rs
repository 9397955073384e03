//! Ending a process: ask, confirm, signal, and see whether it is gone.
//!
//! The app never holds a descriptor. It names an asking by its number, and
//! `control` keeps the process behind it.

use super::App;
use super::confirm::{Confirm, Goes, held_by};
use super::effect::Effect;
use super::mode::Mode;
use super::notice::{self, Notice};
use crate::explain::lengths::length;
use crate::explain::sentence::fill;
use crate::model::action::{ArmId, ArmedFacts, EndSignal, Outcome, Refusal, Target};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::Phase;
use crate::model::state::State;
use std::sync::Arc;
use std::time::Duration;

/// A process that a signal was sent to.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    id: ArmId,
    process: Arc<Process>,
    goes: Goes,
    /// How it ended, once it has.
    ended: Option<(Duration, EndSignal)>,
}

impl App {
    pub(super) fn end_process(&mut self) -> Vec<Effect> {
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
        let user = owner.uid.map(|uid| {
            let name = self.observation.user(uid);
            name.map_or_else(|| uid.to_string(), ToString::to_string)
        });
        self.mode = Mode::Confirm(Box::new(Confirm {
            id,
            target: target.clone(),
            facts: None,
            started_ms: owner.started_ms,
            user,
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

    pub(super) fn confirm(&mut self, signal: EndSignal) -> Vec<Effect> {
        let Mode::Confirm(confirm) = &self.mode else {
            return Vec::new();
        };
        if confirm.facts.is_none() {
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
        let Mode::Confirm(confirm) = &self.mode else {
            return Vec::new();
        };
        let id = confirm.id;
        self.mode = Mode::Table;
        vec![Effect::Disarm(id)]
    }

    pub(super) fn acted(&mut self, id: ArmId, outcome: Outcome) -> Vec<Effect> {
        let Some(pending) = &mut self.pending else {
            return Vec::new();
        };
        if pending.id != id {
            return Vec::new();
        }
        let process = Arc::clone(&pending.process);
        match outcome {
            Outcome::Ended { after, signal } => {
                pending.ended = Some((after, signal));
                self.outcome("ended", &process, after, signal);
                // The table says what became of its sockets: read it now.
                return vec![Effect::Refresh];
            }
            Outcome::Sent { signal } => self.outcome("sent", &process, Duration::ZERO, signal),
            Outcome::StillRunning { after, signal } => {
                self.pending = None;
                self.outcome("still_running", &process, after, signal);
                let more = match signal {
                    EndSignal::Term => "still_running_term",
                    EndSignal::Kill => "still_running_kill",
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

    /// Once the process has ended, the table must confirm it: are its sockets
    /// gone, and are the ports it listened on free?
    pub(super) fn follow_up(&mut self, observation: &Observation) {
        let Some(pending) = &self.pending else {
            return;
        };
        let Some((after, signal)) = pending.ended else {
            return;
        };
        let left = held_by(&pending.process, observation).count();
        let pending = pending.clone();
        self.outcome("ended", &pending.process, after, signal);
        if left > 0 {
            let values = [("count", left.to_string())];
            let still = notice::fill(
                self.words.screen("notice", "still"),
                &values,
                observation.time,
            );
            if let Some(still) = still {
                self.add_to_notice(&still.text);
            }
            return;
        }
        self.pending = None;
        let count = pending.goes.count();
        let name = if count == 1 {
            "gone_from_table_one"
        } else {
            "gone_from_table"
        };
        let values = [("count", count.to_string())];
        if count > 0
            && let Some(gone) = notice::fill(self.words.outcome(name), &values, observation.time)
        {
            self.add_to_notice(&gone.text);
        }
        for sentence in self.ports(&pending.goes, observation) {
            self.add_to_notice(&sentence);
        }
    }

    /// What became of the ports it listened on.
    fn ports(&self, goes: &Goes, observation: &Observation) -> Vec<String> {
        let mut ports: Vec<u16> = goes.listening.iter().map(|local| local.port).collect();
        ports.dedup();
        ports
            .into_iter()
            .take(3)
            .filter_map(|port| {
                let holder = observation.rows.iter().find(|row| {
                    row.socket.state == State::Listen
                        && row.socket.local.port == port
                        && row.phase != Phase::Closed
                });
                let owner = holder.and_then(|row| observation.first_owner(row));
                let name = match (holder, owner) {
                    (None, _) => "port_free",
                    (Some(_), Some(_)) => "port_held",
                    (Some(_), None) => "port_held_unknown",
                };
                fill(self.words.outcome(name), |place| match place {
                    "port" => Some(port.to_string()),
                    "process" => Some(owner?.name.to_string()),
                    "pid" => Some(owner?.pid.to_string()),
                    _ => None,
                })
            })
            .collect()
    }

    fn outcome(&mut self, name: &str, process: &Process, after: Duration, signal: EndSignal) {
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
