//! Selections that sockets in several states share.

use super::facts::{
    ARP_TIMEOUT, LONG_LIVED, MANY_SIMILAR, ProbeInterval, RTT_GRACE, SocketFacts, WindowStall,
};
use super::selected::Selection;
use crate::explain::urgency::Urgency;
use crate::model::namespace_addresses::MissingBindTarget;
use crate::model::state::State;
use crate::model::timer::TimerKind;

/// Adds the hosts that can reach a socket without a peer. Returns true if other
/// machines can, as far as is known.
pub(super) fn push_reachability(facts: &SocketFacts, selection: &mut Selection) -> bool {
    let everywhere = facts.local.is_unspecified() && !facts.one_interface;
    if facts.missing_bind_target.is_some() {
        return false;
    }
    if everywhere && facts.loopback_only == Some(true) {
        selection.push("no_interface");
        return false;
    }
    let v6 = facts.local.is_ipv6();
    selection.push(match facts.local {
        _ if facts.one_interface => "one_interface",
        _ if everywhere && !facts.interface_known => "any_address_untold",
        _ if everywhere && v6 => match facts.v6_only {
            Some(true) => "any_address_v6_only",
            Some(false) => "any_address_v6_too",
            None => "any_address_v6",
        },
        _ if everywhere => "any_address",
        local if local.is_loopback() => "loopback_only",
        _ => "one_address",
    });
    selection.push_if(everywhere && facts.interface_known, "reached_over");
    everywhere
}

/// Leads with the missing address or interface that the socket is bound to:
/// nothing else matters then.
pub(super) fn push_missing_bind_target(facts: &SocketFacts, selection: &mut Selection) {
    let Some(lost) = facts.missing_bind_target else {
        return;
    };
    let waits = matches!(
        facts.state,
        State::Listen | State::Unconnected | State::BoundInactive
    );
    let (sentence, next) = match (lost, waits) {
        (MissingBindTarget::Interface, true) => ("interface_gone", "next_interface_gone"),
        (MissingBindTarget::Interface, false) => {
            ("interface_gone_peer", "next_interface_gone_peer")
        }
        (MissingBindTarget::Address, true) => ("address_gone", "next_address_gone"),
        (MissingBindTarget::Address, false) => ("address_gone_peer", "next_address_gone_peer"),
    };
    selection.sentences.insert(0, sentence);
    selection
        .advise_if(true, &[next])
        .advise_if(
            lost == MissingBindTarget::Address && !waits,
            &[next, "then_route_from"],
        )
        .waits_on_if(facts.owner_known, "program")
        .at_least_if(true, Urgency::Look);
}

/// Adds the number of similar sockets, and its trend.
pub(super) fn push_similar(facts: &SocketFacts, name: &'static str, selection: &mut Selection) {
    if facts.similar >= MANY_SIMILAR {
        selection.push(name);
        selection.sentences.extend(facts.trend_key());
    }
}

/// Adds the start and the end of the wait for an answer.
pub(super) fn push_timeout(facts: &SocketFacts, limit: &'static str, selection: &mut Selection) {
    selection
        .push_if(!facts.is_last_retry, "next_try")
        .push(if facts.end_known { "gives_up" } else { limit });
}

/// Adds the reason why nothing is under way, although something waits.
pub(super) fn push_window(facts: &SocketFacts, selection: &mut Selection) {
    let Some(window) = facts.window_stall else {
        return;
    };
    let mine_to_read = facts.recv_queue > 0 && facts.state == State::Established;
    selection.at_least_if(window != WindowStall::HeldByProgram, Urgency::Look);
    match window {
        WindowStall::Closed { ends } => {
            // The other end is described instead, if it is in the table.
            selection
                .push_if(!facts.waits_for_other_end(), "zero_window")
                .push_if(ends, "window_given_up")
                .advise_if(!mine_to_read, &["next_zero_window"]);
        }
        WindowStall::Silent => {
            selection
                .at_least_if(facts.may_lose_data(), Urgency::Act)
                .push("window_silent")
                .push_if(!facts.is_last_retry, "window_next")
                .push_if(facts.end_known, "gives_up")
                .advise_if(!mine_to_read, &["next_retransmitting", "then_capture"]);
        }
        WindowStall::BlockedLocally => {
            selection
                .push("stuck_here")
                .advise_if(
                    !mine_to_read,
                    &["next_stuck_here", "then_route", "then_rules"],
                )
                .waits_on_if(!mine_to_read, "kernel")
                .at_least_if(facts.may_lose_data(), Urgency::Act);
        }
        WindowStall::HeldByProgram => {}
    }
}

/// Adds if a missing peer would be noticed.
pub(super) fn push_keepalive(facts: &SocketFacts, quiet: bool, selection: &mut Selection) {
    match facts.timer {
        Some(timer) if timer.kind == TimerKind::Keepalive => {
            let failing = timer.retransmits > 0;
            selection
                .push(match (failing, facts.is_last_retry) {
                    (false, _) => "keepalive",
                    (true, false) => "keepalive_failing",
                    (true, true) => "keepalive_failed",
                })
                .push_if(failing && facts.end_known, "gives_up");
            match facts.probe_interval.filter(|_| failing) {
                Some(spacing) => {
                    selection
                        .push(match spacing {
                            ProbeInterval::Own => "keepalive_own_interval",
                            ProbeInterval::SystemDefault => "keepalive_every",
                        })
                        .push_if(!facts.end_known, "keepalive_by_count");
                }
                None => {
                    selection.push_if(failing && facts.own_keepalive, "keepalive_own");
                }
            }
            selection.advise_if(failing, &["next_retransmitting", "then_capture"]);
        }
        None => {
            let open = facts.state == State::Established;
            selection.push_if(
                quiet,
                if open && facts.remote_is_local {
                    "no_keepalive_here"
                } else {
                    "no_keepalive"
                },
            );
        }
        _ => {}
    }
}

/// Selects for a connection that the listener's program has not accepted yet.
pub(super) fn not_accepted(facts: &SocketFacts) -> Selection {
    let mut selection = Selection::new("next_accept_queue");
    let waited = facts.accept_delay.map_or(facts.age, |waited| waited.time);
    selection
        .push("accept_queue")
        .push_if(facts.listener_full, "queue_full")
        .push_if(waited >= ARP_TIMEOUT, "waited")
        .at_least_if(waited >= RTT_GRACE, Urgency::Look)
        .at_least_if(facts.listener_full || waited >= LONG_LIVED, Urgency::Act)
        .waits_on = Some("listener");
    selection
}
