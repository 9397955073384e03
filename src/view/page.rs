//! A page of text: paragraphs wrapped to the available width, scrolled as a
//! whole.

use crate::listing::{wrap, wrap_command};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

/// Maximum length of a line of a paragraph, in cells.
const MAX_LINE_WIDTH: usize = 110;

/// Lines of a page of a fixed width.
pub(super) struct Page {
    width: usize,
    lines: Vec<Line<'static>>,
}

impl Page {
    /// Creates a page. On a wide screen lines end earlier: longer ones are hard
    /// to read.
    pub(super) fn new(width: u16) -> Self {
        Self {
            width: usize::from(width).clamp(10, MAX_LINE_WIDTH),
            lines: Vec::new(),
        }
    }

    /// Adds an empty line between two parts: only one, even if a part between
    /// them is left out.
    pub(super) fn blank(&mut self) {
        let parted = |last: &Line<'_>| last.width() == 0;
        if !self.lines.last().is_none_or(parted) {
            self.lines.push(Line::default());
        }
    }

    /// Adds a heading on a line of its own.
    pub(super) fn heading(&mut self, text: &str, style: Style) {
        if !self.lines.is_empty() {
            self.blank();
        }
        self.lines.push(Line::styled(format!(" {text}"), style));
    }

    /// Adds a paragraph, wrapped between words.
    pub(super) fn paragraph(&mut self, text: &str, style: Style) {
        self.labelled("", Style::new(), 1, text, style);
    }

    /// Adds a paragraph whose first bytes, a word, have a style of their own.
    pub(super) fn paragraph_with_styled_start(&mut self, text: &str, word: usize, style: Style) {
        let first = self.lines.len();
        self.paragraph(text, Style::new());
        if let Some([_, span]) = self.lines.get_mut(first).map(|line| &mut line.spans[..]) {
            let whole = span.content.to_string();
            if let Some((word, rest)) = whole.split_at_checked(word) {
                let spans = &mut self.lines[first].spans;
                spans.truncate(1);
                spans.push(Span::styled(word.to_owned(), style));
                spans.push(Span::raw(rest.to_owned()));
            }
        }
    }

    /// Adds a paragraph beside a label; its further lines are aligned with its
    /// first.
    pub(super) fn labelled(
        &mut self,
        label: &str,
        label_style: Style,
        indent: usize,
        text: &str,
        style: Style,
    ) {
        let width = self.width.saturating_sub(indent + 1).max(8);
        let mut head = format!(" {label}");
        // A label as wide as its column keeps a distance from its text.
        let mut gap = usize::from(!label.is_empty());
        for piece in wrap(text, width) {
            let padding = indent
                .saturating_sub(super::explanation_pane::cells(&head))
                .max(gap);
            gap = 0;
            let padded = format!("{head}{}", " ".repeat(padding));
            self.lines.push(Line::from(vec![
                Span::styled(padded, label_style),
                Span::styled(piece.into_owned(), style),
            ]));
            head.clear();
        }
    }

    /// Adds a command on lines of its own. One that must be wrapped begins at the
    /// margin, so that it can be copied as it is.
    pub(super) fn command(&mut self, text: &str, indent: usize, style: Style) {
        if super::explanation_pane::cells(text) + indent <= self.width {
            let line = format!("{}{text}", " ".repeat(indent));
            self.lines.push(Line::styled(line, style));
            return;
        }
        for line in wrap_command(text, self.width) {
            for piece in split_by_characters(&line, self.width) {
                self.lines.push(Line::styled(piece, style));
            }
        }
    }

    /// Adds a label with a command beside it, or below it if it would have to be
    /// wrapped.
    pub(super) fn labelled_command(
        &mut self,
        label: &str,
        label_style: Style,
        indent: usize,
        text: &str,
    ) {
        let room = self.width.saturating_sub(indent + 1).max(8);
        if super::explanation_pane::cells(text) <= room {
            self.labelled(label, label_style, indent, text, Style::new());
        } else {
            self.lines
                .push(Line::styled(format!(" {label}"), label_style));
            self.command(text, 1, Style::new());
        }
    }

    /// Adds one line: a label, and beside it as much of a text as fits.
    pub(super) fn line(&mut self, label: &str, indent: usize, text: &str, style: Style) {
        let head = format!(" {label}");
        let padding = indent
            .saturating_sub(super::explanation_pane::cells(&head))
            .max(1);
        let head = format!("{head}{}", " ".repeat(padding));
        let room = self
            .width
            .saturating_sub(super::explanation_pane::cells(&head) + 1);
        let text = crate::listing::truncate(text, room).to_string();
        self.lines
            .push(Line::from(vec![Span::raw(head), Span::styled(text, style)]));
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Draws the visible part; returns the maximum scroll position.
    pub(super) fn draw(self, scroll: u16, area: Rect, buffer: &mut Buffer) -> u16 {
        let longest = self.lines.len().saturating_sub(usize::from(area.height));
        let longest = u16::try_from(longest).unwrap_or(u16::MAX);
        let first = usize::from(scroll.min(longest));
        for (line, row) in self.lines.iter().skip(first).zip(area.rows()) {
            line.render(row, buffer);
        }
        longest
    }
}

/// Splits a line that cannot be wrapped into pieces of that many characters.
fn split_by_characters(line: &str, cells: usize) -> Vec<String> {
    let characters: Vec<char> = line.chars().collect();
    characters
        .chunks(cells.max(1))
        .map(|piece| piece.iter().collect())
        .collect()
}
