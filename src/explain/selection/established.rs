//! Established connections, and those closed by the peer only.

use super::facts::{ARP_TIMEOUT, LEAK_COUNT, LONG_LIVED, MANY_SIMILAR, RTT_GRACE, SocketFacts};
use super::path::{push_held_by_program, push_unacknowledged};
use super::same_host::{push_other_end, self_connection};
use super::selected::Selection;
use super::shared_sentences::{not_accepted, push_keepalive, push_window};
use crate::explain::urgency::Urgency;
use crate::model::owner::NoOwnerReason;
use crate::model::timer::TimerKind;
use std::time::Duration;

/// Time without received data after which a connection may be forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

pub(super) fn established(facts: &SocketFacts) -> Selection {
    if facts.no_owner_reason == Some(NoOwnerReason::AcceptQueue) {
        return not_accepted(facts);
    }
    if facts.self_connected {
        return self_connection(facts);
    }
    let silent = facts.is_retransmitting();
    let unread = facts.recv_queue > 0;
    let pending = facts.send_queue > 0;
    let mut selection = Selection::new("next");
    // A program with unread data should read that first.
    selection
        .push_if(unread, "recv_pending")
        .push_if(pending, "send_pending")
        .advise_if(pending, &["next_send"])
        .waits_on_if(pending, "peer");
    push_unacknowledged(facts, "limit", &mut selection);
    push_window(facts, &mut selection);
    push_held_by_program(facts, &mut selection);
    selection
        .advise_if(unread && !silent, &["next_recv", "then_stuck"])
        .advise_for_obstacle(facts.process_obstacle.filter(|_| unread && !silent))
        .waits_on_if(unread && !silent, "program")
        .push_if(!unread && !pending && !facts.waits_for_other_end(), "idle");
    if unread {
        selection.sentences.extend(facts.process_obstacle);
    }
    push_other_end(facts, &mut selection);
    selection
        .push_if(facts.simultaneous_open, "dialled_by_both")
        .push_if(facts.data_in_syn, "data_in_syn");
    push_keepalive(facts, !unread && !pending, &mut selection);
    // Data that never left this host was not sent.
    let left = facts
        .last_data_key()
        .filter(|_| !facts.is_blocked_locally());
    selection.sentences.extend(left);
    let forgotten = facts
        .received_ago
        .is_some_and(|time| time >= FORGOTTEN_AFTER);
    let unread_for = facts.received_ago.filter(|_| unread);
    selection
        .push_if(facts.other_holders > 0, "shared_owner")
        .advise_if(
            forgotten && !unread && !pending && !facts.retransmits(TimerKind::Keepalive),
            &["next", "next_old"],
        )
        .at_least_if(
            unread_for.is_some_and(|time| time >= RTT_GRACE),
            Urgency::Look,
        )
        .at_least_if(unread && facts.has_warning, Urgency::Act)
        .at_least_if(facts.unanswered_beyond(ARP_TIMEOUT), Urgency::Look)
        .at_least_if(facts.retransmits(TimerKind::Keepalive), Urgency::Look);
    selection
}

/// The peer sends no more and reads on, and the program sends: legal without a
/// time limit (RFC 9293, 3.6).
fn half_closed(facts: &SocketFacts) -> Selection {
    let mut selection = Selection::new("next_half_closed");
    selection
        .push("half_closed")
        .push_if(facts.recv_queue > 1, "unread")
        .push_if(facts.send_queue > 0, "send_pending");
    push_window(facts, &mut selection);
    selection.sentences.extend(facts.last_data_key());
    selection.push_if(facts.other_holders > 0, "shared_owner");
    selection
}

pub(super) fn close_wait(facts: &SocketFacts) -> Selection {
    if facts.no_owner_reason == Some(NoOwnerReason::AcceptQueue) {
        return not_accepted(facts);
    }
    if facts.still_sends {
        return half_closed(facts);
    }
    let fresh = facts.saw_state_entry && facts.age < RTT_GRACE;
    let old = facts.age >= LONG_LIVED;
    let many = facts.similar >= MANY_SIMILAR;
    // Many that were there when watching began count like age. If they become
    // fewer, somebody does close them. A connection has not been in this state
    // for longer than since its last data.
    let came_lately = |time| facts.received_ago.is_some_and(|ago| ago < time);
    let unseen_for = |time| !facts.saw_state_entry && !came_lately(time);
    // As long as the finding could not be raised yet, their number counts.
    let at_first = unseen_for(LONG_LIVED) && !old;
    let very_many = facts.similar + 1 >= LEAK_COUNT;
    let leak = facts.has_warning || very_many && at_first && !facts.shrinks();
    let young = came_lately(ARP_TIMEOUT) || facts.saw_state_entry && facts.age < ARP_TIMEOUT;
    let unread = facts.recv_queue > 1;
    let silent = facts.is_retransmitting();
    let mut selection = Selection::new("next");
    selection
        .push_if(fresh, "fresh")
        .push_if(!fresh, "peer_closed")
        .push_if(!fresh && facts.recv_queue == 0, "noticed")
        .push_if(!fresh && facts.recv_queue == 1, "unread_fin")
        .push_if(unread, "unread")
        .push_if(facts.send_queue > 0, "send_pending");
    push_unacknowledged(facts, "limit", &mut selection);
    push_window(facts, &mut selection);
    push_held_by_program(facts, &mut selection);
    push_other_end(facts, &mut selection);
    let kept_here = facts.is_blocked_locally();
    selection
        .push_if(!fresh && facts.owner_known, "held")
        .push_if(leak, "leak")
        .push_if(many && !leak, "many");
    if many {
        selection.sentences.extend(facts.trend_key());
    }
    selection.push_if(old && !leak, "old");
    if !fresh {
        push_keepalive(facts, facts.send_queue == 0, &mut selection);
        selection
            .sentences
            .extend(facts.last_data_key().filter(|_| !kept_here));
    }
    selection
        .push_if(facts.other_holders > 0, "shared_owner")
        .advise_if(
            !young && !kept_here && !silent,
            &["next_old", "then_stuck", "then_close"],
        )
        .advise_if(
            !young && !kept_here && !silent && facts.sending_unknown,
            &["next_sending_unknown", "then_stuck"],
        )
        .advise_if(leak, &["next_leak", "then_descriptors", "then_close"])
        .at_least_if(
            facts.age >= ARP_TIMEOUT
                || unseen_for(ARP_TIMEOUT)
                || many && facts.grows()
                || facts.unanswered_beyond(ARP_TIMEOUT),
            Urgency::Look,
        )
        .at_least_if(leak, Urgency::Act);
    selection
}
