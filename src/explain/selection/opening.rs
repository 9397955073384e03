//! Opening: listeners, connecting sockets, half-open connections.

use super::facts::{
    ARP_TIMEOUT, LONG_LIVED, MANY_SIMILAR, RTT_GRACE, SLOW_ACCEPT, SocketFacts, TargetListener,
};
use super::selected::Selection;
use super::shared_sentences::{push_reachability, push_similar, push_timeout};
use crate::explain::urgency::Urgency;
use crate::model::timer::TimerKind;

pub(super) fn listen(facts: &SocketFacts) -> Selection {
    let waiting = facts.recv_queue;
    // A few are half-open at any time.
    let room = facts.backlog.filter(|backlog| *backlog > 0);
    let crowded = facts.half_open >= room.unwrap_or(MANY_SIMILAR).min(MANY_SIMILAR);
    let mut selection = Selection::new("next");
    let everywhere = push_reachability(facts, &mut selection);
    selection.advise_if(everywhere, &["next_any_address"]);
    match facts.backlog {
        Some(backlog) if waiting > backlog => {
            selection.sentences.insert(0, "full");
            selection
                .advise_if(true, &["next_full", "then_stuck", "then_overflows"])
                .waits_on_if(true, "program")
                .at_least_if(true, Urgency::Act);
        }
        Some(backlog) if waiting > 0 => {
            selection
                .push("queue")
                .advise_if(true, &["next_queue"])
                .at_least_if(waiting >= backlog.div_ceil(2), Urgency::Look);
        }
        None if waiting > 0 => {
            selection
                .push("queue_unknown")
                .advise_if(true, &["next_queue"]);
        }
        // No connection can wait where none can arrive.
        Some(_) if facts.missing_bind_target.is_some() => {}
        Some(0) => {
            selection.push("idle").push("limit_zero");
        }
        Some(_) => {
            selection.push("idle");
        }
        None => {
            selection.push("backlog_unknown");
        }
    }
    if waiting > 0 {
        push_accept_delay(facts, &mut selection);
    }
    selection
        .push_if(crowded, "half_open")
        .at_least_if(crowded, Urgency::Look)
        .push_if(facts.similar > 0 && facts.interface_known, "shared")
        .push_if(facts.similar > 0 && !facts.interface_known, "shared_untold")
        .push_if(facts.other_holders > 0, "shared_owner");
    selection
}

/// Adds the waiting time of the oldest connection, and the obstacle that keeps
/// the program from accepting it.
fn push_accept_delay(facts: &SocketFacts, selection: &mut Selection) {
    let slow = facts
        .accept_delay
        .filter(|waited| waited.time >= SLOW_ACCEPT);
    let full = facts.backlog.is_some_and(|most| facts.recv_queue > most);
    if let Some(waited) = slow {
        selection.push(if waited.at_least {
            "waits_at_least"
        } else {
            "waits"
        });
    }
    selection.sentences.extend(facts.process_obstacle);
    let hangs = slow.is_some() || facts.process_obstacle.is_some();
    selection
        .waits_on_if(hangs, "program")
        .advise_if(hangs && !full, &["next_not_accepting", "then_stuck"])
        .advise_for_obstacle(facts.process_obstacle)
        .at_least_if(hangs, Urgency::Look)
        .at_least_if(
            slow.is_some_and(|waited| waited.time >= LONG_LIVED) || facts.has_warning,
            Urgency::Act,
        );
}

pub(super) fn syn_sent(facts: &SocketFacts) -> Selection {
    let silent = facts.retransmits(TimerKind::Retransmit);
    let here = facts.remote_is_local;
    let kept_here = facts.is_blocked_locally();
    let mut selection = Selection::new("next");
    let unsent = facts.nothing_sent && facts.timer.is_none();
    selection
        .push_if(unsent, "unsent")
        .waits_on_if(unsent, "program")
        .advise_if(unsent, &["next_unsent"])
        .push_if(!silent && !unsent, "fresh")
        .push_if(silent && !kept_here, "retransmitting")
        .push_if(kept_here, "unsent_here");
    if facts.similar >= MANY_SIMILAR {
        let same = facts.counts_one_peer();
        selection.push(if same {
            "many_same_remote"
        } else {
            "many_siblings"
        });
        selection.sentences.extend(facts.trend_key());
        selection.at_least_if(true, Urgency::Look);
    }
    if silent {
        push_timeout(facts, "limit", &mut selection);
    }
    let (loopback, in_loopback): (_, &[_]) = match facts.target {
        Some(TargetListener::Full) => ("target_full", &["next_target", "then_overflows"]),
        Some(TargetListener::HasRoom) => ("target_room", &["next_rule_here", "then_rules"]),
        Some(TargetListener::Absent) => ("target_nobody", &["next_rule_here", "then_rules"]),
        Some(TargetListener::UnknownBacklog) | None => {
            ("loopback", &["next_loopback", "then_rules"])
        }
    };
    selection
        .push_if(silent && here && !kept_here, loopback)
        .push_if(silent && !here && !kept_here, "silence")
        .push_if(facts.other_holders > 0, "shared_owner")
        .advise_if(silent, &["next_old", "then_path", "then_capture"])
        .advise_if(silent && here, in_loopback)
        .advise_if(kept_here, &["next_stuck_here", "then_route", "then_rules"])
        .waits_on_if(kept_here, "kernel")
        .at_least_if(kept_here, Urgency::Look)
        .waits_on_if(
            silent && !kept_here && facts.target == Some(TargetListener::Full),
            "target",
        )
        .advise_if(
            facts.similar >= MANY_SIMILAR && !facts.counts_one_peer(),
            &["next_many", "then_end"],
        )
        .at_least_if(silent && here, Urgency::Look)
        .at_least_if(facts.unanswered_beyond(ARP_TIMEOUT), Urgency::Look);
    selection
}

/// A simultaneous open (RFC 9293, 3.5): a full socket of its program, without
/// listener and client.
fn simultaneous_open(facts: &SocketFacts) -> Selection {
    let silent = facts.retransmits(TimerKind::Retransmit);
    let old = facts.age >= RTT_GRACE;
    let mut selection = Selection::new("next");
    selection
        .push("simultaneous")
        .push_if(silent, "simultaneous_silent")
        .push_if(silent, "next_try")
        .push_if(facts.recv_queue > 0, "early_data")
        .push_if(facts.other_holders > 0, "shared_owner")
        .advise_if(old || silent, &["next_simultaneous", "then_capture"])
        .at_least_if(old || silent, Urgency::Look);
    selection
}

pub(super) fn syn_received(facts: &SocketFacts) -> Selection {
    if facts.has_inode && !facts.has_listener {
        return simultaneous_open(facts);
    }
    let silent = facts.retransmits(TimerKind::Retransmit);
    let old = facts.age >= RTT_GRACE;
    let full = facts.listener_full;
    let mut selection = Selection::new("next");
    // With a full queue the ACK has arrived and could not be used.
    selection
        .push_if(!silent && !full, "fresh")
        .push_if(silent && !full, "retransmitting")
        .waits_on_if(full, "listener")
        .push_if(facts.has_inode && facts.has_listener, "fast_open")
        .push_if(facts.has_inode && facts.recv_queue > 0, "early_data")
        .push_if(full, "queue_full")
        .push_if(old && !full, "old");
    selection
        .push_if(silent, "next_try")
        .push_if(silent && !facts.has_inode, "limit");
    push_similar(facts, "many", &mut selection);
    selection
        .advise_if(old || silent, &["next_old", "then_capture"])
        .advise_if(
            facts.similar >= MANY_SIMILAR,
            &["next_many", "then_cookies", "next_old"],
        )
        .advise_if(full, &["next_queue_full", "then_overflows"])
        .at_least_if(
            old || silent || facts.similar >= MANY_SIMILAR,
            Urgency::Look,
        )
        .at_least_if(full || facts.has_warning, Urgency::Act);
    selection
}
