//! Unacknowledged segments: a silent peer, a path that takes only smaller
//! packets, or a packet filter here.

use super::super::urgency::Urgency;
use super::{Selection, SocketFacts, UNACKNOWLEDGED_LIMIT, WindowStall, push_timeout};
use crate::model::state::State;
use crate::model::timer::TimerKind;

/// Signs of a path that takes only smaller packets and does not report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) enum MtuSign {
    /// The peer has acknowledged later, smaller segments, but not a full-size one.
    SmallerSegmentsArrive,
    /// The handshake was acknowledged, and no full-size segment ever.
    NoFullSegmentArrives,
}

impl SocketFacts {
    /// True if a segment of this side is retransmitted without an answer.
    pub(super) fn is_retransmitting(&self) -> bool {
        self.retransmits(TimerKind::Retransmit)
    }

    /// True if data of a program has gone without an answer for long enough for
    /// a finding to warn of it. Single clients of a server vanish every day:
    /// there the finding, which counts them, decides.
    pub(super) fn may_lose_data(&self) -> bool {
        let stands = matches!(
            self.state,
            State::Established | State::CloseWait | State::FinWait1
        );
        let fin = u32::from(self.state == State::FinWait1);
        let stuck = stands
            && self.has_inode
            && self.send_queue > fin
            && self.unanswered_beyond(UNACKNOWLEDGED_LIMIT);
        stuck && (self.has_warning || !self.has_listener)
    }

    /// True if nothing gets out of this machine.
    pub(super) fn is_blocked_locally(&self) -> bool {
        self.window_stall == Some(WindowStall::BlockedLocally)
            || (self.blocked_locally && self.is_retransmitting())
    }
}

/// Adds retransmitted data or FIN, and the time until the kernel gives up.
pub(super) fn push_unacknowledged(
    facts: &SocketFacts,
    limit: &'static str,
    selection: &mut Selection,
) {
    if !facts.is_retransmitting() {
        return;
    }
    let held = facts.has_inode || facts.state != State::FinWait1;
    let stands = matches!(
        facts.state,
        State::Established | State::CloseWait | State::FinWait1
    );
    let advice: &[&str] = match (facts.blocked_locally, facts.mtu) {
        (true, _) => &["next_stuck_here", "then_route", "then_rules"],
        (false, Some(_)) => &["next_mtu", "then_tracepath", "then_mtu_probing"],
        (false, None) if facts.remote_is_local => &["next_rule_here", "then_rules", "then_capture"],
        (false, None) if stands && held => {
            &["next_retransmitting", "then_user_timeout", "then_capture"]
        }
        (false, None) => &["next_old", "then_capture"],
    };
    selection.push(match (facts.blocked_locally, facts.mtu) {
        (true, _) => "unsent_here",
        (false, Some(MtuSign::SmallerSegmentsArrive)) => "mtu_later",
        (false, Some(MtuSign::NoFullSegmentArrives)) => "mtu_none",
        (false, None) => "retransmitting",
    });
    push_timeout(facts, limit, selection);
    selection
        .advise_if(true, advice)
        .waits_on_if(facts.blocked_locally, "kernel")
        .at_least_if(facts.may_lose_data(), Urgency::Act);
}

/// Adds data that waits although nothing is wrong: the program itself holds it
/// back.
pub(super) fn push_held_by_program(facts: &SocketFacts, selection: &mut Selection) {
    let corked = facts.window_stall == Some(WindowStall::HeldByProgram);
    selection
        .push_if(facts.paced, "paced")
        .push_if(corked && !facts.paced, "held_back")
        .waits_on_if(facts.paced || corked, "kernel")
        .advise_if(corked, &["next_held_back"])
        .advise_if(facts.paced, &["next_paced"]);
}
