//! The parsers of the trace as functions of bytes, for [`crate::fuzzing`].

use super::format::{TracepointFormat, parse_page_length};
use super::ring_buffer::RingPage;
use super::state_change::decode;
use super::thread_resolver;
use std::sync::OnceLock;

/// A page of the ring buffer, in the layout of a real machine.
pub(in crate::source) fn ring(bytes: &[u8]) {
    static FORMAT: OnceLock<Option<TracepointFormat>> = OnceLock::new();
    let text = include_str!("../../../tests/captured/ring/format");
    let format = FORMAT
        .get_or_init(|| TracepointFormat::parse(text))
        .as_ref();
    assert!(format.is_some(), "the layout is a real one");
    records(bytes, format);
}

/// A layout, by which the records of a real page are read.
pub(in crate::source) fn format(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = parse_page_length(&text);
    let page = include_bytes!("../../../tests/captured/ring/loopback.page");
    records(page, TracepointFormat::parse(&text).as_ref());
}

fn records(page: &[u8], format: Option<&TracepointFormat>) {
    for (count, record) in RingPage::new(page).enumerate() {
        assert!(count < page.len(), "more records than bytes");
        let _ = format.and_then(|format| decode(&record, format, 5));
    }
}

/// Files that are read for the thread of an event.
pub(in crate::source) fn thread_files(bytes: &[u8]) {
    let _ = thread_resolver::parse_tgid(bytes);
    let _ = thread_resolver::parse_stat(bytes);
    let _ = thread_resolver::parse_saved_names(&String::from_utf8_lossy(bytes));
}
