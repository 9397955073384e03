//! The way back: which pages lie below the one on screen.

use super::App;
use super::effect::Effect;
use super::mode::Mode;
use crate::model::socket::SocketKey;

/// No more pages than these lie below one another; the lowest are forgotten.
const DEEPEST: usize = 16;

/// A page, and the socket that was selected when it was left.
pub(super) type Left = (Mode, Option<SocketKey>);

impl App {
    /// Opens a page over the one on screen.
    pub(super) fn enter(&mut self, mode: Mode) {
        let key = self.selected().map(|row| row.socket.key());
        let below = std::mem::replace(&mut self.mode, mode);
        if below == Mode::Table {
            self.trail.clear();
        } else {
            self.trail.push((below, key));
        }
        let surplus = self.trail.len().saturating_sub(DEEPEST);
        self.trail.drain(..surplus);
    }

    /// To the page below; one about a socket that is no longer selected is
    /// passed over.
    pub(super) fn step_back(&mut self) -> Vec<Effect> {
        let selected = self.selected().map(|row| row.socket.key());
        while let Some((mode, key)) = self.trail.pop() {
            if !mode.is_about_one() || key == selected {
                self.mode = mode;
                // A lesson that was playing goes on.
                return self.next_tick();
            }
        }
        self.mode = Mode::Table;
        Vec::new()
    }

    /// To the table.
    pub(super) fn leave_all(&mut self) {
        self.trail.clear();
        self.mode = Mode::Table;
    }
}
