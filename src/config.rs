//! Persistent settings of the user.
//!
//! Only this module reads the file. It yields typed values: thresholds, rules,
//! mutes, a baseline. The parsers are pure; [`mod@file`] alone touches the
//! disk.
//!
//! A mistake in the file is never ignored: watching with rules other than the
//! user expects is worse than not watching. So all mistakes are reported at
//! once, each with its place, and nothing is done. Only an unknown key is a
//! warning: it may belong to a newer version.

pub mod baseline;
mod diagnostics;
mod error;
pub mod example;
pub mod file;
mod mutes;
mod rules;
mod section;
pub mod show;
mod thresholds;

use crate::explain::language::Language;
use crate::model::event::EventsMode;
use crate::model::mute::Mute;
use crate::monitor::{Thresholds, UserRule};
use diagnostics::DiagnosticCollector;
pub use diagnostics::{Diagnostic, Diagnostics};
pub use error::path_text;
use section::Section;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::de::DeTable;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Nothing may be done to a process or a connection.
    pub read_only: bool,
    /// Language of all messages, if one is chosen.
    pub language: Option<Language>,
    /// The terminal's bell rings once when an alarm begins.
    pub bell: bool,
    /// Mode of reading kernel events between tables.
    pub events: EventsMode,
    /// File with the baseline of expected listeners; relative to the folder of
    /// the settings.
    pub baseline: Option<PathBuf>,
    /// The limits of the rules.
    pub thresholds: Thresholds,
    /// Muted findings.
    pub mutes: Vec<Mute>,
    /// The user's own rules.
    pub rules: Vec<UserRule>,
    /// Names of the settings in the file, each with its line.
    pub defined_lines: BTreeMap<String, usize>,
}

/// Result of parsing the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedSettings {
    /// The settings.
    pub settings: Settings,
    /// Keys that are not known.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a text of settings.
///
/// # Errors
///
/// Every mistake in it, in the order of the text.
pub fn parse(text: &str) -> Result<ParsedSettings, Diagnostics> {
    let mut notes = DiagnosticCollector::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        notes.error(error.span().unwrap_or(0..0), error.message());
    }
    if !errors.is_empty() {
        // Other errors may only be consequences of these.
        return Err(notes.into_diagnostics());
    }
    let settings = settings(root.get_ref(), &mut notes);
    notes.into_result(settings)
}

fn settings(root: &DeTable<'_>, notes: &mut DiagnosticCollector<'_>) -> Settings {
    let mut top = Section::new(root, "");
    let usual = Settings::default();
    let read_only = top.boolean("read_only", notes).unwrap_or(usual.read_only);
    let bell = top.boolean("bell", notes).unwrap_or(usual.bell);
    let language = top.language("language", notes);
    let events = top
        .word("events", &EventsMode::ALL, notes)
        .unwrap_or(usual.events);
    let baseline = top.path("baseline", notes);
    let mut thresholds = usual.thresholds;
    if let Some(mut section) = top.table("thresholds", notes) {
        thresholds::read(&mut section, &mut thresholds, notes);
        top.merge_defined(section.finish(notes));
    }
    let mut rules = Vec::new();
    for mut section in top.tables("rule", notes) {
        if rules.len() >= rules::MAX_RULES {
            rules::too_many(&section, notes);
            break;
        }
        let rule = rules::read(&mut section, &rules, notes);
        rules.extend(rule);
        section.finish(notes);
    }
    let mut mutes = Vec::new();
    for mut section in top.tables("mute", notes) {
        mutes.extend(mutes::read(&mut section, &rules, notes));
        section.finish(notes);
    }
    Settings {
        read_only,
        language,
        bell,
        events,
        baseline,
        thresholds,
        mutes,
        rules,
        defined_lines: top.finish(notes),
    }
}

#[cfg(test)]
mod tests;
