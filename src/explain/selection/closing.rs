//! Closing, once this side has closed.

use super::facts::{ARP_TIMEOUT, LONG_LIVED, MANY_SIMILAR, SocketFacts, VERY_MANY_SIMILAR};
use super::path::push_unacknowledged;
use super::selected::Selection;
use super::shared_sentences::{push_keepalive, push_similar, push_window};
use crate::explain::urgency::Urgency;
use crate::model::state::State;
use crate::model::timer::TimerKind;

/// `FIN_WAIT1`, `CLOSING` and `LAST_ACK`: our FIN is on its way, and the peer's
/// kernel must acknowledge it.
pub(super) fn closing_down(facts: &SocketFacts) -> Selection {
    let first = facts.state == State::FinWait1;
    let mut selection = Selection::new("next");
    selection
        .push_if(!first, "normal")
        .push_if(first && facts.has_inode && !facts.receiving_shut, "owned")
        .push_if(
            first && facts.has_inode && facts.receiving_shut,
            "owned_shut",
        )
        .push_if(first && !facts.has_inode, "orphan")
        .push_if(facts.send_queue > 1, "send_pending")
        .advise_if(facts.age >= ARP_TIMEOUT, &["next_old", "then_capture"]);
    let limit = if facts.has_inode {
        "limit_owned"
    } else {
        "limit_orphan"
    };
    push_unacknowledged(facts, limit, &mut selection);
    push_similar(facts, "many", &mut selection);
    selection
        .push_if(!facts.has_inode, "last_owner")
        .push_if(facts.keeps_port, "keeps_port")
        .push_if(facts.other_holders > 0, "shared_owner")
        .advise_if(
            facts.keeps_port && facts.age < ARP_TIMEOUT && !facts.is_retransmitting(),
            &["next_keeps_port"],
        )
        .at_least_if(facts.age >= ARP_TIMEOUT, Urgency::Look)
        .at_least_if(
            facts.similar >= VERY_MANY_SIMILAR && facts.grows(),
            Urgency::Look,
        )
        .at_least_if(facts.unanswered_beyond(ARP_TIMEOUT), Urgency::Look);
    push_window(facts, &mut selection);
    selection
}

/// The program sends no more and reads on, and the peer sends: legal without a
/// time limit (RFC 9293, 3.6).
fn half_closed(facts: &SocketFacts) -> Selection {
    let mut selection = Selection::new("next_half_closed");
    selection
        .push("half_closed")
        .push_if(facts.recv_queue > 0, "recv_pending");
    selection.sentences.extend(facts.last_data_key());
    selection.push_if(facts.other_holders > 0, "shared_owner");
    selection
}

pub(super) fn fin_wait_2(facts: &SocketFacts) -> Selection {
    let receives = facts.received_ago.is_some_and(|ago| ago < ARP_TIMEOUT);
    if receives && facts.has_inode && !facts.receiving_shut {
        return half_closed(facts);
    }
    // The keepalive timer of an orphan may be followed by a second wait as
    // long.
    let timed = !facts.has_inode && facts.runs_timer(TimerKind::TimeWait);
    let mut selection = Selection::new("next");
    selection
        .push_if(facts.has_inode && !facts.receiving_shut, "owned")
        .push_if(facts.has_inode && facts.receiving_shut, "owned_shut")
        .push_if(!facts.has_inode, "orphan")
        .push_if(timed, "expires")
        .push_if(!facts.has_inode && !timed, "limit_orphan")
        .push_if(facts.has_inode && facts.recv_queue > 0, "recv_pending");
    push_similar(facts, "many", &mut selection);
    if facts.has_inode {
        push_keepalive(facts, true, &mut selection);
        selection.sentences.extend(facts.last_data_key());
    }
    selection
        .push_if(!facts.has_inode, "last_owner")
        .push_if(facts.keeps_port, "keeps_port")
        .push_if(facts.other_holders > 0, "shared_owner")
        .advise_if(facts.keeps_port, &["next_keeps_port"])
        .advise_if(
            facts.has_inode && !facts.retransmits(TimerKind::Keepalive),
            &["next_owned", "then_close"],
        )
        .advise_if(
            facts.has_inode && facts.receiving_shut && !facts.retransmits(TimerKind::Keepalive),
            &["next_owned_shut", "then_close"],
        )
        .advise_if(!facts.has_inode && facts.age >= LONG_LIVED, &["next_old"])
        .at_least_if(facts.has_inode && facts.age >= LONG_LIVED, Urgency::Look)
        .at_least_if(facts.similar >= MANY_SIMILAR, Urgency::Look);
    selection
}

pub(super) fn time_wait(facts: &SocketFacts) -> Selection {
    let many_same = facts.counts_one_peer();
    let ports = facts.local_ports.filter(|_| many_same);
    let taken = |percent: u64| {
        ports.is_some_and(|ports| u64::from(facts.same_remote) * 100 >= u64::from(ports) * percent)
    };
    let mut selection = Selection::new("next");
    selection
        .push(match (facts.simultaneous_close, facts.closed_first) {
            (true, _) => "simultaneous",
            (false, true) => "normal",
            // The FINs may have crossed without being seen.
            (false, false) => "first_or_both",
        })
        .push(if facts.timer.is_some() {
            "expires"
        } else {
            "limit"
        })
        .push("last_owner")
        .push_if(many_same, "many_same_remote")
        .push_if(taken(50), "ports");
    if !many_same {
        selection.push_if(facts.similar >= MANY_SIMILAR, "many");
    }
    if facts.similar >= MANY_SIMILAR {
        selection.sentences.extend(facts.trend_key());
    }
    selection
        .push_if(facts.keeps_port, "keeps_port")
        .advise_if(facts.keeps_port, &["next_keeps_port"])
        .advise_if(many_same, &["next_many", "then_ports"])
        .at_least_if(taken(50), Urgency::Look)
        .at_least_if(taken(50) && facts.has_warning, Urgency::Act);
    selection
}
