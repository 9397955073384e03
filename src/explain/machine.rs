//! The path of a connection through the states, with the present one marked.

pub mod chart;

use crate::model::chronicle::{Known, Step};
use crate::model::observation::Observation;
use crate::model::owner::Unowned;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;

/// One node of a connection's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// A past or the present state.
    In(State),
    /// One of these states; nothing shows which.
    Either(State, State),
}

/// The path of a row as far as it is known, and the states to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journey {
    /// The states it has been through, the present one last.
    pub walked: Vec<Station>,
    /// The states to come if nothing goes wrong.
    pub ahead: Vec<State>,
}

impl Journey {
    /// Returns the path of a row: as it was followed, if it was, else the usual
    /// one. A connection that this side opened begins in CLOSED, and every one
    /// ends there.
    #[must_use]
    pub fn of(row: &Row, observation: &Observation) -> Self {
        let mut journey = Self::between_ends(row, observation);
        journey.join_ends(row);
        journey
    }

    /// The same without the CLOSED at either end.
    #[must_use]
    pub fn between_ends(row: &Row, observation: &Observation) -> Self {
        let followed = observation.timeline(row).steps;
        let usual = usual(row, Past::of(row, observation, &followed));
        let present = Station::In(row.socket.state);
        let present = usual.iter().position(|station| *station == present);
        let split = present.map_or(usual.len(), |place| place + 1);
        let ahead = usual[split..].iter().filter_map(|station| match station {
            Station::In(state) => Some(*state),
            Station::Either(..) => None,
        });
        let ahead = ahead.collect();
        let mut walked = usual[..split].to_vec();
        if followed.len() > 1 {
            walked = bridged(&followed, &walked);
        }
        Self { walked, ahead }
    }

    fn join_ends(&mut self, row: &Row) {
        if row.socket.protocol == Protocol::Udp {
            return;
        }
        let first = self.walked.first();
        if matches!(first, Some(Station::In(State::Listen | State::SynSent))) {
            self.walked.insert(0, Station::In(State::Closed));
        }
        let last = self.ahead.last().copied().or(self.present());
        if row.phase == Phase::Closed {
            self.ahead.clear();
            if self.present() != Some(State::Closed) {
                self.walked.push(Station::In(State::Closed));
            }
        } else if matches!(last, Some(State::TimeWait | State::LastAck)) {
            self.ahead.push(State::Closed);
        }
    }

    /// True if the connection is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.walked.len() > 1 && self.present() == Some(State::Closed)
    }

    /// Returns the present state.
    #[must_use]
    pub fn present(&self) -> Option<State> {
        match self.walked.last()? {
            Station::In(state) => Some(*state),
            Station::Either(..) => None,
        }
    }

    /// True if it is known to have been in a state.
    #[must_use]
    pub fn was_in(&self, state: State) -> bool {
        self.walked.contains(&Station::In(state))
    }

    /// True if it went directly from one state to another.
    #[must_use]
    pub fn took(&self, from: State, to: State) -> bool {
        let step = [Station::In(from), Station::In(to)];
        self.walked.windows(2).any(|pair| pair == step)
    }

    /// True if it will go from one state to another.
    #[must_use]
    pub fn will_take(&self, from: State, to: State) -> bool {
        let mut rest = self.present().into_iter().chain(self.ahead.iter().copied());
        let mut before = rest.next();
        rest.any(|next| {
            let found = before == Some(from) && next == to;
            before = Some(next);
            found
        })
    }
}

/// First state of the opening and of the close, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Past {
    opening: Station,
    closing: Station,
}

impl Past {
    /// Prefers observed states to the usual ones. A listener on the port proves
    /// nothing: a program may connect from that port, too, and one that
    /// accepted a connection may have stopped listening.
    fn of(row: &Row, observation: &Observation, followed: &[Step]) -> Self {
        use State::{Closing, FinWait2, SynReceived, SynSent};
        let was_in = |state| was_in(row, followed, state);
        let dialled = || observation.detail(row)?.info.dialled(row.socket.state);
        let opening = if was_in(SynSent) {
            Station::In(SynSent)
        } else if was_in(SynReceived) || row.unowned == Some(Unowned::AcceptQueue) {
            Station::In(SynReceived)
        } else {
            match dialled() {
                Some(true) => Station::In(SynSent),
                Some(false) => Station::In(SynReceived),
                None => Station::Either(SynSent, SynReceived),
            }
        };
        let closing = if was_in(Closing) {
            Station::In(Closing)
        } else if was_in(FinWait2) {
            Station::In(FinWait2)
        } else {
            Station::Either(FinWait2, Closing)
        };
        Self { opening, closing }
    }
}

/// True if a row is in a state, or was seen in it.
fn was_in(row: &Row, followed: &[Step], state: State) -> bool {
    row.socket.state == state
        || row.phase == Phase::Changed { from: state }
        || followed.iter().any(|step| step.state == state)
}

/// The observed states, with the usual ones before them, and with those between
/// them that no transition skips: a table may have missed them.
fn bridged(seen: &[Step], usual: &[Station]) -> Vec<Station> {
    let place = |state| {
        let mut known = usual.iter();
        known.position(|known| *known == Station::In(state))
    };
    let mut whole = Vec::with_capacity(seen.len());
    if let Some(begun) = seen.first().and_then(|first| place(first.state)) {
        whole.extend(&usual[..begun]);
    }
    for (number, step) in seen.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|number| seen.get(number));
        if let Some(before) = before
            && may_miss(before, step)
            && let (Some(from), Some(to)) = (place(before.state), place(step.state))
        {
            whole.extend(usual.iter().take(to).skip(from + 1));
        }
        whole.push(Station::In(step.state));
    }
    whole
}

/// True if there was, or may have been, a state between two observed ones. FIN
/// and ACK may come in one segment, but only events can show that.
fn may_miss(before: &Step, after: &Step) -> bool {
    let at_once = (before.state, after.state) == (State::FinWait1, State::TimeWait);
    let by_tables = before.known != Known::Exactly;
    !chart::leads(before.state, after.state) || at_once && by_tables
}

/// The usual path of a connection that is in this row's state now: the states
/// that it must have come through, and those to come if nothing goes wrong.
///
/// UDP, listeners and unused sockets have a single node.
fn usual(row: &Row, past: Past) -> Vec<Station> {
    use State::{
        CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, SynReceived, SynSent,
        TimeWait,
    };
    let Past { opening, closing } = past;
    let states = |states: &[State]| states.iter().copied().map(Station::In).collect();
    let opened = |rest: &[State]| {
        let begun = [opening, Station::In(Established)];
        let rest = rest.iter().copied().map(Station::In);
        begun.into_iter().chain(rest).collect()
    };
    match row.socket.state {
        state if row.socket.protocol == Protocol::Udp => states(&[state]),
        SynSent => states(&[SynSent, Established]),
        SynReceived => states(&[SynReceived, Established]),
        Established => opened(&[]),
        FinWait1 | FinWait2 => opened(&[FinWait1, FinWait2, TimeWait]),
        Closing => opened(&[FinWait1, Closing, TimeWait]),
        TimeWait => {
            let begun = [Established, FinWait1].map(Station::In);
            let end = [closing, Station::In(TimeWait)];
            begun.into_iter().chain(end).collect()
        }
        CloseWait | LastAck => opened(&[CloseWait, LastAck]),
        state => states(&[state]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::sample::{self, row};
    use crate::model::chronicle::{Chronicle, Timeline};
    use crate::model::flow::Flow;
    use crate::model::observation::Detail;
    use crate::model::tcp_info::TcpInfo;
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, SynReceived, SynSent,
        TimeWait,
    };
    use std::num::NonZeroU32;
    use std::sync::Arc;

    fn step(state: State, known: Known) -> Step {
        Step {
            state,
            since_us: 1,
            known,
        }
    }

    fn stations(states: &[State]) -> Vec<Station> {
        states.iter().copied().map(Station::In).collect()
    }

    #[test]
    fn what_a_table_missed_is_filled_in_where_no_arrow_leads_past_it() {
        let active = [Established, FinWait1, FinWait2, TimeWait];
        let passive = [SynReceived, Established, CloseWait];
        let cases: [(&[State], &[State], &[State]); 6] = [
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
            // States before the first observed one.
            (&[Established, CloseWait], &passive, &passive),
            // A reset leads from any state to the end.
            (
                &[Established, Closed],
                &passive,
                &[SynReceived, Established, Closed],
            ),
            (&[], &passive, &[]),
        ];
        for (seen, usual, whole) in cases {
            let seen: Vec<Step> = seen
                .iter()
                .map(|state| step(*state, Known::Exactly))
                .collect();
            assert_eq!(
                bridged(&seen, &stations(usual)),
                stations(whole),
                "{seen:?}"
            );
        }
    }

    #[test]
    fn tables_do_not_tell_that_nothing_was_between() {
        let unsure = [
            Station::In(FinWait1),
            Station::Either(FinWait2, Closing),
            Station::In(TimeWait),
        ];
        let seen = [FinWait1, TimeWait].map(|state| step(state, Known::ByTable));
        assert_eq!(bridged(&seen, &unsure), unsure);
    }

    /// A row in a state, with the states it was followed through.
    fn followed(state: State, before: &[State]) -> (Row, Observation) {
        let mut observation = Observation::default();
        let mut row = row(
            Protocol::Tcp,
            state,
            "192.0.2.10:8080",
            "198.51.100.7:50122",
        );
        row.phase = Phase::Steady;
        let steps = before.iter().chain([&state]);
        let steps = steps.map(|state| step(*state, Known::ByTable)).collect();
        observation.chronicle = Arc::new(Chronicle {
            timelines: vec![(row.socket.key(), Timeline { steps })],
            ..Chronicle::default()
        });
        (row, observation)
    }

    fn way(row: &Row, observation: &Observation) -> (Vec<Station>, Vec<State>) {
        let Journey { walked, ahead } = Journey::between_ends(row, observation);
        (walked, ahead)
    }

    #[test]
    fn who_opened_it_is_not_claimed_where_nothing_tells() {
        let either = Station::Either(SynSent, SynReceived);
        let open = |opening| vec![opening, Station::In(Established)];
        let (mut row, mut observation) = followed(Established, &[]);
        // Not even with a listener on that port now.
        let mut listener = sample::row(Protocol::Tcp, State::Listen, "0.0.0.0:8080", "-");
        listener.socket.inode = NonZeroU32::new(9);
        observation.rows = Arc::new(vec![row, listener]);
        observation.listeners = vec![(8080, 1)];
        assert_eq!(way(&row, &observation).0, open(either));
        assert!(!Journey::of(&row, &observation).took(SynSent, Established));
        row.unowned = Some(Unowned::AcceptQueue);
        assert_eq!(way(&row, &observation).0, open(Station::In(SynReceived)));
        for begun in [SynSent, SynReceived] {
            let (row, observation) = followed(Established, &[begun]);
            assert_eq!(way(&row, &observation).0, open(Station::In(begun)));
        }
    }

    #[test]
    fn the_counters_of_a_connection_tell_who_opened_it() {
        let (row, mut observation) = followed(CloseWait, &[Established]);
        // The SYN of the connecting side is acknowledged as a byte.
        for (acked, opening) in [
            (101, Station::In(SynSent)),
            (100, Station::In(SynReceived)),
            (99, Station::Either(SynSent, SynReceived)),
        ] {
            let info = TcpInfo {
                bytes_acked: Some(acked),
                bytes_sent: Some(120),
                bytes_retransmitted: Some(20),
                ..TcpInfo::default()
            };
            observation.details = vec![Detail {
                key: row.socket.key(),
                info,
                flow: Flow::default(),
            }];
            let (walked, ahead) = way(&row, &observation);
            assert_eq!(
                walked,
                [opening, Station::In(Established), Station::In(CloseWait)]
            );
            assert_eq!(ahead, [LastAck]);
        }
    }

    #[test]
    fn what_was_seen_goes_before_what_is_usual() {
        let crossing = [Established, FinWait1, Closing, TimeWait];
        for seen in [&crossing[..3], &[Established, Closing], &[Closing]] {
            let (row, observation) = followed(TimeWait, seen);
            assert_eq!(way(&row, &observation).0, stations(&crossing), "{seen:?}");
        }
        let (row, observation) = followed(TimeWait, &[FinWait2]);
        let usual = [Established, FinWait1, FinWait2, TimeWait];
        assert_eq!(way(&row, &observation).0, stations(&usual));
        for seen in [&[][..], &[Established], &[FinWait1]] {
            let (row, observation) = followed(TimeWait, seen);
            let journey = Journey::of(&row, &observation);
            assert_eq!(journey.walked[2], Station::Either(FinWait2, Closing));
            assert!(!journey.took(FinWait1, TimeWait) && !journey.was_in(FinWait2));
        }
    }

    #[test]
    fn what_was_walked_is_told_from_what_lies_ahead() {
        let course = Journey {
            walked: stations(&[SynReceived, Established, CloseWait]),
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
