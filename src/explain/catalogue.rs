//! The words of each language, loaded from the assets when first needed.
//!
//! A language is a folder of files, and every folder has the same; a test holds
//! each of them complete. Each file is read when its first word is asked for: a
//! plain list needs only few.

mod books;
mod words;

use super::bounds::Bounds;
pub use super::language::Language;
use super::lengths::{Limit, limit};
use super::phrasebook::Phrasebook;
use super::sentence::{fill, grouped};
use crate::model::finding::Rule;
use crate::model::gap::{GapKind, GapReason};
use crate::model::owner::Unowned;
use crate::model::state::State;
use crate::model::timer::TimerKind;
use books::{Book, Groups, Loaded};
use std::time::Duration;
pub use words::{
    Arrow, Exchange, Learn, Page, Question, Segment, Session, StateWords, Step, TimerWords,
    UnownedWords, Walk,
};

/// All words of one language.
#[derive(Debug)]
pub struct Catalogue {
    language: Language,
    loaded: Loaded,
}

static ENGLISH: Catalogue = Catalogue::new(Language::English);
static CHINESE: Catalogue = Catalogue::new(Language::Chinese);

impl Catalogue {
    const fn new(language: Language) -> Self {
        Self {
            language,
            loaded: Loaded::new(),
        }
    }

    /// The words of a language.
    #[must_use]
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }

    /// Which language.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// The words for a state.
    #[must_use]
    pub fn state(&self, state: State) -> Option<&StateWords> {
        self.loaded.states(self.language).get(state.key())
    }

    /// The words for a timer.
    #[must_use]
    pub fn timer(&self, kind: TimerKind) -> Option<&TimerWords> {
        self.loaded.timers(self.language).get(kind.key())
    }

    /// The words for a row without an owner.
    #[must_use]
    pub fn unowned(&self, reason: Unowned) -> Option<&UnownedWords> {
        self.loaded.unowned(self.language).get(reason.key())
    }

    /// A word about a gap: `short`, `means` or `do`.
    #[must_use]
    pub fn gap(&self, kind: GapKind, word: &str) -> &str {
        self.word(Book::Gaps, kind.key(), word)
    }

    /// Why something is missing.
    #[must_use]
    pub fn gap_reason(&self, reason: GapReason) -> &str {
        self.word(Book::Gaps, "reasons", reason.key())
    }

    /// A sentence about a rule's findings.
    #[must_use]
    pub fn finding(&self, rule: Rule, word: &str) -> &str {
        self.word(Book::Findings, rule.key(), word)
    }

    /// A sentence of the diagnosis.
    #[must_use]
    pub fn diagnosis(&self, group: &str, name: &str) -> &str {
        self.word(Book::Diagnosis, group, name)
    }

    /// Why no signal was sent.
    #[must_use]
    pub fn refusal(&self, key: &str) -> &str {
        self.word(Book::Refusals, key, "means")
    }

    /// The same in a few words.
    #[must_use]
    pub fn refusal_in_short(&self, key: &str) -> &str {
        self.word(Book::Refusals, key, "short")
    }

    /// A sentence about what can be seen or done here.
    #[must_use]
    pub fn ability(&self, key: &str, word: &str) -> &str {
        self.word(Book::Abilities, key, word)
    }

    /// What came of a signal.
    #[must_use]
    pub fn outcome(&self, key: &str) -> &str {
        self.loaded
            .outcomes(self.language)
            .get(key)
            .map_or("", String::as_str)
    }

    /// What a column shows.
    #[must_use]
    pub fn column(&self, key: &str) -> &str {
        self.word(Book::Columns, key, "means")
    }

    /// The heading of a column.
    #[must_use]
    pub fn column_title(&self, key: &str) -> &str {
        self.word(Book::Columns, key, "title")
    }

    /// What a cell says where a column has no value of its own.
    #[must_use]
    pub fn cell(&self, name: &str) -> &str {
        self.word(Book::Columns, "cell", name)
    }

    /// A word about a command: `label` or `means`.
    #[must_use]
    pub fn command(&self, key: &str, word: &str) -> &str {
        self.word(Book::Commands, key, word)
    }

    /// A word of the screen's own: headings, notices, questions.
    #[must_use]
    pub fn screen(&self, group: &str, name: &str) -> &str {
        self.word(Book::Screen, group, name)
    }

    /// A sentence about closing connections, or about tags.
    #[must_use]
    pub fn closing(&self, group: &str, name: &str) -> &str {
        self.word(Book::Closing, group, name)
    }

    /// A sentence about the use of a port.
    #[must_use]
    pub fn port(&self, group: &str, name: &str) -> &str {
        self.word(Book::Port, group, name)
    }

    /// A sentence about the filter language.
    #[must_use]
    pub fn filter(&self, group: &str, name: &str) -> &str {
        self.word(Book::Filter, group, name)
    }

    /// A sentence of the lab.
    #[must_use]
    pub fn lab(&self, group: &str, name: &str) -> &str {
        self.word(Book::Lab, group, name)
    }

    /// The learning chapter.
    #[must_use]
    pub fn learn(&self) -> &Learn {
        self.loaded.learn(self.language)
    }

    /// The transitions of the state machine.
    #[must_use]
    pub fn arrows(&self) -> &[Arrow] {
        &self.loaded.arrows(self.language).arrow
    }

    /// A place that depends on this machine's settings, in words; `None` for
    /// any other place.
    #[must_use]
    pub fn limit<'a>(&self, name: &str, bounds: impl Into<Bounds<'a>>) -> Option<String> {
        if !super::lengths::is_limit(name) {
            return None;
        }
        let bounds = bounds.into();
        let here = limit(name, bounds.here);
        let said = match here {
            Some(here) => self.said_limit(here),
            None => self.diagnosis("words", "unknown_length").to_owned(),
        };
        let outside = bounds.outside.and_then(|outside| limit(name, outside));
        let outside = outside.filter(|outside| Some(*outside) != here);
        Some(match outside {
            Some(outside) => self.beside_outside("limit", &said, outside),
            None => said,
        })
    }

    fn said_limit(&self, limit: Limit) -> String {
        match limit {
            Limit::Number(number) => grouped(number.into()),
            Limit::Length(length) => {
                let length = self.length(length);
                let about = self.diagnosis("words", "about");
                fill(about, |_| Some(length.clone())).unwrap_or(length)
            }
        }
    }

    /// What holds in the lab, and beside it what holds outside.
    pub(super) fn beside_outside(&self, name: &str, here: &str, outside: Limit) -> String {
        let outside = self.said_limit(outside);
        let both = fill(self.lab("outside", name), |place| {
            Some(match place {
                "here" => here.to_owned(),
                _ => outside.clone(),
            })
        });
        both.unwrap_or_default()
    }

    /// A text of the catalogue with this machine's limits filled in.
    #[must_use]
    pub fn with_limits<'a>(&self, text: &str, bounds: impl Into<Bounds<'a>>) -> String {
        let bounds = bounds.into();
        fill(text, |name| self.limit(name, bounds)).unwrap_or_else(|| text.to_owned())
    }

    /// A length of time with its two largest units: `2 min 11 s`, `41 min`.
    #[must_use]
    pub fn length(&self, duration: Duration) -> String {
        super::lengths::length(duration, |unit| self.diagnosis("units", unit))
    }

    /// A message of the command line, which is written in English where it
    /// arises.
    #[must_use]
    pub fn message(&self, english: &str) -> String {
        match self.language {
            Language::English => english.to_owned(),
            Language::Chinese => Phrasebook::chinese().message(english),
        }
    }

    /// A help page of the command line.
    #[must_use]
    pub fn help(&self, english: &str) -> String {
        match self.language {
            Language::English => english.to_owned(),
            Language::Chinese => Phrasebook::chinese().help(english),
        }
    }

    /// Sentences one after the other.
    #[must_use]
    pub fn sentences<S: AsRef<str>>(&self, sentences: &[S]) -> String {
        self.joined(sentences, "sentence")
    }

    /// Things of a kind, one after the other.
    #[must_use]
    pub fn list<S: AsRef<str>>(&self, things: &[S]) -> String {
        self.joined(things, "list")
    }

    fn joined<S: AsRef<str>>(&self, pieces: &[S], by: &str) -> String {
        let pieces: Vec<&str> = pieces.iter().map(AsRef::as_ref).collect();
        pieces.join(self.diagnosis("join", by))
    }

    /// A text behind what it is about.
    #[must_use]
    pub fn labelled(&self, label: &str, text: &str) -> String {
        let sentence = self.diagnosis("join", "labelled");
        let piece = |place: &str| if place == "label" { label } else { text };
        fill(sentence, |place| Some(piece(place).to_owned())).unwrap_or_default()
    }

    /// A text with a note in brackets.
    #[must_use]
    pub fn aside(&self, text: &str, note: &str) -> String {
        let sentence = self.diagnosis("join", "aside");
        let piece = |place: &str| if place == "note" { note } else { text };
        fill(sentence, |place| Some(piece(place).to_owned())).unwrap_or_default()
    }

    fn word(&self, book: Book, group: &str, name: &str) -> &str {
        self.groups(book)
            .get(group)
            .and_then(|group| group.get(name))
            .map_or("", String::as_str)
    }

    fn groups(&self, book: Book) -> &Groups {
        self.loaded.groups(book, self.language)
    }
}

#[cfg(test)]
mod tests;
