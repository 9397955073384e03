//! Screen layout, and what is dropped on small terminals.

use super::theme::Theme;
use super::{
    Frame, closing, confirm, details, dialog_help, events, explain, findings, footer, gaps, header,
    help, lab, learn, machine, prompt, put, row_of,
};
use super::{sort_menu, table, words};
use crate::app::App;
use crate::app::mode::Mode;
use crate::explain::sentence::grouped;
use crate::listing::fit;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// From this height on the states have a line of their own.
const TALL: u16 = 30;
/// From this height on the pane shows a summary.
const TALLER: u16 = 36;
/// Maximum height of the explanation below a short table.
const ROOMY: u16 = 9;
/// Below this height there is no explanation, in favour of rows.
const SHORT: u16 = 12;
/// The same in the lab, where the explanation is more important.
const SHORT_LESSON: u16 = 10;

pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    if area.width < 2 || area.height == 0 {
        return;
    }
    let mut rest = area;
    let head = take_top(&mut rest, header::height(app, area.height >= TALL));
    header::draw(app, theme, head, buffer, frame);
    let footed = rest.height >= 3;
    let foot = take_bottom(&mut rest, u16::from(footed));
    if rest.height >= 4 {
        let said = footer::notice_height(app, rest.width).min(rest.height / 3);
        let line = take_bottom(&mut rest, said);
        footer::draw_notice(app, theme, line, buffer);
    }
    let mut choices_shown = false;
    if let Some(pane) = lab::Pane::of(app, theme, rest.width).filter(|_| rest.height >= 8) {
        let taken = pane.height().min(rest.height / 2);
        choices_shown = pane.draw(take_bottom(&mut rest, taken), buffer, frame);
    }
    match &app.mode {
        Mode::Details { scroll } => {
            frame.drawn.longest_scroll = details::draw(app, theme, *scroll, rest, buffer);
        }
        Mode::Explain { scroll } => {
            frame.drawn.longest_scroll = explain::draw(app, theme, *scroll, rest, buffer);
        }
        Mode::Help { scroll } => {
            frame.drawn.longest_scroll = help::draw(app, theme, *scroll, rest, buffer);
        }
        Mode::Findings { place, scroll } => {
            let at = (*place, *scroll);
            frame.drawn.longest_scroll = findings::draw(app, theme, at, rest, buffer);
        }
        Mode::Machine(walk) => machine::draw(*walk, app, theme, rest, buffer, frame),
        Mode::Events(stream) => events::draw(*stream, app, theme, rest, buffer, frame),
        Mode::Learn(learning) => {
            frame.drawn.longest_scroll = learn::draw(learning, app, theme, rest, buffer, frame);
        }
        Mode::Gaps { scroll } => {
            frame.drawn.longest_scroll = gaps::draw(app, theme, *scroll, rest, buffer);
        }
        Mode::Confirm(_) | Mode::Close(_) if app.mode.explains_dialog() => {
            frame.drawn.longest_scroll = dialog_help::draw(app, theme, rest, buffer);
        }
        Mode::Confirm(confirm) => {
            let height = confirm::height(confirm, app, theme, rest.width).min(rest.height);
            let dialog = take_bottom(&mut rest, height);
            draw_table(app, theme, rest, buffer, frame);
            let shown = confirm::draw(confirm, app, theme, dialog, buffer, frame);
            frame.drawn.question_shown = shown;
        }
        Mode::Close(asked) => {
            let height = closing::height(asked, app, theme, rest.width).min(rest.height);
            let dialog = take_bottom(&mut rest, height);
            draw_table(app, theme, rest, buffer, frame);
            let shown = closing::draw(asked, app, theme, dialog, buffer);
            frame.drawn.question_shown = shown;
        }
        Mode::Prompt(typed) => {
            let height = prompt::height(typed).min(rest.height);
            let line = take_bottom(&mut rest, height);
            frame.caret = prompt::draw(typed, app, theme, line, buffer);
            draw_table(app, theme, rest, buffer, frame);
        }
        Mode::Table => draw_table(app, theme, rest, buffer, frame),
        Mode::SortMenu { place } => {
            draw_table(app, theme, rest, buffer, frame);
            sort_menu::draw(*place, app, theme, rest, buffer);
        }
    }
    frame.drawn.choices_shown = choices_shown;
    // Last, since the answers now available depend on the rest.
    footer::draw(app, theme, foot, buffer, frame);
}

/// Draws the table with the explanation of its selected row below.
fn draw_table(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let mut rest = area;
    let short = match app.lesson {
        Some(_) => SHORT_LESSON,
        None => SHORT,
    };
    let least = match area.height {
        height if height < short => 0,
        ..TALL => 5,
        TALL..TALLER => 7,
        _ => details::SUMMARY + 1,
    };
    let summary = least > 7;
    // Rows that a short table leaves free go to the explanation; their number
    // does not depend on its text, so that the rule between does not move.
    let rows = u16::try_from(app.order.len()).unwrap_or(u16::MAX);
    let free = area.height.saturating_sub(rows.saturating_add(1));
    let pane = match least {
        0 => 0,
        least if summary => free.clamp(least, 2 * least),
        least => free.clamp(least, ROOMY),
    };
    let mut below = take_bottom(&mut rest, pane);
    let shown = table::draw(app, theme, rest, buffer, frame);
    frame.drawn = shown;
    if pane == 0 {
        return;
    }
    let rule = take_top(&mut below, 1);
    draw_rule(app, theme, rule, buffer);
    if summary {
        details::draw_summary(app, theme, below, buffer);
    } else {
        words::draw(app, theme, below, buffer);
    }
}

/// Draws the rule between table and explanation, with the place of the cursor.
fn draw_rule(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let place = if app.order.is_empty() {
        String::new()
    } else {
        let sentence = app.words.screen("table", "place");
        let filled = crate::explain::sentence::fill(sentence, |name| {
            Some(match name {
                "place" => grouped(app.cursor.place() as u64 + 1),
                _ => grouped(app.order.len() as u64),
            })
        });
        format!(" {} ──", filled.unwrap_or_default())
    };
    let width = usize::from(area.width).saturating_sub(1);
    let dashes = width.saturating_sub(words::cells(&place));
    let line = format!(" {}{place}", "─".repeat(dashes));
    put(&Line::styled(line, theme.dim()), Style::new(), area, buffer);
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
pub(super) fn titled(title: &str, theme: Theme, area: Rect, buffer: &mut Buffer) -> Rect {
    let title = fit(title, usize::from(area.width).saturating_sub(2));
    let line = Line::styled(format!(" {title}"), theme.title());
    put(&line, Style::new(), row_of(area, 0), buffer);
    let mut below = area;
    take_top(&mut below, 1);
    below
}
