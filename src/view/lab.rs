//! The lab pane above the footer: the party that the selected socket waits for,
//! and a key for each available action.
//!
//! Its height does not depend on the selection: else the table would move under
//! the cursor.

use super::explanation_pane::cells;
use super::theme::Theme;
use super::{Frame, draw_line};
use crate::app::App;
use crate::app::command::Command;
use crate::app::lab::LabChoice;
use crate::app::message::HitTarget;
use crate::explain::lab_actions::waiting_for;
use crate::explain::template::render;
use crate::listing::wrap;
use crate::model::lab::{CHAPTER_STATES, LabAction, LabActor, LabMode};
use crate::model::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Cells between two choices.
const GAP: usize = 2;
/// Width of the title line around the title and the text.
const HEAD: usize = 9;

/// Content of the pane.
pub(super) struct LabPane {
    head: Line<'static>,
    text: Vec<Line<'static>>,
    choices: Vec<Vec<LabOffer>>,
    /// Number of lines reserved for the actions.
    min_choice_lines: usize,
    /// True if no action can be chosen: one is pending, or a question is open.
    busy: bool,
    theme: Theme,
}

/// An action as displayed.
struct LabOffer {
    /// Its actor, before the first of several.
    actor: String,
    digit: u8,
    key: String,
    text: String,
}

impl LabOffer {
    fn width(&self) -> usize {
        cells(&self.actor) + cells(&self.key) + cells(&self.text)
    }
}

impl LabPane {
    /// None outside the lab.
    pub(super) fn new(app: &App, theme: Theme, width: u16) -> Option<Self> {
        let lesson = app.lab.as_ref()?;
        Some(Self {
            head: title_line(app, theme, width),
            text: match lesson.mode {
                LabMode::Tour => chapter_lines(lesson.chapter, app, theme, width),
                LabMode::States => Vec::new(),
            },
            choices: wrap_offers(offers(&app.lab_choices(), app), width),
            min_choice_lines: match lesson.mode {
                LabMode::Tour => 1,
                LabMode::States => max_choice_lines(app, width),
            },
            busy: lesson.pending_action.is_some() || !accepts_digits(app),
            theme,
        })
    }

    /// Height of the pane.
    pub(super) fn height(&self) -> u16 {
        let lines = 1 + self.text.len() + self.choices.len().max(self.min_choice_lines);
        u16::try_from(lines).unwrap_or(u16::MAX)
    }

    /// Draws the pane. True if all actions are visible. On a small screen the
    /// text is shortened.
    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer, frame: &mut Frame) -> bool {
        let room = usize::from(area.height);
        let told = room.saturating_sub(1 + self.choices.len());
        let text = self.text.iter().take(told);
        let mut rows = area.rows();
        for (line, row) in [&self.head].into_iter().chain(text).zip(&mut rows) {
            draw_line(line, Style::new(), row, buffer);
        }
        for (offers, row) in self.choices.iter().zip(rows) {
            self.draw_offers(offers, row, buffer, frame);
        }
        room > self.choices.len()
    }

    fn draw_offers(&self, offers: &[LabOffer], row: Rect, buffer: &mut Buffer, frame: &mut Frame) {
        let theme = self.theme;
        let (bright, plain) = if self.busy {
            (theme.dim(), theme.dim())
        } else {
            (theme.key(), Style::new())
        };
        let mut line = Line::raw(" ");
        for (number, offer) in offers.iter().enumerate() {
            if number > 0 {
                line.push_span(" ".repeat(GAP));
            }
            line.push_span(Span::styled(offer.actor.clone(), theme.dim()));
            let column = u16::try_from(line.width()).unwrap_or(u16::MAX);
            line.push_span(Span::styled(offer.key.clone(), bright));
            line.push_span(Span::styled(offer.text.clone(), plain));
            let end = u16::try_from(line.width()).unwrap_or(u16::MAX);
            let spot = Rect {
                x: row.x.saturating_add(column),
                width: end - column,
                ..row
            };
            let spot = spot.intersection(row);
            let command = Command::from_digit(offer.digit);
            frame
                .hit_targets
                .extend(command.map(|command| (spot, HitTarget::Command(command))));
        }
        draw_line(&line, Style::new(), row, buffer);
    }
}

fn chapter_lines(number: usize, app: &App, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let text = app.messages.lab("tour", &format!("text_{number}"));
    let room = usize::from(width).saturating_sub(2).max(10);
    let mut lines: Vec<Line<'static>> = wrap(text, room)
        .iter()
        .map(|piece| Line::styled(format!(" {piece}"), theme.title()))
        .collect();
    if number + 1 == CHAPTER_STATES.len() {
        let over = wrap(app.messages.lab("tour", "over"), room);
        let over = over.iter().map(|piece| format!(" {piece}"));
        lines.extend(over.map(|piece| Line::styled(piece, theme.dim())));
    }
    lines
}

/// Returns a rule with the name of the lab, and the party that the socket waits
/// for.
fn title_line(app: &App, theme: Theme, width: u16) -> Line<'static> {
    let word = |name: &str| app.messages.lab("pane", name);
    let title = match &app.lab {
        Some(lesson) if lesson.mode == LabMode::Tour => {
            let sentence = app.messages.lab("tour", "chapter");
            let number = render(sentence, |place| {
                Some(match place {
                    "number" => lesson.chapter.to_string(),
                    _ => (CHAPTER_STATES.len() - 1).to_string(),
                })
            });
            format!("{} {}", word("title"), number.unwrap_or_default())
        }
        _ => word("title").to_owned(),
    };
    let room = usize::from(width).saturating_sub(cells(&title) + HEAD);
    let said = waiting_text(app, room);
    let text = format!(" ── {title} ── {said} ");
    let left = usize::from(width).saturating_sub(cells(&text) + 1);
    Line::from(vec![
        Span::styled(text, theme.heading()),
        Span::styled("─".repeat(left), theme.dim()),
    ])
}

/// Returns the party that the selected socket waits for, and the time limit
/// outside the lab: the longest of several forms that fits.
fn waiting_text(app: &App, room: usize) -> String {
    let word = |name: &str| app.messages.lab("pane", name);
    let Some(row) = app.selected() else {
        return word("nothing").to_owned();
    };
    let awaited = waiting_for(row, &app.observation, app.messages);
    let peer = row.socket.peer();
    let outside = app.diagnosis(row).host_duration;
    let waits = |name: &str| {
        let value = |place: &str| {
            Some(match place {
                "state" => row.socket.state.to_string(),
                "peer" => peer?.to_string(),
                _ => awaited.to_owned(),
            })
        };
        render(word(name), value)
    };
    if awaited.is_empty() {
        return waits("over").unwrap_or_default();
    }
    if app.is_of_exited_lab(row) {
        return waits("left").unwrap_or_default();
    }
    let held = |name: &str, waits: Option<String>| {
        let value = |place: &str| match place {
            "waits" => waits.clone(),
            _ => outside.clone(),
        };
        render(word(name), value)
    };
    let forms = [
        held("held", waits("withheld_of")),
        held("held", waits("withheld")),
        held("held_briefly", waits("withheld")),
        outside.is_none().then(|| waits("withheld_of")).flatten(),
        waits("withheld"),
    ];
    let mut forms = forms.into_iter().flatten();
    let fitting = forms.find(|text| cells(text) <= room);
    fitting.or_else(|| waits("withheld")).unwrap_or_default()
}

/// Maximum number of lines of the actions, whatever is selected.
fn max_choice_lines(app: &App, width: u16) -> usize {
    let possible = app.possible_lab_choices();
    let heights = possible
        .iter()
        .map(|choices| wrap_offers(offers(choices, app), width).len());
    heights.max().unwrap_or(1)
}

/// Returns the actions, in order; the actor stands before the first.
fn offers(choices: &[LabChoice], app: &App) -> Vec<LabOffer> {
    let mut before = LabActor::Lab;
    let mut offers = Vec::new();
    for choice in choices {
        let actor = choice.action.actor();
        let name = app.messages.lab("actors", actor.key());
        let named = render(app.messages.lab("pane", "actor"), |_| Some(name.to_owned()));
        let named = named.filter(|_| actor != before && actor != LabActor::Lab);
        before = actor;
        let (key, what) = offer_label(*choice, app);
        offers.push(LabOffer {
            actor: named.unwrap_or_default(),
            digit: choice.digit,
            key,
            text: what,
        });
    }
    offers
}

/// True if digits are commands in the present context.
fn accepts_digits(app: &App) -> bool {
    let context = app.mode.context();
    app.keymap.has(context, Command::LabAction1)
}

/// Wraps the actions into lines, none of them broken.
fn wrap_offers(offers: Vec<LabOffer>, width: u16) -> Vec<Vec<LabOffer>> {
    let mut lines: Vec<Vec<LabOffer>> = Vec::new();
    let mut used = usize::MAX;
    for offer in offers {
        let needs = GAP + offer.width();
        let place = used.saturating_add(needs);
        if let Some(line) = lines.last_mut().filter(|_| place <= usize::from(width)) {
            used = place;
            line.push(offer);
        } else {
            used = 1 + offer.width();
            lines.push(vec![offer]);
        }
    }
    lines
}

/// Returns the key, and the text of an action.
fn offer_label(choice: LabChoice, app: &App) -> (String, String) {
    let name = if choice.next_state.is_some() {
        "choice_to"
    } else {
        "choice"
    };
    let state = match choice.next_state {
        Some(State::Closed) if choice.by_reset => app.messages.lab("pane", "reset").to_owned(),
        Some(State::Closed) => app.messages.lab("pane", "gone").to_owned(),
        Some(state) => state.to_string(),
        None => String::new(),
    };
    let what = match choice.action {
        LabAction::SetUpAgain if app.is_on_tour() => app.messages.lab("tour", "again"),
        what => app.messages.lab("steps", what.key()),
    };
    let text = render(app.messages.lab("pane", name), |place| {
        Some(match place {
            "key" => String::new(),
            "what" => what.to_owned(),
            _ => state.clone(),
        })
    });
    (choice.digit.to_string(), text.unwrap_or_default())
}
