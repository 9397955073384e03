//! The states as a list: beside the diagram, or in its place if that does not
//! fit.

use super::Shown;
use crate::app::message::Spot;
use crate::explain::machine::chart::PLACES;
use crate::explain::sentence::grouped;
use crate::listing::{Align, fit, pad};
use crate::model::state::State;
use crate::view::{Frame, put, row_of};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

const NAME: usize = 13;
const NUMBER: usize = 8;
/// Minimum width of a history; fewer bars are meaningless.
const LEAST_HISTORY: usize = 5;
/// Width of a state without its history.
const BARE: u16 = 27;
/// From this width on there are two states to a row, if rows are few.
const TWO: u16 = 2 * BARE;

/// Minimum number of rows that shows all states.
pub(super) fn height(width: u16) -> u16 {
    let count = u16::try_from(PLACES.len()).unwrap_or(u16::MAX);
    if width >= TWO {
        count.div_ceil(2)
    } else {
        count
    }
}

/// Draws as many states as fit, the marked one among them, and a heading if there
/// is room for one.
pub(super) fn draw(shown: &Shown<'_>, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let mut area = area;
    let columns = if usize::from(area.height) >= PLACES.len() || area.width < TWO {
        1
    } else {
        2
    };
    let width = area.width / columns;
    let needed = height(if columns == 2 { TWO } else { 0 });
    if area.height > needed {
        let heading = heading(shown, width);
        for column in 0..columns {
            let place = Rect {
                x: area.x + column * width,
                width,
                ..row_of(area, 0)
            };
            put(&heading, Style::new(), place, buffer);
        }
        area.y += 1;
        area.height -= 1;
    }
    let listed: Vec<State> = PLACES.iter().map(|place| place.state).collect();
    let marked = listed.iter().position(|state| *state == shown.walk.mark);
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
            ..row_of(area, down)
        };
        put(&line(shown, state, row.width), Style::new(), row, buffer);
        frame.spots.push((row, Spot::Station(state)));
    }
}

/// Returns the heading of the numbers and of the bars beside them.
fn heading(shown: &Shown<'_>, cells: u16) -> Line<'static> {
    let word = |name: &str| shown.app.words.screen("machine", name);
    let state = pad(&fit(word("state"), NAME), NAME, Align::Left);
    let count = pad(&fit(word("count"), NUMBER), NUMBER, Align::Right);
    let room = usize::from(cells).saturating_sub(NAME + NUMBER + 6);
    let history = if room < LEAST_HISTORY {
        String::new()
    } else {
        fit(word("history"), room).into_owned()
    };
    let text = format!("  {state} {count}  {history}");
    Line::styled(text, shown.theme.heading())
}

fn line(shown: &Shown<'_>, state: State, cells: u16) -> Line<'static> {
    let population = shown.population(state);
    let (open, close) = if shown.walk.mark == state {
        ("[", "]")
    } else {
        (" ", " ")
    };
    let name = fit(state.word(), NAME).into_owned();
    let filling = " ".repeat(NAME.saturating_sub(state.word().len()));
    let number = pad(&grouped(population.into()), NUMBER, Align::Right);
    let quiet = if population == 0 {
        shown.theme.dim()
    } else {
        Style::new()
    };
    let room = usize::from(cells).saturating_sub(NAME + NUMBER + 6).min(60);
    let history = if room < LEAST_HISTORY {
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
