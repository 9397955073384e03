//! Mutes: `[[mute]]`.

use super::diagnostics::DiagnosticCollector;
use super::section::Section;
use crate::model::finding::Rule;
use crate::model::mute::{Mute, RuleId};
use crate::model::text::Text;
use crate::monitor::UserRule;

/// Reads one; `rules` are the user's own.
pub(super) fn read(
    section: &mut Section<'_, '_>,
    rules: &[UserRule],
    notes: &mut DiagnosticCollector<'_>,
) -> Option<Mute> {
    let rule = rule(section, rules, notes);
    let program = section.text("program", notes).map(|(path, at)| {
        if !path.starts_with('/') {
            notes.error(at, "program must be the whole path of a program file");
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
    notes: &mut DiagnosticCollector<'_>,
) -> Option<RuleId> {
    if !section.has("rule") {
        notes.error(section.span(), "this mute has no rule");
    }
    let (word, at) = section.text("rule", notes)?;
    if let Some(rule) = Rule::from_key(word).filter(|rule| *rule != Rule::UserRule) {
        return Some(RuleId::Builtin(rule));
    }
    let text = Text::from(word);
    if rules.iter().any(|rule| rule.name == text) {
        return Some(RuleId::User(text));
    }
    let known = Rule::ALL.iter().map(|rule| rule.key());
    let known: Vec<&str> = known
        .chain(rules.iter().map(|rule| rule.name.as_str()))
        .collect();
    let message = format!("no rule is called '{text}'");
    let message = notes.with_suggestion(message, word, known);
    notes.error(at, message);
    None
}
