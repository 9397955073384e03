//! Values of the placeholders in sentences about a socket.

use super::super::super::kernel_timeouts::remaining_by_probe_count;
use super::super::super::selection::counts_one_peer;
use super::super::super::template::{format_thousands, render};
use super::super::ss_command::netns_prefix;
use super::{DiagnosisContext, milliseconds};
use crate::model::row::Row;
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::timer::TimerKind;
use std::time::Duration;

/// Maximum number of interfaces named.
const MAX_INTERFACES: usize = 4;

/// Maximum number of holders named.
const MAX_HOLDERS: usize = 8;

impl<'a> DiagnosisContext<'a> {
    /// The descriptor of the first holder.
    fn first_descriptor(&self) -> Option<u32> {
        let holders = self.row.owners.resolve(&self.observation.holders);
        Some(holders.first()?.fd)
    }

    /// The time that the connection has waited to be accepted.
    fn accept_delay_text(&self) -> Option<String> {
        let seconds = whole_seconds(self.accept_wait()?.time);
        Some(self.words.duration_text(Duration::from_secs(seconds)))
    }

    /// The fill level of the accept queue in percent.
    fn queue_share(&self) -> Option<String> {
        let queue = self.queue_listener()?.socket;
        let share = percent(queue.recv_queue, queue.accept_queue_capacity()?)?;
        // Less than one in a hundred is not none.
        let is_little = share == "0" && queue.recv_queue > 0;
        Some(if is_little { "<1".to_owned() } else { share })
    }

    /// Returns the value of a placeholder; `None` drops the sentence.
    pub(in crate::explain::diagnosis) fn value(&self, place: &str) -> Option<String> {
        let socket = &self.row.socket;
        let timer = socket.timer.as_ref();
        Some(match place {
            "process" => self.owner.map_or_else(
                || self.placeholder("process"),
                |owner| owner.name.to_string(),
            ),
            "pid" => self.owner?.pid.to_string(),
            "fd" => self.first_descriptor()?.to_string(),
            "holders" => self.holders(),
            "waited" => self.accept_delay_text()?,
            "open" => format_thousands(self.owner?.open_files?.open.into()),
            "most" => format_thousands(self.owner?.open_files?.limit.into()),
            "count" => self.row.owners.count.to_string(),
            "user" => self.observation.user(socket.known_uid()?)?.to_string(),
            "uid" => socket.known_uid()?.to_string(),
            "age" => self.age_text(),
            "unread" => format_thousands(unread(socket)),
            "unsent" => format_thousands(self.unsent()),
            "retransmits" => timer?.retransmits.to_string(),
            "others" => format_thousands(u64::try_from(self.other_holders()).ok()?),
            "silent_for" => self.approximate(self.retry?.elapsed),
            "quiet_for" => {
                let info = self.info?;
                self.ago(info.last_data_received_ms.min(info.last_ack_received_ms))
            }
            "mss" => format_thousands(self.info?.snd_mss.into()),
            "path_mtu" => format_thousands(self.info?.path_mtu.into()),
            "ping_size" => self.ping_size()?.to_string(),
            "max_rate" => format_thousands(self.info?.max_pacing_rate?),
            "drops" => format_thousands(self.observation.drops(self.row)?.into()),
            "half_open" => format_thousands(self.half_open.into()),
            "other_end" => self.owner_label(self.other_end?),
            "other_pid" => self
                .observation
                .first_owner(self.other_end?)?
                .pid
                .to_string(),
            "other_unread" => format_thousands(unread(&self.other_end?.socket)),
            "other_listener" => {
                let listener = self.observation.best_listeners(self.other_end?).next()?;
                self.owner_label(listener)
            }
            "target" => self.owner_label(self.target_listener?),
            "target_waiting" => format_thousands(self.target_listener?.socket.recv_queue.into()),
            "target_backlog" => format_thousands(self.target_listener?.socket.backlog()?.into()),
            "gives_up" => self.time_left_text()?,
            "probe_spacing" => self.words.duration_text(probe_spacing(self.probe_spacing?)),
            "probe_interval" => {
                let seconds = self.limits.keepalive_interval?;
                self.words
                    .duration_text(Duration::from_secs(seconds.into()))
            }
            "probe_count" => format_thousands(self.limits.keepalive_probes?.into()),
            "gives_up_by_count" => {
                let left = remaining_by_probe_count(*timer?, self.probe_spacing?, &self.limits)?;
                self.approximate(left)
            }
            "window_gives_up" => self.approximate(self.zero_window_timeout()?),
            "change" => format_thousands(self.trend?.change.unsigned_abs()),
            "over" => self.words.duration_text(self.trend?.window),
            "received_ago" => self.ago(self.info?.last_data_received_ms),
            "sent_ago" => self.ago(self.info?.last_data_sent_ms),
            "ports" => format_thousands(self.local_ports()?.into()),
            "taken" => percent(self.same_remote, self.local_ports()?)?,
            "share" => self.queue_share()?,
            "room" => format_thousands(
                self.queue_listener()?
                    .socket
                    .accept_queue_capacity()?
                    .into(),
            ),
            "drops_counter" => self.drops_counter().to_owned(),
            "expires" => self
                .words
                .duration_text(Duration::from_millis(timer?.expires_ms.into())),
            "siblings" => format_thousands(self.similar_count().into()),
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
            "within" => netns_prefix(self.row, self.observation)?,
            "waiting" => format_thousands(self.queue_listener()?.socket.recv_queue.into()),
            "backlog" => format_thousands(self.queue_listener()?.socket.backlog()?.into()),
            "last_owner" => {
                let last = self.observation.last_owner(self.row)?;
                self.words
                    .with_note(&last.name.to_string(), &last.pid.to_string())
            }
            // Limits of another namespace are unknown.
            _ if !self.observation.is_in_current_namespace(self.row) => return None,
            other => return self.words.limit(other, self.limit_context),
        })
    }

    /// Interfaces over which other machines can reach it.
    fn interfaces(&self) -> Option<String> {
        let socket = &self.row.socket;
        let v4 = socket.local.is_v4() || socket.is_v6_only() != Some(true);
        let v6 = !socket.local.is_v4();
        let reached = &self
            .observation
            .namespace_addresses(socket)?
            .reachable_interfaces;
        let mut names: Vec<String> = reached
            .iter()
            .filter(|over| (over.has_ipv4 && v4) || (over.has_ipv6 && v6))
            .map(|over| over.name.to_string())
            .collect();
        if names.is_empty() {
            return None;
        }
        if names.len() > MAX_INTERFACES {
            names.truncate(MAX_INTERFACES);
            names.push("…".to_owned());
        }
        Some(self.words.join_list(&names))
    }

    /// The processes that hold it, the first few by name.
    fn holders(&self) -> String {
        let names = self.observation.owners(self.row).map(|(process, _)| {
            let (name, pid) = (process.name.to_string(), process.pid.to_string());
            self.words.with_note(&name, &pid)
        });
        let mut names: Vec<String> = names.take(MAX_HOLDERS + 1).collect();
        if names.len() > MAX_HOLDERS {
            names.truncate(MAX_HOLDERS);
            names.push("…".to_owned());
        }
        self.words.join_list(&names)
    }

    /// Time until the kernel gives up; in the lab also the whole wait on the
    /// host.
    pub(super) fn time_left_text(&self) -> Option<String> {
        let left = self.approximate(self.retry?.remaining?);
        Some(match self.host_limit() {
            Some(outside) => self.words.with_host_limit("gives_up", &left, outside),
            None => left,
        })
    }

    /// The limit that ends the wait for an answer, if it is a number of tries.
    pub(super) fn retry_limit_key(&self) -> Option<&'static str> {
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
    pub(super) fn approximate(&self, length: Duration) -> String {
        let length = self
            .words
            .duration_text(Duration::from_secs(whole_seconds(length)));
        let about = self.words.diagnosis("words", "about");
        render(about, |_| Some(length.clone())).unwrap_or(length)
    }

    fn ago(&self, ms: u32) -> String {
        self.words.duration_text(milliseconds(ms))
    }

    /// The owner of another row, with its pid; a placeholder text if unknown.
    fn owner_label(&self, row: &Row) -> String {
        let owner = self.observation.first_owner(row);
        owner.map_or_else(
            || self.placeholder("process"),
            |owner| {
                self.words
                    .with_note(&owner.name.to_string(), &owner.pid.to_string())
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

    fn similar_count(&self) -> u32 {
        let state = self.row.socket.state;
        let to_one_peer = counts_one_peer(state, self.similar, self.same_remote);
        if to_one_peer {
            self.same_remote
        } else {
            self.similar
        }
    }

    /// The listener whose queue is meant: this row, or the one it waits at.
    fn queue_listener(&self) -> Option<&'a Row> {
        match self.row.socket.state {
            State::Listen => Some(self.row),
            _ => self.listener,
        }
    }

    fn listener_name(&self) -> String {
        self.listener
            .and_then(|listener| self.observation.first_owner(listener))
            .map_or_else(
                || self.placeholder("listener"),
                |owner| owner.name.to_string(),
            )
    }

    pub(super) fn placeholder(&self, name: &str) -> String {
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
    Some(format_thousands(percent))
}
