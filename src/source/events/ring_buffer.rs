//! Decodes the pages of the kernel's ring buffer, as `trace_pipe_raw` gives
//! them: pure, bytes only.
//!
//! Format: `events/header_page` and `events/header_event` of tracefs,
//! `include/linux/ring_buffer.h`, `kernel/trace/ring_buffer.c`. Every length is
//! validated, and each step goes forward.

/// Length of a page's head: a time stamp, and how much is committed.
pub const PAGE_HEADER_LEN: usize = 16;

/// Mask of the byte count in the second word; flags are above it
/// (`RB_MISSED_EVENTS`, `RB_MISSED_STORED`).
const COMMIT_MASK: u64 = (1 << 27) - 1;
const MISSED_EVENTS_FLAG: u64 = 1 << 31;

const TYPE_PADDING: u32 = 29;
const TYPE_TIME_EXTEND: u32 = 30;
const TYPE_TIME_STAMP: u32 = 31;
/// Number of time bits in an event's first word.
const DELTA_BITS: u32 = 27;
/// The uppermost bits of an absolute time are not in it, but those of the time
/// before.
const TIME_TOP_BITS: u64 = 0xf8 << 56;

/// One record of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingRecord<'p> {
    /// Time in nanoseconds on the instance's clock.
    pub at_ns: u64,
    /// Payload of the record.
    pub data: &'p [u8],
}

/// A page being read.
#[derive(Clone, Debug)]
pub struct RingPage<'p> {
    rest: &'p [u8],
    time_ns: u64,
    /// True if the kernel dropped records before this page.
    pub missed: bool,
}

impl<'p> RingPage<'p> {
    /// A page as it was read; one that is too short holds nothing.
    #[must_use]
    pub fn new(bytes: &'p [u8]) -> Self {
        let word = |at: usize| {
            let word = bytes.get(at..)?.first_chunk()?;
            Some(u64::from_ne_bytes(*word))
        };
        let (time_ns, commit) = (word(0).unwrap_or(0), word(8).unwrap_or(0));
        let end = usize::try_from(commit & COMMIT_MASK).unwrap_or(usize::MAX);
        let body = bytes.get(PAGE_HEADER_LEN..).unwrap_or_default();
        Self {
            rest: body.get(..end).unwrap_or(body),
            time_ns,
            missed: commit & MISSED_EVENTS_FLAG != 0,
        }
    }

    fn word(&self, at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(*self.rest.get(at..)?.first_chunk()?))
    }

    /// Skips a number of bytes, or to the end if fewer are left.
    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    fn end(&mut self) {
        self.rest = &[];
    }
}

/// The kernel's bit fields: kind first on little-endian machines.
fn split_header(word: u32) -> (u32, u32) {
    if cfg!(target_endian = "big") {
        (word >> DELTA_BITS, word & ((1 << DELTA_BITS) - 1))
    } else {
        (word & 0x1f, word >> 5)
    }
}

impl<'p> Iterator for RingPage<'p> {
    type Item = RingRecord<'p>;

    fn next(&mut self) -> Option<RingRecord<'p>> {
        loop {
            let (kind, delta) = split_header(self.word(0)?);
            // A second word always follows the first.
            let second = self.word(4).unwrap_or(0);
            let long = u64::from(second) << DELTA_BITS;
            match kind {
                // Nothing follows padding without a time.
                TYPE_PADDING if delta == 0 => self.end(),
                TYPE_PADDING => {
                    self.time_ns = self.time_ns.wrapping_add(delta.into());
                    self.skip(4 + second as usize);
                }
                TYPE_TIME_EXTEND => {
                    self.time_ns = self.time_ns.wrapping_add(long + u64::from(delta));
                    self.skip(8);
                }
                TYPE_TIME_STAMP => {
                    self.time_ns =
                        self.time_ns & TIME_TOP_BITS | (long + u64::from(delta)) & !TIME_TOP_BITS;
                    self.skip(8);
                }
                kind => {
                    self.time_ns = self.time_ns.wrapping_add(delta.into());
                    // A long record has its length, with itself, in the second
                    // word.
                    let (from, length) = match kind {
                        0 => (8, (second as usize).saturating_sub(4)),
                        words => (4, words as usize * 4),
                    };
                    let data = self.rest.get(from..from + length);
                    let Some(data) = data else {
                        self.end();
                        return None;
                    };
                    self.skip(from + length.next_multiple_of(4));
                    return Some(RingRecord {
                        at_ns: self.time_ns,
                        data,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(kind: u32, delta: u32) -> [u8; 4] {
        let word = if cfg!(target_endian = "big") {
            kind << DELTA_BITS | delta
        } else {
            kind | delta << 5
        };
        word.to_ne_bytes()
    }

    fn page(now: u64, flags: u64, body: &[u8]) -> Vec<u8> {
        let mut bytes = now.to_ne_bytes().to_vec();
        bytes.extend((body.len() as u64 | flags).to_ne_bytes());
        bytes.extend(body);
        bytes
    }

    fn records(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        RingPage::new(bytes)
            .map(|record| (record.at_ns, record.data.to_vec()))
            .collect()
    }

    #[test]
    fn times_add_up() {
        let mut body = Vec::new();
        body.extend(head(1, 5));
        body.extend(*b"one.");
        body.extend(head(TYPE_TIME_EXTEND, 3));
        body.extend(2_u32.to_ne_bytes());
        body.extend(head(2, 7));
        body.extend(*b"twice as");
        body.extend(head(TYPE_TIME_STAMP, 9));
        body.extend(4_u32.to_ne_bytes());
        body.extend(head(1, 0));
        body.extend(*b"last");
        let second = 105 + 3 + (2 << DELTA_BITS) + 7;
        assert_eq!(
            records(&page(100, 0, &body)),
            [
                (105, b"one.".to_vec()),
                (second, b"twice as".to_vec()),
                (9 + (4 << DELTA_BITS), b"last".to_vec()),
            ]
        );
    }

    #[test]
    fn an_absolute_time_keeps_the_uppermost_bits() {
        let mut body = head(TYPE_TIME_STAMP, 1).to_vec();
        body.extend(1_u32.to_ne_bytes());
        body.extend(head(1, 0));
        body.extend(*b"here");
        let now = 0xa8 << 56 | 0x4d;
        let found = records(&page(now, 0, &body));
        assert_eq!(found[0].0, 0xa8 << 56 | 1 << DELTA_BITS | 1);
    }

    #[test]
    fn padding_is_passed_over_or_ends_the_page() {
        let mut body = head(TYPE_PADDING, 6).to_vec();
        // Its length counts this word.
        body.extend(8_u32.to_ne_bytes());
        body.extend([0xff; 4]);
        body.extend(head(1, 1));
        body.extend(*b"here");
        body.extend(head(TYPE_PADDING, 0));
        body.extend([0; 4]);
        body.extend(head(1, 1));
        body.extend(*b"gone");
        assert_eq!(records(&page(0, 0, &body)), [(7, b"here".to_vec())]);
    }

    #[test]
    fn a_long_record_has_its_length_in_the_second_word() {
        let mut body = head(0, 1).to_vec();
        body.extend(124_u32.to_ne_bytes());
        body.extend([7; 120]);
        assert_eq!(records(&page(0, 0, &body)), [(1, vec![7; 120])]);
    }

    #[test]
    fn missed_records_are_flagged() {
        let stored = 1 << 30;
        assert!(RingPage::new(&page(0, MISSED_EVENTS_FLAG | stored, &[])).missed);
        assert!(!RingPage::new(&page(0, 0, &[])).missed);
    }

    /// Parses any input, as a fuzzer would give it, and must terminate.
    fn reads_to_the_end(bytes: &[u8]) {
        let mut page = RingPage::new(bytes);
        let most = bytes.len() / 4 + 1;
        assert!(page.by_ref().take(most + 1).count() <= most);
        assert_eq!(page.next(), None);
    }

    proptest! {
        #[test]
        fn any_page_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            reads_to_the_end(&bytes);
        }

        #[test]
        fn any_page_body_is_survived(body in proptest::collection::vec(any::<u8>(), 0..600)) {
            reads_to_the_end(&page(1, 0, &body));
        }
    }
}
