//! The filter being typed, with carets under its error.

use super::theme::Theme;
use super::words::cells;
use super::{put, row_of};
use crate::app::App;
use crate::app::prompt::Prompt;
use crate::listing::fit;
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
    let label = format!(" {} ", app.words.screen("prompt", "filter"));
    let room = usize::from(area.width).saturating_sub(cells(&label) + 1);
    let before = shown(&prompt.text[..prompt.caret]);
    // A line longer than the screen is scrolled so that the caret is visible.
    let hidden = skipped(&before, room);
    let visible: String = shown(&prompt.text).chars().skip(hidden).collect();
    let line = Line::from(vec![
        Span::styled(label.clone(), theme.key()),
        Span::raw(fit(&visible, room).into_owned()),
    ]);
    put(&line, Style::new(), row_of(area, 0), buffer);
    let offset = |text: &str| {
        let tail: String = text.chars().skip(hidden).collect();
        u16::try_from(cells(&label) + cells(&tail)).unwrap_or(u16::MAX)
    };
    if let Some(error) = &prompt.error
        && area.height >= 3
    {
        let start = offset(&shown(
            prompt.text.get(..error.span.start).unwrap_or_default(),
        ));
        let marked = shown(prompt.text.get(error.span.clone()).unwrap_or_default());
        let marks = "^".repeat(cells(&marked).max(1));
        let caret = format!("{}{marks}", " ".repeat(usize::from(start)));
        put(
            &Line::styled(caret, theme.error()),
            Style::new(),
            row_of(area, 1),
            buffer,
        );
        let said = app.words.message(&error.to_string());
        let text = fit(&said, usize::from(area.width).saturating_sub(2));
        let line = Line::styled(format!(" {text}"), theme.error());
        put(&line, Style::new(), row_of(area, 2), buffer);
    }
    let column = area.x.saturating_add(offset(&before));
    (column < area.right() && area.height > 0).then_some(Position::new(column, area.y))
}

/// Sanitises typed or pasted text, which is foreign text too.
fn shown(text: &str) -> String {
    Text::from(text).to_string()
}

/// Number of leading characters to omit so that the rest fits.
fn skipped(text: &str, room: usize) -> usize {
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
