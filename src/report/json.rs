//! The JSON contract, schema 1: one document, one socket a line.
//!
//! Output formats are contracts: fields may be added within a schema, never
//! renamed or removed. Unknown is null, never an empty string.

pub mod doctor;
mod entry;
pub mod explained;
pub mod findings;
mod info;
mod owner;
pub mod port;

use crate::explain::diagnosis::urgency;
use crate::explain::urgency::urgencies;
use crate::model::observation::Observation;
use crate::model::row::Row;
use crate::model::text::is_deceptive;
use entry::{GapEntry, SocketEntry, timestamp};
use owner::OwnerFactsCache;
use port::PortEntry;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};
use std::io::{self, Write};

/// Version of the contract.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct ListHeader<'a> {
    schema: u32,
    tool: &'a str,
    host: String,
    taken_at: String,
    source: &'a str,
    gaps: Vec<GapEntry>,
    /// Use of the port that the filter names, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<&'a PortEntry>,
}

/// Writes the rows with these numbers, in this order, and the use of the named port.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    observation: &Observation,
    rows: &[u32],
    port: Option<&PortEntry>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let head = ListHeader {
        schema: SCHEMA,
        tool: concat!("tcplens ", env!("CARGO_PKG_VERSION")),
        host: entry::lossy_string(&observation.host),
        taken_at: timestamp(observation.time.wall_ms),
        source: observation.source.word(),
        gaps: observation.gaps.iter().map(GapEntry::of).collect(),
        port,
    };
    // The head's closing brace gives way to the list, which is written a
    // socket at a time instead of being held as a whole.
    let mut open = Vec::new();
    write_escaped(&head, &mut open)?;
    open.pop();
    out.write_all(&open)?;
    out.write_all(b",\n \"sockets\":[")?;
    let portraits = OwnerFactsCache::default();
    let urgencies = urgencies(observation);
    let mut separator: &[u8] = b"\n  ";
    for number in rows {
        let Some(row) = observation.rows.get(*number as usize) else {
            continue;
        };
        out.write_all(separator)?;
        let urgency = urgencies.of_row_number(*number);
        let entry = SocketEntry::of(row, urgency, observation, &portraits);
        write_escaped(&entry, out)?;
        separator = b",\n  ";
    }
    out.write_all(b"]}\n")
}

/// One socket as a JSON object, as copied from the screen.
#[must_use]
pub fn socket(row: &Row, observation: &Observation) -> String {
    let mut bytes = Vec::new();
    // Writing to memory cannot fail.
    let entry = SocketEntry::of(
        row,
        urgency(row, observation),
        observation,
        &OwnerFactsCache::default(),
    );
    let _ = write_escaped(&entry, &mut bytes);
    String::from_utf8(bytes).unwrap_or_default()
}

fn write_escaped(value: &impl Serialize, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    let mut serializer =
        serde_json::Serializer::with_formatter(out, EscapingFormatter(CompactFormatter));
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Escapes characters that a terminal would interpret: JSON itself lets C1
/// controls and direction overrides through. The value stays the same.
struct EscapingFormatter(CompactFormatter);

impl Formatter for EscapingFormatter {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly all text is plain, and there is much of it.
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return self.0.write_string_fragment(writer, fragment);
        }
        let mut rest = fragment;
        while let Some(place) = rest.find(is_deceptive) {
            let (plain, from) = rest.split_at(place);
            self.0.write_string_fragment(writer, plain)?;
            let mut characters = from.chars();
            let mut units = [0; 2];
            for unit in characters
                .next()
                .unwrap_or_default()
                .encode_utf16(&mut units)
            {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = characters.as_str();
        }
        self.0.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn text_a_terminal_would_obey_is_escaped_and_keeps_its_value() {
        let value = json!({"name": "a\u{9b}31m\u{202e}b\u{1b}\n\u{e0001}"});
        let mut bytes = Vec::new();
        write_escaped(&value, &mut bytes).unwrap();
        let written = String::from_utf8(bytes).unwrap();
        assert!(!written.chars().any(is_deceptive), "{written}");
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
    }

    #[test]
    fn an_empty_table_is_valid_json() {
        let mut bytes = Vec::new();
        write(&Observation::default(), &[], None, &mut bytes).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["schema"], json!(1));
        assert_eq!(value["sockets"], json!([]));
    }
}
