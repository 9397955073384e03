//! Diagnostics for a file written by the user: message, place, and a caret.

use crate::filter::nearest;
use crate::model::text::{Text, is_deceptive};
use std::fmt;
use std::ops::Range;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Longest part of a line that is shown, in cells.
const MAX_EXCERPT_CELLS: usize = 100;

/// Largest number of mistakes of one text for which a suggestion is searched. Each
/// search compares with every candidate, and a file may hold many thousands of
/// mistakes.
const MAX_SUGGESTIONS: usize = 100;

/// Something wrong at a place of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in cells.
    pub column: usize,
    /// The problem and its remedy, in one line. Safe to show.
    pub message: String,
    /// Excerpt of the line and carets; safe to show. None if nothing of the
    /// text may be shown.
    excerpt: Option<String>,
}

impl Diagnostic {
    /// Renders it for a file: one line, then the excerpt.
    #[must_use]
    pub fn render(&self, file: &Text) -> String {
        let Self {
            line,
            column,
            message,
            excerpt: picture,
        } = self;
        let picture = picture.as_ref();
        let picture = picture.map_or_else(String::new, |picture| format!("\n{picture}"));
        format!("{file}:{line}:{column}: {message}{picture}")
    }

    /// Same without any part of the text, which the message may quote, too.
    pub(super) fn redacted(self) -> Self {
        Self {
            message: "this is not understood; what it is is not told to who may not read the file"
                .to_owned(),
            excerpt: None,
            ..self
        }
    }
}

/// All errors, in the order of the text; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

/// Collects errors while a text is read.
pub(super) struct DiagnosticCollector<'a> {
    lines: LineIndex<'a>,
    errors: Vec<(Range<usize>, String)>,
    warnings: Vec<(Range<usize>, String)>,
    suggestions: usize,
}

impl<'a> DiagnosticCollector<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            lines: LineIndex::of(text),
            errors: Vec::new(),
            warnings: Vec::new(),
            suggestions: 0,
        }
    }

    /// Text that is read.
    pub(super) fn text(&self) -> &'a str {
        self.lines.text
    }

    /// Adds an error.
    pub(super) fn error(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.errors.push((at, message.into()));
    }

    /// Adds a warning.
    pub(super) fn warning(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.warnings.push((at, message.into()));
    }

    /// A message about a mistyped word, with the likely intended candidate, for the
    /// first [`MAX_SUGGESTIONS`] of a text.
    pub(super) fn with_suggestion<'c>(
        &mut self,
        message: String,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> String {
        if self.suggestions == MAX_SUGGESTIONS {
            return message;
        }
        self.suggestions += 1;
        match nearest(word, candidates) {
            Some(near) => format!("{message}; did you mean {near}?"),
            None => message,
        }
    }

    /// The line of a place, from 1.
    pub(super) fn line_at(&self, at: usize) -> usize {
        self.lines.line_at(at)
    }

    pub(super) fn into_result(
        self,
        settings: super::Settings,
    ) -> Result<super::ParsedSettings, Diagnostics> {
        if self.errors.is_empty() {
            let warnings = build_diagnostics(&self.lines, self.warnings);
            Ok(super::ParsedSettings { settings, warnings })
        } else {
            Err(self.into_diagnostics())
        }
    }

    /// Includes the warnings: an unknown key may be the reason for a missing
    /// one.
    pub(super) fn into_diagnostics(self) -> Diagnostics {
        let all = [self.errors, self.warnings].concat();
        Diagnostics(build_diagnostics(&self.lines, all))
    }
}

/// Start of each line, computed once: a file may hold many thousands of
/// mistakes, and each must be placed without a scan of the whole text.
struct LineIndex<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    fn of(text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(end, _)| end + 1);
        Self {
            text,
            starts: [0].into_iter().chain(ends).collect(),
        }
    }

    /// The line of a place, from 1.
    fn line_at(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// The line of a place, without its end.
    fn range_at(&self, at: usize) -> Range<usize> {
        let number = self.line_at(at);
        let start = number.checked_sub(1).and_then(|line| self.starts.get(line));
        let next = self.starts.get(number).map(|next| next - 1);
        start.copied().unwrap_or(0)..next.unwrap_or(self.text.len())
    }
}

fn build_diagnostics(
    lines: &LineIndex<'_>,
    mut found: Vec<(Range<usize>, String)>,
) -> Vec<Diagnostic> {
    found.sort_by_key(|(at, _)| at.start);
    // Number of cells passed in the line of the last mistake, and the position
    // reached.
    let (mut place, mut passed) = (0, 0);
    found
        .into_iter()
        .map(|(at, message)| {
            let start = char_boundary(lines.text, at.start);
            let line = lines.range_at(start);
            if place < line.start {
                (place, passed) = (line.start, 0);
            }
            passed += display_width(&lines.text[place..start]);
            place = start;
            Diagnostic {
                line: lines.line_at(start),
                column: passed + 1,
                message: Text::from(message.replace('\n', ", ").as_str()).to_string(),
                excerpt: Some(excerpt(lines.text, line, &(start..at.end))),
            }
        })
        .collect()
}

/// The width of a text as it may be shown.
fn display_width(text: &str) -> usize {
    let mut escaped = [0; 4];
    let of = |character: char| {
        if is_deceptive(character) {
            Text::from(&*character.encode_utf8(&mut escaped))
                .as_str()
                .width()
        } else {
            character.width().unwrap_or(0)
        }
    };
    text.chars().map(of).sum()
}

/// A line, and carets below a span of it; parts of the span beyond the line are left
/// out, and so are distant parts of a long line.
fn excerpt(text: &str, line: Range<usize>, at: &Range<usize>) -> String {
    /// No character has more bytes and fewer cells than these together: an
    /// escape is longer than its character.
    const NEAR: usize = 8 * MAX_EXCERPT_CELLS;
    let start = at.start;
    let end = char_boundary(text, at.end.min(start + NEAR)).clamp(start, line.end);
    let first = char_boundary(text, start.saturating_sub(NEAR)).max(line.start);
    let last = char_boundary(text, end + NEAR).clamp(end, line.end);
    let cut = |range: Range<usize>| Text::from(text[range].trim_end_matches('\r'));
    let (before, wrong, after) = (cut(first..start), cut(start..end), cut(end..last));
    let width = before.as_str().width();
    let skipped = skip_cells(before.as_str(), width.saturating_sub(MAX_EXCERPT_CELLS / 2));
    let indent = skipped.width();
    let line: String = clip(&format!("{skipped}{wrong}{after}"));
    let carets = "^".repeat(
        wrong
            .as_str()
            .width()
            .clamp(1, MAX_EXCERPT_CELLS.saturating_sub(indent)),
    );
    format!("  {line}\n  {}{carets}", " ".repeat(indent))
}

/// The nearest place at or before one where a character begins.
fn char_boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// Returns a text without its first `display_width` cells.
fn skip_cells(text: &str, cells: usize) -> &str {
    let mut passed = 0;
    for (place, character) in text.char_indices() {
        if passed >= cells {
            return &text[place..];
        }
        passed += character.width().unwrap_or(0);
    }
    if cells == 0 { text } else { "" }
}

fn clip(text: &str) -> String {
    crate::listing::truncate(text, MAX_EXCERPT_CELLS).to_string()
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.0 {
            writeln!(formatter, "{}: {}", mistake.line, mistake.message)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_has_the_line_that_counting_gives(text in "[ab\n\r\u{e9}]{0,40}", at in 0_usize..60) {
            let at = char_boundary(&text, at);
            let lines = LineIndex::of(&text);
            prop_assert_eq!(lines.line_at(at), 1 + text[..at].matches('\n').count());
            let line = lines.range_at(at);
            prop_assert!(line.contains(&at) || at == line.end);
            prop_assert!(!text[line.clone()].contains('\n'));
            prop_assert!(line.start == 0 || text.as_bytes()[line.start - 1] == b'\n');
        }
    }

    #[test]
    fn of_a_long_line_the_column_is_right_and_what_is_near_is_shown() {
        let text = format!("{}\u{1b}浏{{here}}{}", "x".repeat(9_000), "y".repeat(9_000));
        let at = text.find('{').unwrap();
        let found = vec![
            (at..at + 6, "one".to_owned()),
            (at..at + 6, "two".to_owned()),
        ];
        for mistake in build_diagnostics(&LineIndex::of(&text), found) {
            // ESC is shown as \x1b.
            assert_eq!((mistake.line, mistake.column), (1, 9_000 + 4 + 2 + 1));
            let picture = mistake.excerpt.unwrap();
            let (line, carets) = picture.split_once('\n').unwrap();
            let place = line.find("{here}").unwrap();
            assert_eq!(line[..place].width(), carets.find('^').unwrap());
            assert_eq!(carets.matches('^').count(), 6);
            assert!(line.width() <= MAX_EXCERPT_CELLS + 2, "{line}");
        }
    }
}
