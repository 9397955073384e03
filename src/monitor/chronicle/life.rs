//! A connection as its changes told it: its ends, its states, who called for it.

use super::whereabouts::Place;
use crate::model::chronicle::{Happening, Known, Step, Timeline};
use crate::model::endpoint::Endpoint;
use crate::model::event::{Caller, Change};
use crate::model::socket::Socket;
use crate::model::state::State;
use std::sync::Arc;

/// The longest way: `SYN_SENT`, `ESTABLISHED`, `FIN_WAIT1`, `FIN_WAIT2` or
/// `CLOSING`, and the end; one more for what was lost.
const STEPS: usize = 6;

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
}

impl Ends {
    pub(super) fn of(line: &Happening) -> Self {
        let (local, remote) = (line.local, line.remote);
        Self { local, remote }
    }

    pub(super) fn of_socket(socket: &Socket) -> Self {
        let (local, remote) = (socket.local, socket.remote);
        Self { local, remote }
    }

    /// The same before the kernel has chosen a port.
    pub(super) fn without_port(self) -> Self {
        let local = Endpoint::new(self.local.address(), 0);
        Self { local, ..self }
    }
}

/// A socket from its first change on.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) ends: Ends,
    /// The state it left with the first change that was told.
    before: State,
    steps: [(State, u64); STEPS],
    count: u8,
    /// Who called for it, where that was told.
    pub(super) caller: Option<Arc<Caller>>,
    /// Whether a table has shown it.
    pub(super) shown: bool,
    pub(super) place: Place,
    /// The ends by which it can be found.
    pub(super) pointed: Option<Ends>,
}

impl Life {
    pub(super) fn begin(change: &Change, shown: bool, place: Place) -> Self {
        let mut life = Self {
            ends: Ends {
                local: change.local,
                remote: change.remote,
            },
            before: change.from,
            steps: [(State::Closed, 0); STEPS],
            count: 0,
            caller: change.caller.clone(),
            shown,
            place,
            pointed: None,
        };
        life.push(change);
        life
    }

    pub(super) fn push(&mut self, change: &Change) {
        // What comes after the last step takes its place: no way is so long.
        let place = usize::from(self.count).min(STEPS - 1);
        self.steps[place] = (change.to, change.at_us);
        self.count = u8::try_from(place + 1).unwrap_or(u8::MAX);
    }

    pub(super) fn told(&self) -> &[(State, u64)] {
        self.steps.get(..self.count.into()).unwrap_or_default()
    }

    pub(super) fn present(&self) -> (State, u64) {
        self.told().last().copied().unwrap_or((self.before, 0))
    }

    /// When it began, where that was told.
    pub(super) fn began(&self) -> Option<u64> {
        let (first, at) = *self.told().first()?;
        is_birth(self.before, first).then_some(at)
    }

    /// Whether it came through a listener here.
    pub(super) fn was_accepted(&self) -> bool {
        self.before == State::Listen && self.steps[0].0 == State::SynReceived
    }

    /// The same as the little that stays of it: nobody waits for the program any
    /// more, and the kernel tells that as its end. From `FIN_WAIT2` it may have
    /// come to `TIME_WAIT` or be still waiting for the peer
    /// (`tcp_rcv_state_process`); only from `CLOSING` it is sure.
    pub(super) fn lingering(&self) -> Self {
        let mut life = self.clone();
        let Some(last) = self.told().len().checked_sub(1) else {
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
        self.before == State::Listen && !self.was_accepted()
            || self.told().iter().any(|(state, _)| *state == State::Listen)
    }

    /// Its way. The state it left with the first change began at a time that
    /// was not told, if it is no beginning.
    pub(super) fn timeline(&self, before: impl FnOnce(State) -> Option<Step>) -> Timeline {
        let mut steps = Vec::with_capacity(STEPS + 1);
        // Both SYN_RECV and ESTABLISHED of who is accepted are told when the third
        // segment comes: the first began earlier, and only a table can tell.
        let early = usize::from(self.was_accepted());
        if early > 0 {
            let half_open = before(State::SynReceived);
            steps.extend(half_open.filter(|step| step.state == State::SynReceived));
        } else if self.began().is_none() {
            steps.extend(before(self.before));
        }
        steps.extend(self.told().iter().skip(early).map(|(state, at)| Step {
            state: *state,
            since_us: *at,
            known: Known::Exactly,
        }));
        Timeline { steps }
    }
}

/// Whether a change is a socket's first.
pub(super) fn is_birth(from: State, to: State) -> bool {
    from == State::Closed || (from, to) == (State::Listen, State::SynReceived)
}
