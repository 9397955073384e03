//! Facts of a socket that select its sentences.

use super::super::super::patience::{has_own_interval, has_own_keepalive, patience_with_window};
use super::super::super::pick::{
    Carried, Evidence, Mtu, OtherEnd, Spacing, Target, Waited, Window,
};
use super::{Case, milliseconds};
use crate::model::endpoint::Endpoint;
use crate::model::finding::{Rule, Severity};
use crate::model::owner::Unowned;
use crate::model::process::RunState;
use crate::model::reading::SourceKind;
use crate::model::row::Phase;
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::tcp_info::TcpInfo;
use crate::model::timer::{Timer, TimerKind};
use std::time::Duration;

/// Number of retransmissions from which a single lost segment is no accident.
const MTU_TRIES: u8 = 3;
/// Largest MSS that passes everywhere: IPv6 carries packets of 1,280 bytes on
/// every link.
const SMALL_MSS: u32 = 1220;

/// Time within which a peer that has sent counts as sending.
const STILL_SENDING: Duration = Duration::from_secs(5);

impl Case<'_> {
    pub(in crate::explain::diagnosis) fn evidence(&self) -> Evidence {
        let socket = &self.row.socket;
        // Several listeners may share the port; nothing shows which one it is.
        let from_outside = self.listener.is_some();
        let listener_full = from_outside
            && self
                .observation
                .listeners_of(self.row)
                .any(|listener| listener.socket.is_queue_full());
        Evidence {
            protocol: socket.protocol,
            state: socket.state,
            held: socket.inode.is_some(),
            owned: self.owner.is_some(),
            sharers: self.sharers(),
            unowned: self.row.unowned,
            recv_queue: socket.recv_queue,
            send_queue: socket.send_queue,
            backlog: socket.backlog(),
            timer: socket.timer,
            silent_for: self.silence.map(|silence| silence.lasted),
            ends: self.silence.is_some_and(|silence| silence.left.is_some()),
            last_wait: self.is_last_wait(),
            window: self.window(),
            unsent_here: self.is_unsent_here(),
            mtu: self.mtu(),
            paced: self.is_paced(),
            own_keepalive: has_own_keepalive(socket, self.info, &self.limits),
            spacing: self.spacing.map(|spacing| {
                if has_own_interval(spacing, &self.limits) {
                    Spacing::Own
                } else {
                    Spacing::Plain
                }
            }),
            itself: socket.local == socket.remote,
            other_end: self.other_end.map(|other| OtherEnd {
                unread: other.socket.recv_queue > 0,
                queued: other.unowned == Some(Unowned::AcceptQueue),
                blocked: asks_for_room(&other.socket),
            }),
            target: self.remote_is_here().then(|| self.target_state()),
            half_open: self.half_open,
            data_in_syn: self.info.is_some_and(|info| info.data_in_syn),
            nothing_sent: self.info.is_some_and(|info| info.segments_out == Some(0)),
            age: self.age(),
            entry_seen: self.row.entry_seen,
            carried: self.carried(),
            received_ago: self
                .info
                .map(|info| milliseconds(info.last_data_received_ms)),
            local: socket.local.address(),
            lost: self.observation.lost(socket),
            loopback_only: self
                .observation
                .network(socket)
                .map(|network| network.is_loopback_only),
            v6_only: socket.is_v6_only(),
            interface_told: socket.cookie.is_some(),
            has_peer: socket.peer().is_some(),
            one_interface: socket.interface != 0 && !socket.local.is_link_local_v6(),
            remote_is_here: self.remote_is_here(),
            receiving_shut: self
                .info
                .is_some_and(|info| info.receiving_shut == Some(true)),
            dropped: self.observation.drops(self.row).unwrap_or(0) > 0,
            subflow: self.info.is_some_and(|info| info.is_subflow),
            siblings: self.siblings,
            same_remote: self.same_remote,
            change: self.trend.map(|trend| trend.change),
            local_ports: self.local_ports(),
            listener_full,
            listened: from_outside || self.observation.listens_beside(self.row),
            keeps_port: self.keeps_port(),
            simultaneous: self.came_through(State::Closing),
            dialled_by_both: self.came_through(State::SynSent)
                && self.came_through(State::SynReceived),
            first: self.came_through(State::FinWait2),
            waited: self.waited(),
            plight: self.plight(),
            warned_of: self.is_warned_of(),
            still_sends: self.still_sends(),
            sending_unknown: self.info.is_none() && self.observation.source == SourceKind::Proc,
        }
    }

    /// The waiting time of the oldest connection at this listener, or of this
    /// connection until it is accepted. A connection that is not accepted has
    /// sent no data, so the time since data was last sent is the time since the
    /// handshake.
    pub(super) fn waited(&self) -> Option<Waited> {
        if self.row.socket.state == State::Listen {
            let wait = self.observation.accept_wait(self.row)?;
            return Some(Waited {
                time: wait.oldest,
                at_least: wait.at_least,
            });
        }
        if self.row.unowned != Some(Unowned::AcceptQueue) {
            return None;
        }
        let told = self.info.map(|info| milliseconds(info.last_data_sent_ms));
        Some(Waited {
            time: self.age().max(told.unwrap_or_default()),
            at_least: !self.row.entry_seen && told.is_none(),
        })
    }

    /// True if a finding that is at least a warning explains the problem of the
    /// row.
    fn is_warned_of(&self) -> bool {
        let owners = || self.observation.owners(self.row);
        let pids = || owners().map(|(process, _)| process.pid);
        let mut findings = self.observation.findings.iter();
        self.row.flagged >= Some(Severity::Warn)
            && findings.any(|finding| {
                accuses(finding.evidence.rule(), self.row.socket.state)
                    && finding.severity >= Severity::Warn
                    && finding.is_about(self.row, pids())
            })
    }

    /// Obstacle that keeps its program from working, as the name of a sentence.
    fn plight(&self) -> Option<&'static str> {
        let owner = self.owner?;
        match owner.run_state {
            RunState::Stopped => Some("plight_stopped"),
            RunState::Traced => Some("plight_traced"),
            RunState::Uninterruptible => Some("plight_uninterruptible"),
            RunState::Usual => {
                let listens = self.row.socket.state == State::Listen;
                (listens && owner.is_out_of_descriptors()).then_some("plight_descriptors")
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
                && sent < STILL_SENDING
                && received.saturating_sub(sent) >= STILL_SENDING / 2
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
        socket.inode.is_none() && served && !self.observation.listens_beside(self.row)
    }

    fn remote_is_here(&self) -> bool {
        let socket = &self.row.socket;
        socket.remote.is_loopback() || socket.remote.address() == socket.local.address()
    }

    fn target_state(&self) -> Target {
        match self.target.map(|listener| &listener.socket) {
            None => Target::Nobody,
            Some(listener) if listener.backlog().is_none() => Target::Unmeasured,
            Some(listener) if listener.is_queue_full() => Target::Full,
            Some(_) => Target::Room,
        }
    }

    /// True if a segment was retransmitted and none of that is under way: the
    /// kernel counts only what left this machine (`__tcp_retransmit_skb`).
    fn is_unsent_here(&self) -> bool {
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
    fn mtu(&self) -> Option<Mtu> {
        let info = self.info?;
        let timer = self.row.socket.timer?;
        let lost = timer.kind == TimerKind::Retransmit
            && timer.retransmits >= MTU_TRIES
            && info.lost > 0
            && info.snd_mss > SMALL_MSS
            && self.row.socket.send_queue >= info.snd_mss
            && !self.remote_is_here();
        let sent = info.bytes_sent.zip(info.bytes_retransmitted);
        let sent = sent.map(|(all, again)| all.saturating_sub(again));
        let full_size = sent.is_some_and(|sent| sent >= info.snd_mss.into());
        match lost {
            true if info.selectively_acked > 0 => Some(Mtu::LaterArrive),
            // The SYN counts as one.
            true if full_size && info.bytes_acked.is_some_and(|acked| acked <= 1) => {
                Some(Mtu::NoneArrives)
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
        !tried && self.info.is_some_and(paced) && self.has_room() != Some(false)
    }

    /// True if the kernel does not try again when its timer fires.
    fn is_last_wait(&self) -> bool {
        let left = self.silence.and_then(|silence| silence.left);
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
    fn window(&self) -> Option<Window> {
        let timer = self.row.socket.timer?;
        if timer.kind != TimerKind::ZeroWindowProbe {
            return None;
        }
        Some(match self.has_room() {
            // Without a probe it waits for no peer, but for the program or its
            // rate.
            Some(true) if timer.retransmits == 0 => Window::HeldBack,
            Some(true) => Window::StuckHere,
            // One probe may be under way.
            _ if timer.retransmits > 1 => Window::Silent,
            _ => Window::Closed {
                ends: self.window_limit().is_some(),
            },
        })
    }

    /// True if the peer's window has room for a segment; none if unknown.
    fn has_room(&self) -> Option<bool> {
        let info = self.info?;
        let room = info.peer_window?;
        // Less than a segment is too little to send anything.
        Some(room > 0 && room >= info.snd_mss.min(self.row.socket.send_queue))
    }

    pub(super) fn window_limit(&self) -> Option<Duration> {
        patience_with_window(&self.row.socket, self.info, &self.limits)
    }

    pub(super) fn came_through(&self, state: State) -> bool {
        let just_now = self.row.phase == Phase::Changed { from: state };
        let followed = self.observation.chronicle.timeline(&self.row.socket.key());
        let went_through =
            followed.is_some_and(|timeline| timeline.steps.iter().any(|step| step.state == state));
        just_now || went_through || self.row.socket.state == state
    }

    /// Number of further processes that hold it.
    pub(super) fn sharers(&self) -> usize {
        let holders = self.row.owners.of(&self.observation.holders);
        let processes = holders.chunk_by(|left, right| left.process == right.process);
        processes.count().saturating_sub(1)
    }

    /// The directions in which data was sent.
    fn carried(&self) -> Option<Carried> {
        let info = self.info?;
        let received = info.received(self.row.socket.state.has_peer_finished());
        let received = received.is_none_or(|bytes| bytes > 0);
        let sent = info.bytes_sent.is_none_or(|bytes| bytes > 0);
        Some(match (received, sent) {
            (true, true) => Carried::Both,
            (true, false) => Carried::Received,
            (false, true) => Carried::Sent,
            (false, false) => Carried::Nothing,
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
fn accuses(rule: Rule, state: State) -> bool {
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
fn asks_for_room(socket: &Socket) -> bool {
    let probes = |timer: Timer| timer.kind == TimerKind::ZeroWindowProbe;
    socket.send_queue > 0 && socket.timer.is_some_and(probes)
}
