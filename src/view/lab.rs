//! What a learner can have happen next, above the footer: whom the selected
//! socket waits for, and a key for each thing that can be done about it.

use super::put;
use super::theme::Theme;
use super::words::cells;
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

/// What is to be drawn.
pub(super) struct Pane {
    head: Line<'static>,
    text: Vec<Line<'static>>,
    choices: Vec<Line<'static>>,
}

impl Pane {
    /// None outside a lesson.
    pub(super) fn of(app: &App, theme: Theme, width: u16) -> Option<Self> {
        let lesson = app.lesson.as_ref()?;
        Some(Self {
            head: head(app, theme, width),
            text: match lesson.course {
                Course::Tour => chapter(lesson.chapter, app, theme, width),
                Course::States => Vec::new(),
            },
            choices: choices(app, theme, width),
        })
    }

    /// How many lines it takes.
    pub(super) fn height(&self) -> u16 {
        let lines = 1 + self.text.len() + self.choices.len();
        u16::try_from(lines).unwrap_or(u16::MAX)
    }

    /// Draws it; says whether all that can be chosen is to be seen. With little
    /// room the text gives way.
    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer) -> bool {
        let room = usize::from(area.height);
        let told = room.saturating_sub(1 + self.choices.len());
        let lines = [&self.head]
            .into_iter()
            .chain(self.text.iter().take(told))
            .chain(&self.choices);
        for (line, row) in lines.zip(area.rows()) {
            put(line, Style::new(), row, buffer);
        }
        room > self.choices.len()
    }
}

fn chapter(number: usize, app: &App, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let text = app.words.lab("tour", &format!("text_{number}"));
    let room = usize::from(width).saturating_sub(2).max(10);
    let mut lines: Vec<Line<'static>> = wrap(text, room)
        .iter()
        .map(|piece| Line::styled(format!(" {piece}"), theme.title()))
        .collect();
    if number + 1 == CHAPTERS.len() {
        let over = app.words.lab("tour", "over");
        lines.push(Line::styled(format!(" {over}"), theme.dim()));
    }
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
                    _ => (CHAPTERS.len() - 1).to_string(),
                })
            });
            format!("{} {}", word("title"), number.unwrap_or_default())
        }
        _ => word("title").to_owned(),
    };
    let said = match app.selected() {
        Some(row) => {
            let awaited = awaited(row, &app.observation, app.words);
            let peer = row.socket.peer();
            let name = match peer {
                _ if awaited.is_empty() => "over",
                Some(_) => "withheld_of",
                None => "withheld",
            };
            let value = |place: &str| {
                Some(match place {
                    "state" => row.socket.state.to_string(),
                    "peer" => peer?.to_string(),
                    _ => awaited.to_owned(),
                })
            };
            fill(word(name), value).unwrap_or_default()
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
    let lesson = app.lesson.as_ref();
    let busy = lesson.is_some_and(|lesson| lesson.under_way.is_some());
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
            // While one thing is done, nothing else can be chosen.
            let (bright, plain) = if busy {
                (theme.dim(), theme.dim())
            } else {
                (theme.key(), Style::new())
            };
            line.push_span(Span::styled(key, bright));
            line.push_span(Span::styled(text, plain));
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
        Some(State::Closed) if choice.by_reset => app.words.lab("pane", "reset").to_owned(),
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
