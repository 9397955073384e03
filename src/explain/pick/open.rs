//! Established connections, and those closed by the peer only.

use super::super::urgency::Urgency;
use super::path::{say_held_back, say_unacknowledged};
use super::within::{connected_to_itself, say_other_end};
use super::{
    BEYOND_A_ROUND_TRIP, BEYOND_ARP, Choice, Evidence, LEAK_MANY, LONG, MANY, not_accepted,
    say_keepalive, say_window,
};
use crate::model::owner::Unowned;
use crate::model::timer::TimerKind;
use std::time::Duration;

/// Time without received data after which a connection may be forgotten.
const FORGOTTEN: Duration = Duration::from_hours(1);

pub(super) fn established(evidence: &Evidence) -> Choice {
    if evidence.unowned == Some(Unowned::AcceptQueue) {
        return not_accepted(evidence);
    }
    if evidence.itself {
        return connected_to_itself(evidence);
    }
    let silent = evidence.resends();
    let unread = evidence.recv_queue > 0;
    let pending = evidence.send_queue > 0;
    let mut choice = Choice::new("next");
    // A program with unread data should read that first.
    choice
        .say_if(unread, "recv_pending")
        .say_if(pending, "send_pending")
        .next_if(pending, &["next_send"])
        .who_if(pending, "peer");
    say_unacknowledged(evidence, "limit", &mut choice);
    say_window(evidence, &mut choice);
    say_held_back(evidence, &mut choice);
    choice
        .next_if(unread && !silent, &["next_recv", "then_stuck"])
        .next_for(evidence.plight.filter(|_| unread && !silent))
        .who_if(unread && !silent, "program")
        .say_if(
            !unread && !pending && !evidence.waits_for_other_end(),
            "idle",
        );
    if unread {
        choice.sentences.extend(evidence.plight);
    }
    say_other_end(evidence, &mut choice);
    choice
        .say_if(evidence.dialled_by_both, "dialled_by_both")
        .say_if(evidence.data_in_syn, "data_in_syn");
    say_keepalive(evidence, !unread && !pending, &mut choice);
    // Data that never left this host was not sent.
    let left = evidence.last_data().filter(|_| !evidence.kept_here());
    choice.sentences.extend(left);
    let forgotten = evidence.received_ago.is_some_and(|time| time >= FORGOTTEN);
    let unread_for = evidence.received_ago.filter(|_| unread);
    choice
        .say_if(evidence.sharers > 0, "shared_owner")
        .next_if(
            forgotten && !unread && !pending && !evidence.retransmits(TimerKind::Keepalive),
            &["next", "next_old"],
        )
        .is_if(
            unread_for.is_some_and(|time| time >= BEYOND_A_ROUND_TRIP),
            Urgency::Look,
        )
        .is_if(unread && evidence.warned_of, Urgency::Act)
        .is_if(evidence.silent_beyond(BEYOND_ARP), Urgency::Look)
        .is_if(evidence.retransmits(TimerKind::Keepalive), Urgency::Look);
    choice
}

/// The peer sends no more and reads on, and the program sends: legal without a
/// time limit (RFC 9293, 3.6).
fn half_closed(evidence: &Evidence) -> Choice {
    let mut choice = Choice::new("next_half_closed");
    choice
        .say("half_closed")
        .say_if(evidence.recv_queue > 1, "unread")
        .say_if(evidence.send_queue > 0, "send_pending");
    say_window(evidence, &mut choice);
    choice.sentences.extend(evidence.last_data());
    choice.say_if(evidence.sharers > 0, "shared_owner");
    choice
}

pub(super) fn close_wait(evidence: &Evidence) -> Choice {
    if evidence.unowned == Some(Unowned::AcceptQueue) {
        return not_accepted(evidence);
    }
    if evidence.still_sends {
        return half_closed(evidence);
    }
    let fresh = evidence.entry_seen && evidence.age < BEYOND_A_ROUND_TRIP;
    let old = evidence.age >= LONG;
    let many = evidence.siblings >= MANY;
    // Many that were there when watching began count like age. If they become
    // fewer, somebody does close them. A connection has not been in this state
    // for longer than since its last data.
    let came_lately = |time| evidence.received_ago.is_some_and(|ago| ago < time);
    let unseen_for = |time| !evidence.entry_seen && !came_lately(time);
    // As long as the finding could not be raised yet, their number counts.
    let at_first = unseen_for(LONG) && !old;
    let very_many = evidence.siblings + 1 >= LEAK_MANY;
    let leak = evidence.warned_of || very_many && at_first && !evidence.shrinks();
    let young = came_lately(BEYOND_ARP) || evidence.entry_seen && evidence.age < BEYOND_ARP;
    let unread = evidence.recv_queue > 1;
    let silent = evidence.resends();
    let mut choice = Choice::new("next");
    choice
        .say_if(fresh, "fresh")
        .say_if(!fresh, "peer_closed")
        .say_if(!fresh && evidence.recv_queue == 0, "noticed")
        .say_if(!fresh && evidence.recv_queue == 1, "unread_fin")
        .say_if(unread, "unread")
        .say_if(evidence.send_queue > 0, "send_pending");
    say_unacknowledged(evidence, "limit", &mut choice);
    say_window(evidence, &mut choice);
    say_held_back(evidence, &mut choice);
    say_other_end(evidence, &mut choice);
    let kept_here = evidence.kept_here();
    choice
        .say_if(!fresh && evidence.owned, "held")
        .say_if(leak, "leak")
        .say_if(many && !leak, "many");
    if many {
        choice.sentences.extend(evidence.trend());
    }
    choice.say_if(old && !leak, "old");
    if !fresh {
        say_keepalive(evidence, evidence.send_queue == 0, &mut choice);
        choice
            .sentences
            .extend(evidence.last_data().filter(|_| !kept_here));
    }
    choice
        .say_if(evidence.sharers > 0, "shared_owner")
        .next_if(
            !young && !kept_here && !silent,
            &["next_old", "then_stuck", "then_close"],
        )
        .next_if(
            !young && !kept_here && !silent && evidence.sending_unknown,
            &["next_sending_unknown", "then_stuck"],
        )
        .next_if(leak, &["next_leak", "then_descriptors", "then_close"])
        .is_if(
            evidence.age >= BEYOND_ARP
                || unseen_for(BEYOND_ARP)
                || many && evidence.grows()
                || evidence.silent_beyond(BEYOND_ARP),
            Urgency::Look,
        )
        .is_if(leak, Urgency::Act);
    choice
}
