//! The state machine: the drawing, how many sockets are in each state, and what
//! the marked state waits for.

mod drawing;
mod states;

use super::page::Page;
use super::screen::titled;
use super::sparkline;
use super::theme::Theme;
use super::words::cells;
use super::{Frame, details, put, row_of};
use crate::app::App;
use crate::app::machine::Walk;
use crate::explain::machine::chart::{HEIGHT, WIDTH};
use crate::explain::machine::{Journey, Station};
use crate::explain::sentence::{fill, grouped};
use crate::model::observation::Tally;
use crate::model::protocol::Protocol;
use crate::model::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// From this width on the states stand beside the drawing, too.
const WIDE: u16 = WIDTH + BESIDE;
/// Cells of the list beside the drawing.
const BESIDE: u16 = 36;
/// Lines about the marked state.
const CAPTION: u16 = 3;
/// The fewest rows of a list above such lines.
const LEAST_LIST: u16 = 5;
/// Rows that a drawing with more air takes.
const AIRY: u16 = 2 * HEIGHT - 1;
/// The fewest and the most cells of the marked state's sparkline.
const HISTORY: (usize, usize) = (6, 20);
/// Where the words beside the labels begin.
const INDENT: usize = 13;

pub(super) fn draw(
    walk: Walk,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    let below = if spares_title(app, area) {
        area
    } else {
        titled(&title(app, area.width), theme, area, buffer)
    };
    let course = app
        .walker()
        .map(|row| Journey::of(row, &app.observation))
        .unwrap_or_default();
    let shown = Shown {
        app,
        theme,
        walk,
        course: &course,
    };
    if below.width < WIDTH || below.height < HEIGHT {
        draw_list(&shown, below, buffer, frame);
        return;
    }
    let air = if below.height >= AIRY + CAPTION + 3 {
        2
    } else {
        1
    };
    let rows = 1 + (HEIGHT - 1) * air;
    let list = if below.width >= WIDE { BESIDE } else { 0 };
    let room = below.width - list;
    let drawing = Rect {
        x: below.x + (room - WIDTH) / 2,
        width: WIDTH,
        height: rows,
        ..below
    };
    drawing::draw(&shown, air, drawing, buffer, frame);
    if list > 0 {
        let beside = Rect {
            x: below.right() - list,
            width: list,
            height: rows,
            ..below
        };
        states::draw(&shown, beside, buffer, frame);
    }
    // A blank line where there is room for one.
    let gap = u16::from(below.height > rows + CAPTION);
    let words = Rect {
        y: below.y + rows + gap,
        height: below.height - rows - gap,
        ..below
    };
    caption(&shown, words, buffer);
}

/// In the lab the pane below says what is selected: where the drawing and the
/// words fit only without a title, there is none.
fn spares_title(app: &App, area: Rect) -> bool {
    let whole = HEIGHT + CAPTION;
    app.lesson.is_some() && area.width >= WIDTH && (HEIGHT..=whole).contains(&area.height)
}

/// The states as a list where there is no room for the drawing, and the words
/// about the marked one.
fn draw_list(shown: &Shown<'_>, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let words = if area.height >= LEAST_LIST + CAPTION {
        let spare = area.height.saturating_sub(states::height(area.width));
        spare.max(CAPTION)
    } else {
        0
    };
    let list = Rect {
        height: area.height - words,
        ..area
    };
    states::draw(shown, list, buffer, frame);
    let below = Rect {
        y: list.bottom(),
        height: words,
        ..area
    };
    caption(shown, below, buffer);
}

/// What is drawn.
struct Shown<'a> {
    app: &'a App,
    theme: Theme,
    walk: Walk,
    course: &'a Journey,
}

impl Shown<'_> {
    fn population(&self, state: State) -> u32 {
        count(&self.app.observation.tally, state)
    }

    /// How many were in a state lately, the latest last.
    fn history(&self, state: State, cells: usize) -> String {
        let all = &self.app.observation.tallies;
        let counts: Vec<u32> = all.iter().map(|tally| count(tally, state)).collect();
        sparkline::of(&counts, cells)
    }

    /// The state the selected socket is in now.
    fn present(&self) -> Option<State> {
        let row = self.app.walker()?;
        (row.socket.protocol == Protocol::Tcp)
            .then(|| self.course.present())
            .flatten()
    }

    /// The look of CLOSED where all ways end.
    fn end_style(&self) -> Style {
        let theme = self.theme;
        if self.course.is_over() {
            theme.state(State::Closed).patch(theme.cursor())
        } else if self.course.ahead.contains(&State::Closed) {
            Style::new()
        } else {
            theme.dim()
        }
    }

    /// The look of CLOSED where all ways begin.
    fn beginning_style(&self) -> Style {
        if !self.course.is_over() {
            self.style(State::Closed)
        } else if self.course.walked.first() == Some(&Station::In(State::Closed)) {
            self.theme.title()
        } else {
            self.theme.dim()
        }
    }

    /// The look of a state's name.
    fn style(&self, state: State) -> Style {
        let theme = self.theme;
        if self.present() == Some(state) {
            theme.state(state).patch(theme.cursor())
        } else if self.course.was_in(state) {
            theme.title()
        } else if self.population(state) == 0 && self.walk.mark != state {
            theme.dim()
        } else {
            Style::new()
        }
    }
}

fn count(tally: &Tally, state: State) -> u32 {
    match state {
        State::Unconnected => tally.udp,
        state => tally.tcp(state),
    }
}

/// With whose way is lit, where the whole of that fits.
fn title(app: &App, room: u16) -> String {
    let words = |name: &str| app.words.screen("machine", name);
    let full = app.walker().and_then(|row| {
        let socket = details::title(app, row);
        fill(words("title_of"), |_| Some(socket.clone()))
    });
    full.filter(|text| cells(text) + 2 <= room.into())
        .unwrap_or_else(|| words("title").to_owned())
}

/// Who must act as the selected socket itself tells, where it is in the marked
/// state and not in the usual way.
fn next_move(shown: &Shown<'_>) -> Option<String> {
    let row = shown.app.walker()?;
    let diagnosis = shown.app.diagnosis(row);
    let here = shown.present() == Some(shown.walk.mark);
    (here && diagnosis.waits_unusually).then_some(diagnosis.waits_for)
}

/// How many are in a state, and how many were lately: the words of the state go
/// before all of that but the number.
fn population(shown: &Shown<'_>, state: State, room: usize) -> String {
    let count = grouped(shown.population(state).into());
    let say = |name: &str, history: &str| {
        let value = |place: &str| {
            Some(match place {
                "count" => count.clone(),
                _ => history.to_owned(),
            })
        };
        fill(shown.app.words.screen("machine", name), value).unwrap_or_default()
    };
    let around = cells(&say("now_and_lately", ""));
    let history = room.saturating_sub(around).min(HISTORY.1);
    let full = say(
        "now_and_lately",
        &shown.history(state, history.max(HISTORY.0)),
    );
    if cells(&full) <= room {
        full
    } else {
        say("now", "")
    }
}

/// What the marked state is, who is next, and for how long; with room also how
/// one comes and goes.
fn caption(shown: &Shown<'_>, area: Rect, buffer: &mut Buffer) {
    let (app, theme, state) = (shown.app, shown.theme, shown.walk.mark);
    let Some(words) = app.words.state(state) else {
        return;
    };
    let brief = if app
        .walker()
        .is_some_and(|row| row.socket.protocol == Protocol::Udp)
    {
        app.words.screen("machine", "udp")
    } else {
        &words.brief
    };
    let room = usize::from(area.width).saturating_sub(cells(state.word()) + cells(brief) + 5);
    let head = Line::from(vec![
        Span::styled(format!(" {state}  "), theme.key()),
        Span::raw(population(shown, state, room)),
    ]);
    let head_width = head.width();
    let fits = head_width + 2 + cells(brief) <= usize::from(area.width);
    put(&head, Style::new(), row_of(area, 0), buffer);
    if fits {
        let right = Rect {
            x: area.x + u16::try_from(head_width + 2).unwrap_or(0),
            width: area.width - u16::try_from(head_width + 2).unwrap_or(0),
            ..row_of(area, 0)
        };
        put(&Line::raw(brief.to_owned()), Style::new(), right, buffer);
    }
    let below = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    let mut page = Page::new(area.width);
    let label = |name: &str| app.words.screen("machine", name);
    let mut entry = |name: &str, text: &str| {
        let text = app.with_limits(text);
        page.labelled(label(name), theme.dim(), INDENT, &text, Style::new());
    };
    entry(
        "next",
        &next_move(shown).unwrap_or_else(|| words.waits_for.clone()),
    );
    entry("lasts", app.words.screen("lasts", state.key()));
    if below.height >= 12 {
        entry("means", &words.means);
    } else if !fits && area.height > CAPTION {
        entry("means", brief);
    }
    if below.height >= 6 {
        entry("entered", &words.entered);
        entry("left", &words.left);
    }
    page.draw(0, below, buffer);
}
