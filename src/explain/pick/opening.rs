//! Opening: listeners, connecting sockets, half-open connections.

use super::super::urgency::Urgency;
use super::{
    ACCEPT_SLOW, BEYOND_A_ROUND_TRIP, BEYOND_ARP, Choice, Evidence, LONG, MANY, Target, say_end,
    say_many, say_reach,
};
use crate::model::timer::TimerKind;

pub(super) fn listen(evidence: &Evidence) -> Choice {
    let waiting = evidence.recv_queue;
    // A few are half-open at any time.
    let room = evidence.backlog.filter(|backlog| *backlog > 0);
    let crowded = evidence.half_open >= room.unwrap_or(MANY).min(MANY);
    let mut choice = Choice::new("next");
    let everywhere = say_reach(evidence, &mut choice);
    choice.next_if(everywhere, &["next_any_address"]);
    match evidence.backlog {
        Some(backlog) if waiting > backlog => {
            choice.sentences.insert(0, "full");
            choice
                .next_if(true, &["next_full", "then_stuck", "then_overflows"])
                .who_if(true, "program")
                .is_if(true, Urgency::Act);
        }
        Some(backlog) if waiting > 0 => {
            choice
                .say("queue")
                .next_if(true, &["next_queue"])
                .is_if(waiting >= backlog.div_ceil(2), Urgency::Look);
        }
        None if waiting > 0 => {
            choice.say("queue_unknown").next_if(true, &["next_queue"]);
        }
        // No connection can wait where none can arrive.
        Some(_) if evidence.lost.is_some() => {}
        Some(0) => {
            choice.say("idle").say("limit_zero");
        }
        Some(_) => {
            choice.say("idle");
        }
        None => {
            choice.say("backlog_unknown");
        }
    }
    if waiting > 0 {
        say_wait(evidence, &mut choice);
    }
    choice
        .say_if(crowded, "half_open")
        .is_if(crowded, Urgency::Look)
        .say_if(evidence.siblings > 0 && evidence.interface_told, "shared")
        .say_if(
            evidence.siblings > 0 && !evidence.interface_told,
            "shared_untold",
        )
        .say_if(evidence.sharers > 0, "shared_owner");
    choice
}

/// Adds the waiting time of the oldest connection, and the obstacle that keeps
/// the program from accepting it.
fn say_wait(evidence: &Evidence, choice: &mut Choice) {
    let slow = evidence.waited.filter(|waited| waited.time >= ACCEPT_SLOW);
    let full = evidence
        .backlog
        .is_some_and(|most| evidence.recv_queue > most);
    if let Some(waited) = slow {
        choice.say(if waited.at_least {
            "waits_at_least"
        } else {
            "waits"
        });
    }
    choice.sentences.extend(evidence.plight);
    let hangs = slow.is_some() || evidence.plight.is_some();
    choice
        .who_if(hangs, "program")
        .next_if(hangs && !full, &["next_not_accepting", "then_stuck"])
        .next_for(evidence.plight)
        .is_if(hangs, Urgency::Look)
        .is_if(
            slow.is_some_and(|waited| waited.time >= LONG) || evidence.warned_of,
            Urgency::Act,
        );
}

pub(super) fn syn_sent(evidence: &Evidence) -> Choice {
    let silent = evidence.retransmits(TimerKind::Retransmit);
    let here = evidence.remote_is_here;
    let kept_here = evidence.kept_here();
    let mut choice = Choice::new("next");
    let unsent = evidence.nothing_sent && evidence.timer.is_none();
    choice
        .say_if(unsent, "unsent")
        .who_if(unsent, "program")
        .next_if(unsent, &["next_unsent"])
        .say_if(!silent && !unsent, "fresh")
        .say_if(silent && !kept_here, "retransmitting")
        .say_if(kept_here, "unsent_here");
    if evidence.siblings >= MANY {
        let same = evidence.counts_one_peer();
        choice.say(if same {
            "many_same_remote"
        } else {
            "many_siblings"
        });
        choice.sentences.extend(evidence.trend());
        choice.is_if(true, Urgency::Look);
    }
    if silent {
        say_end(evidence, "limit", &mut choice);
    }
    let (loopback, in_loopback): (_, &[_]) = match evidence.target {
        Some(Target::Full) => ("target_full", &["next_target", "then_overflows"]),
        Some(Target::Room) => ("target_room", &["next_rule_here", "then_rules"]),
        Some(Target::Nobody) => ("target_nobody", &["next_rule_here", "then_rules"]),
        Some(Target::Unmeasured) | None => ("loopback", &["next_loopback", "then_rules"]),
    };
    choice
        .say_if(silent && here && !kept_here, loopback)
        .say_if(silent && !here && !kept_here, "silence")
        .say_if(evidence.sharers > 0, "shared_owner")
        .next_if(silent, &["next_old", "then_path", "then_capture"])
        .next_if(silent && here, in_loopback)
        .next_if(kept_here, &["next_stuck_here", "then_route", "then_rules"])
        .who_if(kept_here, "kernel")
        .is_if(kept_here, Urgency::Look)
        .who_if(
            silent && !kept_here && evidence.target == Some(Target::Full),
            "target",
        )
        .next_if(
            evidence.siblings >= MANY && !evidence.counts_one_peer(),
            &["next_many", "then_end"],
        )
        .is_if(silent && here, Urgency::Look)
        .is_if(evidence.silent_beyond(BEYOND_ARP), Urgency::Look);
    choice
}

/// A simultaneous open (RFC 9293, 3.5): a full socket of its program, without
/// listener and client.
fn dialled_by_both(evidence: &Evidence) -> Choice {
    let silent = evidence.retransmits(TimerKind::Retransmit);
    let old = evidence.age >= BEYOND_A_ROUND_TRIP;
    let mut choice = Choice::new("next");
    choice
        .say("simultaneous")
        .say_if(silent, "simultaneous_silent")
        .say_if(silent, "next_try")
        .say_if(evidence.recv_queue > 0, "early_data")
        .say_if(evidence.sharers > 0, "shared_owner")
        .next_if(old || silent, &["next_simultaneous", "then_capture"])
        .is_if(old || silent, Urgency::Look);
    choice
}

pub(super) fn syn_received(evidence: &Evidence) -> Choice {
    if evidence.held && !evidence.listened {
        return dialled_by_both(evidence);
    }
    let silent = evidence.retransmits(TimerKind::Retransmit);
    let old = evidence.age >= BEYOND_A_ROUND_TRIP;
    let full = evidence.listener_full;
    let mut choice = Choice::new("next");
    // With a full queue the ACK has arrived and could not be used.
    choice
        .say_if(!silent && !full, "fresh")
        .say_if(silent && !full, "retransmitting")
        .who_if(full, "listener")
        .say_if(evidence.held && evidence.listened, "fast_open")
        .say_if(evidence.held && evidence.recv_queue > 0, "early_data")
        .say_if(full, "queue_full")
        .say_if(old && !full, "old");
    choice
        .say_if(silent, "next_try")
        .say_if(silent && !evidence.held, "limit");
    say_many(evidence, "many", &mut choice);
    choice
        .next_if(old || silent, &["next_old", "then_capture"])
        .next_if(
            evidence.siblings >= MANY,
            &["next_many", "then_cookies", "next_old"],
        )
        .next_if(full, &["next_queue_full", "then_overflows"])
        .is_if(old || silent || evidence.siblings >= MANY, Urgency::Look)
        .is_if(full || evidence.warned_of, Urgency::Act);
    choice
}
