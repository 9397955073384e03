//! Styles of the screen's elements.
//!
//! Colours are those of the terminal's own palette, so that they suit light and
//! dark backgrounds; no information is conveyed by colour alone. Mono uses weight
//! and inversion only.

use crate::explain::urgency::Urgency;
use crate::model::finding::Severity;
use crate::model::row::Phase;
use crate::model::state::State;
use ratatui::style::{Color, Modifier, Style};

/// Attributes that a terminal may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Palette {
    /// Sixteen colours.
    #[default]
    Colour,
    /// None (`NO_COLOR`, `--color never`).
    Mono,
}

/// The look of the screen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Theme {
    /// Colours or none.
    pub palette: Palette,
    /// Only ASCII characters, for locales that are not UTF-8.
    pub ascii: bool,
}

impl Theme {
    fn colour(self, colour: Color) -> Style {
        match self.palette {
            Palette::Colour => Style::new().fg(colour),
            Palette::Mono => Style::new(),
        }
    }

    /// Usual and unimportant elements.
    #[must_use]
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Titles and headings.
    #[must_use]
    pub fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Column headings.
    #[must_use]
    pub fn heading(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The name of a key.
    #[must_use]
    pub fn key(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The row under the cursor.
    #[must_use]
    pub fn cursor(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Elements that must not be overlooked, such as PAUSED.
    #[must_use]
    pub fn flag(self) -> Style {
        self.colour(Color::Yellow)
            .add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    /// A row in a phase.
    #[must_use]
    pub fn phase(self, phase: Phase) -> Style {
        match phase {
            Phase::Unchanged => Style::new(),
            Phase::New => self.colour(Color::Green),
            Phase::Changed { .. } => self.colour(Color::Yellow),
            Phase::Closed => self.colour(Color::Red),
        }
    }

    /// A state's word: dim if usual, bright if it deserves attention.
    #[must_use]
    pub fn state(self, state: State) -> Style {
        match state {
            State::TimeWait | State::Unconnected | State::Closed | State::BoundInactive => {
                self.dim()
            }
            State::Listen => self.colour(Color::Blue),
            State::Established => self.colour(Color::Green),
            State::SynSent | State::SynReceived => self.colour(Color::Yellow),
            State::CloseWait => self.colour(Color::Magenta),
            State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck => {
                self.colour(Color::Cyan)
            }
            State::Unknown(_) => self.colour(Color::Red),
        }
    }

    /// A finding.
    #[must_use]
    pub fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Info => self.colour(Color::Cyan),
            Severity::Warning => self.colour(Color::Yellow).add_modifier(Modifier::BOLD),
            Severity::Critical => self.colour(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// Urgency of a socket.
    #[must_use]
    pub fn urgency(self, urgency: Urgency) -> Style {
        match urgency {
            Urgency::Normal => Style::new(),
            Urgency::Look => self.severity(Severity::Warning),
            Urgency::Act => self.severity(Severity::Critical),
        }
    }

    /// An error.
    #[must_use]
    pub fn error(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }
}
