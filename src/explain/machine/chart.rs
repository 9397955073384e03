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
pub const COUNT: u16 = 8;

/// A state with its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The state.
    pub state: State,
    /// The first cell of its name.
    pub at: (u16, u16),
    /// Column and row in the grid in which the cursor moves.
    pub cell: (u8, u8),
}

/// A transition from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    /// The state it leaves.
    pub from: State,
    /// The state it leads to.
    pub to: State,
    /// Its corners, the first within its state, the last at its head.
    pub way: &'static [(u16, u16)],
    /// Position of its label.
    pub name: (u16, u16),
    /// Number of cells for the label.
    pub room: u16,
}

const fn place(state: State, at: (u16, u16), cell: (u8, u8)) -> Place {
    Place { state, at, cell }
}

/// The states, in the order of a connection's lifecycle.
pub const PLACES: [Place; 12] = [
    place(State::Closed, (32, 0), (1, 0)),
    place(State::BoundInactive, (33, 2), (1, 1)),
    place(State::Listen, (9, 2), (0, 1)),
    place(State::SynSent, (60, 2), (2, 1)),
    place(State::SynReceived, (8, 5), (0, 2)),
    place(State::Established, (33, 7), (1, 3)),
    place(State::FinWait1, (8, 10), (0, 4)),
    place(State::FinWait2, (8, 13), (0, 5)),
    place(State::Closing, (42, 10), (1, 4)),
    place(State::TimeWait, (41, 13), (1, 5)),
    place(State::CloseWait, (59, 10), (2, 4)),
    place(State::LastAck, (60, 13), (2, 5)),
];

/// Position of the second CLOSED, the end of all paths.
pub const END: (u16, u16) = (51, 15);

const fn track(
    from: State,
    to: State,
    way: &'static [(u16, u16)],
    name: (u16, u16),
    room: u16,
) -> Track {
    Track {
        from,
        to,
        way,
        name,
        room,
    }
}

/// The transitions.
pub const TRACKS: [Track; 17] = [
    track(
        State::Closed,
        State::Listen,
        &[(32, 0), (12, 0), (12, 1)],
        (15, 0),
        14,
    ),
    track(
        State::Closed,
        State::SynSent,
        &[(37, 0), (64, 0), (64, 1)],
        (48, 0),
        14,
    ),
    track(
        State::Closed,
        State::BoundInactive,
        &[(35, 0), (35, 1)],
        (37, 1),
        20,
    ),
    track(
        State::Listen,
        State::SynReceived,
        &[(12, 2), (12, 4)],
        (14, 3),
        18,
    ),
    track(
        State::SynSent,
        State::SynReceived,
        &[(64, 2), (64, 5), (26, 5)],
        (38, 5),
        20,
    ),
    track(
        State::SynReceived,
        State::Established,
        &[(12, 5), (12, 7), (31, 7)],
        (14, 6),
        16,
    ),
    track(
        State::SynSent,
        State::Established,
        &[(64, 2), (64, 7), (53, 7)],
        (49, 6),
        14,
    ),
    track(
        State::Established,
        State::FinWait1,
        &[(36, 7), (36, 8), (12, 8), (12, 9)],
        (19, 8),
        14,
    ),
    track(
        State::Established,
        State::CloseWait,
        &[(40, 7), (40, 8), (64, 8), (64, 9)],
        (46, 8),
        14,
    ),
    track(
        State::FinWait1,
        State::Closing,
        &[(16, 10), (40, 10)],
        (27, 10),
        11,
    ),
    track(
        State::FinWait1,
        State::FinWait2,
        &[(12, 10), (12, 12)],
        (1, 11),
        10,
    ),
    track(
        State::FinWait1,
        State::TimeWait,
        &[(16, 10), (16, 11), (44, 11), (44, 12)],
        (19, 11),
        23,
    ),
    track(
        State::Closing,
        State::TimeWait,
        &[(47, 10), (47, 12)],
        (49, 11),
        14,
    ),
    track(
        State::FinWait2,
        State::TimeWait,
        &[(16, 13), (39, 13)],
        (27, 13),
        10,
    ),
    track(
        State::CloseWait,
        State::LastAck,
        &[(64, 10), (64, 12)],
        (66, 11),
        12,
    ),
    track(
        State::TimeWait,
        State::Closed,
        &[(45, 13), (45, 15), (49, 15)],
        (47, 14),
        14,
    ),
    track(
        State::LastAck,
        State::Closed,
        &[(64, 13), (64, 15), (58, 15)],
        (66, 14),
        12,
    ),
];

/// A heading within the diagram, by the name of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading {
    /// The name.
    pub name: &'static str,
    /// Its first cell.
    pub at: (u16, u16),
    /// Number of cells for it.
    pub room: u16,
}

/// The headings over the two ways of closing.
pub const HEADINGS: [Heading; 2] = [
    Heading {
        name: "closes_first",
        at: (15, 9),
        room: 20,
    },
    Heading {
        name: "closes_second",
        at: (48, 9),
        room: 14,
    },
];

/// A direction of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Towards {
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
pub fn place_of(state: State) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.state == state)
}

/// Returns the nearest state in a direction; the same if there is none.
#[must_use]
pub fn beside(state: State, towards: Towards) -> State {
    let Some(from) = place_of(state) else {
        return state;
    };
    let nearest = PLACES
        .iter()
        .filter_map(|place| Some((distance(from.cell, place.cell, towards)?, place.state)))
        .min_by_key(|(distance, _)| *distance);
    nearest.map_or(state, |(_, found)| found)
}

/// Distance of a cell in a direction: cells to the side are farther.
fn distance(from: (u8, u8), to: (u8, u8), towards: Towards) -> Option<u8> {
    let (ahead, start, aside) = match towards {
        Towards::Down => (to.1, from.1, to.0.abs_diff(from.0)),
        Towards::Up => (from.1, to.1, to.0.abs_diff(from.0)),
        Towards::Right => (to.0, from.0, to.1.abs_diff(from.1)),
        Towards::Left => (from.0, to.0, to.1.abs_diff(from.1)),
    };
    let ahead = ahead.checked_sub(start).filter(|cells| *cells > 0)?;
    Some(ahead + aside * aside)
}

/// True if a transition is drawn from one state to another.
#[must_use]
pub fn leads(from: State, to: State) -> bool {
    TRACKS
        .iter()
        .any(|track| track.from == from && track.to == to)
}

/// Returns the next state in the order of a connection's lifecycle; after the
/// last the first.
#[must_use]
pub fn after(state: State) -> State {
    let place = PLACES.iter().position(|place| place.state == state);
    let next = place.map_or(0, |place| (place + 1) % PLACES.len());
    PLACES[next].state
}

#[cfg(test)]
mod tests;
