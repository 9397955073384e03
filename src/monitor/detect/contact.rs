//! Outcome of the contact of one process with one destination.

use super::thresholds::Thresholds;
use crate::model::row::Row;
use crate::model::time::Timestamp;
use crate::model::timer::TimerKind;
use crate::monitor::events::attempts::AttemptOutcomes;
use std::ops::AddAssign;

/// Outcome of a first contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContactOutcome {
    /// No answer yet, or cancelled before one was due: neither success nor
    /// failure. The loser of Happy Eyeballs (RFC 8305) ends here.
    Pending,
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
    Forgiven,
}

/// A contact of one process with one destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contact {
    pub(super) outcome: ContactOutcome,
    /// Time at which that outcome was first seen.
    pub(super) since: Timestamp,
    /// Time of the last sign of it.
    pub(super) last_seen: Timestamp,
    /// True if it failed by a refusal: the host exists.
    pub(super) refused: bool,
    /// Time since which sockets have waited in vain, whatever the outcome of
    /// the first one.
    pub(super) unanswered_since: Option<Timestamp>,
    /// Number of sockets that wait in vain; valid for `table_number` only.
    waiting: u32,
    table_number: u32,
}

/// Steps that a contact adds to the random walk of its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TrwSteps {
    pub(super) failures: i32,
    pub(super) successes: i32,
}

impl AddAssign for TrwSteps {
    fn add_assign(&mut self, other: Self) {
        self.failures += other.failures;
        self.successes += other.successes;
    }
}

/// Wait of a socket in `SYN_SENT`.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingSyn {
    since: Timestamp,
    retransmits: u8,
    overdue: bool,
}

impl PendingSyn {
    /// Returns the wait of a row in `SYN_SENT`.
    pub(super) fn of(row: &Row, now: Timestamp, thresholds: &Thresholds) -> Self {
        let retransmits = row
            .socket
            .timer
            .filter(|timer| timer.kind == TimerKind::Retransmit)
            .map_or(0, |timer| timer.retransmits);
        Self {
            since: row.state_since,
            retransmits,
            overdue: retransmits > 0 || row.state_since.age(now) > thresholds.patience,
        }
    }
}

impl Contact {
    /// Returns a contact whose outcome is open.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            outcome: ContactOutcome::Pending,
            since: now,
            last_seen: now,
            refused: false,
            unanswered_since: None,
            waiting: 0,
            table_number: 0,
        }
    }

    /// Records a socket that waits for an answer.
    pub(super) fn record_pending(
        &mut self,
        wait: PendingSyn,
        now: Timestamp,
        round: u32,
        limits: &Thresholds,
    ) -> TrwSteps {
        self.last_seen = now;
        if self.outcome == ContactOutcome::Forgiven && wait.since > self.since {
            self.outcome = ContactOutcome::Pending;
        }
        if !wait.overdue || self.outcome == ContactOutcome::Forgiven {
            return TrwSteps::default();
        }
        self.waiting = self.waiting(round) + 1;
        self.table_number = round;
        self.unanswered_since.get_or_insert(now);
        self.start_failing(now);
        if wait.retransmits >= limits.settled_retransmits {
            self.count_failure()
        } else {
            TrwSteps::default()
        }
    }

    /// Records an established connection.
    pub(super) fn record_answer(&mut self, now: Timestamp) -> TrwSteps {
        self.last_seen = now;
        self.unanswered_since = None;
        let before = std::mem::replace(&mut self.outcome, ContactOutcome::Reached);
        if before == ContactOutcome::Reached {
            return TrwSteps::default();
        }
        self.since = now;
        TrwSteps {
            // A failure that was counted too early is taken back.
            failures: if before == ContactOutcome::Failed {
                -1
            } else {
                0
            },
            successes: 1,
        }
    }

    /// Records the reported outcomes of attempts since the last table. One
    /// answer among them is an answer.
    pub(super) fn record_event_outcomes(
        &mut self,
        told: AttemptOutcomes,
        now: Timestamp,
    ) -> TrwSteps {
        if told.answered > 0 {
            return self.record_answer(now);
        }
        self.last_seen = now;
        if told.failed() > 0 {
            self.refused |= told.refused > 0 && !self.is_failing();
            self.start_failing(now);
        } else if self.outcome == ContactOutcome::Pending {
            self.outcome = ContactOutcome::Abandoned;
            self.since = now;
        }
        TrwSteps::default()
    }

    fn start_failing(&mut self, now: Timestamp) {
        if matches!(
            self.outcome,
            ContactOutcome::Pending | ContactOutcome::Abandoned
        ) {
            self.outcome = ContactOutcome::Failing;
            self.since = now;
        }
    }

    /// Counts a failure that has lasted long enough.
    pub(super) fn confirm_failure(&mut self, now: Timestamp, limits: &Thresholds) -> TrwSteps {
        if self.since.age(now) >= limits.settling {
            self.count_failure()
        } else {
            TrwSteps::default()
        }
    }

    fn count_failure(&mut self) -> TrwSteps {
        if self.outcome != ContactOutcome::Failing {
            return TrwSteps::default();
        }
        self.outcome = ContactOutcome::Failed;
        TrwSteps {
            failures: 1,
            successes: 0,
        }
    }

    /// Forgives a failure.
    pub(super) fn forgive(&mut self, now: Timestamp) {
        if self.is_failing() {
            self.outcome = ContactOutcome::Forgiven;
            self.since = now;
            self.unanswered_since = None;
        }
    }

    /// True if it has failed so far, counted or not.
    pub(super) fn is_failing(&self) -> bool {
        matches!(
            self.outcome,
            ContactOutcome::Failing | ContactOutcome::Failed
        )
    }

    /// Number of sockets that wait in vain in this round.
    pub(super) fn waiting(&self, round: u32) -> u32 {
        if self.table_number == round {
            self.waiting
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::socket;
    use super::super::super::phase::{SocketSample, appeared};
    use super::*;
    use crate::model::owner::OwnerSpan;
    use crate::model::state::State;
    use crate::model::timer::Timer;

    const OVERDUE: PendingSyn = PendingSyn {
        since: Timestamp(0),
        retransmits: 1,
        overdue: true,
    };

    fn failing(now: Timestamp) -> Contact {
        let mut contact = Contact::new(now);
        contact.record_pending(OVERDUE, now, 1, &Thresholds::default());
        contact
    }

    #[test]
    fn an_answer_is_due_after_a_second() {
        let limits = Thresholds::default();
        let owners = OwnerSpan::default();
        let socket = socket(1, State::SynSent);
        let mut row = appeared(SocketSample { socket, owners }, Timestamp(0));
        assert!(!PendingSyn::of(&row, Timestamp(120), &limits).overdue);
        assert!(PendingSyn::of(&row, Timestamp(121), &limits).overdue);
        row.socket.timer = Some(Timer {
            kind: TimerKind::Retransmit,
            expires_ms: 0,
            retransmits: 1,
        });
        assert!(PendingSyn::of(&row, Timestamp(0), &limits).overdue);
    }

    #[test]
    fn an_attempt_that_ends_early_stays_pending() {
        let mut contact = Contact::new(Timestamp(0));
        let wait = PendingSyn {
            retransmits: 0,
            overdue: false,
            ..OVERDUE
        };
        contact.record_pending(wait, Timestamp(20), 1, &Thresholds::default());
        contact.confirm_failure(Timestamp(10_000), &Thresholds::default());
        assert_eq!(contact.outcome, ContactOutcome::Pending);
    }

    #[test]
    fn event_outcomes_are_exact() {
        let limits = Thresholds::default();
        let told = |answered, refused, unanswered, cancelled| AttemptOutcomes {
            answered,
            refused,
            timed_out: unanswered,
            cancelled,
        };
        let cases = [
            (told(0, 9, 0, 0), ContactOutcome::Failed, true),
            (told(0, 0, 1, 0), ContactOutcome::Failed, false),
            (told(0, 1, 0, 3), ContactOutcome::Failed, true),
            (told(1, 9, 9, 9), ContactOutcome::Reached, false),
            (told(0, 0, 0, 2), ContactOutcome::Abandoned, false),
        ];
        for (told, outcome, refused) in cases {
            let mut contact = Contact::new(Timestamp(0));
            contact.record_event_outcomes(told, Timestamp(10));
            contact.confirm_failure(Timestamp(400), &limits);
            assert_eq!((contact.outcome, contact.refused), (outcome, refused));
        }
        // A destination that is silent and later refuses was silent at first.
        let mut contact = failing(Timestamp(0));
        contact.record_event_outcomes(told(0, 1, 0, 0), Timestamp(10));
        assert!(!contact.refused);
    }

    #[test]
    fn a_failure_counts_after_the_failure_delay() {
        let limits = Thresholds::default();
        let mut contact = failing(Timestamp(100));
        assert_eq!(
            contact.confirm_failure(Timestamp(399), &limits),
            TrwSteps::default()
        );
        assert_eq!(contact.confirm_failure(Timestamp(400), &limits).failures, 1);
        assert_eq!(
            contact.confirm_failure(Timestamp(500), &limits),
            TrwSteps::default()
        );
        assert_eq!(contact.outcome, ContactOutcome::Failed);
    }

    #[test]
    fn many_retransmits_count_at_once() {
        let mut contact = Contact::new(Timestamp(0));
        let wait = PendingSyn {
            retransmits: 3,
            ..OVERDUE
        };
        let steps = contact.record_pending(wait, Timestamp(0), 1, &Thresholds::default());
        assert_eq!(steps.failures, 1);
    }

    #[test]
    fn a_late_answer_takes_the_failure_back() {
        let mut contact = failing(Timestamp(100));
        contact.confirm_failure(Timestamp(500), &Thresholds::default());
        let steps = contact.record_answer(Timestamp(600));
        assert_eq!((steps.failures, steps.successes), (-1, 1));
        assert_eq!(contact.record_answer(Timestamp(700)), TrwSteps::default());
    }

    #[test]
    fn waiting_sockets_are_those_of_the_round() {
        let mut contact = failing(Timestamp(100));
        contact.record_pending(OVERDUE, Timestamp(100), 1, &Thresholds::default());
        assert_eq!(contact.waiting(1), 2);
        assert_eq!(contact.waiting(2), 0);
    }

    #[test]
    fn only_a_later_socket_ends_forgiveness() {
        let limits = Thresholds::default();
        let mut contact = failing(Timestamp(100));
        contact.forgive(Timestamp(200));
        contact.record_pending(OVERDUE, Timestamp(300), 2, &limits);
        contact.confirm_failure(Timestamp(900), &limits);
        assert_eq!(contact.outcome, ContactOutcome::Forgiven);
        assert_eq!((contact.waiting(2), contact.unanswered_since), (0, None));
        let later = PendingSyn {
            since: Timestamp(400),
            ..OVERDUE
        };
        contact.record_pending(later, Timestamp(1000), 3, &limits);
        assert_eq!(contact.outcome, ContactOutcome::Failing);
    }
}
