//! Sentences about rows that a filter could not decide, and about terms that it
//! took as text.

use super::catalogue::Catalogue;
use super::sentence::{fill, grouped};
use crate::filter::{Doubt, Filter};
use std::time::Duration;

/// Maximum number of terms named.
const MAX_WORDS: usize = 3;

/// Returns the reason why it is unknown if a row matches.
#[must_use]
pub fn reason(doubt: Doubt, words: &Catalogue) -> String {
    let key = match doubt {
        // A single reading gives no age.
        Doubt::Age { at_least, .. } if at_least < Duration::from_secs(1) => "age_new",
        doubt => doubt.key(),
    };
    let sentence = words.screen("unknown", key);
    let said = fill(sentence, |place| match (doubt, place) {
        (Doubt::Age { at_least, .. }, "at_least") => Some(words.length(at_least)),
        (Doubt::Age { limit, .. }, "limit") => Some(words.length(limit)),
        _ => None,
    });
    said.unwrap_or_default()
}

/// Returns the number of sockets excluded because it is unknown if they match,
/// with the reason for the first; none if there are none.
#[must_use]
pub fn left_out(count: usize, doubt: Option<Doubt>, words: &Catalogue) -> Option<String> {
    let name = match count {
        0 => return None,
        1 => "left_out_one",
        _ => "left_out",
    };
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    fill(words.screen("unknown", name), |place| match place {
        "count" => Some(grouped(count)),
        "reason" => doubt.map(|doubt| reason(doubt, words)),
        _ => None,
    })
}

/// Returns a sentence for each term of a filter that is searched as text.
#[must_use]
pub fn texts(filter: &Filter, words: &Catalogue) -> Vec<String> {
    let sentence = words.screen("unknown", "text");
    let shown = |text: &str| crate::model::text::Text::from(text).to_string();
    let texts = filter.texts().into_iter().take(MAX_WORDS);
    texts
        .filter_map(|text| fill(sentence, |_| Some(shown(text))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;

    #[test]
    fn every_doubt_has_words_in_every_language() {
        let doubts = [
            Doubt::Age {
                at_least: Duration::from_secs(21),
                limit: Duration::from_mins(5),
            },
            Doubt::Age {
                at_least: Duration::ZERO,
                limit: Duration::from_mins(5),
            },
            Doubt::RoundTrip,
            Doubt::Rate,
            Doubt::Retransmits,
            Doubt::Backlog,
            Doubt::Owner,
            Doubt::Process,
            Doubt::User,
            Doubt::Namespace,
            Doubt::Device,
            Doubt::Ipv4,
            Doubt::PortRange,
        ];
        for language in Language::ALL {
            let words = Catalogue::of(language);
            for doubt in doubts {
                for count in [1, 1200] {
                    let said = left_out(count, Some(doubt), words).unwrap_or_default();
                    assert!(!reason(doubt, words).is_empty(), "{doubt:?}");
                    assert!(said.contains(&reason(doubt, words)), "{doubt:?}: {said}");
                }
            }
            assert_eq!(left_out(0, None, words), None);
        }
        let words = Catalogue::of(Language::English);
        assert_eq!(
            left_out(2, Some(doubts[0]), words).as_deref(),
            Some(
                "2 sockets left out: unknown whether they match (at least 21 s old; unknown whether 5 min)"
            )
        );
        let filter = Filter::parse("ngnix :80 a\u{202e}b").unwrap();
        assert_eq!(
            texts(&filter, words),
            [
                "`ngnix` is searched as text",
                "`a\\u{202e}b` is searched as text"
            ]
        );
    }
}
