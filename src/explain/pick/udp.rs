//! UDP, which has no states of its own: with one peer, or without.

use super::super::urgency::Urgency;
use super::{Choice, Evidence, say_reach};

/// Half of a socket's default buffer (`net.core.rmem_default`), bytes.
const HALF_FULL: u32 = 106_496;

pub(super) fn connected(evidence: &Evidence) -> Choice {
    let mut choice = Choice::new("next_udp");
    choice.say("connected");
    unread(evidence, "recv_pending_udp", &mut choice);
    choice
}

pub(super) fn unconnected(evidence: &Evidence) -> Choice {
    let mut choice = Choice::new("next");
    choice.say("any");
    say_reach(evidence, &mut choice);
    unread(evidence, "recv_pending", &mut choice);
    choice
}

/// Adds unread datagrams; those beyond the buffer are dropped.
fn unread(evidence: &Evidence, name: &'static str, choice: &mut Choice) {
    let waits = evidence.recv_queue > 0;
    choice
        .say_if(waits, name)
        .say_if(evidence.dropped, "drops")
        .say_if(evidence.sharers > 0, "shared_owner")
        .next_if(waits, &["next_datagrams", "then_drops", "then_stuck"])
        .who_if(waits, "program")
        .is_if(evidence.recv_queue >= HALF_FULL, Urgency::Look);
}
