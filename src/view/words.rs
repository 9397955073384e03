//! The explanation pane of the selected row.

use super::page::Page;
use super::theme::Theme;
use super::{put, row_of};
use crate::app::App;
use crate::explain::catalogue::Catalogue;
use crate::explain::diagnosis::Diagnosis;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

pub(super) use crate::listing::width as cells;

/// The explanation of a row as two paragraphs: reasons and advice.
struct Pane {
    why: Page,
    next: Page,
}

impl Pane {
    fn of(app: &App, theme: Theme, width: u16) -> Option<Self> {
        let diagnosis = app.diagnosis(app.selected()?);
        let join = |name: &str| app.words.diagnosis("join", name);
        let (headline, word) = diagnosis.marked_headline(app.words);
        let mut sentences = diagnosis.sentences;
        sentences.extend(diagnosis.unowned.filter(|_| !diagnosis.unowned_is_said));
        let mut why = Page::new(width);
        let text = format!(
            "{headline}{}{}",
            join("headline"),
            app.words.sentences(&sentences)
        );
        why.marked(&text, word, theme.urgency(diagnosis.urgency));
        let mut next = Page::new(width);
        if let Some(first) = diagnosis.next.first() {
            let text = format!("{}{first}", join("next"));
            next.paragraph(&text, theme.title());
        }
        Some(Self { why, next })
    }
}

/// Writes an explanation in full: the headline with its urgency, the reasons, and
/// advice, at most that many items.
pub(super) fn tell(
    diagnosis: &Diagnosis,
    words: &Catalogue,
    theme: Theme,
    most_to_do: usize,
    page: &mut Page,
) {
    let (headline, word) = diagnosis.marked_headline(words);
    let text = format!(
        "{headline}{}{}",
        words.diagnosis("join", "headline"),
        words.sentences(&diagnosis.sentences)
    );
    page.marked(&text, word, theme.urgency(diagnosis.urgency));
    for (number, to_do) in diagnosis.next.iter().take(most_to_do).enumerate() {
        let (heading, style) = match number {
            0 => ("next", theme.title()),
            _ => ("then", Style::new()),
        };
        let to_do = format!("{}{to_do}", words.diagnosis("join", heading));
        page.paragraph(&to_do, style);
    }
}

/// Draws the pane below the table: a headline, reasons, and advice. On a small
/// screen the advice keeps one line, and the rest is on the explanation page.
pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let Some(Pane { why, next }) = Pane::of(app, theme, area.width) else {
        return;
    };
    let room = usize::from(area.height);
    let whole = why.len() + next.len() <= room;
    let next_lines = if whole { next.len() } else { next.len().min(1) };
    let next_lines = u16::try_from(next_lines).unwrap_or(0).min(area.height);
    let above = Rect {
        height: (area.height - next_lines).min(u16::try_from(why.len()).unwrap_or(u16::MAX)),
        ..area
    };
    let below = Rect {
        y: above.bottom(),
        height: next_lines,
        ..area
    };
    let cut = [
        (why.len() > usize::from(above.height), above),
        (next.len() > usize::from(next_lines), below),
    ];
    why.draw(0, above, buffer);
    next.draw(0, below, buffer);
    for (_, place) in cut.into_iter().filter(|(cut, _)| *cut) {
        mark_cut(place, theme, buffer);
    }
}

/// Draws a mark that the explanation page shows more.
fn mark_cut(area: Rect, theme: Theme, buffer: &mut Buffer) {
    if area.width >= 20 && area.height > 0 {
        let place = Rect {
            x: area.right() - 2,
            width: 2,
            ..row_of(area, area.height - 1)
        };
        put(
            &Line::styled(" …", theme.dim()),
            Style::new(),
            place,
            buffer,
        );
    }
}
