//! The states as a list: beside the diagram, or in its place if that does not
//! fit.

use super::DiagramView;
use crate::app::message::HitTarget;
use crate::explain::state_path::diagram::STATE_NODES;
use crate::explain::template::format_thousands;
use crate::listing::{Align, pad, truncate};
use crate::model::state::State;
use crate::view::{Frame, draw_line, nth_row};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

const NAME_WIDTH: usize = 13;
const NUMBER_WIDTH: usize = 8;
/// Minimum width of a history; fewer bars are meaningless.
const MIN_SPARKLINE_WIDTH: usize = 5;
/// Width of a state without its history.
const MIN_STATE_WIDTH: u16 = 27;
/// From this width on there are two states to a row, if rows are few.
const MIN_WIDTH_FOR_TWO_COLUMNS: u16 = 2 * MIN_STATE_WIDTH;

/// Minimum number of rows that shows all states.
pub(super) fn height(width: u16) -> u16 {
    let count = u16::try_from(STATE_NODES.len()).unwrap_or(u16::MAX);
    if width >= MIN_WIDTH_FOR_TWO_COLUMNS {
        count.div_ceil(2)
    } else {
        count
    }
}

/// Draws as many states as fit, the marked one among them, and a heading if there
/// is room for one.
pub(super) fn draw(shown: &DiagramView<'_>, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let mut area = area;
    let columns = if usize::from(area.height) >= STATE_NODES.len()
        || area.width < MIN_WIDTH_FOR_TWO_COLUMNS
    {
        1
    } else {
        2
    };
    let width = area.width / columns;
    let needed = height(if columns == 2 {
        MIN_WIDTH_FOR_TWO_COLUMNS
    } else {
        0
    });
    if area.height > needed {
        let heading = heading(shown, width);
        for column in 0..columns {
            let place = Rect {
                x: area.x + column * width,
                width,
                ..nth_row(area, 0)
            };
            draw_line(&heading, Style::new(), place, buffer);
        }
        area.y += 1;
        area.height -= 1;
    }
    let listed: Vec<State> = STATE_NODES.iter().map(|place| place.state).collect();
    let marked = listed.iter().position(|state| *state == shown.cursor.mark);
    let rows = usize::from(area.height.min(needed)).max(1);
    let first = (marked.unwrap_or(0) + 1).saturating_sub(rows * usize::from(columns));
    for (state, number) in listed.into_iter().skip(first).zip(0_usize..) {
        let (column, down) = (number / rows, number % rows);
        let (Ok(column), Ok(down)) = (u16::try_from(column), u16::try_from(down)) else {
            return;
        };
        if column >= columns {
            return;
        }
        let row = Rect {
            x: area.x + column * width,
            width,
            ..nth_row(area, down)
        };
        draw_line(&line(shown, state, row.width), Style::new(), row, buffer);
        frame
            .hit_targets
            .push((row, HitTarget::DiagramState(state)));
    }
}

/// Returns the heading of the numbers and of the bars beside them.
fn heading(shown: &DiagramView<'_>, cells: u16) -> Line<'static> {
    let word = |name: &str| shown.app.messages.screen("machine", name);
    let state = pad(
        &truncate(word("state"), NAME_WIDTH),
        NAME_WIDTH,
        Align::Left,
    );
    let count = pad(
        &truncate(word("count"), NUMBER_WIDTH),
        NUMBER_WIDTH,
        Align::Right,
    );
    let room = usize::from(cells).saturating_sub(NAME_WIDTH + NUMBER_WIDTH + 6);
    let history = if room < MIN_SPARKLINE_WIDTH {
        String::new()
    } else {
        truncate(word("history"), room).into_owned()
    };
    let text = format!("  {state} {count}  {history}");
    Line::styled(text, shown.theme.heading())
}

fn line(shown: &DiagramView<'_>, state: State, cells: u16) -> Line<'static> {
    let population = shown.population_text(state);
    let (open, close) = if shown.cursor.mark == state {
        ("[", "]")
    } else {
        (" ", " ")
    };
    let name = truncate(state.word(), NAME_WIDTH).into_owned();
    let filling = " ".repeat(NAME_WIDTH.saturating_sub(state.word().len()));
    let number = pad(
        &format_thousands(population.into()),
        NUMBER_WIDTH,
        Align::Right,
    );
    let quiet = if population == 0 {
        shown.theme.dim()
    } else {
        Style::new()
    };
    let room = usize::from(cells)
        .saturating_sub(NAME_WIDTH + NUMBER_WIDTH + 6)
        .min(60);
    let history = if room < MIN_SPARKLINE_WIDTH {
        String::new()
    } else {
        shown.history(state, room)
    };
    Line::from(vec![
        Span::styled(format!(" {open}"), shown.theme.key()),
        Span::styled(name, shown.style(state)),
        Span::styled(close, shown.theme.key()),
        Span::styled(format!("{filling}{number}  "), quiet),
        Span::styled(history, shown.theme.dim()),
    ])
}
