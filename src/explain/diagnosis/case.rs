//! One socket with everything its sentences may speak of: the evidence that
//! they are chosen by, and the values of their places.

use super::super::bounds::Bounds;
use super::super::catalogue::Catalogue;
use super::super::lengths::{Limit, limit};
use super::super::patience::{Silence, patience_with_window, silence};
use super::super::pick::{Carried, Evidence, Window, counts_one_peer};
use super::super::sentence::{fill, grouped};
use super::same::within;
use super::siblings::siblings;
use crate::model::limits::Limits;
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::tcp_info::TcpInfo;
use crate::model::timer::TimerKind;
use crate::model::trend::Trend;
use std::sync::Arc;
use std::time::Duration;

/// How long `TIME_WAIT` lasts (`TCP_TIMEWAIT_LEN`).
const TIME_WAIT: Duration = Duration::from_mins(1);

/// One socket with everything its sentences may speak of.
pub(super) struct Case<'a> {
    pub(super) row: &'a Row,
    pub(super) observation: &'a Observation,
    pub(super) words: &'a Catalogue,
    bounds: Bounds<'a>,
    owner: Option<&'a Arc<Process>>,
    listener: Option<&'a Row>,
    siblings: u32,
    same_remote: u32,
    trend: Option<&'a Trend>,
    info: Option<&'a TcpInfo>,
    silence: Option<Silence>,
    /// The settings that hold for it: those of another namespace are not known.
    limits: Limits,
}

impl<'a> Case<'a> {
    pub(super) fn new(row: &'a Row, observation: &'a Observation, words: &'a Catalogue) -> Self {
        let (siblings, same_remote) = siblings(row, observation);
        let from_outside = !matches!(row.socket.state, State::Listen | State::SynSent);
        let listener = from_outside
            .then(|| observation.listeners_of(row).next())
            .flatten();
        let info = observation.detail(row).map(|detail| &detail.info);
        let limits = if observation.is_own(row) {
            observation.limits
        } else {
            // Those that only tell how far the present wait has come are mostly
            // as they are here.
            Limits {
                syn_linear_timeouts: observation.limits.syn_linear_timeouts,
                rto_max_ms: observation.limits.rto_max_ms,
                ..Limits::default()
            }
        };
        Self {
            row,
            observation,
            words,
            bounds: Bounds::from(&observation.limits),
            owner: observation.first_owner(row),
            listener,
            siblings,
            same_remote,
            trend: observation.trend(row),
            info,
            silence: silence(&row.socket, info, &limits),
            limits,
        }
    }

    /// The same in the lab, with the limits of the machine around it.
    pub(super) fn in_lab(mut self, outside: &'a Limits) -> Self {
        self.bounds.outside = Some(outside);
        self
    }

    /// What the lab does so that the row stays, where no limit tells it.
    pub(super) fn held_by_lab(&self) -> Option<(&'static str, String)> {
        let words = self.words.lab("outside", "time_wait");
        self.is_renewed().then(|| ("time_wait", words.to_owned()))
    }

    /// Whether the lab has had `TIME_WAIT` begin anew: longer than it lasts.
    fn is_renewed(&self) -> bool {
        let timer = self.row.socket.timer;
        let left = timer.map_or(0, |timer| timer.expires_ms);
        let whole = self.age() + Duration::from_millis(left.into());
        self.bounds.outside.is_some()
            && self.row.socket.state == State::TimeWait
            && whole > TIME_WAIT + Duration::from_secs(2)
    }

    /// How long it would be in this state at most outside the lab, where the lab
    /// holds it longer.
    pub(super) fn outside(&self) -> Option<String> {
        if self.is_renewed() {
            return Some(self.words.length(TIME_WAIT));
        }
        match self.limit_outside()? {
            Limit::Length(length) => Some(self.words.length(length)),
            Limit::Number(_) => None,
        }
    }

    /// The limit of the wait for an answer outside the lab, where it is another.
    fn limit_outside(&self) -> Option<Limit> {
        let total = |limits| limit(self.limit_of_silence()?, limits);
        let outside = self
            .bounds
            .outside
            .filter(|_| self.observation.is_own(self.row));
        let outside = outside.and_then(total)?;
        (Some(outside) != total(self.bounds.here)).then_some(outside)
    }

    /// A sentence of the state, or one that every state shares.
    pub(super) fn sentence(&self, name: &str) -> &'a str {
        let of_state = self.words.diagnosis(self.row.socket.state.key(), name);
        match of_state {
            "" => self.words.diagnosis("any", name),
            text => text,
        }
    }

    fn age(&self) -> Duration {
        self.row.state_since.age(self.observation.time.stamp())
    }

    /// The age as it is said: polling does not tell tenths.
    fn said_age(&self) -> String {
        let age = self.age();
        match age.as_secs() {
            0 => self.words.diagnosis("units", "under_a_second").to_owned(),
            seconds => self.words.length(Duration::from_secs(seconds)),
        }
    }

    pub(super) fn evidence(&self) -> Evidence {
        let socket = &self.row.socket;
        // Several listeners may share the port; nobody can tell which is meant.
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
            nothing_sent: self.info.is_some_and(|info| info.segments_out == Some(0)),
            age: self.age(),
            entry_seen: self.row.entry_seen,
            carried: self.carried(),
            received_ago: self
                .info
                .map(|info| milliseconds(info.last_data_received_ms)),
            local: socket.local.address(),
            v6_only: socket.is_v6_only(),
            interface_told: socket.cookie.is_some(),
            has_peer: socket.peer().is_some(),
            one_interface: socket.interface != 0 && !socket.local.is_link_local_v6(),
            remote_is_here: socket.remote.is_loopback()
                || socket.remote.address() == socket.local.address(),
            receiving_shut: self
                .info
                .is_some_and(|info| info.receiving_shut == Some(true)),
            subflow: self.info.is_some_and(|info| info.is_subflow),
            siblings: self.siblings,
            same_remote: self.same_remote,
            change: self.trend.map(|trend| trend.change),
            local_ports: self.local_ports(),
            listener_full,
            listened: from_outside || self.observation.listens_beside(self.row),
            simultaneous: self.came_through(State::Closing),
            first: self.came_through(State::FinWait2),
        }
    }

    /// Whether the kernel does not try again when its timer fires.
    fn is_last_wait(&self) -> bool {
        let left = self.silence.and_then(|silence| silence.left);
        let due = self
            .row
            .socket
            .timer
            .map(|timer| milliseconds(timer.expires_ms));
        left.zip(due).is_some_and(|(left, due)| left <= due)
    }

    /// Why the kernel asks for room. The persist timer runs whenever something
    /// waits and nothing is under way, whatever the reason
    /// (`tcp_check_probe_timer`).
    fn window(&self) -> Option<Window> {
        let timer = self.row.socket.timer?;
        if timer.kind != TimerKind::ZeroWindowProbe {
            return None;
        }
        let room = self
            .info
            .and_then(|info| info.peer_window.zip(Some(info.snd_mss)));
        // Less than a segment is too little to send anything.
        let has_room =
            |(room, mss): (u32, u32)| room > 0 && room >= mss.min(self.row.socket.send_queue);
        Some(match room {
            Some(told) if has_room(told) => Window::StuckHere,
            // One may be under way.
            _ if timer.retransmits > 1 => Window::Silent,
            _ => Window::Closed {
                ends: self.window_limit().is_some(),
            },
        })
    }

    fn window_limit(&self) -> Option<Duration> {
        patience_with_window(&self.row.socket, self.info, &self.limits)
    }

    fn came_through(&self, state: State) -> bool {
        let just_now = self.row.phase == Phase::Changed { from: state };
        let steps = self.observation.timeline(self.row).steps;
        just_now || steps.iter().any(|step| step.state == state)
    }

    /// Further processes that hold it.
    fn sharers(&self) -> usize {
        let owners = self.observation.owners(self.row).count();
        owners.saturating_sub(1)
    }

    /// Which ways data has gone.
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

    /// How many local ports the kernel may choose from for one destination.
    fn local_ports(&self) -> Option<u32> {
        let (first, last) = self.limits.local_ports?;
        let reserved = self.limits.reserved_ports.unwrap_or(0);
        let all = u32::from(last.checked_sub(first)?) + 1;
        Some(all.saturating_sub(reserved))
    }

    pub(super) fn headline(&self) -> String {
        let state = self.row.socket.state.to_string();
        let from = match self.row.phase {
            Phase::Changed { from } => Some(from.to_string()),
            _ => None,
        };
        let single = self.observation.number <= 1;
        let name = match (&from, self.row.entry_seen) {
            // A row that has closed is in its last state no longer.
            _ if single || self.row.phase == Phase::Closed => "bare",
            (Some(_), _) => "changed",
            // At least less than a second would say nothing.
            (None, false) if self.age() < Duration::from_secs(1) => "bare",
            (None, true) => "since",
            (None, false) => "at_least",
        };
        fill(
            self.words.diagnosis("headline", name),
            |place| match place {
                "state" => Some(state.clone()),
                "from" => from.clone(),
                "age" => Some(self.said_age()),
                _ => None,
            },
        )
        .unwrap_or(state)
    }

    /// Who must act: as the evidence says, else as is usual for the state.
    pub(super) fn waits_for(&self, who: Option<&str>) -> String {
        let state = self.words.state(self.row.socket.state);
        let usual = || state.map_or("nobody", |state| state.actor.as_str());
        let sentence = self.words.diagnosis("who", who.unwrap_or_else(usual));
        fill(sentence, |place| self.value(place)).unwrap_or_default()
    }

    pub(super) fn unowned(&self) -> Option<String> {
        let words = self.words.unowned(self.row.unowned?)?;
        let value = |place: &str| match place {
            // Here a stand-in would say nothing: the sentence is left out.
            "listener" => Some(self.listener?.socket.local.to_string()),
            place => self.value(place),
        };
        let mut text = fill(&words.means, value).unwrap_or_default();
        if let Some(named) = fill(&words.named, value).filter(|named| !named.is_empty()) {
            text = self.words.sentences(&[text, named]);
        }
        Some(text)
    }

    /// The value of a place in a sentence; `None` leaves the sentence out.
    pub(super) fn value(&self, place: &str) -> Option<String> {
        let socket = &self.row.socket;
        let timer = socket.timer.as_ref();
        Some(match place {
            "process" => self
                .owner
                .map_or_else(|| self.stand_in("process"), |owner| owner.name.to_string()),
            "pid" => self.owner?.pid.to_string(),
            "fd" => {
                let holder = self.row.owners.of(&self.observation.holders).first()?;
                holder.fd.to_string()
            }
            "count" => self.row.owners.count.to_string(),
            "user" => self.observation.user(socket.user()?)?.to_string(),
            "uid" => socket.user()?.to_string(),
            "age" => self.said_age(),
            "unread" => grouped(self.unread()),
            "unsent" => grouped(self.unsent()),
            "retransmits" => timer?.retransmits.to_string(),
            "others" => grouped(u64::try_from(self.sharers()).ok()?),
            "gives_up" => self.gives_up()?,
            "window_gives_up" => self.about(self.window_limit()?),
            "change" => grouped(self.trend?.change.unsigned_abs()),
            "over" => self.words.length(self.trend?.over),
            "received_ago" => self.ago(self.info?.last_data_received_ms),
            "sent_ago" => self.ago(self.info?.last_data_sent_ms),
            "ports" => grouped(self.local_ports()?.into()),
            "taken" => percent(self.same_remote, self.local_ports()?)?,
            "share" => {
                let queue = self.queue_of()?.socket;
                percent(queue.recv_queue, queue.queue_room()?)?
            }
            "room" => grouped(self.queue_of()?.socket.queue_room()?.into()),
            "drops_counter" => self.drops_counter().to_owned(),
            "expires" => self
                .words
                .length(Duration::from_millis(timer?.expires_ms.into())),
            "siblings" => grouped(self.shown_siblings().into()),
            "local" => socket.local.to_string(),
            "remote" => socket.peer()?.to_string(),
            "local_port" => socket.local.port.to_string(),
            "remote_port" => socket.peer()?.port.to_string(),
            "remote_host" => socket.peer()?.address().to_string(),
            "interface" => self.observation.interface(socket)?.to_string(),
            "listener" => self.listener_name(),
            "within" => within(self.row, self.observation)?,
            "waiting" => grouped(self.queue_of()?.socket.recv_queue.into()),
            "backlog" => grouped(self.queue_of()?.socket.backlog()?.into()),
            "last_owner" => {
                let last = self.observation.last_owner(self.row)?;
                self.words
                    .aside(&last.name.to_string(), &last.pid.to_string())
            }
            // Of another namespace nothing is known.
            _ if !self.observation.is_own(self.row) => return None,
            other => return self.words.limit(other, self.bounds),
        })
    }

    /// How long until the kernel gives up; in the lab also how long it waits in
    /// all outside.
    fn gives_up(&self) -> Option<String> {
        let left = self.about(self.silence?.left?);
        Some(match self.limit_outside() {
            Some(outside) => self.words.beside_outside("gives_up", &left, outside),
            None => left,
        })
    }

    /// The limit that ends the wait for an answer, if it is one of tries.
    fn limit_of_silence(&self) -> Option<&'static str> {
        let socket = &self.row.socket;
        (socket.timer?.kind == TimerKind::Retransmit).then_some(match socket.state {
            State::SynSent => "syn_sent_limit",
            State::SynReceived => "syn_recv_limit",
            _ if socket.inode.is_some() => "retries2_limit",
            _ => "orphan_limit",
        })
    }

    /// The counters of `/proc/net` that datagrams for it are counted by when they
    /// find no room: those of the family they came with, not of the socket
    /// (`udp_queue_rcv_one_skb`, `udpv6_queue_rcv_one_skb`).
    fn drops_counter(&self) -> &'static str {
        let local = &self.row.socket.local;
        if local.is_v4() {
            "UdpRcvbufErrors"
        } else if local.is_unspecified() {
            "UdpRcvbufErrors Udp6RcvbufErrors"
        } else {
            "Udp6RcvbufErrors"
        }
    }

    /// A length that follows from the settings of this machine.
    fn about(&self, length: Duration) -> String {
        let length = self
            .words
            .length(Duration::from_secs(whole_seconds(length)));
        let about = self.words.diagnosis("words", "about");
        fill(about, |_| Some(length.clone())).unwrap_or(length)
    }

    fn ago(&self, ms: u32) -> String {
        self.words.length(milliseconds(ms))
    }

    /// Received bytes not yet read, without the FIN that counts as one.
    fn unread(&self) -> u64 {
        let fin = u32::from(self.row.socket.state == State::CloseWait);
        self.row.socket.recv_queue.saturating_sub(fin).into()
    }

    /// Bytes not yet acknowledged, without the FIN that counts as one.
    fn unsent(&self) -> u64 {
        let closing = matches!(
            self.row.socket.state,
            State::FinWait1 | State::Closing | State::LastAck
        );
        let fin = u32::from(closing);
        self.row.socket.send_queue.saturating_sub(fin).into()
    }

    fn shown_siblings(&self) -> u32 {
        let state = self.row.socket.state;
        let to_one_peer = counts_one_peer(state, self.siblings, self.same_remote);
        if to_one_peer {
            self.same_remote
        } else {
            self.siblings
        }
    }

    /// The listener whose queue is spoken of: this row, or the one it waits at.
    fn queue_of(&self) -> Option<&'a Row> {
        match self.row.socket.state {
            State::Listen => Some(self.row),
            _ => self.listener,
        }
    }

    fn listener_name(&self) -> String {
        self.listener
            .and_then(|listener| self.observation.first_owner(listener))
            .map_or_else(|| self.stand_in("listener"), |owner| owner.name.to_string())
    }

    fn stand_in(&self, name: &str) -> String {
        self.words.diagnosis("words", name).to_owned()
    }
}

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

/// Seconds, rounded as people do.
fn whole_seconds(length: Duration) -> u64 {
    (length + Duration::from_millis(500)).as_secs()
}

/// A share as a whole number of percent; none of nothing.
fn percent(part: u32, whole: u32) -> Option<String> {
    let percent = (u64::from(part) * 100).checked_div(u64::from(whole))?;
    Some(grouped(percent))
}
