//! The way a connection takes through the states, with the present one marked.

use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;

/// One station on a connection's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// The state.
    pub state: State,
    /// Whether the connection is in it now.
    pub present: bool,
}

/// The usual way of a connection that is in this row's state now: how it must
/// have come here, and how it will go on if nothing goes wrong.
///
/// `accepted` tells whether it came in through a listener. UDP, listeners and
/// unused sockets go nowhere: they are a single station.
#[must_use]
pub fn path(row: &Row, accepted: bool) -> Vec<Station> {
    use State::{
        CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, SynReceived, SynSent,
        TimeWait,
    };
    let opening = if accepted { SynReceived } else { SynSent };
    let came_through_closing = matches!(row.phase, Phase::Changed { from: Closing });
    let way: &[State] = match row.socket.state {
        state if row.socket.protocol == Protocol::Udp => return vec![station(state, state)],
        SynSent => &[SynSent, Established],
        SynReceived => &[SynReceived, Established],
        Established => &[opening, Established],
        FinWait1 | FinWait2 => &[opening, Established, FinWait1, FinWait2, TimeWait],
        Closing => &[opening, Established, FinWait1, Closing, TimeWait],
        TimeWait if came_through_closing => &[Established, FinWait1, Closing, TimeWait],
        TimeWait => &[Established, FinWait1, FinWait2, TimeWait],
        CloseWait | LastAck => &[opening, Established, CloseWait, LastAck],
        _ => &[row.socket.state],
    };
    way.iter()
        .map(|state| station(*state, row.socket.state))
        .collect()
}

fn station(state: State, present: State) -> Station {
    Station {
        state,
        present: state == present,
    }
}
