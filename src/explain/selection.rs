//! Selects the sentences that fit the facts of one socket, its urgency and the
//! advice: by name, not their text. Sentences with unknown placeholders are
//! dropped later.
//!
//! One module for each part of a connection's lifecycle. A name is searched
//! among the sentences of the state, then among those that every state shares.

mod closing;
mod established;
mod opening;
mod path;
mod same_host;
#[cfg(test)]
mod tests;
mod udp;

use super::urgency::Urgency;
use crate::model::namespace_addresses::MissingBindTarget;
use crate::model::owner::NoOwnerReason;
use crate::model::protocol::Protocol;
use crate::model::state::State;
use crate::model::timer::{Timer, TimerKind};
pub(super) use path::MtuSign;
pub(super) use same_host::{OtherEnd, TargetListener};
use std::net::IpAddr;
use std::time::Duration;

/// Longer than a round trip.
const RTT_GRACE: Duration = Duration::from_secs(2);
/// Time after which a missing host of the local network is noticed (ARP gives
/// up after about three seconds).
const ARP_TIMEOUT: Duration = Duration::from_secs(10);
/// Time after which data without an acknowledgement is stuck: the default of
/// the rule about it.
const UNACKNOWLEDGED_LIMIT: Duration = Duration::from_secs(15);
/// Time within which a healthy program has closed.
const LONG_LIVED: Duration = Duration::from_mins(1);
/// Number of further sockets in the same state that is worth a sentence.
const MANY_SIMILAR: u32 = 10;
/// Number of further sockets that is more than chance.
const VERY_MANY_SIMILAR: u32 = 10 * MANY_SIMILAR;

/// Time after which a client that waits to be accepted does not wait for a busy
/// moment to pass.
const SLOW_ACCEPT: Duration = Duration::from_secs(5);
/// Number of old sockets in `CLOSE_WAIT` that is a leak, however they came; the
/// same as in the finding.
const LEAK_COUNT: u32 = 50;

/// Facts that the selection depends on.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any may go with any"
)]
pub(super) struct SocketFacts {
    pub(super) protocol: Protocol,
    pub(super) state: State,
    pub(super) has_inode: bool,
    /// True if a process that holds it is known.
    pub(super) owner_known: bool,
    /// Number of further processes that hold it.
    pub(super) other_holders: usize,
    pub(super) no_owner_reason: Option<NoOwnerReason>,
    pub(super) recv_queue: u32,
    pub(super) send_queue: u32,
    pub(super) backlog: Option<u32>,
    pub(super) timer: Option<Timer>,
    /// Time for which something has been retransmitted without an answer.
    pub(super) unanswered_for: Option<Duration>,
    /// True if the time at which the kernel gives up is known.
    pub(super) end_known: bool,
    /// True if the running wait is the last before that.
    pub(super) is_last_retry: bool,
    /// The reason why the kernel probes the window, if it does.
    pub(super) window_stall: Option<WindowStall>,
    /// True if retransmissions do not leave this machine.
    pub(super) blocked_locally: bool,
    /// Signs that full-size packets are lost.
    pub(super) mtu: Option<MtuSign>,
    /// True if the program limits its own rate, and data waits for that.
    pub(super) paced: bool,
    /// True if the program has set keepalive times that are not the system's.
    pub(super) own_keepalive: bool,
    /// Spacing of unanswered keepalive probes, if observed.
    pub(super) probe_interval: Option<ProbeInterval>,
    /// True if both ends are this very socket.
    pub(super) self_connected: bool,
    /// The other end, if that is on this machine.
    pub(super) other_end: Option<OtherEnd>,
    /// Listener at the target of a SYN, if that is this machine.
    pub(super) target: Option<TargetListener>,
    /// Half-open connections of a listener.
    pub(super) half_open: u32,
    /// True if data went with the SYN (TCP Fast Open).
    pub(super) data_in_syn: bool,
    /// True if no segment of it has left this machine.
    pub(super) nothing_sent: bool,
    pub(super) age: Duration,
    pub(super) saw_state_entry: bool,
    /// Directions in which data was sent, if known.
    pub(super) data_direction: Option<DataDirection>,
    /// Time since data was last received, if known.
    pub(super) received_ago: Option<Duration>,
    pub(super) local: IpAddr,
    /// The missing address or interface that it is bound to, if known.
    pub(super) missing_bind_target: Option<MissingBindTarget>,
    /// True if there are only loopback addresses, if known.
    pub(super) loopback_only: Option<bool>,
    /// True if it accepts IPv6 alone, if known.
    pub(super) v6_only: Option<bool>,
    /// True if the source reports interfaces.
    pub(super) interface_known: bool,
    /// True if it is bound to one interface (`SO_BINDTODEVICE`).
    pub(super) one_interface: bool,
    pub(super) remote_is_local: bool,
    /// True if the program has shut its receiving half down, too.
    pub(super) receiving_shut: bool,
    /// True if it is a path of an MPTCP connection.
    pub(super) subflow: bool,
    /// True if it dropped datagrams since it was opened.
    pub(super) dropped: bool,
    /// Number of similar sockets of the same owner.
    pub(super) similar: u32,
    /// Number of these with the same peer address and port.
    pub(super) same_remote: u32,
    /// Change of their number over some time.
    pub(super) trend_change: Option<i64>,
    /// Number of local ports for one destination.
    pub(super) local_ports: Option<u32>,
    /// True if more connections wait at the listener on this port than its
    /// backlog.
    pub(super) listener_full: bool,
    /// True if it still has the address of a peer.
    pub(super) has_peer: bool,
    /// True if there is a listener on this port.
    pub(super) has_listener: bool,
    /// True if it is left from a server's connection, and there is no listener
    /// on the port.
    pub(super) keeps_port: bool,
    /// True if it came here through CLOSING.
    pub(super) simultaneous_close: bool,
    /// True if it was opened by a simultaneous open: both ends sent a SYN.
    pub(super) simultaneous_open: bool,
    /// True if it came here through FIN_WAIT2, and so has closed first.
    pub(super) closed_first: bool,
    /// Waiting time of the oldest connection at this listener, or of this one
    /// until it is accepted, if known.
    pub(super) accept_delay: Option<AcceptDelay>,
    /// Obstacle that keeps its program from working, as the name of a sentence.
    pub(super) process_obstacle: Option<&'static str>,
    /// True if a finding that is at least a warning explains its problem.
    pub(super) has_warning: bool,
    /// True if the program has sent data long after the peer's last data.
    pub(super) still_sends: bool,
    /// True if nothing reports when data was last sent, as with `/proc`.
    pub(super) sending_unknown: bool,
}

/// Observed spacing of keepalive probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProbeInterval {
    /// Not the system's: the program has set it.
    Own,
    /// The system's, as far as is known.
    SystemDefault,
}

/// A wait to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AcceptDelay {
    pub(super) time: Duration,
    /// True if that is a lower bound.
    pub(super) at_least: bool,
}

/// Reason why unsent data is not transmitted (persist timer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowStall {
    /// The peer's window is closed, and each probe is answered; `end_known` if the
    /// kernel does not probe for ever, and for how long is known.
    Closed {
        /// True if the end is known.
        ends: bool,
    },
    /// The peer's window was closed, and the last probes were not answered.
    Silent,
    /// The peer's window is open, and attempts to send have failed: nothing
    /// gets out of this machine.
    BlockedLocally,
    /// The peer's window is open, and nothing has been tried: the program holds
    /// it back (`TCP_CORK`, pacing).
    HeldByProgram,
}

/// Directions in which data was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataDirection {
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
pub(super) struct Selection {
    pub(super) sentences: Vec<&'static str>,
    pub(super) urgency: Urgency,
    /// Advice: at least one item, the most useful first.
    pub(super) advice: Vec<&'static str>,
    /// The next actor, if the facts give a better one than the state.
    pub(super) waits_on: Option<&'static str>,
}

impl Selection {
    fn new(next: &'static str) -> Self {
        Self {
            sentences: Vec::new(),
            urgency: Urgency::Normal,
            advice: vec![next],
            waits_on: None,
        }
    }

    /// Replaces the advice by the one for what keeps the program from working.
    fn next_for(&mut self, plight: Option<&str>) -> &mut Self {
        match plight {
            Some("plight_stopped") => self.advise_if(true, &["next_stopped"]),
            Some("plight_traced") => self.advise_if(true, &["next_traced"]),
            Some("plight_uninterruptible") => self.advise_if(true, &["next_uninterruptible"]),
            Some("plight_descriptors") => self.advise_if(true, &["next_descriptors"]),
            _ => self,
        }
    }

    fn push(&mut self, name: &'static str) -> &mut Self {
        self.sentences.push(name);
        self
    }

    fn push_if(&mut self, condition: bool, name: &'static str) -> &mut Self {
        if condition {
            self.sentences.push(name);
        }
        self
    }

    fn waits_on_if(&mut self, condition: bool, who: &'static str) -> &mut Self {
        if condition {
            self.waits_on = Some(who);
        }
        self
    }

    /// Replaces the advice by a better one.
    fn advise_if(&mut self, condition: bool, names: &[&'static str]) -> &mut Self {
        if condition {
            self.advice = names.to_vec();
        }
        self
    }

    /// Raises the urgency to at least this.
    fn at_least_if(&mut self, condition: bool, urgency: Urgency) -> &mut Self {
        if condition {
            self.urgency = self.urgency.max(urgency);
        }
        self
    }
}

impl SocketFacts {
    fn retransmits(&self, kind: TimerKind) -> bool {
        self.timer
            .is_some_and(|timer| timer.kind == kind && timer.retransmits > 0)
    }

    fn counts_one_peer(&self) -> bool {
        counts_one_peer(self.state, self.similar, self.same_remote)
    }

    fn runs_timer(&self, kind: TimerKind) -> bool {
        self.timer.is_some_and(|timer| timer.kind == kind)
    }

    fn unanswered_beyond(&self, time: Duration) -> bool {
        self.unanswered_for.is_some_and(|silent| silent >= time)
    }

    fn grows(&self) -> bool {
        self.trend_change.is_some_and(|change| change > 0)
    }

    fn shrinks(&self) -> bool {
        self.trend_change.is_some_and(|change| change < 0)
    }

    /// Direction in which the number of similar sockets goes.
    fn trend_key(&self) -> Option<&'static str> {
        self.trend_change.map(|change| match change {
            1.. => "grows",
            0 => "stays",
            _ => "shrinks",
        })
    }

    /// Time of the last data, either way.
    fn last_data_key(&self) -> Option<&'static str> {
        // A retransmission counts as sent.
        let again = self.is_retransmitting();
        self.data_direction.map(|carried| match carried {
            DataDirection::Both if again => "last_data_tried",
            DataDirection::Sent if again => "last_tried",
            DataDirection::Both => "last_data",
            DataDirection::Sent => "last_sent",
            DataDirection::Received => "last_received",
            DataDirection::Nothing => "no_data",
        })
    }
}

/// True if the relevant number of others is that of those with the same peer,
/// and not of all.
pub(super) fn counts_one_peer(state: State, siblings: u32, same_remote: u32) -> bool {
    match state {
        State::SynSent => same_remote * 2 > siblings,
        State::TimeWait => same_remote >= VERY_MANY_SIMILAR,
        _ => false,
    }
}

/// Selects the sentences for one socket.
pub(super) fn select(facts: &SocketFacts) -> Selection {
    let mut selection = select_by_state(facts);
    selection.push_if(facts.subflow, "subflow");
    push_missing_bind_target(facts, &mut selection);
    selection
}

fn select_by_state(facts: &SocketFacts) -> Selection {
    match facts.state {
        State::Listen => opening::listen(facts),
        State::SynSent => opening::syn_sent(facts),
        State::SynReceived => opening::syn_received(facts),
        State::Established if facts.protocol == Protocol::Udp => udp::connected(facts),
        State::Established => established::established(facts),
        State::FinWait1 | State::Closing | State::LastAck => closing::closing_down(facts),
        State::FinWait2 => closing::fin_wait_2(facts),
        State::TimeWait => closing::time_wait(facts),
        State::CloseWait => established::close_wait(facts),
        State::Unconnected => udp::unconnected(facts),
        State::Closed | State::BoundInactive => unused_socket(facts),
        State::Unknown(_) => {
            let mut selection = Selection::new("next");
            selection.push("normal").at_least_if(true, Urgency::Look);
            selection
        }
    }
}

/// A socket that neither listens nor is connected.
fn unused_socket(facts: &SocketFacts) -> Selection {
    let mut selection = Selection::new("next");
    selection
        .push(match (facts.has_peer, facts.state) {
            (true, _) => "ended",
            (false, State::BoundInactive) if facts.has_listener => "listened",
            _ => "normal",
        })
        .push_if(facts.other_holders > 0, "shared_owner")
        .advise_if(facts.age >= LONG_LIVED, &["next_old"])
        .advise_if(facts.has_peer, &["next_ended"]);
    selection
}

/// Adds the hosts that can reach a socket without a peer. Returns true if other
/// machines can, as far as is known.
fn push_reachability(facts: &SocketFacts, selection: &mut Selection) -> bool {
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
fn push_missing_bind_target(facts: &SocketFacts, selection: &mut Selection) {
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
fn push_similar(facts: &SocketFacts, name: &'static str, selection: &mut Selection) {
    if facts.similar >= MANY_SIMILAR {
        selection.push(name);
        selection.sentences.extend(facts.trend_key());
    }
}

/// Adds the start and the end of the wait for an answer.
fn push_timeout(facts: &SocketFacts, limit: &'static str, selection: &mut Selection) {
    selection
        .push_if(!facts.is_last_retry, "next_try")
        .push(if facts.end_known { "gives_up" } else { limit });
}

/// Adds the reason why nothing is under way, although something waits.
fn push_window(facts: &SocketFacts, selection: &mut Selection) {
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
fn push_keepalive(facts: &SocketFacts, quiet: bool, selection: &mut Selection) {
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
fn not_accepted(facts: &SocketFacts) -> Selection {
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
