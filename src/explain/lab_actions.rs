//! Next actions on a socket of the lab, and the actor that its state waits for.

use super::catalogue::Catalogue;
use crate::model::lab::LabAction;
use crate::model::observation::Observation;
use crate::model::owner::NoOwnerReason;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;

/// Returns the actions that make sense for a row, at most six: those of the
/// actor of the most instructive one come first, and the most instructive of
/// each actor.
#[must_use]
pub fn lab_actions(row: &Row) -> Vec<LabAction> {
    let mut moves = possible_actions(row);
    let first = moves.first().map(|what| what.actor());
    moves.sort_by_key(|what| (Some(what.actor()) != first, what.actor()));
    moves
}

fn possible_actions(row: &Row) -> Vec<LabAction> {
    use LabAction::{
        ClientConnects, ClientKnocks, PeerAcknowledges, PeerAnswers, PeerFinishes,
        PeerFinishesAgain, PeerFinishesCrossing, PeerResets, PeerSends, ProgramAccepts,
        ProgramCloses, ProgramConnects, ProgramListens, ProgramReads, ProgramSends,
        ProgramShutsDown,
    };
    let socket = &row.socket;
    if row.phase == Phase::Closed {
        return Vec::new();
    }
    if row.no_owner_reason == Some(NoOwnerReason::AcceptQueue) {
        return vec![ProgramAccepts, PeerSends, PeerFinishes, PeerResets];
    }
    let held = socket.inode.is_some();
    let unread = socket.recv_queue > u32::from(socket.state == State::CloseWait);
    let unsent = socket.send_queue > 0;
    let with = |wanted: bool, what: LabAction| wanted.then_some(what);
    let some = |moves: &[Option<LabAction>]| moves.iter().flatten().copied().collect();
    match socket.state {
        _ if socket.protocol == Protocol::Udp => some(&[
            Some(PeerSends),
            with(unread, ProgramReads),
            with(held, ProgramCloses),
        ]),
        State::BoundInactive => vec![ProgramListens, ProgramConnects, ProgramCloses],
        State::Listen => some(&[
            Some(ClientKnocks),
            Some(ClientConnects),
            with(socket.recv_queue > 0, ProgramAccepts),
            Some(ProgramCloses),
        ]),
        State::SynSent => vec![PeerAnswers, PeerResets, ProgramCloses],
        State::Established => some(&[
            Some(PeerFinishes),
            Some(ProgramCloses),
            Some(ProgramShutsDown),
            Some(if unread { ProgramReads } else { PeerSends }),
            Some(if unsent {
                PeerAcknowledges
            } else {
                ProgramSends
            }),
            Some(PeerResets),
        ]),
        State::FinWait1 => vec![
            PeerAcknowledges,
            PeerFinishesCrossing,
            PeerFinishes,
            PeerResets,
        ],
        State::FinWait2 => some(&[
            Some(PeerFinishes),
            Some(PeerSends),
            with(unread && held, ProgramReads),
            with(held, ProgramCloses),
            Some(PeerResets),
        ]),
        State::SynReceived | State::Closing | State::LastAck => {
            vec![PeerAcknowledges, PeerResets]
        }
        State::TimeWait => vec![PeerFinishesAgain, PeerResets],
        State::CloseWait => some(&[
            Some(ProgramCloses),
            with(unread, ProgramReads),
            Some(PeerResets),
        ]),
        _ => Vec::new(),
    }
}

/// Returns the state that an action leads to, if it is another.
#[must_use]
pub fn resulting_state(what: LabAction, row: &Row) -> Option<State> {
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynReceived,
        SynSent, TimeWait,
    };
    Some(match (what, row.socket.state) {
        (LabAction::PeerAnswers, SynSent) | (LabAction::PeerAcknowledges, SynReceived) => {
            Established
        }
        (LabAction::PeerAcknowledges, FinWait1) => FinWait2,
        (LabAction::PeerAcknowledges, Closing) | (LabAction::PeerFinishes, FinWait1 | FinWait2) => {
            TimeWait
        }
        (LabAction::PeerFinishes, Established) => CloseWait,
        (LabAction::PeerFinishesCrossing, FinWait1) => Closing,
        (LabAction::ProgramShutsDown, Established) => FinWait1,
        // Unread data makes it a reset.
        (LabAction::ProgramCloses, Established) if row.socket.recv_queue == 0 => FinWait1,
        (LabAction::ProgramCloses, CloseWait) if row.socket.recv_queue <= 1 => LastAck,
        (LabAction::ProgramCloses, FinWait2) if row.socket.recv_queue == 0 => return None,
        // Nobody could read the data any more.
        (LabAction::PeerSends, FinWait2) if row.socket.inode.is_none() => Closed,
        (LabAction::ProgramListens, _) => Listen,
        (LabAction::ProgramConnects, State::BoundInactive) => SynSent,
        (LabAction::PeerAcknowledges, LastAck)
        | (LabAction::PeerResets | LabAction::ProgramCloses, _) => Closed,
        _ => return None,
    })
}

/// Returns the actor and event that a row waits for, in two or three words.
#[must_use]
pub fn waiting_for<'w>(row: &Row, observation: &Observation, words: &'w Catalogue) -> &'w str {
    waiting_for_key(row, observation).map_or("", |key| words.lab("awaited", key))
}

/// Returns only the actor.
#[must_use]
pub fn waiting_for_actor<'w>(
    row: &Row,
    observation: &Observation,
    words: &'w Catalogue,
) -> &'w str {
    let actor = |key: &'static str| key.split('_').next().unwrap_or(key);
    waiting_for_key(row, observation).map_or("", |key| words.lab("actors", actor(key)))
}

fn waiting_for_key(row: &Row, observation: &Observation) -> Option<&'static str> {
    let socket = &row.socket;
    // A segment cannot be used while the queue is full.
    let queue_is_full = || {
        observation
            .best_listeners(row)
            .any(|listener| listener.socket.is_accept_queue_full())
    };
    Some(match (socket.state, row.no_owner_reason) {
        _ if row.phase == Phase::Closed => return None,
        (State::Established | State::CloseWait, Some(NoOwnerReason::AcceptQueue)) => {
            "program_accepts"
        }
        (State::Listen, _) if socket.is_accept_queue_full() => "program_accepts",
        (State::Listen, _) => "client",
        (State::SynSent, _) => "peer_syn_ack",
        (State::SynReceived, _) if queue_is_full() => "program_accepts",
        (State::SynReceived, _) => "peer_ack",
        (State::FinWait1 | State::Closing | State::LastAck, _) => "peer_ack_of_fin",
        (State::FinWait2, _) => "peer_fin",
        (State::TimeWait, _) => "clock",
        (State::CloseWait, _) => "program_closes",
        (State::Established, _) if socket.protocol == Protocol::Tcp => {
            match (socket.recv_queue, socket.send_queue) {
                (0, 0) => "either",
                (0, _) => "peer_ack_of_bytes",
                _ => "program_reads",
            }
        }
        (State::BoundInactive | State::Closed, _) if socket.peer().is_some() => "program_closes",
        (State::BoundInactive, _) => "program_uses",
        _ if socket.recv_queue > 0 => "program_reads",
        _ => "either",
    })
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Language;
    use super::*;
    use crate::filter::test_world::world;

    fn row(state: State) -> Row {
        let mut row = world().rows[0];
        row.socket.state = state;
        row.socket.protocol = Protocol::Tcp;
        (row.socket.recv_queue, row.socket.send_queue) = (0, 0);
        row.phase = Phase::Unchanged;
        row.no_owner_reason = None;
        row
    }

    #[test]
    fn every_state_has_actions_and_every_action_its_messages() {
        for state in State::ALL {
            let row = row(state);
            let moves = lab_actions(&row);
            let none = matches!(state, State::Closed | State::Unconnected);
            assert_eq!(moves.is_empty(), none, "{state}");
            assert!(moves.len() <= 6, "{state}");
            for language in Language::ALL {
                let words = Catalogue::of(language);
                assert!(!waiting_for(&row, &world(), words).is_empty(), "{state}");
                assert!(
                    !waiting_for_actor(&row, &world(), words).is_empty(),
                    "{state}"
                );
                for what in &moves {
                    assert!(!words.lab("moves", what.key()).is_empty(), "{what:?}");
                    assert!(!words.lab("steps", what.key()).is_empty(), "{what:?}");
                    assert!(!words.lab("actors", what.actor().key()).is_empty());
                }
            }
        }
    }

    /// Each actor is named once before its actions.
    #[test]
    fn actions_are_grouped_by_actor() {
        for state in State::ALL {
            let mut actors: Vec<_> = lab_actions(&row(state))
                .iter()
                .map(|what| what.actor())
                .collect();
            actors.dedup();
            let mut once = actors.clone();
            once.sort();
            once.dedup();
            assert_eq!(actors.len(), once.len(), "{state}");
        }
    }

    /// As in the diagnosis of the same row.
    #[test]
    fn a_request_at_a_full_queue_waits_for_the_program() {
        let words = Catalogue::of(Language::English);
        for (waiting, expected) in [(4, "peer_ack"), (5, "program_accepts")] {
            let request = row(State::SynReceived);
            let mut listener = row(State::Listen);
            listener.socket.local = request.socket.local;
            listener.socket.cookie = std::num::NonZeroU64::new(7);
            (listener.socket.recv_queue, listener.socket.send_queue) = (waiting, 4);
            let observation = Observation {
                listeners: vec![(request.socket.local.port, 0)],
                rows: std::sync::Arc::new(vec![listener, request]),
                ..Observation::default()
            };
            let told = waiting_for(&request, &observation, words);
            assert_eq!(told, words.lab("awaited", expected), "{waiting}");
        }
    }

    /// Each state can be left by a key, and every state of the closing can be
    /// reached from `ESTABLISHED`.
    #[test]
    fn actions_reach_every_state() {
        let mut reached = vec![State::SynSent, State::SynReceived];
        let mut next = 0;
        while let Some(state) = reached.get(next).copied() {
            next += 1;
            let row = row(state);
            for what in lab_actions(&row) {
                if let Some(to) = resulting_state(what, &row)
                    && !reached.contains(&to)
                {
                    reached.push(to);
                }
            }
        }
        for state in [
            State::Established,
            State::FinWait1,
            State::FinWait2,
            State::Closing,
            State::TimeWait,
            State::CloseWait,
            State::LastAck,
            State::Closed,
        ] {
            assert!(reached.contains(&state), "{state}");
        }
    }
}
