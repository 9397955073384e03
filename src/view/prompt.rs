//! The filter being typed, with carets under its error.

use super::explanation_pane::cells;
use super::theme::Theme;
use super::{draw_line, nth_row};
use crate::app::App;
use crate::app::prompt::Prompt;
use crate::listing::truncate;
use crate::model::text::Text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

pub(super) fn height(prompt: &Prompt) -> u16 {
    if prompt.error.is_some() { 3 } else { 1 }
}

/// Draws the line; returns the position of the caret.
pub(super) fn draw(
    prompt: &Prompt,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let label = format!(" {} ", app.messages.screen("prompt", "filter"));
    let room = usize::from(area.width).saturating_sub(cells(&label) + 1);
    let before = sanitized(&prompt.text[..prompt.caret]);
    // A line longer than the screen is scrolled so that the caret is visible.
    let hidden = hidden_characters(&before, room);
    let visible: String = sanitized(&prompt.text).chars().skip(hidden).collect();
    let line = Line::from(vec![
        Span::styled(label.clone(), theme.key()),
        Span::raw(truncate(&visible, room).into_owned()),
    ]);
    draw_line(&line, Style::new(), nth_row(area, 0), buffer);
    let offset = |text: &str| {
        let tail: String = text.chars().skip(hidden).collect();
        u16::try_from(cells(&label) + cells(&tail)).unwrap_or(u16::MAX)
    };
    if let Some(error) = &prompt.error
        && area.height >= 3
    {
        let start = offset(&sanitized(
            prompt.text.get(..error.span.start).unwrap_or_default(),
        ));
        let marked = sanitized(prompt.text.get(error.span.clone()).unwrap_or_default());
        let marks = "^".repeat(cells(&marked).max(1));
        let caret = format!("{}{marks}", " ".repeat(usize::from(start)));
        draw_line(
            &Line::styled(caret, theme.error()),
            Style::new(),
            nth_row(area, 1),
            buffer,
        );
        let said = app.messages.translate_message(&error.to_string());
        let text = truncate(&said, usize::from(area.width).saturating_sub(2));
        let line = Line::styled(format!(" {text}"), theme.error());
        draw_line(&line, Style::new(), nth_row(area, 2), buffer);
    }
    let column = area.x.saturating_add(offset(&before));
    (column < area.right() && area.height > 0).then_some(Position::new(column, area.y))
}

/// Sanitises typed or pasted text, which is foreign text too.
fn sanitized(text: &str) -> String {
    Text::from(text).to_string()
}

/// Number of leading characters to omit so that the rest fits.
fn hidden_characters(text: &str, room: usize) -> usize {
    let mut left = room;
    let mut kept = 0;
    for character in text.chars().rev() {
        let Some(less) = left.checked_sub(cells(character.encode_utf8(&mut [0; 4]))) else {
            break;
        };
        left = less;
        kept += 1;
    }
    text.chars().count() - kept
}
