//! The plain table: aligned columns, no escape codes, nothing cut.

use crate::explain::catalogue::Catalogue;
use crate::explain::template::{format_thousands, render};
use crate::explain::urgency::{RowUrgencies, urgencies};
use crate::listing::{Align, Column, cell, display_width, mark};
use crate::model::gap::{Gap, GapKind};
use crate::model::observation::Observation;
use std::io::{self, Write};

/// Writes the rows with these numbers, in this order, optionally under a
/// heading.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    observation: &Observation,
    rows: &[u32],
    columns: &[Column],
    numeric: bool,
    heading: bool,
    words: &Catalogue,
    out: &mut dyn Write,
) -> io::Result<()> {
    let title_width = |column: &Column| display_width(words.column_title(column.key()));
    let mut widths: Vec<usize> = columns
        .iter()
        .map(|column| if heading { title_width(column) } else { 0 })
        .collect();
    let urgencies = if columns.contains(&Column::Mark) {
        urgencies(observation)
    } else {
        RowUrgencies::default()
    };
    let mut cells = Cells::default();
    for number in rows {
        let Some(row) = observation.rows.get(*number as usize) else {
            continue;
        };
        for (column, widest) in columns.iter().zip(&mut widths) {
            let text = match column {
                Column::Mark => mark(row, urgencies.of_row_number(*number)).into(),
                other => cell(*other, row, observation, numeric, words).text,
            };
            *widest = (*widest).max(display_width(&text));
            cells.push(&text);
        }
    }
    let titles = columns
        .iter()
        .map(|column| words.column_title(column.key()));
    if heading {
        write_line(titles, columns, &widths, out)?;
    }
    for line in 0..cells.count() / columns.len().max(1) {
        let first = line * columns.len();
        let texts = (first..first + columns.len()).map(|number| cells.get(number));
        write_line(texts, columns, &widths, out)?;
    }
    Ok(())
}

/// The texts of all cells in one piece of memory: a million small ones would
/// take several times as much.
#[derive(Default)]
struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    fn count(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, number: usize) -> &str {
        let end = self.ends.get(number).copied().unwrap_or(0);
        let before = number
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        self.text
            .get(before.copied().unwrap_or(0)..end)
            .unwrap_or_default()
    }
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
    for ((text, column), widest) in texts.zip(columns).zip(widths) {
        let padding = widest.saturating_sub(display_width(text));
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

/// Writes a line for each gap that would be missed.
///
/// # Errors
///
/// Those of the writer.
pub fn write_gaps(
    observation: &Observation,
    words: &Catalogue,
    out: &mut dyn Write,
) -> io::Result<()> {
    let owners_hidden = |gap: &Gap| gap.kind == GapKind::OwnersHidden;
    let hidden = observation.gaps.iter().any(owners_hidden);
    for gap in &observation.gaps {
        // Relevant only if a row lacks its owner because of it.
        if gap.kind.concerns_processes() && !hidden {
            continue;
        }
        let short = words.gap(gap.kind, "short");
        let short = render(short, |_| Some(format_thousands(gap.count))).unwrap_or_default();
        let reason = words.gap_reason(gap.reason);
        writeln!(out, "tcplens: {}", words.with_note(&short, reason))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::filter::test_world::world;

    #[test]
    fn columns_align_and_no_line_ends_in_blanks() {
        let world = world();
        let rows: Vec<u32> = (0..u32::try_from(world.rows.len()).unwrap()).collect();
        let columns = [Column::Process, Column::Pid, Column::Local, Column::Remote];
        let mut bytes = Vec::new();
        write(
            &world,
            &rows,
            &columns,
            false,
            true,
            Catalogue::of(Language::English),
            &mut bytes,
        )
        .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), rows.len() + 1);
        let local = lines[0].find("LOCAL").unwrap();
        for line in &lines {
            assert_eq!(line.trim_end(), *line);
            // Every character here takes one cell, though some several bytes.
            let before: String = line.chars().take(local).collect();
            assert!(before.ends_with("  "), "{text}");
            assert!(
                !line.chars().nth(local).is_some_and(char::is_whitespace),
                "{text}"
            );
        }
    }
}
