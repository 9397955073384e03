//! The list of signals in the question: one is marked, and an answer sends it.

use super::super::theme::Theme;
use super::super::{Frame, draw_line};
use crate::app::App;
use crate::app::message::HitTarget;
use crate::app::signal_confirmation::SignalConfirmation;
use crate::listing::{Align, pad, truncate};
use crate::model::signal::Signal;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// Number of lines: none while there is no process to signal.
pub(super) fn line_count(confirm: &SignalConfirmation) -> usize {
    if confirm.is_ready() && confirm.has_running_target() {
        Signal::ALL.len()
    } else {
        0
    }
}

/// Draws as many lines as fit, the marked one always.
pub(super) fn draw(
    confirm: &SignalConfirmation,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    let signals = Signal::ALL;
    let place = signals.iter().position(|one| *one == confirm.signal);
    let room = usize::from(area.height);
    let first = (place.unwrap_or(0) + 1).saturating_sub(room);
    for (signal, row) in signals.into_iter().skip(first).zip(area.rows()) {
        let chosen = signal == confirm.signal;
        let mark = if chosen { '>' } else { ' ' };
        let name = pad(signal.word(), 5, Align::Left);
        let text = format!(" {mark} {name} {}", signal_effect(signal, app));
        let text = truncate(&text, usize::from(area.width).saturating_sub(1)).into_owned();
        let style = if chosen { theme.cursor() } else { Style::new() };
        draw_line(&Line::raw(text), style, row, buffer);
        frame.hit_targets.push((row, HitTarget::Signal(signal)));
    }
}

/// Effect of a signal, in a few words.
pub(in crate::view) fn signal_effect(signal: Signal, app: &App) -> &str {
    let key = signal.word().to_ascii_lowercase();
    app.messages.screen("signals", &key)
}
