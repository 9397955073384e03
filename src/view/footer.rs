//! The line at the bottom with the available keys, and the notice above it.

use super::explanation_pane::cells;
use super::theme::Theme;
use super::{Frame, draw_line};
use crate::app::App;
use crate::app::command::Command;
use crate::app::keys::Context;
use crate::app::message::HitTarget;
use crate::app::mode::Mode;
use crate::explain::template::render;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

/// Draws the available keys, the first of each binding, as many as fit. The most
/// important ones are never left out for others.
pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let context = app.mode.context();
    if context == Context::Prompt {
        let hint = match app.mode {
            Mode::Close(_) if app.has_rejected_answer() => {
                app.messages.closing("dialog", "too_early")
            }
            Mode::Close(_) => app.messages.closing("dialog", "hint"),
            _ => app.messages.screen("prompt", "hint"),
        };
        draw_line(
            &Line::styled(format!(" {hint}"), theme.dim()),
            Style::new(),
            area,
            buffer,
        );
        return;
    }
    let asks = matches!(context, Context::Confirm | Context::Close);
    let answerable = !asks || frame.info.question_shown;
    let mut entries: Vec<_> = app
        .keymap
        .footer(context)
        .into_iter()
        .filter(|binding| app.is_available(binding.command))
        .filter(|binding| {
            answerable || matches!(binding.command, Command::Cancel | Command::DialogHelp)
        })
        .filter_map(|binding| {
            let key = binding.keys.first()?.to_string();
            Some((binding.command, key, label(binding.command, app)))
        })
        .collect();
    let width = |(_, key, label): &(_, String, String)| cells(key) + cells(label) + 3;
    while entries.iter().map(width).sum::<usize>() > usize::from(area.width) && entries.len() > 2 {
        // The safe answer and the gentle one stay, as do help and quit.
        let least = if asks { 2 } else { 3 };
        entries.remove(entries.len() - least);
    }
    let mut column = area.x;
    let mut spans = Vec::new();
    for entry in &entries {
        let (command, key, label) = entry;
        let cells = u16::try_from(width(entry)).unwrap_or(u16::MAX);
        let spot = Rect {
            x: column,
            width: cells,
            ..area
        };
        frame
            .hit_targets
            .push((spot.intersection(area), HitTarget::Command(*command)));
        let waits = is_answer(*command) && !app.is_answerable();
        let (of_key, of_label) = if waits {
            (theme.dim(), theme.dim())
        } else {
            (theme.key(), Style::new())
        };
        spans.push(Span::styled(format!(" {key}"), of_key));
        spans.push(Span::styled(format!(" {label} "), of_label));
        column = column.saturating_add(cells);
    }
    draw_line(&Line::from(spans), Style::new(), area, buffer);
}

/// True if a command is the answer that a question acts on.
fn is_answer(command: Command) -> bool {
    matches!(command, Command::ConfirmSend | Command::ConfirmClose)
}

/// Returns the label of a command; for a command that sends a signal, with the
/// signal. After an answer that came too early, a request to repeat it.
fn label(command: Command, app: &App) -> String {
    if is_answer(command) && app.has_rejected_answer() {
        return app.messages.screen("confirm", "too_early").to_owned();
    }
    if let (Command::ConfirmSend, Mode::Confirm(confirm)) = (command, &app.mode) {
        let signal = || Some(confirm.signal.to_string());
        return render(app.messages.screen("signals", "send"), |_| signal()).unwrap_or_default();
    }
    app.messages.command(command.key(), "label").to_owned()
}

/// Number of lines of the notice; 0 without one.
pub(super) fn notice_height(app: &App, width: u16) -> u16 {
    let lines = app
        .notice
        .as_ref()
        .map_or(0, |notice| wrapped(&notice.text, width).len());
    u16::try_from(lines).unwrap_or(u16::MAX)
}

pub(super) fn draw_notice(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let Some(notice) = &app.notice else {
        return;
    };
    for (text, row) in wrapped(&notice.text, area.width)
        .into_iter()
        .zip(area.rows())
    {
        Line::styled(format!(" {text}"), theme.title()).render(row, buffer);
    }
}

fn wrapped(text: &str, width: u16) -> Vec<String> {
    let width = usize::from(width.saturating_sub(2)).max(10);
    let lines = crate::listing::wrap(text, width);
    lines
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}
