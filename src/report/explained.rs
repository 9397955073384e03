//! Explanations of single sockets as plain text: the text below the live table
//! for the selected row, in full.

use crate::explain::catalogue::Catalogue;
use crate::explain::diagnosis::{Diagnosis, diagnose};
use crate::explain::sentence::{fill, grouped};
use crate::listing::{Column, cell, wrap};
use crate::model::observation::Observation;
use crate::model::row::Row;
use std::io::{self, Write};

/// Largest number of sockets explained at once.
pub const MOST: usize = 20;

/// Indentation of everything but the title.
const INDENT: &str = "  ";

/// Explains the first [`MOST`] of the rows with these numbers, in this order,
/// in lines of `width` cells.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    observation: &Observation,
    rows: &[u32],
    numeric: bool,
    words: &Catalogue,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (number, row) in rows.iter().take(MOST).enumerate() {
        let Some(row) = observation.rows.get(*row as usize) else {
            continue;
        };
        if number > 0 {
            writeln!(out)?;
        }
        // Neither this nor the command is ever broken: both may be copied.
        writeln!(out, "{}", title(row, observation, numeric, words))?;
        explanation(&diagnose(row, observation, words), words, width, out)?;
    }
    let more = rows.len().saturating_sub(MOST);
    if more > 0 {
        let count = grouped(u64::try_from(more).unwrap_or(u64::MAX));
        let sentence = words.screen("explained", "more");
        let said = fill(sentence, |_| Some(count.clone())).unwrap_or_default();
        writeln!(out, "\n{said}")?;
    }
    Ok(())
}

/// Writes a separate line, wrapped to `width` cells.
///
/// # Errors
///
/// Those of the writer.
pub fn line(text: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    for piece in wrap(text, width.max(20)) {
        writeln!(out, "{piece}")?;
    }
    Ok(())
}

/// Title of a socket: its owner and endpoints.
fn title(row: &Row, observation: &Observation, numeric: bool, words: &Catalogue) -> String {
    let text = |column| {
        cell(column, row, observation, numeric, words)
            .text
            .to_string()
    };
    let owner = || {
        let name = text(Column::Process);
        let sentence = words.screen("explained", "owner");
        let named = fill(sentence, |place| match place {
            "name" => Some(name.clone()),
            "pid" => Some(observation.first_owner(row)?.pid.to_string()),
            _ => None,
        });
        named.unwrap_or(name)
    };
    let name = match row.socket.peer() {
        Some(_) => "title",
        None => "title_bare",
    };
    fill(words.screen("explained", name), |place| {
        Some(match place {
            "process" => owner(),
            "proto" => text(Column::Proto),
            "local" => text(Column::Local),
            "remote" => text(Column::Remote),
            _ => return None,
        })
    })
    .unwrap_or_default()
}

/// Writes urgency, reasons, advice, and the equivalent command: a paragraph
/// each.
fn explanation(
    diagnosis: &Diagnosis,
    words: &Catalogue,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (headline, _) = diagnosis.marked_headline(words);
    paragraph(&words.aside(&headline, &diagnosis.waits_for), width, out)?;
    let unowned = diagnosis.unowned.iter();
    let why: Vec<&String> = diagnosis
        .sentences
        .iter()
        .chain(unowned.filter(|_| !diagnosis.unowned_is_said))
        .collect();
    paragraph(&words.sentences(&why), width, out)?;
    for (number, to_do) in diagnosis.next.iter().enumerate() {
        let heading = if number == 0 { "next" } else { "then" };
        let text = format!("{}{to_do}", words.diagnosis("join", heading));
        paragraph(&text, width, out)?;
    }
    if diagnosis.same_as.is_empty() {
        return Ok(());
    }
    let see = words.screen("explained", "same");
    writeln!(out, "{INDENT}{see}{}", diagnosis.same_as)
}

fn paragraph(text: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    for line in wrap(text, width.saturating_sub(INDENT.len()).max(20)) {
        writeln!(out, "{INDENT}{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::filter::sample::{CURL_CONNECTS, NGINX, SSH_LISTENS, world};

    fn told(rows: &[u32], language: Language) -> String {
        let mut bytes = Vec::new();
        let words = Catalogue::of(language);
        write(&world(), rows, false, words, 80, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_has_its_title_its_reason_its_advice_and_its_command() {
        for language in [Language::English, Language::Chinese] {
            let text = told(&[SSH_LISTENS, NGINX, CURL_CONNECTS], language);
            let parts: Vec<&str> = text.split("\n\n").collect();
            assert_eq!(parts.len(), 3, "{text}");
            let next = Catalogue::of(language).diagnosis("join", "next").trim_end();
            for part in parts {
                let lines: Vec<&str> = part.lines().collect();
                assert!(!lines[0].starts_with(' ') && lines.len() >= 5, "{text}");
                assert!(lines[1..].iter().all(|line| line.starts_with("  ")));
                assert!(part.contains(next) && part.contains("ss -"), "{text}");
            }
            assert!(!text.contains('{') && !text.contains('}'), "{text}");
            assert!(text.contains(" → ") && text.contains("SYN_SENT"), "{text}");
        }
    }

    #[test]
    fn beyond_twenty_they_are_only_counted() {
        let many = vec![NGINX; 1520];
        let text = told(&many, Language::English);
        assert_eq!(text.matches("ss -").count(), MOST);
        assert!(text.ends_with(&format!("\n… and {} more\n", grouped(1500))));
    }
}
