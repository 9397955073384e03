//! Acceptance of an answer to a question: only after the time to read it, and
//! only at human typing speed.
//!
//! Keys typed ahead, or delivered as typing by a terminal without bracketed
//! paste, must not end or close anything: an answer that comes too early, or in
//! fast input, is rejected. The rejection is remembered, so that the footer can
//! report that nothing was sent.

use std::time::Duration;

/// Time for which a question must be on screen before an answer is accepted.
pub(super) const READING_TIME: Duration = Duration::from_millis(400);
/// Minimum time between typed keys: 9600 baud is a character per millisecond, and
/// a fast typist needs 50 ms.
const FASTEST_TYPING: Duration = Duration::from_millis(30);

/// State of the question on screen and of the input. Times are counted from the
/// start of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Consent {
    /// True if the question was readable in the last frame; none until a frame
    /// has shown its present text.
    shown: Option<bool>,
    /// Time since which it is readable; none while it is not.
    readable_since: Option<Duration>,
    /// Time of the last key, click or paste.
    last_input: Option<Duration>,
    /// True if the last input followed the previous one too fast.
    rushed: bool,
    /// True if an answer was rejected, and none accepted since.
    dropped: bool,
}

impl Consent {
    /// Starts a new question, or one with a changed text.
    pub(super) fn ask(&mut self) {
        self.shown = None;
        self.readable_since = None;
    }

    /// Ends the question.
    pub(super) fn forget(&mut self) {
        self.ask();
        self.dropped = false;
    }

    /// Records that the user changed the effect of an answer, in a question
    /// already read: it must be drawn, and needs no reading time of its own.
    pub(super) fn alter(&mut self) {
        self.shown = None;
    }

    /// Records a frame; `readable` is true if it showed the whole question.
    pub(super) fn drawn(&mut self, readable: bool, now: Duration) {
        self.shown = Some(readable);
        self.readable_since = self.readable_since.filter(|_| readable);
        if readable {
            self.readable_since.get_or_insert(now);
        }
    }

    /// Records a key, a click or a paste.
    pub(super) fn input(&mut self, now: Duration) {
        let since = self.last_input.map(|last| now.saturating_sub(last));
        self.rushed = since.is_some_and(|since| since < FASTEST_TYPING);
        self.last_input = Some(now);
    }

    /// Restarts the reading time after input without a meaning for the question:
    /// the user is busy with something else.
    pub(super) fn stray(&mut self, now: Duration) {
        if self.readable_since.is_some() {
            self.readable_since = Some(now);
        }
    }

    /// True if an answer is accepted now. A rejected one is remembered and
    /// restarts the reading time: a key that is held down never answers.
    pub(super) fn give(&mut self, now: Duration) -> bool {
        let given =
            self.shown == Some(true) && !self.rushed && self.left(now) == Some(Duration::ZERO);
        if given {
            self.dropped = false;
        } else {
            self.drop_answer(now);
        }
        given
    }

    /// Rejects an answer. If the screen is too small for the question, "too
    /// early" would be the wrong reason, and is not recorded.
    pub(super) fn drop_answer(&mut self, now: Duration) {
        self.dropped = self.shown != Some(false);
        self.stray(now);
    }

    /// Time until an answer is accepted; none while the question is not readable.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        let since = self.readable_since?;
        Some(READING_TIME.saturating_sub(now.saturating_sub(since)))
    }

    /// True if an answer was rejected, and none accepted since.
    pub(super) fn has_dropped(&self) -> bool {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    /// A question that is readable from the hundredth millisecond on.
    fn asked() -> Consent {
        let mut consent = Consent::default();
        consent.input(ms(95));
        consent.ask();
        consent.drawn(true, ms(100));
        consent
    }

    #[test]
    fn an_answer_counts_once_the_question_could_be_read() {
        for (at, counts) in [(100, false), (499, false), (500, true), (9_000, true)] {
            let mut consent = asked();
            consent.input(ms(at));
            assert_eq!(consent.give(ms(at)), counts, "{at} ms");
            assert_eq!(consent.has_dropped(), !counts, "{at} ms");
        }
    }

    #[test]
    fn what_was_dropped_begins_the_time_anew() {
        let mut consent = asked();
        // A key that is held down repeats too fast; any other rhythm is that of a
        // user who does not look.
        for at in (130..20_000).step_by(390) {
            consent.input(ms(at));
            assert!(!consent.give(ms(at)), "{at} ms");
        }
        let last = 130 + 390 * 50;
        consent.input(ms(last + 410));
        assert!(consent.give(ms(last + 410)));
    }

    #[test]
    fn an_answer_in_a_rush_of_keys_does_not_count() {
        for (gap, counts) in [(1, false), (8, false), (29, false), (60, true)] {
            let mut consent = asked();
            consent.input(ms(2_000));
            consent.input(ms(2_000 + gap));
            assert_eq!(consent.give(ms(2_000 + gap)), counts, "{gap} ms");
        }
    }

    #[test]
    fn a_question_that_changed_must_be_read_and_one_that_was_altered_only_drawn() {
        let mut consent = asked();
        consent.ask();
        assert!(!consent.give(ms(700)), "nothing was drawn");
        consent.drawn(true, ms(800));
        assert_eq!(consent.left(ms(900)), Some(ms(300)));
        consent.drawn(true, ms(1_100));
        assert!(consent.give(ms(1_200)), "a further frame says the same");

        let mut consent = asked();
        consent.alter();
        assert!(!consent.give(ms(700)), "what it would send is not drawn");
        let mut consent = asked();
        consent.alter();
        consent.drawn(true, ms(710));
        assert!(consent.give(ms(720)));
    }

    #[test]
    fn what_does_not_fit_on_the_screen_is_not_answered() {
        let mut consent = asked();
        consent.drawn(false, ms(600));
        assert!(!consent.give(ms(5_000)));
        assert_eq!(consent.left(ms(5_000)), None);
        assert!(!consent.has_dropped(), "that was not too early");
        consent.drawn(true, ms(5_100));
        assert!(!consent.give(ms(5_200)), "it was gone for a while");
    }
}
