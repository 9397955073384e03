//! The choice of a column to sort by, over the table.

use super::put;
use super::theme::Theme;
use super::words::cells;
use crate::app::App;
use crate::app::browsing::{SORTABLE, sort_title};
use crate::listing::{Align, Column, fit, pad};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

pub(super) fn draw(place: usize, app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut entries = vec![app.words.screen("sort", "usual").to_owned()];
    entries.extend(SORTABLE.iter().map(|column| {
        let means = match column {
            Column::Mark => app.words.screen("sort", "urgency_means"),
            other => app.words.column(other.key()),
        };
        let title = pad(sort_title(*column, app.words), 9, Align::Left);
        format!("{title} {means}")
    }));
    let widest = entries.iter().map(|entry| cells(entry)).max().unwrap_or(0);
    let width = u16::try_from(widest + 2)
        .unwrap_or(u16::MAX)
        .min(area.width);
    let height = u16::try_from(entries.len() + 1)
        .unwrap_or(u16::MAX)
        .min(area.height);
    let menu = Rect {
        width,
        height,
        ..area
    };
    let room = usize::from(height).saturating_sub(1).max(1);
    let first = (place + 1).saturating_sub(room);
    let title = format!(" {}", app.words.screen("sort", "title"));
    let mut rows = menu.rows();
    if let Some(row) = rows.next() {
        clear(row, buffer);
        put(
            &Line::styled(title, theme.heading()),
            Style::new(),
            row,
            buffer,
        );
    }
    for ((number, entry), row) in entries.iter().enumerate().skip(first).zip(rows) {
        let style = if number == place {
            theme.cursor()
        } else {
            Style::new()
        };
        clear(row, buffer);
        let text = fit(entry, usize::from(width).saturating_sub(1));
        put(&Line::raw(format!(" {text}")), style, row, buffer);
    }
}

fn clear(area: Rect, buffer: &mut Buffer) {
    ratatui::widgets::Widget::render(ratatui::widgets::Clear, area, buffer);
}
