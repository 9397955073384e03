//! Progress of the lab: available actions and their outcome.

use super::App;
use super::effect::Effect;
use super::mode::Mode;
use crate::explain::moves::{leads_to, moves};
use crate::explain::sentence::fill;
use crate::model::lesson::{CHAPTERS, Course, Move, Unmade, Wish};
use crate::model::owner::Unowned;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::time::Stamp;
use std::num::NonZeroU32;

/// Digit of the action that restores lost sockets.
pub const AGAIN: u8 = 9;

const AGAIN_CHOICE: Choice = Choice {
    key: AGAIN,
    what: Move::SetUpAgain,
    to: None,
    by_reset: false,
};

const NEXT: Choice = Choice {
    key: 1,
    what: Move::Next,
    to: None,
    by_reset: false,
};

/// Progress of the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// Mode of the lab.
    pub course: Course,
    /// The chapter of the tour that was run last.
    pub chapter: usize,
    /// Pending action, if there is one; once performed, with the number of the
    /// table since which it is not shown yet.
    pub under_way: Option<(Move, Option<u64>)>,
    /// Actions offered in the last frame, and their socket.
    offered: Option<(Vec<Choice>, Option<Socket>)>,
    /// True if one of its processes has exited: then it can only be reset.
    pub over: bool,
    /// Time at which one of its processes was last found to have exited: no
    /// process plays the peers of earlier sockets.
    left: Option<Stamp>,
    /// The state that the last chapter is about, until a row in it was shown.
    pub(super) sought: Option<State>,
}

impl Lesson {
    /// Starts at the beginning.
    #[must_use]
    pub fn begin(course: Course) -> Self {
        Self {
            course,
            chapter: 0,
            under_way: None,
            offered: None,
            over: false,
            left: None,
            sought: None,
        }
    }
}

/// An action that is available now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its digit.
    pub key: u8,
    /// The action.
    pub what: Move,
    /// The state it leads to, if it leads to another.
    pub to: Option<State>,
    /// True if the program's close becomes a reset, because of unread data (RFC
    /// 2525, 2.17).
    pub by_reset: bool,
}

impl App {
    /// Returns the actions that are available now.
    #[must_use]
    pub fn choices(&self) -> Vec<Choice> {
        let Some(lesson) = self.lesson.as_ref().filter(|_| !self.paused) else {
            return Vec::new();
        };
        match lesson.course {
            _ if lesson.over => vec![AGAIN_CHOICE],
            Course::Tour => {
                let more = lesson.chapter + 1 < CHAPTERS.len();
                vec![if more { NEXT } else { AGAIN_CHOICE }]
            }
            Course::States => {
                let row = self.selected().filter(|row| self.observation.is_own(row));
                // A half-open socket disappears with its listener: no answer changes
                // that.
                let alone = |row: &&Row| {
                    row.socket.state == State::SynReceived
                        && row.socket.inode.is_none()
                        && self.observation.listeners_of(row).next().is_none()
                };
                let row = row.filter(|row| !alone(row) && !self.is_left_behind(row));
                let mut choices: Vec<Choice> = row.map(of_row).unwrap_or_default();
                choices.push(AGAIN_CHOICE);
                choices
            }
        }
    }

    /// Returns the actions possible in each state: the pane reserves lines for
    /// the largest set, so that it does not move with the cursor.
    #[must_use]
    pub fn possible_choices(&self) -> Vec<Vec<Choice>> {
        let Some(any) = self.observation.rows.first() else {
            return Vec::new();
        };
        let held = |state, unread| {
            let mut row = *any;
            row.phase = Phase::Steady;
            row.unowned = None;
            row.socket.protocol = Protocol::Tcp;
            row.socket.state = state;
            row.socket.inode = Some(NonZeroU32::MIN);
            row.socket.recv_queue = unread;
            row
        };
        let rows = State::ALL
            .into_iter()
            .flat_map(|state| [held(state, 0), held(state, 2)]);
        rows.map(|row| {
            let mut choices = of_row(&row);
            choices.push(AGAIN_CHOICE);
            choices
        })
        .collect()
    }

    /// True if a row was left to the kernel by an exited process of the lab: no
    /// process plays its peer any more.
    #[must_use]
    pub fn is_left_behind(&self, row: &Row) -> bool {
        let left = self.lesson.as_ref().and_then(|lesson| lesson.left);
        left.is_some_and(|left| row.first_seen <= left)
    }

    /// True in the tour, which has chapters.
    #[must_use]
    pub fn is_on_tour(&self) -> bool {
        self.lesson
            .as_ref()
            .is_some_and(|lesson| lesson.course == Course::Tour)
    }

    /// True if the lab shows one socket in each state.
    #[must_use]
    pub fn learns_states(&self) -> bool {
        self.lesson
            .as_ref()
            .is_some_and(|lesson| lesson.course == Course::States)
    }

    /// Records the actions of a frame: a digit refers to them until the next one.
    pub(super) fn offer(&mut self, shown: bool) {
        let socket = self.selected().map(|row| row.socket);
        let choices = if shown { self.choices() } else { Vec::new() };
        if let Some(lesson) = &mut self.lesson {
            lesson.offered = Some((choices, socket));
        }
    }

    /// Handles a digit. It counts once: a key that is held down must not run a
    /// socket through unseen states.
    pub(super) fn choose(&mut self, digit: u8) -> Vec<Effect> {
        let Some(lesson) = &mut self.lesson else {
            return Vec::new();
        };
        if lesson.under_way.is_some() {
            return Vec::new();
        }
        let Some((choices, socket)) = lesson.offered.take() else {
            return Vec::new();
        };
        let chosen = choices.into_iter().find(|choice| choice.key == digit);
        let Some(choice) = chosen else {
            return Vec::new();
        };
        lesson.under_way = Some((choice.what, None));
        vec![Effect::Make(Wish {
            what: choice.what,
            protocol: socket.map_or(Protocol::Tcp, |socket| socket.protocol),
            local: socket.map(|socket| socket.local).unwrap_or_default(),
            remote: socket.and_then(|socket| socket.peer()),
        })]
    }

    /// Handles the result of an action.
    pub(super) fn made(&mut self, result: Result<(), Unmade>) -> Vec<Effect> {
        let Some(lesson) = &mut self.lesson else {
            return Vec::new();
        };
        let what = lesson.under_way.take().map(|(what, _)| what);
        if let (Some(what), Ok(())) = (what, &result) {
            // No action is offered until a table shows this one.
            lesson.under_way = Some((what, Some(self.newest)));
        }
        match result {
            Err(Unmade::Gone) => return self.lab_ended(),
            Ok(()) => self.done(what),
            Err(Unmade::Failed(reason)) => {
                let reason = self.words.message(&reason);
                self.tell_of_lesson("failed", &reason);
            }
        }
        vec![Effect::Refresh]
    }

    /// Handles the exit of a process of the lab. The result of a pending action
    /// may still come.
    pub(super) fn lab_ended(&mut self) -> Vec<Effect> {
        let Some(lesson) = &mut self.lesson else {
            return Vec::new();
        };
        lesson.over = true;
        lesson.left = Some(self.observation.time.stamp());
        let tour = lesson.course == Course::Tour;
        self.tell_of_lesson(if tour { "ended_tour" } else { "ended" }, "");
        vec![Effect::Refresh]
    }

    fn done(&mut self, what: Option<Move>) {
        let (Some(lesson), Some(what)) = (&mut self.lesson, what) else {
            return;
        };
        match what {
            Move::Next => {
                lesson.chapter += 1;
                lesson.sought = CHAPTERS.get(lesson.chapter).copied();
            }
            Move::SetUpAgain => {
                lesson.over = false;
                lesson.chapter = 0;
                lesson.sought = None;
                let tour = lesson.course == Course::Tour;
                self.tell_of_lesson(if tour { "begun" } else { "again" }, "");
            }
            _ => {
                let told = self.words.lab("moves", what.key()).to_owned();
                self.tell_of_lesson("done", &told);
            }
        }
    }

    /// Updates the lab with a new table, which shows the performed action. In the
    /// tour the cursor goes to the row of the chapter, once it is there: in the
    /// same state a row with more activity goes first.
    pub(super) fn follow_lesson(&mut self) {
        let Some(lesson) = &mut self.lesson else {
            return;
        };
        if let Some((_, Some(then))) = lesson.under_way {
            if self.observation.number <= then {
                return;
            }
            lesson.under_way = None;
        }
        let Some(sought) = lesson.sought else {
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
            self.turn_pages();
        }
    }

    /// A page about one socket must not become one about another; the diagram
    /// shows the new one.
    fn turn_pages(&mut self) {
        match self.mode {
            Mode::Details { .. } | Mode::Explain { .. } => self.leave_all(),
            Mode::Machine(_) => {
                self.leave_all();
                self.open_machine();
            }
            _ => {}
        }
    }

    fn tell_of_lesson(&mut self, name: &str, value: &str) {
        let sentence = self.words.lab("pane", name);
        let text = fill(sentence, |_| Some(value.to_owned())).unwrap_or_default();
        self.notice = Some(super::notice::Notice::new(text, self.observation.time));
    }
}

fn of_row(row: &Row) -> Vec<Choice> {
    let fin = u32::from(row.socket.state == State::CloseWait);
    let unread = row.socket.recv_queue > fin;
    let choice = |(key, what)| Choice {
        key,
        what,
        to: leads_to(what, row),
        by_reset: what == Move::ProgramCloses && row.socket.peer().is_some() && unread,
    };
    (1..).zip(moves(row)).map(choice).collect()
}
