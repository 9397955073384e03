//! Dispatch of keys to commands; global toggles.

use super::closing::Closing;
use super::command::Command;
use super::effect::Effect;
use super::keys::Key;
use super::mode::Mode;
use super::{App, INTERVALS};
use crate::explain::catalogue::Catalogue;
use crate::model::namespace::Scope;
use crate::model::pace::Pace;
use crate::model::signal::Signal;
use std::mem;

impl App {
    /// Handles keys in a row. A filter being typed is parsed once, after them,
    /// and not with each.
    pub(super) fn keys(&mut self, keys: &[Key]) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut edited = false;
        for key in keys {
            self.consent.input(self.now);
            if self.edit_prompt(*key) {
                edited = true;
                continue;
            }
            if mem::take(&mut edited) {
                self.try_prompt();
            }
            effects.extend(self.key(*key));
        }
        if edited {
            self.try_prompt();
        }
        effects
    }

    pub(super) fn key(&mut self, key: Key) -> Vec<Effect> {
        self.touched = true;
        if let Mode::Prompt(_) = self.mode {
            return self.prompt_key(key);
        }
        if let Mode::Confirm(confirm) = &mut self.mode
            && confirm.help.is_none()
            && confirm.take(key)
        {
            return Vec::new();
        }
        let typing = |closing: &Closing| closing.demand.is_some() && closing.help.is_none();
        if matches!(&self.mode, Mode::Close(closing) if typing(closing)) {
            return self.close_key(key);
        }
        let Some(command) = self.keymap.command(self.mode.context(), key) else {
            self.consent.stray(self.now);
            return Vec::new();
        };
        self.command(command)
    }

    pub(super) fn command(&mut self, command: Command) -> Vec<Effect> {
        let offered = self.notice.as_ref().is_some_and(|notice| notice.offers);
        if !matches!(command, Command::EndProcess | Command::CloseConnection) {
            self.tags.forget_lapse();
        }
        if !matches!(command, Command::Suspend) {
            self.notice = None;
        }
        if matches!(command, Command::EndProcess | Command::CloseConnection) && self.shows_no_row()
        {
            return Vec::new();
        }
        if let Some(digit) = command.digit() {
            return self.choose(digit);
        }
        if let Some(lesson) = &mut self.lesson {
            // Navigation cancels a pending jump to the lab row.
            lesson.sought = None;
        }
        match command {
            Command::Quit => vec![Effect::Quit],
            Command::Suspend => vec![Effect::Suspend],
            Command::Refresh => vec![Effect::Refresh],
            Command::Pause => self.toggle_pause(),
            Command::Faster => self.change_interval(false),
            Command::Slower => self.change_interval(true),
            Command::Adapt => {
                self.say("adaptive", &[]);
                self.set_pace(Pace::Adaptive)
            }
            Command::AllNamespaces => self.change_scope(),
            Command::Language => self.change_language(),
            Command::EndProcess => self.end_process(offered),
            Command::TurnReach => self.turn_reach(),
            Command::ConfirmSend => self.confirm(),
            Command::NextSignal => self.choose_signal(Signal::next),
            Command::PreviousSignal => self.choose_signal(Signal::previous),
            Command::DialogHelp => self.explain_dialog(Some(0)),
            Command::Back if self.mode.explains_dialog() => self.explain_dialog(None),
            Command::CloseConnection => self.close_connection(),
            Command::ConfirmClose => self.confirm_close(),
            Command::Cancel => self.cancel(),
            Command::Tag => self.toggle_tag(),
            Command::TagAll => self.tag_all(),
            Command::Clear if self.tags.count() > 0 => self.clear_tags(),
            Command::CopyRow => self.copy_row(),
            Command::CopyJson => self.copy_json(),
            Command::Acknowledge => self.acknowledge(),
            Command::Mute => self.mute(),
            other => self.browse(other),
        }
    }

    fn toggle_pause(&mut self) -> Vec<Effect> {
        self.paused = !self.paused;
        match self.held_back.take() {
            Some(observation) if !self.paused => self.observed(observation),
            _ => Vec::new(),
        }
    }

    fn change_interval(&mut self, slower: bool) -> Vec<Effect> {
        let next = if slower {
            INTERVALS.iter().find(|step| **step > self.interval)
        } else {
            INTERVALS.iter().rev().find(|step| **step < self.interval)
        };
        let next = next.copied().unwrap_or(self.interval);
        let effects = self.set_pace(Pace::Fixed(next));
        let interval = self.words.length(self.interval);
        self.say("interval", &[("interval", interval)]);
        effects
    }

    fn set_pace(&mut self, pace: Pace) -> Vec<Effect> {
        self.pace = pace;
        self.interval = pace.first();
        self.slowed_by = None;
        vec![Effect::SetPace(pace)]
    }

    fn change_scope(&mut self) -> Vec<Effect> {
        self.scope = self.scope.toggled();
        let name = match self.scope {
            Scope::Own => "scope_own",
            Scope::All => "scope_all",
        };
        self.say(name, &[]);
        vec![Effect::SetScope(self.scope)]
    }

    /// The screen changes with the language; an existing notice does not.
    fn change_language(&mut self) -> Vec<Effect> {
        if self.latin_only {
            self.say("latin_only", &[]);
        } else {
            self.words = Catalogue::of(self.words.language().next());
            self.consent.ask();
        }
        Vec::new()
    }
}
