//! The learning pages: the open lesson, and the animation of its segments.

use super::App;
use super::command::Command;
use super::effect::Effect;
use super::mode::Mode;
use super::state_machine_page::diagram_state;
use crate::explain::lessons::{ConnectionSide, ExchangeKind, LESSONS, Lesson};
use crate::model::state::State;
use std::time::Duration;

/// Time between two frames of the animation.
const FRAME_INTERVAL: Duration = Duration::from_millis(200);
/// Frames per segment; it has arrived with the last.
pub const FRAMES_PER_SEGMENT: u16 = 5;

/// The page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LessonsPage {
    /// The open lesson; none for the list of contents.
    pub lesson: Option<Lesson>,
    /// The marked entry of the list.
    pub index: usize,
    /// Number of frames since the first segment was sent.
    pub frame: u16,
    /// Marked column.
    pub side: Option<ConnectionSide>,
    /// True if the animation is running.
    pub playing: bool,
    /// Lines scrolled.
    pub scroll: u16,
}

impl LessonsPage {
    fn contents(index: usize) -> Self {
        Self {
            lesson: None,
            index,
            frame: 0,
            side: None,
            playing: false,
            scroll: 0,
        }
    }

    fn at_entry(place: usize) -> Self {
        Self {
            lesson: LESSONS.get(place).copied(),
            ..Self::contents(place)
        }
    }

    fn for_lesson(lesson: Lesson) -> Self {
        let place = LESSONS.iter().position(|known| *known == lesson);
        Self::at_entry(place.unwrap_or(0))
    }

    /// The exchange that is open, if one is.
    #[must_use]
    pub fn exchange(&self) -> Option<ExchangeKind> {
        match self.lesson {
            Some(Lesson::Exchange(exchange)) => Some(exchange),
            _ => None,
        }
    }

    /// Number of segments that have arrived.
    #[must_use]
    pub fn arrived_segments(&self) -> u16 {
        self.frame / FRAMES_PER_SEGMENT
    }

    /// Frame of the segment under way, of [`FRAMES_PER_SEGMENT`]; 0 if there is none.
    #[must_use]
    pub fn flight_frame(&self) -> u16 {
        self.frame % FRAMES_PER_SEGMENT
    }
}

impl App {
    /// Opens the lesson of a state from a page about it, else the list of
    /// contents with the selected row's state marked.
    pub(super) fn open_lessons(&mut self) {
        let state = self.selected().map(|row| row.socket.state);
        let known = state.filter(|state| LESSONS.contains(&Lesson::State(*state)));
        let learning = match (&self.mode, known) {
            (Mode::Explain { .. }, Some(state)) => LessonsPage::for_lesson(Lesson::State(state)),
            (Mode::Machine(walk), _) => LessonsPage {
                lesson: None,
                ..LessonsPage::for_lesson(Lesson::State(walk.mark))
            },
            (_, Some(state)) => LessonsPage {
                lesson: None,
                ..LessonsPage::for_lesson(Lesson::State(state))
            },
            _ => LessonsPage::contents(0),
        };
        self.push_page(Mode::Learn(learning));
    }

    /// Opens the lesson about the state marked in the machine.
    pub(super) fn open_lesson_of_marked_state(&mut self) {
        let state = match &self.mode {
            Mode::Machine(walk) => walk.mark,
            _ => self.selected().map_or(State::Closed, diagram_state),
        };
        self.push_page(Mode::Learn(LessonsPage::for_lesson(Lesson::State(state))));
    }

    /// Opens an entry of the list.
    pub(super) fn open_lesson(&mut self, place: usize) {
        self.push_page(Mode::Learn(LessonsPage::at_entry(place)));
    }

    /// Opens the marked entry, goes from a state to its exchange, on by a
    /// segment, and after the last one to the next page.
    pub(super) fn advance(&mut self) {
        let Mode::Learn(learning) = self.mode else {
            return;
        };
        match learning.lesson {
            None => self.open_lesson(learning.index),
            Some(Lesson::State(state)) => {
                let (exchange, step, side) = self.messages.learn().position_of(state);
                self.push_page(Mode::Learn(LessonsPage {
                    frame: step.saturating_mul(FRAMES_PER_SEGMENT),
                    side,
                    ..LessonsPage::for_lesson(Lesson::Exchange(exchange))
                }));
            }
            Some(Lesson::Exchange(_)) if learning.arrived_segments() < self.segment_count() => {
                self.step_segment(true);
            }
            Some(_) => self.turn_page(true),
        }
    }

    /// Steps by a segment if there are any, else by a page.
    pub(super) fn step_or_turn(&mut self, forward: bool) {
        let Mode::Learn(learning) = &self.mode else {
            return;
        };
        if learning.exchange().is_some() {
            self.step_segment(forward);
        } else {
            self.turn_page(forward);
        }
    }

    /// Turns to the neighbouring page.
    pub(super) fn turn_page(&mut self, forward: bool) {
        if let Mode::Learn(learning) = &mut self.mode
            && learning.lesson.is_some()
        {
            let last = LESSONS.len() - 1;
            *learning = LessonsPage::at_entry(if forward {
                (learning.index + 1).min(last)
            } else {
                learning.index.saturating_sub(1)
            });
        }
    }

    /// Steps to the arrival of the next or the previous segment.
    fn step_segment(&mut self, forward: bool) {
        let count = self.segment_count();
        if let Mode::Learn(learning) = &mut self.mode {
            learning.playing = false;
            let step = if forward {
                (learning.arrived_segments() + 1).min(count)
            } else if learning.flight_frame() > 0 {
                learning.arrived_segments()
            } else {
                learning.arrived_segments().saturating_sub(1)
            };
            learning.frame = step * FRAMES_PER_SEGMENT;
            // The next sentence is shown from its beginning.
            learning.scroll = 0;
        }
    }

    pub(super) fn segment_count(&self) -> u16 {
        let Mode::Learn(learning) = &self.mode else {
            return 0;
        };
        let segments = learning.exchange().map_or(0, |exchange| {
            self.messages.learn().exchange(exchange).segment.len()
        });
        u16::try_from(segments).unwrap_or(u16::MAX / FRAMES_PER_SEGMENT)
    }

    /// Plays or stops the animation; at the end it starts again.
    pub(super) fn toggle_playback(&mut self) -> Vec<Effect> {
        let end = self.segment_count() * FRAMES_PER_SEGMENT;
        let Mode::Learn(learning) = &mut self.mode else {
            return Vec::new();
        };
        if end == 0 {
            learning.scroll = learning.scroll.saturating_add(10);
            return Vec::new();
        }
        learning.playing = !learning.playing;
        if learning.playing && learning.frame >= end {
            learning.frame = 0;
        }
        self.next_tick()
    }

    /// Advances the animation by a frame.
    pub(super) fn advance_frame(&mut self) -> Vec<Effect> {
        let end = self.segment_count() * FRAMES_PER_SEGMENT;
        if let Mode::Learn(learning) = &mut self.mode
            && learning.playing
        {
            learning.frame = (learning.frame + 1).min(end);
            learning.playing = learning.frame < end;
        }
        self.next_tick()
    }

    /// Requests the next tick, only while the animation runs, so that an idle
    /// screen costs nothing.
    pub(super) fn next_tick(&self) -> Vec<Effect> {
        let playing = matches!(&self.mode, Mode::Learn(learning) if learning.playing);
        playing
            .then_some(Effect::TickAfter(FRAME_INTERVAL))
            .into_iter()
            .collect()
    }

    /// Moves the mark in the list of contents; false if it is not open.
    pub(super) fn move_in_lesson_list(&mut self, command: Command) -> bool {
        let Mode::Learn(learning) = &mut self.mode else {
            return false;
        };
        if learning.lesson.is_some() {
            return false;
        }
        let place = match command {
            Command::Up => learning.index.saturating_sub(1),
            Command::Down => learning.index + 1,
            Command::PageUp => learning.index.saturating_sub(10),
            Command::PageDown => learning.index + 10,
            Command::Top => 0,
            _ => usize::MAX,
        };
        learning.index = place.min(LESSONS.len() - 1);
        true
    }
}
