//! Explanations of single sockets as plain text: the text below the live table
//! for the selected row, in full.

use crate::explain::catalogue::Catalogue;
use crate::explain::diagnosis::{Diagnosis, diagnose};
use crate::explain::template::{format_thousands, render};
use crate::listing::{Column, cell, wrap};
use crate::model::observation::Observation;
use crate::model::row::Row;
use std::io::{self, Write};

/// Largest number of sockets explained at once.
pub const MAX_EXPLAINED: usize = 20;

/// Indentation of everything but the title.
const INDENT: &str = "  ";

/// Explains the first [`MAX_EXPLAINED`] of the rows with these numbers, in this order,
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
    for (number, row) in rows.iter().take(MAX_EXPLAINED).enumerate() {
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
    let more = rows.len().saturating_sub(MAX_EXPLAINED);
    if more > 0 {
        let count = format_thousands(u64::try_from(more).unwrap_or(u64::MAX));
        let sentence = words.screen("explained", "more");
        let said = render(sentence, |_| Some(count.clone())).unwrap_or_default();
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
        let named = render(sentence, |place| match place {
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
    render(words.screen("explained", name), |place| {
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
    let (headline, _) = diagnosis.headline_with_urgency(words);
    paragraph(
        &words.with_note(&headline, &diagnosis.waits_for),
        width,
        out,
    )?;
    let unowned = diagnosis.no_owner_reason.iter();
    let why: Vec<&String> = diagnosis
        .sentences
        .iter()
        .chain(unowned.filter(|_| !diagnosis.reason_in_sentences))
        .collect();
    paragraph(&words.join_sentences(&why), width, out)?;
    for (number, to_do) in diagnosis.advice.iter().enumerate() {
        let heading = if number == 0 { "next" } else { "then" };
        let text = format!("{}{to_do}", words.diagnosis("join", heading));
        paragraph(&text, width, out)?;
    }
    if diagnosis.ss_command.is_empty() {
        return Ok(());
    }
    let see = words.screen("explained", "same");
    writeln!(out, "{INDENT}{see}{}", diagnosis.ss_command)
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
    use crate::filter::test_world::{CURL_SYN_SENT, NGINX_CONNECTION, SSH_LISTENER, world};

    fn told(rows: &[u32], language: Language) -> String {
        let mut bytes = Vec::new();
        let words = Catalogue::of(language);
        write(&world(), rows, false, words, 80, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_has_its_title_its_reason_its_advice_and_its_command() {
        for language in [Language::English, Language::Chinese] {
            let text = told(&[SSH_LISTENER, NGINX_CONNECTION, CURL_SYN_SENT], language);
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
        let many = vec![NGINX_CONNECTION; 1520];
        let text = told(&many, Language::English);
        assert_eq!(text.matches("ss -").count(), MAX_EXPLAINED);
        assert!(text.ends_with(&format!("\n… and {} more\n", format_thousands(1500))));
    }
}
