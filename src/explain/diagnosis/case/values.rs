//! Values of the placeholders in sentences about a socket.

use super::super::super::patience::left_by_probe_count;
use super::super::super::pick::counts_one_peer;
use super::super::super::sentence::{fill, grouped};
use super::super::same::within;
use super::{Case, milliseconds};
use crate::model::row::Row;
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::timer::TimerKind;
use std::time::Duration;

/// Maximum number of interfaces named.
const MAX_INTERFACES: usize = 4;

/// Maximum number of holders named.
const NAMED_HOLDERS: usize = 8;

impl<'a> Case<'a> {
    /// The fill level of the accept queue in percent.
    fn queue_share(&self) -> Option<String> {
        let queue = self.queue_of()?.socket;
        let share = percent(queue.recv_queue, queue.queue_room()?)?;
        // Less than one in a hundred is not none.
        let is_little = share == "0" && queue.recv_queue > 0;
        Some(if is_little { "<1".to_owned() } else { share })
    }

    /// Returns the value of a placeholder; `None` drops the sentence.
    pub(in crate::explain::diagnosis) fn value(&self, place: &str) -> Option<String> {
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
            "holders" => self.holders(),
            "waited" => {
                let time = self.waited()?.time;
                self.words.length(Duration::from_secs(whole_seconds(time)))
            }
            "open" => grouped(self.owner?.descriptors?.open.into()),
            "most" => grouped(self.owner?.descriptors?.most.into()),
            "count" => self.row.owners.count.to_string(),
            "user" => self.observation.user(socket.user()?)?.to_string(),
            "uid" => socket.user()?.to_string(),
            "age" => self.said_age(),
            "unread" => grouped(unread(socket)),
            "unsent" => grouped(self.unsent()),
            "retransmits" => timer?.retransmits.to_string(),
            "others" => grouped(u64::try_from(self.sharers()).ok()?),
            "silent_for" => self.about(self.silence?.lasted),
            "quiet_for" => {
                let info = self.info?;
                self.ago(info.last_data_received_ms.min(info.last_ack_received_ms))
            }
            "mss" => grouped(self.info?.snd_mss.into()),
            "path_mtu" => grouped(self.info?.path_mtu.into()),
            "ping_size" => self.ping_size()?.to_string(),
            "max_rate" => grouped(self.info?.max_pacing_rate?),
            "drops" => grouped(self.observation.drops(self.row)?.into()),
            "half_open" => grouped(self.half_open.into()),
            "other_end" => self.name_of(self.other_end?),
            "other_pid" => self
                .observation
                .first_owner(self.other_end?)?
                .pid
                .to_string(),
            "other_unread" => grouped(unread(&self.other_end?.socket)),
            "other_listener" => {
                let listener = self.observation.listeners_of(self.other_end?).next()?;
                self.name_of(listener)
            }
            "target" => self.name_of(self.target?),
            "target_waiting" => grouped(self.target?.socket.recv_queue.into()),
            "target_backlog" => grouped(self.target?.socket.backlog()?.into()),
            "gives_up" => self.gives_up()?,
            "probe_spacing" => self.words.length(probe_spacing(self.spacing?)),
            "probe_interval" => {
                let seconds = self.limits.keepalive_interval?;
                self.words.length(Duration::from_secs(seconds.into()))
            }
            "probe_count" => grouped(self.limits.keepalive_probes?.into()),
            "gives_up_by_count" => {
                let left = left_by_probe_count(*timer?, self.spacing?, &self.limits)?;
                self.about(left)
            }
            "window_gives_up" => self.about(self.window_limit()?),
            "change" => grouped(self.trend?.change.unsigned_abs()),
            "over" => self.words.length(self.trend?.over),
            "received_ago" => self.ago(self.info?.last_data_received_ms),
            "sent_ago" => self.ago(self.info?.last_data_sent_ms),
            "ports" => grouped(self.local_ports()?.into()),
            "taken" => percent(self.same_remote, self.local_ports()?)?,
            "share" => self.queue_share()?,
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
            "local_host" => socket.local.address().to_string(),
            "index" => socket.interface.to_string(),
            "interfaces" => self.interfaces()?,
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
            // Limits of another namespace are unknown.
            _ if !self.observation.is_own(self.row) => return None,
            other => return self.words.limit(other, self.bounds),
        })
    }

    /// Interfaces over which other machines can reach it.
    fn interfaces(&self) -> Option<String> {
        let socket = &self.row.socket;
        let v4 = socket.local.is_v4() || socket.is_v6_only() != Some(true);
        let v6 = !socket.local.is_v4();
        let reached = &self.observation.network(socket)?.reached_over;
        let mut names: Vec<String> = reached
            .iter()
            .filter(|over| (over.v4 && v4) || (over.v6 && v6))
            .map(|over| over.interface.to_string())
            .collect();
        if names.is_empty() {
            return None;
        }
        if names.len() > MAX_INTERFACES {
            names.truncate(MAX_INTERFACES);
            names.push("…".to_owned());
        }
        Some(self.words.list(&names))
    }

    /// The processes that hold it, the first few by name.
    fn holders(&self) -> String {
        let names = self.observation.owners(self.row).map(|(process, _)| {
            let (name, pid) = (process.name.to_string(), process.pid.to_string());
            self.words.aside(&name, &pid)
        });
        let mut names: Vec<String> = names.take(NAMED_HOLDERS + 1).collect();
        if names.len() > NAMED_HOLDERS {
            names.truncate(NAMED_HOLDERS);
            names.push("…".to_owned());
        }
        self.words.list(&names)
    }

    /// Time until the kernel gives up; in the lab also the whole wait on the
    /// host.
    pub(super) fn gives_up(&self) -> Option<String> {
        let left = self.about(self.silence?.left?);
        Some(match self.limit_outside() {
            Some(outside) => self.words.beside_outside("gives_up", &left, outside),
            None => left,
        })
    }

    /// The limit that ends the wait for an answer, if it is a number of tries.
    pub(super) fn limit_of_silence(&self) -> Option<&'static str> {
        let socket = &self.row.socket;
        (socket.timer?.kind == TimerKind::Retransmit).then_some(match socket.state {
            State::SynSent => "syn_sent_limit",
            State::SynReceived => "syn_recv_limit",
            _ if socket.inode.is_some() => "retries2_limit",
            _ => "orphan_limit",
        })
    }

    /// Names of the counters in `/proc/net` of datagrams for it that find the
    /// buffer full: those of the family that they came with, not of the socket
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

    /// A duration that follows from the settings of this machine.
    pub(super) fn about(&self, length: Duration) -> String {
        let length = self
            .words
            .length(Duration::from_secs(whole_seconds(length)));
        let about = self.words.diagnosis("words", "about");
        fill(about, |_| Some(length.clone())).unwrap_or(length)
    }

    fn ago(&self, ms: u32) -> String {
        self.words.length(milliseconds(ms))
    }

    /// The owner of another row, with its pid; a placeholder text if unknown.
    fn name_of(&self, row: &Row) -> String {
        let owner = self.observation.first_owner(row);
        owner.map_or_else(
            || self.stand_in("process"),
            |owner| {
                self.words
                    .aside(&owner.name.to_string(), &owner.pid.to_string())
            },
        )
    }

    /// The payload of a ping that fills a packet of the path's assumed MTU: less the
    /// headers of IP and ICMP.
    fn ping_size(&self) -> Option<u32> {
        let headers = if self.row.socket.remote.is_v4() {
            28
        } else {
            48
        };
        self.info?.path_mtu.checked_sub(headers)
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

    /// The listener whose queue is meant: this row, or the one it waits at.
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

    pub(super) fn stand_in(&self, name: &str) -> String {
        self.words.diagnosis("words", name).to_owned()
    }
}

/// Received bytes not yet read, without the FIN that counts as one.
fn unread(socket: &Socket) -> u64 {
    let fin = u32::from(socket.state == State::CloseWait);
    socket.recv_queue.saturating_sub(fin).into()
}

/// A duration in seconds, rounded half up.
fn whole_seconds(length: Duration) -> u64 {
    (length + Duration::from_millis(500)).as_secs()
}

/// Rounds to whole seconds, the unit of the setting. Timers fire late by up to
/// an eighth of their length and never early; a little less comes from a table
/// that is not read in one moment.
fn probe_spacing(observed: Duration) -> Duration {
    let seconds = (observed + Duration::from_millis(250)).as_secs();
    Duration::from_secs(seconds)
}

/// A share as a whole number of percent; none of 0.
fn percent(part: u32, whole: u32) -> Option<String> {
    let percent = (u64::from(part) * 100).checked_div(u64::from(whole))?;
    Some(grouped(percent))
}
