//! Message files, each parsed once, when first needed.

use super::words::{Arrows, Learn, StateWords, TimerWords, UnownedWords};
use crate::explain::language::Language;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Messages by name.
pub(super) type Sentences = BTreeMap<String, String>;
/// Messages by group and name.
pub(super) type Groups = BTreeMap<String, Sentences>;

/// Files that consist of groups of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Book {
    Gaps,
    Findings,
    Diagnosis,
    Refusals,
    Abilities,
    Columns,
    Commands,
    Screen,
    Closing,
    Lab,
    Port,
    Filter,
}

impl Book {
    /// Every one, in the order in which they are declared.
    #[cfg(test)]
    pub(super) const ALL: [Self; BOOKS] = [
        Self::Gaps,
        Self::Findings,
        Self::Diagnosis,
        Self::Refusals,
        Self::Abilities,
        Self::Columns,
        Self::Commands,
        Self::Screen,
        Self::Closing,
        Self::Lab,
        Self::Port,
        Self::Filter,
    ];
}

const BOOKS: usize = 12;

macro_rules! asset {
    ($language:expr, $file:literal) => {
        match $language {
            Language::English => include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/assets/explain/en/",
                $file,
                ".toml"
            )),
            Language::Chinese => include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/assets/explain/zh/",
                $file,
                ".toml"
            )),
        }
    };
}

/// Parsed files of one language.
#[derive(Debug)]
pub(super) struct Loaded {
    states: OnceLock<BTreeMap<String, StateWords>>,
    timers: OnceLock<BTreeMap<String, TimerWords>>,
    unowned: OnceLock<BTreeMap<String, UnownedWords>>,
    outcomes: OnceLock<Sentences>,
    learn: OnceLock<Learn>,
    arrows: OnceLock<Arrows>,
    books: [OnceLock<Groups>; BOOKS],
}

impl Loaded {
    pub(super) const fn new() -> Self {
        Self {
            states: OnceLock::new(),
            timers: OnceLock::new(),
            unowned: OnceLock::new(),
            outcomes: OnceLock::new(),
            learn: OnceLock::new(),
            arrows: OnceLock::new(),
            books: [const { OnceLock::new() }; BOOKS],
        }
    }

    pub(super) fn states(&self, language: Language) -> &BTreeMap<String, StateWords> {
        read(&self.states, asset!(language, "states"))
    }

    pub(super) fn timers(&self, language: Language) -> &BTreeMap<String, TimerWords> {
        read(&self.timers, asset!(language, "timers"))
    }

    pub(super) fn unowned(&self, language: Language) -> &BTreeMap<String, UnownedWords> {
        read(&self.unowned, asset!(language, "unowned"))
    }

    pub(super) fn outcomes(&self, language: Language) -> &Sentences {
        read(&self.outcomes, asset!(language, "outcomes"))
    }

    pub(super) fn learn(&self, language: Language) -> &Learn {
        read(&self.learn, asset!(language, "learn"))
    }

    pub(super) fn arrows(&self, language: Language) -> &Arrows {
        read(&self.arrows, asset!(language, "machine"))
    }

    pub(super) fn groups(&self, book: Book, language: Language) -> &Groups {
        read(&self.books[book as usize], text(book, language))
    }
}

/// Text of a file.
pub(super) fn text(book: Book, language: Language) -> &'static str {
    match book {
        Book::Gaps => asset!(language, "gaps"),
        Book::Findings => asset!(language, "findings"),
        Book::Diagnosis => asset!(language, "diagnosis"),
        Book::Refusals => asset!(language, "refusals"),
        Book::Abilities => asset!(language, "abilities"),
        Book::Columns => asset!(language, "columns"),
        Book::Commands => asset!(language, "commands"),
        Book::Screen => asset!(language, "screen"),
        Book::Closing => asset!(language, "closing"),
        Book::Lab => asset!(language, "lab"),
        Book::Port => asset!(language, "port"),
        Book::Filter => asset!(language, "filter"),
    }
}

/// Every file of a language, by name.
#[cfg(test)]
pub(super) fn texts(language: Language) -> Vec<(&'static str, &'static str)> {
    let mut found = vec![
        ("states", asset!(language, "states")),
        ("timers", asset!(language, "timers")),
        ("unowned", asset!(language, "unowned")),
        ("outcomes", asset!(language, "outcomes")),
        ("learn", asset!(language, "learn")),
        ("machine", asset!(language, "machine")),
    ];
    let names = [
        "gaps",
        "findings",
        "diagnosis",
        "refusals",
        "abilities",
        "columns",
        "commands",
        "screen",
        "closing",
        "lab",
        "port",
        "filter",
    ];
    let books = names.into_iter().zip(Book::ALL);
    found.extend(books.map(|(name, book)| (name, text(book, language))));
    found
}

/// Parses a file once. The assets are compiled in, and a test parses them: the
/// default only keeps a broken build from panicking.
fn read<'l, T: DeserializeOwned + Default>(place: &'l OnceLock<T>, text: &str) -> &'l T {
    place.get_or_init(|| toml::from_str(text).unwrap_or_default())
}
