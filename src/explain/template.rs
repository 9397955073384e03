//! Templates: sentences with `{places}` in them, filled from evidence.

use crate::model::text::Text;
use std::borrow::Cow;

/// Fills every place of a sentence; `None` if one is unknown, so that no
/// half-filled sentence is ever shown.
///
/// Chinese has a blank between its own characters and those of other scripts.
/// Where the value is Chinese, too, the blank beside it is removed.
pub fn render(sentence: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    render_pieces(sentence, Cow::Borrowed, value)
}

/// Fills a sentence that a user wrote. Characters that must not reach a
/// terminal are escaped only once the places are found: an escape has braces of
/// its own.
#[must_use]
pub fn render_untrusted(sentence: &Text, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let escaped = |piece| Cow::Owned(Text::from(piece).to_string());
    render_pieces(&String::from_utf8_lossy(sentence.raw()), escaped, value)
}

fn render_pieces<'s>(
    sentence: &'s str,
    literal: impl Fn(&'s str) -> Cow<'s, str>,
    value: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let mut filled = String::with_capacity(sentence.len() + 32);
    let mut rest = sentence;
    while let Some(open) = rest.find('{') {
        let close = open + rest[open..].find('}')?;
        append(&mut filled, &literal(&rest[..open]));
        append(&mut filled, &value(&rest[open + 1..close])?);
        rest = &rest[close + 1..];
    }
    append(&mut filled, &literal(rest));
    Some(filled)
}

/// Appends a piece, without a blank between two Chinese characters.
fn append(text: &mut String, piece: &str) {
    let before = text
        .strip_suffix(' ')
        .and_then(|text| text.chars().next_back());
    if before.is_some_and(is_chinese) && piece.chars().next().is_some_and(is_chinese) {
        text.pop();
    }
    let after = piece
        .strip_prefix(' ')
        .and_then(|piece| piece.chars().next());
    let piece = match (text.chars().next_back(), after) {
        (Some(before), Some(after)) if is_chinese(before) && is_chinese(after) => &piece[1..],
        _ => piece,
    };
    text.push_str(piece);
}

/// True if a character is Chinese, including Chinese punctuation and wide
/// forms.
#[must_use]
pub fn is_chinese(character: char) -> bool {
    matches!(character, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ff60}')
}

/// Returns the names of the places in a sentence.
#[must_use]
pub fn placeholders(sentence: &str) -> Vec<&str> {
    sentence
        .split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| name)
        .collect()
}

/// A number with thousands separators: `12,345`.
#[must_use]
pub fn format_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_blank_stands_between_chinese_characters() {
        let value = |name: &str| Some(if name == "zh" { "该程序" } else { "nginx" }.to_owned());
        let cases = [
            ("等待 {zh} 关闭。", "等待该程序关闭。"),
            ("等待 {en} 关闭。", "等待 nginx 关闭。"),
            ("{zh} 和 {en} 。", "该程序和 nginx 。"),
            ("wait for {zh} to close", "wait for 该程序 to close"),
        ];
        for (sentence, expected) in cases {
            assert_eq!(render(sentence, value).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_sentence_is_filled_whole_or_not_at_all() {
        let value = |name: &str| (name == "age").then(|| "2 s".to_owned());
        assert_eq!(render("for {age}.", value).as_deref(), Some("for 2 s."));
        assert_eq!(render("for {age} by {who}.", value), None);
        assert_eq!(render("open { end", value), None);
        assert_eq!(placeholders("{a} and {b}"), ["a", "b"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        for (number, shown) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(format_thousands(number), shown);
        }
    }
}
