//! Explains one socket from its own evidence: what it is in, why, who must act
//! next, and what to do.

use super::catalogue::Catalogue;
use super::pick::{Evidence, counts_one_peer, pick};
use super::sentence::{fill, grouped};
use crate::model::observation::Observation;
use crate::model::owner::Unowned;
use crate::model::process::Process;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The explanation of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The state and for how long.
    pub headline: String,
    /// Why it is in it, from its own evidence.
    pub sentences: Vec<String>,
    /// What to do next, without a heading.
    pub next: String,
    /// Who must act.
    pub waits_for: String,
    /// Why nobody owns it, where nobody does.
    pub unowned: Option<String>,
    /// Whether that is said by the sentences already.
    pub unowned_is_said: bool,
    /// An `ss` command that shows the same socket.
    pub same_as: String,
}

/// Explains a row of an observation.
#[must_use]
pub fn diagnose(row: &Row, observation: &Observation, words: &Catalogue) -> Diagnosis {
    let case = Case::new(row, observation, words);
    let group = row.socket.state.key();
    let choice = pick(&case.evidence());
    let say = |name: &str| fill(words.diagnosis(group, name), |place| case.value(place));
    if row.phase == Phase::Closed {
        // It is nowhere any more: nothing of what follows would be true of it.
        return Diagnosis {
            headline: case.headline(),
            sentences: vec![words.diagnosis("words", "closed").to_owned()],
            next: String::new(),
            waits_for: String::new(),
            unowned: None,
            unowned_is_said: true,
            same_as: same_as(row, observation),
        };
    }
    Diagnosis {
        headline: case.headline(),
        sentences: choice
            .sentences
            .iter()
            .filter_map(|name| say(name))
            .filter(|sentence| !sentence.is_empty())
            .collect(),
        next: say(choice.next).unwrap_or_default(),
        waits_for: case.waits_for(choice.who),
        unowned: case.unowned(),
        unowned_is_said: matches!(
            row.unowned,
            Some(Unowned::TimeWait | Unowned::Orphan | Unowned::AcceptQueue)
        ),
        same_as: same_as(row, observation),
    }
}

/// One socket with everything its sentences may speak of.
struct Case<'a> {
    row: &'a Row,
    observation: &'a Observation,
    words: &'a Catalogue,
    owner: Option<&'a Arc<Process>>,
    listener: Option<&'a Row>,
    siblings: u32,
    same_remote: u32,
}

impl<'a> Case<'a> {
    fn new(row: &'a Row, observation: &'a Observation, words: &'a Catalogue) -> Self {
        let (siblings, same_remote) = siblings(row, observation);
        let from_outside = !matches!(row.socket.state, State::Listen | State::SynSent);
        let listener = from_outside
            .then(|| observation.listeners_of(row).next())
            .flatten();
        Self {
            row,
            observation,
            words,
            owner: observation.first_owner(row),
            listener,
            siblings,
            same_remote,
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

    fn evidence(&self) -> Evidence {
        let socket = &self.row.socket;
        // Several listeners may share the port; nobody can tell which is meant.
        let from_outside = self.listener.is_some();
        let listener_full = from_outside
            && self.observation.listeners_of(self.row).any(|listener| {
                let backlog = listener.socket.backlog();
                backlog.is_some_and(|backlog| listener.socket.recv_queue > backlog)
            });
        Evidence {
            protocol: socket.protocol,
            state: socket.state,
            held: socket.inode.is_some(),
            unowned: self.row.unowned,
            recv_queue: socket.recv_queue,
            send_queue: socket.send_queue,
            backlog: socket.backlog(),
            timer: socket.timer,
            age: self.age(),
            entry_seen: self.row.entry_seen,
            local: socket.local.address(),
            one_interface: socket.interface != 0 && !socket.local.is_link_local_v6(),
            remote_is_here: socket.remote.is_loopback()
                || socket.remote.address() == socket.local.address(),
            siblings: self.siblings,
            same_remote: self.same_remote,
            listener_full,
            simultaneous: matches!(
                self.row.phase,
                Phase::Changed {
                    from: State::Closing
                }
            ),
        }
    }

    fn headline(&self) -> String {
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
    fn waits_for(&self, who: Option<&str>) -> String {
        let state = self.words.state(self.row.socket.state);
        let usual = || state.map_or("nobody", |state| state.actor.as_str());
        let sentence = self.words.diagnosis("who", who.unwrap_or_else(usual));
        fill(sentence, |place| self.value(place)).unwrap_or_default()
    }

    fn unowned(&self) -> Option<String> {
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
    fn value(&self, place: &str) -> Option<String> {
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
            "waiting" => grouped(self.queue_of()?.socket.recv_queue.into()),
            "backlog" => grouped(self.queue_of()?.socket.backlog()?.into()),
            "last_owner" => {
                let last = self.observation.last_owner(self.row)?;
                format!("{} ({})", last.name, last.pid)
            }
            other => return self.words.limit(other, &self.observation.limits),
        })
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

/// How many other rows are like this one: in the same state and of the same
/// process, or where there is none, of the same local port (TIME_WAIT: any).
/// Then, how many of these have the same peer.
fn siblings(row: &Row, observation: &Observation) -> (u32, u32) {
    let socket = &row.socket;
    let owner = |row: &Row| Some(row.owners.of(&observation.holders).first()?.process);
    let own = owner(row);
    let mut alike = 0_u32;
    let mut same_remote = 0_u32;
    for other in observation.rows.iter() {
        let kin = other.socket.state == socket.state
            && other.socket.protocol == socket.protocol
            && other.phase != Phase::Closed
            && match (socket.state, own) {
                (State::TimeWait, _) => true,
                (State::Listen, _) => other.socket.local == socket.local,
                (_, Some(own)) => owner(other) == Some(own),
                (_, None) => other.socket.local.port == socket.local.port,
            };
        alike += u32::from(kin);
        same_remote += u32::from(kin && other.socket.remote == socket.remote);
    }
    let present = u32::from(row.phase != Phase::Closed);
    (
        alike.saturating_sub(present),
        same_remote.saturating_sub(present),
    )
}

/// The `ss` command for the same socket, ready to paste.
fn same_as(row: &Row, observation: &Observation) -> String {
    let socket = &row.socket;
    let protocol = match socket.protocol {
        Protocol::Tcp => 't',
        Protocol::Udp => 'u',
    };
    let state = match socket.state {
        State::Listen => "listening",
        State::SynSent => "syn-sent",
        State::SynReceived => "syn-recv",
        State::Established => "established",
        State::FinWait1 => "fin-wait-1",
        State::FinWait2 => "fin-wait-2",
        State::Closing => "closing",
        State::TimeWait => "time-wait",
        State::CloseWait => "close-wait",
        State::LastAck => "last-ack",
        State::Closed | State::BoundInactive | State::Unconnected | State::Unknown(_) => "all",
    };
    let mut command = String::new();
    // Another namespace's sockets show only from within it.
    if observation
        .namespace(socket)
        .is_some_and(|there| !there.own)
        && let Some(owner) = observation.first_owner(row)
    {
        let _ = write!(command, "nsenter -t {} -n ", owner.pid);
    }
    // Writing to a String cannot fail.
    let _ = write!(
        command,
        "ss -{protocol}anpoie state {state} 'sport = :{}",
        socket.local.port
    );
    if let Some(peer) = socket.peer() {
        command.push_str(&format_peer(peer.port));
    }
    command.push('\'');
    command
}

fn format_peer(port: u16) -> String {
    format!(" and dport = :{port}")
}
