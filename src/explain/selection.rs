//! Selects the sentences that fit the facts of one socket, its urgency and the
//! advice: by name, not their text. Sentences with unknown placeholders are
//! dropped later.
//!
//! One module for each part of a connection's lifecycle. A name is searched
//! among the sentences of the state, then among those that every state shares.

mod closing;
mod established;
mod facts;
mod opening;
mod path;
mod same_host;
mod selected;
mod shared_sentences;
#[cfg(test)]
mod tests;
mod udp;

use super::urgency::Urgency;
use crate::model::protocol::Protocol;
use crate::model::state::State;
use facts::LONG_LIVED;
pub(super) use facts::{
    AcceptDelay, DataDirection, MtuSign, OtherEnd, ProbeInterval, SocketFacts, TargetListener,
    WindowStall, counts_one_peer,
};
pub(super) use selected::Selection;
use shared_sentences::push_missing_bind_target;

/// Selects the sentences for one socket.
pub(super) fn select(facts: &SocketFacts) -> Selection {
    let mut selection = select_by_state(facts);
    selection.push_if(facts.subflow, "subflow");
    push_missing_bind_target(facts, &mut selection);
    selection
}

fn select_by_state(facts: &SocketFacts) -> Selection {
    match facts.state {
        State::Listen => opening::listen(facts),
        State::SynSent => opening::syn_sent(facts),
        State::SynReceived => opening::syn_received(facts),
        State::Established if facts.protocol == Protocol::Udp => udp::connected(facts),
        State::Established => established::established(facts),
        State::FinWait1 | State::Closing | State::LastAck => closing::closing_down(facts),
        State::FinWait2 => closing::fin_wait_2(facts),
        State::TimeWait => closing::time_wait(facts),
        State::CloseWait => established::close_wait(facts),
        State::Unconnected => udp::unconnected(facts),
        State::Closed | State::BoundInactive => unused_socket(facts),
        State::Unknown(_) => {
            let mut selection = Selection::new("next");
            selection.push("normal").at_least_if(true, Urgency::Look);
            selection
        }
    }
}

/// A socket that neither listens nor is connected.
fn unused_socket(facts: &SocketFacts) -> Selection {
    let mut selection = Selection::new("next");
    selection
        .push(match (facts.has_peer, facts.state) {
            (true, _) => "ended",
            (false, State::BoundInactive) if facts.has_listener => "listened",
            _ => "normal",
        })
        .push_if(facts.other_holders > 0, "shared_owner")
        .advise_if(facts.age >= LONG_LIVED, &["next_old"])
        .advise_if(facts.has_peer, &["next_ended"]);
    selection
}
