//! Facts of one socket that its sentences, urgency and advice depend on, and the limits
//! beyond which they count.

use crate::model::namespace_addresses::MissingBindTarget;
use crate::model::owner::NoOwnerReason;
use crate::model::protocol::Protocol;
use crate::model::state::State;
use crate::model::timer::{Timer, TimerKind};
use std::net::IpAddr;
use std::time::Duration;

/// Longer than a round trip.
pub(super) const RTT_GRACE: Duration = Duration::from_secs(2);
/// Time after which a missing host of the local network is noticed (ARP gives
/// up after about three seconds).
pub(super) const ARP_TIMEOUT: Duration = Duration::from_secs(10);
/// Time after which data without an acknowledgement is stuck: the default of
/// the rule about it.
pub(super) const UNACKNOWLEDGED_LIMIT: Duration = Duration::from_secs(15);
/// Time within which a healthy program has closed.
pub(super) const LONG_LIVED: Duration = Duration::from_mins(1);
/// Number of further sockets in the same state that is worth a sentence.
pub(super) const MANY_SIMILAR: u32 = 10;
/// Number of further sockets that is more than chance.
pub(super) const VERY_MANY_SIMILAR: u32 = 10 * MANY_SIMILAR;

/// Time after which a client that waits to be accepted does not wait for a busy
/// moment to pass.
pub(super) const SLOW_ACCEPT: Duration = Duration::from_secs(5);
/// Number of old sockets in `CLOSE_WAIT` that is a leak, however they came; the
/// same as in the finding.
pub(super) const LEAK_COUNT: u32 = 50;

/// Facts that the selection depends on.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any may go with any"
)]
pub(in crate::explain) struct SocketFacts {
    pub(in crate::explain) protocol: Protocol,
    pub(in crate::explain) state: State,
    pub(in crate::explain) has_inode: bool,
    /// True if a process that holds it is known.
    pub(in crate::explain) owner_known: bool,
    /// Number of further processes that hold it.
    pub(in crate::explain) other_holders: usize,
    pub(in crate::explain) no_owner_reason: Option<NoOwnerReason>,
    pub(in crate::explain) recv_queue: u32,
    pub(in crate::explain) send_queue: u32,
    pub(in crate::explain) backlog: Option<u32>,
    pub(in crate::explain) timer: Option<Timer>,
    /// Time for which something has been retransmitted without an answer.
    pub(in crate::explain) unanswered_for: Option<Duration>,
    /// True if the time at which the kernel gives up is known.
    pub(in crate::explain) end_known: bool,
    /// True if the running wait is the last before that.
    pub(in crate::explain) is_last_retry: bool,
    /// The reason why the kernel probes the window, if it does.
    pub(in crate::explain) window_stall: Option<WindowStall>,
    /// True if retransmissions do not leave this machine.
    pub(in crate::explain) blocked_locally: bool,
    /// Signs that full-size packets are lost.
    pub(in crate::explain) mtu: Option<MtuSign>,
    /// True if the program limits its own rate, and data waits for that.
    pub(in crate::explain) paced: bool,
    /// True if the program has set keepalive times that are not the system's.
    pub(in crate::explain) own_keepalive: bool,
    /// Spacing of unanswered keepalive probes, if observed.
    pub(in crate::explain) probe_interval: Option<ProbeInterval>,
    /// True if both ends are this very socket.
    pub(in crate::explain) self_connected: bool,
    /// The other end, if that is on this machine.
    pub(in crate::explain) other_end: Option<OtherEnd>,
    /// Listener at the target of a SYN, if that is this machine.
    pub(in crate::explain) target: Option<TargetListener>,
    /// Half-open connections of a listener.
    pub(in crate::explain) half_open: u32,
    /// True if data went with the SYN (TCP Fast Open).
    pub(in crate::explain) data_in_syn: bool,
    /// True if no segment of it has left this machine.
    pub(in crate::explain) nothing_sent: bool,
    pub(in crate::explain) age: Duration,
    pub(in crate::explain) saw_state_entry: bool,
    /// Directions in which data was sent, if known.
    pub(in crate::explain) data_direction: Option<DataDirection>,
    /// Time since data was last received, if known.
    pub(in crate::explain) received_ago: Option<Duration>,
    pub(in crate::explain) local: IpAddr,
    /// The missing address or interface that it is bound to, if known.
    pub(in crate::explain) missing_bind_target: Option<MissingBindTarget>,
    /// True if there are only loopback addresses, if known.
    pub(in crate::explain) loopback_only: Option<bool>,
    /// True if it accepts IPv6 alone, if known.
    pub(in crate::explain) v6_only: Option<bool>,
    /// True if the source reports interfaces.
    pub(in crate::explain) interface_known: bool,
    /// True if it is bound to one interface (`SO_BINDTODEVICE`).
    pub(in crate::explain) one_interface: bool,
    pub(in crate::explain) remote_is_local: bool,
    /// True if the program has shut its receiving half down, too.
    pub(in crate::explain) receiving_shut: bool,
    /// True if it is a path of an MPTCP connection.
    pub(in crate::explain) subflow: bool,
    /// True if it dropped datagrams since it was opened.
    pub(in crate::explain) dropped: bool,
    /// Number of similar sockets of the same owner.
    pub(in crate::explain) similar: u32,
    /// Number of these with the same peer address and port.
    pub(in crate::explain) same_remote: u32,
    /// Change of their number over some time.
    pub(in crate::explain) trend_change: Option<i64>,
    /// Number of local ports for one destination.
    pub(in crate::explain) local_ports: Option<u32>,
    /// True if more connections wait at the listener on this port than its
    /// backlog.
    pub(in crate::explain) listener_full: bool,
    /// True if it still has the address of a peer.
    pub(in crate::explain) has_peer: bool,
    /// True if there is a listener on this port.
    pub(in crate::explain) has_listener: bool,
    /// True if it is left from a server's connection, and there is no listener
    /// on the port.
    pub(in crate::explain) keeps_port: bool,
    /// True if it came here through CLOSING.
    pub(in crate::explain) simultaneous_close: bool,
    /// True if it was opened by a simultaneous open: both ends sent a SYN.
    pub(in crate::explain) simultaneous_open: bool,
    /// True if it came here through FIN_WAIT2, and so has closed first.
    pub(in crate::explain) closed_first: bool,
    /// Waiting time of the oldest connection at this listener, or of this one
    /// until it is accepted, if known.
    pub(in crate::explain) accept_delay: Option<AcceptDelay>,
    /// Obstacle that keeps its program from working, as the name of a sentence.
    pub(in crate::explain) process_obstacle: Option<&'static str>,
    /// True if a finding that is at least a warning explains its problem.
    pub(in crate::explain) has_warning: bool,
    /// True if the program has sent data long after the peer's last data.
    pub(in crate::explain) still_sends: bool,
    /// True if nothing reports when data was last sent, as with `/proc`.
    pub(in crate::explain) sending_unknown: bool,
}

/// Observed spacing of keepalive probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) enum ProbeInterval {
    /// Not the system's: the program has set it.
    Own,
    /// The system's, as far as is known.
    SystemDefault,
}

/// A wait to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) struct AcceptDelay {
    pub(in crate::explain) time: Duration,
    /// True if that is a lower bound.
    pub(in crate::explain) at_least: bool,
}

/// Reason why unsent data is not transmitted (persist timer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) enum WindowStall {
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
pub(in crate::explain) enum DataDirection {
    /// Both.
    Both,
    /// Only to the peer.
    Sent,
    /// Only from the peer.
    Received,
    /// None.
    Nothing,
}

/// Signs of a path that takes only smaller packets and does not report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) enum MtuSign {
    /// The peer has acknowledged later, smaller segments, but not a full-size one.
    SmallerSegmentsArrive,
    /// The handshake was acknowledged, and no full-size segment ever.
    NoFullSegmentArrives,
}

/// The other end of a connection within this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) struct OtherEnd {
    /// True if bytes of this side wait unread there.
    pub(in crate::explain) unread: bool,
    /// True if it waits in an accept queue.
    pub(in crate::explain) in_accept_queue: bool,
    /// True if its own data waits for this side to read, and the window is closed.
    pub(in crate::explain) blocked: bool,
}

/// Listener at the target of a SYN, if that is this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) enum TargetListener {
    /// A listener whose queue is full.
    Full,
    /// A listener with room in its queue.
    HasRoom,
    /// A listener whose backlog is unknown.
    UnknownBacklog,
    /// No listener.
    Absent,
}

impl SocketFacts {
    pub(super) fn retransmits(&self, kind: TimerKind) -> bool {
        self.timer
            .is_some_and(|timer| timer.kind == kind && timer.retransmits > 0)
    }

    pub(super) fn counts_one_peer(&self) -> bool {
        counts_one_peer(self.state, self.similar, self.same_remote)
    }

    pub(super) fn runs_timer(&self, kind: TimerKind) -> bool {
        self.timer.is_some_and(|timer| timer.kind == kind)
    }

    pub(super) fn unanswered_beyond(&self, time: Duration) -> bool {
        self.unanswered_for.is_some_and(|silent| silent >= time)
    }

    pub(super) fn grows(&self) -> bool {
        self.trend_change.is_some_and(|change| change > 0)
    }

    pub(super) fn shrinks(&self) -> bool {
        self.trend_change.is_some_and(|change| change < 0)
    }

    /// Direction in which the number of similar sockets goes.
    pub(super) fn trend_key(&self) -> Option<&'static str> {
        self.trend_change.map(|change| match change {
            1.. => "grows",
            0 => "stays",
            _ => "shrinks",
        })
    }

    /// Time of the last data, either way.
    pub(super) fn last_data_key(&self) -> Option<&'static str> {
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
pub(in crate::explain) fn counts_one_peer(state: State, siblings: u32, same_remote: u32) -> bool {
    match state {
        State::SynSent => same_remote * 2 > siblings,
        State::TimeWait => same_remote >= VERY_MANY_SIMILAR,
        _ => false,
    }
}

impl SocketFacts {
    /// True if a segment of this side is retransmitted without an answer.
    pub(super) fn is_retransmitting(&self) -> bool {
        self.retransmits(TimerKind::Retransmit)
    }

    /// True if data of a program has gone without an answer for long enough for
    /// a finding to warn of it. Single clients of a server vanish every day:
    /// there the finding, which counts them, decides.
    pub(super) fn may_lose_data(&self) -> bool {
        let stands = matches!(
            self.state,
            State::Established | State::CloseWait | State::FinWait1
        );
        let fin = u32::from(self.state == State::FinWait1);
        let stuck = stands
            && self.has_inode
            && self.send_queue > fin
            && self.unanswered_beyond(UNACKNOWLEDGED_LIMIT);
        stuck && (self.has_warning || !self.has_listener)
    }

    /// True if nothing gets out of this machine.
    pub(super) fn is_blocked_locally(&self) -> bool {
        self.window_stall == Some(WindowStall::BlockedLocally)
            || (self.blocked_locally && self.is_retransmitting())
    }
}
