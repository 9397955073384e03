//! The pane that explains the selected row at all times.

use super::page::Page;
use super::theme::Theme;
use super::{put, row_of};
use crate::app::App;
use crate::explain::diagnosis::{Diagnosis, diagnose};
use crate::listing::fit;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

pub(super) use crate::listing::width as cells;

/// Draws the pane below the table: a headline, why, and what next.
pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let Some(row) = app.selected() else {
        return;
    };
    let diagnosis = diagnose(row, &app.observation, app.words);
    let next = next_line(app, &diagnosis);
    let next_rows = u16::from(!next.is_empty() && area.height > 1);
    let above = Rect {
        height: area.height - next_rows,
        ..area
    };
    let mut page = Page::new(area.width);
    let mut text = format!(
        "{}{}",
        diagnosis.headline,
        app.words.diagnosis("join", "headline")
    );
    let mut sentences = diagnosis.sentences.clone();
    sentences.extend(diagnosis.unowned.clone());
    text.push_str(&sentences.join(app.words.diagnosis("join", "sentence")));
    page.paragraph(&text, Style::new());
    let cut = page.len() > usize::from(above.height);
    page.draw(0, above, buffer);
    if cut {
        mark_cut(above, theme, buffer);
    }
    if next_rows > 0 {
        let line = Line::from(vec![
            Span::styled(
                format!(" {}", app.words.diagnosis("join", "next")),
                theme.title(),
            ),
            Span::raw(fit(&diagnosis.next, usize::from(area.width).saturating_sub(8)).into_owned()),
        ]);
        put(&line, Style::new(), row_of(area, area.height - 1), buffer);
    }
}

/// Says that more of it stands on the explanation page.
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

fn next_line(app: &App, diagnosis: &Diagnosis) -> String {
    if diagnosis.next.is_empty() {
        return String::new();
    }
    format!("{}{}", app.words.diagnosis("join", "next"), diagnosis.next)
}
