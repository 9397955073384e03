//! The learning pages: the open lesson, and the animation of its segments.

use super::App;
use super::command::Command;
use super::effect::Effect;
use super::machine::where_to_look;
use super::mode::Mode;
use crate::explain::lesson::{Exchange, LESSONS, Lesson, Side};
use crate::model::state::State;
use std::time::Duration;

/// Time between two frames of the animation.
const TICK: Duration = Duration::from_millis(200);
/// Frames per segment; it has arrived with the last.
pub const FLIGHT: u16 = 5;

/// The page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learning {
    /// The open lesson; none for the list of contents.
    pub lesson: Option<Lesson>,
    /// The marked entry of the list.
    pub place: usize,
    /// Number of frames since the first segment was sent.
    pub picture: u16,
    /// Marked column.
    pub side: Option<Side>,
    /// True if the animation is running.
    pub playing: bool,
    /// Lines scrolled.
    pub scroll: u16,
}

impl Learning {
    fn contents(place: usize) -> Self {
        Self {
            lesson: None,
            place,
            picture: 0,
            side: None,
            playing: false,
            scroll: 0,
        }
    }

    fn at(place: usize) -> Self {
        Self {
            lesson: LESSONS.get(place).copied(),
            ..Self::contents(place)
        }
    }

    fn about(lesson: Lesson) -> Self {
        let place = LESSONS.iter().position(|known| *known == lesson);
        Self::at(place.unwrap_or(0))
    }

    /// The exchange that is open, if one is.
    #[must_use]
    pub fn exchange(&self) -> Option<Exchange> {
        match self.lesson {
            Some(Lesson::Exchange(exchange)) => Some(exchange),
            _ => None,
        }
    }

    /// Number of segments that have arrived.
    #[must_use]
    pub fn arrived(&self) -> u16 {
        self.picture / FLIGHT
    }

    /// Frame of the segment under way, of [`FLIGHT`]; 0 if there is none.
    #[must_use]
    pub fn flown(&self) -> u16 {
        self.picture % FLIGHT
    }
}

impl App {
    /// Opens the lesson of a state from a page about it, else the list of
    /// contents with the selected row's state marked.
    pub(super) fn open_learning(&mut self) {
        let state = self.selected().map(|row| row.socket.state);
        let known = state.filter(|state| LESSONS.contains(&Lesson::State(*state)));
        let learning = match (&self.mode, known) {
            (Mode::Explain { .. }, Some(state)) => Learning::about(Lesson::State(state)),
            (Mode::Machine(walk), _) => Learning {
                lesson: None,
                ..Learning::about(Lesson::State(walk.mark))
            },
            (_, Some(state)) => Learning {
                lesson: None,
                ..Learning::about(Lesson::State(state))
            },
            _ => Learning::contents(0),
        };
        self.enter(Mode::Learn(learning));
    }

    /// Opens the lesson about the state marked in the machine.
    pub(super) fn learn_marked(&mut self) {
        let state = match &self.mode {
            Mode::Machine(walk) => walk.mark,
            _ => self.selected().map_or(State::Closed, where_to_look),
        };
        self.enter(Mode::Learn(Learning::about(Lesson::State(state))));
    }

    /// Opens an entry of the list.
    pub(super) fn open_lesson(&mut self, place: usize) {
        self.enter(Mode::Learn(Learning::at(place)));
    }

    /// Opens the marked entry, goes from a state to its exchange, on by a
    /// segment, and after the last one to the next page.
    pub(super) fn onward(&mut self) {
        let Mode::Learn(learning) = self.mode else {
            return;
        };
        match learning.lesson {
            None => self.open_lesson(learning.place),
            Some(Lesson::State(state)) => {
                let (exchange, step, side) = self.words.learn().moment(state);
                self.enter(Mode::Learn(Learning {
                    picture: step.saturating_mul(FLIGHT),
                    side,
                    ..Learning::about(Lesson::Exchange(exchange))
                }));
            }
            Some(Lesson::Exchange(_)) if learning.arrived() < self.segment_count() => {
                self.segments(true);
            }
            Some(_) => self.turn(true),
        }
    }

    /// Steps by a segment if there are any, else by a page.
    pub(super) fn sideways(&mut self, forward: bool) {
        let Mode::Learn(learning) = &self.mode else {
            return;
        };
        if learning.exchange().is_some() {
            self.segments(forward);
        } else {
            self.turn(forward);
        }
    }

    /// Turns to the neighbouring page.
    pub(super) fn turn(&mut self, forward: bool) {
        if let Mode::Learn(learning) = &mut self.mode
            && learning.lesson.is_some()
        {
            let last = LESSONS.len() - 1;
            *learning = Learning::at(if forward {
                (learning.place + 1).min(last)
            } else {
                learning.place.saturating_sub(1)
            });
        }
    }

    /// Steps to the arrival of the next or the previous segment.
    fn segments(&mut self, forward: bool) {
        let count = self.segment_count();
        if let Mode::Learn(learning) = &mut self.mode {
            learning.playing = false;
            let step = if forward {
                (learning.arrived() + 1).min(count)
            } else if learning.flown() > 0 {
                learning.arrived()
            } else {
                learning.arrived().saturating_sub(1)
            };
            learning.picture = step * FLIGHT;
            // The next sentence is shown from its beginning.
            learning.scroll = 0;
        }
    }

    pub(super) fn segment_count(&self) -> u16 {
        let Mode::Learn(learning) = &self.mode else {
            return 0;
        };
        let segments = learning.exchange().map_or(0, |exchange| {
            self.words.learn().exchange(exchange).segment.len()
        });
        u16::try_from(segments).unwrap_or(u16::MAX / FLIGHT)
    }

    /// Plays or stops the animation; at the end it starts again.
    pub(super) fn play(&mut self) -> Vec<Effect> {
        let end = self.segment_count() * FLIGHT;
        let Mode::Learn(learning) = &mut self.mode else {
            return Vec::new();
        };
        if end == 0 {
            learning.scroll = learning.scroll.saturating_add(10);
            return Vec::new();
        }
        learning.playing = !learning.playing;
        if learning.playing && learning.picture >= end {
            learning.picture = 0;
        }
        self.next_tick()
    }

    /// Advances the animation by a frame.
    pub(super) fn tick(&mut self) -> Vec<Effect> {
        let end = self.segment_count() * FLIGHT;
        if let Mode::Learn(learning) = &mut self.mode
            && learning.playing
        {
            learning.picture = (learning.picture + 1).min(end);
            learning.playing = learning.picture < end;
        }
        self.next_tick()
    }

    /// Requests the next tick, only while the animation runs, so that an idle
    /// screen costs nothing.
    pub(super) fn next_tick(&self) -> Vec<Effect> {
        let playing = matches!(&self.mode, Mode::Learn(learning) if learning.playing);
        playing
            .then_some(Effect::TickAfter(TICK))
            .into_iter()
            .collect()
    }

    /// Moves the mark in the list of contents; false if it is not open.
    pub(super) fn step_contents(&mut self, command: Command) -> bool {
        let Mode::Learn(learning) = &mut self.mode else {
            return false;
        };
        if learning.lesson.is_some() {
            return false;
        }
        let place = match command {
            Command::Up => learning.place.saturating_sub(1),
            Command::Down => learning.place + 1,
            Command::PageUp => learning.place.saturating_sub(10),
            Command::PageDown => learning.place + 10,
            Command::Top => 0,
            _ => usize::MAX,
        };
        learning.place = place.min(LESSONS.len() - 1);
        true
    }
}
