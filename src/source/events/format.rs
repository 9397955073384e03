//! Offsets of the tracepoint's fields: decodes its `format` file. Pure.
//!
//! The kernel may move fields from one version to the next, so nothing is taken
//! for granted but their names (`Documentation/trace/events.rst`).

/// Offsets of the fields of `sock:inet_sock_set_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracepointFormat {
    /// Id of the tracepoint's records.
    pub id: u16,
    /// Execution context of the processor at that time.
    pub flags: FieldOffset<1>,
    /// The number of the thread that was running.
    pub thread: FieldOffset<4>,
    /// The kernel's name for the socket.
    pub socket: FieldOffset<8>,
    /// The state it left, as the kernel numbers it.
    pub from: FieldOffset<4>,
    /// The state it came to.
    pub to: FieldOffset<4>,
    /// This machine's port, already in host order.
    pub local_port: FieldOffset<2>,
    /// The peer's port, already in host order.
    pub remote_port: FieldOffset<2>,
    /// The address family.
    pub family: FieldOffset<2>,
    /// The transport's number.
    pub protocol: FieldOffset<2>,
    /// This machine's IPv4 address.
    pub local_v4: FieldOffset<4>,
    /// The peer's IPv4 address.
    pub remote_v4: FieldOffset<4>,
    /// This machine's IPv6 address; IPv4 ones are mapped.
    pub local_v6: FieldOffset<16>,
    /// The peer's IPv6 address.
    pub remote_v6: FieldOffset<16>,
    /// Shortest record.
    pub min_len: usize,
}

/// A field of `N` bytes, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldOffset<const N: usize>(usize);

impl<const N: usize> FieldOffset<N> {
    /// Its bytes in a record; none if that is too short.
    #[must_use]
    pub fn read(self, record: &[u8]) -> Option<[u8; N]> {
        record.get(self.0..)?.first_chunk().copied()
    }
}

/// Upper limit of a field's offset and length: the largest pages have 64 KiB.
const MAX_OFFSET: usize = 128 * 1024;

/// One line of the file.
struct FieldLine<'t> {
    name: &'t str,
    offset: usize,
    size: usize,
}

impl TracepointFormat {
    /// Reads the text of a `format` file; none if a field is missing or has
    /// another size than it ever had.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.lines().find_map(|line| line.strip_prefix("ID:"))?;
        let lines: Vec<FieldLine<'_>> = text.lines().filter_map(parse_line).collect();
        Some(Self {
            id: id.trim().parse().ok()?,
            flags: find_field(&lines, "common_flags")?,
            thread: find_field(&lines, "common_pid")?,
            // Pointers of 32 bits are not supported: the machine is 64 bits wide.
            socket: find_field(&lines, "skaddr")?,
            from: find_field(&lines, "oldstate")?,
            to: find_field(&lines, "newstate")?,
            local_port: find_field(&lines, "sport")?,
            remote_port: find_field(&lines, "dport")?,
            family: find_field(&lines, "family")?,
            protocol: find_field(&lines, "protocol")?,
            local_v4: find_field(&lines, "saddr")?,
            remote_v4: find_field(&lines, "daddr")?,
            local_v6: find_field(&lines, "saddr_v6")?,
            remote_v6: find_field(&lines, "daddr_v6")?,
            min_len: lines.iter().map(|line| line.offset + line.size).max()?,
        })
    }
}

fn find_field<const N: usize>(lines: &[FieldLine<'_>], name: &str) -> Option<FieldOffset<N>> {
    let line = lines.iter().find(|line| line.name == name)?;
    (line.size == N).then_some(FieldOffset(line.offset))
}

/// Takes apart `field:__u8 saddr[4]; offset:32; size:4; signed:0;`.
fn parse_line(text: &str) -> Option<FieldLine<'_>> {
    let mut parts = text.trim().split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?;
    let name = declaration.rsplit(' ').next()?;
    let name = name.split('[').next()?;
    let number = |part: Option<&str>, key: &str| {
        let value = part?.strip_prefix(key)?.trim().parse::<usize>().ok()?;
        (value <= MAX_OFFSET).then_some(value)
    };
    Some(FieldLine {
        name,
        offset: number(parts.next(), "offset:")?,
        size: number(parts.next(), "size:")?,
    })
}

/// Parses the length of a ring buffer page from the text of
/// `events/header_page`: offset plus size of its data.
#[must_use]
pub fn parse_page_length(text: &str) -> Option<usize> {
    let mut lines = text.lines().filter_map(parse_line);
    let data = lines.find(|line| line.name == "data")?;
    // The ring's own parser knows only this head.
    (data.offset == super::ring_buffer::PAGE_HEADER_LEN).then_some(data.offset + data.size)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// File of Linux 6.18 on x86-64.
    pub(in crate::source::events) const FORMAT: &str =
        include_str!("../../../tests/captured/ring/format");

    const HEADER: &str = "\
	field: u64 timestamp;	offset:0;	size:8;	signed:0;
	field: local_t commit;	offset:8;	size:8;	signed:1;
	field: int overwrite;	offset:8;	size:1;	signed:1;
	field: char data;	offset:16;	size:4080;	signed:0;
";

    #[test]
    fn finds_every_field() {
        let format = TracepointFormat::parse(FORMAT).unwrap();
        assert_eq!((format.id, format.min_len), (2287, 72));
        assert_eq!(format.thread, FieldOffset(4));
        assert_eq!(format.socket, FieldOffset(8));
        assert_eq!((format.from, format.to), (FieldOffset(16), FieldOffset(20)));
        assert_eq!(format.local_port, FieldOffset(24));
        assert_eq!(
            (format.local_v4, format.local_v6),
            (FieldOffset(32), FieldOffset(40))
        );
    }

    #[test]
    fn another_field_order_is_accepted() {
        let moved = FORMAT.replace("offset:16;	size:4", "offset:96;	size:4");
        let format = TracepointFormat::parse(&moved).unwrap();
        assert_eq!((format.from, format.min_len), (FieldOffset(96), 100));
    }

    #[test]
    fn unknown_layouts_are_refused() {
        for (before, after) in [
            ("skaddr", "sk"),
            ("size:8", "size:4"),
            ("ID: 2287", "ID: many"),
            ("offset:40;", "offset:-1;"),
            ("offset:40;", "offset:999999;"),
        ] {
            assert_eq!(
                TracepointFormat::parse(&FORMAT.replace(before, after)),
                None,
                "{after}"
            );
        }
        assert_eq!(TracepointFormat::parse(""), None);
    }

    #[test]
    fn a_page_has_its_length() {
        assert_eq!(parse_page_length(HEADER), Some(4096));
        assert_eq!(
            parse_page_length(&HEADER.replace("4080", "65520")),
            Some(65536)
        );
        assert_eq!(
            parse_page_length(&HEADER.replace("offset:16", "offset:24")),
            None
        );
        assert_eq!(parse_page_length(""), None);
    }

    /// Parses any input, as a fuzzer would give it.
    fn parse_any(bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if let Some(format) = TracepointFormat::parse(&text) {
            // A field that lies outside is none.
            let _ = format.remote_v6.read(bytes);
        }
        let _ = parse_page_length(&text);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            parse_any(&bytes);
        }

        #[test]
        fn damaged_text_is_survived(place in 0..FORMAT.len(), byte in any::<u8>()) {
            let mut bytes = FORMAT.as_bytes().to_vec();
            bytes[place] = byte;
            parse_any(&bytes);
        }
    }
}
