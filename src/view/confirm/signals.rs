//! The list of signals in the question: one is marked, and an answer sends it.

use super::super::theme::Theme;
use super::super::{Frame, put};
use crate::app::App;
use crate::app::confirm::Confirm;
use crate::app::message::Spot;
use crate::listing::{Align, fit, pad};
use crate::model::signal::Signal;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// Number of lines: none while there is no process to signal.
pub(super) fn count(confirm: &Confirm) -> usize {
    if confirm.is_ready() && confirm.is_of_use() {
        Signal::ALL.len()
    } else {
        0
    }
}

/// Draws as many lines as fit, the marked one always.
pub(super) fn draw(
    confirm: &Confirm,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    let signals = Signal::ALL;
    let place = signals.iter().position(|one| *one == confirm.chosen);
    let room = usize::from(area.height);
    let first = (place.unwrap_or(0) + 1).saturating_sub(room);
    for (signal, row) in signals.into_iter().skip(first).zip(area.rows()) {
        let chosen = signal == confirm.chosen;
        let mark = if chosen { '>' } else { ' ' };
        let name = pad(signal.word(), 5, Align::Left);
        let text = format!(" {mark} {name} {}", told(signal, app));
        let text = fit(&text, usize::from(area.width).saturating_sub(1)).into_owned();
        let style = if chosen { theme.cursor() } else { Style::new() };
        put(&Line::raw(text), style, row, buffer);
        frame.spots.push((row, Spot::Signal(signal)));
    }
}

/// Effect of a signal, in a few words.
pub(in crate::view) fn told(signal: Signal, app: &App) -> &str {
    let key = signal.word().to_ascii_lowercase();
    app.words.screen("signals", &key)
}
