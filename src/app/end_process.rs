//! Confirmation before processes are ended.
//!
//! The app never holds a descriptor. It refers to a request by its number, and
//! `control` holds the process.

use super::App;
use super::command::Command;
use super::effect::Effect;
use super::mode::Mode;
use super::notice::Notice;
use super::signal_confirmation::{SignalConfirmation, TargetRequest};
use super::signal_job::SignalJob;
use super::tags::Tags;
use crate::explain::template::render;
use crate::listing::{
    SocketRelation, Targets, matcher_with_urgencies, matches_by_remote_only, select_targets,
    shell_arguments,
};
use crate::model::action::{
    AccessMode, MAX_TARGETS, ProcessState, ProcessTarget, SignalRefusal, SignalScope, TargetFacts,
    TargetId,
};
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::signal::Signal;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// A process that was picked by one of its sockets.
struct PickedProcess {
    process: Arc<Process>,
    inode: Option<NonZeroU32>,
    relation: SocketRelation,
    remote_only: bool,
}

impl App {
    /// Asks for confirmation to end the owners of the target rows; `offered` is
    /// true if a notice offers to retry a process that did not end.
    pub(super) fn end_process(&mut self, offered: bool) -> Vec<Effect> {
        if self.access_mode == AccessMode::ReadOnly {
            self.notify_key("read_only", &[]);
            return Vec::new();
        }
        if self.tags.have_all_gone() {
            self.tags.clear();
            self.notify(self.messages.closing("tags", "lapsed").to_owned());
            return Vec::new();
        }
        if offered && let Some(effects) = self.retry_still_running() {
            return effects;
        }
        let rows = self.target_rows();
        let targets = self.targets_of_rows(&rows);
        let spared = self.owners_of(&targets.spared);
        let meant = self.owners_of(&targets.selected);
        let (owners, spared) = if meant.is_empty() {
            (spared, Vec::new())
        } else {
            self.add_holders_of_targets(meant, spared, &targets.selected)
        };
        if owners.is_empty() {
            return self.notify_no_owner();
        }
        if owners.len() > MAX_TARGETS {
            return self.refuse_too_many(owners.len());
        }
        let spared: Vec<(ProcessTarget, SocketRelation)> = spared
            .into_iter()
            .filter(|other| {
                owners
                    .iter()
                    .all(|owner| owner.process.pid != other.process.pid)
            })
            .map(|other| {
                (
                    ProcessTarget::from_process(&other.process, None),
                    other.relation,
                )
            })
            .collect();
        let asked = owners
            .into_iter()
            .map(|owner| self.target_request(owner))
            .collect();
        let effects = self.open_signal_confirmation(asked, SignalScope::Process);
        if let Mode::Confirm(confirm) = &mut self.mode {
            confirm.spared = spared;
        }
        effects
    }

    /// Selects the targets among the rows. The row under the cursor is explicit;
    /// of several tagged rows, the filter decides.
    fn targets_of_rows<'a>(&'a self, rows: &[&'a Row]) -> Targets<'a> {
        match rows {
            [_] => Targets {
                selected: rows.to_vec(),
                spared: Vec::new(),
            },
            _ => select_targets(rows, &self.filter, &self.observation),
        }
    }

    /// Adds spared processes that also hold one of the target rows: workers that
    /// share the listener.
    fn add_holders_of_targets(
        &self,
        mut meant: Vec<PickedProcess>,
        spared: Vec<PickedProcess>,
        rows: &[&Row],
    ) -> (Vec<PickedProcess>, Vec<PickedProcess>) {
        let mut held: BTreeMap<u32, &Row> = BTreeMap::new();
        for row in rows {
            for (owner, _) in self.observation.owners(row) {
                held.entry(owner.pid).or_insert(row);
            }
        }
        let mut others = Vec::new();
        for picked in spared {
            match held.get(&picked.process.pid) {
                Some(row) => meant.push(PickedProcess {
                    inode: row.socket.inode,
                    relation: SocketRelation::from_row(row, &self.observation),
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
    fn refuse_too_many(&mut self, count: usize) -> Vec<Effect> {
        let reason = self.refusal_text(&SignalRefusal::TooMany(count));
        let command = render(self.messages.screen("notice", "kill_so_many"), |place| {
            Some(match place {
                "filter" => shell_arguments(&self.filter, &self.quick_filter),
                _ => count.to_string(),
            })
        });
        let text = self
            .messages
            .join_sentences(&[reason, command.unwrap_or_default()]);
        self.notice = Some(Notice::new(text, self.observation.time));
        Vec::new()
    }

    /// The owner of each row, once, with the socket it is picked by.
    fn owners_of(&self, rows: &[&Row]) -> Vec<PickedProcess> {
        let bare = self.filter.has_unqualified_port();
        let matcher = matcher_with_urgencies(&self.filter, &self.observation);
        let mut found: Vec<PickedProcess> = Vec::new();
        for row in rows {
            let Some(owner) = self.observation.first_owner(row) else {
                continue;
            };
            let remote_only = bare && matches_by_remote_only(row, &matcher);
            let relation = SocketRelation::from_row(row, &self.observation);
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
            found.push(PickedProcess {
                process: Arc::clone(owner),
                inode: present.then_some(row.socket.inode).flatten(),
                relation,
                remote_only,
            });
        }
        found
    }

    fn notify_no_owner(&mut self) -> Vec<Effect> {
        let Some(row) = self.target_rows().first().copied() else {
            return self.notify_nothing_selected();
        };
        let reason = row
            .no_owner_reason
            .and_then(|reason| self.messages.no_owner(reason))
            .map_or(String::new(), |words| words.short.clone());
        self.notify_key("no_owner", &[("reason", reason)]);
        Vec::new()
    }

    /// Reuses the pending request for this process if it was signalled and has
    /// not ended, else creates a new one.
    fn target_request(&mut self, picked: PickedProcess) -> TargetRequest {
        let PickedProcess {
            process,
            inode,
            relation,
            remote_only,
        } = picked;
        let held = self
            .signal_jobs
            .iter()
            .find_map(|job| job.existing_request(&process));
        if let Some(held) = held {
            return TargetRequest {
                relation: Some(relation),
                remote_only,
                ..held
            };
        }
        let id = TargetId(self.next_target_id);
        self.next_target_id += 1;
        TargetRequest {
            id,
            target: ProcessTarget::from_process(&process, inode),
            process,
            relation: Some(relation),
            remote_only,
            facts: None,
        }
    }

    /// Asks again about signalled processes that still run: if the row under the
    /// cursor is one of theirs, or none of theirs is left. A cursor on another
    /// row selects that one.
    fn retry_still_running(&mut self) -> Option<Vec<Effect>> {
        let pointed = self
            .selected()
            .and_then(|row| self.observation.first_owner(row))
            .map(|owner| owner.pid);
        let meant = |stubborn: &[TargetRequest]| {
            let is_theirs = |pid| stubborn.iter().any(|asked| asked.target.pid == pid);
            let owners = self.observation.rows.iter();
            let mut owners = owners.filter_map(|row| self.observation.first_owner(row));
            pointed.is_some_and(is_theirs) || !owners.any(|owner| is_theirs(owner.pid))
        };
        let (stubborn, reach) = self
            .signal_jobs
            .iter()
            .rev()
            .map(|job| (job.still_running(), job.scope()))
            .find(|(stubborn, _)| !stubborn.is_empty() && meant(stubborn))?;
        Some(self.open_signal_confirmation(stubborn, reach))
    }

    fn open_signal_confirmation(
        &mut self,
        asked: Vec<TargetRequest>,
        reach: SignalScope,
    ) -> Vec<Effect> {
        let effects = asked
            .iter()
            .map(|asked| Effect::AcquireTarget(asked.id, asked.target.clone()))
            .collect();
        let confirm = SignalConfirmation::new(asked, reach, &self.observation);
        self.confirmation_guard.reset();
        self.mode = Mode::Confirm(Box::new(confirm));
        effects
    }

    pub(super) fn target_acquired(
        &mut self,
        id: TargetId,
        result: Result<TargetFacts, SignalRefusal>,
    ) -> Vec<Effect> {
        let Mode::Confirm(confirm) = &mut self.mode else {
            return self.release_target(id);
        };
        let alone = confirm.targets.len() + confirm.excluded.len() == 1;
        let Some(asked) = confirm.targets.iter_mut().find(|asked| asked.id == id) else {
            return self.release_target(id);
        };
        let target = asked.target.clone();
        // Facts found out belong to the question, and must be read first.
        self.confirmation_guard.question_changed();
        let refusal = match result {
            Ok(facts) if facts.state == ProcessState::Zombie && !alone => SignalRefusal::Zombie,
            Ok(facts) => {
                asked.facts = Some(facts);
                confirm.update_affected(&self.observation);
                return Vec::new();
            }
            Err(refusal) => refusal,
        };
        confirm.exclude(id, refusal.clone());
        confirm.update_affected(&self.observation);
        let nobody_left = confirm.targets.is_empty();
        let effects = self.release_target(id);
        if nobody_left {
            self.close_pages();
            self.notify_refused(&target, &refusal);
        }
        effects
    }

    /// Toggles between the process and its tree.
    pub(super) fn toggle_tree(&mut self) -> Vec<Effect> {
        let Mode::Confirm(confirm) = &mut self.mode else {
            return Vec::new();
        };
        if !confirm.has_tree() {
            self.confirmation_guard.restart_reading_time(self.now);
            return Vec::new();
        }
        let facts = confirm.single().and_then(|single| single.facts.as_ref());
        let refusal = facts.and_then(TargetFacts::tree_refusal);
        if let (SignalScope::Process, Some(refusal)) = (confirm.scope, refusal) {
            let text = self.refusal_text(&refusal);
            self.notice = Some(Notice::new(text, self.observation.time));
        } else {
            confirm.toggle_scope(&self.observation);
            self.confirmation_guard.question_changed();
        }
        Vec::new()
    }

    /// Chooses another signal. The signal that an answer would send must be drawn
    /// first.
    pub(super) fn choose_signal(&mut self, other: impl Fn(Signal) -> Signal) -> Vec<Effect> {
        if let Mode::Confirm(confirm) = &mut self.mode
            && confirm.is_ready()
            && confirm.has_running_target()
            && confirm.help_scroll.is_none()
        {
            confirm.signal = other(confirm.signal);
            self.confirmation_guard.answer_changed();
        }
        Vec::new()
    }

    /// Shows the explanation of the question instead of the question, or the
    /// question again. It must be drawn again before it can be answered.
    pub(super) fn show_dialog_help(&mut self, scroll: Option<u16>) -> Vec<Effect> {
        match &mut self.mode {
            Mode::Confirm(confirm) => confirm.help_scroll = scroll,
            Mode::Close(closing) => closing.help_scroll = scroll,
            _ => return Vec::new(),
        }
        self.confirmation_guard.question_changed();
        Vec::new()
    }

    /// Sends the chosen signal.
    pub(super) fn send_confirmed_signal(&mut self) -> Vec<Effect> {
        let Mode::Confirm(confirm) = &mut self.mode else {
            return Vec::new();
        };
        if confirm.help_scroll.is_some() {
            return Vec::new();
        }
        let signal = confirm.signal;
        if !confirm.is_ready() {
            self.confirmation_guard.reject_answer(self.now);
            return Vec::new();
        }
        if !confirm.has_running_target() {
            return Vec::new();
        }
        if !confirm.is_confirmed() {
            confirm.needs_typing = true;
            return Vec::new();
        }
        if !self.confirmation_guard.try_accept(self.now) {
            return Vec::new();
        }
        let confirm = (**confirm).clone();
        self.close_pages();
        // Tags are cleared once the action has been sent.
        self.tags = Tags::default();
        let send = |asked: &TargetRequest| match confirm.scope {
            SignalScope::Process => Effect::Signal(asked.id, signal),
            SignalScope::Tree => Effect::SignalTree(asked.id, signal),
        };
        let signals: Vec<Effect> = confirm.targets.iter().map(send).collect();
        let job = SignalJob::new(confirm, signal, &self.observation);
        let mut effects = self.track_job(job);
        effects.extend(signals);
        effects
    }

    pub(super) fn cancel(&mut self) -> Vec<Effect> {
        if let Mode::Close(_) = self.mode {
            self.close_pages();
            return Vec::new();
        }
        let Mode::Confirm(confirm) = &self.mode else {
            return Vec::new();
        };
        let ids: Vec<TargetId> = confirm.targets.iter().map(|asked| asked.id).collect();
        self.close_pages();
        ids.into_iter()
            .flat_map(|id| self.release_target(id))
            .collect()
    }

    /// True if an answer to the question is accepted now, as far as time is
    /// concerned.
    #[must_use]
    pub fn is_answerable(&self) -> bool {
        self.confirmation_guard.remaining(self.now) == Some(Duration::ZERO)
    }

    /// True if an answer came too early, and none was accepted since.
    #[must_use]
    pub fn has_rejected_answer(&self) -> bool {
        self.confirmation_guard.has_rejected()
    }

    /// Requests a frame for the time at which an answer is accepted.
    pub(super) fn tick_when_answerable(&self) -> Option<Effect> {
        let left = self.confirmation_guard.remaining(self.now)?;
        let asks = matches!(self.mode, Mode::Confirm(_) | Mode::Close(_));
        (asks && !left.is_zero()).then_some(Effect::TickAfter(left))
    }

    /// Releases a process, unless it is still watched.
    pub(super) fn release_target(&self, id: TargetId) -> Vec<Effect> {
        let watched = self.signal_jobs.iter().any(|job| job.watches(id));
        if watched {
            Vec::new()
        } else {
            vec![Effect::ReleaseTarget(id)]
        }
    }

    /// True if a command of the dialog is available now.
    pub(super) fn can_answer(&self, command: Command) -> bool {
        let Mode::Confirm(confirm) = &self.mode else {
            return false;
        };
        match command {
            Command::ToggleTree => confirm.is_ready() && confirm.has_tree(),
            Command::NextSignal | Command::PreviousSignal => {
                confirm.is_ready() && confirm.has_running_target()
            }
            _ => confirm.is_ready() && confirm.has_running_target() && confirm.is_confirmed(),
        }
    }

    pub(super) fn notify_refused(&mut self, target: &ProcessTarget, refusal: &SignalRefusal) {
        let text = self.messages.labelled(
            &format!("{} ({})", target.name, target.pid),
            &self.refusal_text(refusal),
        );
        self.notice = Some(Notice::new(text, self.observation.time));
    }

    /// Returns the reason why no signal was sent, in words.
    pub(super) fn refusal_text(&self, refusal: &SignalRefusal) -> String {
        let user = || match refusal {
            SignalRefusal::NotPermitted { uid: Some(uid) } => {
                let name = self.observation.user(*uid);
                name.map_or_else(|| format!("uid {uid}"), ToString::to_string)
            }
            _ => self.messages.screen("notice", "another_user").to_owned(),
        };
        let mut reason = render(self.messages.refusal(refusal.key()), |place| {
            Some(match (place, refusal) {
                ("count", SignalRefusal::TooMany(count)) => count.to_string(),
                ("pid", SignalRefusal::TreeIncomplete(pid)) => pid.to_string(),
                _ => user(),
            })
        })
        .unwrap_or_default();
        if let SignalRefusal::Failed(message) = refusal {
            reason = self
                .messages
                .join_sentences(&[reason.as_str(), message.as_str()]);
        }
        reason
    }
}
