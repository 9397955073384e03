//! The state machine: the diagram, the number of sockets in each state, and the
//! party that the marked state waits for.

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

/// From this width on the states are also listed beside the diagram.
const WIDE: u16 = WIDTH + BESIDE;
/// Width of the list beside the diagram.
const BESIDE: u16 = 36;
/// Lines about the marked state.
const CAPTION: u16 = 3;
/// Minimum number of rows of a list above such lines.
const LEAST_LIST: u16 = 5;
/// Rows of a diagram with doubled spacing.
const AIRY: u16 = 2 * HEIGHT - 1;
/// Minimum and maximum width of the marked state's sparkline.
const HISTORY: (usize, usize) = (6, 20);
/// Column of the texts beside the labels.
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
    // A blank line if there is room for one.
    let gap = u16::from(below.height > rows + CAPTION);
    let words = Rect {
        y: below.y + rows + gap,
        height: below.height - rows - gap,
        ..below
    };
    caption(&shown, words, buffer);
}

/// True if the title is omitted: in the lab the pane below names the selected
/// socket, and the diagram and its text may fit only without a title.
fn spares_title(app: &App, area: Rect) -> bool {
    let whole = HEIGHT + CAPTION;
    app.lesson.is_some() && area.width >= WIDTH && (HEIGHT..=whole).contains(&area.height)
}

/// Draws the states as a list if the diagram does not fit, and the text about the
/// marked one.
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

/// Content of the page.
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

    /// Returns the recent number of sockets in a state as a sparkline, the latest
    /// last.
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

    /// Style of CLOSED at the end of all paths.
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

    /// Style of CLOSED at the beginning of all paths.
    fn beginning_style(&self) -> Style {
        if !self.course.is_over() {
            self.style(State::Closed)
        } else if self.course.walked.first() == Some(&Station::In(State::Closed)) {
            self.theme.title()
        } else {
            self.theme.dim()
        }
    }

    /// Style of a state's name.
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

/// Returns the title, with the highlighted socket if the whole of it fits.
fn title(app: &App, room: u16) -> String {
    let words = |name: &str| app.words.screen("machine", name);
    let full = app.walker().and_then(|row| {
        let socket = details::title(app, row);
        fill(words("title_of"), |_| Some(socket.clone()))
    });
    full.filter(|text| cells(text) + 2 <= room.into())
        .unwrap_or_else(|| words("title").to_owned())
}

/// Returns the next step according to the selected socket itself, if it is in the
/// marked state and waits for something unusual.
fn next_move(shown: &Shown<'_>) -> Option<String> {
    let row = shown.app.walker()?;
    let diagnosis = shown.app.diagnosis(row);
    let here = shown.present() == Some(shown.walk.mark);
    (here && diagnosis.waits_unusually).then_some(diagnosis.waits_for)
}

/// Returns the number of sockets in a state, at present and recently: the text
/// about the state takes precedence over all but the number.
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

/// Draws the description of the marked state, the next party to act, and the time
/// limit; if there is room also how it is entered and left.
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
