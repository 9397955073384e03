//! Progress of the lab: available actions and their outcome.

use super::App;
use super::effect::Effect;
use super::mode::Mode;
use crate::explain::lab_actions::{lab_actions, resulting_state};
use crate::explain::template::render;
use crate::model::lab::{CHAPTER_STATES, LabAction, LabFailure, LabMode, LabRequest};
use crate::model::owner::NoOwnerReason;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::time::Timestamp;
use std::num::NonZeroU32;

/// Digit of the action that restores lost sockets.
pub const RESET_DIGIT: u8 = 9;

const RESET_CHOICE: LabChoice = LabChoice {
    digit: RESET_DIGIT,
    action: LabAction::SetUpAgain,
    next_state: None,
    by_reset: false,
};

const NEXT_CHAPTER_CHOICE: LabChoice = LabChoice {
    digit: 1,
    action: LabAction::Next,
    next_state: None,
    by_reset: false,
};

/// Progress of the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabProgress {
    /// Mode of the lab.
    pub mode: LabMode,
    /// The chapter of the tour that was run last.
    pub chapter: usize,
    /// Pending action, if there is one; once performed, with the number of the
    /// table since which it is not shown yet.
    pub pending_action: Option<(LabAction, Option<u64>)>,
    /// Actions offered in the last frame, and their socket.
    offered: Option<(Vec<LabChoice>, Option<Socket>)>,
    /// True if one of its processes has exited: then it can only be reset.
    pub has_exited: bool,
    /// Time at which one of its processes was last found to have exited: no
    /// process plays the peers of earlier sockets.
    exited_at: Option<Timestamp>,
    /// The state that the last chapter is about, until a row in it was shown.
    pub(super) target_state: Option<State>,
}

impl LabProgress {
    /// Starts at the beginning.
    #[must_use]
    pub fn new(mode: LabMode) -> Self {
        Self {
            mode,
            chapter: 0,
            pending_action: None,
            offered: None,
            has_exited: false,
            exited_at: None,
            target_state: None,
        }
    }
}

/// An action that is available now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabChoice {
    /// Its digit.
    pub digit: u8,
    /// The action.
    pub action: LabAction,
    /// The state it leads to, if it leads to another.
    pub next_state: Option<State>,
    /// True if the program's close becomes a reset, because of unread data (RFC
    /// 2525, 2.17).
    pub by_reset: bool,
}

impl App {
    /// Returns the actions that are available now.
    #[must_use]
    pub fn lab_choices(&self) -> Vec<LabChoice> {
        let Some(lesson) = self.lab.as_ref().filter(|_| !self.paused) else {
            return Vec::new();
        };
        match lesson.mode {
            _ if lesson.has_exited => vec![RESET_CHOICE],
            LabMode::Tour => {
                let more = lesson.chapter + 1 < CHAPTER_STATES.len();
                vec![if more {
                    NEXT_CHAPTER_CHOICE
                } else {
                    RESET_CHOICE
                }]
            }
            LabMode::States => {
                let row = self
                    .selected()
                    .filter(|row| self.observation.is_in_current_namespace(row));
                // A half-open socket disappears with its listener: no answer changes
                // that.
                let alone = |row: &&Row| {
                    row.socket.state == State::SynReceived
                        && row.socket.inode.is_none()
                        && self.observation.best_listeners(row).next().is_none()
                };
                let row = row.filter(|row| !alone(row) && !self.is_of_exited_lab(row));
                let mut choices: Vec<LabChoice> = row.map(choices_of_row).unwrap_or_default();
                choices.push(RESET_CHOICE);
                choices
            }
        }
    }

    /// Returns the actions possible in each state: the pane reserves lines for
    /// the largest set, so that it does not move with the cursor.
    #[must_use]
    pub fn possible_lab_choices(&self) -> Vec<Vec<LabChoice>> {
        let Some(any) = self.observation.rows.first() else {
            return Vec::new();
        };
        let held = |state, unread| {
            let mut row = *any;
            row.phase = Phase::Unchanged;
            row.no_owner_reason = None;
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
            let mut choices = choices_of_row(&row);
            choices.push(RESET_CHOICE);
            choices
        })
        .collect()
    }

    /// True if a row was left to the kernel by an exited process of the lab: no
    /// process plays its peer any more.
    #[must_use]
    pub fn is_of_exited_lab(&self, row: &Row) -> bool {
        let left = self.lab.as_ref().and_then(|lesson| lesson.exited_at);
        left.is_some_and(|left| row.first_seen <= left)
    }

    /// True in the tour, which has chapters.
    #[must_use]
    pub fn is_on_tour(&self) -> bool {
        self.lab
            .as_ref()
            .is_some_and(|lesson| lesson.mode == LabMode::Tour)
    }

    /// True if the lab shows one socket in each state.
    #[must_use]
    pub fn is_in_states_lab(&self) -> bool {
        self.lab
            .as_ref()
            .is_some_and(|lesson| lesson.mode == LabMode::States)
    }

    /// Records the actions of a frame: a digit refers to them until the next one.
    pub(super) fn update_offered_choices(&mut self, shown: bool) {
        let socket = self.selected().map(|row| row.socket);
        let choices = if shown {
            self.lab_choices()
        } else {
            Vec::new()
        };
        if let Some(lesson) = &mut self.lab {
            lesson.offered = Some((choices, socket));
        }
    }

    /// Handles a digit. It counts once: a key that is held down must not run a
    /// socket through unseen states.
    pub(super) fn choose_lab_action(&mut self, digit: u8) -> Vec<Effect> {
        let Some(lesson) = &mut self.lab else {
            return Vec::new();
        };
        if lesson.pending_action.is_some() {
            return Vec::new();
        }
        let Some((choices, socket)) = lesson.offered.take() else {
            return Vec::new();
        };
        let chosen = choices.into_iter().find(|choice| choice.digit == digit);
        let Some(choice) = chosen else {
            return Vec::new();
        };
        lesson.pending_action = Some((choice.action, None));
        vec![Effect::LabAction(LabRequest {
            action: choice.action,
            protocol: socket.map_or(Protocol::Tcp, |socket| socket.protocol),
            local: socket.map(|socket| socket.local).unwrap_or_default(),
            remote: socket.and_then(|socket| socket.peer()),
        })]
    }

    /// Handles the result of an action.
    pub(super) fn lab_action_done(&mut self, result: Result<(), LabFailure>) -> Vec<Effect> {
        let Some(lesson) = &mut self.lab else {
            return Vec::new();
        };
        let what = lesson.pending_action.take().map(|(what, _)| what);
        if let (Some(what), Ok(())) = (what, &result) {
            // No action is offered until a table shows this one.
            lesson.pending_action = Some((what, Some(self.latest_table)));
        }
        match result {
            Err(LabFailure::Exited) => return self.lab_exited(),
            Ok(()) => self.apply_lab_action(what),
            Err(LabFailure::Failed(reason)) => {
                let reason = self.messages.translate_message(&reason);
                self.notify_lab("failed", &reason);
            }
        }
        vec![Effect::Refresh]
    }

    /// Handles the exit of a process of the lab. The result of a pending action
    /// may still come.
    pub(super) fn lab_exited(&mut self) -> Vec<Effect> {
        let Some(lesson) = &mut self.lab else {
            return Vec::new();
        };
        lesson.has_exited = true;
        lesson.exited_at = Some(self.observation.time.timestamp());
        let tour = lesson.mode == LabMode::Tour;
        self.notify_lab(if tour { "ended_tour" } else { "ended" }, "");
        vec![Effect::Refresh]
    }

    fn apply_lab_action(&mut self, what: Option<LabAction>) {
        let (Some(lesson), Some(what)) = (&mut self.lab, what) else {
            return;
        };
        match what {
            LabAction::Next => {
                lesson.chapter += 1;
                lesson.target_state = CHAPTER_STATES.get(lesson.chapter).copied();
            }
            LabAction::SetUpAgain => {
                lesson.has_exited = false;
                lesson.chapter = 0;
                lesson.target_state = None;
                let tour = lesson.mode == LabMode::Tour;
                self.notify_lab(if tour { "begun" } else { "again" }, "");
            }
            _ => {
                let told = self.messages.lab("moves", what.key()).to_owned();
                self.notify_lab("done", &told);
            }
        }
    }

    /// Updates the lab with a new table, which shows the performed action. In the
    /// tour the cursor goes to the row of the chapter, once it is there: in the
    /// same state a row with more activity goes first.
    pub(super) fn update_lab(&mut self) {
        let Some(lesson) = &mut self.lab else {
            return;
        };
        if let Some((_, Some(then))) = lesson.pending_action {
            if self.observation.table_number <= then {
                return;
            }
            lesson.pending_action = None;
        }
        let Some(sought) = lesson.target_state else {
            return;
        };
        let worth = |number: &u32| {
            let row = self.observation.rows.get(*number as usize)?;
            let there = row.socket.state == sought && row.phase != Phase::Closed;
            let unaccepted = row.no_owner_reason == Some(NoOwnerReason::AcceptQueue);
            there.then_some((unaccepted, row.socket.recv_queue))
        };
        let places = self.row_order.iter().enumerate().rev();
        let best = places
            .filter_map(|(place, number)| Some((worth(number)?, place)))
            .max_by_key(|(worth, _)| *worth);
        if let (Some((_, place)), Some(lesson)) = (best, &mut self.lab) {
            lesson.target_state = None;
            self.cursor.move_to(place);
            self.close_row_pages();
        }
    }

    /// A page about one socket must not become one about another; the diagram
    /// shows the new one.
    fn close_row_pages(&mut self) {
        match self.mode {
            Mode::Details { .. } | Mode::Explain { .. } => self.close_pages(),
            Mode::Machine(_) => {
                self.close_pages();
                self.open_machine();
            }
            _ => {}
        }
    }

    fn notify_lab(&mut self, name: &str, value: &str) {
        let sentence = self.messages.lab("pane", name);
        let text = render(sentence, |_| Some(value.to_owned())).unwrap_or_default();
        self.notice = Some(super::notice::Notice::new(text, self.observation.time));
    }
}

fn choices_of_row(row: &Row) -> Vec<LabChoice> {
    let fin = u32::from(row.socket.state == State::CloseWait);
    let unread = row.socket.recv_queue > fin;
    let choice = |(key, what)| LabChoice {
        digit: key,
        action: what,
        next_state: resulting_state(what, row),
        by_reset: what == LabAction::ProgramCloses && row.socket.peer().is_some() && unread,
    };
    (1..).zip(lab_actions(row)).map(choice).collect()
}
