//! The user's own rules: `[[rule]]`.

use super::notes::Notes;
use super::section::{Placed, Section};
use crate::explain::findings::own_places;
use crate::explain::sentence::{fill, places};
use crate::filter::{Filter, ParseError};
use crate::model::finding::{Rule, Severity};
use crate::model::text::Text;
use crate::monitor::{Per, RuleLimit, UserRule};
use std::ops::Range;
use std::time::Duration;

/// Longest name, in characters: it begins a line of output.
const LONGEST_NAME: usize = 40;
/// Longest filter and sentence, in bytes.
const LONGEST: usize = 1000;
/// Every rule looks at every row.
pub(super) const MOST: usize = 64;

const WITHIN: Duration = Duration::from_mins(5);
const WINDOWS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_hours(24));

/// Reads one rule; `earlier` are those above it.
pub(super) fn read(
    section: &mut Section<'_, '_>,
    earlier: &[UserRule],
    notes: &mut Notes<'_>,
) -> Option<UserRule> {
    let name = name(section, earlier, notes);
    let filter = filter(section, notes);
    let per = Per::ALL.map(|per| (per.word(), per));
    let per = section.word("per", &per, notes).unwrap_or(Per::Total);
    let limit = limit(section, notes);
    let (_, longest) = WINDOWS;
    let hold = section.length("for", Duration::ZERO..=longest, notes);
    let severities = [Severity::Info, Severity::Warn, Severity::Alarm];
    let severities = severities.map(|severity| (severity.word(), severity));
    let severity = section.word("severity", &severities, notes);
    let grows = matches!(limit, Some(RuleLimit::Growth { .. }));
    let words = words(section, per, grows, notes);
    Some(UserRule {
        name: name?,
        filter: filter?,
        per,
        limit: limit?,
        hold: hold.unwrap_or(Duration::ZERO),
        severity: severity.unwrap_or(Severity::Warn),
        words,
    })
}

/// Reports the first rule beyond the limit.
pub(super) fn too_many(section: &Section<'_, '_>, notes: &mut Notes<'_>) {
    let message = format!("no more than {MOST} rules: each looks at every row of every table");
    notes.wrong(section.place(), message);
}

fn name(
    section: &mut Section<'_, '_>,
    earlier: &[UserRule],
    notes: &mut Notes<'_>,
) -> Option<Text> {
    let (name, at) = needed(section, "name", notes)?;
    let count = name.chars().count();
    if name.trim().is_empty() || count > LONGEST_NAME {
        notes.wrong(at, format!("name must have 1 to {LONGEST_NAME} characters"));
        return None;
    }
    let text = Text::from(name);
    if Rule::from_key(name).is_some() {
        notes.wrong(
            at,
            "one of the rules of tcplens is called that; choose another name",
        );
    } else if earlier.iter().any(|rule| rule.name == text) {
        notes.wrong(at, "a rule above is called that; choose another name");
    }
    Some(text)
}

fn needed<'t>(
    section: &mut Section<'t, '_>,
    name: &'static str,
    notes: &mut Notes<'_>,
) -> Option<Placed<&'t str>> {
    if !section.has(name) {
        notes.wrong(section.place(), format!("this rule has no {name}"));
    }
    section.text(name, notes)
}

fn filter(section: &mut Section<'_, '_>, notes: &mut Notes<'_>) -> Option<Filter> {
    let (text, at) = needed(section, "filter", notes)?;
    if text.len() > LONGEST {
        notes.wrong(at, format!("a filter may have up to {LONGEST} bytes"));
        return None;
    }
    match Filter::parse(text) {
        Ok(filter) if filter.is_of_urgency() => {
            let message = "a rule cannot ask for the urgency of sockets";
            notes.wrong(at, message.to_owned());
            None
        }
        Ok(filter) => Some(filter),
        Err(error) => {
            let at = within(text, &error.span, at, notes.text());
            notes.wrong(at, message(&error));
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
fn within(value: &str, part: &Range<usize>, at: Range<usize>, text: &str) -> Range<usize> {
    let written = text.get(at.clone()).unwrap_or_default();
    match written.find(value).filter(|_| !value.is_empty()) {
        Some(shift) => {
            let start = at.start + shift;
            start + part.start..start + part.end
        }
        None => at,
    }
}

fn limit(section: &mut Section<'_, '_>, notes: &mut Notes<'_>) -> Option<RuleLimit> {
    let (counts, grows) = (section.has("count"), section.has("growth"));
    let count = section.whole("count", 0..=10_000_000, notes);
    let by = section.whole("growth", 1..=10_000_000, notes);
    let (shortest, longest) = WINDOWS;
    let within = section.length("within", shortest..=longest, notes);
    match (counts, grows) {
        (true, false) => {
            if within.is_some() {
                let message = "within belongs to growth; a count is one of each table";
                notes.wrong(section.place(), message);
            }
            count.map(RuleLimit::Count)
        }
        (false, true) => by.map(|by| RuleLimit::Growth {
            by,
            within: within.unwrap_or(WITHIN),
        }),
        (true, true) => {
            let message = "a rule has a count or a growth, not both; write two rules";
            notes.wrong(section.place(), message);
            None
        }
        (false, false) => {
            let message = "this rule has no count (more than so many) and no growth (so many more)";
            notes.wrong(section.place(), message);
            None
        }
    }
}

fn words(
    section: &mut Section<'_, '_>,
    per: Per,
    grows: bool,
    notes: &mut Notes<'_>,
) -> Option<Text> {
    let (text, at) = section.text("text", notes)?;
    if text.len() > LONGEST {
        notes.wrong(at, format!("a text may have up to {LONGEST} bytes"));
        return None;
    }
    let known = own_places(per, grows);
    for place in places(text) {
        if !known.contains(&place) {
            let list: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
            let message = format!(
                "text has an unknown place {{{}}}; known here: {}",
                Text::from(place),
                list.join(" ")
            );
            let message = notes.suggested(message, place, known.iter().copied());
            notes.wrong(at.clone(), message);
        }
    }
    if fill(text, |_| Some(String::new())).is_none() {
        notes.wrong(at, "a { in text is never closed");
    }
    Some(Text::from(text))
}
