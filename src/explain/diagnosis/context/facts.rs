//! Facts of a socket that select its sentences.

use super::super::super::kernel_timeouts::{
    has_own_interval, has_own_keepalive, zero_window_timeout,
};
use super::super::super::selection::{
    AcceptDelay, DataDirection, MtuSign, OtherEnd, ProbeInterval, SocketFacts, TargetListener,
    WindowStall,
};
use super::{DiagnosisContext, milliseconds};
use crate::model::endpoint::Endpoint;
use crate::model::finding::{Rule, Severity};
use crate::model::owner::NoOwnerReason;
use crate::model::process::RunState;
use crate::model::reading::SourceKind;
use crate::model::row::Phase;
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::tcp_info::TcpInfo;
use crate::model::timer::{Timer, TimerKind};
use std::time::Duration;

/// Number of retransmissions from which a single lost segment is no accident.
const MTU_MIN_RETRANSMITS: u8 = 3;
/// Largest MSS that passes everywhere: IPv6 carries packets of 1,280 bytes on
/// every link.
const MAX_UNIVERSAL_MSS: u32 = 1220;

/// Time within which a peer that has sent counts as sending.
const RECENT_DATA: Duration = Duration::from_secs(5);

impl DiagnosisContext<'_> {
    pub(in crate::explain::diagnosis) fn facts(&self) -> SocketFacts {
        let socket = &self.row.socket;
        // Several listeners may share the port; nothing shows which one it is.
        let from_outside = self.listener.is_some();
        let listener_full = from_outside
            && self
                .observation
                .best_listeners(self.row)
                .any(|listener| listener.socket.is_accept_queue_full());
        SocketFacts {
            protocol: socket.protocol,
            state: socket.state,
            has_inode: socket.inode.is_some(),
            owner_known: self.owner.is_some(),
            other_holders: self.other_holders(),
            no_owner_reason: self.row.no_owner_reason,
            recv_queue: socket.recv_queue,
            send_queue: socket.send_queue,
            backlog: socket.backlog(),
            timer: socket.timer,
            unanswered_for: self.retry.map(|silence| silence.elapsed),
            end_known: self
                .retry
                .is_some_and(|silence| silence.remaining.is_some()),
            is_last_retry: self.is_last_retry(),
            window_stall: self.window(),
            blocked_locally: self.is_blocked_locally(),
            mtu: self.mtu(),
            paced: self.is_paced(),
            own_keepalive: has_own_keepalive(socket, self.info, &self.limits),
            probe_interval: self.probe_spacing.map(|spacing| {
                if has_own_interval(spacing, &self.limits) {
                    ProbeInterval::Own
                } else {
                    ProbeInterval::SystemDefault
                }
            }),
            self_connected: socket.local == socket.remote,
            other_end: self.other_end.map(|other| OtherEnd {
                unread: other.socket.recv_queue > 0,
                in_accept_queue: other.no_owner_reason == Some(NoOwnerReason::AcceptQueue),
                blocked: probes_window(&other.socket),
            }),
            target: self.is_remote_local().then(|| self.target_state()),
            half_open: self.half_open,
            data_in_syn: self.info.is_some_and(|info| info.data_in_syn),
            nothing_sent: self.info.is_some_and(|info| info.segments_out == Some(0)),
            age: self.age(),
            saw_state_entry: self.row.saw_state_entry,
            data_direction: self.data_direction(),
            received_ago: self
                .info
                .map(|info| milliseconds(info.last_data_received_ms)),
            local: socket.local.address(),
            missing_bind_target: self.observation.missing_bind_target(socket),
            loopback_only: self
                .observation
                .namespace_addresses(socket)
                .map(|network| network.is_loopback_only),
            v6_only: socket.is_v6_only(),
            interface_known: socket.cookie.is_some(),
            has_peer: socket.peer().is_some(),
            one_interface: socket.interface != 0 && !socket.local.is_link_local_v6(),
            remote_is_local: self.is_remote_local(),
            receiving_shut: self
                .info
                .is_some_and(|info| info.receive_shutdown == Some(true)),
            dropped: self.observation.drops(self.row).unwrap_or(0) > 0,
            subflow: self.info.is_some_and(|info| info.is_subflow),
            similar: self.similar,
            same_remote: self.same_remote,
            trend_change: self.trend.map(|trend| trend.change),
            local_ports: self.local_ports(),
            listener_full,
            has_listener: from_outside || self.observation.has_listener_on_local_port(self.row),
            keeps_port: self.keeps_port(),
            simultaneous_close: self.was_in(State::Closing),
            simultaneous_open: self.was_in(State::SynSent) && self.was_in(State::SynReceived),
            closed_first: self.was_in(State::FinWait2),
            accept_delay: self.accept_wait(),
            process_obstacle: self.process_obstacle(),
            has_warning: self.has_warning(),
            still_sends: self.still_sends(),
            sending_unknown: self.info.is_none() && self.observation.source == SourceKind::Proc,
        }
    }

    /// The waiting time of the oldest connection at this listener, or of this
    /// connection until it is accepted. A connection that is not accepted has
    /// sent no data, so the time since data was last sent is the time since the
    /// handshake.
    pub(super) fn accept_wait(&self) -> Option<AcceptDelay> {
        if self.row.socket.state == State::Listen {
            let wait = self.observation.accept_wait(self.row)?;
            return Some(AcceptDelay {
                time: wait.oldest,
                at_least: wait.is_lower_bound,
            });
        }
        if self.row.no_owner_reason != Some(NoOwnerReason::AcceptQueue) {
            return None;
        }
        let told = self.info.map(|info| milliseconds(info.last_data_sent_ms));
        Some(AcceptDelay {
            time: self.age().max(told.unwrap_or_default()),
            at_least: !self.row.saw_state_entry && told.is_none(),
        })
    }

    /// True if a finding that is at least a warning explains the problem of the
    /// row.
    fn has_warning(&self) -> bool {
        let owners = || self.observation.owners(self.row);
        let pids = || owners().map(|(process, _)| process.pid);
        let mut findings = self.observation.findings.iter();
        self.row.severity >= Some(Severity::Warning)
            && findings.any(|finding| {
                rule_explains_state(finding.evidence.rule(), self.row.socket.state)
                    && finding.severity >= Severity::Warning
                    && finding.is_about(self.row, pids())
            })
    }

    /// Obstacle that keeps its program from working, as the name of a sentence.
    fn process_obstacle(&self) -> Option<&'static str> {
        let owner = self.owner?;
        match owner.run_state {
            RunState::Stopped => Some("plight_stopped"),
            RunState::Traced => Some("plight_traced"),
            RunState::Uninterruptible => Some("plight_uninterruptible"),
            RunState::Normal => {
                let listens = self.row.socket.state == State::Listen;
                (listens && owner.is_at_open_files_limit()).then_some("plight_descriptors")
            }
        }
    }

    /// True if the program has sent data recently, and long after the last data
    /// of the peer, which has closed.
    fn still_sends(&self) -> bool {
        let timer = self.row.socket.timer;
        let answered = timer
            .is_none_or(|timer| timer.retransmits == 0 && timer.kind != TimerKind::ZeroWindowProbe);
        // Data on its way that was not repeated yet was sent just now.
        let on_its_way = timer.is_some_and(|timer| timer.kind == TimerKind::Retransmit)
            && self.row.socket.state == State::CloseWait
            && self.row.socket.send_queue > 0;
        if self.info.is_none() {
            return answered && on_its_way;
        }
        self.info.is_some_and(|info| {
            let sent = milliseconds(info.last_data_sent_ms);
            let received = milliseconds(info.last_data_received_ms);
            info.bytes_sent != Some(0)
                && answered
                && sent < RECENT_DATA
                && received.saturating_sub(sent) >= RECENT_DATA / 2
        })
    }

    /// True if a closed connection of a server blocks the port for the next
    /// one: its own port is not one for outgoing connections, its peer's is.
    fn keeps_port(&self) -> bool {
        let socket = &self.row.socket;
        let served = self.limits.local_ports.is_some_and(|(first, last)| {
            let range = first..=last;
            let of_peer = |peer: Endpoint| range.contains(&peer.port);
            !range.contains(&socket.local.port) && socket.peer().is_some_and(of_peer)
        });
        socket.inode.is_none() && served && !self.observation.has_listener_on_local_port(self.row)
    }

    fn is_remote_local(&self) -> bool {
        let socket = &self.row.socket;
        socket.remote.is_loopback() || socket.remote.address() == socket.local.address()
    }

    fn target_state(&self) -> TargetListener {
        match self.target_listener.map(|listener| &listener.socket) {
            None => TargetListener::Absent,
            Some(listener) if listener.backlog().is_none() => TargetListener::UnknownBacklog,
            Some(listener) if listener.is_accept_queue_full() => TargetListener::Full,
            Some(_) => TargetListener::HasRoom,
        }
    }

    /// True if a segment was retransmitted and none of that is under way: the
    /// kernel counts only what left this machine (`__tcp_retransmit_skb`).
    fn is_blocked_locally(&self) -> bool {
        let tries = self
            .row
            .socket
            .timer
            .filter(|timer| timer.kind == TimerKind::Retransmit && timer.retransmits > 0);
        let left = |info: &TcpInfo| info.lost > 0 && info.retrans == 0;
        tries.is_some() && self.info.is_some_and(left)
    }

    /// Signs of a path that takes only smaller packets: later segments arrive and a
    /// full-size one does not, or none ever did.
    fn mtu(&self) -> Option<MtuSign> {
        let info = self.info?;
        let timer = self.row.socket.timer?;
        let lost = timer.kind == TimerKind::Retransmit
            && timer.retransmits >= MTU_MIN_RETRANSMITS
            && info.lost > 0
            && info.snd_mss > MAX_UNIVERSAL_MSS
            && self.row.socket.send_queue >= info.snd_mss
            && !self.is_remote_local();
        let sent = info.bytes_sent.zip(info.bytes_retransmitted);
        let sent = sent.map(|(all, again)| all.saturating_sub(again));
        let full_size = sent.is_some_and(|sent| sent >= info.snd_mss.into());
        match lost {
            true if info.sacked > 0 => Some(MtuSign::SmallerSegmentsArrive),
            // The SYN counts as one.
            true if full_size && info.bytes_acked.is_some_and(|acked| acked <= 1) => {
                Some(MtuSign::NoFullSegmentArrives)
            }
            _ => None,
        }
    }

    /// True if data waits for the rate that the program has set for itself.
    fn is_paced(&self) -> bool {
        let paced = |info: &TcpInfo| {
            let rates = info.pacing_rate.zip(info.max_pacing_rate);
            rates.is_some_and(|(rate, most)| rate >= most) && info.not_sent_bytes > Some(0)
        };
        let tried = self
            .row
            .socket
            .timer
            .is_some_and(|timer| timer.retransmits > 0);
        !tried && self.info.is_some_and(paced) && self.peer_has_window() != Some(false)
    }

    /// True if the kernel does not try again when its timer fires.
    fn is_last_retry(&self) -> bool {
        let left = self.retry.and_then(|silence| silence.remaining);
        let due = self
            .row
            .socket
            .timer
            .map(|timer| milliseconds(timer.expires_ms));
        left.zip(due).is_some_and(|(left, due)| left <= due)
    }

    /// The reason why the kernel probes the window. The persist timer runs
    /// whenever something waits and nothing is under way, whatever the reason
    /// (`tcp_check_probe_timer`).
    fn window(&self) -> Option<WindowStall> {
        let timer = self.row.socket.timer?;
        if timer.kind != TimerKind::ZeroWindowProbe {
            return None;
        }
        Some(match self.peer_has_window() {
            // Without a probe it waits for no peer, but for the program or its
            // rate.
            Some(true) if timer.retransmits == 0 => WindowStall::HeldByProgram,
            Some(true) => WindowStall::BlockedLocally,
            // One probe may be under way.
            _ if timer.retransmits > 1 => WindowStall::Silent,
            _ => WindowStall::Closed {
                ends: self.zero_window_timeout().is_some(),
            },
        })
    }

    /// True if the peer's window has room for a segment; none if unknown.
    fn peer_has_window(&self) -> Option<bool> {
        let info = self.info?;
        let room = info.peer_window?;
        // Less than a segment is too little to send anything.
        Some(room > 0 && room >= info.snd_mss.min(self.row.socket.send_queue))
    }

    pub(super) fn zero_window_timeout(&self) -> Option<Duration> {
        zero_window_timeout(&self.row.socket, self.info, &self.limits)
    }

    pub(super) fn was_in(&self, state: State) -> bool {
        let just_now = self.row.phase == Phase::Changed { from: state };
        let followed = self
            .observation
            .event_history
            .timeline(&self.row.socket.key());
        let went_through =
            followed.is_some_and(|timeline| timeline.steps.iter().any(|step| step.state == state));
        just_now || went_through || self.row.socket.state == state
    }

    /// Number of further processes that hold it.
    pub(super) fn other_holders(&self) -> usize {
        let holders = self.row.owners.resolve(&self.observation.holders);
        let processes = holders.chunk_by(|left, right| left.process == right.process);
        processes.count().saturating_sub(1)
    }

    /// The directions in which data was sent.
    fn data_direction(&self) -> Option<DataDirection> {
        let info = self.info?;
        let received = info.payload_received(self.row.socket.state.has_received_fin());
        let received = received.is_none_or(|bytes| bytes > 0);
        let sent = info.bytes_sent.is_none_or(|bytes| bytes > 0);
        Some(match (received, sent) {
            (true, true) => DataDirection::Both,
            (true, false) => DataDirection::Received,
            (false, true) => DataDirection::Sent,
            (false, false) => DataDirection::Nothing,
        })
    }

    /// Number of local ports that the kernel may choose from for one
    /// destination.
    pub(super) fn local_ports(&self) -> Option<u32> {
        let (first, last) = self.limits.local_ports?;
        let reserved = self.limits.reserved_ports.unwrap_or(0);
        let all = u32::from(last.checked_sub(first)?) + 1;
        Some(all.saturating_sub(reserved))
    }
}

/// True if a finding of this rule about a row in this state explains the
/// problem of the row itself.
fn rule_explains_state(rule: Rule, state: State) -> bool {
    match rule {
        Rule::NotAccepting
        | Rule::AcceptQueue
        | Rule::ProgramNotReading
        | Rule::CloseWait
        | Rule::Deadlock
        | Rule::Unacknowledged => true,
        Rule::SynFlood => state == State::SynReceived,
        Rule::LocalPorts => state == State::TimeWait,
        _ => false,
    }
}

/// True if data waits and the kernel probes the peer's window.
fn probes_window(socket: &Socket) -> bool {
    let probes = |timer: Timer| timer.kind == TimerKind::ZeroWindowProbe;
    socket.send_queue > 0 && socket.timer.is_some_and(probes)
}
