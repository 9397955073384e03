//! "Did you mean …?": the known word nearest to a mistyped one.

use strsim::damerau_levenshtein;

/// Maximum length of a word to compare; the work grows with its square.
const MAX_WORD_BYTES: usize = 40;

/// Returns the candidate most similar to `word`, if any is near enough: one error
/// for short words, two from five letters on, three from nine.
///
/// Capitals, `-` and `_` are ignored. Of equally near candidates one with the
/// same first letter is preferred, then the first one.
#[must_use]
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let wanted = normalize(word);
    let allowed = match wanted.chars().count() {
        0 | 1 => return None,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| {
            (
                damerau_levenshtein(&wanted, &normalize(candidate)),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, candidate)| (*distance, candidate.get(..1) != wanted.get(..1)))
        .map(|(_, candidate)| candidate)
}

/// Returns a word without capitals, `-` and `_`.
#[must_use]
pub fn normalize(word: &str) -> String {
    word.chars()
        .filter(|character| !matches!(character, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_distant_ones_are_not() {
        let known = ["syn_sent", "syn_received", "listen", "pid"];
        assert_eq!(nearest("syn-snet", known), Some("syn_sent"));
        assert_eq!(nearest("LISTNE", known), Some("listen"));
        assert_eq!(nearest("pdi", known), Some("pid"));
        assert_eq!(nearest("htps", ["ftps", "https"]), Some("https"));
        assert_eq!(nearest("nginx", known), None);
        assert_eq!(nearest("p", known), None);
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }
}
