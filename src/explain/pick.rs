//! Chooses the sentences that fit one socket's evidence: which, not how they
//! read. Sentences whose places are unknown fall out later by themselves.

use crate::model::owner::Unowned;
use crate::model::protocol::Protocol;
use crate::model::state::State;
use crate::model::timer::{Timer, TimerKind};
use std::net::IpAddr;
use std::time::Duration;

/// Long enough to be no round trip any more.
const BEYOND_A_ROUND_TRIP: Duration = Duration::from_secs(2);
/// A missing machine of the local network is noticed by now (ARP gives up
/// after about three seconds).
const BEYOND_ARP: Duration = Duration::from_secs(10);
/// A program that pays attention has closed by now.
const LONG: Duration = Duration::from_mins(1);
/// So many more in the same state are worth a sentence.
const MANY: u32 = 10;

/// What the choice depends on.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any may go with any"
)]
pub(super) struct Evidence {
    pub(super) protocol: Protocol,
    pub(super) state: State,
    pub(super) held: bool,
    pub(super) unowned: Option<Unowned>,
    pub(super) recv_queue: u32,
    pub(super) send_queue: u32,
    pub(super) backlog: Option<u32>,
    pub(super) timer: Option<Timer>,
    pub(super) age: Duration,
    pub(super) entry_seen: bool,
    pub(super) local: IpAddr,
    /// Whether it is bound to one interface (`SO_BINDTODEVICE`).
    pub(super) one_interface: bool,
    pub(super) remote_is_here: bool,
    /// Others like it, of the same owner.
    pub(super) siblings: u32,
    /// Of these, those with the same peer address and port.
    pub(super) same_remote: u32,
    /// Whether the listener on this port has more waiting than it lets.
    pub(super) listener_full: bool,
    /// Whether it came here through CLOSING.
    pub(super) simultaneous: bool,
}

/// Names of sentences within the state's table, and of the advice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) sentences: Vec<&'static str>,
    pub(super) next: &'static str,
    /// Who must act, where the evidence tells better than the state.
    pub(super) who: Option<&'static str>,
}

impl Choice {
    fn new(next: &'static str) -> Self {
        Self {
            sentences: Vec::new(),
            next,
            who: None,
        }
    }

    fn say(&mut self, name: &'static str) -> &mut Self {
        self.sentences.push(name);
        self
    }

    fn say_if(&mut self, condition: bool, name: &'static str) -> &mut Self {
        if condition {
            self.sentences.push(name);
        }
        self
    }

    fn who_if(&mut self, condition: bool, who: &'static str) -> &mut Self {
        if condition {
            self.who = Some(who);
        }
        self
    }

    fn next_if(&mut self, condition: bool, name: &'static str) -> &mut Self {
        if condition {
            self.next = name;
        }
        self
    }
}

impl Evidence {
    fn retransmits(&self, kind: TimerKind) -> bool {
        self.timer
            .is_some_and(|timer| timer.kind == kind && timer.retransmits > 0)
    }

    fn counts_one_peer(&self) -> bool {
        counts_one_peer(self.state, self.siblings, self.same_remote)
    }

    fn runs(&self, kind: TimerKind) -> bool {
        self.timer.is_some_and(|timer| timer.kind == kind)
    }
}

/// Whether the number of others that is worth telling is that of those with
/// the same peer, and not of all.
pub(super) fn counts_one_peer(state: State, siblings: u32, same_remote: u32) -> bool {
    match state {
        State::SynSent => same_remote * 2 > siblings,
        State::TimeWait => same_remote >= 10 * MANY,
        _ => false,
    }
}

/// The choice for one socket.
pub(super) fn pick(evidence: &Evidence) -> Choice {
    match evidence.state {
        State::Listen => listen(evidence),
        State::SynSent => syn_sent(evidence),
        State::SynReceived => syn_received(evidence),
        State::Established if evidence.protocol == Protocol::Udp => udp_connected(evidence),
        State::Established => established(evidence),
        State::FinWait1 | State::Closing | State::LastAck => closing_down(evidence),
        State::FinWait2 => fin_wait_2(evidence),
        State::TimeWait => time_wait(evidence),
        State::CloseWait => close_wait(evidence),
        State::Unconnected => udp(evidence),
        State::Closed | State::BoundInactive => {
            let mut choice = Choice::new("next");
            choice
                .say("normal")
                .next_if(evidence.age >= LONG, "next_old");
            choice
        }
        State::Unknown(_) => {
            let mut choice = Choice::new("next");
            choice.say("normal");
            choice
        }
    }
}

fn listen(evidence: &Evidence) -> Choice {
    let waiting = evidence.recv_queue > 0;
    let mut choice = Choice::new("next");
    let everywhere = say_reach(evidence, &mut choice);
    choice.next_if(everywhere, "next_any_address");
    match evidence.backlog {
        Some(backlog) if evidence.recv_queue > backlog => {
            choice.sentences.insert(0, "full");
            choice.next = "next_full";
            choice.who = Some("program");
        }
        Some(_) if waiting => {
            choice.say("queue").next_if(true, "next_queue");
        }
        None if waiting => {
            choice.say("queue_unknown").next_if(true, "next_queue");
        }
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
    choice.say_if(evidence.siblings > 0, "shared");
    choice
}

/// Who can reach a socket that waits for anybody. Says whether everybody can.
fn say_reach(evidence: &Evidence, choice: &mut Choice) -> bool {
    let everywhere = evidence.local.is_unspecified() && !evidence.one_interface;
    let v6_listener = evidence.local.is_ipv6() && evidence.state == State::Listen;
    choice.say(match evidence.local {
        _ if evidence.one_interface => "one_interface",
        _ if everywhere && v6_listener => "any_address_v6",
        _ if everywhere => "any_address",
        local if local.is_loopback() => "loopback_only",
        _ => "one_address",
    });
    everywhere
}

fn syn_sent(evidence: &Evidence) -> Choice {
    let silent = evidence.retransmits(TimerKind::Retransmit);
    let mut choice = Choice::new("next");
    choice
        .say_if(!silent, "fresh")
        .say_if(silent, "retransmitting")
        .say_if(silent, "next_try")
        .say_if(silent, "limit")
        .say_if(silent && evidence.remote_is_here, "loopback")
        .say_if(silent && !evidence.remote_is_here, "silence")
        .next_if(silent, "next_old")
        .next_if(silent && evidence.remote_is_here, "next_loopback");
    if evidence.siblings >= MANY {
        let same = evidence.counts_one_peer();
        let sentence = if same {
            "many_same_remote"
        } else {
            "many_siblings"
        };
        choice.sentences.insert(1, sentence);
        choice.next_if(!same, "next_many");
    }
    choice
}

fn syn_received(evidence: &Evidence) -> Choice {
    let silent = evidence.retransmits(TimerKind::Retransmit);
    let old = evidence.age >= BEYOND_A_ROUND_TRIP;
    let mut choice = Choice::new("next");
    // With a full queue the ACK has come and could not be used.
    choice
        .say_if(!silent && !evidence.listener_full, "fresh")
        .say_if(silent && !evidence.listener_full, "retransmitting")
        .who_if(evidence.listener_full, "listener")
        .say_if(evidence.held, "simultaneous")
        .say_if(evidence.listener_full, "queue_full")
        .say_if(old && !evidence.listener_full, "old")
        .say_if(silent, "next_try")
        .say_if(silent, "limit")
        .say_if(evidence.siblings >= MANY, "many")
        .next_if(old || silent, "next_old")
        .next_if(evidence.siblings >= MANY, "next_many")
        .next_if(evidence.listener_full, "next_queue_full");
    choice
}

/// The listener's program has not taken it yet.
fn not_accepted() -> Choice {
    let mut choice = Choice::new("next_accept_queue");
    choice.say("accept_queue").who = Some("listener");
    choice
}

fn established(evidence: &Evidence) -> Choice {
    if evidence.unowned == Some(Unowned::AcceptQueue) {
        return not_accepted();
    }
    let mut choice = Choice::new("next");
    let silent = evidence.retransmits(TimerKind::Retransmit);
    let closed_window = evidence.runs(TimerKind::ZeroWindowProbe);
    let pending = evidence.send_queue > 0;
    let quiet = evidence.recv_queue == 0 && !pending;
    choice
        .say_if(evidence.recv_queue > 0, "recv_pending")
        .next_if(evidence.recv_queue > 0, "next_recv")
        .who_if(evidence.recv_queue > 0, "program")
        .say_if(pending, "send_pending")
        .next_if(pending, "next_send")
        .who_if(pending, "peer")
        .say_if(silent, "retransmitting")
        .say_if(silent, "next_try")
        .say_if(silent, "limit")
        .next_if(silent, "next_retransmitting")
        .say_if(closed_window, "zero_window")
        .next_if(closed_window, "next_zero_window")
        .say_if(quiet, "idle");
    match evidence.timer {
        Some(timer) if timer.kind == TimerKind::Keepalive => {
            let failing = timer.retransmits > 0;
            choice.say(if failing {
                "keepalive_failing"
            } else {
                "keepalive"
            });
            choice.next_if(failing, "next_retransmitting");
        }
        None => {
            choice.say_if(quiet, "no_keepalive");
        }
        _ => {}
    }
    choice
}

/// FIN_WAIT_1, CLOSING and LAST_ACK: our FIN is on its way, and the peer's
/// kernel must acknowledge it.
fn closing_down(evidence: &Evidence) -> Choice {
    let silent = evidence.retransmits(TimerKind::Retransmit);
    let closed_window = evidence.runs(TimerKind::ZeroWindowProbe);
    let first = evidence.state == State::FinWait1;
    let mut choice = Choice::new("next");
    choice
        .say_if(!first, "normal")
        .say_if(first && evidence.held, "owned")
        .say_if(first && !evidence.held, "orphan")
        .say_if(evidence.send_queue > 1, "send_pending")
        .say_if(silent, "retransmitting")
        .say_if(silent, "next_try")
        .say_if(closed_window, "zero_window")
        .say_if(silent && evidence.held, "limit_owned")
        // With a closed window an orphan may outlive that limit.
        .say_if(silent && !evidence.held && !closed_window, "limit_orphan")
        .say_if(evidence.siblings >= MANY, "many")
        .say_if(!evidence.held, "last_owner")
        .next_if(evidence.age >= BEYOND_ARP || silent, "next_old")
        .next_if(closed_window, "next_zero_window");
    choice
}

fn fin_wait_2(evidence: &Evidence) -> Choice {
    // The keepalive timer of an orphan may be followed by as long a wait again.
    let timed = !evidence.held && evidence.runs(TimerKind::TimeWait);
    let mut choice = Choice::new("next");
    choice
        .say_if(evidence.held, "owned")
        .say_if(!evidence.held, "orphan")
        .say_if(timed, "expires")
        .say_if(!evidence.held && !timed, "limit_orphan")
        .say_if(evidence.held && evidence.recv_queue > 0, "recv_pending")
        .say_if(evidence.siblings >= MANY, "many")
        .say_if(!evidence.held, "last_owner")
        .next_if(evidence.held, "next_owned")
        .next_if(!evidence.held && evidence.age >= LONG, "next_old");
    choice
}

fn time_wait(evidence: &Evidence) -> Choice {
    let many_same = evidence.counts_one_peer();
    let mut choice = Choice::new("next");
    choice
        .say_if(!evidence.simultaneous, "normal")
        .say_if(evidence.simultaneous, "simultaneous")
        .say_if(evidence.timer.is_some(), "expires")
        .say_if(evidence.timer.is_none(), "limit")
        .say("last_owner")
        .say_if(many_same, "many_same_remote")
        .say_if(!many_same && evidence.siblings >= MANY, "many")
        .next_if(many_same, "next_many");
    choice
}

fn close_wait(evidence: &Evidence) -> Choice {
    if evidence.unowned == Some(Unowned::AcceptQueue) {
        return not_accepted();
    }
    let mut choice = Choice::new("next");
    let fresh = evidence.entry_seen && evidence.age < BEYOND_A_ROUND_TRIP;
    let old = evidence.age >= LONG;
    // Many that were there already when watching began tell as much as age.
    let leak = evidence.siblings >= MANY && (old || !evidence.entry_seen);
    choice
        .say_if(fresh, "fresh")
        .say_if(!fresh, "peer_closed")
        .say_if(!fresh && evidence.recv_queue == 0, "noticed")
        .say_if(!fresh && evidence.recv_queue == 1, "unread_fin")
        .say_if(evidence.recv_queue > 1, "unread")
        .say_if(evidence.send_queue > 0, "send_pending")
        .say_if(leak, "leak")
        .say_if(old && !leak, "old")
        .next_if(!fresh, "next_old")
        .next_if(leak, "next_leak");
    choice
}

fn udp_connected(evidence: &Evidence) -> Choice {
    let mut choice = Choice::new("next_udp");
    choice
        .say("connected")
        .say_if(evidence.recv_queue > 0, "recv_pending_udp");
    choice
}

fn udp(evidence: &Evidence) -> Choice {
    let mut choice = Choice::new("next");
    choice.say("any");
    say_reach(evidence, &mut choice);
    choice
        .say_if(evidence.recv_queue > 0, "recv_pending")
        .next_if(evidence.recv_queue > 0, "next_recv");
    choice
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{Catalogue, Language};
    use super::*;
    use std::net::Ipv4Addr;

    fn evidence(state: State) -> Evidence {
        Evidence {
            protocol: Protocol::Tcp,
            state,
            held: true,
            unowned: None,
            recv_queue: 0,
            send_queue: 0,
            backlog: None,
            timer: None,
            age: Duration::from_secs(5),
            entry_seen: true,
            local: Ipv4Addr::new(192, 0, 2, 10).into(),
            one_interface: false,
            remote_is_here: false,
            siblings: 0,
            same_remote: 0,
            listener_full: false,
            simultaneous: false,
        }
    }

    fn resent(kind: TimerKind) -> Timer {
        Timer {
            kind,
            expires_ms: 4000,
            retransmits: 3,
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn evidence_decides_the_advice() {
        let base = evidence;
        let cases = [
            (base(State::CloseWait), "next_old", "noticed"),
            (
                Evidence {
                    recv_queue: 1,
                    ..base(State::CloseWait)
                },
                "next_old",
                "unread_fin",
            ),
            (
                Evidence {
                    recv_queue: 33,
                    siblings: 213,
                    entry_seen: false,
                    ..base(State::CloseWait)
                },
                "next_leak",
                "unread",
            ),
            (
                Evidence {
                    age: Duration::from_secs(1),
                    ..base(State::CloseWait)
                },
                "next",
                "fresh",
            ),
            (
                Evidence {
                    timer: Some(resent(TimerKind::Retransmit)),
                    ..base(State::SynSent)
                },
                "next_old",
                "silence",
            ),
            (
                Evidence {
                    siblings: 2000,
                    ..base(State::SynSent)
                },
                "next_many",
                "many_siblings",
            ),
            (
                Evidence {
                    siblings: 20,
                    same_remote: 20,
                    ..base(State::SynSent)
                },
                "next",
                "many_same_remote",
            ),
            (
                Evidence {
                    recv_queue: 5,
                    backlog: Some(4),
                    ..base(State::Listen)
                },
                "next_full",
                "full",
            ),
            (
                Evidence {
                    backlog: Some(0),
                    ..base(State::Listen)
                },
                "next",
                "limit_zero",
            ),
            (
                Evidence {
                    held: false,
                    ..base(State::FinWait2)
                },
                "next",
                "orphan",
            ),
            (
                Evidence {
                    unowned: Some(Unowned::AcceptQueue),
                    ..base(State::Established)
                },
                "next_accept_queue",
                "accept_queue",
            ),
            (
                Evidence {
                    timer: Some(resent(TimerKind::ZeroWindowProbe)),
                    send_queue: 9,
                    ..base(State::Established)
                },
                "next_zero_window",
                "zero_window",
            ),
            (base(State::TimeWait), "next", "normal"),
        ];
        for (evidence, next, sentence) in cases {
            let choice = pick(&evidence);
            assert_eq!(choice.next, next, "{evidence:?}");
            assert!(choice.sentences.contains(&sentence), "{choice:?}");
        }
    }

    /// Every choice that any evidence can lead to names sentences that exist.
    #[test]
    fn every_choice_has_its_words() {
        let words = Catalogue::of(Language::English);
        let timers = [
            None,
            Some(resent(TimerKind::Retransmit)),
            Some(resent(TimerKind::Keepalive)),
            Some(resent(TimerKind::ZeroWindowProbe)),
        ];
        let locals: [IpAddr; 4] = ["0.0.0.0", "::", "::1", "192.0.2.1"].map(|a| a.parse().unwrap());
        for state in State::ALL.into_iter().chain([State::Unknown(0)]) {
            for (bits, timer) in (0..1024_u32).flat_map(|bits| timers.map(|timer| (bits, timer))) {
                let bit = |number: u32| bits >> number & 1 == 1;
                let evidence = Evidence {
                    held: bit(0),
                    unowned: bit(1).then_some(Unowned::AcceptQueue),
                    recv_queue: bits >> 2 & 3,
                    send_queue: if bit(4) { 9 } else { 0 },
                    backlog: bit(5).then_some(bits >> 4 & 1),
                    timer,
                    age: Duration::from_secs(if bit(6) { 90 } else { 1 }),
                    entry_seen: bit(7),
                    local: locals[(bits & 3) as usize],
                    remote_is_here: bit(3),
                    one_interface: bit(4),
                    siblings: if bit(8) { 500 } else { 0 },
                    same_remote: if bit(9) { 400 } else { 0 },
                    listener_full: bit(2),
                    simultaneous: bit(5),
                    ..evidence(state)
                };
                let choice = pick(&evidence);
                for name in choice.sentences.iter().chain([&choice.next]) {
                    let sentence = words.diagnosis(state.key(), name);
                    assert!(!sentence.is_empty(), "{state} {name}");
                }
            }
        }
    }
}
