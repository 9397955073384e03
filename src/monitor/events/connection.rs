//! A connection as its events describe it: addresses, states, calling process.

use super::netns_filter::NetnsMatch;
use crate::model::endpoint::Endpoint;
use crate::model::event::{EventProcess, StateChange};
use crate::model::event_history::{ConnectionEvent, TimePrecision, Timeline, TimelineStep};
use crate::model::socket::Socket;
use crate::model::state::State;
use std::sync::Arc;

/// Maximum number of steps: `SYN_SENT`, `ESTABLISHED`, `FIN_WAIT1`, `FIN_WAIT2`
/// or `CLOSING`, and the end; one more for lost events.
const MAX_STEPS: usize = 6;

/// Local and remote address of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct AddressPair {
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
}

impl AddressPair {
    pub(super) fn of(line: &ConnectionEvent) -> Self {
        let (local, remote) = (line.local, line.remote);
        Self { local, remote }
    }

    pub(super) fn of_socket(socket: &Socket) -> Self {
        let (local, remote) = (socket.local, socket.remote);
        Self { local, remote }
    }

    /// Returns the same pair before the kernel has chosen a local port.
    pub(super) fn without_port(self) -> Self {
        let local = Endpoint::new(self.local.address(), 0);
        Self { local, ..self }
    }
}

/// A socket from its first event on.
#[derive(Clone, Debug)]
pub(super) struct TrackedConnection {
    pub(super) addresses: AddressPair,
    /// State that it left with its first event.
    first_state: State,
    steps: [(State, u64); MAX_STEPS],
    count: u8,
    /// Process that called `connect` or `listen`, if reported.
    pub(super) caller: Option<Arc<EventProcess>>,
    /// True if a table has shown it.
    pub(super) seen_in_table: bool,
    pub(super) netns: NetnsMatch,
    /// Addresses under which it is indexed.
    pub(super) indexed_as: Option<AddressPair>,
}

impl TrackedConnection {
    pub(super) fn new(change: &StateChange, shown: bool, place: NetnsMatch) -> Self {
        let mut life = Self {
            addresses: AddressPair {
                local: change.local,
                remote: change.remote,
            },
            first_state: change.from,
            steps: [(State::Closed, 0); MAX_STEPS],
            count: 0,
            caller: change.process.clone(),
            seen_in_table: shown,
            netns: place,
            indexed_as: None,
        };
        life.push(change);
        life
    }

    pub(super) fn push(&mut self, change: &StateChange) {
        // A step beyond the maximum replaces the last one: no connection has
        // more.
        let place = usize::from(self.count).min(MAX_STEPS - 1);
        self.steps[place] = (change.to, change.at_us);
        self.count = u8::try_from(place + 1).unwrap_or(u8::MAX);
    }

    pub(super) fn steps(&self) -> &[(State, u64)] {
        self.steps.get(..self.count.into()).unwrap_or_default()
    }

    pub(super) fn current(&self) -> (State, u64) {
        self.steps()
            .last()
            .copied()
            .unwrap_or((self.first_state, 0))
    }

    /// Start time, if reported.
    pub(super) fn began(&self) -> Option<u64> {
        let (first, at) = *self.steps().first()?;
        is_first_change(self.first_state, first).then_some(at)
    }

    /// True if a listener here accepted it.
    pub(super) fn was_accepted(&self) -> bool {
        self.first_state == State::Listen && self.steps[0].0 == State::SynReceived
    }

    /// Returns the connection as a minisocket: after the program has closed it,
    /// the kernel reports its end. From `FIN_WAIT2` it may have come to
    /// `TIME_WAIT` or may still wait for the peer (`tcp_rcv_state_process`);
    /// only from `CLOSING` it is known.
    pub(super) fn as_minisocket(&self) -> Self {
        let mut life = self.clone();
        let Some(last) = self.steps().len().checked_sub(1) else {
            return life;
        };
        let before = last.checked_sub(1).map(|place| self.steps[place].0);
        if before == Some(State::Closing) {
            life.steps[last].0 = State::TimeWait;
        } else {
            life.count = life.count.saturating_sub(1);
        }
        life
    }

    pub(super) fn is_listener(&self) -> bool {
        self.first_state == State::Listen && !self.was_accepted()
            || self
                .steps()
                .iter()
                .any(|(state, _)| *state == State::Listen)
    }

    /// Returns the timeline. The start time of the state before the first event
    /// is unknown, unless the event began the connection.
    pub(super) fn timeline(&self, before: impl FnOnce(State) -> Option<TimelineStep>) -> Timeline {
        let mut steps = Vec::with_capacity(MAX_STEPS + 1);
        // For an accepted connection, both SYN_RECV and ESTABLISHED are
        // reported when the third segment comes: SYN_RECV began earlier, and
        // only a table can show it.
        let early = usize::from(self.was_accepted());
        if early > 0 {
            let half_open = before(State::SynReceived);
            steps.extend(half_open.filter(|step| step.state == State::SynReceived));
        } else if self.began().is_none() {
            steps.extend(before(self.first_state));
        }
        steps.extend(
            self.steps()
                .iter()
                .skip(early)
                .map(|(state, at)| TimelineStep {
                    state: *state,
                    since_us: *at,
                    precision: TimePrecision::Exact,
                }),
        );
        Timeline { steps }
    }
}

/// True if a change is the first of a socket.
pub(super) fn is_first_change(from: State, to: State) -> bool {
    from == State::Closed || (from, to) == (State::Listen, State::SynReceived)
}
