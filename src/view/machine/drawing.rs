//! The diagram: lines joined cell by cell, names over them.

use super::DiagramView;
use crate::app::message::HitTarget;
use crate::explain::state_path::diagram::{
    COUNT_WIDTH, DiagramEdge, EDGES, FINAL_CLOSED, HEADINGS, HEIGHT, STATE_NODES, StateNode, WIDTH,
    node_of,
};
use crate::explain::template::format_thousands;
use crate::listing::{display_width, truncate};
use crate::model::state::State;
use crate::view::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

const UP: u8 = 1;
const RIGHT: u8 = 2;
const DOWN: u8 = 4;
const LEFT: u8 = 8;

/// Emphasis of a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum LineEmphasis {
    #[default]
    Dim,
    Upcoming,
    Walked,
}

/// Directions in which lines leave a cell, and their emphasis.
#[derive(Clone, Copy, Default)]
struct LineCell {
    directions: u8,
    emphasis: LineEmphasis,
    arrow_head: Option<char>,
}

/// Draws the machine, its rows `row_spacing` apart.
pub(super) fn draw(
    shown: &DiagramView<'_>,
    air: u16,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    let pen = DiagramPainter {
        shown,
        row_spacing: air,
        area,
    };
    pen.draw_lines(buffer);
    for track in &EDGES {
        pen.draw_arrow_name(track, buffer);
    }
    for heading in HEADINGS {
        let words = shown.app.messages.screen("machine", heading.name);
        let text = truncate(words, heading.width.into());
        pen.write(heading.position, &text, shown.theme.heading(), buffer);
    }
    for place in STATE_NODES {
        pen.draw_state(place, buffer, frame);
    }
    pen.write(
        FINAL_CLOSED,
        State::Closed.word(),
        shown.final_closed_style(),
        buffer,
    );
}

struct DiagramPainter<'a> {
    shown: &'a DiagramView<'a>,
    row_spacing: u16,
    area: Rect,
}

impl DiagramPainter<'_> {
    fn draw_lines(&self, buffer: &mut Buffer) {
        let rows = 1 + (HEIGHT - 1) * self.row_spacing;
        let mut joints = vec![LineCell::default(); usize::from(WIDTH) * usize::from(rows)];
        for track in &EDGES {
            self.lay_arrow(track, &mut joints);
        }
        for (joint, place) in joints.iter().zip(0_u16..) {
            if joint.directions != 0 {
                let at = (place % WIDTH, place / WIDTH);
                let glyph = joint
                    .arrow_head
                    .unwrap_or_else(|| line_glyph(joint.directions));
                self.put_cell(
                    at,
                    &glyph.to_string(),
                    self.line_style(joint.emphasis),
                    buffer,
                );
            }
        }
    }

    fn emphasis(&self, track: &DiagramEdge) -> LineEmphasis {
        let course = self.shown.path;
        if course.has_taken(track.from, track.to) {
            LineEmphasis::Walked
        } else if course.will_take(track.from, track.to) {
            LineEmphasis::Upcoming
        } else {
            LineEmphasis::Dim
        }
    }

    fn line_style(&self, light: LineEmphasis) -> Style {
        match light {
            LineEmphasis::Dim => self.shown.theme.dim(),
            LineEmphasis::Upcoming => Style::new(),
            LineEmphasis::Walked => self.shown.theme.title(),
        }
    }

    /// Lays an arrow over those already there.
    fn lay_arrow(&self, track: &DiagramEdge, joints: &mut [LineCell]) {
        let light = self.emphasis(track);
        let corners: Vec<(u16, u16)> = track
            .corners
            .iter()
            .map(|(column, row)| (*column, row * self.row_spacing))
            .collect();
        let mut last = None;
        let end = corners.len() - 1;
        for (number, pair) in (1..).zip(corners.windows(2)) {
            let (from, mut to) = (pair[0], pair[1]);
            // From the right an arrow ends at the count, from the left at the
            // mark.
            if number == end && to.0 < from.0 {
                to.0 = self.end_of(track.to).unwrap_or(to.0).min(to.0);
            } else if number == end && to.0 > from.0 && self.shown.cursor.mark == track.to {
                to.0 -= u16::from(track.to != State::Closed);
            }
            let mut at = from;
            while at != to {
                let (next, out, into) = next_cell(at, to);
                mark_cell(joints, at, out, light);
                mark_cell(joints, next, into, light);
                at = next;
                last = Some((at, out));
            }
        }
        if let Some((at, out)) = last
            && let Some(joint) = joints.get_mut(cell_index(at))
        {
            joint.arrow_head = Some(match out {
                UP => '↑',
                RIGHT => '→',
                DOWN => '↓',
                _ => '←',
            });
        }
    }

    /// Draws the name of an arrow, taken from the machine's own data.
    fn draw_arrow_name(&self, track: &DiagramEdge, buffer: &mut Buffer) {
        let arrows = self.shown.app.messages.transitions();
        let arrow = arrows.iter().find(|arrow| {
            arrow.from == track.from.key() && arrow.to == track.to.key() && arrow.kind != "abort"
        });
        let Some(arrow) = arrow else {
            return;
        };
        let text = truncate(&arrow.by, track.label_width.into());
        let style = self.line_style(self.emphasis(track));
        // On a horizontal line the name has a blank on either side.
        let level = track
            .corners
            .windows(2)
            .any(|pair| pair[0].1 == pair[1].1 && pair[0].1 == track.label_position.1);
        if level {
            let (column, row) = track.label_position;
            self.write((column - 1, row), &format!(" {text} "), style, buffer);
        } else {
            self.write(track.label_position, &text, style, buffer);
        }
    }

    fn draw_state(&self, place: StateNode, buffer: &mut Buffer, frame: &mut Frame) {
        let StateNode {
            state,
            position: at,
            ..
        } = place;
        let shown = self.shown;
        let word = state.word();
        let marked = shown.cursor.mark == state;
        let (open, close) = if marked { ("[", "] ") } else { (" ", " ") };
        let population = shown.population_text(state);
        let count = self.count_text(state);
        // CLOSED occurs twice, as the beginning and as the end.
        let look = match state {
            State::Closed => shown.initial_closed_style(),
            state => shown.style(state),
        };
        let mut column = at.0 - 1;
        for (text, style) in [
            (open, shown.theme.key()),
            (word, look),
            (close, shown.theme.key()),
            (
                &count,
                if population == 0 {
                    shown.theme.dim()
                } else {
                    Style::new()
                },
            ),
            (" ", Style::new()),
        ] {
            self.write((column, at.1), text, style, buffer);
            column += u16::try_from(display_width(text)).unwrap_or(0);
        }
        let spot = Rect {
            x: self.area.x + at.0 - 1,
            y: self.area.y + at.1 * self.row_spacing,
            width: column - at.0,
            height: 1,
        };
        frame
            .hit_targets
            .push((spot.intersection(self.area), HitTarget::DiagramState(state)));
    }

    /// Returns the number of sockets in a state, in the cells available for it.
    fn count_text(&self, state: State) -> String {
        let number = format_thousands(self.shown.population_text(state).into());
        truncate(&number, usize::from(COUNT_WIDTH) - 2).into_owned()
    }

    /// Returns the second cell behind the count of a state.
    fn end_of(&self, state: State) -> Option<u16> {
        // CLOSED has no count at the end of paths.
        let place = node_of(state).filter(|_| state != State::Closed)?;
        let bracket = u16::from(self.shown.cursor.mark == state);
        let count = u16::try_from(display_width(&self.count_text(state))).ok()?;
        let name = u16::try_from(state.word().len()).ok()?;
        Some(place.position.0 + name + bracket + count + 2)
    }

    /// Writes at a position of the chart.
    fn write(&self, at: (u16, u16), text: &str, style: Style, buffer: &mut Buffer) {
        self.put_cell((at.0, at.1 * self.row_spacing), text, style, buffer);
    }

    /// Writes at a cell of the area, over any line.
    fn put_cell(&self, at: (u16, u16), text: &str, style: Style, buffer: &mut Buffer) {
        let (column, row) = (self.area.x + at.0, self.area.y + at.1);
        if column < self.area.right() && row < self.area.bottom() {
            let room = usize::from(self.area.right() - column);
            let style = Style::reset().patch(style);
            buffer.set_stringn(column, row, text, room, style);
        }
    }
}

fn cell_index(at: (u16, u16)) -> usize {
    usize::from(at.1) * usize::from(WIDTH) + usize::from(at.0)
}

fn mark_cell(joints: &mut [LineCell], at: (u16, u16), ways: u8, light: LineEmphasis) {
    if let Some(joint) = joints.get_mut(cell_index(at)) {
        joint.directions |= ways;
        joint.emphasis = joint.emphasis.max(light);
    }
}

/// Returns the next cell on a straight line, and the directions in which the line
/// leaves the one and enters the other.
fn next_cell(at: (u16, u16), to: (u16, u16)) -> ((u16, u16), u8, u8) {
    if at.0 < to.0 {
        ((at.0 + 1, at.1), RIGHT, LEFT)
    } else if at.0 > to.0 {
        ((at.0 - 1, at.1), LEFT, RIGHT)
    } else if at.1 < to.1 {
        ((at.0, at.1 + 1), DOWN, UP)
    } else {
        ((at.0, at.1 - 1), UP, DOWN)
    }
}

fn line_glyph(ways: u8) -> char {
    const GLYPHS: [char; 16] = [
        ' ', '│', '─', '└', '│', '│', '┌', '├', '─', '┘', '─', '┴', '┐', '┤', '┬', '┼',
    ];
    GLYPHS[usize::from(ways & 15)]
}
