//! Lexer: splits the text of a filter into words, quotations and symbols.

use super::ast::Compare;
use super::error::ParseError;
use crate::model::text::is_deceptive;
use std::ops::Range;

/// A part of the text with its position in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) span: Range<usize>,
}

/// Kind of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    /// A word without a meaning in the grammar itself.
    Word(&'t str),
    /// Text between quotation marks, escapes resolved.
    Quoted(String),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `!` or `not`
    Not,
    /// `and`, `&`, `&&`
    And,
    /// `or`, `|`, `||`
    Or,
    /// A sign such as `>=`.
    Sign(Operator),
    /// The end of the text.
    End,
}

/// A comparison as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) compare: Compare,
    /// `!=` is a negated `=`.
    pub(super) negated: bool,
}

impl Operator {
    pub(super) const EQUAL: Self = Self::plain(Compare::Equal);

    const UNEQUAL: Self = Self {
        compare: Compare::Equal,
        negated: true,
    };

    const fn plain(compare: Compare) -> Self {
        Self {
            compare,
            negated: false,
        }
    }

    /// Returns the operator that a word stands for. It does so only after a
    /// field.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "eq" => Some(Self::EQUAL),
            "ne" | "neq" => Some(Self::UNEQUAL),
            "lt" => Some(Self::plain(Compare::Less)),
            "le" | "leq" => Some(Self::plain(Compare::LessOrEqual)),
            "gt" => Some(Self::plain(Compare::Greater)),
            "ge" | "geq" => Some(Self::plain(Compare::GreaterOrEqual)),
            _ => None,
        }
    }
}

/// The symbols, the longer ones first if one begins with another.
const SIGNS: &[(&str, Kind<'static>)] = &[
    ("&&", Kind::And),
    ("&", Kind::And),
    ("||", Kind::Or),
    ("|", Kind::Or),
    ("==", Kind::Sign(Operator::EQUAL)),
    ("=", Kind::Sign(Operator::EQUAL)),
    ("!=", Kind::Sign(Operator::UNEQUAL)),
    ("!", Kind::Not),
    ("<=", Kind::Sign(Operator::plain(Compare::LessOrEqual))),
    ("<", Kind::Sign(Operator::plain(Compare::Less))),
    (">=", Kind::Sign(Operator::plain(Compare::GreaterOrEqual))),
    (">", Kind::Sign(Operator::plain(Compare::Greater))),
    ("(", Kind::Open),
    (")", Kind::Close),
];

/// Splits a text. The last token is always [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut found = Vec::new();
    let mut place = 0;
    while let Some(first) = text[place..].chars().next() {
        let rest = &text[place..];
        let (kind, length) = if first.is_whitespace() {
            place += first.len_utf8();
            continue;
        } else if first == '"' {
            let (inside, length) = quotation(rest).ok_or_else(|| {
                ParseError::new(
                    text,
                    place..text.len(),
                    "this quotation mark is never closed",
                )
            })?;
            (Kind::Quoted(inside), length)
        } else if let Some((sign, kind)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            (kind.clone(), sign.len())
        } else {
            let word = &rest[..word_length(rest)];
            (word_kind(word), word.len())
        };
        found.push(Token {
            kind,
            span: place..place + length,
        });
        place += length;
    }
    found.push(Token {
        kind: Kind::End,
        span: text.len()..text.len(),
    });
    Ok(found)
}

/// Length of a word. `!` ends it only as part of `!=`.
fn word_length(rest: &str) -> usize {
    rest.char_indices()
        .find(|(place, character)| match character {
            '(' | ')' | '"' | '=' | '<' | '>' | '&' | '|' => true,
            '!' => rest[*place..].starts_with("!="),
            other => other.is_whitespace(),
        })
        .map_or(rest.len(), |(place, _)| place)
}

fn word_kind(word: &str) -> Kind<'_> {
    if word.eq_ignore_ascii_case("and") {
        Kind::And
    } else if word.eq_ignore_ascii_case("or") {
        Kind::Or
    } else if word.eq_ignore_ascii_case("not") {
        Kind::Not
    } else {
        Kind::Word(word)
    }
}

/// Returns the text of the quotation that `rest` begins with, and its length with
/// both marks. `\"`, `\\` and `\u{…}` stand for a character; any other backslash
/// for itself, since names are shown with escapes like `\x1b`.
fn quotation(rest: &str) -> Option<(String, usize)> {
    let mut inside = String::new();
    let mut place = 1;
    loop {
        let tail = rest.get(place..)?;
        let first = tail.chars().next()?;
        place += match first {
            '"' => return Some((inside, place + 1)),
            '\\' => {
                let (character, length) = escape(tail);
                inside.push(character);
                length
            }
            other => {
                inside.push(other);
                other.len_utf8()
            }
        };
    }
}

/// Returns the character of an escape and the length of the escape.
fn escape(tail: &str) -> (char, usize) {
    let after = tail.get(1..).unwrap_or_default();
    match after.chars().next() {
        Some(marked @ ('"' | '\\')) => (marked, 2),
        _ => unicode_escape(after).map_or(('\\', 1), |(character, length)| (character, length + 1)),
    }
}

fn unicode_escape(after: &str) -> Option<(char, usize)> {
    let digits = after.strip_prefix("u{")?.split_once('}')?.0;
    let plain =
        (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = plain.then(|| u32::from_str_radix(digits, 16).ok())??;
    Some((char::from_u32(number)?, "u{}".len() + digits.len()))
}

/// Puts a text between quotation marks so that [`tokens`] returns it, with every
/// character escaped that could deceive on a terminal.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            odd if is_deceptive(odd) => quoted.extend(odd.escape_unicode()),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str) -> Vec<Kind<'_>> {
        tokens(text)
            .unwrap()
            .into_iter()
            .map(|token| token.kind)
            .collect()
    }

    #[test]
    fn signs_part_words_without_spaces() {
        assert_eq!(
            kinds("sport!=:443&&!(a>=5)"),
            [
                Kind::Word("sport"),
                Kind::Sign(Operator::UNEQUAL),
                Kind::Word(":443"),
                Kind::And,
                Kind::Not,
                Kind::Open,
                Kind::Word("a"),
                Kind::Sign(Operator::plain(Compare::GreaterOrEqual)),
                Kind::Word("5"),
                Kind::Close,
                Kind::End,
            ]
        );
        assert_eq!(
            kinds("hey! NOT"),
            [Kind::Word("hey!"), Kind::Not, Kind::End]
        );
    }

    #[test]
    fn quotations_keep_what_is_in_them() {
        let cases = [
            (r#""a b""#, "a b"),
            (r#""(and)""#, "(and)"),
            (r#""say \"hi\" \\ ""#, r#"say "hi" \ "#),
            (r#""ss\x1bhd""#, r"ss\x1bhd"),
            (r#""\u{1b}[0m""#, "\u{1b}[0m"),
            (r#""\u{110000}\u{}\u{12""#, r"\u{110000}\u{}\u{12"),
        ];
        for (text, inside) in cases {
            assert_eq!(kinds(text)[0], Kind::Quoted(inside.to_owned()), "{text}");
        }
        assert_eq!(tokens("a \"b").unwrap_err().span, 2..4);
    }

    proptest! {
        #[test]
        fn quoting_is_undone_by_reading(text in any::<String>()) {
            let quoted = quote(&text);
            prop_assert_eq!(&kinds(&quoted)[..], [Kind::Quoted(text), Kind::End]);
            prop_assert!(!quoted.chars().any(is_deceptive));
        }

        #[test]
        fn spans_fit_the_text(text in any::<String>()) {
            if let Ok(found) = tokens(&text) {
                for token in found {
                    prop_assert!(text.get(token.span).is_some());
                }
            }
        }
    }
}
