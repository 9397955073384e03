//! Message files, each parsed once, when first needed.

use super::schema::{LearningChapter, NoOwnerText, StateText, TimerText, TransitionFile};
use crate::explain::language::Language;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Messages by name.
pub(super) type MessageMap = BTreeMap<String, String>;
/// Messages by group and name.
pub(super) type MessageGroups = BTreeMap<String, MessageMap>;

/// Files that consist of groups of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageFile {
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

impl MessageFile {
    /// Every one, in the order in which they are declared.
    #[cfg(test)]
    pub(super) const ALL: [Self; FILE_COUNT] = [
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

const FILE_COUNT: usize = 12;

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
pub(super) struct LoadedMessages {
    states: OnceLock<BTreeMap<String, StateText>>,
    timers: OnceLock<BTreeMap<String, TimerText>>,
    unowned: OnceLock<BTreeMap<String, NoOwnerText>>,
    outcomes: OnceLock<MessageMap>,
    learn: OnceLock<LearningChapter>,
    arrows: OnceLock<TransitionFile>,
    files: [OnceLock<MessageGroups>; FILE_COUNT],
}

impl LoadedMessages {
    pub(super) const fn new() -> Self {
        Self {
            states: OnceLock::new(),
            timers: OnceLock::new(),
            unowned: OnceLock::new(),
            outcomes: OnceLock::new(),
            learn: OnceLock::new(),
            arrows: OnceLock::new(),
            files: [const { OnceLock::new() }; FILE_COUNT],
        }
    }

    pub(super) fn states(&self, language: Language) -> &BTreeMap<String, StateText> {
        parse_once(&self.states, asset!(language, "states"))
    }

    pub(super) fn timers(&self, language: Language) -> &BTreeMap<String, TimerText> {
        parse_once(&self.timers, asset!(language, "timers"))
    }

    pub(super) fn unowned(&self, language: Language) -> &BTreeMap<String, NoOwnerText> {
        parse_once(&self.unowned, asset!(language, "unowned"))
    }

    pub(super) fn outcomes(&self, language: Language) -> &MessageMap {
        parse_once(&self.outcomes, asset!(language, "outcomes"))
    }

    pub(super) fn learn(&self, language: Language) -> &LearningChapter {
        parse_once(&self.learn, asset!(language, "learn"))
    }

    pub(super) fn arrows(&self, language: Language) -> &TransitionFile {
        parse_once(&self.arrows, asset!(language, "machine"))
    }

    pub(super) fn groups(&self, book: MessageFile, language: Language) -> &MessageGroups {
        parse_once(&self.files[book as usize], file_text(book, language))
    }
}

/// Text of a file.
pub(super) fn file_text(book: MessageFile, language: Language) -> &'static str {
    match book {
        MessageFile::Gaps => asset!(language, "gaps"),
        MessageFile::Findings => asset!(language, "findings"),
        MessageFile::Diagnosis => asset!(language, "diagnosis"),
        MessageFile::Refusals => asset!(language, "refusals"),
        MessageFile::Abilities => asset!(language, "abilities"),
        MessageFile::Columns => asset!(language, "columns"),
        MessageFile::Commands => asset!(language, "commands"),
        MessageFile::Screen => asset!(language, "screen"),
        MessageFile::Closing => asset!(language, "closing"),
        MessageFile::Lab => asset!(language, "lab"),
        MessageFile::Port => asset!(language, "port"),
        MessageFile::Filter => asset!(language, "filter"),
    }
}

/// Every file of a language, by name.
#[cfg(test)]
pub(super) fn all_file_texts(language: Language) -> Vec<(&'static str, &'static str)> {
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
    let books = names.into_iter().zip(MessageFile::ALL);
    found.extend(books.map(|(name, book)| (name, file_text(book, language))));
    found
}

/// Parses a file once. The assets are compiled in, and a test parses them: the
/// default only keeps a broken build from panicking.
fn parse_once<'l, T: DeserializeOwned + Default>(place: &'l OnceLock<T>, text: &str) -> &'l T {
    place.get_or_init(|| toml::from_str(text).unwrap_or_default())
}
