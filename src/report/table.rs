//! The plain table: aligned columns, no escape codes, nothing cut.

use crate::explain::catalogue::Catalogue;
use crate::explain::sentence::{fill, grouped};
use crate::listing::{Align, Column, cell};
use crate::model::observation::Observation;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Writes the rows with these numbers, in this order, under a heading.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    observation: &Observation,
    rows: &[u32],
    columns: &[Column],
    numeric: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.title().len()).collect();
    let cells: Vec<_> = rows
        .iter()
        .filter_map(|number| observation.rows.get(*number as usize))
        .flat_map(|row| {
            columns
                .iter()
                .map(move |column| cell(*column, row, observation, numeric).text)
        })
        .collect();
    for line in cells.chunks(columns.len().max(1)) {
        for (width, text) in widths.iter_mut().zip(line) {
            *width = (*width).max(text.width());
        }
    }
    let titles = columns.iter().map(|column| column.title());
    write_line(titles, columns, &widths, out)?;
    for line in cells.chunks(columns.len().max(1)) {
        write_line(line.iter().map(AsRef::as_ref), columns, &widths, out)?;
    }
    Ok(())
}

/// Writes one line; the last column is not padded.
fn write_line<'a>(
    texts: impl Iterator<Item = &'a str>,
    columns: &[Column],
    widths: &[usize],
    out: &mut dyn Write,
) -> io::Result<()> {
    const BLANKS: &str = "                                                                ";
    let pad = |out: &mut dyn Write, mut count: usize| -> io::Result<()> {
        while count > 0 {
            let some = count.min(BLANKS.len());
            out.write_all(&BLANKS.as_bytes()[..some])?;
            count -= some;
        }
        Ok(())
    };
    // Blanks are owed until more text follows, so that no line ends in them.
    let mut owed = 0;
    for ((text, column), width) in texts.zip(columns).zip(widths) {
        let padding = width.saturating_sub(text.width());
        if column.align() == Align::Right {
            owed += padding;
        }
        if !text.is_empty() {
            pad(out, owed)?;
            out.write_all(text.as_bytes())?;
            owed = 0;
        }
        if column.align() == Align::Left {
            owed += padding;
        }
        owed += 2;
    }
    out.write_all(b"\n")
}

/// Writes a line for each thing that could not be seen.
///
/// # Errors
///
/// Those of the writer.
pub fn write_gaps(
    observation: &Observation,
    words: &Catalogue,
    out: &mut dyn Write,
) -> io::Result<()> {
    for gap in &observation.gaps {
        let short = words.gap(gap.kind, "short");
        let short = fill(short, |_| Some(grouped(gap.count))).unwrap_or_default();
        let reason = words.gap_reason(gap.reason);
        writeln!(out, "tcplens: {short} ({reason})")?;
    }
    Ok(())
}
