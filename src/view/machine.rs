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
    let below = titled(&title(app, area.width), theme, area, buffer);
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
        states::draw(&shown, below, buffer, frame);
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

/// What the marked state is, who is next, and for how long; with room also how
/// one comes and goes.
fn caption(shown: &Shown<'_>, area: Rect, buffer: &mut Buffer) {
    let (app, theme, state) = (shown.app, shown.theme, shown.walk.mark);
    let Some(words) = app.words.state(state) else {
        return;
    };
    let limits = &app.observation.limits;
    let brief = if app
        .walker()
        .is_some_and(|row| row.socket.protocol == Protocol::Udp)
    {
        app.words.screen("machine", "udp")
    } else {
        &words.brief
    };
    let population = grouped(shown.population(state).into());
    // The words go before all of the history but its latest part.
    let beside = cells(state.word()) + cells(&population) + cells(brief) + 7;
    let room = usize::from(area.width).saturating_sub(beside);
    let history = shown.history(state, room.clamp(HISTORY.0, HISTORY.1));
    let head = Line::from(vec![
        Span::styled(format!(" {state} "), theme.key()),
        Span::raw(format!("{population}  ")),
        Span::styled(history, theme.dim()),
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
        let text = app.words.with_limits(text, limits);
        page.labelled(label(name), theme.dim(), INDENT, &text, Style::new());
    };
    if !fits && area.height > CAPTION {
        entry("means", brief);
    }
    entry("next", &words.waits_for);
    entry("lasts", app.words.screen("lasts", state.key()));
    if below.height >= 12 {
        entry("means", &words.means);
    }
    if below.height >= 6 {
        entry("entered", &words.entered);
        entry("left", &words.left);
    }
    page.draw(0, below, buffer);
}
