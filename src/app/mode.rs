//! The page or dialog that has the keyboard.

use super::close_connection::CloseConfirmation;
use super::events_page::EventsPage;
use super::keys::Context;
use super::lessons::LessonsPage;
use super::prompt::Prompt;
use super::signal_confirmation::SignalConfirmation;
use super::state_machine_page::DiagramCursor;

/// The page or dialog that has the keyboard, with its own state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The live table.
    Table,
    /// Details of the selected socket.
    Details {
        /// Lines scrolled.
        scroll: u16,
    },
    /// Explanation of its state.
    Explain {
        /// Lines scrolled.
        scroll: u16,
    },
    /// All keys.
    Help {
        /// Lines scrolled.
        scroll: u16,
    },
    /// All findings with their evidence.
    Findings {
        /// Index of the marked finding, muted ones after the others.
        index: usize,
        /// Lines scrolled beyond the position at which that is visible.
        scroll: u16,
    },
    /// Abilities of this program, and gaps in what it can read.
    Capabilities {
        /// Lines scrolled.
        scroll: u16,
    },
    /// The state machine.
    Machine(DiagramCursor),
    /// Events between the tables.
    Events(EventsPage),
    /// The learning pages.
    Learn(LessonsPage),
    /// The choice of a column to sort by.
    SortMenu {
        /// Index of the marked entry.
        index: usize,
    },
    /// A filter being typed.
    Prompt(Prompt),
    /// The question before a process is ended.
    Confirm(Box<SignalConfirmation>),
    /// The question before connections are closed.
    Close(Box<CloseConfirmation>),
}

impl Mode {
    /// Context of the keyboard.
    #[must_use]
    pub fn context(&self) -> Context {
        match self {
            Self::Table => Context::Table,
            Self::Details { .. }
            | Self::Explain { .. }
            | Self::Help { .. }
            | Self::Capabilities { .. } => Context::Page,
            Self::Findings { .. } => Context::Findings,
            Self::Machine(_) => Context::Machine,
            Self::Events(_) => Context::Events,
            Self::Learn(_) => Context::Learn,
            Self::SortMenu { .. } => Context::Menu,
            Self::Prompt(_) => Context::Prompt,
            _ if self.shows_dialog_help() => Context::DialogHelp,
            Self::Confirm(_) => Context::Confirm,
            // A number is typed into a line.
            Self::Close(closing) if closing.typed_confirmation.is_some() => Context::Prompt,
            Self::Close(_) => Context::Close,
        }
    }

    /// True if the explanation of a confirmation question is shown instead of the
    /// question.
    #[must_use]
    pub fn shows_dialog_help(&self) -> bool {
        match self {
            Self::Confirm(confirm) => confirm.help_scroll.is_some(),
            Self::Close(closing) => closing.help_scroll.is_some(),
            _ => false,
        }
    }

    /// True if it is about the selected socket alone.
    pub(super) fn is_about_selected_socket(&self) -> bool {
        matches!(self, Self::Details { .. } | Self::Explain { .. })
    }

    /// The scroll position of a page of text.
    pub(super) fn scroll_mut(&mut self) -> Option<&mut u16> {
        match self {
            Self::Details { scroll }
            | Self::Explain { scroll }
            | Self::Help { scroll }
            | Self::Findings { scroll, .. }
            | Self::Capabilities { scroll } => Some(scroll),
            Self::Learn(learning) => Some(&mut learning.scroll),
            Self::Confirm(confirm) => confirm.help_scroll.as_mut(),
            Self::Close(closing) => closing.help_scroll.as_mut(),
            _ => None,
        }
    }

    /// Limits scrolling to the end of the page.
    pub(super) fn limit_scroll(&mut self, longest: u16) {
        if let Some(scroll) = self.scroll_mut() {
            *scroll = (*scroll).min(longest);
        }
    }
}
