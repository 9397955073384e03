//! Lexer: splits the text of a filter into words, quotations and symbols.

use super::ast::Comparison;
use super::error::ParseError;
use crate::model::text::is_deceptive;
use std::ops::Range;

/// A part of the text with its position in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind<'t>,
    pub(super) span: Range<usize>,
}

/// Kind of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'t> {
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
    Sign(ComparisonOperator),
    /// The end of the text.
    End,
}

/// A comparison as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ComparisonOperator {
    pub(super) comparison: Comparison,
    /// `!=` is a negated `=`.
    pub(super) negated: bool,
}

impl ComparisonOperator {
    pub(super) const EQUAL: Self = Self::new(Comparison::Equal);

    const UNEQUAL: Self = Self {
        comparison: Comparison::Equal,
        negated: true,
    };

    const fn new(comparison: Comparison) -> Self {
        Self {
            comparison,
            negated: false,
        }
    }

    /// Returns the operator that a word stands for. It does so only after a
    /// field.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "eq" => Some(Self::EQUAL),
            "ne" | "neq" => Some(Self::UNEQUAL),
            "lt" => Some(Self::new(Comparison::Less)),
            "le" | "leq" => Some(Self::new(Comparison::LessOrEqual)),
            "gt" => Some(Self::new(Comparison::Greater)),
            "ge" | "geq" => Some(Self::new(Comparison::GreaterOrEqual)),
            _ => None,
        }
    }
}

/// The symbols, the longer ones first if one begins with another.
const SYMBOLS: &[(&str, TokenKind<'static>)] = &[
    ("&&", TokenKind::And),
    ("&", TokenKind::And),
    ("||", TokenKind::Or),
    ("|", TokenKind::Or),
    ("==", TokenKind::Sign(ComparisonOperator::EQUAL)),
    ("=", TokenKind::Sign(ComparisonOperator::EQUAL)),
    ("!=", TokenKind::Sign(ComparisonOperator::UNEQUAL)),
    ("!", TokenKind::Not),
    (
        "<=",
        TokenKind::Sign(ComparisonOperator::new(Comparison::LessOrEqual)),
    ),
    (
        "<",
        TokenKind::Sign(ComparisonOperator::new(Comparison::Less)),
    ),
    (
        ">=",
        TokenKind::Sign(ComparisonOperator::new(Comparison::GreaterOrEqual)),
    ),
    (
        ">",
        TokenKind::Sign(ComparisonOperator::new(Comparison::Greater)),
    ),
    ("(", TokenKind::Open),
    (")", TokenKind::Close),
];

/// Splits a text. The last token is always [`TokenKind::End`].
pub(super) fn tokenize(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut found = Vec::new();
    let mut place = 0;
    while let Some(first) = text[place..].chars().next() {
        let rest = &text[place..];
        let (kind, length) = if first.is_whitespace() {
            place += first.len_utf8();
            continue;
        } else if first == '"' {
            let (inside, length) = read_quoted(rest).ok_or_else(|| {
                ParseError::new(
                    text,
                    place..text.len(),
                    "this quotation mark is never closed",
                )
            })?;
            (TokenKind::Quoted(inside), length)
        } else if let Some((sign, kind)) = SYMBOLS.iter().find(|(sign, _)| rest.starts_with(sign)) {
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
        kind: TokenKind::End,
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

fn word_kind(word: &str) -> TokenKind<'_> {
    if word.eq_ignore_ascii_case("and") {
        TokenKind::And
    } else if word.eq_ignore_ascii_case("or") {
        TokenKind::Or
    } else if word.eq_ignore_ascii_case("not") {
        TokenKind::Not
    } else {
        TokenKind::Word(word)
    }
}

/// Returns the text of the quotation that `rest` begins with, and its length with
/// both marks. `\"`, `\\` and `\u{…}` stand for a character; any other backslash
/// for itself, since names are shown with escapes like `\x1b`.
fn read_quoted(rest: &str) -> Option<(String, usize)> {
    let mut inside = String::new();
    let mut place = 1;
    loop {
        let tail = rest.get(place..)?;
        let first = tail.chars().next()?;
        place += match first {
            '"' => return Some((inside, place + 1)),
            '\\' => {
                let (character, length) = read_escape(tail);
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
fn read_escape(tail: &str) -> (char, usize) {
    let after = tail.get(1..).unwrap_or_default();
    match after.chars().next() {
        Some(marked @ ('"' | '\\')) => (marked, 2),
        _ => read_unicode_escape(after)
            .map_or(('\\', 1), |(character, length)| (character, length + 1)),
    }
}

fn read_unicode_escape(after: &str) -> Option<(char, usize)> {
    let digits = after.strip_prefix("u{")?.split_once('}')?.0;
    let plain =
        (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = plain.then(|| u32::from_str_radix(digits, 16).ok())??;
    Some((char::from_u32(number)?, "u{}".len() + digits.len()))
}

/// Puts a text between quotation marks so that [`tokenize`] returns it, with every
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

    fn kinds(text: &str) -> Vec<TokenKind<'_>> {
        tokenize(text)
            .unwrap()
            .into_iter()
            .map(|token| token.kind)
            .collect()
    }

    #[test]
    fn symbols_separate_words_without_spaces() {
        assert_eq!(
            kinds("sport!=:443&&!(a>=5)"),
            [
                TokenKind::Word("sport"),
                TokenKind::Sign(ComparisonOperator::UNEQUAL),
                TokenKind::Word(":443"),
                TokenKind::And,
                TokenKind::Not,
                TokenKind::Open,
                TokenKind::Word("a"),
                TokenKind::Sign(ComparisonOperator::new(Comparison::GreaterOrEqual)),
                TokenKind::Word("5"),
                TokenKind::Close,
                TokenKind::End,
            ]
        );
        assert_eq!(
            kinds("hey! NOT"),
            [TokenKind::Word("hey!"), TokenKind::Not, TokenKind::End]
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
            assert_eq!(
                kinds(text)[0],
                TokenKind::Quoted(inside.to_owned()),
                "{text}"
            );
        }
        assert_eq!(tokenize("a \"b").unwrap_err().span, 2..4);
    }

    proptest! {
        #[test]
        fn quoted_text_reads_back(text in any::<String>()) {
            let quoted = quote(&text);
            prop_assert_eq!(&kinds(&quoted)[..], [TokenKind::Quoted(text), TokenKind::End]);
            prop_assert!(!quoted.chars().any(is_deceptive));
        }

        #[test]
        fn spans_fit_the_text(text in any::<String>()) {
            if let Ok(found) = tokenize(&text) {
                for token in found {
                    prop_assert!(text.get(token.span).is_some());
                }
            }
        }
    }
}
