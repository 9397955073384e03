//! The state machine: the diagram, the number of sockets in each state, and the
//! party that the marked state waits for.

mod drawing;
mod states;

use super::explanation_pane::cells;
use super::page::Page;
use super::screen::draw_title;
use super::sparkline;
use super::theme::Theme;
use super::{Frame, details, draw_line, nth_row};
use crate::app::App;
use crate::app::state_machine_page::DiagramCursor;
use crate::explain::state_path::diagram::{HEIGHT, WIDTH};
use crate::explain::state_path::{PathNode, StatePath};
use crate::explain::template::{format_thousands, render};
use crate::model::observation::StateCounts;
use crate::model::protocol::Protocol;
use crate::model::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// From this width on the states are also listed beside the diagram.
const MIN_WIDTH_FOR_LIST: u16 = WIDTH + LIST_WIDTH;
/// Width of the list beside the diagram.
const LIST_WIDTH: u16 = 36;
/// Lines about the marked state.
const CAPTION_HEIGHT: u16 = 3;
/// Minimum number of rows of a list above such lines.
const MIN_LIST_HEIGHT: u16 = 5;
/// Rows of a diagram with doubled spacing.
const SPACED_HEIGHT: u16 = 2 * HEIGHT - 1;
/// Minimum and maximum width of the marked state's sparkline.
const SPARKLINE_WIDTHS: (usize, usize) = (6, 20);
/// Column of the texts beside the labels.
const INDENT: usize = 13;

pub(super) fn draw(
    walk: DiagramCursor,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    let below = if omits_title(app, area) {
        area
    } else {
        draw_title(&title(app, area.width), theme, area, buffer)
    };
    let course = app
        .diagram_row()
        .map(|row| StatePath::of(row, &app.observation))
        .unwrap_or_default();
    let shown = DiagramView {
        app,
        theme,
        cursor: walk,
        path: &course,
    };
    if below.width < WIDTH || below.height < HEIGHT {
        draw_list(&shown, below, buffer, frame);
        return;
    }
    let air = if below.height >= SPACED_HEIGHT + CAPTION_HEIGHT + 3 {
        2
    } else {
        1
    };
    let rows = 1 + (HEIGHT - 1) * air;
    let list = if below.width >= MIN_WIDTH_FOR_LIST {
        LIST_WIDTH
    } else {
        0
    };
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
    let gap = u16::from(below.height > rows + CAPTION_HEIGHT);
    let words = Rect {
        y: below.y + rows + gap,
        height: below.height - rows - gap,
        ..below
    };
    draw_caption(&shown, words, buffer);
}

/// True if the title is omitted: in the lab the pane below names the selected
/// socket, and the diagram and its text may fit only without a title.
fn omits_title(app: &App, area: Rect) -> bool {
    let whole = HEIGHT + CAPTION_HEIGHT;
    app.lab.is_some() && area.width >= WIDTH && (HEIGHT..=whole).contains(&area.height)
}

/// Draws the states as a list if the diagram does not fit, and the text about the
/// marked one.
fn draw_list(shown: &DiagramView<'_>, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let words = if area.height >= MIN_LIST_HEIGHT + CAPTION_HEIGHT {
        let spare = area.height.saturating_sub(states::height(area.width));
        spare.max(CAPTION_HEIGHT)
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
    draw_caption(shown, below, buffer);
}

/// Content of the page.
struct DiagramView<'a> {
    app: &'a App,
    theme: Theme,
    cursor: DiagramCursor,
    path: &'a StatePath,
}

impl DiagramView<'_> {
    fn population_text(&self, state: State) -> u32 {
        count(&self.app.observation.state_counts, state)
    }

    /// Returns the recent number of sockets in a state as a sparkline, the latest
    /// last.
    fn history(&self, state: State, cells: usize) -> String {
        let all = &self.app.observation.state_count_history;
        let counts: Vec<u32> = all.iter().map(|tally| count(tally, state)).collect();
        sparkline::render(&counts, cells)
    }

    /// The state the selected socket is in now.
    fn present(&self) -> Option<State> {
        let row = self.app.diagram_row()?;
        (row.socket.protocol == Protocol::Tcp)
            .then(|| self.path.current())
            .flatten()
    }

    /// Style of CLOSED at the end of all paths.
    fn final_closed_style(&self) -> Style {
        let theme = self.theme;
        if self.path.is_over() {
            theme.state(State::Closed).patch(theme.cursor())
        } else if self.path.upcoming.contains(&State::Closed) {
            Style::new()
        } else {
            theme.dim()
        }
    }

    /// Style of CLOSED at the beginning of all paths.
    fn initial_closed_style(&self) -> Style {
        if !self.path.is_over() {
            self.style(State::Closed)
        } else if self.path.past.first() == Some(&PathNode::State(State::Closed)) {
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
        } else if self.path.was_in(state) {
            theme.title()
        } else if self.population_text(state) == 0 && self.cursor.mark != state {
            theme.dim()
        } else {
            Style::new()
        }
    }
}

fn count(tally: &StateCounts, state: State) -> u32 {
    match state {
        State::Unconnected => tally.udp,
        state => tally.tcp(state),
    }
}

/// Returns the title, with the highlighted socket if the whole of it fits.
fn title(app: &App, room: u16) -> String {
    let words = |name: &str| app.messages.screen("machine", name);
    let full = app.diagram_row().and_then(|row| {
        let socket = details::title(app, row);
        render(words("title_of"), |_| Some(socket.clone()))
    });
    full.filter(|text| cells(text) + 2 <= room.into())
        .unwrap_or_else(|| words("title").to_owned())
}

/// Returns the next step according to the selected socket itself, if it is in the
/// marked state and waits for something unusual.
fn unusual_next_step(shown: &DiagramView<'_>) -> Option<String> {
    let row = shown.app.diagram_row()?;
    let diagnosis = shown.app.diagnosis(row);
    let here = shown.present() == Some(shown.cursor.mark);
    (here && diagnosis.waits_for_is_specific).then_some(diagnosis.waits_for)
}

/// Returns the number of sockets in a state, at present and recently: the text
/// about the state takes precedence over all but the number.
fn population(shown: &DiagramView<'_>, state: State, room: usize) -> String {
    let count = format_thousands(shown.population_text(state).into());
    let say = |name: &str, history: &str| {
        let value = |place: &str| {
            Some(match place {
                "count" => count.clone(),
                _ => history.to_owned(),
            })
        };
        render(shown.app.messages.screen("machine", name), value).unwrap_or_default()
    };
    let around = cells(&say("now_and_lately", ""));
    let history = room.saturating_sub(around).min(SPARKLINE_WIDTHS.1);
    let full = say(
        "now_and_lately",
        &shown.history(state, history.max(SPARKLINE_WIDTHS.0)),
    );
    if cells(&full) <= room {
        full
    } else {
        say("now", "")
    }
}

/// Draws the description of the marked state, the next party to act, and the time
/// limit; if there is room also how it is entered and left.
fn draw_caption(shown: &DiagramView<'_>, area: Rect, buffer: &mut Buffer) {
    let (app, theme, state) = (shown.app, shown.theme, shown.cursor.mark);
    let Some(words) = app.messages.state(state) else {
        return;
    };
    let brief = if app
        .diagram_row()
        .is_some_and(|row| row.socket.protocol == Protocol::Udp)
    {
        app.messages.screen("machine", "udp")
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
    draw_line(&head, Style::new(), nth_row(area, 0), buffer);
    if fits {
        let right = Rect {
            x: area.x + u16::try_from(head_width + 2).unwrap_or(0),
            width: area.width - u16::try_from(head_width + 2).unwrap_or(0),
            ..nth_row(area, 0)
        };
        draw_line(&Line::raw(brief.to_owned()), Style::new(), right, buffer);
    }
    let below = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    let mut page = Page::new(area.width);
    let label = |name: &str| app.messages.screen("machine", name);
    let mut entry = |name: &str, text: &str| {
        let text = app.with_limits(text);
        page.labelled(label(name), theme.dim(), INDENT, &text, Style::new());
    };
    entry(
        "next",
        &unusual_next_step(shown).unwrap_or_else(|| words.waits_for.clone()),
    );
    entry("lasts", app.messages.screen("lasts", state.key()));
    if below.height >= 12 {
        entry("means", &words.means);
    } else if !fits && area.height > CAPTION_HEIGHT {
        entry("means", brief);
    }
    if below.height >= 6 {
        entry("entered", &words.entered);
        entry("left", &words.left);
    }
    page.draw(0, below, buffer);
}
