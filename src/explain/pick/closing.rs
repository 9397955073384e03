//! Closing, once this side has closed.

use super::super::urgency::Urgency;
use super::path::say_unacknowledged;
use super::{
    BEYOND_ARP, Choice, Evidence, LONG, MANY, VERY_MANY, say_keepalive, say_many, say_window,
};
use crate::model::state::State;
use crate::model::timer::TimerKind;

/// `FIN_WAIT1`, `CLOSING` and `LAST_ACK`: our FIN is on its way, and the peer's
/// kernel must acknowledge it.
pub(super) fn closing_down(evidence: &Evidence) -> Choice {
    let first = evidence.state == State::FinWait1;
    let mut choice = Choice::new("next");
    choice
        .say_if(!first, "normal")
        .say_if(first && evidence.held && !evidence.receiving_shut, "owned")
        .say_if(
            first && evidence.held && evidence.receiving_shut,
            "owned_shut",
        )
        .say_if(first && !evidence.held, "orphan")
        .say_if(evidence.send_queue > 1, "send_pending")
        .next_if(evidence.age >= BEYOND_ARP, &["next_old", "then_capture"]);
    let limit = if evidence.held {
        "limit_owned"
    } else {
        "limit_orphan"
    };
    say_unacknowledged(evidence, limit, &mut choice);
    say_many(evidence, "many", &mut choice);
    choice
        .say_if(!evidence.held, "last_owner")
        .say_if(evidence.keeps_port, "keeps_port")
        .say_if(evidence.sharers > 0, "shared_owner")
        .next_if(
            evidence.keeps_port && evidence.age < BEYOND_ARP && !evidence.resends(),
            &["next_keeps_port"],
        )
        .is_if(evidence.age >= BEYOND_ARP, Urgency::Look)
        .is_if(
            evidence.siblings >= VERY_MANY && evidence.grows(),
            Urgency::Look,
        )
        .is_if(evidence.silent_beyond(BEYOND_ARP), Urgency::Look);
    say_window(evidence, &mut choice);
    choice
}

/// The program sends no more and reads on, and the peer sends: legal without a
/// time limit (RFC 9293, 3.6).
fn half_closed(evidence: &Evidence) -> Choice {
    let mut choice = Choice::new("next_half_closed");
    choice
        .say("half_closed")
        .say_if(evidence.recv_queue > 0, "recv_pending");
    choice.sentences.extend(evidence.last_data());
    choice.say_if(evidence.sharers > 0, "shared_owner");
    choice
}

pub(super) fn fin_wait_2(evidence: &Evidence) -> Choice {
    let receives = evidence.received_ago.is_some_and(|ago| ago < BEYOND_ARP);
    if receives && evidence.held && !evidence.receiving_shut {
        return half_closed(evidence);
    }
    // The keepalive timer of an orphan may be followed by a second wait as
    // long.
    let timed = !evidence.held && evidence.runs(TimerKind::TimeWait);
    let mut choice = Choice::new("next");
    choice
        .say_if(evidence.held && !evidence.receiving_shut, "owned")
        .say_if(evidence.held && evidence.receiving_shut, "owned_shut")
        .say_if(!evidence.held, "orphan")
        .say_if(timed, "expires")
        .say_if(!evidence.held && !timed, "limit_orphan")
        .say_if(evidence.held && evidence.recv_queue > 0, "recv_pending");
    say_many(evidence, "many", &mut choice);
    if evidence.held {
        say_keepalive(evidence, true, &mut choice);
        choice.sentences.extend(evidence.last_data());
    }
    choice
        .say_if(!evidence.held, "last_owner")
        .say_if(evidence.keeps_port, "keeps_port")
        .say_if(evidence.sharers > 0, "shared_owner")
        .next_if(evidence.keeps_port, &["next_keeps_port"])
        .next_if(
            evidence.held && !evidence.retransmits(TimerKind::Keepalive),
            &["next_owned", "then_close"],
        )
        .next_if(
            evidence.held && evidence.receiving_shut && !evidence.retransmits(TimerKind::Keepalive),
            &["next_owned_shut", "then_close"],
        )
        .next_if(!evidence.held && evidence.age >= LONG, &["next_old"])
        .is_if(evidence.held && evidence.age >= LONG, Urgency::Look)
        .is_if(evidence.siblings >= MANY, Urgency::Look);
    choice
}

pub(super) fn time_wait(evidence: &Evidence) -> Choice {
    let many_same = evidence.counts_one_peer();
    let ports = evidence.local_ports.filter(|_| many_same);
    let taken = |percent: u64| {
        ports.is_some_and(|ports| {
            u64::from(evidence.same_remote) * 100 >= u64::from(ports) * percent
        })
    };
    let mut choice = Choice::new("next");
    choice
        .say(match (evidence.simultaneous, evidence.first) {
            (true, _) => "simultaneous",
            (false, true) => "normal",
            // The FINs may have crossed without being seen.
            (false, false) => "first_or_both",
        })
        .say(if evidence.timer.is_some() {
            "expires"
        } else {
            "limit"
        })
        .say("last_owner")
        .say_if(many_same, "many_same_remote")
        .say_if(taken(50), "ports");
    if !many_same {
        choice.say_if(evidence.siblings >= MANY, "many");
    }
    if evidence.siblings >= MANY {
        choice.sentences.extend(evidence.trend());
    }
    choice
        .say_if(evidence.keeps_port, "keeps_port")
        .next_if(evidence.keeps_port, &["next_keeps_port"])
        .next_if(many_same, &["next_many", "then_ports"])
        .is_if(taken(50), Urgency::Look)
        .is_if(taken(50) && evidence.warned_of, Urgency::Act);
    choice
}
