//! Fitting of texts into terminal cells, of which some characters take two.

use super::column::Align;
use crate::explain::template::is_chinese;
use std::borrow::Cow;
use textwrap::{WordSeparator, WordSplitter};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Number of cells of a text.
#[must_use]
pub fn display_width(text: &str) -> usize {
    // Nearly all texts; none holds a control character.
    if text.is_ascii() {
        return text.len();
    }
    text.width()
}

/// Returns the text if it fits into that many cells, else its beginning with `…`.
/// The result is a cell short of the width if a wide character would straddle the
/// end.
#[must_use]
pub fn truncate(text: &str, cells: usize) -> Cow<'_, str> {
    if display_width(text) <= cells {
        return Cow::Borrowed(text);
    }
    let Some(room) = cells.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let mut used = 0;
    let end = text
        .char_indices()
        .find(|(_, character)| {
            used += character.width().unwrap_or(0);
            used > room
        })
        .map_or(text.len(), |(place, _)| place);
    let kept = text.get(..end).unwrap_or_default();
    Cow::Owned(format!("{kept}…"))
}

/// Returns the lines of a text, wrapped to at most that many cells.
///
/// Latin text breaks at blanks. Chinese has none: it breaks between characters,
/// but no line begins with a full stop (Unicode's UAX #14).
#[must_use]
pub fn wrap(text: &str, cells: usize) -> Vec<Cow<'_, str>> {
    // A name such as Recv-Q stays in one piece.
    let options = textwrap::Options::new(cells).word_splitter(WordSplitter::NoHyphenation);
    let chinese = text.chars().any(is_chinese);
    textwrap::wrap(
        text,
        if chinese {
            options.word_separator(WordSeparator::UnicodeBreakProperties)
        } else {
            options.word_separator(WordSeparator::AsciiSpace)
        },
    )
}

/// Returns the text in exactly that many cells: shortened like [`truncate`] or padded
/// with spaces on the side opposite to its alignment.
#[must_use]
pub fn pad(text: &str, cells: usize, align: Align) -> String {
    let text = truncate(text, cells);
    let space = " ".repeat(cells.saturating_sub(text.width()));
    match align {
        Align::Left => format!("{text}{space}"),
        Align::Right => format!("{space}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_cut_by_cells() {
        let cases = [
            ("sshd", 4, "sshd"),
            ("sshd", 3, "ss…"),
            ("sshd", 1, "…"),
            ("sshd", 0, ""),
            ("", 0, ""),
            ("浏览器", 6, "浏览器"),
            ("浏览器", 5, "浏览…"),
            ("浏览器", 4, "浏…"),
            ("a浏览器", 4, "a浏…"),
        ];
        for (text, cells, fitted) in cases {
            assert_eq!(truncate(text, cells), fitted, "{text} in {cells}");
        }
        assert_eq!(pad("812", 5, Align::Right), "  812");
        assert_eq!(pad("浏览器", 4, Align::Left), "浏… ");
    }

    proptest! {
        #[test]
        fn padding_is_exact(text in any::<String>(), cells in 0_usize..40, right in any::<bool>()) {
            // Only sanitised text is ever drawn.
            let safe = crate::model::text::Text::from(text.as_str());
            let align = if right { Align::Right } else { Align::Left };
            prop_assert_eq!(display_width(&pad(safe.as_str(), cells, align)), cells);
        }
    }
}
