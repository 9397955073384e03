//! Unacknowledged segments: a silent peer, a path that takes only smaller
//! packets, or a packet filter here.

use super::super::urgency::Urgency;
use super::{Choice, Evidence, STUCK, Window, say_end};
use crate::model::state::State;
use crate::model::timer::TimerKind;

/// Signs of a path that takes only smaller packets and does not report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) enum Mtu {
    /// The peer has acknowledged later, smaller segments, but not a full-size one.
    LaterArrive,
    /// The handshake was acknowledged, and no full-size segment ever.
    NoneArrives,
}

impl Evidence {
    /// True if a segment of this side is retransmitted without an answer.
    pub(super) fn resends(&self) -> bool {
        self.retransmits(TimerKind::Retransmit)
    }

    /// True if data of a program has gone without an answer for long enough for
    /// a finding to warn of it. Single clients of a server vanish every day:
    /// there the finding, which counts them, decides.
    pub(super) fn loses_data(&self) -> bool {
        let stands = matches!(
            self.state,
            State::Established | State::CloseWait | State::FinWait1
        );
        let fin = u32::from(self.state == State::FinWait1);
        let stuck = stands && self.held && self.send_queue > fin && self.silent_beyond(STUCK);
        stuck && (self.warned_of || !self.listened)
    }

    /// True if nothing gets out of this machine.
    pub(super) fn kept_here(&self) -> bool {
        self.window == Some(Window::StuckHere) || (self.unsent_here && self.resends())
    }
}

/// Adds retransmitted data or FIN, and the time until the kernel gives up.
pub(super) fn say_unacknowledged(evidence: &Evidence, limit: &'static str, choice: &mut Choice) {
    if !evidence.resends() {
        return;
    }
    let held = evidence.held || evidence.state != State::FinWait1;
    let stands = matches!(
        evidence.state,
        State::Established | State::CloseWait | State::FinWait1
    );
    let advice: &[&str] = match (evidence.unsent_here, evidence.mtu) {
        (true, _) => &["next_stuck_here", "then_route", "then_rules"],
        (false, Some(_)) => &["next_mtu", "then_tracepath", "then_mtu_probing"],
        (false, None) if evidence.remote_is_here => {
            &["next_rule_here", "then_rules", "then_capture"]
        }
        (false, None) if stands && held => {
            &["next_retransmitting", "then_user_timeout", "then_capture"]
        }
        (false, None) => &["next_old", "then_capture"],
    };
    choice.say(match (evidence.unsent_here, evidence.mtu) {
        (true, _) => "unsent_here",
        (false, Some(Mtu::LaterArrive)) => "mtu_later",
        (false, Some(Mtu::NoneArrives)) => "mtu_none",
        (false, None) => "retransmitting",
    });
    say_end(evidence, limit, choice);
    choice
        .next_if(true, advice)
        .who_if(evidence.unsent_here, "kernel")
        .is_if(evidence.loses_data(), Urgency::Act);
}

/// Adds data that waits although nothing is wrong: the program itself holds it
/// back.
pub(super) fn say_held_back(evidence: &Evidence, choice: &mut Choice) {
    let corked = evidence.window == Some(Window::HeldBack);
    choice
        .say_if(evidence.paced, "paced")
        .say_if(corked && !evidence.paced, "held_back")
        .who_if(evidence.paced || corked, "kernel")
        .next_if(corked, &["next_held_back"])
        .next_if(evidence.paced, &["next_paced"]);
}
