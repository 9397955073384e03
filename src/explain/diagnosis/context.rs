//! One socket with everything that its sentences may mention: the facts that
//! select them, and the values of their placeholders.

mod facts;
mod values;

use super::super::catalogue::Catalogue;
use super::super::durations::{Limit, limit};
use super::super::kernel_timeouts::{RetryState, retry_state};
use super::super::limit_context::LimitContext;
use super::super::similar::Relations;
use super::super::template::render;
use super::holders::acting_holder;
use crate::explain::socket_proxy::SocketProxy;
use crate::model::limits::Limits;
use crate::model::observation::Observation;
use crate::model::process::{Process, acceptors};
use crate::model::row::{Phase, Row, TIME_WAIT_LENGTH};
use crate::model::state::State;
use crate::model::tcp_info::TcpInfo;
use crate::model::trend::Trend;
use std::sync::Arc;
use std::time::Duration;

/// One socket with everything that its sentences may mention.
pub(super) struct DiagnosisContext<'a> {
    pub(super) row: &'a Row,
    pub(super) observation: &'a Observation,
    pub(super) words: &'a Catalogue,
    limit_context: LimitContext<'a>,
    owner: Option<&'a Arc<Process>>,
    listener: Option<&'a Row>,
    /// The other end, if that is on this machine.
    other_end: Option<&'a Row>,
    /// Listener at the target of a SYN, if that is this machine.
    target_listener: Option<&'a Row>,
    half_open: u32,
    similar: u32,
    same_remote: u32,
    trend: Option<&'a Trend>,
    info: Option<&'a TcpInfo>,
    /// Observed time between unanswered keepalive probes.
    probe_spacing: Option<Duration>,
    retry: Option<RetryState>,
    /// The settings that apply to it: those of another namespace are unknown.
    limits: Limits,
}

impl<'a> DiagnosisContext<'a> {
    pub(super) fn new(row: &'a Row, observation: &'a Observation, words: &'a Catalogue) -> Self {
        Self {
            owner: acting_holder(row, observation),
            ..Self::with_relations(row, observation, Relations::of(row, observation), words)
        }
    }

    /// The same, with facts from other sockets.
    pub(super) fn with_relations(
        row: &'a Row,
        observation: &'a Observation,
        others: Relations<'a>,
        words: &'a Catalogue,
    ) -> Self {
        let from_outside = !matches!(row.socket.state, State::Listen | State::SynSent);
        let listener = from_outside
            .then(|| observation.best_listeners(row).next())
            .flatten();
        let info = observation.detail(row).map(|detail| &detail.info);
        let probe_spacing = observation.probe_spacing(row);
        let limits = if observation.is_in_current_namespace(row) {
            observation.limits
        } else {
            // The settings that only show the progress of the present wait are
            // mostly the same as here.
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
            limit_context: LimitContext::from(&observation.limits),
            owner: match row.socket.state {
                State::Listen => accepting_processes(row, observation).first().copied(),
                _ => observation.first_owner(row),
            },
            listener,
            other_end: others.other_end,
            target_listener: (row.socket.state == State::SynSent)
                .then(|| observation.listener_of_peer(row))
                .flatten(),
            half_open: others.half_open,
            similar: others.similar.all,
            same_remote: others.similar.same_remote,
            trend: observation.trend(row),
            info,
            probe_spacing,
            retry: retry_state(&row.socket, info, probe_spacing, &limits),
            limits,
        }
    }

    /// The same in the lab, with the limits of the machine around it.
    pub(super) fn in_lab(mut self, outside: &'a Limits) -> Self {
        self.limit_context.host = Some(outside);
        self
    }

    /// Returns the action of the lab that keeps the row, if it is not a limit.
    pub(super) fn lab_note(&self) -> Option<(&'static str, String)> {
        let words = self.words.lab("outside", "time_wait");
        self.is_time_wait_renewed()
            .then(|| ("time_wait", words.to_owned()))
    }

    /// Returns a sentence about the container or service that the owner is a
    /// proxy for.
    pub(super) fn proxy_note(&self) -> Option<(&'static str, String)> {
        let owner = self.owner?;
        if self.row.socket.peer().is_some() {
            return None;
        }
        let port = self.row.socket.local.port;
        let stands_for = SocketProxy::on_port(owner, port, self.observation)?;
        Some(("stands_for", stands_for.describe(owner, port, self.words)))
    }

    /// The unit that opened it, where no process is known to hold it.
    pub(super) fn opened_by(&self) -> Option<(&'static str, String)> {
        let unit = self.observation.opener(self.row)?;
        // What was accepted has the control group of its listener.
        let name = match self.row.socket.state {
            State::Listen | State::SynSent | State::BoundInactive | State::Unconnected => {
                "opened_by"
            }
            _ => "opened_by_either",
        };
        let sentence = self.words.diagnosis("words", name);
        Some((name, render(sentence, |_| Some(unit.as_str().to_owned()))?))
    }

    /// True if the lab has restarted `TIME_WAIT`: it has lasted too long.
    fn is_time_wait_renewed(&self) -> bool {
        let timer = self.row.socket.timer;
        let left = timer.map_or(0, |timer| timer.expires_ms);
        let whole = self.age() + Duration::from_millis(left.into());
        self.limit_context.host.is_some()
            && self.row.socket.state == State::TimeWait
            && whole > TIME_WAIT_LENGTH + Duration::from_secs(2)
    }

    /// The maximum duration of this state outside the lab, where the lab
    /// extends it.
    pub(super) fn host_duration(&self) -> Option<String> {
        if self.is_time_wait_renewed() {
            return Some(self.words.duration_text(TIME_WAIT_LENGTH));
        }
        match self.host_limit()? {
            Limit::Duration(length) => Some(self.words.duration_text(length)),
            Limit::Count(_) => None,
        }
    }

    /// The limit of the wait for an answer outside the lab, if it differs.
    fn host_limit(&self) -> Option<Limit> {
        let total = |limits| limit(self.retry_limit_key()?, limits);
        let outside = self
            .limit_context
            .host
            .filter(|_| self.observation.is_in_current_namespace(self.row));
        let outside = outside.and_then(total)?;
        (Some(outside) != total(self.limit_context.local)).then_some(outside)
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
        let watched = self.row.state_since.age(self.observation.time.timestamp());
        watched + self.observation.unwatched(self.row)
    }

    /// The age as text: polling does not resolve tenths of a second.
    fn age_text(&self) -> String {
        let age = self.age();
        match age.as_secs() {
            0 => self.words.diagnosis("units", "under_a_second").to_owned(),
            seconds => self.words.duration_text(Duration::from_secs(seconds)),
        }
    }

    pub(super) fn headline(&self) -> String {
        let state = self.row.socket.state.to_string();
        let from = match self.row.phase {
            Phase::Changed { from } => Some(from.to_string()),
            _ => None,
        };
        // One table alone shows only that a row is there.
        let single =
            self.observation.table_number <= 1 && self.observation.unwatched(self.row).is_zero();
        let name = match (&from, self.row.saw_state_entry) {
            // A closed row is no longer in its last state.
            _ if single || self.row.phase == Phase::Closed => "bare",
            (Some(_), _) => "changed",
            // "At least" with less than a second would mean nothing.
            (None, false) if self.age() < Duration::from_secs(1) => "bare",
            (None, true) => "since",
            (None, false) => "at_least",
        };
        render(
            self.words.diagnosis("headline", name),
            |place| match place {
                "state" => Some(state.clone()),
                "from" => from.clone(),
                "age" => Some(self.age_text()),
                _ => None,
            },
        )
        .unwrap_or(state)
    }

    /// The next actor: from the evidence, else the usual one of the state.
    pub(super) fn waits_for(&self, who: Option<&str>) -> String {
        let state = self.words.state(self.row.socket.state);
        let usual = || state.map_or("nobody", |state| state.actor.as_str());
        let sentence = self.words.diagnosis("who", who.unwrap_or_else(usual));
        render(sentence, |place| self.value(place)).unwrap_or_default()
    }

    pub(super) fn no_owner_text(&self) -> Option<String> {
        let words = self.words.no_owner(self.row.no_owner_reason?)?;
        let value = |place: &str| match place {
            // A placeholder text would mean nothing here: the sentence is
            // dropped.
            "listener" => Some(self.listener?.socket.local.to_string()),
            place => self.value(place),
        };
        let mut text = render(&words.means, value).unwrap_or_default();
        if let Some(named) = render(&words.named, value).filter(|named| !named.is_empty()) {
            text = self.words.join_sentences(&[text, named]);
        }
        Some(text)
    }
}

/// The processes that accept at a listener.
fn accepting_processes<'a>(row: &Row, observation: &'a Observation) -> Vec<&'a Arc<Process>> {
    let holders: Vec<_> = observation
        .owners(row)
        .map(|(process, _)| process)
        .collect();
    acceptors(&holders)
}

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}
