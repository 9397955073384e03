//! Page stack for Back navigation.

use super::App;
use super::effect::Effect;
use super::mode::Mode;
use crate::model::socket::SocketKey;

/// Maximum depth of the stack; the lowest pages are dropped.
const MAX_DEPTH: usize = 16;

/// A page, and the socket that was selected when it was left.
pub(super) type PageEntry = (Mode, Option<SocketKey>);

impl App {
    /// Opens a page on top of the present one.
    pub(super) fn push_page(&mut self, mode: Mode) {
        let key = self.selected().map(|row| row.socket.key());
        let below = std::mem::replace(&mut self.mode, mode);
        if below == Mode::Table {
            self.page_stack.clear();
        } else {
            self.page_stack.push((below, key));
        }
        let surplus = self.page_stack.len().saturating_sub(MAX_DEPTH);
        self.page_stack.drain(..surplus);
    }

    /// Returns to the page below, skipping a page about a socket that is no
    /// longer selected.
    pub(super) fn pop_page(&mut self) -> Vec<Effect> {
        let selected = self.selected().map(|row| row.socket.key());
        while let Some((mode, key)) = self.page_stack.pop() {
            if !mode.is_about_selected_socket() || key == selected {
                self.mode = mode;
                // A running animation continues.
                return self.next_tick();
            }
        }
        self.mode = Mode::Table;
        Vec::new()
    }

    /// Returns to the table.
    pub(super) fn close_pages(&mut self) {
        self.page_stack.clear();
        self.mode = Mode::Table;
    }
}
