//! Available features, as plain text.

use crate::explain::ability::verdicts;
use crate::explain::catalogue::Catalogue;
use crate::explain::remedy::{Advice, advice};
use crate::listing::{Align, pad, wrap};
use crate::model::namespace::Scope;
use crate::model::observation::Observation;
use crate::model::powers::Means;
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
    means: &Means,
    words: &Catalogue,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let verdicts = verdicts(observation, means, Scope::All);
    let (name_at, text_at) = COLUMNS;
    let head = format!(
        "tcplens {} on {}, as uid {}",
        env!("CARGO_PKG_VERSION"),
        observation.host,
        means.powers.uid
    );
    writeln!(out, "{}\n", words.message(&head))?;
    for verdict in &verdicts {
        let mark = words.ability("standings", verdict.standing.key());
        let name = words.ability(verdict.ability.key(), "name");
        let gap = text_at - name_at;
        let head = pad(mark, name_at, Align::Left) + &pad(name, gap, Align::Left);
        wrapped(&verdict.sentence(words), &head, text_at, width, out)?;
    }
    for piece in advice(&verdicts, means, words) {
        match piece {
            Advice::Say(sentence) => {
                writeln!(out)?;
                wrapped(&sentence, "", 0, width, out)?;
            }
            // Never broken: it is to be copied.
            Advice::Type(line) => writeln!(out, "  {line}")?,
        }
    }
    Ok(())
}

fn wrapped(
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
