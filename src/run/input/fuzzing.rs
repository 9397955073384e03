//! The decoder of the terminal as a function of bytes, for [`crate::fuzzing`].

use super::decoder::{Decoder, Input};
use crate::app::keys::Key;

/// Feeds bytes of a terminal in reads of several sizes: after silence the next key is
/// decoded correctly, whatever came before.
pub(crate) fn terminal_input(bytes: &[u8]) {
    for size in [1, 7, 64, 4096] {
        let mut decoder = Decoder::default();
        for read in bytes.chunks(size) {
            let _ = decoder.feed(read);
        }
        for _ in 0..4 {
            if decoder.deadline().is_some() {
                let _ = decoder.expire();
            }
        }
        assert_eq!(decoder.deadline(), None, "reads of {size} bytes");
        let inputs = decoder.feed(b"q");
        let last = inputs.last();
        assert_eq!(last, Some(&Input::Key(Key::Char('q'))), "{inputs:?}");
    }
}
