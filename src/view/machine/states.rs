//! The states as a list: beside the drawing, and in its place where there is no
//! room for it.

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

/// Draws as many states as fit, the marked one among them.
pub(super) fn draw(shown: &Shown<'_>, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let listed: Vec<State> = PLACES.iter().map(|place| place.state).collect();
    let marked = listed.iter().position(|state| *state == shown.walk.mark);
    let first = (marked.unwrap_or(0) + 1).saturating_sub(usize::from(area.height).max(1));
    for (state, down) in listed.into_iter().skip(first).zip(0..area.height) {
        let row = row_of(area, down);
        put(&line(shown, state, row.width), Style::new(), row, buffer);
        frame.spots.push((row, Spot::Station(state)));
    }
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
    Line::from(vec![
        Span::styled(format!(" {open}"), shown.theme.key()),
        Span::styled(name, shown.style(state)),
        Span::styled(close, shown.theme.key()),
        Span::styled(format!("{filling}{number}  "), quiet),
        Span::styled(shown.history(state, room), shown.theme.dim()),
    ])
}
