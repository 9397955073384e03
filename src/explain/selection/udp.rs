//! UDP, which has no states of its own: with one peer, or without.

use super::facts::SocketFacts;
use super::selected::Selection;
use super::shared_sentences::push_reachability;
use crate::explain::urgency::Urgency;

/// Half of a socket's default buffer (`net.core.rmem_default`), bytes.
const HALF_FULL_BYTES: u32 = 106_496;

pub(super) fn connected(facts: &SocketFacts) -> Selection {
    let mut selection = Selection::new("next_udp");
    selection.push("connected");
    push_unread(facts, "recv_pending_udp", &mut selection);
    selection
}

pub(super) fn unconnected(facts: &SocketFacts) -> Selection {
    let mut selection = Selection::new("next");
    selection.push("any");
    push_reachability(facts, &mut selection);
    push_unread(facts, "recv_pending", &mut selection);
    selection
}

/// Adds unread datagrams; those beyond the buffer are dropped.
fn push_unread(facts: &SocketFacts, name: &'static str, selection: &mut Selection) {
    let waits = facts.recv_queue > 0;
    selection
        .push_if(waits, name)
        .push_if(facts.dropped, "drops")
        .push_if(facts.other_holders > 0, "shared_owner")
        .advise_if(waits, &["next_datagrams", "then_drops", "then_stuck"])
        .waits_on_if(waits, "program")
        .at_least_if(facts.recv_queue >= HALF_FULL_BYTES, Urgency::Look);
}
