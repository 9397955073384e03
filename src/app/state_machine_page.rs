//! The state machine on screen: the marked state, and commands on it.

use super::App;
use super::command::Command;
use super::mode::Mode;
use crate::explain::state_path::diagram::{self, Direction};
use crate::model::protocol::Protocol;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::state::State;

/// The marked state, and the socket whose path is highlighted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiagramCursor {
    /// The marked state.
    pub mark: State,
    /// The socket; none if no row was selected.
    pub socket: Option<SocketKey>,
}

impl App {
    pub(super) fn open_machine(&mut self) {
        let walk = DiagramCursor {
            mark: self.selected().map_or(State::Established, diagram_state),
            socket: self.selected().map(|row| row.socket.key()),
        };
        self.push_page(Mode::Machine(walk));
    }

    /// Returns the row whose path is highlighted, as long as it is present.
    #[must_use]
    pub fn diagram_row(&self) -> Option<&Row> {
        let Mode::Machine(walk) = &self.mode else {
            return None;
        };
        self.selected()
            .filter(|row| Some(row.socket.key()) == walk.socket)
    }

    /// Moves the mark; false if there is none.
    pub(super) fn move_in_diagram(&mut self, command: Command) -> bool {
        let Mode::Machine(walk) = &mut self.mode else {
            return false;
        };
        walk.mark = match command {
            Command::Up => diagram::neighbour(walk.mark, Direction::Up),
            Command::Down => diagram::neighbour(walk.mark, Direction::Down),
            Command::Left => diagram::neighbour(walk.mark, Direction::Left),
            Command::Right => diagram::neighbour(walk.mark, Direction::Right),
            Command::NextState => diagram::next_state(walk.mark),
            _ => return true,
        };
        true
    }

    /// Moves the mark along with the state of its socket.
    pub(super) fn follow_diagram_row(&mut self, before: Option<State>) {
        let now = self.diagram_row().map(diagram_state);
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
    pub(super) fn show_marked_state(&mut self) {
        if let Mode::Machine(walk) = self.mode {
            if self.observation.state_counts.tcp(walk.mark) == 0 {
                self.notify_key("state_empty", &[("state", walk.mark.to_string())]);
                return;
            }
            self.close_pages();
            self.apply_filter(&format!("tcp and state:{}", walk.mark.key()));
        }
    }
}

/// Returns the state of a row in the machine: UDP has none of its own.
pub(super) fn diagram_state(row: &Row) -> State {
    match (row.socket.protocol, row.socket.state) {
        (Protocol::Tcp, state) if diagram::node_of(state).is_some() => state,
        (Protocol::Udp, State::Established) => State::Established,
        _ => State::Closed,
    }
}
