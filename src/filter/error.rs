//! Errors in the text of a filter, with position and suggestion.

use crate::model::text::Text;
use std::fmt;
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

/// Maximum number of characters of the user's text repeated in a message.
const MAX_QUOTED_CHARS: usize = 40;

/// Error in the text of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The problem, without the position and the suggestion. Safe to show.
    pub message: String,
    /// The wrong bytes of the text; empty at the end of the text if something is
    /// missing.
    pub span: Range<usize>,
    /// A valid text to replace the span, if one is known.
    pub suggestion: Option<String>,
    /// The names of all fields, if the text names none of them.
    pub fields: Option<String>,
    text: String,
}

impl ParseError {
    /// An error about a part of `text`.
    pub(super) fn new(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span,
            suggestion: None,
            fields: None,
            text: text.to_owned(),
        }
    }

    /// Adds a suggestion.
    pub(super) fn with_suggestion(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }

    /// Adds the names of all fields.
    pub(super) fn with_fields(mut self, fields: String) -> Self {
        self.fields = Some(fields);
        self
    }

    /// Returns the text with a line of carets under the wrong part: two lines,
    /// for a terminal. Unusual characters appear escaped, and the carets allow
    /// for characters two columns wide.
    #[must_use]
    pub fn text_with_carets(&self) -> String {
        let [before, wrong, after] = self.split_text();
        let indent = " ".repeat(before.as_str().width());
        let carets = "^".repeat(wrong.as_str().width().max(1));
        format!("{before}{wrong}{after}\n{indent}{carets}")
    }

    /// The text before, within and after the span, safe to show.
    fn split_text(&self) -> [Text; 3] {
        let cut = |range: Range<usize>| Text::from(self.text.get(range).unwrap_or_default());
        let Range { start, end } = self.span;
        [cut(0..start), cut(start..end), cut(end..self.text.len())]
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        if self.span.is_empty() {
            formatter.write_str(" at the end")?;
        } else {
            let [before, ..] = self.split_text();
            write!(formatter, " at column {}", before.as_str().width() + 1)?;
        }
        match (&self.suggestion, &self.fields) {
            (Some(suggestion), Some(fields)) => {
                write!(formatter, "; did you mean `{suggestion}`? Fields: {fields}")
            }
            (Some(suggestion), None) => write!(formatter, "; did you mean `{suggestion}`?"),
            (None, Some(fields)) => write!(formatter, "; fields: {fields}"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for ParseError {}

/// Quotes a part of the user's text, made safe and short enough for a message.
pub(super) fn quoted_excerpt(text: &str) -> String {
    let safe = Text::from(text);
    let mut characters = safe.as_str().chars();
    let mut short: String = characters.by_ref().take(MAX_QUOTED_CHARS).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    format!("`{short}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_under_what_is_wrong() {
        let error = |text: &str, word: &str| {
            let start = text.find(word).unwrap();
            ParseError::new(text, start..start + word.len(), "bad").text_with_carets()
        };
        assert_eq!(
            error("state syn_snet", "syn_snet"),
            "state syn_snet\n      ^^^^^^^^"
        );
        assert_eq!(error("浏览 or 器 x", "器"), "浏览 or 器 x\n        ^^");
        assert_eq!(error("\u{1b}x bad", "bad"), "\\x1bx bad\n      ^^^");
    }

    #[test]
    fn message_has_problem_column_and_suggestion() {
        let error = ParseError::new("state lisen", 6..11, "unknown state `lisen`");
        assert_eq!(error.to_string(), "unknown state `lisen` at column 7");
        let error = error.with_suggestion(Some("listen".to_owned()));
        assert_eq!(
            error.to_string(),
            "unknown state `lisen` at column 7; did you mean `listen`?"
        );
        let error = ParseError::new("a or", 4..4, "something is missing after `or`");
        assert_eq!(
            error.to_string(),
            "something is missing after `or` at the end"
        );
        assert_eq!(error.text_with_carets(), "a or\n    ^");
    }

    #[test]
    fn messages_stay_short_and_safe() {
        assert_eq!(quoted_excerpt("a\u{202e}b"), "`a\\u{202e}b`");
        assert!(quoted_excerpt(&"x".repeat(100_000)).len() < 60);
    }
}
