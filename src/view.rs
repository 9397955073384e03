//! Drawing of the app's state into a buffer.
//!
//! Drawing reads the app and changes nothing. Its results (positions of mouse
//! targets, number of rows that fit) are returned as a [`Frame`].

mod capabilities_page;
mod close_dialog;
mod details;
mod dialog_help;
mod events;
mod explain;
mod explanation_pane;
mod findings;
mod footer;
mod header;
mod help;
mod lab;
mod learn;
mod machine;
mod page;
mod prompt;
mod screen;
mod signal_dialog;
mod sort_menu;
mod sparkline;
mod table;
pub mod theme;
mod time_format;
mod timeline;

use crate::app::App;
use crate::app::message::{FrameInfo, HitTarget};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use theme::Theme;

/// Result of drawing.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Areas of mouse targets; later entries lie on top.
    pub hit_targets: Vec<(Rect, HitTarget)>,
    /// Dimensions of the frame.
    pub info: FrameInfo,
    /// Position of the terminal's caret, if shown.
    pub caret: Option<Position>,
}

impl Frame {
    /// Returns the target at a position.
    #[must_use]
    pub fn hit_target(&self, position: Position) -> HitTarget {
        self.hit_targets
            .iter()
            .rev()
            .find(|(area, _)| area.contains(position))
            .map_or(HitTarget::Nothing, |(_, spot)| *spot)
    }
}

/// Draws the whole screen. Any size is valid, zero included.
pub fn draw(app: &App, theme: Theme, buffer: &mut Buffer) -> Frame {
    let mut frame = Frame::default();
    screen::draw(app, theme, buffer.area, buffer, &mut frame);
    if theme.ascii {
        to_ascii(buffer);
    }
    frame
}

/// Puts one line into the first row of an area, and fills the row with a
/// style.
fn draw_line(line: &Line<'_>, style: Style, area: Rect, buffer: &mut Buffer) {
    let row = Rect {
        height: area.height.min(1),
        ..area
    };
    buffer.set_style(row, style);
    line.render(row, buffer);
}

/// The row of an area `down` rows below its top; empty if it has no such row.
fn nth_row(area: Rect, down: u16) -> Rect {
    Rect {
        y: area.y.saturating_add(down),
        height: u16::from(down < area.height),
        ..area
    }
}

/// Terminals whose locale is not UTF-8 would show several wrong characters for
/// each non-ASCII one.
fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let plain = match cell.symbol() {
            "─" | "—" => "-",
            "│" => "|",
            "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" => "+",
            "→" | "≥" => ">",
            "←" => "<",
            "↑" => "^",
            "↓" => "v",
            "\u{a0}" => " ",
            "…" => "~",
            "▲" => "!",
            "×" => "x",
            "µ" => "u",
            "·" | "▁" | "▂" | "▃" => ".",
            "▄" | "▅" => ":",
            "▆" | "▇" | "█" => "#",
            other if other.is_ascii() => continue,
            _ => "?",
        };
        cell.set_symbol(plain);
    }
}
