//! The one type in which text from outside may reach a terminal.
//!
//! Process names, command lines, users and host names are chosen by whoever
//! runs the process. A name may carry escape sequences, line breaks or
//! direction overrides, and a terminal obeys them. [`Text`] makes every such
//! character visible when it is collected, so no later room can forget to.

use std::fmt::{self, Write as _};

/// Longest foreign text kept, in bytes. A command line may be megabytes.
pub const LONGEST: usize = 4096;

/// Foreign text, safe to show, with its original bytes where they differ.
///
/// Control characters (C0, DEL, C1), bidirectional marks, zero-width and other
/// invisible characters appear as escapes such as `\x1b` and `\u{202e}`;
/// bytes that are not UTF-8 appear as `\xff`. Text beyond [`LONGEST`] bytes is
/// cut and ends in `…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text {
    shown: Box<str>,
    raw: Option<Box<[u8]>>,
}

impl Text {
    /// Makes foreign bytes safe to show.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let kept = &bytes[..bytes.len().min(LONGEST)];
        let mut shown = String::with_capacity(kept.len());
        for chunk in kept.utf8_chunks() {
            for character in chunk.valid().chars() {
                if is_deceptive(character) {
                    escape(character, &mut shown);
                } else {
                    shown.push(character);
                }
            }
            for byte in chunk.invalid() {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\x{byte:02x}");
            }
        }
        if kept.len() < bytes.len() {
            shown.push('…');
        }
        let raw = (shown.as_bytes() != kept).then(|| kept.into());
        Self {
            shown: shown.into(),
            raw,
        }
    }

    /// The text as it may be shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The bytes as they came, for matching and export; at most [`LONGEST`].
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.shown.as_bytes())
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.shown)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Text({})", self.shown)
    }
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

/// Whether a character could move the cursor, reorder or hide its neighbours.
///
/// Bidirectional controls: UAX #9. The invisible ones: Unicode's
/// `Default_Ignorable_Code_Point`, and the line and paragraph separators.
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
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
    fn long_text_is_cut_and_says_so() {
        let text = Text::new(&vec![b'a'; LONGEST + 1]);
        assert_eq!(text.raw().len(), LONGEST);
        assert!(text.as_str().ends_with('…'));
    }

    proptest! {
        #[test]
        fn nothing_deceptive_survives(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = Text::new(&bytes);
            prop_assert!(!text.as_str().chars().any(is_deceptive));
            prop_assert_eq!(text.raw(), &bytes[..]);
        }
    }
}
