//! Confirmation before processes are ended.
//!
//! The app never holds a descriptor. It refers to a request by its number, and
//! `control` holds the process.

use super::App;
use super::affair::Affair;
use super::command::Command;
use super::confirm::{Asked, Confirm};
use super::effect::Effect;
use super::mode::Mode;
use super::notice::Notice;
use super::tags::Tags;
use crate::explain::sentence::fill;
use crate::listing::{Relation, Targets, matcher, matches_by_remote_only, shell_words, targets};
use crate::model::action::{ArmId, ArmedFacts, Life, MOST_TARGETS, Policy, Reach, Refusal, Target};
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::signal::Signal;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// A process that was picked by one of its sockets.
struct Picked {
    process: Arc<Process>,
    inode: Option<NonZeroU32>,
    relation: Relation,
    remote_only: bool,
}

impl App {
    /// Asks for confirmation to end the owners of the target rows; `offered` is
    /// true if a notice offers to retry a process that did not end.
    pub(super) fn end_process(&mut self, offered: bool) -> Vec<Effect> {
        if self.policy == Policy::Look {
            self.say("read_only", &[]);
            return Vec::new();
        }
        if self.tags.have_lapsed() {
            self.tags.clear();
            self.tell(self.words.closing("tags", "lapsed").to_owned());
            return Vec::new();
        }
        if offered && let Some(effects) = self.ask_again() {
            return effects;
        }
        let rows = self.rows_to_act_on();
        let targets = self.targets_among(&rows);
        let spared = self.owners_of(&targets.spared);
        let meant = self.owners_of(&targets.meant);
        let (owners, spared) = if meant.is_empty() {
            (spared, Vec::new())
        } else {
            self.with_holders_among(meant, spared, &targets.meant)
        };
        if owners.is_empty() {
            return self.nobody_to_end();
        }
        if owners.len() > MOST_TARGETS {
            return self.refuse_so_many(owners.len());
        }
        let spared: Vec<(Target, Relation)> = spared
            .into_iter()
            .filter(|other| {
                owners
                    .iter()
                    .all(|owner| owner.process.pid != other.process.pid)
            })
            .map(|other| (Target::of(&other.process, None), other.relation))
            .collect();
        let asked = owners.into_iter().map(|owner| self.asked(owner)).collect();
        let effects = self.ask(asked, Reach::Process);
        if let Mode::Confirm(confirm) = &mut self.mode {
            confirm.spared = spared;
        }
        effects
    }

    /// Selects the targets among the rows. The row under the cursor is explicit;
    /// of several tagged rows, the filter decides.
    fn targets_among<'a>(&'a self, rows: &[&'a Row]) -> Targets<'a> {
        match rows {
            [_] => Targets {
                meant: rows.to_vec(),
                spared: Vec::new(),
            },
            _ => targets(rows, &self.filter, &self.observation),
        }
    }

    /// Adds spared processes that also hold one of the target rows: workers that
    /// share the listener.
    fn with_holders_among(
        &self,
        mut meant: Vec<Picked>,
        spared: Vec<Picked>,
        rows: &[&Row],
    ) -> (Vec<Picked>, Vec<Picked>) {
        let mut held: BTreeMap<u32, &Row> = BTreeMap::new();
        for row in rows {
            for (owner, _) in self.observation.owners(row) {
                held.entry(owner.pid).or_insert(row);
            }
        }
        let mut others = Vec::new();
        for picked in spared {
            match held.get(&picked.process.pid) {
                Some(row) => meant.push(Picked {
                    inode: row.socket.inode,
                    relation: Relation::of(row, &self.observation),
                    remote_only: false,
                    ..picked
                }),
                None => others.push(picked),
            }
        }
        (meant, others)
    }

    /// Refuses a number of targets that is likely a mistake. The command line
    /// allows more, so that the notice contains its command with the present
    /// filter.
    fn refuse_so_many(&mut self, count: usize) -> Vec<Effect> {
        let reason = self.reason(&Refusal::TooMany(count));
        let command = fill(self.words.screen("notice", "kill_so_many"), |place| {
            Some(match place {
                "filter" => shell_words(&self.filter, &self.quick),
                _ => count.to_string(),
            })
        });
        let text = self.words.sentences(&[reason, command.unwrap_or_default()]);
        self.notice = Some(Notice::new(text, self.observation.time));
        Vec::new()
    }

    /// The owner of each row, once, with the socket it is picked by.
    fn owners_of(&self, rows: &[&Row]) -> Vec<Picked> {
        let bare = self.filter.asks_for_bare_port();
        let matcher = matcher(&self.filter, &self.observation);
        let mut found: Vec<Picked> = Vec::new();
        for row in rows {
            let Some(owner) = self.observation.first_owner(row) else {
                continue;
            };
            let remote_only = bare && matches_by_remote_only(row, &matcher);
            let relation = Relation::of(row, &self.observation);
            let mut known = found.iter_mut();
            if let Some(known) = known.find(|known| known.process.pid == owner.pid) {
                known.remote_only &= remote_only;
                if relation.role < known.relation.role {
                    known.relation = relation;
                }
                continue;
            }
            // A closed row no longer has its socket: identity is then checked by
            // start time, name and program alone.
            let present = row.phase != Phase::Closed;
            found.push(Picked {
                process: Arc::clone(owner),
                inode: present.then_some(row.socket.inode).flatten(),
                relation,
                remote_only,
            });
        }
        found
    }

    fn nobody_to_end(&mut self) -> Vec<Effect> {
        let Some(row) = self.rows_to_act_on().first().copied() else {
            return self.nothing_selected();
        };
        let reason = row
            .unowned
            .and_then(|reason| self.words.unowned(reason))
            .map_or(String::new(), |words| words.short.clone());
        self.say("no_owner", &[("reason", reason)]);
        Vec::new()
    }

    /// Reuses the pending request for this process if it was signalled and has
    /// not ended, else creates a new one.
    fn asked(&mut self, picked: Picked) -> Asked {
        let Picked {
            process,
            inode,
            relation,
            remote_only,
        } = picked;
        let held = self.affairs.iter().find_map(|affair| affair.held(&process));
        if let Some(held) = held {
            return Asked {
                relation: Some(relation),
                remote_only,
                ..held
            };
        }
        let id = ArmId(self.next_arm);
        self.next_arm += 1;
        Asked {
            id,
            target: Target::of(&process, inode),
            process,
            relation: Some(relation),
            remote_only,
            facts: None,
        }
    }

    /// Asks again about signalled processes that still run: if the row under the
    /// cursor is one of theirs, or none of theirs is left. A cursor on another
    /// row selects that one.
    fn ask_again(&mut self) -> Option<Vec<Effect>> {
        let pointed = self
            .selected()
            .and_then(|row| self.observation.first_owner(row))
            .map(|owner| owner.pid);
        let meant = |stubborn: &[Asked]| {
            let is_theirs = |pid| stubborn.iter().any(|asked| asked.target.pid == pid);
            let owners = self.observation.rows.iter();
            let mut owners = owners.filter_map(|row| self.observation.first_owner(row));
            pointed.is_some_and(is_theirs) || !owners.any(|owner| is_theirs(owner.pid))
        };
        let (stubborn, reach) = self
            .affairs
            .iter()
            .rev()
            .map(|affair| (affair.stubborn(), affair.reach()))
            .find(|(stubborn, _)| !stubborn.is_empty() && meant(stubborn))?;
        Some(self.ask(stubborn, reach))
    }

    fn ask(&mut self, asked: Vec<Asked>, reach: Reach) -> Vec<Effect> {
        let effects = asked
            .iter()
            .map(|asked| Effect::Arm(asked.id, asked.target.clone()))
            .collect();
        let confirm = Confirm::about(asked, reach, &self.observation);
        self.consent.forget();
        self.mode = Mode::Confirm(Box::new(confirm));
        effects
    }

    pub(super) fn armed(&mut self, id: ArmId, result: Result<ArmedFacts, Refusal>) -> Vec<Effect> {
        let Mode::Confirm(confirm) = &mut self.mode else {
            return self.let_go(id);
        };
        let alone = confirm.asked.len() + confirm.left_out.len() == 1;
        let Some(asked) = confirm.asked.iter_mut().find(|asked| asked.id == id) else {
            return self.let_go(id);
        };
        let target = asked.target.clone();
        // Facts found out belong to the question, and must be read first.
        self.consent.ask();
        let refusal = match result {
            Ok(facts) if facts.life == Life::Zombie && !alone => Refusal::Zombie,
            Ok(facts) => {
                asked.facts = Some(facts);
                confirm.count_sockets(&self.observation);
                return Vec::new();
            }
            Err(refusal) => refusal,
        };
        confirm.leave_out(id, refusal.clone());
        confirm.count_sockets(&self.observation);
        let nobody_left = confirm.asked.is_empty();
        let effects = self.let_go(id);
        if nobody_left {
            self.leave_all();
            self.refused(&target, &refusal);
        }
        effects
    }

    /// Toggles between the process and its tree.
    pub(super) fn turn_reach(&mut self) -> Vec<Effect> {
        let Mode::Confirm(confirm) = &mut self.mode else {
            return Vec::new();
        };
        if !confirm.has_tree() {
            self.consent.stray(self.now);
            return Vec::new();
        }
        let facts = confirm.single().and_then(|single| single.facts.as_ref());
        let refusal = facts.and_then(ArmedFacts::tree_refusal);
        if let (Reach::Process, Some(refusal)) = (confirm.reach, refusal) {
            let text = self.reason(&refusal);
            self.notice = Some(Notice::new(text, self.observation.time));
        } else {
            confirm.turn(&self.observation);
            self.consent.ask();
        }
        Vec::new()
    }

    /// Chooses another signal. The signal that an answer would send must be drawn
    /// first.
    pub(super) fn choose_signal(&mut self, other: impl Fn(Signal) -> Signal) -> Vec<Effect> {
        if let Mode::Confirm(confirm) = &mut self.mode
            && confirm.is_ready()
            && confirm.is_of_use()
            && confirm.help.is_none()
        {
            confirm.chosen = other(confirm.chosen);
            self.consent.alter();
        }
        Vec::new()
    }

    /// Shows the explanation of the question instead of the question, or the
    /// question again. It must be drawn again before it can be answered.
    pub(super) fn explain_dialog(&mut self, scroll: Option<u16>) -> Vec<Effect> {
        match &mut self.mode {
            Mode::Confirm(confirm) => confirm.help = scroll,
            Mode::Close(closing) => closing.help = scroll,
            _ => return Vec::new(),
        }
        self.consent.ask();
        Vec::new()
    }

    /// Sends the chosen signal.
    pub(super) fn confirm(&mut self) -> Vec<Effect> {
        let Mode::Confirm(confirm) = &mut self.mode else {
            return Vec::new();
        };
        if confirm.help.is_some() {
            return Vec::new();
        }
        let signal = confirm.chosen;
        if !confirm.is_ready() {
            self.consent.drop_answer(self.now);
            return Vec::new();
        }
        if !confirm.is_of_use() {
            return Vec::new();
        }
        if !confirm.is_allowed() {
            confirm.reminded = true;
            return Vec::new();
        }
        if !self.consent.give(self.now) {
            return Vec::new();
        }
        let confirm = (**confirm).clone();
        self.leave_all();
        // Tags are cleared once the action has been sent.
        self.tags = Tags::default();
        let send = |asked: &Asked| match confirm.reach {
            Reach::Process => Effect::Signal(asked.id, signal),
            Reach::Tree => Effect::SignalTree(asked.id, signal),
        };
        let signals: Vec<Effect> = confirm.asked.iter().map(send).collect();
        let affair = Affair::new(confirm, signal, &self.observation);
        let mut effects = self.begin(affair);
        effects.extend(signals);
        effects
    }

    pub(super) fn cancel(&mut self) -> Vec<Effect> {
        if let Mode::Close(_) = self.mode {
            self.leave_all();
            return Vec::new();
        }
        let Mode::Confirm(confirm) = &self.mode else {
            return Vec::new();
        };
        let ids: Vec<ArmId> = confirm.asked.iter().map(|asked| asked.id).collect();
        self.leave_all();
        ids.into_iter().flat_map(|id| self.let_go(id)).collect()
    }

    /// True if an answer to the question is accepted now, as far as time is
    /// concerned.
    #[must_use]
    pub fn takes_answers(&self) -> bool {
        self.consent.left(self.now) == Some(Duration::ZERO)
    }

    /// True if an answer came too early, and none was accepted since.
    #[must_use]
    pub fn dropped_answer(&self) -> bool {
        self.consent.has_dropped()
    }

    /// Requests a frame for the time at which an answer is accepted.
    pub(super) fn await_answer(&self) -> Option<Effect> {
        let left = self.consent.left(self.now)?;
        let asks = matches!(self.mode, Mode::Confirm(_) | Mode::Close(_));
        (asks && !left.is_zero()).then_some(Effect::TickAfter(left))
    }

    /// Releases a process, unless it is still watched.
    pub(super) fn let_go(&self, id: ArmId) -> Vec<Effect> {
        let watched = self.affairs.iter().any(|affair| affair.watches(id));
        if watched {
            Vec::new()
        } else {
            vec![Effect::Disarm(id)]
        }
    }

    /// True if a command of the dialog is available now.
    pub(super) fn answers(&self, command: Command) -> bool {
        let Mode::Confirm(confirm) = &self.mode else {
            return false;
        };
        match command {
            Command::TurnReach => confirm.is_ready() && confirm.has_tree(),
            Command::NextSignal | Command::PreviousSignal => {
                confirm.is_ready() && confirm.is_of_use()
            }
            _ => confirm.is_ready() && confirm.is_of_use() && confirm.is_allowed(),
        }
    }

    pub(super) fn refused(&mut self, target: &Target, refusal: &Refusal) {
        let text = self.words.labelled(
            &format!("{} ({})", target.name, target.pid),
            &self.reason(refusal),
        );
        self.notice = Some(Notice::new(text, self.observation.time));
    }

    /// Returns the reason why no signal was sent, in words.
    pub(super) fn reason(&self, refusal: &Refusal) -> String {
        let user = || match refusal {
            Refusal::NotPermitted { uid: Some(uid) } => {
                let name = self.observation.user(*uid);
                name.map_or_else(|| format!("uid {uid}"), ToString::to_string)
            }
            _ => self.words.screen("notice", "another_user").to_owned(),
        };
        let mut reason = fill(self.words.refusal(refusal.key()), |place| {
            Some(match (place, refusal) {
                ("count", Refusal::TooMany(count)) => count.to_string(),
                ("pid", Refusal::TreeIncomplete(pid)) => pid.to_string(),
                _ => user(),
            })
        })
        .unwrap_or_default();
        if let Refusal::Failed(message) = refusal {
            reason = self.words.sentences(&[reason.as_str(), message.as_str()]);
        }
        reason
    }
}
