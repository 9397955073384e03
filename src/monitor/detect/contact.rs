//! Outcome of the contact of one process with one destination.

use super::thresholds::Thresholds;
use crate::model::row::Row;
use crate::model::time::Stamp;
use crate::model::timer::TimerKind;
use crate::monitor::chronicle::attempts::Outcomes;
use std::ops::AddAssign;

/// Outcome of a first contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No answer yet, or cancelled before one was due: neither success nor
    /// failure. The loser of Happy Eyeballs (RFC 8305) ends here.
    Open,
    /// Reported as cancelled before an answer was due.
    Abandoned,
    /// A SYN was retransmitted, waits for too long, or was refused.
    Failing,
    /// Failing for long enough to count.
    Failed,
    /// A connection was established.
    Reached,
    /// Failed while the whole network did, which is not its fault. Sockets from
    /// that time may still wait; only a later one counts.
    Excused,
}

/// A contact of one process with one destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contact {
    pub(super) outcome: Outcome,
    /// Time at which that outcome was first seen.
    pub(super) since: Stamp,
    /// Time of the last sign of it.
    pub(super) last_seen: Stamp,
    /// True if it failed by a refusal: the host exists.
    pub(super) refused: bool,
    /// Time since which sockets have waited in vain, whatever the outcome of
    /// the first one.
    pub(super) silent_since: Option<Stamp>,
    /// Number of sockets that wait in vain; valid for `round` only.
    waiting: u32,
    round: u32,
}

/// Steps that a contact adds to the random walk of its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) failures: i32,
    pub(super) successes: i32,
}

impl AddAssign for Steps {
    fn add_assign(&mut self, other: Self) {
        self.failures += other.failures;
        self.successes += other.successes;
    }
}

/// Wait of a socket in `SYN_SENT`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    since: Stamp,
    retransmits: u8,
    in_vain: bool,
}

impl Wait {
    /// Returns the wait of a row in `SYN_SENT`.
    pub(super) fn of(row: &Row, now: Stamp, thresholds: &Thresholds) -> Self {
        let retransmits = row
            .socket
            .timer
            .filter(|timer| timer.kind == TimerKind::Retransmit)
            .map_or(0, |timer| timer.retransmits);
        Self {
            since: row.state_since,
            retransmits,
            in_vain: retransmits > 0 || row.state_since.age(now) > thresholds.patience,
        }
    }
}

impl Contact {
    /// Returns a contact whose outcome is open.
    pub(super) fn new(now: Stamp) -> Self {
        Self {
            outcome: Outcome::Open,
            since: now,
            last_seen: now,
            refused: false,
            silent_since: None,
            waiting: 0,
            round: 0,
        }
    }

    /// Records a socket that waits for an answer.
    pub(super) fn waits(
        &mut self,
        wait: Wait,
        now: Stamp,
        round: u32,
        limits: &Thresholds,
    ) -> Steps {
        self.last_seen = now;
        if self.outcome == Outcome::Excused && wait.since > self.since {
            self.outcome = Outcome::Open;
        }
        if !wait.in_vain || self.outcome == Outcome::Excused {
            return Steps::default();
        }
        self.waiting = self.waiting(round) + 1;
        self.round = round;
        self.silent_since.get_or_insert(now);
        self.begin_to_fail(now);
        if wait.retransmits >= limits.settled_retransmits {
            self.fail()
        } else {
            Steps::default()
        }
    }

    /// Records an established connection.
    pub(super) fn answers(&mut self, now: Stamp) -> Steps {
        self.last_seen = now;
        self.silent_since = None;
        let before = std::mem::replace(&mut self.outcome, Outcome::Reached);
        if before == Outcome::Reached {
            return Steps::default();
        }
        self.since = now;
        Steps {
            // A failure that was counted too early is taken back.
            failures: if before == Outcome::Failed { -1 } else { 0 },
            successes: 1,
        }
    }

    /// Records the reported outcomes of attempts since the last table. One
    /// answer among them is an answer.
    pub(super) fn hears(&mut self, told: Outcomes, now: Stamp) -> Steps {
        if told.answered > 0 {
            return self.answers(now);
        }
        self.last_seen = now;
        if told.failed() > 0 {
            self.refused |= told.refused > 0 && !self.is_failing();
            self.begin_to_fail(now);
        } else if self.outcome == Outcome::Open {
            self.outcome = Outcome::Abandoned;
            self.since = now;
        }
        Steps::default()
    }

    fn begin_to_fail(&mut self, now: Stamp) {
        if matches!(self.outcome, Outcome::Open | Outcome::Abandoned) {
            self.outcome = Outcome::Failing;
            self.since = now;
        }
    }

    /// Counts a failure that has lasted long enough.
    pub(super) fn settle(&mut self, now: Stamp, limits: &Thresholds) -> Steps {
        if self.since.age(now) >= limits.settling {
            self.fail()
        } else {
            Steps::default()
        }
    }

    fn fail(&mut self) -> Steps {
        if self.outcome != Outcome::Failing {
            return Steps::default();
        }
        self.outcome = Outcome::Failed;
        Steps {
            failures: 1,
            successes: 0,
        }
    }

    /// Forgives a failure.
    pub(super) fn excuse(&mut self, now: Stamp) {
        if self.is_failing() {
            self.outcome = Outcome::Excused;
            self.since = now;
            self.silent_since = None;
        }
    }

    /// True if it has failed so far, counted or not.
    pub(super) fn is_failing(&self) -> bool {
        matches!(self.outcome, Outcome::Failing | Outcome::Failed)
    }

    /// Number of sockets that wait in vain in this round.
    pub(super) fn waiting(&self, round: u32) -> u32 {
        if self.round == round { self.waiting } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::socket;
    use super::super::super::phase::{Sighting, arrived};
    use super::*;
    use crate::model::owner::OwnerSpan;
    use crate::model::state::State;
    use crate::model::timer::Timer;

    const IN_VAIN: Wait = Wait {
        since: Stamp(0),
        retransmits: 1,
        in_vain: true,
    };

    fn failing(now: Stamp) -> Contact {
        let mut contact = Contact::new(now);
        contact.waits(IN_VAIN, now, 1, &Thresholds::default());
        contact
    }

    #[test]
    fn an_answer_is_due_after_a_second() {
        let limits = Thresholds::default();
        let owners = OwnerSpan::default();
        let socket = socket(1, State::SynSent);
        let mut row = arrived(Sighting { socket, owners }, Stamp(0));
        assert!(!Wait::of(&row, Stamp(120), &limits).in_vain);
        assert!(Wait::of(&row, Stamp(121), &limits).in_vain);
        row.socket.timer = Some(Timer {
            kind: TimerKind::Retransmit,
            expires_ms: 0,
            retransmits: 1,
        });
        assert!(Wait::of(&row, Stamp(0), &limits).in_vain);
    }

    #[test]
    fn a_wait_that_ends_before_an_answer_is_due_is_neither() {
        let mut contact = Contact::new(Stamp(0));
        let wait = Wait {
            retransmits: 0,
            in_vain: false,
            ..IN_VAIN
        };
        contact.waits(wait, Stamp(20), 1, &Thresholds::default());
        contact.settle(Stamp(10_000), &Thresholds::default());
        assert_eq!(contact.outcome, Outcome::Open);
    }

    #[test]
    fn what_is_told_is_exact() {
        let limits = Thresholds::default();
        let told = |answered, refused, unanswered, given_up| Outcomes {
            answered,
            refused,
            unanswered,
            given_up,
        };
        let cases = [
            (told(0, 9, 0, 0), Outcome::Failed, true),
            (told(0, 0, 1, 0), Outcome::Failed, false),
            (told(0, 1, 0, 3), Outcome::Failed, true),
            (told(1, 9, 9, 9), Outcome::Reached, false),
            (told(0, 0, 0, 2), Outcome::Abandoned, false),
        ];
        for (told, outcome, refused) in cases {
            let mut contact = Contact::new(Stamp(0));
            contact.hears(told, Stamp(10));
            contact.settle(Stamp(400), &limits);
            assert_eq!((contact.outcome, contact.refused), (outcome, refused));
        }
        // A destination that is silent and later refuses was silent at first.
        let mut contact = failing(Stamp(0));
        contact.hears(told(0, 1, 0, 0), Stamp(10));
        assert!(!contact.refused);
    }

    #[test]
    fn a_failure_counts_once_it_has_stood() {
        let limits = Thresholds::default();
        let mut contact = failing(Stamp(100));
        assert_eq!(contact.settle(Stamp(399), &limits), Steps::default());
        assert_eq!(contact.settle(Stamp(400), &limits).failures, 1);
        assert_eq!(contact.settle(Stamp(500), &limits), Steps::default());
        assert_eq!(contact.outcome, Outcome::Failed);
    }

    #[test]
    fn many_retransmits_count_at_once() {
        let mut contact = Contact::new(Stamp(0));
        let wait = Wait {
            retransmits: 3,
            ..IN_VAIN
        };
        let steps = contact.waits(wait, Stamp(0), 1, &Thresholds::default());
        assert_eq!(steps.failures, 1);
    }

    #[test]
    fn a_late_answer_takes_the_failure_back() {
        let mut contact = failing(Stamp(100));
        contact.settle(Stamp(500), &Thresholds::default());
        let steps = contact.answers(Stamp(600));
        assert_eq!((steps.failures, steps.successes), (-1, 1));
        assert_eq!(contact.answers(Stamp(700)), Steps::default());
    }

    #[test]
    fn waiting_sockets_are_those_of_the_round() {
        let mut contact = failing(Stamp(100));
        contact.waits(IN_VAIN, Stamp(100), 1, &Thresholds::default());
        assert_eq!(contact.waiting(1), 2);
        assert_eq!(contact.waiting(2), 0);
    }

    #[test]
    fn only_a_later_socket_ends_an_excuse() {
        let limits = Thresholds::default();
        let mut contact = failing(Stamp(100));
        contact.excuse(Stamp(200));
        contact.waits(IN_VAIN, Stamp(300), 2, &limits);
        contact.settle(Stamp(900), &limits);
        assert_eq!(contact.outcome, Outcome::Excused);
        assert_eq!((contact.waiting(2), contact.silent_since), (0, None));
        let later = Wait {
            since: Stamp(400),
            ..IN_VAIN
        };
        contact.waits(later, Stamp(1000), 3, &limits);
        assert_eq!(contact.outcome, Outcome::Failing);
    }
}
