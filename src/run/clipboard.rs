//! Copies text to the clipboard of the machine one sits at, through the
//! terminal (OSC 52): it works over SSH, and nothing is executed.

use crate::model::clipboard::Clipboard;
use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;
use std::io::{Write, stdout};

/// GNU screen passes on strings of at most 768 bytes (`MAXSTR`), older ones of
/// 256.
const MAX_SCREEN_STRING: usize = 240;

/// The way there is, by the environment.
pub(super) fn detect() -> Clipboard {
    let value = |name: &str| std::env::var(name).ok();
    let (term, tmux, screen) = (value("TERM"), value("TMUX"), value("STY"));
    Clipboard::from_env(term.as_deref(), tmux.as_deref(), screen.as_deref())
}

/// Sends the text. A terminal that does not know the sequence passes over it.
pub(super) fn copy(text: &str, way: Clipboard) {
    if let Some(sequence) = sequence(text, way) {
        let mut out = stdout();
        let _ = out
            .write_all(sequence.as_bytes())
            .and_then(|()| out.flush());
    }
}

/// Returns the bytes to send; none if a terminal would only show them.
fn sequence(text: &str, way: Clipboard) -> Option<String> {
    let mut plain = String::new();
    let copied = CopyToClipboard::to_clipboard_from(text);
    copied.write_ansi(&mut plain).ok()?;
    match way {
        Clipboard::Terminal | Clipboard::Tmux => Some(plain),
        Clipboard::Screen => Some(wrap_for_screen(&plain)),
        Clipboard::Unavailable => None,
    }
}

/// Wraps a sequence in device control strings, which GNU screen joins and
/// passes on.
fn wrap_for_screen(sequence: &str) -> String {
    // Ended by BEL: an escape would end the outer string.
    let inner = sequence.strip_suffix("\x1b\\").unwrap_or(sequence);
    let inner = format!("{inner}\x07");
    let mut sent = String::new();
    for string in inner.as_bytes().chunks(MAX_SCREEN_STRING) {
        sent.push_str("\x1bP");
        // All of it is ASCII.
        sent.push_str(&String::from_utf8_lossy(string));
        sent.push_str("\x1b\\");
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_has_its_form() {
        let plain = sequence("abc", Clipboard::Terminal).unwrap();
        assert_eq!(plain, "\x1b]52;c;YWJj\x1b\\");
        assert_eq!(sequence("abc", Clipboard::Tmux), Some(plain));
        assert_eq!(
            sequence("abc", Clipboard::Screen).unwrap(),
            "\x1bP\x1b]52;c;YWJj\x07\x1b\\"
        );
        assert_eq!(sequence("abc", Clipboard::Unavailable), None);
    }

    #[test]
    fn no_string_is_too_long_for_screen_and_none_of_it_is_lost() {
        let long = "x".repeat(3000);
        let sent = sequence(&long, Clipboard::Screen).unwrap();
        let strings: Vec<&str> = sent.split_inclusive("\x1b\\").collect();
        assert!(strings.iter().all(|string| string.len() < 256), "{sent}");
        let inner: String = strings
            .iter()
            .map(|string| {
                string
                    .strip_prefix("\x1bP")
                    .unwrap()
                    .strip_suffix("\x1b\\")
                    .unwrap()
            })
            .collect();
        let plain = sequence(&long, Clipboard::Terminal).unwrap();
        assert_eq!(inner.strip_suffix('\x07'), plain.strip_suffix("\x1b\\"));
    }
}
