//! The parsers of the trace as functions of bytes, for [`crate::fuzzing`].

use super::callers;
use super::change::decode;
use super::format::{Format, page_length};
use super::ring::Page;
use std::sync::OnceLock;

/// A page of the ring buffer, in the layout of a real machine.
pub(in crate::source) fn ring(bytes: &[u8]) {
    static FORMAT: OnceLock<Option<Format>> = OnceLock::new();
    let text = include_str!("../../../tests/captured/ring/format");
    let format = FORMAT.get_or_init(|| Format::parse(text)).as_ref();
    assert!(format.is_some(), "the layout is a real one");
    records(bytes, format);
}

/// A layout, by which the records of a real page are read.
pub(in crate::source) fn format(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = page_length(&text);
    let page = include_bytes!("../../../tests/captured/ring/loopback.page");
    records(page, Format::parse(&text).as_ref());
}

fn records(page: &[u8], format: Option<&Format>) {
    for (count, record) in Page::new(page).enumerate() {
        assert!(count < page.len(), "more records than bytes");
        let _ = format.and_then(|format| decode(&record, format, 5));
    }
}

/// Files that are read for the thread of an event.
pub(in crate::source) fn caller(bytes: &[u8]) {
    let _ = callers::process(bytes);
    let _ = callers::name_and_start(bytes);
    let _ = callers::saved(&String::from_utf8_lossy(bytes));
}
