//! Segments on their way between two columns, the states of each end below each
//! other, and the meaning of the last segment.

use super::word;
use crate::app::App;
use crate::app::learning::{FLIGHT, Learning};
use crate::explain::catalogue::{Exchange as Words, Segment};
use crate::explain::lesson::{Exchange, Side};
use crate::explain::sentence::fill;
use crate::listing::{fit, width};
use crate::model::state::State;
use crate::view::page::Page;
use crate::view::screen::titled;
use crate::view::theme::Theme;
use crate::view::{put, row_of};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Maximum width of the drawing: longer arrows show nothing more.
const WIDEST: u16 = 90;
/// From the left edge to the client's line, and from the server's to the right.
const MARGIN: u16 = 13;
/// Rows above the first segment: titles, and the states before it.
const HEAD: u16 = 2;

/// Draws the page; returns the maximum scroll position of the text below.
pub(super) fn draw(
    which: Exchange,
    learning: &Learning,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> u16 {
    let words = app.words.learn().exchange(which);
    let below = titled(&words.title, theme, area, buffer);
    progress(words, learning, app, theme, row_of(area, 0), buffer);
    let segments = u16::try_from(words.segment.len()).unwrap_or(u16::MAX);
    let rows = HEAD + 2 * segments;
    if below.width < 2 * MARGIN + 20 || below.height < rows + 3 {
        return text(words, learning, app, theme, below, buffer);
    }
    let canvas = Canvas {
        app,
        theme,
        which,
        words,
        learning,
        area: Rect {
            width: below.width.min(WIDEST),
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
    text(words, learning, app, theme, rest, buffer)
}

/// Draws the progress, at the right of the title.
fn progress(
    words: &Words,
    learning: &Learning,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let step = shown_segment(learning);
    let name = if step == 0 { "before" } else { "step" };
    let filled = fill(word(app, name), |place| {
        Some(match place {
            "step" => step.to_string(),
            _ => words.segment.len().to_string(),
        })
    });
    let text = filled.unwrap_or_default();
    let cells = u16::try_from(width(&text) + 1).unwrap_or(u16::MAX);
    let title = u16::try_from(width(&words.title) + 3).unwrap_or(u16::MAX);
    if cells.saturating_add(title) <= area.width {
        let place = Rect {
            x: area.right() - cells,
            width: cells,
            ..area
        };
        put(
            &Line::styled(text, theme.dim()),
            Style::new(),
            place,
            buffer,
        );
    }
}

/// Number of the segment that the text is about: the one on its way, else the
/// last one that has arrived.
fn shown_segment(learning: &Learning) -> u16 {
    learning.arrived() + u16::from(learning.flown() > 0)
}

/// Draws the meaning of the segment; before the first the introduction, after the
/// last also the other ways of closing.
fn text(
    words: &Words,
    learning: &Learning,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> u16 {
    let mut page = Page::new(area.width);
    let step = usize::from(shown_segment(learning));
    match step
        .checked_sub(1)
        .and_then(|place| words.segment.get(place))
    {
        None => page.paragraph(&words.intro, Style::new()),
        Some(segment) => page.paragraph(&sentence(segment, app), Style::new()),
    }
    let over = step == words.segment.len() && learning.flown() == 0;
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

fn sentence(segment: &Segment, app: &App) -> String {
    let filled = fill(word(app, "sentence"), |place| {
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
    which: Exchange,
    words: &'a Words,
    learning: &'a Learning,
    area: Rect,
}

impl Canvas<'_> {
    fn draw(&self, buffer: &mut Buffer) {
        for side in Side::BOTH {
            let who = self.who(side);
            let style = if self.learning.side == Some(side) {
                self.theme.heading()
            } else {
                self.theme.dim()
            };
            self.centred(side, 0, &who, style, buffer);
            self.line_of(side, buffer);
            self.states_of(side, buffer);
        }
        for (place, segment) in (0_u16..).zip(&self.words.segment) {
            self.arrow(place, segment, buffer);
        }
    }

    /// Returns the title of a column.
    fn who(&self, side: Side) -> String {
        let name = match (self.which, side) {
            (Exchange::Open, side) => side.key(),
            (Exchange::Close, Side::Client) => "first",
            (Exchange::Close, Side::Server) => "second",
        };
        let name = word(self.app, name);
        if self.learning.side != Some(side) {
            return name.to_owned();
        }
        let marked = fill(word(self.app, "marked"), |_| Some(name.to_owned()));
        marked.unwrap_or_default()
    }

    /// Frame of a segment, of [`FLIGHT`].
    fn flown(&self, place: u16) -> u16 {
        self.learning
            .picture
            .saturating_sub(place * FLIGHT)
            .min(FLIGHT)
    }

    /// Returns the state that a side enters by a segment, once it has: the sender
    /// when the segment leaves, the receiver when it arrives.
    fn entered(&self, place: u16, side: Side) -> Option<State> {
        let segment = self.words.segment.get(usize::from(place))?;
        let flown = self.flown(place);
        let reached = if segment.sender() == side {
            flown > 0
        } else {
            flown == FLIGHT
        };
        segment.state(side).filter(|_| reached)
    }

    /// Returns the states of a side with their rows, the present one last.
    fn states(&self, side: Side) -> Vec<(u16, State)> {
        let mut states = vec![(1, self.which.before(side))];
        let count = u16::try_from(self.words.segment.len()).unwrap_or(0);
        for place in 0..count {
            if let Some(state) = self.entered(place, side)
                && states.last().is_some_and(|(_, last)| *last != state)
            {
                states.push((HEAD + 2 * place + 1, state));
            }
        }
        states
    }

    fn states_of(&self, side: Side, buffer: &mut Buffer) {
        let states = self.states(side);
        let last = states.len() - 1;
        for (place, (row, state)) in states.into_iter().enumerate() {
            let style = if place == last {
                self.theme.state(state).patch(self.theme.cursor())
            } else {
                self.theme.dim()
            };
            self.centred(side, row, &format!(" {state} "), style, buffer);
        }
    }

    fn column(&self, side: Side) -> u16 {
        match side {
            Side::Client => self.area.x + MARGIN,
            Side::Server => self.area.right().saturating_sub(MARGIN + 1),
        }
    }

    fn line_of(&self, side: Side, buffer: &mut Buffer) {
        for row in HEAD..self.area.height {
            let at = (self.column(side), self.area.y + row);
            buffer.set_stringn(at.0, at.1, "│", 1, self.theme.dim());
        }
    }

    /// Writes centred over a column, within the drawing.
    fn centred(&self, side: Side, row: u16, text: &str, style: Style, buffer: &mut Buffer) {
        let text = fit(text, usize::from(2 * MARGIN));
        let cells = u16::try_from(width(&text)).unwrap_or(0);
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
    fn arrow(&self, place: u16, segment: &Segment, buffer: &mut Buffer) {
        let flown = self.flown(place);
        if flown == 0 {
            return;
        }
        let (left, right) = (self.column(Side::Client) + 2, self.column(Side::Server) - 2);
        let whole = usize::from(right - left + 1);
        let long = (whole * usize::from(flown) / usize::from(FLIGHT)).max(3);
        let name = fill(word(self.app, "on_arrow"), |place| {
            Some(match place {
                "number" => segment.number.to_string(),
                _ => segment.segment.clone(),
            })
        });
        let name = format!(" {} ", name.unwrap_or_default());
        let line = shaft(&name, long, segment.sender() == Side::Client);
        let latest = place + 1 == shown_segment(self.learning);
        let style = if latest {
            self.theme.title()
        } else {
            self.theme.dim()
        };
        let cells = u16::try_from(width(&line)).unwrap_or(0);
        let first = if segment.sender() == Side::Client {
            left
        } else {
            right + 1 - cells
        };
        let row = Rect {
            x: first,
            y: self.area.y + HEAD + 2 * place,
            width: cells,
            height: 1,
        };
        put(
            &Line::from(Span::styled(line, style)),
            Style::new(),
            row,
            buffer,
        );
    }
}

/// Returns an arrow of that many cells, with a name in it if it fits.
fn shaft(name: &str, long: usize, to_the_right: bool) -> String {
    let room = long.saturating_sub(1);
    let named = width(name);
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
