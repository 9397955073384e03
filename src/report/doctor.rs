//! Available features, as plain text.

use crate::explain::catalogue::Catalogue;
use crate::explain::features::feature_reports;
use crate::explain::fixes::{Fix, fixes};
use crate::listing::{Align, pad, wrap};
use crate::model::namespace::NamespaceScope;
use crate::model::observation::Observation;
use crate::model::privileges::ProbedCapabilities;
use std::io::{self, Write};

/// Columns of names and sentences.
const COLUMNS: (usize, usize) = (9, 27);

/// Writes the lines of each ability, then the remedies. The table must be one
/// of all network namespaces.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    observation: &Observation,
    means: &ProbedCapabilities,
    words: &Catalogue,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let verdicts = feature_reports(observation, means, NamespaceScope::All);
    let (name_at, text_at) = COLUMNS;
    let head = format!(
        "tcplens {} on {}, as uid {}",
        env!("CARGO_PKG_VERSION"),
        observation.host,
        means.privileges.uid
    );
    writeln!(out, "{}\n", words.translate_message(&head))?;
    for verdict in &verdicts {
        let mark = words.ability("standings", verdict.support.key());
        let name = words.ability(verdict.feature.key(), "name");
        let gap = text_at - name_at;
        let head = pad(mark, name_at, Align::Left) + &pad(name, gap, Align::Left);
        write_indented(&verdict.sentence(words), &head, text_at, width, out)?;
    }
    for piece in fixes(&verdicts, means, words) {
        match piece {
            Fix::Text(sentence) => {
                writeln!(out)?;
                write_indented(&sentence, "", 0, width, out)?;
            }
            // Never broken: it is to be copied.
            Fix::Command(line) => writeln!(out, "  {line}")?,
        }
    }
    Ok(())
}

fn write_indented(
    text: &str,
    head: &str,
    indent: usize,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut head = head.to_owned();
    for line in wrap(text, width.saturating_sub(indent).max(20)) {
        writeln!(out, "{}{line}", pad(&head, indent, Align::Left))?;
        head.clear();
    }
    Ok(())
}
