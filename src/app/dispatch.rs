//! Dispatch of keys to commands; global toggles.

use super::close_connection::CloseConfirmation;
use super::command::Command;
use super::effect::Effect;
use super::keys::Key;
use super::mode::Mode;
use super::{App, INTERVALS};
use crate::explain::catalogue::Catalogue;
use crate::model::namespace::NamespaceScope;
use crate::model::refresh_mode::RefreshMode;
use crate::model::signal::Signal;
use std::mem;

impl App {
    /// Handles keys in a row. A filter being typed is parsed once, after them,
    /// and not with each.
    pub(super) fn handle_keys(&mut self, keys: &[Key]) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut edited = false;
        for key in keys {
            self.confirmation_guard.record_input(self.now);
            if self.edit_prompt(*key) {
                edited = true;
                continue;
            }
            if mem::take(&mut edited) {
                self.apply_prompt();
            }
            effects.extend(self.handle_key(*key));
        }
        if edited {
            self.apply_prompt();
        }
        effects
    }

    pub(super) fn handle_key(&mut self, key: Key) -> Vec<Effect> {
        self.key_pressed = true;
        if let Mode::Prompt(_) = self.mode {
            return self.prompt_key(key);
        }
        if let Mode::Confirm(confirm) = &mut self.mode
            && confirm.help_scroll.is_none()
            && confirm.handle_key(key)
        {
            return Vec::new();
        }
        let typing = |closing: &CloseConfirmation| {
            closing.typed_confirmation.is_some() && closing.help_scroll.is_none()
        };
        if matches!(&self.mode, Mode::Close(closing) if typing(closing)) {
            return self.handle_close_key(key);
        }
        let Some(command) = self.keymap.command(self.mode.context(), key) else {
            self.confirmation_guard.restart_reading_time(self.now);
            return Vec::new();
        };
        self.run_command(command)
    }

    pub(super) fn run_command(&mut self, command: Command) -> Vec<Effect> {
        let offered = self
            .notice
            .as_ref()
            .is_some_and(|notice| notice.offers_retry);
        if !matches!(command, Command::EndProcess | Command::CloseConnection) {
            self.tags.acknowledge_gone();
        }
        if !matches!(command, Command::Suspend) {
            self.notice = None;
        }
        if matches!(command, Command::EndProcess | Command::CloseConnection)
            && self.is_page_without_row()
        {
            return Vec::new();
        }
        if let Some(digit) = command.digit() {
            return self.choose_lab_action(digit);
        }
        if let Some(lesson) = &mut self.lab {
            // Navigation cancels a pending jump to the lab row.
            lesson.target_state = None;
        }
        match command {
            Command::Quit => vec![Effect::Quit],
            Command::Suspend => vec![Effect::Suspend],
            Command::Refresh => vec![Effect::Refresh],
            Command::Pause => self.toggle_pause(),
            Command::Faster => self.change_interval(false),
            Command::Slower => self.change_interval(true),
            Command::AdaptiveRefresh => {
                self.notify_key("adaptive", &[]);
                self.set_refresh_mode(RefreshMode::Adaptive)
            }
            Command::AllNamespaces => self.change_scope(),
            Command::Language => self.change_language(),
            Command::EndProcess => self.end_process(offered),
            Command::ToggleTree => self.toggle_tree(),
            Command::ConfirmSend => self.send_confirmed_signal(),
            Command::NextSignal => self.choose_signal(Signal::next),
            Command::PreviousSignal => self.choose_signal(Signal::previous),
            Command::DialogHelp => self.show_dialog_help(Some(0)),
            Command::Back if self.mode.shows_dialog_help() => self.show_dialog_help(None),
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
            other => self.navigate(other),
        }
    }

    fn toggle_pause(&mut self) -> Vec<Effect> {
        self.paused = !self.paused;
        match self.paused_observation.take() {
            Some(observation) if !self.paused => self.handle_observation(observation),
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
        let effects = self.set_refresh_mode(RefreshMode::Fixed(next));
        let interval = self.messages.duration_text(self.interval);
        self.notify_key("interval", &[("interval", interval)]);
        effects
    }

    fn set_refresh_mode(&mut self, pace: RefreshMode) -> Vec<Effect> {
        self.refresh_mode = pace;
        self.interval = pace.initial_interval();
        self.table_cost = None;
        vec![Effect::SetRefreshMode(pace)]
    }

    fn change_scope(&mut self) -> Vec<Effect> {
        self.scope = self.scope.toggled();
        let name = match self.scope {
            NamespaceScope::Current => "scope_own",
            NamespaceScope::All => "scope_all",
        };
        self.notify_key(name, &[]);
        vec![Effect::SetScope(self.scope)]
    }

    /// The screen changes with the language; an existing notice does not.
    fn change_language(&mut self) -> Vec<Effect> {
        if self.ascii_only {
            self.notify_key("latin_only", &[]);
        } else {
            self.messages = Catalogue::of(self.messages.language().next());
            self.confirmation_guard.question_changed();
        }
        Vec::new()
    }
}
