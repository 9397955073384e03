//! Layout of the states and transitions in the diagram: opening above, data in
//! the middle, the two ways of closing below.
//!
//! Positions are cells, counted from 0, for a diagram of [`WIDTH`] by
//! [`HEIGHT`]. The labels of transitions are in the assets. Omitted are
//! premature ends, which would lead from every state to the same place, the end
//! of a listener, and the close after a simultaneous open that is not finished.

use crate::model::state::State;

/// Cells from left to right.
pub const WIDTH: u16 = 78;
/// Rows from top to bottom.
pub const HEIGHT: u16 = 16;
/// Cells reserved for the number of sockets in a state, with a blank before it.
pub const COUNT_WIDTH: u16 = 8;

/// A state with its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateNode {
    /// The state.
    pub state: State,
    /// The first cell of its name.
    pub position: (u16, u16),
    /// Column and row in the grid in which the cursor moves.
    pub cell: (u8, u8),
}

/// A transition from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiagramEdge {
    /// The state it leaves.
    pub from: State,
    /// The state it leads to.
    pub to: State,
    /// Its corners, the first within its state, the last at its head.
    pub corners: &'static [(u16, u16)],
    /// Position of its label.
    pub label_position: (u16, u16),
    /// Number of cells for the label.
    pub label_width: u16,
}

const fn node(state: State, at: (u16, u16), cell: (u8, u8)) -> StateNode {
    StateNode {
        state,
        position: at,
        cell,
    }
}

/// The states, in the order of a connection's lifecycle.
pub const STATE_NODES: [StateNode; 12] = [
    node(State::Closed, (32, 0), (1, 0)),
    node(State::BoundInactive, (33, 2), (1, 1)),
    node(State::Listen, (9, 2), (0, 1)),
    node(State::SynSent, (60, 2), (2, 1)),
    node(State::SynReceived, (8, 5), (0, 2)),
    node(State::Established, (33, 7), (1, 3)),
    node(State::FinWait1, (8, 10), (0, 4)),
    node(State::FinWait2, (8, 13), (0, 5)),
    node(State::Closing, (42, 10), (1, 4)),
    node(State::TimeWait, (41, 13), (1, 5)),
    node(State::CloseWait, (59, 10), (2, 4)),
    node(State::LastAck, (60, 13), (2, 5)),
];

/// Position of the second CLOSED, the end of all paths.
pub const FINAL_CLOSED: (u16, u16) = (51, 15);

const fn edge(
    from: State,
    to: State,
    way: &'static [(u16, u16)],
    name: (u16, u16),
    room: u16,
) -> DiagramEdge {
    DiagramEdge {
        from,
        to,
        corners: way,
        label_position: name,
        label_width: room,
    }
}

/// The transitions.
pub const EDGES: [DiagramEdge; 17] = [
    edge(
        State::Closed,
        State::Listen,
        &[(32, 0), (12, 0), (12, 1)],
        (15, 0),
        14,
    ),
    edge(
        State::Closed,
        State::SynSent,
        &[(37, 0), (64, 0), (64, 1)],
        (48, 0),
        14,
    ),
    edge(
        State::Closed,
        State::BoundInactive,
        &[(35, 0), (35, 1)],
        (37, 1),
        20,
    ),
    edge(
        State::Listen,
        State::SynReceived,
        &[(12, 2), (12, 4)],
        (14, 3),
        18,
    ),
    edge(
        State::SynSent,
        State::SynReceived,
        &[(64, 2), (64, 5), (26, 5)],
        (38, 5),
        20,
    ),
    edge(
        State::SynReceived,
        State::Established,
        &[(12, 5), (12, 7), (31, 7)],
        (14, 6),
        16,
    ),
    edge(
        State::SynSent,
        State::Established,
        &[(64, 2), (64, 7), (53, 7)],
        (49, 6),
        14,
    ),
    edge(
        State::Established,
        State::FinWait1,
        &[(36, 7), (36, 8), (12, 8), (12, 9)],
        (19, 8),
        14,
    ),
    edge(
        State::Established,
        State::CloseWait,
        &[(40, 7), (40, 8), (64, 8), (64, 9)],
        (46, 8),
        14,
    ),
    edge(
        State::FinWait1,
        State::Closing,
        &[(16, 10), (40, 10)],
        (27, 10),
        11,
    ),
    edge(
        State::FinWait1,
        State::FinWait2,
        &[(12, 10), (12, 12)],
        (1, 11),
        10,
    ),
    edge(
        State::FinWait1,
        State::TimeWait,
        &[(16, 10), (16, 11), (44, 11), (44, 12)],
        (19, 11),
        23,
    ),
    edge(
        State::Closing,
        State::TimeWait,
        &[(47, 10), (47, 12)],
        (49, 11),
        14,
    ),
    edge(
        State::FinWait2,
        State::TimeWait,
        &[(16, 13), (39, 13)],
        (27, 13),
        10,
    ),
    edge(
        State::CloseWait,
        State::LastAck,
        &[(64, 10), (64, 12)],
        (66, 11),
        12,
    ),
    edge(
        State::TimeWait,
        State::Closed,
        &[(45, 13), (45, 15), (49, 15)],
        (47, 14),
        14,
    ),
    edge(
        State::LastAck,
        State::Closed,
        &[(64, 13), (64, 15), (58, 15)],
        (66, 14),
        12,
    ),
];

/// A heading within the diagram, by the name of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiagramHeading {
    /// The name.
    pub name: &'static str,
    /// Its first cell.
    pub position: (u16, u16),
    /// Number of cells for it.
    pub width: u16,
}

/// The headings over the two ways of closing.
pub const HEADINGS: [DiagramHeading; 2] = [
    DiagramHeading {
        name: "closes_first",
        position: (15, 9),
        width: 20,
    },
    DiagramHeading {
        name: "closes_second",
        position: (48, 9),
        width: 14,
    },
];

/// A direction of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Up.
    Up,
    /// Down.
    Down,
    /// To the left.
    Left,
    /// To the right.
    Right,
}

/// Returns the position of a state, if it is drawn.
#[must_use]
pub fn node_of(state: State) -> Option<&'static StateNode> {
    STATE_NODES.iter().find(|place| place.state == state)
}

/// Returns the nearest state in a direction; the same if there is none.
#[must_use]
pub fn neighbour(state: State, towards: Direction) -> State {
    let Some(from) = node_of(state) else {
        return state;
    };
    let nearest = STATE_NODES
        .iter()
        .filter_map(|place| Some((distance(from.cell, place.cell, towards)?, place.state)))
        .min_by_key(|(distance, _)| *distance);
    nearest.map_or(state, |(_, found)| found)
}

/// Distance of a cell in a direction: cells to the side are farther.
fn distance(from: (u8, u8), to: (u8, u8), towards: Direction) -> Option<u8> {
    let (ahead, start, aside) = match towards {
        Direction::Down => (to.1, from.1, to.0.abs_diff(from.0)),
        Direction::Up => (from.1, to.1, to.0.abs_diff(from.0)),
        Direction::Right => (to.0, from.0, to.1.abs_diff(from.1)),
        Direction::Left => (from.0, to.0, to.1.abs_diff(from.1)),
    };
    let ahead = ahead.checked_sub(start).filter(|cells| *cells > 0)?;
    Some(ahead + aside * aside)
}

/// True if a transition is drawn from one state to another.
#[must_use]
pub fn has_edge(from: State, to: State) -> bool {
    EDGES
        .iter()
        .any(|track| track.from == from && track.to == to)
}

/// Returns the next state in the order of a connection's lifecycle; after the
/// last the first.
#[must_use]
pub fn next_state(state: State) -> State {
    let place = STATE_NODES.iter().position(|place| place.state == state);
    let next = place.map_or(0, |place| (place + 1) % STATE_NODES.len());
    STATE_NODES[next].state
}

#[cfg(test)]
mod tests;
