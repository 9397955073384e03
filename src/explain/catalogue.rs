//! The words of one language, loaded from the assets when first needed.
//!
//! A second language is a second folder of the same files; a test holds each
//! folder complete.

use super::lengths::{Limit, limit};
use super::sentence::{fill, grouped};
use crate::model::finding::Rule;
use crate::model::gap::{GapKind, GapReason};
use crate::model::limits::Limits;
use crate::model::owner::Unowned;
use crate::model::state::State;
use crate::model::timer::TimerKind;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A language that all words exist in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
}

/// Sentences by name.
pub type Sentences = BTreeMap<String, String>;

/// All words of one language.
#[derive(Debug, Default)]
pub struct Catalogue {
    states: BTreeMap<String, StateWords>,
    timers: BTreeMap<String, TimerWords>,
    unowned: BTreeMap<String, UnownedWords>,
    gaps: BTreeMap<String, Sentences>,
    findings: BTreeMap<String, Sentences>,
    diagnosis: BTreeMap<String, Sentences>,
    refusals: BTreeMap<String, Sentences>,
    abilities: BTreeMap<String, Sentences>,
    outcomes: Sentences,
    columns: BTreeMap<String, Sentences>,
    commands: BTreeMap<String, Sentences>,
    screen: BTreeMap<String, Sentences>,
    closing: BTreeMap<String, Sentences>,
    /// The learning chapter.
    pub learn: Learn,
    arrows: Arrows,
}

/// What is said of a state.
#[derive(Debug, Default, Deserialize)]
pub struct StateWords {
    /// How other tools write it.
    pub spellings: String,
    /// The state as an image.
    pub picture: String,
    /// What it is.
    pub means: String,
    /// What leads in.
    pub entered: String,
    /// What leads out.
    pub left: String,
    /// Who must act next, and with what.
    pub waits_for: String,
    /// The same as a word: program, kernel, peer, nobody.
    pub actor: String,
    /// How long it lasts on this machine.
    pub lasts: String,
    /// What it suggests when it stays or piles up.
    pub lingers: String,
    /// What to do.
    #[serde(rename = "do")]
    pub to_do: String,
    /// How to bring it about on purpose.
    pub see: String,
    /// The command `see` speaks of, or nothing.
    pub command: String,
    /// One short line.
    pub brief: String,
}

/// What is said of a timer.
#[derive(Debug, Default, Deserialize)]
pub struct TimerWords {
    /// One short word.
    pub name: String,
    /// What it is for.
    pub means: String,
}

/// What is said of a row without an owner.
#[derive(Debug, Default, Deserialize)]
pub struct UnownedWords {
    /// In place of a name.
    pub short: String,
    /// The reason.
    pub means: String,
    /// One more sentence, where a listener or a last owner is known.
    pub named: String,
}

/// The learning chapter: pages of text with diagrams.
#[derive(Debug, Default, Deserialize)]
pub struct Learn {
    /// Its beginning.
    pub chapter: Page,
    /// The handshake.
    pub open: Exchange,
    /// The close.
    pub close: Exchange,
    /// Why three segments to open and four to close.
    pub why_three_and_four: Question,
    /// Why TIME_WAIT waits.
    pub why_time_wait: Question,
    /// How to tell who closed first.
    pub who_closed_first: Question,
    /// What to watch in the table.
    pub session: Session,
}

/// A heading and a paragraph.
#[derive(Debug, Default, Deserialize)]
pub struct Page {
    /// Heading.
    pub title: String,
    /// Paragraph.
    pub intro: String,
}

/// A question with its answer.
#[derive(Debug, Default, Deserialize)]
pub struct Question {
    /// Asked.
    pub question: String,
    /// Answered.
    pub answer: String,
}

/// Segments that go to and fro.
#[derive(Debug, Default, Deserialize)]
pub struct Exchange {
    /// Heading.
    pub title: String,
    /// Paragraph.
    pub intro: String,
    /// Plain ASCII, at most 76 columns.
    pub diagram: String,
    /// One by one.
    pub segment: Vec<Segment>,
    /// The ways through the states.
    #[serde(default)]
    pub walk: Vec<Walk>,
}

/// One segment of an exchange.
#[derive(Debug, Default, Deserialize)]
pub struct Segment {
    /// Its number in the diagram.
    pub number: u8,
    /// `client` or `server`.
    pub from: String,
    /// SYN, ACK, FIN.
    pub segment: String,
    /// The client's state once it has arrived.
    pub client: String,
    /// The server's state once it has arrived.
    pub server: String,
    /// What it says.
    pub text: String,
}

/// One side's way through the states.
#[derive(Debug, Default, Deserialize)]
pub struct Walk {
    /// Whose.
    pub who: String,
    /// Keys of states, in order.
    pub states: Vec<String>,
    /// In words.
    pub text: String,
}

/// Something to try.
#[derive(Debug, Default, Deserialize)]
pub struct Session {
    /// Heading.
    pub title: String,
    /// Paragraph.
    pub intro: String,
    /// One by one.
    pub step: Vec<Step>,
}

/// One step of a session.
#[derive(Debug, Default, Deserialize)]
pub struct Step {
    /// What to do.
    #[serde(rename = "do")]
    pub to_do: String,
    /// The command, or nothing.
    pub command: String,
    /// What is then to be seen.
    pub see: String,
}

/// One transition of the state machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Arrow {
    /// Key of the state it leaves.
    pub from: String,
    /// Key of the state it leads to.
    pub to: String,
    /// The segment or call that causes it.
    pub by: String,
    /// `usual`, `rare` or `abort`.
    pub kind: String,
}

#[derive(Debug, Default, Deserialize)]
struct Arrows {
    arrow: Vec<Arrow>,
}

macro_rules! asset {
    ($language:literal, $file:literal) => {
        toml::from_str(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/assets/explain/",
            $language,
            "/",
            $file,
            ".toml"
        )))
    };
}

impl Catalogue {
    /// The words of a language, loaded once.
    #[must_use]
    pub fn of(language: Language) -> &'static Self {
        static ENGLISH: OnceLock<Catalogue> = OnceLock::new();
        match language {
            // The assets are compiled in, and a test parses them: the default
            // only keeps a broken build from panicking.
            Language::English => ENGLISH.get_or_init(|| Self::english().unwrap_or_default()),
        }
    }

    fn english() -> Result<Self, toml::de::Error> {
        Ok(Self {
            states: asset!("en", "states")?,
            timers: asset!("en", "timers")?,
            unowned: asset!("en", "unowned")?,
            gaps: asset!("en", "gaps")?,
            findings: asset!("en", "findings")?,
            diagnosis: asset!("en", "diagnosis")?,
            refusals: asset!("en", "refusals")?,
            abilities: asset!("en", "abilities")?,
            outcomes: asset!("en", "outcomes")?,
            columns: asset!("en", "columns")?,
            commands: asset!("en", "commands")?,
            screen: asset!("en", "screen")?,
            closing: asset!("en", "closing")?,
            learn: asset!("en", "learn")?,
            arrows: asset!("en", "machine")?,
        })
    }

    /// The words for a state.
    #[must_use]
    pub fn state(&self, state: State) -> Option<&StateWords> {
        self.states.get(state.key())
    }

    /// The words for a timer.
    #[must_use]
    pub fn timer(&self, kind: TimerKind) -> Option<&TimerWords> {
        self.timers.get(kind.key())
    }

    /// The words for a row without an owner.
    #[must_use]
    pub fn unowned(&self, reason: Unowned) -> Option<&UnownedWords> {
        self.unowned.get(reason.key())
    }

    /// A word about a gap: `short`, `means` or `do`.
    #[must_use]
    pub fn gap(&self, kind: GapKind, word: &str) -> &str {
        lookup(&self.gaps, kind.key(), word)
    }

    /// Why something is missing.
    #[must_use]
    pub fn gap_reason(&self, reason: GapReason) -> &str {
        lookup(&self.gaps, "reasons", reason.key())
    }

    /// A sentence about a rule's findings.
    #[must_use]
    pub fn finding(&self, rule: Rule, word: &str) -> &str {
        lookup(&self.findings, rule.key(), word)
    }

    /// A sentence of the diagnosis.
    #[must_use]
    pub fn diagnosis(&self, group: &str, name: &str) -> &str {
        lookup(&self.diagnosis, group, name)
    }

    /// Why no signal was sent.
    #[must_use]
    pub fn refusal(&self, key: &str) -> &str {
        lookup(&self.refusals, key, "means")
    }

    /// The same in a few words.
    #[must_use]
    pub fn refusal_in_short(&self, key: &str) -> &str {
        lookup(&self.refusals, key, "short")
    }

    /// A sentence about what can be seen or done here.
    #[must_use]
    pub fn ability(&self, key: &str, word: &str) -> &str {
        lookup(&self.abilities, key, word)
    }

    /// What came of a signal.
    #[must_use]
    pub fn outcome(&self, key: &str) -> &str {
        self.outcomes.get(key).map_or("", String::as_str)
    }

    /// What a column shows.
    #[must_use]
    pub fn column(&self, key: &str) -> &str {
        lookup(&self.columns, key, "means")
    }

    /// A word about a command: `label` or `means`.
    #[must_use]
    pub fn command(&self, key: &str, word: &str) -> &str {
        lookup(&self.commands, key, word)
    }

    /// A word of the screen's own: headings, notices, questions.
    #[must_use]
    pub fn screen(&self, group: &str, name: &str) -> &str {
        lookup(&self.screen, group, name)
    }

    /// A sentence about closing connections, or about tags.
    #[must_use]
    pub fn closing(&self, group: &str, name: &str) -> &str {
        lookup(&self.closing, group, name)
    }

    /// The transitions of the state machine.
    #[must_use]
    pub fn arrows(&self) -> &[Arrow] {
        &self.arrows.arrow
    }

    /// A place that depends on this machine's settings, in words; `None` for
    /// any other place.
    #[must_use]
    pub fn limit(&self, name: &str, limits: &Limits) -> Option<String> {
        if !super::lengths::is_limit(name) {
            return None;
        }
        let words = match limit(name, limits) {
            Some(Limit::Number(number)) => return Some(grouped(number.into())),
            Some(Limit::Length(length)) => {
                let length = super::lengths::length(length);
                let about = self.diagnosis("words", "about");
                fill(about, |place| (place == "length").then(|| length.clone()))
            }
            None => None,
        };
        Some(words.unwrap_or_else(|| self.diagnosis("words", "unknown_length").to_owned()))
    }

    /// A text of the catalogue with this machine's limits filled in.
    #[must_use]
    pub fn with_limits(&self, text: &str, limits: &Limits) -> String {
        fill(text, |name| self.limit(name, limits)).unwrap_or_else(|| text.to_owned())
    }
}

fn lookup<'a>(groups: &'a BTreeMap<String, Sentences>, group: &str, name: &str) -> &'a str {
    groups
        .get(group)
        .and_then(|group| group.get(name))
        .map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::Refusal;
    use crate::model::caution::Caution;
    use crate::model::closing::{Closable, CloseRefusal};

    fn english() -> Catalogue {
        Catalogue::english().unwrap()
    }

    #[test]
    fn every_state_timer_and_reason_has_its_words() {
        let words = english();
        for state in State::ALL.into_iter().chain([State::Unknown(0)]) {
            let found = words.state(state).unwrap_or_else(|| panic!("{state}"));
            for text in [&found.means, &found.waits_for, &found.lasts, &found.to_do] {
                assert!(!text.is_empty(), "{state}");
            }
            assert!(found.brief.len() <= 70, "{state}: {}", found.brief);
            let actors = ["program", "kernel", "peer", "nobody"];
            assert!(actors.contains(&found.actor.as_str()), "{state}");
            let filled = words.with_limits(&found.lasts, &Limits::default());
            assert!(!filled.contains('{'), "{state}: {filled}");
        }
        for kind in TimerKind::ALL.into_iter().chain([TimerKind::Unknown(9)]) {
            assert!(words.timer(kind).is_some(), "{kind:?}");
        }
        for reason in Unowned::ALL {
            let found = words.unowned(reason).unwrap();
            assert!(found.short.len() <= 24, "{reason:?}");
        }
    }

    #[test]
    fn every_gap_rule_and_refusal_has_its_words() {
        let words = english();
        for kind in GapKind::ALL {
            for word in ["short", "means", "do"] {
                assert!(!words.gap(kind, word).is_empty(), "{kind:?} {word}");
            }
        }
        for reason in [
            GapReason::Permission,
            GapReason::DescriptorLimit,
            GapReason::NotOffered,
            GapReason::Malformed,
            GapReason::Changed,
            GapReason::Failed,
        ] {
            assert!(!words.gap_reason(reason).is_empty(), "{reason:?}");
        }
        for rule in Rule::ALL {
            for word in ["title", "evidence", "else", "next"] {
                assert!(!words.finding(rule, word).is_empty(), "{rule:?} {word}");
            }
        }
        for key in Refusal::KEYS {
            assert!(!words.refusal(key).is_empty(), "{key}");
            let short = words.refusal_in_short(key);
            assert!((1..=48).contains(&short.len()), "{key}");
        }
        let of_closing = [
            ("refused", &CloseRefusal::KEYS[..]),
            ("sees", &Closable::SEEN),
            ("cautions", &Caution::KEYS),
        ];
        for (group, keys) in of_closing {
            for key in keys {
                assert!(!words.closing(group, key).is_empty(), "{group} {key}");
            }
        }
    }

    #[test]
    fn arrows_join_known_states() {
        let words = english();
        assert!(words.arrows().len() > 20);
        for arrow in words.arrows() {
            for key in [&arrow.from, &arrow.to] {
                assert!(State::from_word(key).is_some(), "{arrow:?}");
            }
        }
    }

    #[test]
    fn diagrams_fit_eighty_columns() {
        let learn = english().learn;
        for line in learn
            .open
            .diagram
            .lines()
            .chain(learn.close.diagram.lines())
        {
            assert!(line.is_ascii() && line.len() <= 76, "{line}");
        }
        assert!(!learn.why_three_and_four.answer.is_empty());
        assert!(!learn.why_time_wait.answer.is_empty());
    }
}
