//! The table: only the visible rows are made into cells and drawn.

use super::header::quick_words;
use super::theme::Theme;
use super::words::cells;
use super::{Frame, put, row_of};
use crate::app::App;
use crate::app::message::{Drawn, Spot};
use crate::explain::doubt::{left_out, texts};
use crate::explain::sentence::fill;
use crate::explain::urgency::Urgency;
use crate::listing::{Align, Cell, Column, Layout, Measure, cell, mark, wrap};
use crate::model::finding::Severity;
use crate::model::gap::GapKind;
use crate::model::namespace::Scope;
use crate::model::reading::SourceKind;
use crate::model::row::{Phase, Row};
use crate::model::text::Text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;

/// Maximum number of rows of the lab that are measured beyond those on screen.
const MEASURED: usize = 100;

/// Draws heading and rows; returns the visible part.
pub(super) fn draw(
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) -> Drawn {
    let page = usize::from(area.height.saturating_sub(1));
    let top = app.cursor.top(page);
    let drawn = Drawn {
        top,
        page,
        ..Drawn::default()
    };
    if app.order.is_empty() {
        draw_empty(app, theme, area, buffer);
        return drawn;
    }
    let visible: Vec<(usize, Urgency, &Row)> = app
        .order
        .iter()
        .enumerate()
        .skip(top)
        .take(page)
        .filter_map(|(place, number)| {
            let row = app.observation.rows.get(*number as usize)?;
            Some((place, app.urgencies.at(*number), row))
        })
        .collect();
    let mut wanted = Column::telling(&app.observation, app.learns_states());
    if app.is_on_tour() && app.scope == Scope::Own {
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
        let cell = |column: &Column| cell(*column, row, &app.observation, app.numeric, app.words);
        wanted.iter().map(cell).collect()
    };
    let lines: Vec<_> = visible.iter().map(|(_, _, row)| cells_of(row)).collect();
    let mut measure = Measure::new(&wanted, sorted, app.words);
    for line in &lines {
        measure.add(line);
    }
    if app.learns_states() {
        // Rows are so few that all are measured: columns do not move with the
        // cursor.
        for row in app.order.iter().take(MEASURED) {
            if let Some(row) = app.observation.rows.get(*row as usize) {
                measure.add(&cells_of(row));
            }
        }
    }
    let layout = measure.layout(usize::from(area.width));
    draw_heading(app, theme, &layout, row_of(area, 0), buffer, frame);
    for (((place, urgency, row), cells), line) in
        visible.iter().zip(&lines).zip(area.rows().skip(1))
    {
        let selected = *place == app.cursor.place();
        let look = Look {
            urgency: *urgency,
            selected,
        };
        draw_row(theme, row, cells, look, &layout, line, buffer);
        if app.tags.has(row.socket.key()) {
            draw_tag(theme, selected, &layout, line, buffer);
        }
        frame.spots.push((line, Spot::Row(*place)));
    }
    drawn
}

fn draw_heading(
    app: &App,
    theme: Theme,
    layout: &Layout,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    for (_, column, place) in places(layout, area) {
        let title = app.words.column_title(column.key());
        let (title, style) = if app.sort.column() == Some(column) {
            let sign = direction(app.sort.is_descending(), theme);
            let style = theme.heading().add_modifier(Modifier::UNDERLINED);
            (format!("{title}{sign}"), style)
        } else {
            (title.to_owned(), theme.heading())
        };
        let title = aligned(&title, column.align(), place.width);
        Line::styled(title, style).render(place, buffer);
        frame.spots.push((place, Spot::Heading(column)));
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
struct Look {
    urgency: Urgency,
    /// True for the row under the cursor.
    selected: bool,
}

fn draw_row(
    theme: Theme,
    row: &Row,
    cells: &[Cell<'_>],
    look: Look,
    layout: &Layout,
    area: Rect,
    buffer: &mut Buffer,
) {
    let base = theme.phase(row.phase);
    if look.selected {
        put(&Line::default(), theme.cursor(), area, buffer);
    }
    for (number, column, place) in places(layout, area) {
        let Some(cell) = cells.get(number) else {
            continue;
        };
        let mut style = style(column, row, look.urgency, theme, base);
        if cell.stands_in && row.phase == Phase::Steady {
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
fn draw_tag(theme: Theme, selected: bool, layout: &Layout, area: Rect, buffer: &mut Buffer) {
    let mark = places(layout, area).find(|(_, column, _)| *column == Column::Mark);
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
fn style(column: Column, row: &Row, urgency: Urgency, theme: Theme, base: Style) -> Style {
    match column {
        Column::Mark if urgency == Urgency::Act => return theme.urgency(urgency),
        Column::Mark if row.flagged.is_some() => {
            return theme.severity(row.flagged.unwrap_or(Severity::Warn));
        }
        Column::Mark | Column::State if urgency != Urgency::Normal => {
            return theme.urgency(urgency);
        }
        _ => {}
    }
    if row.phase != Phase::Steady {
        return base;
    }
    match column {
        Column::State => theme.state(row.socket.state),
        Column::Age | Column::User | Column::Inode => theme.dim(),
        _ => base,
    }
}

/// Returns each column with the index of its cell and its area.
fn places(layout: &Layout, area: Rect) -> impl Iterator<Item = (usize, Column, Rect)> {
    let mut x = area.x;
    let gap = u16::try_from(layout.gap).unwrap_or(u16::MAX);
    layout.columns.iter().map(move |placed| {
        let width = u16::try_from(placed.width).unwrap_or(u16::MAX);
        let place = Rect { x, width, ..area };
        x = x.saturating_add(width).saturating_add(gap);
        (placed.place, placed.column, place.intersection(area))
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
    let name = if app.observation.number == 0 {
        "waiting"
    } else if app.filter.is_all() && app.quick.is_all() && lacks_tables(app) {
        "nothing_read"
    } else if app.filter.is_all() && app.quick.is_all() {
        "nothing_there"
    } else if app.filter.is_of_flows() && app.observation.source == SourceKind::Proc {
        "nothing_known"
    } else {
        "nothing_matches"
    };
    let quick = quick_words(app);
    let filter = app.filter.to_string();
    let shown = if app.filter.is_all() { quick } else { filter };
    let sentence = app.words.screen("table", name);
    let text = fill(sentence, |_| Some(Text::from(shown.as_str()).to_string()));
    let room = usize::from(area.width.saturating_sub(2)).max(10);
    let mut said = match app.port_use() {
        Some(lines) => lines,
        None => text.into_iter().collect(),
    };
    said.extend(texts(&app.filter, app.words));
    said.extend(left_out(
        app.undecided.count,
        app.undecided.doubt,
        app.words,
    ));
    let pieces = said.iter().flat_map(|text| wrap(text, room));
    for (piece, row) in pieces.zip(area.rows().skip(1)) {
        let line = Line::styled(format!(" {piece}"), theme.dim());
        put(&line, Style::new(), row, buffer);
    }
}
