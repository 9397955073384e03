//! Messages of each language, loaded from the assets when first needed.
//!
//! A language is a folder of files, the same for every language; a test checks
//! that each of them is complete. Each file is read when its first message is
//! needed: a plain list needs only few.

mod message_files;
mod schema;

use super::cli_translation::CliTranslation;
use super::durations::{Limit, limit};
pub use super::language::Language;
use super::limit_context::LimitContext;
use super::template::{format_thousands, render};
use crate::model::finding::Rule;
use crate::model::gap::{GapKind, GapReason};
use crate::model::owner::NoOwnerReason;
use crate::model::state::State;
use crate::model::timer::TimerKind;
use message_files::{LoadedMessages, MessageFile, MessageGroups};
pub use schema::{
    ExchangeText, ExerciseStep, ExerciseText, IntroText, LearningChapter, NoOwnerText,
    QuestionText, SegmentText, StatePathText, StateText, TimerText, Transition,
};
use std::time::Duration;

/// All messages of one language.
#[derive(Debug)]
pub struct Catalogue {
    language: Language,
    loaded: LoadedMessages,
}

static ENGLISH: Catalogue = Catalogue::new(Language::English);
static CHINESE: Catalogue = Catalogue::new(Language::Chinese);

impl Catalogue {
    const fn new(language: Language) -> Self {
        Self {
            language,
            loaded: LoadedMessages::new(),
        }
    }

    /// Returns the messages of a language.
    #[must_use]
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }

    /// The language.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// Text about a state.
    #[must_use]
    pub fn state(&self, state: State) -> Option<&StateText> {
        self.loaded.states(self.language).get(state.key())
    }

    /// Text about a timer.
    #[must_use]
    pub fn timer(&self, kind: TimerKind) -> Option<&TimerText> {
        self.loaded.timers(self.language).get(kind.key())
    }

    /// Text about a row without an owner.
    #[must_use]
    pub fn no_owner(&self, reason: NoOwnerReason) -> Option<&NoOwnerText> {
        self.loaded.unowned(self.language).get(reason.key())
    }

    /// Message about a gap: `short`, `means` or `do`.
    #[must_use]
    pub fn gap(&self, kind: GapKind, word: &str) -> &str {
        self.text(MessageFile::Gaps, kind.key(), word)
    }

    /// Reason for a gap.
    #[must_use]
    pub fn gap_reason(&self, reason: GapReason) -> &str {
        self.text(MessageFile::Gaps, "reasons", reason.key())
    }

    /// Sentence about the findings of a rule.
    #[must_use]
    pub fn finding(&self, rule: Rule, word: &str) -> &str {
        self.text(MessageFile::Findings, rule.key(), word)
    }

    /// A sentence of the diagnosis.
    #[must_use]
    pub fn diagnosis(&self, group: &str, name: &str) -> &str {
        self.text(MessageFile::Diagnosis, group, name)
    }

    /// Reason why no signal was sent.
    #[must_use]
    pub fn refusal(&self, key: &str) -> &str {
        self.text(MessageFile::Refusals, key, "means")
    }

    /// The same, short.
    #[must_use]
    pub fn refusal_short(&self, key: &str) -> &str {
        self.text(MessageFile::Refusals, key, "short")
    }

    /// Sentence about a feature.
    #[must_use]
    pub fn ability(&self, key: &str, word: &str) -> &str {
        self.text(MessageFile::Abilities, key, word)
    }

    /// Outcome of a signal.
    #[must_use]
    pub fn outcome(&self, key: &str) -> &str {
        self.loaded
            .outcomes(self.language)
            .get(key)
            .map_or("", String::as_str)
    }

    /// Description of a column.
    #[must_use]
    pub fn column(&self, key: &str) -> &str {
        self.text(MessageFile::Columns, key, "means")
    }

    /// The heading of a column.
    #[must_use]
    pub fn column_title(&self, key: &str) -> &str {
        self.text(MessageFile::Columns, key, "title")
    }

    /// Text of a cell without a value.
    #[must_use]
    pub fn cell(&self, name: &str) -> &str {
        self.text(MessageFile::Columns, "cell", name)
    }

    /// Message about a command: `label` or `means`.
    #[must_use]
    pub fn command(&self, key: &str, word: &str) -> &str {
        self.text(MessageFile::Commands, key, word)
    }

    /// Message of the screen itself: headings, notices, questions.
    #[must_use]
    pub fn screen(&self, group: &str, name: &str) -> &str {
        self.text(MessageFile::Screen, group, name)
    }

    /// A sentence about closing connections, or about tags.
    #[must_use]
    pub fn closing(&self, group: &str, name: &str) -> &str {
        self.text(MessageFile::Closing, group, name)
    }

    /// A sentence about the use of a port.
    #[must_use]
    pub fn port(&self, group: &str, name: &str) -> &str {
        self.text(MessageFile::Port, group, name)
    }

    /// A sentence about the filter language.
    #[must_use]
    pub fn filter(&self, group: &str, name: &str) -> &str {
        self.text(MessageFile::Filter, group, name)
    }

    /// A sentence of the lab.
    #[must_use]
    pub fn lab(&self, group: &str, name: &str) -> &str {
        self.text(MessageFile::Lab, group, name)
    }

    /// The learning chapter.
    #[must_use]
    pub fn learn(&self) -> &LearningChapter {
        self.loaded.learn(self.language)
    }

    /// The transitions of the state machine.
    #[must_use]
    pub fn transitions(&self) -> &[Transition] {
        &self.loaded.arrows(self.language).arrow
    }

    /// Value of a placeholder that depends on this machine's settings; `None`
    /// for any other placeholder.
    #[must_use]
    pub fn limit<'a>(&self, name: &str, bounds: impl Into<LimitContext<'a>>) -> Option<String> {
        if !super::durations::is_limit(name) {
            return None;
        }
        let bounds = bounds.into();
        let here = limit(name, bounds.local);
        let said = match here {
            Some(here) => self.limit_text(here),
            None => self.diagnosis("words", "unknown_length").to_owned(),
        };
        let outside = bounds.host.and_then(|outside| limit(name, outside));
        let outside = outside.filter(|outside| Some(*outside) != here);
        Some(match outside {
            Some(outside) => self.with_host_limit("limit", &said, outside),
            None => said,
        })
    }

    fn limit_text(&self, limit: Limit) -> String {
        match limit {
            Limit::Count(number) => format_thousands(number.into()),
            Limit::Duration(length) => {
                let length = self.duration_text(length);
                let about = self.diagnosis("words", "about");
                render(about, |_| Some(length.clone())).unwrap_or(length)
            }
        }
    }

    /// Text with the limit of the lab, and beside it the limit of the host.
    pub(super) fn with_host_limit(&self, name: &str, here: &str, outside: Limit) -> String {
        let outside = self.limit_text(outside);
        let both = render(self.lab("outside", name), |place| {
            Some(match place {
                "here" => here.to_owned(),
                _ => outside.clone(),
            })
        });
        both.unwrap_or_default()
    }

    /// A text of the catalogue with this machine's limits filled in.
    #[must_use]
    pub fn with_limits<'a>(&self, text: &str, bounds: impl Into<LimitContext<'a>>) -> String {
        let bounds = bounds.into();
        render(text, |name| self.limit(name, bounds)).unwrap_or_else(|| text.to_owned())
    }

    /// A duration in its two largest units: `2 min 11 s`, `41 min`.
    #[must_use]
    pub fn duration_text(&self, duration: Duration) -> String {
        super::durations::format_duration(duration, |unit| self.diagnosis("units", unit))
    }

    /// Translates a message of the command line, which is written in English
    /// where it arises.
    #[must_use]
    pub fn translate_message(&self, english: &str) -> String {
        match self.language {
            Language::English => english.to_owned(),
            Language::Chinese => CliTranslation::chinese().message(english),
        }
    }

    /// Translates a help page of the command line.
    #[must_use]
    pub fn translate_help(&self, english: &str) -> String {
        match self.language {
            Language::English => english.to_owned(),
            Language::Chinese => CliTranslation::chinese().help(english),
        }
    }

    /// Joins sentences.
    #[must_use]
    pub fn join_sentences<S: AsRef<str>>(&self, sentences: &[S]) -> String {
        self.join(sentences, "sentence")
    }

    /// Joins items to a list.
    #[must_use]
    pub fn join_list<S: AsRef<str>>(&self, things: &[S]) -> String {
        self.join(things, "list")
    }

    fn join<S: AsRef<str>>(&self, pieces: &[S], by: &str) -> String {
        let pieces: Vec<&str> = pieces.iter().map(AsRef::as_ref).collect();
        pieces.join(self.diagnosis("join", by))
    }

    /// A text behind its label.
    #[must_use]
    pub fn labelled(&self, label: &str, text: &str) -> String {
        let sentence = self.diagnosis("join", "labelled");
        let piece = |place: &str| if place == "label" { label } else { text };
        render(sentence, |place| Some(piece(place).to_owned())).unwrap_or_default()
    }

    /// A text with a note in brackets.
    #[must_use]
    pub fn with_note(&self, text: &str, note: &str) -> String {
        let sentence = self.diagnosis("join", "aside");
        let piece = |place: &str| if place == "note" { note } else { text };
        render(sentence, |place| Some(piece(place).to_owned())).unwrap_or_default()
    }

    fn text(&self, book: MessageFile, group: &str, name: &str) -> &str {
        self.groups(book)
            .get(group)
            .and_then(|group| group.get(name))
            .map_or("", String::as_str)
    }

    fn groups(&self, book: MessageFile) -> &MessageGroups {
        self.loaded.groups(book, self.language)
    }
}

#[cfg(test)]
mod tests;
