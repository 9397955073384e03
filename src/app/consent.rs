//! When an answer to a question counts: once a person can have read the question,
//! and only from the hand of a person.
//!
//! Keys that were typed ahead, or that a terminal without bracketed paste delivers
//! as typing, must end or close nothing: so an answer that comes sooner, or in a
//! rush of keys, is dropped. What was dropped is remembered, so that the footer can
//! say that nothing was sent.

use std::time::Duration;

/// How long a question must have stood on the screen before an answer counts.
pub(super) const READING_TIME: Duration = Duration::from_millis(400);
/// Keys that follow each other faster than this are no typing: 9600 baud is a
/// character per millisecond, and a fast typist needs 50 ms.
const FASTEST_TYPING: Duration = Duration::from_millis(30);

/// What is known of the question on the screen and of the hand at the keys. Times
/// are counted from the start of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Consent {
    /// True if the question was readable in the last frame; none while no frame has
    /// shown it as it stands now.
    shown: Option<bool>,
    /// Since when it can be read; none while it cannot.
    readable_since: Option<Duration>,
    /// When the last key, click or paste came.
    last_input: Option<Duration>,
    /// True if the last one followed the one before too fast.
    rushed: bool,
    /// True if an answer was dropped, and none counted since.
    dropped: bool,
}

impl Consent {
    /// A new question, or one that says something else now.
    pub(super) fn ask(&mut self) {
        self.shown = None;
        self.readable_since = None;
    }

    /// The question is over, or another one begins.
    pub(super) fn forget(&mut self) {
        self.ask();
        self.dropped = false;
    }

    /// The hand at the keys has changed what an answer does, in a question that it
    /// has read: that must be drawn, and needs no reading time of its own.
    pub(super) fn alter(&mut self) {
        self.shown = None;
    }

    /// A frame was drawn; `readable` says that the whole question was in it.
    pub(super) fn drawn(&mut self, readable: bool, now: Duration) {
        self.shown = Some(readable);
        self.readable_since = self.readable_since.filter(|_| readable);
        if readable {
            self.readable_since.get_or_insert(now);
        }
    }

    /// A key, a click or a paste has come.
    pub(super) fn input(&mut self, now: Duration) {
        let since = self.last_input.map(|last| now.saturating_sub(last));
        self.rushed = since.is_some_and(|since| since < FASTEST_TYPING);
        self.last_input = Some(now);
    }

    /// Something was typed that means nothing to the question: whoever typed it has
    /// something else in mind, so the reading time begins anew.
    pub(super) fn stray(&mut self, now: Duration) {
        if self.readable_since.is_some() {
            self.readable_since = Some(now);
        }
    }

    /// True if an answer that comes now counts. One that does not is remembered,
    /// and the reading time begins anew: a key that is held down never answers.
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

    /// Drops an answer. Where there is no room for the question, that it came too
    /// early would be the wrong reason.
    pub(super) fn drop_answer(&mut self, now: Duration) {
        self.dropped = self.shown != Some(false);
        self.stray(now);
    }

    /// How long an answer does not count yet; none while the question cannot be
    /// read.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        let since = self.readable_since?;
        Some(READING_TIME.saturating_sub(now.saturating_sub(since)))
    }

    /// True if an answer was dropped, and none counted since.
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
        // A key that is held down repeats too fast; every other pace is one that
        // somebody has who does not look.
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
