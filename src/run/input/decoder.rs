//! Decodes the bytes of a terminal into keys, mouse presses and pastes.
//!
//! Pure: it reads no clock and no descriptor. The caller waits for
//! [`Decoder::deadline`] and calls [`Decoder::expire`] if nothing was received
//! by then, so that no byte sequence, however cut off or malformed, keeps the
//! keys after it from being read. The libraries for this wait for the end of a
//! sequence or of a paste for ever, and hide the state one would have to reset.

use super::sequence::{self, ControlSequence};
use crate::app::keys::Key;
use ratatui::layout::Position;
use std::mem;
use std::time::Duration;

/// Silence after which a lone escape byte is the Escape key. xterm and the
/// Linux console send a whole sequence at once; 50 ms bridge a slow line.
const ESCAPE_TIMEOUT: Duration = Duration::from_millis(50);
/// Silence after which the rest of a sequence or of a paste never comes.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest paste, bytes. More than any field takes.
const MAX_PASTE: usize = 1 << 20;
/// Longest control sequence, bytes. A mouse report has at most 20.
const MAX_SEQUENCE: usize = 64;
/// Longest reply to a query that another program sent to the terminal, bytes.
const MAX_STRING: usize = 4096;

const ESCAPE: u8 = 0x1b;
const CTRL_C: u8 = 0x03;
const PASTE_END: &[u8] = b"\x1b[201~";

/// A user's input at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A key.
    Key(Key),
    /// A pasted text.
    Paste(String),
    /// The mouse, at a cell of the screen.
    Mouse(MouseInput, Position),
}

/// A mouse report that has a meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MouseInput {
    /// The left button went down.
    Press,
    /// The wheel, away from the user.
    WheelUp,
    /// The wheel, towards the user.
    WheelDown,
}

/// The bytes that are not a whole input yet.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pending: Vec<u8>,
    paste: Option<Paste>,
}

/// A bracketed paste under way.
#[derive(Debug, Default)]
struct Paste {
    /// At most [`MAX_PASTE`] bytes. The rest is passed over: taking it for
    /// keys would have a pasted text give commands.
    text: Vec<u8>,
}

/// Result of decoding the first bytes.
pub(super) enum DecodeStep {
    /// The beginning of something.
    Incomplete,
    /// Length, at least one byte, and meaning.
    Complete(usize, Decoded),
}

/// Meaning of some bytes.
pub(super) enum Decoded {
    /// Nothing to this program.
    Ignored,
    Input(Input),
    /// A key with Alt.
    AltKey(Key),
    PasteBegins,
}

impl Decoder {
    /// Decodes further bytes, as many as one read gave.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        let mut inputs = Vec::new();
        // Text of a paste comes in bulk, a key by itself.
        if self.paste.is_some() && bytes == [CTRL_C] {
            self.end_paste(&mut inputs);
        }
        self.pending.extend_from_slice(bytes);
        self.decode(&mut inputs);
        inputs
    }

    /// Returns the wait for further bytes before [`Decoder::expire`]; none if
    /// nothing is pending.
    pub(super) fn deadline(&self) -> Option<Duration> {
        if self.paste.is_some() {
            return Some(SILENCE_TIMEOUT);
        }
        match self.pending[..] {
            // A part of a character is completed or refuted by the next byte.
            [] | [0x80..=0xff, ..] => None,
            [ESCAPE] | [ESCAPE, _] => Some(ESCAPE_TIMEOUT),
            _ => Some(SILENCE_TIMEOUT),
        }
    }

    /// Gives up waiting: the keys that the pending bytes are by themselves.
    pub(super) fn expire(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        if self.paste.is_some() {
            self.end_paste(&mut inputs);
            return inputs;
        }
        let pending = mem::take(&mut self.pending);
        match pending[..] {
            [ESCAPE] => inputs.push(Input::Key(Key::Esc)),
            // Alt and `[`, or the Escape key and then `[`; not the beginning
            // of a longer character.
            [ESCAPE, next] => {
                inputs.push(Input::Key(Key::Esc));
                if next.is_ascii() {
                    inputs.push(Input::Key(Key::Char(char::from(next))));
                }
            }
            _ => {}
        }
        inputs
    }

    fn decode(&mut self, inputs: &mut Vec<Input>) {
        let bytes = mem::take(&mut self.pending);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            if self.paste.is_some() {
                rest = self.continue_paste(rest, inputs);
                if self.paste.is_some() {
                    break;
                }
                continue;
            }
            match decode_first(rest) {
                DecodeStep::Incomplete => break,
                DecodeStep::Complete(length, meaning) => {
                    rest = &rest[length..];
                    match meaning {
                        Decoded::Ignored => {}
                        Decoded::Input(input) => inputs.push(input),
                        // The Escape key and a key that come together look the
                        // same. They are taken as the two they may be: an
                        // Escape that was meant to cancel must not get lost
                        // before a `y`.
                        Decoded::AltKey(key) => {
                            inputs.push(Input::Key(Key::Esc));
                            inputs.push(Input::Key(key));
                        }
                        Decoded::PasteBegins => self.paste = Some(Paste::default()),
                    }
                }
            }
        }
        self.pending = rest.to_vec();
    }

    /// Takes the text of a paste; the bytes after it, or those that may be the
    /// beginning of its end.
    fn continue_paste<'a>(&mut self, bytes: &'a [u8], inputs: &mut Vec<Input>) -> &'a [u8] {
        let end = bytes
            .windows(PASTE_END.len())
            .position(|window| window == PASTE_END);
        let (text, rest) = match end {
            Some(place) => (&bytes[..place], &bytes[place + PASTE_END.len()..]),
            None => bytes.split_at(bytes.len() - partial_end(bytes)),
        };
        if let Some(paste) = &mut self.paste {
            paste.add(text);
        }
        if end.is_some() {
            self.end_paste(inputs);
        }
        rest
    }

    /// Whatever was pasted is pasted, whether or not its end came.
    fn end_paste(&mut self, inputs: &mut Vec<Input>) {
        if let Some(mut paste) = self.paste.take() {
            paste.add(&mem::take(&mut self.pending));
            let text = String::from_utf8_lossy(&paste.text).into_owned();
            inputs.push(Input::Paste(text));
        }
    }
}

impl Paste {
    fn add(&mut self, text: &[u8]) {
        let room = MAX_PASTE - self.text.len();
        self.text.extend_from_slice(&text[..text.len().min(room)]);
    }
}

/// Length of the longest prefix of a paste's end sequence at the end of these
/// bytes.
fn partial_end(bytes: &[u8]) -> usize {
    let longest = bytes.len().min(PASTE_END.len() - 1);
    (1..=longest)
        .rev()
        .find(|length| bytes.ends_with(&PASTE_END[..*length]))
        .unwrap_or(0)
}

/// The first input of some bytes, which are at least one.
fn decode_first(bytes: &[u8]) -> DecodeStep {
    match bytes {
        [ESCAPE, b'[', ..] => decode_control_sequence(bytes),
        [ESCAPE, b'O', ..] => decode_ss3(bytes),
        [ESCAPE, b']', b'0'..=b'9', ..]
        | [ESCAPE, b'P', b'0' | b'1' | b'>' | b'!', ..]
        | [ESCAPE, b'_', b'G', ..] => decode_string(bytes),
        // A sequence may follow, or an answer of the terminal.
        [ESCAPE] | [ESCAPE, b']' | b'P' | b'_'] => DecodeStep::Incomplete,
        // The second one may begin a sequence.
        [ESCAPE, ESCAPE, ..] => DecodeStep::Complete(1, key_input(Key::Esc)),
        [ESCAPE, rest @ ..] => match decode_character(rest) {
            DecodeStep::Complete(length, Decoded::Input(Input::Key(key))) => {
                DecodeStep::Complete(1 + length, Decoded::AltKey(key))
            }
            DecodeStep::Complete(length, meaning) => DecodeStep::Complete(1 + length, meaning),
            DecodeStep::Incomplete => DecodeStep::Incomplete,
        },
        _ => decode_character(bytes),
    }
}

fn key_input(key: Key) -> Decoded {
    Decoded::Input(Input::Key(key))
}

/// A character or a control byte, which are at least one byte.
fn decode_character(bytes: &[u8]) -> DecodeStep {
    let control = match bytes[0] {
        b'\r' => Some(Key::Enter),
        b'\t' => Some(Key::Tab),
        0x7f => Some(Key::Backspace),
        0 => Some(Key::Ctrl(' ')),
        letter @ 0x01..=0x1a => Some(Key::Ctrl(char::from(letter - 1 + b'a'))),
        digit @ 0x1c..=0x1f => Some(Key::Ctrl(char::from(digit - 0x1c + b'4'))),
        _ => None,
    };
    if let Some(control) = control {
        return DecodeStep::Complete(1, key_input(control));
    }
    let beginning = &bytes[..bytes.len().min(4)];
    let valid = match str::from_utf8(beginning) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => {
            str::from_utf8(&beginning[..error.valid_up_to()]).unwrap_or_default()
        }
        // Cut off; or not UTF-8, and then one byte is passed over.
        Err(error) => {
            return match error.error_len() {
                None => DecodeStep::Incomplete,
                Some(length) => DecodeStep::Complete(length, Decoded::Ignored),
            };
        }
    };
    match valid.chars().next() {
        Some(character) => {
            DecodeStep::Complete(character.len_utf8(), key_input(Key::Char(character)))
        }
        None => DecodeStep::Complete(1, Decoded::Ignored),
    }
}

/// A control sequence (ECMA-48 5.4): ESC `[`, parameter bytes, intermediate
/// bytes, a final byte. One that is broken off by another byte is passed over
/// up to that byte, which may be a key.
fn decode_control_sequence(bytes: &[u8]) -> DecodeStep {
    match bytes[2..] {
        // The Linux console's F1 to F5.
        [b'[', number @ b'A'..=b'E', ..] => {
            return DecodeStep::Complete(4, key_input(Key::F(number - b'A' + 1)));
        }
        // The oldest form of a mouse report: three bytes after the final one.
        [b'M', button, column, row, ..] => {
            let place = |byte: u8| u32::from(byte.saturating_sub(32));
            let meaning = sequence::decode_mouse(place(button), place(column), place(row));
            return DecodeStep::Complete(6, meaning);
        }
        [b'['] | [b'M', ..] => return DecodeStep::Incomplete,
        _ => {}
    }
    let body = &bytes[2..];
    let parameters = count_in_range(body, 0x30..=0x3f);
    let intermediates = count_in_range(&body[parameters..], 0x20..=0x2f);
    let length = 2 + parameters + intermediates;
    match bytes.get(length) {
        None if bytes.len() > MAX_SEQUENCE => DecodeStep::Complete(bytes.len(), Decoded::Ignored),
        None => DecodeStep::Incomplete,
        Some(end @ 0x40..=0x7e) => {
            let meaning = if intermediates == 0 && length < MAX_SEQUENCE {
                ControlSequence::new(&body[..parameters], *end).decode()
            } else {
                Decoded::Ignored
            };
            DecodeStep::Complete(length + 1, meaning)
        }
        Some(_) => DecodeStep::Complete(length, Decoded::Ignored),
    }
}

fn count_in_range(bytes: &[u8], range: std::ops::RangeInclusive<u8>) -> usize {
    bytes.iter().take_while(|byte| range.contains(byte)).count()
}

/// A key of the application keypad, or Alt and `O`.
fn decode_ss3(bytes: &[u8]) -> DecodeStep {
    let body = &bytes[2..];
    // Some terminals put modifiers before the letter.
    let parameters = count_in_range(body, 0x30..=0x3b);
    match body.get(parameters) {
        None if parameters < MAX_SEQUENCE => DecodeStep::Incomplete,
        Some(letter) => match sequence::keypad_key(*letter) {
            Some(meaning) => DecodeStep::Complete(3 + parameters, key_input(meaning)),
            None => DecodeStep::Complete(2, Decoded::AltKey(Key::Char('O'))),
        },
        None => DecodeStep::Complete(2, Decoded::AltKey(Key::Char('O'))),
    }
}

/// A reply of the terminal to a query that this program never sends, but one
/// before it may have: a string up to BEL or ESC `\`. Its text is not keys. A
/// key that cancels breaks it off.
fn decode_string(bytes: &[u8]) -> DecodeStep {
    let end = bytes[2..]
        .iter()
        .position(|byte| *byte < b' ')
        .map(|place| place + 2);
    match end.map(|place| (place, &bytes[place..])) {
        None if bytes.len() > MAX_STRING => DecodeStep::Complete(bytes.len(), Decoded::Ignored),
        None | Some((_, [ESCAPE])) => DecodeStep::Incomplete,
        Some((place, [0x07, ..])) => DecodeStep::Complete(place + 1, Decoded::Ignored),
        Some((place, [ESCAPE, b'\\', ..])) => DecodeStep::Complete(place + 2, Decoded::Ignored),
        Some((place, _)) => DecodeStep::Complete(place, Decoded::Ignored),
    }
}

#[cfg(test)]
mod tests;
