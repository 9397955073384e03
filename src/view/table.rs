//! The table: only the visible rows are made into cells and drawn.

use super::explanation_pane::cells;
use super::header::quick_filter_text;
use super::theme::Theme;
use super::{Frame, draw_line, nth_row};
use crate::app::App;
use crate::app::message::{FrameInfo, HitTarget};
use crate::explain::filter_notes::{excluded, text_terms};
use crate::explain::template::render;
use crate::explain::urgency::Urgency;
use crate::listing::{Align, Cell, Column, ColumnWidths, TableLayout, cell, mark, wrap};
use crate::model::finding::Severity;
use crate::model::gap::GapKind;
use crate::model::namespace::NamespaceScope;
use crate::model::reading::SourceKind;
use crate::model::row::{Phase, Row};
use crate::model::text::Text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;

/// Maximum number of rows of the lab that are measured beyond those on screen.
const MAX_MEASURED_ROWS: usize = 100;

/// Draws heading and rows; returns the visible part.
pub(super) fn draw(
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) -> FrameInfo {
    let page = usize::from(area.height.saturating_sub(1));
    let top = app.cursor.top(page);
    let drawn = FrameInfo {
        top,
        visible_rows: page,
        ..FrameInfo::default()
    };
    if app.row_order.is_empty() {
        draw_empty(app, theme, area, buffer);
        return drawn;
    }
    let visible: Vec<(usize, Urgency, &Row)> = app
        .row_order
        .iter()
        .enumerate()
        .skip(top)
        .take(page)
        .filter_map(|(place, number)| {
            let row = app.observation.rows.get(*number as usize)?;
            Some((place, app.urgencies.of_row_number(*number), row))
        })
        .collect();
    let mut wanted = Column::applicable(&app.observation, app.is_in_states_lab());
    if app.is_on_tour() && app.scope == NamespaceScope::Current {
        // All rows are alike in these columns: the space is better used for
        // queues.
        wanted.retain(|column| !matches!(column, Column::User | Column::Proto));
    }
    let sorted = app.sort.column();
    if let Some(column) = sorted.filter(|column| !wanted.contains(column)) {
        wanted.push(column);
        wanted.sort_unstable();
    }
    let cells_of = |row: &Row| -> Vec<Cell<'_>> {
        let cell =
            |column: &Column| cell(*column, row, &app.observation, app.numeric, app.messages);
        wanted.iter().map(cell).collect()
    };
    let lines: Vec<_> = visible.iter().map(|(_, _, row)| cells_of(row)).collect();
    let mut measure = ColumnWidths::new(&wanted, sorted, app.messages);
    for line in &lines {
        measure.add(line);
    }
    if app.is_in_states_lab() {
        // Rows are so few that all are measured: columns do not move with the
        // cursor.
        for row in app.row_order.iter().take(MAX_MEASURED_ROWS) {
            if let Some(row) = app.observation.rows.get(*row as usize) {
                measure.add(&cells_of(row));
            }
        }
    }
    let layout = measure.layout(usize::from(area.width));
    draw_heading(app, theme, &layout, nth_row(area, 0), buffer, frame);
    for (((place, urgency, row), cells), line) in
        visible.iter().zip(&lines).zip(area.rows().skip(1))
    {
        let selected = *place == app.cursor.index();
        let look = RowLook {
            urgency: *urgency,
            selected,
        };
        draw_row(theme, row, cells, look, &layout, line, buffer);
        if app.tags.contains(row.socket.key()) {
            draw_tag(theme, selected, &layout, line, buffer);
        }
        frame.hit_targets.push((line, HitTarget::Row(*place)));
    }
    drawn
}

fn draw_heading(
    app: &App,
    theme: Theme,
    layout: &TableLayout,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    for (_, column, place) in column_rects(layout, area) {
        let title = app.messages.column_title(column.key());
        let (title, style) = if app.sort.column() == Some(column) {
            let sign = direction(app.sort.is_descending(), theme);
            let style = theme.heading().add_modifier(Modifier::UNDERLINED);
            (format!("{title}{sign}"), style)
        } else {
            (title.to_owned(), theme.heading())
        };
        let title = aligned(&title, column.align(), place.width);
        Line::styled(title, style).render(place, buffer);
        frame.hit_targets.push((place, HitTarget::Heading(column)));
    }
}

/// The sign of a sorted column: the largest value first, or the smallest.
fn direction(descending: bool, theme: Theme) -> &'static str {
    match (descending, theme.ascii) {
        (true, false) => "▼",
        (false, false) => "▲",
        (true, true) => "v",
        (false, true) => "^",
    }
}

/// Facts beside the row itself that decide its look.
#[derive(Clone, Copy)]
struct RowLook {
    urgency: Urgency,
    /// True for the row under the cursor.
    selected: bool,
}

fn draw_row(
    theme: Theme,
    row: &Row,
    cells: &[Cell<'_>],
    look: RowLook,
    layout: &TableLayout,
    area: Rect,
    buffer: &mut Buffer,
) {
    let base = theme.phase(row.phase);
    if look.selected {
        draw_line(&Line::default(), theme.cursor(), area, buffer);
    }
    for (number, column, place) in column_rects(layout, area) {
        let Some(cell) = cells.get(number) else {
            continue;
        };
        let mut style = cell_style(column, row, look.urgency, theme, base);
        if cell.is_placeholder && row.phase == Phase::Unchanged {
            style = theme.dim();
        }
        if look.selected {
            // One plain bar: partly inverted colours are hard to read.
            style = theme.cursor();
        }
        let text = match column {
            Column::Mark => mark(row, look.urgency).to_owned(),
            _ => aligned(
                &cell.fitted(usize::from(place.width)),
                column.align(),
                place.width,
            ),
        };
        Line::styled(text, style).render(place, buffer);
    }
}

/// Draws a tag in the mark column, over the mark: the colour of the row still
/// shows its change.
fn draw_tag(theme: Theme, selected: bool, layout: &TableLayout, area: Rect, buffer: &mut Buffer) {
    let mark = column_rects(layout, area).find(|(_, column, _)| *column == Column::Mark);
    let style = if selected {
        theme.cursor()
    } else {
        theme.flag()
    };
    if let Some((_, _, place)) = mark {
        Line::styled("*", style).render(place, buffer);
    }
}

/// Style of a cell: a changed row is coloured as a whole, else only informative
/// cells.
fn cell_style(column: Column, row: &Row, urgency: Urgency, theme: Theme, base: Style) -> Style {
    match column {
        Column::Mark if urgency == Urgency::Act => return theme.urgency(urgency),
        Column::Mark if row.severity.is_some() => {
            return theme.severity(row.severity.unwrap_or(Severity::Warning));
        }
        Column::Mark | Column::State if urgency != Urgency::Normal => {
            return theme.urgency(urgency);
        }
        _ => {}
    }
    if row.phase != Phase::Unchanged {
        return base;
    }
    match column {
        Column::State => theme.state(row.socket.state),
        Column::Age | Column::User | Column::Inode => theme.dim(),
        _ => base,
    }
}

/// Returns each column with the index of its cell and its area.
fn column_rects(layout: &TableLayout, area: Rect) -> impl Iterator<Item = (usize, Column, Rect)> {
    let mut x = area.x;
    let gap = u16::try_from(layout.gap).unwrap_or(u16::MAX);
    layout.columns.iter().map(move |placed| {
        let width = u16::try_from(placed.width).unwrap_or(u16::MAX);
        let place = Rect { x, width, ..area };
        x = x.saturating_add(width).saturating_add(gap);
        (placed.cell_index, placed.column, place.intersection(area))
    })
}

fn aligned(text: &str, align: Align, width: u16) -> String {
    let padding = usize::from(width).saturating_sub(cells(text));
    match align {
        Align::Left => text.to_owned(),
        Align::Right => format!("{}{text}", " ".repeat(padding)),
    }
}

/// True if socket tables could not be read.
fn lacks_tables(app: &App) -> bool {
    let mut gaps = app.observation.gaps.iter();
    gaps.any(|gap| gap.kind == GapKind::TablesUnreadable)
}

/// An empty table is always shown with its reason.
fn draw_empty(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let name = if app.observation.table_number == 0 {
        "waiting"
    } else if app.filter.is_all() && app.quick_filter.is_all() && lacks_tables(app) {
        "nothing_read"
    } else if app.filter.is_all() && app.quick_filter.is_all() {
        "nothing_there"
    } else if app.filter.requires_tcp_metrics() && app.observation.source == SourceKind::Proc {
        "nothing_known"
    } else {
        "nothing_matches"
    };
    let quick = quick_filter_text(app);
    let filter = app.filter.to_string();
    let shown = if app.filter.is_all() { quick } else { filter };
    let sentence = app.messages.screen("table", name);
    let text = render(sentence, |_| Some(Text::from(shown.as_str()).to_string()));
    let room = usize::from(area.width.saturating_sub(2)).max(10);
    let mut said = match app.port_status_lines() {
        Some(lines) => lines,
        None => text.into_iter().collect(),
    };
    said.extend(text_terms(&app.filter, app.messages));
    said.extend(excluded(
        app.undecided.count,
        app.undecided.reason,
        app.messages,
    ));
    let pieces = said.iter().flat_map(|text| wrap(text, room));
    for (piece, row) in pieces.zip(area.rows().skip(1)) {
        let line = Line::styled(format!(" {piece}"), theme.dim());
        draw_line(&line, Style::new(), row, buffer);
    }
}
