//! Acceptance of an answer to a question: only after the time to read it, and
//! only at human typing speed.
//!
//! Keys typed ahead, or delivered as typing by a terminal without bracketed
//! paste, must not end or close anything: an answer that comes too early, or in
//! fast input, is rejected. The rejection is remembered, so that the footer can
//! report that nothing was sent.

use std::time::Duration;

/// Time for which a question must be on screen before an answer is accepted.
pub(super) const MIN_READING_TIME: Duration = Duration::from_millis(400);
/// Minimum time between typed keys: 9600 baud is a character per millisecond, and
/// a fast typist needs 50 ms.
const MIN_KEY_INTERVAL: Duration = Duration::from_millis(30);

/// State of the question on screen and of the input. Times are counted from the
/// start of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ConfirmationGuard {
    /// True if the question was readable in the last frame; none until a frame
    /// has shown its present text.
    readable_in_frame: Option<bool>,
    /// Time since which it is readable; none while it is not.
    readable_since: Option<Duration>,
    /// Time of the last key, click or paste.
    last_input: Option<Duration>,
    /// True if the last input followed the previous one too fast.
    input_too_fast: bool,
    /// True if an answer was rejected, and none accepted since.
    rejected: bool,
}

impl ConfirmationGuard {
    /// Starts a new question, or one with a changed text.
    pub(super) fn question_changed(&mut self) {
        self.readable_in_frame = None;
        self.readable_since = None;
    }

    /// Ends the question.
    pub(super) fn reset(&mut self) {
        self.question_changed();
        self.rejected = false;
    }

    /// Records that the user changed the effect of an answer, in a question
    /// already read: it must be drawn, and needs no reading time of its own.
    pub(super) fn answer_changed(&mut self) {
        self.readable_in_frame = None;
    }

    /// Records a frame; `readable` is true if it showed the whole question.
    pub(super) fn frame_drawn(&mut self, readable: bool, now: Duration) {
        self.readable_in_frame = Some(readable);
        self.readable_since = self.readable_since.filter(|_| readable);
        if readable {
            self.readable_since.get_or_insert(now);
        }
    }

    /// Records a key, a click or a paste.
    pub(super) fn record_input(&mut self, now: Duration) {
        let since = self.last_input.map(|last| now.saturating_sub(last));
        self.input_too_fast = since.is_some_and(|since| since < MIN_KEY_INTERVAL);
        self.last_input = Some(now);
    }

    /// Restarts the reading time after input without a meaning for the question:
    /// the user is busy with something else.
    pub(super) fn restart_reading_time(&mut self, now: Duration) {
        if self.readable_since.is_some() {
            self.readable_since = Some(now);
        }
    }

    /// True if an answer is accepted now. A rejected one is remembered and
    /// restarts the reading time: a key that is held down never answers.
    pub(super) fn try_accept(&mut self, now: Duration) -> bool {
        let given = self.readable_in_frame == Some(true)
            && !self.input_too_fast
            && self.remaining(now) == Some(Duration::ZERO);
        if given {
            self.rejected = false;
        } else {
            self.reject_answer(now);
        }
        given
    }

    /// Rejects an answer. If the screen is too small for the question, "too
    /// early" would be the wrong reason, and is not recorded.
    pub(super) fn reject_answer(&mut self, now: Duration) {
        self.rejected = self.readable_in_frame != Some(false);
        self.restart_reading_time(now);
    }

    /// Time until an answer is accepted; none while the question is not readable.
    pub(super) fn remaining(&self, now: Duration) -> Option<Duration> {
        let since = self.readable_since?;
        Some(MIN_READING_TIME.saturating_sub(now.saturating_sub(since)))
    }

    /// True if an answer was rejected, and none accepted since.
    pub(super) fn has_rejected(&self) -> bool {
        self.rejected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    /// A question that is readable from the hundredth millisecond on.
    fn asked() -> ConfirmationGuard {
        let mut consent = ConfirmationGuard::default();
        consent.record_input(ms(95));
        consent.question_changed();
        consent.frame_drawn(true, ms(100));
        consent
    }

    #[test]
    fn an_answer_counts_once_the_question_could_be_read() {
        for (at, counts) in [(100, false), (499, false), (500, true), (9_000, true)] {
            let mut consent = asked();
            consent.record_input(ms(at));
            assert_eq!(consent.try_accept(ms(at)), counts, "{at} ms");
            assert_eq!(consent.has_rejected(), !counts, "{at} ms");
        }
    }

    #[test]
    fn rejected_answer_restarts_the_reading_time() {
        let mut consent = asked();
        // A key that is held down repeats too fast; any other rhythm is that of a
        // user who does not look.
        for at in (130..20_000).step_by(390) {
            consent.record_input(ms(at));
            assert!(!consent.try_accept(ms(at)), "{at} ms");
        }
        let last = 130 + 390 * 50;
        consent.record_input(ms(last + 410));
        assert!(consent.try_accept(ms(last + 410)));
    }

    #[test]
    fn answer_in_fast_input_is_rejected() {
        for (gap, counts) in [(1, false), (8, false), (29, false), (60, true)] {
            let mut consent = asked();
            consent.record_input(ms(2_000));
            consent.record_input(ms(2_000 + gap));
            assert_eq!(consent.try_accept(ms(2_000 + gap)), counts, "{gap} ms");
        }
    }

    #[test]
    fn changed_question_needs_reading_time_and_changed_answer_a_frame() {
        let mut consent = asked();
        consent.question_changed();
        assert!(!consent.try_accept(ms(700)), "nothing was drawn");
        consent.frame_drawn(true, ms(800));
        assert_eq!(consent.remaining(ms(900)), Some(ms(300)));
        consent.frame_drawn(true, ms(1_100));
        assert!(
            consent.try_accept(ms(1_200)),
            "a further frame says the same"
        );

        let mut consent = asked();
        consent.answer_changed();
        assert!(
            !consent.try_accept(ms(700)),
            "what it would send is not drawn"
        );
        let mut consent = asked();
        consent.answer_changed();
        consent.frame_drawn(true, ms(710));
        assert!(consent.try_accept(ms(720)));
    }

    #[test]
    fn what_does_not_fit_on_the_screen_is_not_answered() {
        let mut consent = asked();
        consent.frame_drawn(false, ms(600));
        assert!(!consent.try_accept(ms(5_000)));
        assert_eq!(consent.remaining(ms(5_000)), None);
        assert!(!consent.has_rejected(), "that was not too early");
        consent.frame_drawn(true, ms(5_100));
        assert!(!consent.try_accept(ms(5_200)), "it was gone for a while");
    }
}
