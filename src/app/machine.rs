//! The state machine on screen: the marked state, and commands on it.

use super::App;
use super::command::Command;
use super::mode::Mode;
use crate::explain::machine::chart::{self, Towards};
use crate::model::protocol::Protocol;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::state::State;

/// The marked state, and the socket whose path is highlighted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The marked state.
    pub mark: State,
    /// The socket; none if no row was selected.
    pub about: Option<SocketKey>,
}

impl App {
    pub(super) fn open_machine(&mut self) {
        let walk = Walk {
            mark: self.selected().map_or(State::Established, where_to_look),
            about: self.selected().map(|row| row.socket.key()),
        };
        self.enter(Mode::Machine(walk));
    }

    /// Returns the row whose path is highlighted, as long as it is present.
    #[must_use]
    pub fn walker(&self) -> Option<&Row> {
        let Mode::Machine(walk) = &self.mode else {
            return None;
        };
        self.selected()
            .filter(|row| Some(row.socket.key()) == walk.about)
    }

    /// Moves the mark; false if there is none.
    pub(super) fn step_machine(&mut self, command: Command) -> bool {
        let Mode::Machine(walk) = &mut self.mode else {
            return false;
        };
        walk.mark = match command {
            Command::Up => chart::beside(walk.mark, Towards::Up),
            Command::Down => chart::beside(walk.mark, Towards::Down),
            Command::Left => chart::beside(walk.mark, Towards::Left),
            Command::Right => chart::beside(walk.mark, Towards::Right),
            Command::NextState => chart::after(walk.mark),
            _ => return true,
        };
        true
    }

    /// Moves the mark along with the state of its socket.
    pub(super) fn follow_walker(&mut self, before: Option<State>) {
        let now = self.walker().map(where_to_look);
        if let Mode::Machine(walk) = &mut self.mode
            && Some(walk.mark) == before
            && let Some(now) = now
        {
            walk.mark = now;
        }
    }

    pub(super) fn mark_state(&mut self, state: State) {
        if let Mode::Machine(walk) = &mut self.mode {
            walk.mark = state;
        }
    }

    /// Shows the rows in the marked state, if there are any.
    pub(super) fn show_marked(&mut self) {
        if let Mode::Machine(walk) = self.mode {
            if self.observation.tally.tcp(walk.mark) == 0 {
                self.say("state_empty", &[("state", walk.mark.to_string())]);
                return;
            }
            self.leave_all();
            self.show_only(&format!("tcp and state:{}", walk.mark.key()));
        }
    }
}

/// Returns the state of a row in the machine: UDP has none of its own.
pub(super) fn where_to_look(row: &Row) -> State {
    match (row.socket.protocol, row.socket.state) {
        (Protocol::Tcp, state) if chart::place_of(state).is_some() => state,
        (Protocol::Udp, State::Established) => State::Established,
        _ => State::Closed,
    }
}
