//! Page stack for Back navigation.

use super::App;
use super::effect::Effect;
use super::mode::Mode;
use crate::model::socket::SocketKey;

/// Maximum depth of the stack; the lowest pages are dropped.
const DEEPEST: usize = 16;

/// A page, and the socket that was selected when it was left.
pub(super) type Left = (Mode, Option<SocketKey>);

impl App {
    /// Opens a page on top of the present one.
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

    /// Returns to the page below, skipping a page about a socket that is no
    /// longer selected.
    pub(super) fn step_back(&mut self) -> Vec<Effect> {
        let selected = self.selected().map(|row| row.socket.key());
        while let Some((mode, key)) = self.trail.pop() {
            if !mode.is_about_one() || key == selected {
                self.mode = mode;
                // A running animation continues.
                return self.next_tick();
            }
        }
        self.mode = Mode::Table;
        Vec::new()
    }

    /// Returns to the table.
    pub(super) fn leave_all(&mut self) {
        self.trail.clear();
        self.mode = Mode::Table;
    }
}
