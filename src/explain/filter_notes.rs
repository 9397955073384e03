//! Sentences about rows that a filter could not decide, and about terms that it
//! took as text.

use super::catalogue::Catalogue;
use super::template::{format_thousands, render};
use crate::filter::{Filter, UnknownReason};
use std::time::Duration;

/// Maximum number of terms named.
const MAX_TERMS: usize = 3;

/// Returns the reason why it is unknown if a row matches.
#[must_use]
pub fn reason(doubt: UnknownReason, words: &Catalogue) -> String {
    let key = match doubt {
        // A single reading gives no age.
        UnknownReason::Age { at_least, .. } if at_least < Duration::from_secs(1) => "age_new",
        doubt => doubt.key(),
    };
    let sentence = words.screen("unknown", key);
    let said = render(sentence, |place| match (doubt, place) {
        (UnknownReason::Age { at_least, .. }, "at_least") => Some(words.duration_text(at_least)),
        (UnknownReason::Age { limit, .. }, "limit") => Some(words.duration_text(limit)),
        _ => None,
    });
    said.unwrap_or_default()
}

/// Returns the number of sockets excluded because it is unknown if they match,
/// with the reason for the first; none if there are none.
#[must_use]
pub fn excluded(count: usize, doubt: Option<UnknownReason>, words: &Catalogue) -> Option<String> {
    let name = match count {
        0 => return None,
        1 => "left_out_one",
        _ => "left_out",
    };
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    render(words.screen("unknown", name), |place| match place {
        "count" => Some(format_thousands(count)),
        "reason" => doubt.map(|doubt| reason(doubt, words)),
        _ => None,
    })
}

/// Returns a sentence for each term of a filter that is searched as text.
#[must_use]
pub fn text_terms(filter: &Filter, words: &Catalogue) -> Vec<String> {
    let sentence = words.screen("unknown", "text");
    let shown = |text: &str| crate::model::text::Text::from(text).to_string();
    let texts = filter.text_terms().into_iter().take(MAX_TERMS);
    texts
        .filter_map(|text| render(sentence, |_| Some(shown(text))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;

    #[test]
    fn every_doubt_has_words_in_every_language() {
        let doubts = [
            UnknownReason::Age {
                at_least: Duration::from_secs(21),
                limit: Duration::from_mins(5),
            },
            UnknownReason::Age {
                at_least: Duration::ZERO,
                limit: Duration::from_mins(5),
            },
            UnknownReason::RoundTrip,
            UnknownReason::Rate,
            UnknownReason::Retransmits,
            UnknownReason::Backlog,
            UnknownReason::Owner,
            UnknownReason::Process,
            UnknownReason::User,
            UnknownReason::Namespace,
            UnknownReason::Device,
            UnknownReason::Ipv4,
            UnknownReason::PortRange,
        ];
        for language in Language::ALL {
            let words = Catalogue::of(language);
            for doubt in doubts {
                for count in [1, 1200] {
                    let said = excluded(count, Some(doubt), words).unwrap_or_default();
                    assert!(!reason(doubt, words).is_empty(), "{doubt:?}");
                    assert!(said.contains(&reason(doubt, words)), "{doubt:?}: {said}");
                }
            }
            assert_eq!(excluded(0, None, words), None);
        }
        let words = Catalogue::of(Language::English);
        assert_eq!(
            excluded(2, Some(doubts[0]), words).as_deref(),
            Some(
                "2 sockets left out: unknown whether they match (at least 21 s old; unknown whether 5 min)"
            )
        );
        let filter = Filter::parse("ngnix :80 a\u{202e}b").unwrap();
        assert_eq!(
            text_terms(&filter, words),
            [
                "`ngnix` is searched as text",
                "`a\\u{202e}b` is searched as text"
            ]
        );
    }
}
