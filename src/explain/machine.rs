//! The way a connection takes through the states, with the present one marked.

pub mod chart;

use crate::model::observation::Observation;
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

/// The way of a row as far as it is known, and what lies ahead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journey {
    /// The states it has been through, the present one last.
    pub walked: Vec<State>,
    /// Those to come if nothing goes wrong.
    pub ahead: Vec<State>,
}

impl Journey {
    /// The journey of a row: as it was followed, where it was, else the usual one.
    /// A connection that this side opened begins in CLOSED, and every one ends
    /// there.
    #[must_use]
    pub fn of(row: &Row, observation: &Observation) -> Self {
        let accepted = observation.listeners_of(row).next().is_some();
        let stations = path(row, accepted);
        let present = stations.iter().position(|station| station.present);
        let split = present.map_or(stations.len(), |place| place + 1);
        let states = |some: &[Station]| some.iter().map(|station| station.state).collect();
        let mut journey = Self {
            walked: states(&stations[..split]),
            ahead: states(&stations[split..]),
        };
        let followed = observation.timeline(row).steps;
        if followed.len() > 1 {
            let followed: Vec<State> = followed.iter().map(|step| step.state).collect();
            journey.walked = bridged(&followed, &journey.walked);
        }
        journey.join_ends(row);
        journey
    }

    fn join_ends(&mut self, row: &Row) {
        if row.socket.protocol == Protocol::Udp {
            return;
        }
        let first = self.walked.first();
        if matches!(first, Some(State::Listen | State::SynSent)) {
            self.walked.insert(0, State::Closed);
        }
        let last = self.ahead.last().or(self.walked.last()).copied();
        if row.phase == Phase::Closed {
            self.ahead.clear();
            if self.walked.last() != Some(&State::Closed) {
                self.walked.push(State::Closed);
            }
        } else if matches!(last, Some(State::TimeWait | State::LastAck)) {
            self.ahead.push(State::Closed);
        }
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.walked.len() > 1 && self.walked.last() == Some(&State::Closed)
    }

    /// Whether it went from one state to another, both neighbours on the way.
    #[must_use]
    pub fn took(&self, from: State, to: State) -> bool {
        self.walked.windows(2).any(|pair| pair == [from, to])
    }

    /// Whether it will go from one state to another.
    #[must_use]
    pub fn will_take(&self, from: State, to: State) -> bool {
        let mut rest = self.walked.last().into_iter().chain(&self.ahead);
        let mut before = rest.next();
        rest.any(|next| {
            let found = before == Some(&from) && *next == to;
            before = Some(next);
            found
        })
    }
}
/// The states somebody was seen in, with those between them that no arrow leaves
/// out: a table may have missed them.
fn bridged(seen: &[State], usual: &[State]) -> Vec<State> {
    let place = |state: State| usual.iter().position(|known| *known == state);
    let mut whole = Vec::with_capacity(seen.len());
    for (number, state) in seen.iter().copied().enumerate() {
        let before = number.checked_sub(1).and_then(|number| seen.get(number));
        if let Some(before) = before.copied()
            && !chart::leads(before, state)
            && let (Some(from), Some(to)) = (place(before), place(state))
        {
            whole.extend(usual.iter().take(to).skip(from + 1));
        }
        whole.push(state);
    }
    whole
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

#[cfg(test)]
mod tests {
    use super::*;
    use State::{
        CloseWait, Closed, Established, FinWait1, FinWait2, LastAck, SynReceived, SynSent, TimeWait,
    };

    #[test]
    fn what_a_table_missed_is_filled_in_where_no_arrow_leads_past_it() {
        let active = [Established, FinWait1, FinWait2, TimeWait];
        let passive = [SynReceived, Established, CloseWait];
        let cases: [(&[State], &[State], &[State]); 5] = [
            (
                &[SynSent, Established, TimeWait],
                &active,
                &[SynSent, Established, FinWait1, FinWait2, TimeWait],
            ),
            // FIN and ACK may have come in one segment.
            (
                &[Established, FinWait1, TimeWait],
                &active,
                &[Established, FinWait1, TimeWait],
            ),
            (&[SynReceived, CloseWait], &passive, &passive),
            // A reset leads from anywhere to the end.
            (&[Established, Closed], &passive, &[Established, Closed]),
            (&[], &passive, &[]),
        ];
        for (seen, usual, whole) in cases {
            assert_eq!(bridged(seen, usual), whole, "{seen:?}");
        }
    }

    #[test]
    fn what_was_walked_is_told_from_what_lies_ahead() {
        let course = Journey {
            walked: vec![SynReceived, Established, CloseWait],
            ahead: vec![LastAck, Closed],
        };
        for (from, to, took, will) in [
            (SynReceived, Established, true, false),
            (Established, CloseWait, true, false),
            (CloseWait, LastAck, false, true),
            (LastAck, Closed, false, true),
            (SynReceived, CloseWait, false, false),
            (Established, FinWait1, false, false),
        ] {
            assert_eq!(course.took(from, to), took, "{from} {to}");
            assert_eq!(course.will_take(from, to), will, "{from} {to}");
        }
        assert!(!course.is_over());
    }
}
