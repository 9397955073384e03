//! Connections within this machine whose other end is in the table, and
//! connections of a socket to itself.

use super::facts::{OtherEnd, SocketFacts, WindowStall};
use super::selected::Selection;
use crate::explain::urgency::Urgency;
use std::time::Duration;

/// Time after which two programs that wait for each other are deadlocked: the
/// same as in the finding.
const DEADLOCK_AFTER: Duration = Duration::from_secs(30);

/// Selects for a connection whose ends are one socket.
pub(super) fn self_connection(facts: &SocketFacts) -> Selection {
    let mut selection = Selection::new("next_itself");
    selection
        .push("itself")
        .push("itself_blocks")
        .push_if(facts.recv_queue > 0, "recv_pending")
        .push_if(facts.other_holders > 0, "shared_owner")
        .advise_if(true, &["next_itself", "then_reserve", "then_close"])
        .waits_on_if(true, "program")
        .at_least_if(true, Urgency::Act);
    selection
}

impl SocketFacts {
    /// True if data of this side waits for its other end, on this machine, to
    /// read, or for a program to accept it.
    pub(super) fn waits_for_other_end(&self) -> bool {
        let mine_first = self.recv_queue > 0 && self.send_queue == 0;
        let waits = |other: OtherEnd| other.unread || other.in_accept_queue;
        !mine_first && !self.is_retransmitting() && self.other_end.is_some_and(waits)
    }
}

/// Adds data of this side that its other end has not read.
pub(super) fn push_other_end(facts: &SocketFacts, selection: &mut Selection) {
    let Some(other) = facts.other_end.filter(|_| facts.waits_for_other_end()) else {
        return;
    };
    let closed = matches!(facts.window_stall, Some(WindowStall::Closed { .. }));
    let both = closed && other.blocked && facts.recv_queue > 0;
    let (sentence, who, next): (_, _, &[_]) = match (both, other.in_accept_queue) {
        (_, true) => ("other_end_queued", "other_listener", &["next_other_queue"]),
        (true, false) => (
            "deadlock",
            "other_end",
            &["next_deadlock", "then_stuck", "then_other_end"],
        ),
        (false, false) => (
            "other_end_unread",
            "other_end",
            &["next_other_end", "then_other_end"],
        ),
    };
    selection
        .push(sentence)
        .push_if(closed, "window_next")
        .advise_if(true, next)
        .waits_on_if(true, who)
        .at_least_if(both, Urgency::Look)
        .at_least_if(
            both && facts.has_inode
                && (facts.has_warning
                    || facts
                        .received_ago
                        .is_some_and(|time| time >= DEADLOCK_AFTER)),
            Urgency::Act,
        );
}
