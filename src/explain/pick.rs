//! Selects the sentences that fit the facts of one socket, its urgency and the
//! advice: by name, not their text. Sentences with unknown placeholders are
//! dropped later.
//!
//! One module for each part of a connection's lifecycle. A name is searched
//! among the sentences of the state, then among those that every state shares.

mod closing;
mod open;
mod opening;
mod path;
#[cfg(test)]
mod tests;
mod udp;
mod within;

use super::urgency::Urgency;
use crate::model::network::Lost;
use crate::model::owner::Unowned;
use crate::model::protocol::Protocol;
use crate::model::state::State;
use crate::model::timer::{Timer, TimerKind};
pub(super) use path::Mtu;
use std::net::IpAddr;
use std::time::Duration;
pub(super) use within::{OtherEnd, Target};

/// Longer than a round trip.
const BEYOND_A_ROUND_TRIP: Duration = Duration::from_secs(2);
/// Time after which a missing host of the local network is noticed (ARP gives
/// up after about three seconds).
const BEYOND_ARP: Duration = Duration::from_secs(10);
/// Time after which data without an acknowledgement is stuck: the default of
/// the rule about it.
const STUCK: Duration = Duration::from_secs(15);
/// Time within which a healthy program has closed.
const LONG: Duration = Duration::from_mins(1);
/// Number of further sockets in the same state that is worth a sentence.
const MANY: u32 = 10;
/// Number of further sockets that is more than chance.
const VERY_MANY: u32 = 10 * MANY;

/// Time after which a client that waits to be accepted does not wait for a busy
/// moment to pass.
const ACCEPT_SLOW: Duration = Duration::from_secs(5);
/// Number of old sockets in `CLOSE_WAIT` that is a leak, however they came; the
/// same as in the finding.
const LEAK_MANY: u32 = 50;

/// Facts that the selection depends on.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any may go with any"
)]
pub(super) struct Evidence {
    pub(super) protocol: Protocol,
    pub(super) state: State,
    pub(super) held: bool,
    /// True if a process that holds it is known.
    pub(super) owned: bool,
    /// Number of further processes that hold it.
    pub(super) sharers: usize,
    pub(super) unowned: Option<Unowned>,
    pub(super) recv_queue: u32,
    pub(super) send_queue: u32,
    pub(super) backlog: Option<u32>,
    pub(super) timer: Option<Timer>,
    /// Time for which something has been retransmitted without an answer.
    pub(super) silent_for: Option<Duration>,
    /// True if the time at which the kernel gives up is known.
    pub(super) ends: bool,
    /// True if the running wait is the last before that.
    pub(super) last_wait: bool,
    /// The reason why the kernel probes the window, if it does.
    pub(super) window: Option<Window>,
    /// True if retransmissions do not leave this machine.
    pub(super) unsent_here: bool,
    /// Signs that full-size packets are lost.
    pub(super) mtu: Option<Mtu>,
    /// True if the program limits its own rate, and data waits for that.
    pub(super) paced: bool,
    /// True if the program has set keepalive times that are not the system's.
    pub(super) own_keepalive: bool,
    /// Spacing of unanswered keepalive probes, if observed.
    pub(super) spacing: Option<Spacing>,
    /// True if both ends are this very socket.
    pub(super) itself: bool,
    /// The other end, if that is on this machine.
    pub(super) other_end: Option<OtherEnd>,
    /// Listener at the target of a SYN, if that is this machine.
    pub(super) target: Option<Target>,
    /// Half-open connections of a listener.
    pub(super) half_open: u32,
    /// True if data went with the SYN (TCP Fast Open).
    pub(super) data_in_syn: bool,
    /// True if no segment of it has left this machine.
    pub(super) nothing_sent: bool,
    pub(super) age: Duration,
    pub(super) entry_seen: bool,
    /// Directions in which data was sent, if known.
    pub(super) carried: Option<Carried>,
    /// Time since data was last received, if known.
    pub(super) received_ago: Option<Duration>,
    pub(super) local: IpAddr,
    /// The missing address or interface that it is bound to, if known.
    pub(super) lost: Option<Lost>,
    /// True if there are only loopback addresses, if known.
    pub(super) loopback_only: Option<bool>,
    /// True if it accepts IPv6 alone, if known.
    pub(super) v6_only: Option<bool>,
    /// True if the source reports interfaces.
    pub(super) interface_told: bool,
    /// True if it is bound to one interface (`SO_BINDTODEVICE`).
    pub(super) one_interface: bool,
    pub(super) remote_is_here: bool,
    /// True if the program has shut its receiving half down, too.
    pub(super) receiving_shut: bool,
    /// True if it is a path of an MPTCP connection.
    pub(super) subflow: bool,
    /// True if it dropped datagrams since it was opened.
    pub(super) dropped: bool,
    /// Number of similar sockets of the same owner.
    pub(super) siblings: u32,
    /// Number of these with the same peer address and port.
    pub(super) same_remote: u32,
    /// Change of their number over some time.
    pub(super) change: Option<i64>,
    /// Number of local ports for one destination.
    pub(super) local_ports: Option<u32>,
    /// True if more connections wait at the listener on this port than its
    /// backlog.
    pub(super) listener_full: bool,
    /// True if it still has the address of a peer.
    pub(super) has_peer: bool,
    /// True if there is a listener on this port.
    pub(super) listened: bool,
    /// True if it is left from a server's connection, and there is no listener
    /// on the port.
    pub(super) keeps_port: bool,
    /// True if it came here through CLOSING.
    pub(super) simultaneous: bool,
    /// True if it was opened by a simultaneous open: both ends sent a SYN.
    pub(super) dialled_by_both: bool,
    /// True if it came here through FIN_WAIT2, and so has closed first.
    pub(super) first: bool,
    /// Waiting time of the oldest connection at this listener, or of this one
    /// until it is accepted, if known.
    pub(super) waited: Option<Waited>,
    /// Obstacle that keeps its program from working, as the name of a sentence.
    pub(super) plight: Option<&'static str>,
    /// True if a finding that is at least a warning explains its problem.
    pub(super) warned_of: bool,
    /// True if the program has sent data long after the peer's last data.
    pub(super) still_sends: bool,
    /// True if nothing reports when data was last sent, as with `/proc`.
    pub(super) sending_unknown: bool,
}

/// Observed spacing of keepalive probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// Not the system's: the program has set it.
    Own,
    /// The system's, as far as is known.
    Plain,
}

/// A wait to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waited {
    pub(super) time: Duration,
    /// True if that is a lower bound.
    pub(super) at_least: bool,
}

/// Reason why unsent data is not transmitted (persist timer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// The peer's window is closed, and each probe is answered; `ends` if the
    /// kernel does not probe for ever, and for how long is known.
    Closed {
        /// True if the end is known.
        ends: bool,
    },
    /// The peer's window was closed, and the last probes were not answered.
    Silent,
    /// The peer's window is open, and attempts to send have failed: nothing
    /// gets out of this machine.
    StuckHere,
    /// The peer's window is open, and nothing has been tried: the program holds
    /// it back (`TCP_CORK`, pacing).
    HeldBack,
}

/// Directions in which data was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// Both.
    Both,
    /// Only to the peer.
    Sent,
    /// Only from the peer.
    Received,
    /// None.
    Nothing,
}

/// Names of the selected sentences and of the advice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) sentences: Vec<&'static str>,
    pub(super) urgency: Urgency,
    /// Advice: at least one item, the most useful first.
    pub(super) next: Vec<&'static str>,
    /// The next actor, if the facts give a better one than the state.
    pub(super) who: Option<&'static str>,
}

impl Choice {
    fn new(next: &'static str) -> Self {
        Self {
            sentences: Vec::new(),
            urgency: Urgency::Normal,
            next: vec![next],
            who: None,
        }
    }

    /// Replaces the advice by the one for what keeps the program from working.
    fn next_for(&mut self, plight: Option<&str>) -> &mut Self {
        match plight {
            Some("plight_stopped") => self.next_if(true, &["next_stopped"]),
            Some("plight_traced") => self.next_if(true, &["next_traced"]),
            Some("plight_uninterruptible") => self.next_if(true, &["next_uninterruptible"]),
            Some("plight_descriptors") => self.next_if(true, &["next_descriptors"]),
            _ => self,
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

    /// Replaces the advice by a better one.
    fn next_if(&mut self, condition: bool, names: &[&'static str]) -> &mut Self {
        if condition {
            self.next = names.to_vec();
        }
        self
    }

    /// Raises the urgency to at least this.
    fn is_if(&mut self, condition: bool, urgency: Urgency) -> &mut Self {
        if condition {
            self.urgency = self.urgency.max(urgency);
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

    fn silent_beyond(&self, time: Duration) -> bool {
        self.silent_for.is_some_and(|silent| silent >= time)
    }

    fn grows(&self) -> bool {
        self.change.is_some_and(|change| change > 0)
    }

    fn shrinks(&self) -> bool {
        self.change.is_some_and(|change| change < 0)
    }

    /// Direction in which the number of similar sockets goes.
    fn trend(&self) -> Option<&'static str> {
        self.change.map(|change| match change {
            1.. => "grows",
            0 => "stays",
            _ => "shrinks",
        })
    }

    /// Time of the last data, either way.
    fn last_data(&self) -> Option<&'static str> {
        // A retransmission counts as sent.
        let again = self.resends();
        self.carried.map(|carried| match carried {
            Carried::Both if again => "last_data_tried",
            Carried::Sent if again => "last_tried",
            Carried::Both => "last_data",
            Carried::Sent => "last_sent",
            Carried::Received => "last_received",
            Carried::Nothing => "no_data",
        })
    }
}

/// True if the relevant number of others is that of those with the same peer,
/// and not of all.
pub(super) fn counts_one_peer(state: State, siblings: u32, same_remote: u32) -> bool {
    match state {
        State::SynSent => same_remote * 2 > siblings,
        State::TimeWait => same_remote >= VERY_MANY,
        _ => false,
    }
}

/// Selects the sentences for one socket.
pub(super) fn pick(evidence: &Evidence) -> Choice {
    let mut choice = of_state(evidence);
    choice.say_if(evidence.subflow, "subflow");
    say_lost(evidence, &mut choice);
    choice
}

fn of_state(evidence: &Evidence) -> Choice {
    match evidence.state {
        State::Listen => opening::listen(evidence),
        State::SynSent => opening::syn_sent(evidence),
        State::SynReceived => opening::syn_received(evidence),
        State::Established if evidence.protocol == Protocol::Udp => udp::connected(evidence),
        State::Established => open::established(evidence),
        State::FinWait1 | State::Closing | State::LastAck => closing::closing_down(evidence),
        State::FinWait2 => closing::fin_wait_2(evidence),
        State::TimeWait => closing::time_wait(evidence),
        State::CloseWait => open::close_wait(evidence),
        State::Unconnected => udp::unconnected(evidence),
        State::Closed | State::BoundInactive => unused(evidence),
        State::Unknown(_) => {
            let mut choice = Choice::new("next");
            choice.say("normal").is_if(true, Urgency::Look);
            choice
        }
    }
}

/// A socket that neither listens nor is connected.
fn unused(evidence: &Evidence) -> Choice {
    let mut choice = Choice::new("next");
    choice
        .say(match (evidence.has_peer, evidence.state) {
            (true, _) => "ended",
            (false, State::BoundInactive) if evidence.listened => "listened",
            _ => "normal",
        })
        .say_if(evidence.sharers > 0, "shared_owner")
        .next_if(evidence.age >= LONG, &["next_old"])
        .next_if(evidence.has_peer, &["next_ended"]);
    choice
}

/// Adds the hosts that can reach a socket without a peer. Returns true if other
/// machines can, as far as is known.
fn say_reach(evidence: &Evidence, choice: &mut Choice) -> bool {
    let everywhere = evidence.local.is_unspecified() && !evidence.one_interface;
    if evidence.lost.is_some() {
        return false;
    }
    if everywhere && evidence.loopback_only == Some(true) {
        choice.say("no_interface");
        return false;
    }
    let v6 = evidence.local.is_ipv6();
    choice.say(match evidence.local {
        _ if evidence.one_interface => "one_interface",
        _ if everywhere && !evidence.interface_told => "any_address_untold",
        _ if everywhere && v6 => match evidence.v6_only {
            Some(true) => "any_address_v6_only",
            Some(false) => "any_address_v6_too",
            None => "any_address_v6",
        },
        _ if everywhere => "any_address",
        local if local.is_loopback() => "loopback_only",
        _ => "one_address",
    });
    choice.say_if(everywhere && evidence.interface_told, "reached_over");
    everywhere
}

/// Leads with the missing address or interface that the socket is bound to:
/// nothing else matters then.
fn say_lost(evidence: &Evidence, choice: &mut Choice) {
    let Some(lost) = evidence.lost else {
        return;
    };
    let waits = matches!(
        evidence.state,
        State::Listen | State::Unconnected | State::BoundInactive
    );
    let (sentence, next) = match (lost, waits) {
        (Lost::Interface, true) => ("interface_gone", "next_interface_gone"),
        (Lost::Interface, false) => ("interface_gone_peer", "next_interface_gone_peer"),
        (Lost::Address, true) => ("address_gone", "next_address_gone"),
        (Lost::Address, false) => ("address_gone_peer", "next_address_gone_peer"),
    };
    choice.sentences.insert(0, sentence);
    choice
        .next_if(true, &[next])
        .next_if(lost == Lost::Address && !waits, &[next, "then_route_from"])
        .who_if(evidence.owned, "program")
        .is_if(true, Urgency::Look);
}

/// Adds the number of similar sockets, and its trend.
fn say_many(evidence: &Evidence, name: &'static str, choice: &mut Choice) {
    if evidence.siblings >= MANY {
        choice.say(name);
        choice.sentences.extend(evidence.trend());
    }
}

/// Adds the start and the end of the wait for an answer.
fn say_end(evidence: &Evidence, limit: &'static str, choice: &mut Choice) {
    choice
        .say_if(!evidence.last_wait, "next_try")
        .say(if evidence.ends { "gives_up" } else { limit });
}

/// Adds the reason why nothing is under way, although something waits.
fn say_window(evidence: &Evidence, choice: &mut Choice) {
    let Some(window) = evidence.window else {
        return;
    };
    let mine_to_read = evidence.recv_queue > 0 && evidence.state == State::Established;
    choice.is_if(window != Window::HeldBack, Urgency::Look);
    match window {
        Window::Closed { ends } => {
            // The other end is described instead, if it is in the table.
            choice
                .say_if(!evidence.waits_for_other_end(), "zero_window")
                .say_if(ends, "window_given_up")
                .next_if(!mine_to_read, &["next_zero_window"]);
        }
        Window::Silent => {
            choice
                .is_if(evidence.loses_data(), Urgency::Act)
                .say("window_silent")
                .say_if(!evidence.last_wait, "window_next")
                .say_if(evidence.ends, "gives_up")
                .next_if(!mine_to_read, &["next_retransmitting", "then_capture"]);
        }
        Window::StuckHere => {
            choice
                .say("stuck_here")
                .next_if(
                    !mine_to_read,
                    &["next_stuck_here", "then_route", "then_rules"],
                )
                .who_if(!mine_to_read, "kernel")
                .is_if(evidence.loses_data(), Urgency::Act);
        }
        Window::HeldBack => {}
    }
}

/// Adds if a missing peer would be noticed.
fn say_keepalive(evidence: &Evidence, quiet: bool, choice: &mut Choice) {
    match evidence.timer {
        Some(timer) if timer.kind == TimerKind::Keepalive => {
            let failing = timer.retransmits > 0;
            choice
                .say(match (failing, evidence.last_wait) {
                    (false, _) => "keepalive",
                    (true, false) => "keepalive_failing",
                    (true, true) => "keepalive_failed",
                })
                .say_if(failing && evidence.ends, "gives_up");
            match evidence.spacing.filter(|_| failing) {
                Some(spacing) => {
                    choice
                        .say(match spacing {
                            Spacing::Own => "keepalive_own_interval",
                            Spacing::Plain => "keepalive_every",
                        })
                        .say_if(!evidence.ends, "keepalive_by_count");
                }
                None => {
                    choice.say_if(failing && evidence.own_keepalive, "keepalive_own");
                }
            }
            choice.next_if(failing, &["next_retransmitting", "then_capture"]);
        }
        None => {
            let open = evidence.state == State::Established;
            choice.say_if(
                quiet,
                if open && evidence.remote_is_here {
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
fn not_accepted(evidence: &Evidence) -> Choice {
    let mut choice = Choice::new("next_accept_queue");
    let waited = evidence.waited.map_or(evidence.age, |waited| waited.time);
    choice
        .say("accept_queue")
        .say_if(evidence.listener_full, "queue_full")
        .say_if(waited >= BEYOND_ARP, "waited")
        .is_if(waited >= BEYOND_A_ROUND_TRIP, Urgency::Look)
        .is_if(evidence.listener_full || waited >= LONG, Urgency::Act)
        .who = Some("listener");
    choice
}
