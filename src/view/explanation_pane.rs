//! The explanation pane of the selected row.

use super::page::Page;
use super::theme::Theme;
use super::{draw_line, nth_row};
use crate::app::App;
use crate::explain::catalogue::Catalogue;
use crate::explain::diagnosis::Diagnosis;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

pub(super) use crate::listing::display_width as cells;

/// The explanation of a row as two paragraphs: reasons and advice.
struct ExplanationPane {
    why: Page,
    next: Page,
}

impl ExplanationPane {
    fn new(app: &App, theme: Theme, width: u16) -> Option<Self> {
        let diagnosis = app.diagnosis(app.selected()?);
        let join = |name: &str| app.messages.diagnosis("join", name);
        let (headline, word) = diagnosis.headline_with_urgency(app.messages);
        let mut sentences = diagnosis.sentences;
        sentences.extend(
            diagnosis
                .no_owner_reason
                .filter(|_| !diagnosis.reason_in_sentences),
        );
        let mut why = Page::new(width);
        let text = format!(
            "{headline}{}{}",
            join("headline"),
            app.messages.join_sentences(&sentences)
        );
        why.paragraph_with_styled_start(&text, word, theme.urgency(diagnosis.urgency));
        let mut next = Page::new(width);
        if let Some(first) = diagnosis.advice.first() {
            let text = format!("{}{first}", join("next"));
            next.paragraph(&text, theme.title());
        }
        Some(Self { why, next })
    }
}

/// Writes an explanation in full: the headline with its urgency, the reasons, and
/// advice, at most that many items.
pub(super) fn write_explanation(
    diagnosis: &Diagnosis,
    words: &Catalogue,
    theme: Theme,
    most_to_do: usize,
    page: &mut Page,
) {
    let (headline, word) = diagnosis.headline_with_urgency(words);
    let text = format!(
        "{headline}{}{}",
        words.diagnosis("join", "headline"),
        words.join_sentences(&diagnosis.sentences)
    );
    page.paragraph_with_styled_start(&text, word, theme.urgency(diagnosis.urgency));
    for (number, to_do) in diagnosis.advice.iter().take(most_to_do).enumerate() {
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
    let Some(ExplanationPane { why, next }) = ExplanationPane::new(app, theme, area.width) else {
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
        draw_cut_mark(place, theme, buffer);
    }
}

/// Draws a mark that the explanation page shows more.
fn draw_cut_mark(area: Rect, theme: Theme, buffer: &mut Buffer) {
    if area.width >= 20 && area.height > 0 {
        let place = Rect {
            x: area.right() - 2,
            width: 2,
            ..nth_row(area, area.height - 1)
        };
        draw_line(
            &Line::styled(" …", theme.dim()),
            Style::new(),
            place,
            buffer,
        );
    }
}
