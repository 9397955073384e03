//! What is wrong in a file that a person wrote: what, where, and a caret.

use crate::model::text::Text;
use std::fmt;
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

/// Longest part of a line that is shown, in cells.
const WIDEST: usize = 100;

/// Something wrong at a place of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in cells.
    pub column: usize,
    /// What is wrong and what would be right, in one line. Safe to show.
    pub message: String,
    /// The line itself and one with carets; safe to show. None where nothing of
    /// the text may be told.
    picture: Option<String>,
}

impl Mistake {
    /// As it is told about a file: one line, then the place.
    #[must_use]
    pub fn told(&self, file: &Text) -> String {
        let Self {
            line,
            column,
            message,
            picture,
        } = self;
        let picture = picture.as_ref();
        let picture = picture.map_or_else(String::new, |picture| format!("\n{picture}"));
        format!("{file}:{line}:{column}: {message}{picture}")
    }

    /// The same, without anything of the text: its message may quote it, too.
    pub(super) fn veiled(self) -> Self {
        Self {
            message: "this is not understood; what it is is not told to who may not read the file"
                .to_owned(),
            picture: None,
            ..self
        }
    }
}

/// Everything that is wrong, in the order of the text; never nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

/// Collects what is wrong while a text is read.
pub(super) struct Notes<'a> {
    text: &'a str,
    wrong: Vec<(Range<usize>, String)>,
    odd: Vec<(Range<usize>, String)>,
}

impl<'a> Notes<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            wrong: Vec::new(),
            odd: Vec::new(),
        }
    }

    /// The text that is read.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Something that must be mended.
    pub(super) fn wrong(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.wrong.push((at, message.into()));
    }

    /// Something that is only worth saying.
    pub(super) fn odd(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.odd.push((at, message.into()));
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        line_of(self.text, at)
    }

    pub(super) fn into_result(self, settings: super::Settings) -> Result<super::Parsed, Mistakes> {
        if self.wrong.is_empty() {
            let warnings = pictured(self.text, self.odd);
            Ok(super::Parsed { settings, warnings })
        } else {
            Err(self.into_mistakes())
        }
    }

    /// What is odd is told, too: a key that is not known may be why another is
    /// missing.
    pub(super) fn into_mistakes(self) -> Mistakes {
        let all = [self.wrong, self.odd].concat();
        Mistakes(pictured(self.text, all))
    }
}

fn pictured(text: &str, mut found: Vec<(Range<usize>, String)>) -> Vec<Mistake> {
    found.sort_by_key(|(at, _)| at.start);
    found
        .into_iter()
        .map(|(at, message)| mistake(text, &at, &message))
        .collect()
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text[..floor(text, at)].matches('\n').count()
}

/// A mistake at a span of a text; what of it goes beyond the line is left out.
pub(super) fn mistake(text: &str, at: &Range<usize>, message: &str) -> Mistake {
    let start = floor(text, at.start);
    let first = text[..start].rfind('\n').map_or(0, |place| place + 1);
    let last = text[start..]
        .find('\n')
        .map_or(text.len(), |place| start + place);
    let end = floor(text, at.end).clamp(start, last);
    let cut = |range: Range<usize>| Text::from(text[range].trim_end_matches('\r'));
    let (before, wrong, after) = (cut(first..start), cut(start..end), cut(end..last));
    let column = before.as_str().width();
    // Of a very long line only what is near.
    let skipped = skip(before.as_str(), column.saturating_sub(WIDEST / 2));
    let indent = skipped.width();
    let line: String = clip(&format!("{skipped}{wrong}{after}"));
    let carets = "^".repeat(
        wrong
            .as_str()
            .width()
            .clamp(1, WIDEST.saturating_sub(indent)),
    );
    Mistake {
        line: line_of(text, start),
        column: column + 1,
        message: Text::from(message.replace('\n', ", ").as_str()).to_string(),
        picture: Some(format!("  {line}\n  {}{carets}", " ".repeat(indent))),
    }
}

/// The nearest place at or before one where a character begins.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// A text without so many cells at its beginning.
fn skip(text: &str, cells: usize) -> &str {
    let mut passed = 0;
    for (place, character) in text.char_indices() {
        if passed >= cells {
            return &text[place..];
        }
        passed += unicode_width::UnicodeWidthChar::width(character).unwrap_or(0);
    }
    if cells == 0 { text } else { "" }
}

fn clip(text: &str) -> String {
    crate::listing::fit(text, WIDEST).to_string()
}

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.0 {
            writeln!(formatter, "{}: {}", mistake.line, mistake.message)?;
        }
        Ok(())
    }
}
