//! Translation of the command line: help, errors and answers are written in
//! English where they arise, and translated at the edge.
//!
//! A phrase is a whole text, or a text with placeholders that stand for
//! anything on the same line. A whole text that fits goes first, then the first
//! phrase of the file.

use super::template::render;
use serde::Deserialize;
use std::sync::OnceLock;

/// Placeholders that may contain a message of ours.
const NESTED_PLACEHOLDERS: [&str; 6] = ["message", "error", "reason", "tun", "packet", "kind"];

/// The phrases of one language.
#[derive(Debug, Default, Deserialize)]
pub(super) struct CliTranslation {
    #[serde(default)]
    phrase: Vec<Phrase>,
}

#[derive(Debug, Deserialize)]
struct Phrase {
    en: String,
    zh: String,
}

impl CliTranslation {
    /// Returns the Chinese one.
    pub(super) fn chinese() -> &'static Self {
        static READ: OnceLock<CliTranslation> = OnceLock::new();
        let text = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/assets/explain/zh/phrases.toml"
        ));
        READ.get_or_init(|| toml::from_str(text).unwrap_or_default())
    }

    /// Translates a message of one line or several. Unknown text stays as it
    /// is; so do lines of a user's file, which have carets below them.
    pub(super) fn message(&self, english: &str) -> String {
        if let Some(whole) = self.find(english) {
            return whole;
        }
        let lines: Vec<&str> = english.lines().collect();
        let is_carets = |line: &&str| {
            let signs = line.trim();
            !signs.is_empty() && signs.chars().all(|sign| sign == '^')
        };
        let told: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(number, line)| {
                let quoted = lines.get(number + 1).is_some_and(is_carets) || is_carets(line);
                let found = (!quoted).then(|| self.find(line)).flatten();
                found.unwrap_or_else(|| (*line).to_owned())
            })
            .collect();
        told.join("\n")
    }

    /// Translates a help page: its paragraphs, then the last column of each
    /// line.
    pub(super) fn help(&self, english: &str) -> String {
        let mut text = english.to_owned();
        for phrase in self.phrase.iter().filter(|phrase| phrase.en.contains('\n')) {
            text = text.replace(phrase.en.trim_end(), phrase.zh.trim_end());
        }
        let lines: Vec<String> = text.lines().map(|line| self.help_line(line)).collect();
        lines.join("\n") + "\n"
    }

    fn help_line(&self, line: &str) -> String {
        if let Some(whole) = self.find(line) {
            return whole;
        }
        let behind = line.rfind("  ").map_or(0, |place| place + 2);
        let (head, text) = line.split_at(behind);
        let (text, values) = match text.find(" [possible values: ") {
            Some(place) => text.split_at(place),
            None => (text, ""),
        };
        let usage = text.strip_prefix("Usage: ");
        let said = match usage {
            Some(words) => self.find("Usage:").map(|usage| format!("{usage} {words}")),
            None => self.find(text),
        };
        let values_said = self.find(values.trim_start());
        let said = said.unwrap_or_else(|| text.to_owned());
        match values_said {
            Some(values) => format!("{head}{said} {values}"),
            None => format!("{head}{said}{values}"),
        }
    }

    fn find(&self, english: &str) -> Option<String> {
        let whole = self.phrase.iter().find(|phrase| phrase.en == english);
        if let Some(phrase) = whole {
            return Some(phrase.zh.clone());
        }
        self.phrase.iter().find_map(|phrase| {
            let captured = capture(&phrase.en, english)?;
            render(&phrase.zh, |place| {
                let (_, value) = captured.iter().find(|(name, _)| *name == place)?;
                // A message within a message is one of ours, too, and shorter,
                // so this ends. All else is text of a user or the system.
                let ours = NESTED_PLACEHOLDERS.contains(&place) && value.len() < english.len();
                let deeper = ours.then(|| self.find(value)).flatten();
                Some(deeper.unwrap_or_else(|| (*value).to_owned()))
            })
        })
    }
}

/// Returns the values of a template's placeholders, if a text fits it. Each
/// takes as little as it can, and no line break.
fn capture<'a>(template: &'a str, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let (before, mut rest_of_template) = template.split_once('{')?;
    let mut rest = text.strip_prefix(before)?;
    let mut captured = Vec::new();
    loop {
        let (name, behind) = rest_of_template.split_once('}')?;
        let (literal, next) = match behind.split_once('{') {
            Some((literal, next)) => (literal, Some(next)),
            None => (behind, None),
        };
        let end = match (next, literal.is_empty()) {
            (None, true) => rest.len(),
            // The last piece must reach the end.
            (None, false) => rest.strip_suffix(literal)?.len(),
            (Some(_), _) => rest.find(literal)?,
        };
        let (value, after) = rest.split_at(end);
        if value.contains('\n') {
            return None;
        }
        captured.push((name, value));
        rest = after.strip_prefix(literal)?;
        match next {
            Some(next) => rest_of_template = next,
            None => return rest.is_empty().then_some(captured),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::placeholders;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn templates_capture_placeholders() {
        let fits = |template, text| capture(template, text);
        assert_eq!(
            fits("unknown {what} '{word}'", "unknown state 'x'"),
            Some(vec![("what", "state"), ("word", "x")])
        );
        assert_eq!(fits("unknown {what}!", "known x!"), None);
        assert_eq!(
            fits("{a}: {b}", "x: y: z"),
            Some(vec![("a", "x"), ("b", "y: z")])
        );
        assert_eq!(fits("no places", "no places"), None);
        assert_eq!(fits("a {b}", "a x\ny"), None);
        assert_eq!(fits("{a} of {b} left", "1 of 2"), None);
    }

    #[test]
    fn every_phrase_is_whole() {
        let book = CliTranslation::chinese();
        assert!(book.phrase.len() > 200);
        let mut seen = BTreeSet::new();
        for phrase in &book.phrase {
            assert!(seen.insert(&phrase.en), "twice: {}", phrase.en);
            // Examples contain braces of filters and settings.
            if phrase.en.contains('\n') {
                continue;
            }
            let sorted = |text| placeholders(text).into_iter().collect::<BTreeSet<_>>();
            assert_eq!(sorted(&phrase.en), sorted(&phrase.zh), "{}", phrase.en);
        }
    }

    #[test]
    fn what_a_person_wrote_stays_as_it_is() {
        let book = CliTranslation::chinese();
        let said = book.message(
            "unknown state `lisen` at column 7; did you mean `listen`?\nonly TCP\n     ^^^",
        );
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines[0].contains("未知"), "{said}");
        assert_eq!(lines[1..], ["only TCP", "     ^^^"]);
        assert_eq!(book.message("no phrase at all"), "no phrase at all");
        // A word that happens to be a phrase.
        assert!(book.find("Only TCP").is_some());
        let said = book.message("unknown state 'Only TCP'; 'tcplens explain' lists what there is");
        assert!(
            said.contains("'Only TCP'") && said.contains("未知"),
            "{said}"
        );
    }
}
