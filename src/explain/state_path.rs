//! The path of a connection through the states, with the present one marked.

pub mod diagram;

use crate::model::event_history::{TimePrecision, TimelineStep};
use crate::model::observation::Observation;
use crate::model::owner::NoOwnerReason;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;

/// One node of a connection's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathNode {
    /// A past or the present state.
    State(State),
    /// One of these states; nothing shows which.
    OneOf(State, State),
}

/// The path of a row as far as it is known, and the states to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatePath {
    /// The states it has been through, the present one last.
    pub past: Vec<PathNode>,
    /// The states to come if nothing goes wrong.
    pub upcoming: Vec<State>,
}

impl StatePath {
    /// Returns the path of a row: as it was followed, if it was, else the usual
    /// one. A connection that this side opened begins in CLOSED, and every one
    /// ends there.
    #[must_use]
    pub fn of(row: &Row, observation: &Observation) -> Self {
        let mut journey = Self::without_closed(row, observation);
        journey.add_closed(row);
        journey
    }

    /// The same without the CLOSED at either end.
    #[must_use]
    pub fn without_closed(row: &Row, observation: &Observation) -> Self {
        let followed = observation.timeline(row).steps;
        let usual = usual_path(row, PathEvidence::of(row, observation, &followed));
        let present = PathNode::State(row.socket.state);
        let present = usual.iter().position(|station| *station == present);
        let split = present.map_or(usual.len(), |place| place + 1);
        let ahead = usual[split..].iter().filter_map(|station| match station {
            PathNode::State(state) => Some(*state),
            PathNode::OneOf(..) => None,
        });
        let upcoming = ahead.collect();
        let mut past = usual[..split].to_vec();
        if followed.len() > 1 {
            past = fill_gaps(&followed, &past);
        }
        Self { past, upcoming }
    }

    fn add_closed(&mut self, row: &Row) {
        if row.socket.protocol == Protocol::Udp {
            return;
        }
        let first = self.past.first();
        if matches!(first, Some(PathNode::State(State::Listen | State::SynSent))) {
            self.past.insert(0, PathNode::State(State::Closed));
        }
        let last = self.upcoming.last().copied().or(self.current());
        if row.phase == Phase::Closed {
            self.upcoming.clear();
            if self.current() != Some(State::Closed) {
                self.past.push(PathNode::State(State::Closed));
            }
        } else if matches!(last, Some(State::TimeWait | State::LastAck)) {
            self.upcoming.push(State::Closed);
        }
    }

    /// True if the connection is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.past.len() > 1 && self.current() == Some(State::Closed)
    }

    /// Returns the present state.
    #[must_use]
    pub fn current(&self) -> Option<State> {
        match self.past.last()? {
            PathNode::State(state) => Some(*state),
            PathNode::OneOf(..) => None,
        }
    }

    /// True if it is known to have been in a state.
    #[must_use]
    pub fn was_in(&self, state: State) -> bool {
        self.past.contains(&PathNode::State(state))
    }

    /// True if it went directly from one state to another.
    #[must_use]
    pub fn has_taken(&self, from: State, to: State) -> bool {
        let step = [PathNode::State(from), PathNode::State(to)];
        self.past.windows(2).any(|pair| pair == step)
    }

    /// True if it will go from one state to another.
    #[must_use]
    pub fn will_take(&self, from: State, to: State) -> bool {
        let mut rest = self
            .current()
            .into_iter()
            .chain(self.upcoming.iter().copied());
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
struct PathEvidence {
    opening: PathNode,
    closing: PathNode,
}

impl PathEvidence {
    /// Prefers observed states to the usual ones. A listener on the port proves
    /// nothing: a program may connect from that port, too, and one that
    /// accepted a connection may have stopped listening.
    fn of(row: &Row, observation: &Observation, followed: &[TimelineStep]) -> Self {
        use State::{Closing, FinWait2, SynReceived, SynSent};
        let was_in = |state| was_in(row, followed, state);
        let dialled = || observation.detail(row)?.info.is_initiator(row.socket.state);
        let opening = if was_in(SynSent) {
            PathNode::State(SynSent)
        } else if was_in(SynReceived) || row.no_owner_reason == Some(NoOwnerReason::AcceptQueue) {
            PathNode::State(SynReceived)
        } else {
            match dialled() {
                Some(true) => PathNode::State(SynSent),
                Some(false) => PathNode::State(SynReceived),
                None => PathNode::OneOf(SynSent, SynReceived),
            }
        };
        let closing = if was_in(Closing) {
            PathNode::State(Closing)
        } else if was_in(FinWait2) {
            PathNode::State(FinWait2)
        } else {
            PathNode::OneOf(FinWait2, Closing)
        };
        Self { opening, closing }
    }
}

/// True if a row is in a state, or was seen in it.
fn was_in(row: &Row, followed: &[TimelineStep], state: State) -> bool {
    row.socket.state == state
        || row.phase == Phase::Changed { from: state }
        || followed.iter().any(|step| step.state == state)
}

/// The observed states, with the usual ones before them, and with those between
/// them that no transition skips: a table may have missed them.
fn fill_gaps(seen: &[TimelineStep], usual: &[PathNode]) -> Vec<PathNode> {
    let place = |state| {
        let mut known = usual.iter();
        known.position(|known| *known == PathNode::State(state))
    };
    let mut whole = Vec::with_capacity(seen.len());
    if let Some(begun) = seen.first().and_then(|first| place(first.state)) {
        whole.extend(&usual[..begun]);
    }
    for (number, step) in seen.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|number| seen.get(number));
        if let Some(before) = before
            && may_have_skipped(before, step)
            && let (Some(from), Some(to)) = (place(before.state), place(step.state))
        {
            whole.extend(usual.iter().take(to).skip(from + 1));
        }
        whole.push(PathNode::State(step.state));
    }
    whole
}

/// True if there was, or may have been, a state between two observed ones. FIN
/// and ACK may come in one segment, but only events can show that.
fn may_have_skipped(before: &TimelineStep, after: &TimelineStep) -> bool {
    let at_once = (before.state, after.state) == (State::FinWait1, State::TimeWait);
    let by_tables = before.precision != TimePrecision::Exact;
    !diagram::has_edge(before.state, after.state) || at_once && by_tables
}

/// The usual path of a connection that is in this row's state now: the states
/// that it must have come through, and those to come if nothing goes wrong.
///
/// UDP, listeners and unused sockets have a single node.
fn usual_path(row: &Row, past: PathEvidence) -> Vec<PathNode> {
    use State::{
        CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, SynReceived, SynSent,
        TimeWait,
    };
    let PathEvidence { opening, closing } = past;
    let states = |states: &[State]| states.iter().copied().map(PathNode::State).collect();
    let opened = |rest: &[State]| {
        let begun = [opening, PathNode::State(Established)];
        let rest = rest.iter().copied().map(PathNode::State);
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
            let begun = [Established, FinWait1].map(PathNode::State);
            let end = [closing, PathNode::State(TimeWait)];
            begun.into_iter().chain(end).collect()
        }
        CloseWait | LastAck => opened(&[CloseWait, LastAck]),
        state => states(&[state]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::test_world::{self, row};
    use crate::model::event_history::{EventHistory, Timeline};
    use crate::model::observation::ConnectionDetail;
    use crate::model::tcp_info::TcpInfo;
    use crate::model::tcp_metrics::TcpMetrics;
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, SynReceived, SynSent,
        TimeWait,
    };
    use std::num::NonZeroU32;
    use std::sync::Arc;

    fn step(state: State, known: TimePrecision) -> TimelineStep {
        TimelineStep {
            state,
            since_us: 1,
            precision: known,
        }
    }

    fn nodes(states: &[State]) -> Vec<PathNode> {
        states.iter().copied().map(PathNode::State).collect()
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
            let seen: Vec<TimelineStep> = seen
                .iter()
                .map(|state| step(*state, TimePrecision::Exact))
                .collect();
            assert_eq!(fill_gaps(&seen, &nodes(usual)), nodes(whole), "{seen:?}");
        }
    }

    #[test]
    fn tables_do_not_tell_that_nothing_was_between() {
        let unsure = [
            PathNode::State(FinWait1),
            PathNode::OneOf(FinWait2, Closing),
            PathNode::State(TimeWait),
        ];
        let seen = [FinWait1, TimeWait].map(|state| step(state, TimePrecision::FirstSeen));
        assert_eq!(fill_gaps(&seen, &unsure), unsure);
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
        row.phase = Phase::Unchanged;
        let steps = before.iter().chain([&state]);
        let steps = steps
            .map(|state| step(*state, TimePrecision::FirstSeen))
            .collect();
        observation.event_history = Arc::new(EventHistory {
            timelines: vec![(row.socket.key(), Timeline { steps })],
            ..EventHistory::default()
        });
        (row, observation)
    }

    fn path(row: &Row, observation: &Observation) -> (Vec<PathNode>, Vec<State>) {
        let StatePath {
            past: walked,
            upcoming: ahead,
        } = StatePath::without_closed(row, observation);
        (walked, ahead)
    }

    #[test]
    fn who_opened_it_is_not_claimed_where_nothing_tells() {
        let either = PathNode::OneOf(SynSent, SynReceived);
        let open = |opening| vec![opening, PathNode::State(Established)];
        let (mut row, mut observation) = followed(Established, &[]);
        // Not even with a listener on that port now.
        let mut listener = test_world::row(Protocol::Tcp, State::Listen, "0.0.0.0:8080", "-");
        listener.socket.inode = NonZeroU32::new(9);
        observation.rows = Arc::new(vec![row, listener]);
        observation.listeners = vec![(8080, 1)];
        assert_eq!(path(&row, &observation).0, open(either));
        assert!(!StatePath::of(&row, &observation).has_taken(SynSent, Established));
        row.no_owner_reason = Some(NoOwnerReason::AcceptQueue);
        assert_eq!(
            path(&row, &observation).0,
            open(PathNode::State(SynReceived))
        );
        for begun in [SynSent, SynReceived] {
            let (row, observation) = followed(Established, &[begun]);
            assert_eq!(path(&row, &observation).0, open(PathNode::State(begun)));
        }
    }

    #[test]
    fn the_counters_of_a_connection_tell_who_opened_it() {
        let (row, mut observation) = followed(CloseWait, &[Established]);
        // The SYN of the connecting side is acknowledged as a byte.
        for (acked, opening) in [
            (101, PathNode::State(SynSent)),
            (100, PathNode::State(SynReceived)),
            (99, PathNode::OneOf(SynSent, SynReceived)),
        ] {
            let info = TcpInfo {
                bytes_acked: Some(acked),
                bytes_sent: Some(120),
                bytes_retransmitted: Some(20),
                ..TcpInfo::default()
            };
            observation.details = vec![ConnectionDetail {
                key: row.socket.key(),
                info,
                metrics: TcpMetrics::default(),
            }];
            let (walked, ahead) = path(&row, &observation);
            assert_eq!(
                walked,
                [
                    opening,
                    PathNode::State(Established),
                    PathNode::State(CloseWait)
                ]
            );
            assert_eq!(ahead, [LastAck]);
        }
    }

    #[test]
    fn what_was_seen_goes_before_what_is_usual() {
        let crossing = [Established, FinWait1, Closing, TimeWait];
        for seen in [&crossing[..3], &[Established, Closing], &[Closing]] {
            let (row, observation) = followed(TimeWait, seen);
            assert_eq!(path(&row, &observation).0, nodes(&crossing), "{seen:?}");
        }
        let (row, observation) = followed(TimeWait, &[FinWait2]);
        let usual = [Established, FinWait1, FinWait2, TimeWait];
        assert_eq!(path(&row, &observation).0, nodes(&usual));
        for seen in [&[][..], &[Established], &[FinWait1]] {
            let (row, observation) = followed(TimeWait, seen);
            let journey = StatePath::of(&row, &observation);
            assert_eq!(journey.past[2], PathNode::OneOf(FinWait2, Closing));
            assert!(!journey.has_taken(FinWait1, TimeWait) && !journey.was_in(FinWait2));
        }
    }

    #[test]
    fn past_and_upcoming_transitions_are_distinguished() {
        let course = StatePath {
            past: nodes(&[SynReceived, Established, CloseWait]),
            upcoming: vec![LastAck, Closed],
        };
        for (from, to, took, will) in [
            (SynReceived, Established, true, false),
            (Established, CloseWait, true, false),
            (CloseWait, LastAck, false, true),
            (LastAck, Closed, false, true),
            (SynReceived, CloseWait, false, false),
            (Established, FinWait1, false, false),
        ] {
            assert_eq!(course.has_taken(from, to), took, "{from} {to}");
            assert_eq!(course.will_take(from, to), will, "{from} {to}");
        }
        assert!(!course.is_over());
    }
}
