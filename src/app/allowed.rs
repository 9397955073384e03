//! Availability of commands: help and footer list available ones only.

use super::App;
use super::command::Command;
use super::mode::Mode;
use crate::model::action::Policy;
use crate::model::closing::CloseRefusal;

impl App {
    /// True if the access mode permits a command.
    #[must_use]
    pub fn permits(&self, command: Command) -> bool {
        if command.digit().is_some() {
            return self.lesson.is_some();
        }
        let acts = matches!(
            command,
            Command::EndProcess
                | Command::TurnReach
                | Command::CloseConnection
                | Command::ConfirmClose
                | Command::ConfirmSend
                | Command::NextSignal
                | Command::PreviousSignal
        );
        self.policy == Policy::Act || !acts
    }

    /// True if a command is available now: help and footer list no other.
    #[must_use]
    pub fn works(&self, command: Command) -> bool {
        match command {
            Command::Explain if matches!(self.mode, Mode::Explain { .. }) => false,
            Command::Help => !matches!(self.mode, Mode::Help { .. }),
            Command::Details | Command::Explain | Command::CopyRow | Command::CopyJson => {
                self.selected().is_some()
            }
            Command::EndProcess | Command::CloseConnection if self.shows_no_row() => false,
            Command::EndProcess => {
                let rows = self.rows_to_act_on();
                let mut owners = rows.iter().map(|row| self.observation.first_owner(row));
                self.permits(command) && owners.any(|owner| owner.is_some())
            }
            Command::CloseConnection => {
                self.permits(command) && self.close_refusal().is_none() && self.has_closable()
            }
            Command::GoToRow | Command::BriefOnly => !self.observation.chronicle.stream.is_empty(),
            Command::Play => self.segment_count() > 0,
            Command::NextPage | Command::PreviousPage => !self.in_contents(),
            Command::ConfirmClose => matches!(self.mode, Mode::Close(_)),
            Command::ShowFinding if matches!(self.mode, Mode::Findings { .. }) => {
                self.chosen_finding().is_some()
            }
            Command::ShowFinding => !self.observation.findings.is_empty(),
            Command::Findings => self.knows_of_findings(),
            Command::Acknowledge | Command::Mute => self.chosen_finding().is_some(),
            Command::TurnReach
            | Command::ConfirmSend
            | Command::NextSignal
            | Command::PreviousSignal => self.answers(command),
            _ => true,
        }
    }

    /// True if the page on screen shows no row: a process that is not visible
    /// must not be ended from there.
    pub(super) fn shows_no_row(&self) -> bool {
        matches!(self.mode, Mode::Help { .. } | Mode::Gaps { .. })
    }

    fn knows_of_findings(&self) -> bool {
        let seen = &self.observation;
        let stands = !seen.findings.is_empty() || !seen.muted.is_empty();
        stands || self.ended_findings().next().is_some()
    }

    /// Returns the reason why no connection can be closed here, if so, as
    /// determined by probing.
    #[must_use]
    pub fn close_refusal(&self) -> Option<&CloseRefusal> {
        self.means.as_ref()?.closing.as_ref().err()
    }
}
