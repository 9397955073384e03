//! Segments on their way between two columns, the states of each end below each
//! other, and the meaning of the last segment.

use super::word;
use crate::app::App;
use crate::app::lessons::{FRAMES_PER_SEGMENT, LessonsPage};
use crate::explain::catalogue::{ExchangeText as FindingTexts, SegmentText};
use crate::explain::lessons::{ConnectionSide, ExchangeKind};
use crate::explain::template::render;
use crate::listing::{display_width, truncate};
use crate::model::state::State;
use crate::view::page::Page;
use crate::view::screen::draw_title;
use crate::view::theme::Theme;
use crate::view::{draw_line, nth_row};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Maximum width of the drawing: longer arrows show nothing more.
const MAX_WIDTH: u16 = 90;
/// From the left edge to the client's line, and from the server's to the right.
const MARGIN: u16 = 13;
/// Rows above the first segment: titles, and the states before it.
const HEADER_ROWS: u16 = 2;

/// Draws the page; returns the maximum scroll position of the text below.
pub(super) fn draw(
    which: ExchangeKind,
    learning: &LessonsPage,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> u16 {
    let words = app.messages.learn().exchange(which);
    let below = draw_title(&words.title, theme, area, buffer);
    draw_progress(words, learning, app, theme, nth_row(area, 0), buffer);
    let segments = u16::try_from(words.segment.len()).unwrap_or(u16::MAX);
    let rows = HEADER_ROWS + 2 * segments;
    if below.width < 2 * MARGIN + 20 || below.height < rows + 3 {
        return draw_text(words, learning, app, theme, below, buffer);
    }
    let canvas = Canvas {
        app,
        theme,
        which,
        words,
        learning,
        area: Rect {
            width: below.width.min(MAX_WIDTH),
            height: rows,
            y: below.y + 1,
            ..below
        },
    };
    canvas.draw(buffer);
    let rest = Rect {
        y: below.y + rows + 2,
        height: below.height - rows - 2,
        ..below
    };
    draw_text(words, learning, app, theme, rest, buffer)
}

/// Draws the progress, at the right of the title.
fn draw_progress(
    words: &FindingTexts,
    learning: &LessonsPage,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let step = current_segment(learning);
    let name = if step == 0 { "before" } else { "step" };
    let filled = render(word(app, name), |place| {
        Some(match place {
            "step" => step.to_string(),
            _ => words.segment.len().to_string(),
        })
    });
    let text = filled.unwrap_or_default();
    let cells = u16::try_from(display_width(&text) + 1).unwrap_or(u16::MAX);
    let title = u16::try_from(display_width(&words.title) + 3).unwrap_or(u16::MAX);
    if cells.saturating_add(title) <= area.width {
        let place = Rect {
            x: area.right() - cells,
            width: cells,
            ..area
        };
        draw_line(
            &Line::styled(text, theme.dim()),
            Style::new(),
            place,
            buffer,
        );
    }
}

/// Number of the segment that the text is about: the one on its way, else the
/// last one that has arrived.
fn current_segment(learning: &LessonsPage) -> u16 {
    learning.arrived_segments() + u16::from(learning.flight_frame() > 0)
}

/// Draws the meaning of the segment; before the first the introduction, after the
/// last also the other ways of closing.
fn draw_text(
    words: &FindingTexts,
    learning: &LessonsPage,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> u16 {
    let mut page = Page::new(area.width);
    let step = usize::from(current_segment(learning));
    match step
        .checked_sub(1)
        .and_then(|place| words.segment.get(place))
    {
        None => page.paragraph(&words.intro, Style::new()),
        Some(segment) => page.paragraph(&segment_sentence(segment, app), Style::new()),
    }
    let over = step == words.segment.len() && learning.flight_frame() == 0;
    if over || step == 0 {
        for walk in &words.walk {
            page.blank();
            let states: Vec<&str> = walk
                .states
                .iter()
                .filter_map(|key| State::from_word(key))
                .map(State::word)
                .collect();
            page.paragraph(&walk.who, theme.title());
            page.paragraph(&states.join(" → "), theme.key());
            page.paragraph(&walk.text, Style::new());
        }
    }
    page.draw(learning.scroll, area, buffer)
}

fn segment_sentence(segment: &SegmentText, app: &App) -> String {
    let filled = render(word(app, "sentence"), |place| {
        Some(match place {
            "number" => segment.number.to_string(),
            "segment" => segment.segment.clone(),
            _ => segment.text.clone(),
        })
    });
    filled.unwrap_or_default()
}

struct Canvas<'a> {
    app: &'a App,
    theme: Theme,
    which: ExchangeKind,
    words: &'a FindingTexts,
    learning: &'a LessonsPage,
    area: Rect,
}

impl Canvas<'_> {
    fn draw(&self, buffer: &mut Buffer) {
        for side in ConnectionSide::BOTH {
            let who = self.column_title(side);
            let style = if self.learning.side == Some(side) {
                self.theme.heading()
            } else {
                self.theme.dim()
            };
            self.draw_centred(side, 0, &who, style, buffer);
            self.draw_column_line(side, buffer);
            self.draw_states(side, buffer);
        }
        for (place, segment) in (0_u16..).zip(&self.words.segment) {
            self.draw_arrow(place, segment, buffer);
        }
    }

    /// Returns the title of a column.
    fn column_title(&self, side: ConnectionSide) -> String {
        let name = match (self.which, side) {
            (ExchangeKind::Open, side) => side.key(),
            (ExchangeKind::Close, ConnectionSide::Client) => "first",
            (ExchangeKind::Close, ConnectionSide::Serve) => "second",
        };
        let name = word(self.app, name);
        if self.learning.side != Some(side) {
            return name.to_owned();
        }
        let marked = render(word(self.app, "marked"), |_| Some(name.to_owned()));
        marked.unwrap_or_default()
    }

    /// Frame of a segment, of [`FRAMES_PER_SEGMENT`].
    fn flight_frame(&self, place: u16) -> u16 {
        self.learning
            .frame
            .saturating_sub(place * FRAMES_PER_SEGMENT)
            .min(FRAMES_PER_SEGMENT)
    }

    /// Returns the state that a side enters by a segment, once it has: the sender
    /// when the segment leaves, the receiver when it arrives.
    fn entered_state(&self, place: u16, side: ConnectionSide) -> Option<State> {
        let segment = self.words.segment.get(usize::from(place))?;
        let flown = self.flight_frame(place);
        let reached = if segment.sender() == side {
            flown > 0
        } else {
            flown == FRAMES_PER_SEGMENT
        };
        segment.state(side).filter(|_| reached)
    }

    /// Returns the states of a side with their rows, the present one last.
    fn states_with_rows(&self, side: ConnectionSide) -> Vec<(u16, State)> {
        let mut states = vec![(1, self.which.initial_state(side))];
        let count = u16::try_from(self.words.segment.len()).unwrap_or(0);
        for place in 0..count {
            if let Some(state) = self.entered_state(place, side)
                && states.last().is_some_and(|(_, last)| *last != state)
            {
                states.push((HEADER_ROWS + 2 * place + 1, state));
            }
        }
        states
    }

    fn draw_states(&self, side: ConnectionSide, buffer: &mut Buffer) {
        let states = self.states_with_rows(side);
        let last = states.len() - 1;
        for (place, (row, state)) in states.into_iter().enumerate() {
            let style = if place == last {
                self.theme.state(state).patch(self.theme.cursor())
            } else {
                self.theme.dim()
            };
            self.draw_centred(side, row, &format!(" {state} "), style, buffer);
        }
    }

    fn column(&self, side: ConnectionSide) -> u16 {
        match side {
            ConnectionSide::Client => self.area.x + MARGIN,
            ConnectionSide::Serve => self.area.right().saturating_sub(MARGIN + 1),
        }
    }

    fn draw_column_line(&self, side: ConnectionSide, buffer: &mut Buffer) {
        for row in HEADER_ROWS..self.area.height {
            let at = (self.column(side), self.area.y + row);
            buffer.set_stringn(at.0, at.1, "│", 1, self.theme.dim());
        }
    }

    /// Writes centred over a column, within the drawing.
    fn draw_centred(
        &self,
        side: ConnectionSide,
        row: u16,
        text: &str,
        style: Style,
        buffer: &mut Buffer,
    ) {
        let text = truncate(text, usize::from(2 * MARGIN));
        let cells = u16::try_from(display_width(&text)).unwrap_or(0);
        let first = self.column(side).saturating_sub(cells / 2);
        let first = first.clamp(
            self.area.x,
            self.area.right().saturating_sub(cells).max(self.area.x),
        );
        let row = self.area.y + row;
        // The line of the column does not show through a name.
        let style = Style::reset().patch(style);
        buffer.set_stringn(first, row, &text, usize::from(self.area.width), style);
    }

    /// Draws an arrow of the length that its segment has travelled, with its name
    /// inside.
    fn draw_arrow(&self, place: u16, segment: &SegmentText, buffer: &mut Buffer) {
        let flown = self.flight_frame(place);
        if flown == 0 {
            return;
        }
        let (left, right) = (
            self.column(ConnectionSide::Client) + 2,
            self.column(ConnectionSide::Serve) - 2,
        );
        let whole = usize::from(right - left + 1);
        let long = (whole * usize::from(flown) / usize::from(FRAMES_PER_SEGMENT)).max(3);
        let name = render(word(self.app, "on_arrow"), |place| {
            Some(match place {
                "number" => segment.number.to_string(),
                _ => segment.segment.clone(),
            })
        });
        let name = format!(" {} ", name.unwrap_or_default());
        let line = arrow_text(&name, long, segment.sender() == ConnectionSide::Client);
        let latest = place + 1 == current_segment(self.learning);
        let style = if latest {
            self.theme.title()
        } else {
            self.theme.dim()
        };
        let cells = u16::try_from(display_width(&line)).unwrap_or(0);
        let first = if segment.sender() == ConnectionSide::Client {
            left
        } else {
            right + 1 - cells
        };
        let row = Rect {
            x: first,
            y: self.area.y + HEADER_ROWS + 2 * place,
            width: cells,
            height: 1,
        };
        draw_line(
            &Line::from(Span::styled(line, style)),
            Style::new(),
            row,
            buffer,
        );
    }
}

/// Returns an arrow of that many cells, with a name in it if it fits.
fn arrow_text(name: &str, long: usize, to_the_right: bool) -> String {
    let room = long.saturating_sub(1);
    let named = display_width(name);
    let body = if named + 2 <= room {
        let before = (room - named) / 2;
        format!(
            "{}{name}{}",
            "─".repeat(before),
            "─".repeat(room - named - before)
        )
    } else {
        "─".repeat(room)
    };
    if to_the_right {
        format!("{body}→")
    } else {
        format!("←{body}")
    }
}
