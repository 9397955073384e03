//! The user's own rules: `[[rule]]`.

use super::diagnostics::DiagnosticCollector;
use super::section::{Section, WithSpan};
use crate::explain::findings::user_rule_placeholders;
use crate::explain::template::{placeholders, render};
use crate::filter::{Filter, ParseError};
use crate::model::finding::{Rule, Severity};
use crate::model::text::Text;
use crate::monitor::{GroupBy, RuleLimit, UserRule};
use std::ops::Range;
use std::time::Duration;

/// Longest name, in characters: it begins a line of output.
const MAX_NAME_CHARS: usize = 40;
/// Longest filter and sentence, in bytes.
const MAX_TEXT_BYTES: usize = 1000;
/// Every rule looks at every row.
pub(super) const MAX_RULES: usize = 64;

const DEFAULT_GROWTH_WINDOW: Duration = Duration::from_mins(5);
const WINDOW_RANGE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_hours(24));

/// Reads one rule; `earlier` are those above it.
pub(super) fn read(
    section: &mut Section<'_, '_>,
    earlier: &[UserRule],
    notes: &mut DiagnosticCollector<'_>,
) -> Option<UserRule> {
    let name = name(section, earlier, notes);
    let filter = filter(section, notes);
    let per = GroupBy::ALL.map(|per| (per.word(), per));
    let per = section.word("per", &per, notes).unwrap_or(GroupBy::Total);
    let limit = limit(section, notes);
    let (_, longest) = WINDOW_RANGE;
    let hold = section.duration("for", Duration::ZERO..=longest, notes);
    let severities = [Severity::Info, Severity::Warning, Severity::Critical];
    let severities = severities.map(|severity| (severity.word(), severity));
    let severity = section.word("severity", &severities, notes);
    let grows = matches!(limit, Some(RuleLimit::Growth { .. }));
    let words = message_text(section, per, grows, notes);
    Some(UserRule {
        name: name?,
        filter: filter?,
        group_by: per,
        limit: limit?,
        min_duration: hold.unwrap_or(Duration::ZERO),
        severity: severity.unwrap_or(Severity::Warning),
        message: words,
    })
}

/// Reports the first rule beyond the limit.
pub(super) fn too_many(section: &Section<'_, '_>, notes: &mut DiagnosticCollector<'_>) {
    let message = format!("no more than {MAX_RULES} rules: each looks at every row of every table");
    notes.error(section.span(), message);
}

fn name(
    section: &mut Section<'_, '_>,
    earlier: &[UserRule],
    notes: &mut DiagnosticCollector<'_>,
) -> Option<Text> {
    let (name, at) = required_text(section, "name", notes)?;
    let count = name.chars().count();
    if name.trim().is_empty() || count > MAX_NAME_CHARS {
        notes.error(
            at,
            format!("name must have 1 to {MAX_NAME_CHARS} characters"),
        );
        return None;
    }
    let text = Text::from(name);
    if Rule::from_key(name).is_some() {
        notes.error(
            at,
            "one of the rules of tcplens is called that; choose another name",
        );
    } else if earlier.iter().any(|rule| rule.name == text) {
        notes.error(at, "a rule above is called that; choose another name");
    }
    Some(text)
}

fn required_text<'t>(
    section: &mut Section<'t, '_>,
    name: &'static str,
    notes: &mut DiagnosticCollector<'_>,
) -> Option<WithSpan<&'t str>> {
    if !section.has(name) {
        notes.error(section.span(), format!("this rule has no {name}"));
    }
    section.text(name, notes)
}

fn filter(section: &mut Section<'_, '_>, notes: &mut DiagnosticCollector<'_>) -> Option<Filter> {
    let (text, at) = required_text(section, "filter", notes)?;
    if text.len() > MAX_TEXT_BYTES {
        notes.error(
            at,
            format!("a filter may have up to {MAX_TEXT_BYTES} bytes"),
        );
        return None;
    }
    match Filter::parse(text) {
        Ok(filter) if filter.uses_urgency() => {
            let message = "a rule cannot ask for the urgency of sockets";
            notes.error(at, message.to_owned());
            None
        }
        Ok(filter) => Some(filter),
        Err(error) => {
            let at = locate_part(text, &error.span, at, notes.text());
            notes.error(at, message(&error));
            None
        }
    }
}

fn message(error: &ParseError) -> String {
    match &error.suggestion {
        Some(suggestion) => format!("{}; did you mean `{suggestion}`?", error.message),
        None => error.message.clone(),
    }
}

/// Returns the span of a part of a value in the file: exact if the value is
/// written literally, else that of the whole value.
fn locate_part(value: &str, part: &Range<usize>, at: Range<usize>, text: &str) -> Range<usize> {
    let written = text.get(at.clone()).unwrap_or_default();
    match written.find(value).filter(|_| !value.is_empty()) {
        Some(shift) => {
            let start = at.start + shift;
            start + part.start..start + part.end
        }
        None => at,
    }
}

fn limit(section: &mut Section<'_, '_>, notes: &mut DiagnosticCollector<'_>) -> Option<RuleLimit> {
    let (counts, grows) = (section.has("count"), section.has("growth"));
    let count = section.integer("count", 0..=10_000_000, notes);
    let by = section.integer("growth", 1..=10_000_000, notes);
    let (shortest, longest) = WINDOW_RANGE;
    let within = section.duration("within", shortest..=longest, notes);
    match (counts, grows) {
        (true, false) => {
            if within.is_some() {
                let message = "within belongs to growth; a count is one of each table";
                notes.error(section.span(), message);
            }
            count.map(RuleLimit::Count)
        }
        (false, true) => by.map(|by| RuleLimit::Growth {
            by,
            within: within.unwrap_or(DEFAULT_GROWTH_WINDOW),
        }),
        (true, true) => {
            let message = "a rule has a count or a growth, not both; write two rules";
            notes.error(section.span(), message);
            None
        }
        (false, false) => {
            let message = "this rule has no count (more than so many) and no growth (so many more)";
            notes.error(section.span(), message);
            None
        }
    }
}

fn message_text(
    section: &mut Section<'_, '_>,
    per: GroupBy,
    grows: bool,
    notes: &mut DiagnosticCollector<'_>,
) -> Option<Text> {
    let (text, at) = section.text("text", notes)?;
    if text.len() > MAX_TEXT_BYTES {
        notes.error(at, format!("a text may have up to {MAX_TEXT_BYTES} bytes"));
        return None;
    }
    let known = user_rule_placeholders(per, grows);
    for place in placeholders(text) {
        if !known.contains(&place) {
            let list: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
            let message = format!(
                "text has an unknown place {{{}}}; known here: {}",
                Text::from(place),
                list.join(" ")
            );
            let message = notes.with_suggestion(message, place, known.iter().copied());
            notes.error(at.clone(), message);
        }
    }
    if render(text, |_| Some(String::new())).is_none() {
        notes.error(at, "a { in text is never closed");
    }
    Some(Text::from(text))
}
