//! Screen layout, and what is dropped on small terminals.

use super::theme::Theme;
use super::{
    Frame, capabilities_page, close_dialog, details, dialog_help, draw_line, events, explain,
    findings, footer, header, help, lab, learn, machine, nth_row, prompt, signal_dialog,
};
use super::{explanation_pane, sort_menu, table};
use crate::app::App;
use crate::app::mode::Mode;
use crate::explain::template::format_thousands;
use crate::listing::truncate;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// From this height on the states have a line of their own.
const MIN_HEIGHT_FOR_STATE_LINE: u16 = 30;
/// From this height on the pane shows a summary.
const MIN_HEIGHT_FOR_SUMMARY: u16 = 36;
/// Maximum height of the explanation below a short table.
const MAX_EXPLANATION_HEIGHT: u16 = 9;
/// Below this height there is no explanation, in favour of rows.
const MIN_HEIGHT_FOR_EXPLANATION: u16 = 12;
/// The same in the lab, where the explanation is more important.
const MIN_HEIGHT_FOR_EXPLANATION_IN_LAB: u16 = 10;

pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    if area.width < 2 || area.height == 0 {
        return;
    }
    let mut rest = area;
    let head = take_top(
        &mut rest,
        header::height(app, area.height >= MIN_HEIGHT_FOR_STATE_LINE),
    );
    header::draw(app, theme, head, buffer, frame);
    let footed = rest.height >= 3;
    let foot = take_bottom(&mut rest, u16::from(footed));
    if rest.height >= 4 {
        let said = footer::notice_height(app, rest.width).min(rest.height / 3);
        let line = take_bottom(&mut rest, said);
        footer::draw_notice(app, theme, line, buffer);
    }
    let mut choices_shown = false;
    if let Some(pane) = lab::LabPane::new(app, theme, rest.width).filter(|_| rest.height >= 8) {
        let taken = pane.height().min(rest.height / 2);
        choices_shown = pane.draw(take_bottom(&mut rest, taken), buffer, frame);
    }
    match &app.mode {
        Mode::Details { scroll } => {
            frame.info.max_scroll = details::draw(app, theme, *scroll, rest, buffer);
        }
        Mode::Explain { scroll } => {
            frame.info.max_scroll = explain::draw(app, theme, *scroll, rest, buffer);
        }
        Mode::Help { scroll } => {
            frame.info.max_scroll = help::draw(app, theme, *scroll, rest, buffer);
        }
        Mode::Findings {
            index: place,
            scroll,
        } => {
            let at = (*place, *scroll);
            frame.info.max_scroll = findings::draw(app, theme, at, rest, buffer);
        }
        Mode::Machine(walk) => machine::draw(*walk, app, theme, rest, buffer, frame),
        Mode::Events(stream) => events::draw(*stream, app, theme, rest, buffer, frame),
        Mode::Learn(learning) => {
            frame.info.max_scroll = learn::draw(learning, app, theme, rest, buffer, frame);
        }
        Mode::Capabilities { scroll } => {
            frame.info.max_scroll = capabilities_page::draw(app, theme, *scroll, rest, buffer);
        }
        Mode::Confirm(_) | Mode::Close(_) if app.mode.shows_dialog_help() => {
            frame.info.max_scroll = dialog_help::draw(app, theme, rest, buffer);
        }
        Mode::Confirm(confirm) => {
            let height = signal_dialog::height(confirm, app, theme, rest.width).min(rest.height);
            let dialog = take_bottom(&mut rest, height);
            draw_table(app, theme, rest, buffer, frame);
            let shown = signal_dialog::draw(confirm, app, theme, dialog, buffer, frame);
            frame.info.question_shown = shown;
        }
        Mode::Close(asked) => {
            let height = close_dialog::height(asked, app, theme, rest.width).min(rest.height);
            let dialog = take_bottom(&mut rest, height);
            draw_table(app, theme, rest, buffer, frame);
            let shown = close_dialog::draw(asked, app, theme, dialog, buffer);
            frame.info.question_shown = shown;
        }
        Mode::Prompt(typed) => {
            let height = prompt::height(typed).min(rest.height);
            let line = take_bottom(&mut rest, height);
            frame.caret = prompt::draw(typed, app, theme, line, buffer);
            draw_table(app, theme, rest, buffer, frame);
        }
        Mode::Table => draw_table(app, theme, rest, buffer, frame),
        Mode::SortMenu { index: place } => {
            draw_table(app, theme, rest, buffer, frame);
            sort_menu::draw(*place, app, theme, rest, buffer);
        }
    }
    frame.info.choices_shown = choices_shown;
    // Last, since the answers now available depend on the rest.
    footer::draw(app, theme, foot, buffer, frame);
}

/// Draws the table with the explanation of its selected row below.
fn draw_table(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let mut rest = area;
    let short = match app.lab {
        Some(_) => MIN_HEIGHT_FOR_EXPLANATION_IN_LAB,
        None => MIN_HEIGHT_FOR_EXPLANATION,
    };
    let least = match area.height {
        height if height < short => 0,
        ..MIN_HEIGHT_FOR_STATE_LINE => 5,
        MIN_HEIGHT_FOR_STATE_LINE..MIN_HEIGHT_FOR_SUMMARY => 7,
        _ => details::SUMMARY_HEIGHT + 1,
    };
    let summary = least > 7;
    // Rows that a short table leaves free go to the explanation; their number
    // does not depend on its text, so that the rule between does not move.
    let rows = u16::try_from(app.row_order.len()).unwrap_or(u16::MAX);
    let free = area.height.saturating_sub(rows.saturating_add(1));
    let pane = match least {
        0 => 0,
        least if summary => free.clamp(least, 2 * least),
        least => free.clamp(least, MAX_EXPLANATION_HEIGHT),
    };
    let mut below = take_bottom(&mut rest, pane);
    let shown = table::draw(app, theme, rest, buffer, frame);
    frame.info = shown;
    if pane == 0 {
        return;
    }
    let rule = take_top(&mut below, 1);
    draw_rule(app, theme, rule, buffer);
    if summary {
        details::draw_summary(app, theme, below, buffer);
    } else {
        explanation_pane::draw(app, theme, below, buffer);
    }
}

/// Draws the rule between table and explanation, with the place of the cursor.
fn draw_rule(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let place = if app.row_order.is_empty() {
        String::new()
    } else {
        let sentence = app.messages.screen("table", "place");
        let filled = crate::explain::template::render(sentence, |name| {
            Some(match name {
                "place" => format_thousands(app.cursor.index() as u64 + 1),
                _ => format_thousands(app.row_order.len() as u64),
            })
        });
        format!(" {} ──", filled.unwrap_or_default())
    };
    let width = usize::from(area.width).saturating_sub(1);
    let dashes = width.saturating_sub(explanation_pane::cells(&place));
    let line = format!(" {}{place}", "─".repeat(dashes));
    draw_line(&Line::styled(line, theme.dim()), Style::new(), area, buffer);
}

/// Takes rows off the top of an area.
fn take_top(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let taken = Rect {
        height: rows,
        ..*area
    };
    *area = Rect {
        y: area.y + rows,
        height: area.height - rows,
        ..*area
    };
    taken
}

/// Takes rows off the bottom of an area.
fn take_bottom(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    area.height -= rows;
    Rect {
        y: area.bottom(),
        height: rows,
        ..*area
    }
}

/// Draws a title over a page; returns the area below it.
pub(super) fn draw_title(title: &str, theme: Theme, area: Rect, buffer: &mut Buffer) -> Rect {
    let title = truncate(title, usize::from(area.width).saturating_sub(2));
    let line = Line::styled(format!(" {title}"), theme.title());
    draw_line(&line, Style::new(), nth_row(area, 0), buffer);
    let mut below = area;
    take_top(&mut below, 1);
    below
}
