//! The only type in which text from outside may reach a terminal.
//!
//! Process names, command lines, users and host names are chosen by whoever runs
//! the process. A name may carry escape sequences, line breaks or direction
//! overrides, and a terminal obeys them. [`Text`] makes every such character
//! visible when it is collected, so that no later module can forget to.

use std::fmt::{self, Write as _};

/// Longest foreign text kept, in bytes. A command line may be megabytes.
pub const MAX_TEXT_BYTES: usize = 4096;

/// Foreign text, safe to show, with its original bytes if they differ.
///
/// Control characters (C0, DEL, C1), bidirectional marks, zero-width and other
/// invisible characters appear as escapes such as `\x1b` and `\u{202e}`;
/// bytes that are not UTF-8 appear as `\xff`. Text beyond [`MAX_TEXT_BYTES`] bytes is
/// cut and ends in `…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text {
    display: Box<str>,
    raw: Option<Box<[u8]>>,
}

impl Text {
    /// Makes a foreign name safe to show: of a process, a file, a user. Different
    /// names look different: a backslash is escaped, and so are blanks at the ends and
    /// other blanks than U+0020, letters of another script within a Latin word, and
    /// marks piled upon a letter.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self::build(bytes, true)
    }

    /// Makes the words of a command line safe to show. Backslashes and blanks are
    /// frequent there and stay as they are.
    #[must_use]
    pub fn from_command_line(bytes: &[u8]) -> Self {
        Self::build(bytes, false)
    }

    fn build(bytes: &[u8], is_name: bool) -> Self {
        let kept = &bytes[..bytes.len().min(MAX_TEXT_BYTES)];
        let mut shown = String::with_capacity(kept.len());
        for chunk in kept.utf8_chunks() {
            if is_name {
                push_name(chunk.valid(), &mut shown);
            } else {
                push_if(
                    chunk.valid(),
                    |character| !is_deceptive(character),
                    &mut shown,
                );
            }
            for byte in chunk.invalid() {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\x{byte:02x}");
            }
        }
        if is_name {
            escape_outer_blanks(&mut shown);
        }
        if kept.len() < bytes.len() {
            shown.push('…');
        }
        let raw = (shown.as_bytes() != kept).then(|| kept.into());
        Self {
            display: shown.into(),
            raw,
        }
    }

    /// True if `written` is this text, in full or as it is shown.
    #[must_use]
    pub fn matches_written(&self, written: &Self) -> bool {
        self.raw() == written.raw() || self.display.as_bytes() == written.raw()
    }

    /// The text as it may be shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.display
    }

    /// The bytes as they came, for matching and export; at most [`MAX_TEXT_BYTES`].
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.display.as_bytes())
    }

    /// True if it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.display.is_empty()
    }
}

impl From<&str> for Text {
    /// Text of this program, or of a file that a user wrote.
    fn from(text: &str) -> Self {
        Self::from_command_line(text.as_bytes())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.display)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Text({})", self.display)
    }
}

/// Writes text and escapes the characters that are not plain.
fn push_if(text: &str, plain: impl Fn(char) -> bool, into: &mut String) {
    for character in text.chars() {
        if plain(character) {
            into.push(character);
        } else {
            escape(character, into);
        }
    }
}

/// Writes a name: no two names may look alike.
fn push_name(text: &str, into: &mut String) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
    if text.bytes().all(is_plain) {
        return into.push_str(text);
    }
    let in_word = |character: char| character.is_alphanumeric() || is_combining_mark(character);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|next| in_word(next) != in_word(first));
        let (run, further) = rest.split_at(end.unwrap_or(rest.len()));
        push_run(run, into);
        rest = further;
    }
}

/// Writes a word, or the characters between words.
fn push_run(run: &str, into: &mut String) {
    let is_latin = run.chars().any(|character| character.is_ascii_alphabetic());
    let mut marks = MAX_COMBINING_MARKS;
    for character in run.chars() {
        marks = if is_combining_mark(character) {
            marks + 1
        } else {
            0
        };
        if character == '\\' {
            into.push_str("\\\\");
        } else if is_deceptive(character)
            || is_unusual_blank(character)
            || marks > MAX_COMBINING_MARKS
            || (is_latin && is_latin_lookalike(character))
        {
            escape(character, into);
        } else {
            into.push(character);
        }
    }
}

/// Blanks at the ends of a name are invisible.
fn escape_outer_blanks(shown: &mut String) {
    let kept = shown.trim_end_matches(' ').len();
    let trailing = shown.len() - kept;
    shown.truncate(kept);
    shown.extend(std::iter::repeat_n("\\x20", trailing));
    let leading = shown.len() - shown.trim_start_matches(' ').len();
    shown.replace_range(..leading, &"\\x20".repeat(leading));
}

fn escape(character: char, into: &mut String) {
    let escaped = match character {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        character if u32::from(character) < 0x80 => format!("\\x{:02x}", u32::from(character)),
        character => format!("\\u{{{:x}}}", u32::from(character)),
    };
    into.push_str(&escaped);
}

/// Maximum number of combining marks on one letter (Vietnamese needs two).
const MAX_COMBINING_MARKS: usize = 2;

/// True if a character could move the cursor, reorder or hide its neighbours, or
/// looks different from terminal to terminal.
///
/// Bidirectional controls: UAX #9. Invisible ones: Unicode's
/// `Default_Ignorable_Code_Point`, and the line and paragraph separators. Those
/// drawn around the following characters: `Prepended_Concatenation_Mark`. Those
/// without a glyph of their own: private use, noncharacters, planes 4 to 13.
/// Mathematical letters, which copy Latin ones.
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}' | '\u{891}' | '\u{8e2}'
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{110bd}' | '\u{110cd}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{1d400}'..='\u{1d7ff}'
            | '\u{40000}'..='\u{10ffff}')
}

/// A blank that looks like U+0020 or like none, Braille's included.
fn is_unusual_blank(character: char) -> bool {
    character != ' ' && (character.is_whitespace() || character == '\u{2800}')
}

/// A mark that is drawn on the letter before it.
fn is_combining_mark(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{e34}'..='\u{e3a}'
        | '\u{e47}'..='\u{e4e}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// A letter of a script, or a form, with letters that look like Latin ones: IPA,
/// Greek, Cyrillic, Armenian, Cherokee, Coptic, Lisu, full width (UTS #39).
/// Within a word with Latin letters it imitates one.
fn is_latin_lookalike(character: char) -> bool {
    matches!(character,
        '\u{250}'..='\u{2af}' | '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{52f}'
        | '\u{531}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}' | '\u{1c80}'..='\u{1c8f}'
        | '\u{1f00}'..='\u{1fff}' | '\u{2c80}'..='\u{2cff}' | '\u{2de0}'..='\u{2dff}'
        | '\u{a4d0}'..='\u{a4ff}' | '\u{a640}'..='\u{a69f}' | '\u{ab70}'..='\u{abbf}'
        | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn deceptive_text_becomes_visible() {
        let cases: [(&[u8], &str); 9] = [
            (b"sshd", "sshd"),
            (b"ss\x1bhd", "ss\\x1bhd"),
            (b"a\nb\tc\r", "a\\nb\\tc\\r"),
            (b"\x7f", "\\x7f"),
            ("x\u{9b}31m".as_bytes(), "x\\u{9b}31m"),
            ("cod\u{202e}exe".as_bytes(), "cod\\u{202e}exe"),
            ("ng\u{200b}inx".as_bytes(), "ng\\u{200b}inx"),
            (b"\xff\xfe", "\\xff\\xfe"),
            ("浏览器".as_bytes(), "浏览器"),
        ];
        for (raw, shown) in cases {
            let text = Text::new(raw);
            assert_eq!(text.as_str(), shown);
            assert_eq!(text.raw(), raw);
        }
    }

    #[test]
    fn names_that_differ_look_different() {
        let names: [(&str, &str); 22] = [
            ("sshd", "sshd"),
            ("a\x1bb", "a\\x1bb"),
            ("a\\x1bb", "a\\\\x1bb"),
            ("sshd ", "sshd\\x20"),
            (" sshd", "\\x20sshd"),
            ("  ", "\\x20\\x20"),
            ("my server", "my server"),
            ("sshd\u{a0}", "sshd\\u{a0}"),
            ("sshd\u{2003}", "sshd\\u{2003}"),
            ("sshd\u{2800}", "sshd\\u{2800}"),
            ("\u{455}shd", "\\u{455}shd"),
            ("\u{ff53}shd", "\\u{ff53}shd"),
            ("n\u{261}inx", "n\\u{261}inx"),
            ("/home/юрий/bin/nginx", "/home/юрий/bin/nginx"),
            ("сервер", "сервер"),
            ("Ελλάδα", "Ελλάδα"),
            ("München-Straße", "München-Straße"),
            ("服务器 A", "服务器 A"),
            (
                "a\u{301}\u{302}\u{303}\u{304}",
                "a\u{301}\u{302}\\u{303}\\u{304}",
            ),
            ("\u{301}a", "\\u{301}a"),
            ("\u{600}\u{6dd}1", "\\u{600}\\u{6dd}1"),
            (
                "\u{e0b0}\u{1d5cc}\u{50000}",
                "\\u{e0b0}\\u{1d5cc}\\u{50000}",
            ),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for (raw, shown) in names {
            let text = Text::new(raw.as_bytes());
            assert_eq!(text.as_str(), shown, "{raw:?}");
            assert_eq!(text.raw(), raw.as_bytes());
            assert!(seen.insert(text.as_str().to_owned()), "{raw:?}");
        }
    }

    #[test]
    fn words_of_a_command_keep_backslashes_and_blanks() {
        let words = Text::from_command_line(b"grep \\d+ \x1b ");
        assert_eq!(words.as_str(), "grep \\d+ \\x1b ");
    }

    #[test]
    fn written_form_matches_the_original() {
        let path = Text::new(b"/srv/a\\b \xff");
        for (written, expected) in [
            ("/srv/a\\\\b \\xff", true),
            ("/srv/a\\b \\xff", false),
            ("/srv/x", false),
        ] {
            assert_eq!(
                path.matches_written(&Text::from(written)),
                expected,
                "{written}"
            );
        }
        assert!(Text::new(b"/srv/a\\b").matches_written(&Text::from("/srv/a\\b")));
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let text = Text::new(&vec![b'a'; MAX_TEXT_BYTES + 1]);
        assert_eq!(text.raw().len(), MAX_TEXT_BYTES);
        assert!(text.as_str().ends_with('…'));
    }

    proptest! {
        #[test]
        fn nothing_deceptive_survives(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = Text::new(&bytes);
            prop_assert!(!text.as_str().chars().any(is_deceptive));
            prop_assert_eq!(text.raw(), &bytes[..]);
        }

        #[test]
        fn no_two_names_of_the_same_letters_look_alike(
            left in "[a\\\\x1 \u{1b}\u{a0}s\u{455}{}u]{0,8}",
            right in "[a\\\\x1 \u{1b}\u{a0}s\u{455}{}u]{0,8}",
        ) {
            let shown = |name: &str| Text::new(name.as_bytes()).as_str().to_owned();
            prop_assert_eq!(left == right, shown(&left) == shown(&right));
        }
    }
}
