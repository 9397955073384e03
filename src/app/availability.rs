//! Availability of commands: help and footer list available ones only.

use super::App;
use super::command::Command;
use super::mode::Mode;
use crate::model::action::AccessMode;
use crate::model::close::CloseRefusal;

impl App {
    /// True if the access mode permits a command.
    #[must_use]
    pub fn is_permitted(&self, command: Command) -> bool {
        if command.digit().is_some() {
            return self.lab.is_some();
        }
        let acts = matches!(
            command,
            Command::EndProcess
                | Command::ToggleTree
                | Command::CloseConnection
                | Command::ConfirmClose
                | Command::ConfirmSend
                | Command::NextSignal
                | Command::PreviousSignal
        );
        self.access_mode == AccessMode::Full || !acts
    }

    /// True if a command is available now: help and footer list no other.
    #[must_use]
    pub fn is_available(&self, command: Command) -> bool {
        match command {
            Command::Explain if matches!(self.mode, Mode::Explain { .. }) => false,
            Command::Help => !matches!(self.mode, Mode::Help { .. }),
            Command::Details | Command::Explain | Command::CopyRow | Command::CopyJson => {
                self.selected().is_some()
            }
            Command::EndProcess | Command::CloseConnection if self.is_page_without_row() => false,
            Command::EndProcess => {
                let rows = self.target_rows();
                let mut owners = rows.iter().map(|row| self.observation.first_owner(row));
                self.is_permitted(command) && owners.any(|owner| owner.is_some())
            }
            Command::CloseConnection => {
                self.is_permitted(command) && self.close_refusal().is_none() && self.has_closable()
            }
            Command::GoToRow | Command::ShortLivedOnly => {
                !self.observation.event_history.events.is_empty()
            }
            Command::Play => self.segment_count() > 0,
            Command::NextPage | Command::PreviousPage => !self.is_in_lesson_list(),
            Command::ConfirmClose => matches!(self.mode, Mode::Close(_)),
            Command::ShowFinding if matches!(self.mode, Mode::Findings { .. }) => {
                self.selected_finding().is_some()
            }
            Command::ShowFinding => !self.observation.findings.is_empty(),
            Command::Findings => self.has_findings(),
            Command::Acknowledge | Command::Mute => self.selected_finding().is_some(),
            Command::ToggleTree
            | Command::ConfirmSend
            | Command::NextSignal
            | Command::PreviousSignal => self.can_answer(command),
            _ => true,
        }
    }

    /// True if the page on screen shows no row: a process that is not visible
    /// must not be ended from there.
    pub(super) fn is_page_without_row(&self) -> bool {
        matches!(self.mode, Mode::Help { .. } | Mode::Capabilities { .. })
    }

    fn has_findings(&self) -> bool {
        let seen = &self.observation;
        let stands = !seen.findings.is_empty() || !seen.muted.is_empty();
        stands || self.resolved_findings().next().is_some()
    }

    /// Returns the reason why no connection can be closed here, if so, as
    /// determined by probing.
    #[must_use]
    pub fn close_refusal(&self) -> Option<&CloseRefusal> {
        self.capabilities.as_ref()?.close_support.as_ref().err()
    }
}
