//! Draws what the app holds into a buffer.
//!
//! Drawing reads the app and changes nothing. What it finds out on the way
//! (which spot lies where, how many rows fit) goes back as a [`Frame`].

mod clock;
mod closing;
mod confirm;
mod details;
mod dialog_help;
mod events;
mod explain;
mod findings;
mod footer;
mod gaps;
mod header;
mod help;
mod lab;
mod learn;
mod machine;
mod page;
mod prompt;
mod screen;
mod sort_menu;
mod sparkline;
mod table;
pub mod theme;
mod timeline;
mod words;

use crate::app::App;
use crate::app::message::{Drawn, Spot};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use theme::Theme;

/// What drawing found out.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// What lies where; later entries lie on top.
    pub spots: Vec<(Rect, Spot)>,
    /// How much room there is.
    pub drawn: Drawn,
    /// Where the terminal's caret belongs, if anywhere.
    pub caret: Option<Position>,
}

impl Frame {
    /// What lies at a position.
    #[must_use]
    pub fn spot(&self, position: Position) -> Spot {
        self.spots
            .iter()
            .rev()
            .find(|(area, _)| area.contains(position))
            .map_or(Spot::Elsewhere, |(_, spot)| *spot)
    }
}

/// Draws the whole screen. Any size is fit to draw on, none included.
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
fn put(line: &Line<'_>, style: Style, area: Rect, buffer: &mut Buffer) {
    let row = Rect {
        height: area.height.min(1),
        ..area
    };
    buffer.set_style(row, style);
    line.render(row, buffer);
}

/// The row of an area `down` rows below its top; empty if it has no such row.
fn row_of(area: Rect, down: u16) -> Rect {
    Rect {
        y: area.y.saturating_add(down),
        height: u16::from(down < area.height),
        ..area
    }
}

/// Terminals whose locale is not UTF-8 would show several wrong characters
/// for each of ours.
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
