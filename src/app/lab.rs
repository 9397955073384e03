//! The lesson of the lab: what can happen next, and what came of it.

use super::App;
use super::effect::Effect;
use crate::explain::moves::{leads_to, moves};
use crate::explain::sentence::fill;
use crate::model::lesson::{CHAPTERS, Course, Move, Wish};
use crate::model::owner::Unowned;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;

/// The state that each chapter of the tour is about.
const SOUGHT: [State; CHAPTERS] = [
    State::Listen,
    State::Listen,
    State::Established,
    State::Established,
    State::Established,
    State::Established,
    State::CloseWait,
    State::TimeWait,
    State::SynReceived,
    State::CloseWait,
    State::Listen,
];

/// The key for setting up again what is gone.
pub const AGAIN: u8 = 9;

/// A lesson that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// What is taught.
    pub course: Course,
    /// The chapter of the tour that was played last.
    pub chapter: usize,
    /// What is being done, if something is.
    pub under_way: Option<Move>,
    /// The state that the last chapter is about, until a row in it was shown.
    pub(super) sought: Option<State>,
}

impl Lesson {
    /// At its beginning.
    #[must_use]
    pub fn begin(course: Course) -> Self {
        Self {
            course,
            chapter: 0,
            under_way: None,
            sought: None,
        }
    }
}

/// Something a learner can choose now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The digit that does it.
    pub key: u8,
    /// What.
    pub what: Move,
    /// The state it leads to, where it leads to another.
    pub to: Option<State>,
}

impl App {
    /// What a learner can have happen now.
    #[must_use]
    pub fn choices(&self) -> Vec<Choice> {
        let Some(lesson) = &self.lesson else {
            return Vec::new();
        };
        match lesson.course {
            Course::Tour => {
                let next = Choice {
                    key: 1,
                    what: Move::Next,
                    to: None,
                };
                let more = lesson.chapter + 1 < CHAPTERS;
                more.then_some(next).into_iter().collect()
            }
            Course::States => {
                let row = self.selected().filter(|row| self.observation.is_own(row));
                let mut choices: Vec<Choice> = row.map(of_row).unwrap_or_default();
                choices.push(Choice {
                    key: AGAIN,
                    what: Move::SetUpAgain,
                    to: None,
                });
                choices
            }
        }
    }

    /// Whether the table is one of single states, each to be led on.
    #[must_use]
    pub fn learns_states(&self) -> bool {
        self.lesson
            .is_some_and(|lesson| lesson.course == Course::States)
    }

    /// A digit was pressed.
    pub(super) fn choose(&mut self, digit: u8) -> Vec<Effect> {
        let chosen = self
            .choices()
            .into_iter()
            .find(|choice| choice.key == digit);
        let Some(choice) = chosen else {
            return Vec::new();
        };
        self.begin_move(choice.what).into_iter().collect()
    }

    fn begin_move(&mut self, what: Move) -> Option<Effect> {
        let about = self.selected().map(|row| row.socket);
        let lesson = self.lesson.as_mut()?;
        if lesson.under_way.is_some() {
            return None;
        }
        lesson.under_way = Some(what);
        Some(Effect::Make(Wish {
            what,
            protocol: about.map_or(Protocol::Tcp, |socket| socket.protocol),
            local: about.map(|socket| socket.local).unwrap_or_default(),
            remote: about.and_then(|socket| socket.peer()),
        }))
    }

    /// What was chosen has happened, or not.
    pub(super) fn made(&mut self, result: Result<(), String>) -> Vec<Effect> {
        let Some(lesson) = &mut self.lesson else {
            return Vec::new();
        };
        let Some(what) = lesson.under_way.take() else {
            return Vec::new();
        };
        match result {
            Ok(()) if what == Move::Next => {
                lesson.chapter += 1;
                lesson.sought = SOUGHT.get(lesson.chapter).copied();
            }
            Ok(()) => {
                let told = self.words.lab("moves", what.key()).to_owned();
                self.tell_of_lesson("done", &told);
            }
            Err(reason) => {
                let reason = self.words.message(&reason);
                self.tell_of_lesson("failed", &reason);
            }
        }
        vec![Effect::Refresh]
    }

    /// Puts the cursor on what the chapter is about, once it is there: in the
    /// same state a row on which more has happened goes first.
    pub(super) fn follow_tour(&mut self) {
        let Some(sought) = self.lesson.and_then(|lesson| lesson.sought) else {
            return;
        };
        let worth = |number: &u32| {
            let row = self.observation.rows.get(*number as usize)?;
            let there = row.socket.state == sought && row.phase != Phase::Closed;
            let unaccepted = row.unowned == Some(Unowned::AcceptQueue);
            there.then_some((unaccepted, row.socket.recv_queue))
        };
        let places = self.order.iter().enumerate().rev();
        let best = places
            .filter_map(|(place, number)| Some((worth(number)?, place)))
            .max_by_key(|(worth, _)| *worth);
        if let (Some((_, place)), Some(lesson)) = (best, &mut self.lesson) {
            lesson.sought = None;
            self.cursor.to(place);
        }
    }

    fn tell_of_lesson(&mut self, name: &str, value: &str) {
        let sentence = self.words.lab("pane", name);
        let text = fill(sentence, |_| Some(value.to_owned())).unwrap_or_default();
        self.notice = Some(super::notice::Notice::new(text, self.observation.time));
    }
}

fn of_row(row: &Row) -> Vec<Choice> {
    let choice = |(key, what)| Choice {
        key,
        what,
        to: leads_to(what, row),
    };
    (1..).zip(moves(row)).map(choice).collect()
}
