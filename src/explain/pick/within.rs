//! Connections within this machine whose other end is in the table, and
//! connections of a socket to itself.

use super::super::urgency::Urgency;
use super::{Choice, Evidence, Window};
use std::time::Duration;

/// Time after which two programs that wait for each other are deadlocked: the
/// same as in the finding.
const DEADLOCKED: Duration = Duration::from_secs(30);

/// The other end of a connection within this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) struct OtherEnd {
    /// True if bytes of this side wait unread there.
    pub(in crate::explain) unread: bool,
    /// True if it waits in an accept queue.
    pub(in crate::explain) queued: bool,
    /// True if its own data waits for this side to read, and the window is closed.
    pub(in crate::explain) blocked: bool,
}

/// Listener at the target of a SYN, if that is this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) enum Target {
    /// A listener whose queue is full.
    Full,
    /// A listener with room in its queue.
    Room,
    /// A listener whose backlog is unknown.
    Unmeasured,
    /// No listener.
    Nobody,
}

/// Selects for a connection whose ends are one socket.
pub(super) fn connected_to_itself(evidence: &Evidence) -> Choice {
    let mut choice = Choice::new("next_itself");
    choice
        .say("itself")
        .say("itself_blocks")
        .say_if(evidence.recv_queue > 0, "recv_pending")
        .say_if(evidence.sharers > 0, "shared_owner")
        .next_if(true, &["next_itself", "then_reserve", "then_close"])
        .who_if(true, "program")
        .is_if(true, Urgency::Act);
    choice
}

impl Evidence {
    /// True if data of this side waits for its other end, on this machine, to
    /// read, or for a program to accept it.
    pub(super) fn waits_for_other_end(&self) -> bool {
        let mine_first = self.recv_queue > 0 && self.send_queue == 0;
        let waits = |other: OtherEnd| other.unread || other.queued;
        !mine_first && !self.resends() && self.other_end.is_some_and(waits)
    }
}

/// Adds data of this side that its other end has not read.
pub(super) fn say_other_end(evidence: &Evidence, choice: &mut Choice) {
    let Some(other) = evidence
        .other_end
        .filter(|_| evidence.waits_for_other_end())
    else {
        return;
    };
    let closed = matches!(evidence.window, Some(Window::Closed { .. }));
    let both = closed && other.blocked && evidence.recv_queue > 0;
    let (sentence, who, next): (_, _, &[_]) = match (both, other.queued) {
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
    choice
        .say(sentence)
        .say_if(closed, "window_next")
        .next_if(true, next)
        .who_if(true, who)
        .is_if(both, Urgency::Look)
        .is_if(
            both && evidence.held
                && (evidence.warned_of
                    || evidence.received_ago.is_some_and(|time| time >= DEADLOCKED)),
            Urgency::Act,
        );
}
