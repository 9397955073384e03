//! Mutes: `[[mute]]`.

use super::notes::Notes;
use super::section::Section;
use crate::model::finding::Rule;
use crate::model::mute::{Mute, RuleName};
use crate::model::text::Text;
use crate::monitor::UserRule;

/// Reads one; `rules` are the user's own.
pub(super) fn read(
    section: &mut Section<'_, '_>,
    rules: &[UserRule],
    notes: &mut Notes<'_>,
) -> Option<Mute> {
    let rule = rule(section, rules, notes);
    let program = section.text("program", notes).map(|(path, at)| {
        if !path.starts_with('/') {
            notes.wrong(at, "program must be the whole path of a program file");
        }
        Text::from(path)
    });
    Some(Mute {
        rule: rule?,
        program,
    })
}

fn rule(
    section: &mut Section<'_, '_>,
    rules: &[UserRule],
    notes: &mut Notes<'_>,
) -> Option<RuleName> {
    if !section.has("rule") {
        notes.wrong(section.place(), "this mute has no rule");
    }
    let (word, at) = section.text("rule", notes)?;
    if let Some(rule) = Rule::from_key(word).filter(|rule| *rule != Rule::UserRule) {
        return Some(RuleName::Own(rule));
    }
    let text = Text::from(word);
    if rules.iter().any(|rule| rule.name == text) {
        return Some(RuleName::Theirs(text));
    }
    let known = Rule::ALL.iter().map(|rule| rule.key());
    let known: Vec<&str> = known
        .chain(rules.iter().map(|rule| rule.name.as_str()))
        .collect();
    let message = format!("no rule is called '{text}'");
    let message = notes.suggested(message, word, known);
    notes.wrong(at, message);
    None
}
