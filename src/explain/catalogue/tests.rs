//! Tests: every language has messages for everything.

use super::super::socket_proxy::SocketProxy;
use super::super::template::placeholders;
use super::*;
use crate::model::action::SignalRefusal;
use crate::model::close::{CloseRefusal, CloseTarget};
use crate::model::limits::Limits;
use crate::model::risk::Risk;
use std::collections::{BTreeMap, BTreeSet};
use unicode_width::UnicodeWidthStr;

fn catalogues() -> impl Iterator<Item = &'static Catalogue> {
    Language::ALL.into_iter().map(Catalogue::of)
}

/// Every file of a language, by name.
fn files(language: Language) -> Vec<(&'static str, toml::Table)> {
    message_files::all_file_texts(language)
        .into_iter()
        .map(|(name, text)| match text.parse() {
            Ok(table) => (name, table),
            Err(error) => panic!("{}/{name}: {error}", language.tag()),
        })
        .collect()
}

/// Every text of a file with its path, and the number of entries of every list.
fn leaves(way: &str, value: &toml::Value, into: &mut Vec<(String, String)>) {
    match value {
        toml::Value::String(text) => into.push((way.to_owned(), text.clone())),
        toml::Value::Table(table) => {
            for (key, value) in table {
                leaves(&format!("{way}.{key}"), value, into);
            }
        }
        toml::Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                leaves(&format!("{way}[{number}]"), value, into);
            }
        }
        other => into.push((way.to_owned(), format!("{other:?}"))),
    }
}

fn texts(language: Language) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, table) in files(language) {
        leaves(name, &toml::Value::Table(table), &mut found);
    }
    found
}

/// A process chooses its name: a line that began with it could say anything.
#[test]
fn no_line_of_kill_and_close_begins_with_the_name_of_a_process() {
    for language in Language::ALL {
        let told = texts(language);
        let lines = told
            .iter()
            .filter(|(way, _)| way.contains("closing") && way.contains(".command."));
        let mut named = 0;
        for (way, line) in lines {
            named += usize::from(line.contains("{process}"));
            let begins = ["{process}", "{owner}", "{command}"]
                .iter()
                .any(|place| line.starts_with(place));
            assert!(!begins, "{} {way}: {line}", language.tag());
        }
        assert!(named >= 6, "{}: {named}", language.tag());
    }
}

#[test]
fn every_file_parses_completely() {
    for words in catalogues() {
        assert!(!words.loaded.states(words.language).is_empty());
        assert!(!words.loaded.timers(words.language).is_empty());
        assert!(!words.loaded.unowned(words.language).is_empty());
        assert!(!words.loaded.outcomes(words.language).is_empty());
        assert!(!words.learn().close.segment.is_empty());
        assert!(!words.transitions().is_empty());
        for book in MessageFile::ALL {
            assert!(!words.groups(book).is_empty(), "{book:?}");
        }
    }
}

#[test]
fn languages_have_the_same_keys_and_placeholders() {
    let sorted = |text: &str| {
        let mut places: Vec<String> = placeholders(text).into_iter().map(str::to_owned).collect();
        places.sort_unstable();
        places.dedup();
        places
    };
    let english = texts(Language::English);
    for language in Language::ALL {
        let other = texts(language);
        let ways = |texts: &[(String, String)]| {
            texts
                .iter()
                .map(|(way, _)| way.clone())
                .collect::<BTreeSet<_>>()
        };
        let (here, there) = (ways(&english), ways(&other));
        let missing: Vec<_> = here.symmetric_difference(&there).collect();
        assert!(missing.is_empty(), "{}: {missing:#?}", language.tag());
        let other: BTreeMap<_, _> = other.into_iter().collect();
        for (way, text) in &english {
            assert_eq!(
                sorted(text),
                sorted(&other[way]),
                "{} {way}",
                language.tag()
            );
        }
    }
}

/// Names, numbers and commands are the same in both languages; no sentence is.
#[test]
fn no_sentence_is_left_in_english() {
    let chinese: BTreeMap<_, _> = texts(Language::Chinese).into_iter().collect();
    let is_sentence = |text: &str| {
        let words = text.split_whitespace();
        words
            .filter(|word| word.chars().all(char::is_alphabetic))
            .count()
            > 3
    };
    let left: Vec<_> = texts(Language::English)
        .into_iter()
        .filter(|(way, text)| {
            ![".command", ".spellings"]
                .iter()
                .any(|end| way.ends_with(end))
                && is_sentence(text)
        })
        .filter(|(way, text)| chinese[way] == *text)
        .map(|(way, _)| way)
        .collect();
    assert!(left.is_empty(), "{left:#?}");
}

/// One connection more than the backlog can wait: a limit of 4 beside 5 that
/// wait would be a contradiction.
#[test]
fn a_backlog_is_not_called_the_limit() {
    let mut named = 0;
    for (way, text) in [Language::English, Language::Chinese]
        .into_iter()
        .flat_map(texts)
    {
        let clauses = text.split(['.', ',', ';', '(', '。', '，', '；', '（']);
        for clause in clauses {
            let backlog = ["backlog}", "Send-Q"]
                .iter()
                .any(|name| clause.contains(name));
            let limit = ["limit", "上限"].iter().any(|name| clause.contains(name));
            assert!(!(backlog && limit), "{way}: {clause}");
            named += usize::from(backlog);
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn every_state_timer_and_reason_has_its_words() {
    for words in catalogues() {
        for state in State::ALL.into_iter().chain([State::Unknown(0)]) {
            let found = words.state(state).unwrap_or_else(|| panic!("{state}"));
            for text in [&found.means, &found.waits_for, &found.lasts, &found.to_do] {
                assert!(!text.is_empty(), "{state}");
            }
            assert!(found.brief.width() <= 70, "{state}: {}", found.brief);
            let actors = ["program", "kernel", "peer", "nobody"];
            assert!(actors.contains(&found.actor.as_str()), "{state}");
            let filled = words.with_limits(&found.lasts, &Limits::default());
            assert!(!filled.contains('{'), "{state}: {filled}");
        }
        for kind in TimerKind::ALL.into_iter().chain([TimerKind::Unknown(9)]) {
            assert!(words.timer(kind).is_some(), "{kind:?}");
        }
        for reason in NoOwnerReason::ALL {
            let found = words.no_owner(reason).unwrap();
            assert!(found.short.width() <= 24, "{reason:?}");
        }
    }
}

#[test]
fn every_gap_rule_and_refusal_has_its_words() {
    for words in catalogues() {
        for kind in GapKind::ALL {
            for word in ["short", "means", "do"] {
                assert!(!words.gap(kind, word).is_empty(), "{kind:?} {word}");
            }
        }
        for reason in [
            GapReason::Permission,
            GapReason::DescriptorLimit,
            GapReason::Unsupported,
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
        for key in SignalRefusal::KEYS {
            assert!(!words.refusal(key).is_empty(), "{key}");
            let short = words.refusal_short(key);
            assert!((1..=48).contains(&short.width()), "{key}");
        }
        let of_closing = [
            ("refused", &CloseRefusal::KEYS[..]),
            ("sees", &CloseTarget::EFFECT_KEYS),
            ("cautions", &Risk::KEYS),
            ("stands_for", &SocketProxy::KEYS),
        ];
        for (group, keys) in of_closing {
            for key in keys {
                assert!(!words.closing(group, key).is_empty(), "{group} {key}");
            }
        }
    }
}

#[test]
fn transitions_connect_known_states() {
    for words in catalogues() {
        assert!(words.transitions().len() > 20);
        for arrow in words.transitions() {
            for key in [&arrow.from, &arrow.to] {
                assert!(State::from_word(key).is_some(), "{arrow:?}");
            }
        }
    }
}

#[test]
fn diagrams_fit_eighty_columns() {
    for words in catalogues() {
        let learn = words.learn();
        for exchange in [&learn.open, &learn.close] {
            for line in exchange.diagram.lines() {
                let drawn = line.chars().filter(|sign| !sign.is_alphabetic());
                assert!(drawn.clone().all(|sign| sign.is_ascii()), "{line}");
                assert!(line.width() <= 76, "{line}");
            }
        }
        assert!(!learn.why_three_and_four.answer.is_empty());
        assert!(!learn.why_time_wait.answer.is_empty());
    }
}
