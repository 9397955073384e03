//! What a learner can have happen next, above the footer: whom the selected
//! socket waits for, and a key for each thing that can be done about it.

use super::theme::Theme;
use super::words::cells;
use super::{Frame, put, row_of};
use crate::app::App;
use crate::app::lab::Choice;
use crate::explain::moves::awaited;
use crate::explain::sentence::fill;
use crate::listing::wrap;
use crate::model::lesson::{CHAPTERS, Course};
use crate::model::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Cells between two choices.
const GAP: usize = 3;

/// How many lines it takes; none outside a lesson.
pub(super) fn height(app: &App, theme: Theme, width: u16) -> u16 {
    u16::try_from(lines(app, theme, width).len()).unwrap_or(u16::MAX)
}

pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, _frame: &mut Frame) {
    for (down, line) in (0..).zip(lines(app, theme, area.width)) {
        put(&line, Style::new(), row_of(area, down), buffer);
    }
}

fn lines(app: &App, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let Some(lesson) = &app.lesson else {
        return Vec::new();
    };
    let mut lines = vec![head(app, theme, width)];
    if lesson.course == Course::Tour {
        let name = format!("text_{}", lesson.chapter);
        let text = app.words.lab("tour", &name);
        let room = usize::from(width).saturating_sub(2).max(10);
        let pieces = wrap(text, room);
        lines.extend(
            pieces
                .iter()
                .map(|piece| Line::styled(format!(" {piece}"), theme.title())),
        );
        if lesson.chapter + 1 == CHAPTERS {
            let over = app.words.lab("tour", "over");
            lines.push(Line::styled(format!(" {over}"), theme.dim()));
        }
    }
    lines.extend(choices(app, theme, width));
    lines
}

/// A rule with the name of the lab, and whom the socket waits for.
fn head(app: &App, theme: Theme, width: u16) -> Line<'static> {
    let word = |name: &str| app.words.lab("pane", name);
    let title = match &app.lesson {
        Some(lesson) if lesson.course == Course::Tour => {
            let sentence = app.words.lab("tour", "chapter");
            let number = fill(sentence, |place| {
                Some(match place {
                    "number" => lesson.chapter.to_string(),
                    _ => (CHAPTERS - 1).to_string(),
                })
            });
            format!("{} {}", word("title"), number.unwrap_or_default())
        }
        _ => word("title").to_owned(),
    };
    let said = match app.selected() {
        Some(row) => {
            let awaited = awaited(row, app.words);
            let name = if awaited.is_empty() {
                "over"
            } else {
                "withheld"
            };
            let state = row.socket.state.to_string();
            let place = |place: &str| if place == "state" { &state } else { awaited };
            fill(word(name), |name| Some(place(name).to_owned())).unwrap_or_default()
        }
        None => word("nothing").to_owned(),
    };
    let text = format!(" ── {title} ── {said} ");
    let left = usize::from(width).saturating_sub(cells(&text) + 1);
    Line::from(vec![
        Span::styled(text, theme.heading()),
        Span::styled("─".repeat(left), theme.dim()),
    ])
}

/// The choices, as many to a line as fit, none of them broken.
fn choices(app: &App, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut used = usize::MAX;
    for choice in app.choices() {
        let (key, text) = label(choice, app);
        let needs = cells(&key) + cells(&text);
        if used.saturating_add(needs + GAP) > usize::from(width) {
            lines.push(Line::raw(" "));
            used = 1;
        } else if let Some(line) = lines.last_mut() {
            line.push_span(" ".repeat(GAP));
            used += GAP;
        }
        if let Some(line) = lines.last_mut() {
            line.push_span(Span::styled(key, theme.key()));
            line.push_span(Span::raw(text));
            used += needs;
        }
    }
    lines
}

/// The key, and what it does.
fn label(choice: Choice, app: &App) -> (String, String) {
    let name = if choice.to.is_some() {
        "choice_to"
    } else {
        "choice"
    };
    let state = match choice.to {
        Some(State::Closed) => app.words.lab("pane", "gone").to_owned(),
        Some(state) => state.to_string(),
        None => String::new(),
    };
    let key = choice.key.to_string();
    let text = fill(app.words.lab("pane", name), |place| {
        Some(match place {
            "key" => String::new(),
            "what" => app.words.lab("moves", choice.what.key()).to_owned(),
            _ => state.clone(),
        })
    });
    (key, text.unwrap_or_default())
}
