//! What could not be seen, why, and what would help.

use super::page::Page;
use super::screen::titled;
use super::theme::Theme;
use crate::app::App;
use crate::explain::sentence::{fill, grouped};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws the page; says how far it can be scrolled.
pub(super) fn draw(app: &App, theme: Theme, scroll: u16, area: Rect, buffer: &mut Buffer) -> u16 {
    let words = |name: &str| app.words.screen("gaps", name);
    let below = titled(words("title"), theme, area, buffer);
    let mut page = Page::new(below.width);
    let gaps = &app.observation.gaps;
    if gaps.is_empty() {
        page.blank();
        page.paragraph(words("none"), Style::new());
    }
    for gap in gaps {
        let short = app.words.gap(gap.kind, "short");
        let short = fill(short, |_| Some(grouped(gap.count))).unwrap_or_default();
        let reason = app.words.gap_reason(gap.reason);
        page.heading(&format!("{short} ({reason})"), theme.heading());
        page.paragraph(app.words.gap(gap.kind, "means"), Style::new());
        page.paragraph(app.words.gap(gap.kind, "do"), Style::new());
    }
    page.draw(scroll, below, buffer)
}
