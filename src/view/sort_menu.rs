//! The choice of a column to sort by, over the table.

use super::draw_line;
use super::explanation_pane::cells;
use super::theme::Theme;
use crate::app::App;
use crate::app::navigation::{SORTABLE_COLUMNS, sort_title};
use crate::listing::{Align, Column, pad, truncate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

pub(super) fn draw(place: usize, app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut entries = vec![app.messages.screen("sort", "usual").to_owned()];
    entries.extend(SORTABLE_COLUMNS.iter().map(|column| {
        let means = match column {
            Column::Mark => app.messages.screen("sort", "urgency_means"),
            other => app.messages.column(other.key()),
        };
        let title = pad(sort_title(*column, app.messages), 9, Align::Left);
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
    let title = format!(" {}", app.messages.screen("sort", "title"));
    let mut rows = menu.rows();
    if let Some(row) = rows.next() {
        clear(row, buffer);
        draw_line(
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
        let text = truncate(entry, usize::from(width).saturating_sub(1));
        draw_line(&Line::raw(format!(" {text}")), style, row, buffer);
    }
}

fn clear(area: Rect, buffer: &mut Buffer) {
    ratatui::widgets::Widget::render(ratatui::widgets::Clear, area, buffer);
}
