//! Unacknowledged segments: a silent peer, a path that takes only smaller
//! packets, or a packet filter here.

use super::facts::{MtuSign, SocketFacts, WindowStall};
use super::selected::Selection;
use super::shared_sentences::push_timeout;
use crate::explain::urgency::Urgency;
use crate::model::state::State;

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
