//! The filter prompt: a line editor, and the filter that is active while typing.

use super::App;
use super::effect::Effect;
use super::keys::Key;
use super::mode::Mode;
use crate::filter::{Filter, ParseError};

/// Maximum length of a filter in bytes. It is parsed and applied with every key.
const MAX_FILTER_BYTES: usize = 4096;
/// Number of earlier filters that are kept.
const MAX_HISTORY: usize = 50;

/// The line, and the filter to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The text.
    pub text: String,
    /// Position of the caret in it, in bytes.
    pub caret: usize,
    /// Its error, if there is one.
    pub error: Option<ParseError>,
    previous_filter: Filter,
    /// The last filter that was valid and matched a row.
    last_match: Filter,
    history_index: Option<usize>,
}

impl Prompt {
    fn insert(&mut self, text: &str) {
        let mut room = MAX_FILTER_BYTES.saturating_sub(self.text.len());
        let fits = |typed: &char| {
            let left = room.checked_sub(typed.len_utf8());
            room = left.unwrap_or(room);
            left.is_some()
        };
        let plain: String = text
            .chars()
            .filter(|typed| !typed.is_control())
            .take_while(fits)
            .collect();
        self.text.insert_str(self.caret, &plain);
        self.caret += plain.len();
    }

    fn previous_boundary(&self) -> usize {
        let before = self.text[..self.caret].chars().next_back();
        self.caret - before.map_or(0, char::len_utf8)
    }

    fn next_boundary(&self) -> usize {
        let after = self.text[self.caret..].chars().next();
        self.caret + after.map_or(0, char::len_utf8)
    }

    fn word_left(&self) -> usize {
        let head = self.text[..self.caret].trim_end();
        head.rfind(' ').map_or(0, |space| space + 1)
    }

    fn erase(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.caret = from;
    }

    /// Handles a key of the line editor. True if the text may have changed.
    fn edit(&mut self, key: Key) -> bool {
        match key {
            Key::Char(character) => self.insert(character.encode_utf8(&mut [0; 4])),
            Key::Backspace | Key::Ctrl('h') => self.erase(self.previous_boundary(), self.caret),
            Key::Delete => self.erase(self.caret, self.next_boundary()),
            Key::Ctrl('u') => self.erase(0, self.caret),
            Key::Ctrl('k') => self.text.truncate(self.caret),
            Key::Ctrl('w') => self.erase(self.word_left(), self.caret),
            Key::Left | Key::Ctrl('b') => self.caret = self.previous_boundary(),
            Key::Right | Key::Ctrl('f') => self.caret = self.next_boundary(),
            Key::Home | Key::Ctrl('a') => self.caret = 0,
            Key::End | Key::Ctrl('e') => self.caret = self.text.len(),
            _ => return false,
        }
        true
    }
}

/// Returns the filter of the longest valid prefix by whole words; none if that is
/// empty.
fn longest_parsable_prefix(text: &str) -> Option<Filter> {
    let mut head = text.trim_end();
    while let Some((before, _)) = head.rsplit_once(char::is_whitespace) {
        head = before.trim_end();
        match Filter::parse(head) {
            Ok(filter) if !filter.is_all() => return Some(filter),
            _ => {}
        }
    }
    None
}

impl App {
    pub(super) fn open_prompt(&mut self) {
        let text = if self.filter.is_all() {
            String::new()
        } else {
            self.filter.to_string()
        };
        self.mode = Mode::Prompt(Prompt {
            caret: text.len(),
            text,
            error: None,
            previous_filter: self.filter.clone(),
            last_match: self.filter.clone(),
            history_index: None,
        });
    }

    pub(super) fn prompt_key(&mut self, key: Key) -> Vec<Effect> {
        match key {
            Key::Ctrl('c') => return vec![Effect::Quit],
            Key::Ctrl('z') => return vec![Effect::Suspend],
            Key::Esc => self.abandon_prompt(),
            Key::Enter => self.accept_prompt(),
            Key::Up | Key::Ctrl('p') => self.recall_filter(true),
            Key::Down | Key::Ctrl('n') => self.recall_filter(false),
            key => {
                if self.edit_prompt(key) {
                    self.apply_prompt();
                }
            }
        }
        Vec::new()
    }

    /// Edits the line being typed, if there is one, without parsing it. True if
    /// it may have changed.
    pub(super) fn edit_prompt(&mut self, key: Key) -> bool {
        match &mut self.mode {
            Mode::Prompt(prompt) => prompt.edit(key),
            _ => false,
        }
    }

    pub(super) fn handle_paste(&mut self, text: &str) -> Vec<Effect> {
        if let Mode::Prompt(prompt) = &mut self.mode {
            prompt.insert(text);
            self.apply_prompt();
        } else {
            self.confirmation_guard.restart_reading_time(self.now);
        }
        Vec::new()
    }

    /// Applies the text typed so far as the filter. While it is invalid, as in
    /// the midst of a word, the words before are applied, or else the last filter
    /// that matched.
    pub(super) fn apply_prompt(&mut self) {
        let Mode::Prompt(prompt) = &mut self.mode else {
            return;
        };
        match Filter::parse(&prompt.text) {
            Ok(filter) => {
                prompt.error = None;
                self.filter = filter;
                self.reselect_rows();
                if let Mode::Prompt(prompt) = &mut self.mode
                    && !self.row_order.is_empty()
                {
                    prompt.last_match = self.filter.clone();
                }
            }
            Err(error) => {
                prompt.error = Some(error);
                let known = longest_parsable_prefix(&prompt.text)
                    .unwrap_or_else(|| prompt.last_match.clone());
                if self.filter != known {
                    self.filter = known;
                    self.reselect_rows();
                }
            }
        }
    }

    fn accept_prompt(&mut self) {
        self.apply_prompt();
        let Mode::Prompt(prompt) = &self.mode else {
            return;
        };
        if prompt.error.is_some() {
            return;
        }
        let text = prompt.text.clone();
        if !text.trim().is_empty() && self.filter_history.last() != Some(&text) {
            self.filter_history.push(text);
            if self.filter_history.len() > MAX_HISTORY {
                self.filter_history.remove(0);
            }
        }
        self.close_pages();
        self.notify_port_status();
    }

    fn abandon_prompt(&mut self) {
        if let Mode::Prompt(prompt) = &self.mode {
            self.filter = prompt.previous_filter.clone();
        }
        self.close_pages();
        self.reselect_rows();
    }

    /// Recalls an earlier filter, or a later one.
    fn recall_filter(&mut self, earlier: bool) {
        let count = self.filter_history.len();
        let Mode::Prompt(prompt) = &mut self.mode else {
            return;
        };
        let place = match (prompt.history_index, earlier) {
            (None, true) if count > 0 => Some(count - 1),
            // No filter to recall: the text stays.
            (None, _) => return,
            (Some(place), true) => Some(place.saturating_sub(1)),
            (Some(place), false) => Some(place + 1).filter(|place| *place < count),
        };
        prompt.history_index = place;
        prompt.text = place
            .and_then(|place| self.filter_history.get(place))
            .cloned()
            .unwrap_or_default();
        prompt.caret = prompt.text.len();
        self.apply_prompt();
    }
}
