//! Meanings of control sequences: keys as xterm, rxvt, the Linux console and
//! the kitty protocol send them, and mouse reports.

use super::decoder::{Decoded, Input, MouseInput};
use crate::app::keys::Key;
use ratatui::layout::Position;

/// Bits of a modifier parameter, less one (xterm's ctlseqs, kitty's keyboard
/// protocol).
const SHIFT: u32 = 1;
const ALT: u32 = 2;
const CTRL: u32 = 4;
/// Event type of a key that goes up (kitty).
const KEY_RELEASE: u32 = 3;

/// Modifier bits of a mouse button, which mean nothing here.
const MOUSE_MODIFIERS: u32 = 4 | 8 | 16;
/// Offset that rxvt adds to a mouse button.
const MOUSE_OFFSET: u32 = 32;

/// A control sequence in its parts.
pub(super) struct ControlSequence<'a> {
    /// `<`, `=`, `>` or `?` before the parameters.
    private: Option<u8>,
    parameters: &'a str,
    final_byte: u8,
}

impl<'a> ControlSequence<'a> {
    /// From its parameter bytes, all of them ASCII, and its final byte.
    pub(super) fn new(parameters: &'a [u8], final_byte: u8) -> Self {
        let (private, parameters) = match parameters {
            [mark @ b'<'..=b'?', rest @ ..] => (Some(*mark), rest),
            _ => (None, parameters),
        };
        Self {
            private,
            parameters: str::from_utf8(parameters).unwrap_or_default(),
            final_byte,
        }
    }

    /// Part of a parameter, both counted from zero; parts are separated by `:`.
    fn part(&self, parameter: usize, part: usize) -> Option<u32> {
        let parts = self.parameters.split(';').nth(parameter)?;
        parts.split(':').nth(part)?.parse().ok()
    }

    fn parameter(&self, number: usize) -> Option<u32> {
        self.part(number, 0)
    }

    pub(super) fn decode(&self) -> Decoded {
        match (self.private, self.final_byte) {
            (Some(b'<'), b'M') => self.decode_mouse_report(0),
            (Some(_), _) => Decoded::Ignored,
            (None, b'M') => self.decode_mouse_report(MOUSE_OFFSET),
            (None, b'~') => self.decode_numbered(),
            (None, b'u') => self.decode_coded(self.parameter(0), 1),
            // rxvt marks Ctrl and Ctrl-Shift by the final byte.
            (None, b'^' | b'@') => key_or_ignored(self.parameter(0).and_then(numbered_key)),
            (None, letter) => match lettered_key(letter) {
                Some(key) => self.key_press(key, 1),
                None => Decoded::Ignored,
            },
        }
    }

    fn decode_mouse_report(&self, offset: u32) -> Decoded {
        let [button, column, row] = [0, 1, 2].map(|number| self.parameter(number));
        match (button, column, row) {
            (Some(button), Some(column), Some(row)) if button >= offset => {
                decode_mouse(button - offset, column, row)
            }
            _ => Decoded::Ignored,
        }
    }

    fn decode_numbered(&self) -> Decoded {
        match self.parameter(0) {
            Some(200) => Decoded::PasteBegins,
            // xterm's modifyOtherKeys.
            Some(27) if self.parameter(2).is_some() => self.decode_coded(self.parameter(2), 1),
            Some(number) => match numbered_key(number) {
                Some(key) => self.key_press(key, 1),
                None => Decoded::Ignored,
            },
            None => Decoded::Ignored,
        }
    }

    /// A key by its code point or, above, by the number kitty gave it.
    fn decode_coded(&self, code: Option<u32>, modifiers: usize) -> Decoded {
        let Some(key) = code.and_then(coded_key) else {
            return Decoded::Ignored;
        };
        let held = self.held_modifiers(modifiers);
        let key = match key {
            // Shift and Tab move back, which no page here does.
            Key::Tab if held & SHIFT != 0 => return Decoded::Ignored,
            Key::Char(letter) if held & CTRL != 0 => Key::Ctrl(letter.to_ascii_lowercase()),
            Key::Char(letter) if held & SHIFT != 0 => {
                let shifted = self.part(0, 1).and_then(char::from_u32);
                Key::Char(shifted.unwrap_or(letter.to_ascii_uppercase()))
            }
            key => key,
        };
        self.key_press(key, modifiers)
    }

    /// Modifiers that are held.
    fn held_modifiers(&self, parameter: usize) -> u32 {
        self.parameter(parameter).unwrap_or(1).saturating_sub(1)
    }

    fn key_press(&self, key: Key, modifiers: usize) -> Decoded {
        if self.part(modifiers, 1) == Some(KEY_RELEASE) {
            Decoded::Ignored
        } else if self.held_modifiers(modifiers) & ALT != 0 {
            Decoded::AltKey(key)
        } else {
            Decoded::Input(Input::Key(key))
        }
    }
}

fn key_or_ignored(key: Option<Key>) -> Decoded {
    key.map_or(Decoded::Ignored, |key| Decoded::Input(Input::Key(key)))
}

/// A mouse report: the button with its modifiers, the cell counted from 1.
pub(super) fn decode_mouse(button: u32, column: u32, row: u32) -> Decoded {
    let input = match button & !MOUSE_MODIFIERS {
        0 => MouseInput::Press,
        64 => MouseInput::WheelUp,
        65 => MouseInput::WheelDown,
        _ => return Decoded::Ignored,
    };
    let place = |number: u32| u16::try_from(number.saturating_sub(1)).ok();
    match (place(column), place(row)) {
        (Some(column), Some(row)) => {
            Decoded::Input(Input::Mouse(input, Position::new(column, row)))
        }
        _ => Decoded::Ignored,
    }
}

/// Keys whose sequence ends with a letter of their own.
fn lettered_key(letter: u8) -> Option<Key> {
    Some(match letter {
        b'A' | b'a' => Key::Up,
        b'B' | b'b' => Key::Down,
        b'C' | b'c' => Key::Right,
        b'D' | b'd' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'P'..=b'S' => Key::F(letter - b'P' + 1),
        _ => return None,
    })
}

/// Keys after ESC `O`: cursor and function keys, and the application keypad.
pub(super) fn keypad_key(letter: u8) -> Option<Key> {
    Some(match letter {
        b'M' => Key::Enter,
        b'I' => Key::Tab,
        b' ' => Key::Char(' '),
        b'X' => Key::Char('='),
        // `j` is `*`, and so on to `y`, which is `9`.
        b'j'..=b'y' => Key::Char(char::from(letter - b'j' + b'*')),
        _ => return lettered_key(letter),
    })
}

/// Keys whose sequence is a number and `~`.
fn numbered_key(number: u32) -> Option<Key> {
    let function = |first: u32, number: u32| u8::try_from(number - first).map(Key::F).ok();
    match number {
        1 | 7 => Some(Key::Home),
        3 => Some(Key::Delete),
        4 | 8 => Some(Key::End),
        5 => Some(Key::PageUp),
        6 => Some(Key::PageDown),
        // The numbers have gaps where old keyboards had them.
        11..=15 => function(10, number),
        17..=21 => function(11, number),
        23..=26 => function(12, number),
        28..=29 => function(13, number),
        31..=34 => function(14, number),
        _ => None,
    }
}

/// Keys by code: Unicode, and kitty's numbers in the private use area.
fn coded_key(code: u32) -> Option<Key> {
    const KEYPAD: &str = "0123456789./*-+";
    Some(match code {
        9 => Key::Tab,
        13 | 57414 => Key::Enter,
        27 => Key::Esc,
        8 | 127 => Key::Backspace,
        57376..=57398 => Key::F(u8::try_from(code - 57376 + 13).ok()?),
        57399..=57413 => Key::Char(KEYPAD.chars().nth((code - 57399) as usize)?),
        57415 => Key::Char('='),
        57416 => Key::Char(','),
        57417 => Key::Left,
        57418 => Key::Right,
        57419 => Key::Up,
        57420 => Key::Down,
        57421 => Key::PageUp,
        57422 => Key::PageDown,
        57423 => Key::Home,
        57424 => Key::End,
        57426 => Key::Delete,
        // The rest of that area are modifiers and media keys.
        57344..=63743 => return None,
        _ => Key::Char(char::from_u32(code).filter(|one| !one.is_control())?),
    })
}
