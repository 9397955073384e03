//! The diagram: lines joined cell by cell, names over them.

use super::Shown;
use crate::app::message::Spot;
use crate::explain::machine::chart::{
    COUNT, END, HEADINGS, HEIGHT, PLACES, Place, TRACKS, Track, WIDTH, place_of,
};
use crate::explain::sentence::grouped;
use crate::listing::{fit, width};
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
enum Light {
    #[default]
    Dim,
    Ahead,
    Journey,
}

/// Directions in which lines leave a cell, and their emphasis.
#[derive(Clone, Copy, Default)]
struct Joint {
    ways: u8,
    light: Light,
    head: Option<char>,
}

/// Draws the machine, its rows `air` apart.
pub(super) fn draw(
    shown: &Shown<'_>,
    air: u16,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    let pen = Pen { shown, air, area };
    pen.lines(buffer);
    for track in &TRACKS {
        pen.name(track, buffer);
    }
    for heading in HEADINGS {
        let words = shown.app.words.screen("machine", heading.name);
        let text = fit(words, heading.room.into());
        pen.write(heading.at, &text, shown.theme.heading(), buffer);
    }
    for place in PLACES {
        pen.state(place, buffer, frame);
    }
    pen.write(END, State::Closed.word(), shown.end_style(), buffer);
}

struct Pen<'a> {
    shown: &'a Shown<'a>,
    air: u16,
    area: Rect,
}

impl Pen<'_> {
    fn lines(&self, buffer: &mut Buffer) {
        let rows = 1 + (HEIGHT - 1) * self.air;
        let mut joints = vec![Joint::default(); usize::from(WIDTH) * usize::from(rows)];
        for track in &TRACKS {
            self.lay(track, &mut joints);
        }
        for (joint, place) in joints.iter().zip(0_u16..) {
            if joint.ways != 0 {
                let at = (place % WIDTH, place / WIDTH);
                let glyph = joint.head.unwrap_or_else(|| glyph(joint.ways));
                self.put(at, &glyph.to_string(), self.look(joint.light), buffer);
            }
        }
    }

    fn light(&self, track: &Track) -> Light {
        let course = self.shown.course;
        if course.took(track.from, track.to) {
            Light::Journey
        } else if course.will_take(track.from, track.to) {
            Light::Ahead
        } else {
            Light::Dim
        }
    }

    fn look(&self, light: Light) -> Style {
        match light {
            Light::Dim => self.shown.theme.dim(),
            Light::Ahead => Style::new(),
            Light::Journey => self.shown.theme.title(),
        }
    }

    /// Lays an arrow over those already there.
    fn lay(&self, track: &Track, joints: &mut [Joint]) {
        let light = self.light(track);
        let corners: Vec<(u16, u16)> = track
            .way
            .iter()
            .map(|(column, row)| (*column, row * self.air))
            .collect();
        let mut last = None;
        let end = corners.len() - 1;
        for (number, pair) in (1..).zip(corners.windows(2)) {
            let (from, mut to) = (pair[0], pair[1]);
            // From the right an arrow ends at the count, from the left at the
            // mark.
            if number == end && to.0 < from.0 {
                to.0 = self.end_of(track.to).unwrap_or(to.0).min(to.0);
            } else if number == end && to.0 > from.0 && self.shown.walk.mark == track.to {
                to.0 -= u16::from(track.to != State::Closed);
            }
            let mut at = from;
            while at != to {
                let (next, out, into) = step(at, to);
                mark(joints, at, out, light);
                mark(joints, next, into, light);
                at = next;
                last = Some((at, out));
            }
        }
        if let Some((at, out)) = last
            && let Some(joint) = joints.get_mut(place(at))
        {
            joint.head = Some(match out {
                UP => '↑',
                RIGHT => '→',
                DOWN => '↓',
                _ => '←',
            });
        }
    }

    /// Draws the name of an arrow, taken from the machine's own data.
    fn name(&self, track: &Track, buffer: &mut Buffer) {
        let arrows = self.shown.app.words.arrows();
        let arrow = arrows.iter().find(|arrow| {
            arrow.from == track.from.key() && arrow.to == track.to.key() && arrow.kind != "abort"
        });
        let Some(arrow) = arrow else {
            return;
        };
        let text = fit(&arrow.by, track.room.into());
        let style = self.look(self.light(track));
        // On a horizontal line the name has a blank on either side.
        let level = track
            .way
            .windows(2)
            .any(|pair| pair[0].1 == pair[1].1 && pair[0].1 == track.name.1);
        if level {
            let (column, row) = track.name;
            self.write((column - 1, row), &format!(" {text} "), style, buffer);
        } else {
            self.write(track.name, &text, style, buffer);
        }
    }

    fn state(&self, place: Place, buffer: &mut Buffer, frame: &mut Frame) {
        let Place { state, at, .. } = place;
        let shown = self.shown;
        let word = state.word();
        let marked = shown.walk.mark == state;
        let (open, close) = if marked { ("[", "] ") } else { (" ", " ") };
        let population = shown.population(state);
        let count = self.count(state);
        // CLOSED occurs twice, as the beginning and as the end.
        let look = match state {
            State::Closed => shown.beginning_style(),
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
            column += u16::try_from(width(text)).unwrap_or(0);
        }
        let spot = Rect {
            x: self.area.x + at.0 - 1,
            y: self.area.y + at.1 * self.air,
            width: column - at.0,
            height: 1,
        };
        frame
            .spots
            .push((spot.intersection(self.area), Spot::Station(state)));
    }

    /// Returns the number of sockets in a state, in the cells available for it.
    fn count(&self, state: State) -> String {
        let number = grouped(self.shown.population(state).into());
        fit(&number, usize::from(COUNT) - 2).into_owned()
    }

    /// Returns the second cell behind the count of a state.
    fn end_of(&self, state: State) -> Option<u16> {
        // CLOSED has no count at the end of paths.
        let place = place_of(state).filter(|_| state != State::Closed)?;
        let bracket = u16::from(self.shown.walk.mark == state);
        let count = u16::try_from(width(&self.count(state))).ok()?;
        let name = u16::try_from(state.word().len()).ok()?;
        Some(place.at.0 + name + bracket + count + 2)
    }

    /// Writes at a position of the chart.
    fn write(&self, at: (u16, u16), text: &str, style: Style, buffer: &mut Buffer) {
        self.put((at.0, at.1 * self.air), text, style, buffer);
    }

    /// Writes at a cell of the area, over any line.
    fn put(&self, at: (u16, u16), text: &str, style: Style, buffer: &mut Buffer) {
        let (column, row) = (self.area.x + at.0, self.area.y + at.1);
        if column < self.area.right() && row < self.area.bottom() {
            let room = usize::from(self.area.right() - column);
            let style = Style::reset().patch(style);
            buffer.set_stringn(column, row, text, room, style);
        }
    }
}

fn place(at: (u16, u16)) -> usize {
    usize::from(at.1) * usize::from(WIDTH) + usize::from(at.0)
}

fn mark(joints: &mut [Joint], at: (u16, u16), ways: u8, light: Light) {
    if let Some(joint) = joints.get_mut(place(at)) {
        joint.ways |= ways;
        joint.light = joint.light.max(light);
    }
}

/// Returns the next cell on a straight line, and the directions in which the line
/// leaves the one and enters the other.
fn step(at: (u16, u16), to: (u16, u16)) -> ((u16, u16), u8, u8) {
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

fn glyph(ways: u8) -> char {
    const GLYPHS: [char; 16] = [
        ' ', '│', '─', '└', '│', '│', '┌', '├', '─', '┘', '─', '┴', '┐', '┤', '┬', '┼',
    ];
    GLYPHS[usize::from(ways & 15)]
}
