//! Settings: what a person wrote down once, so that it need not be said again.
//!
//! Only this room reads the file. Below it there are typed values: thresholds,
//! rules, mutes, a baseline. The parsers are pure; [`mod@file`] alone touches the
//! disk.
//!
//! A mistake in the file is never passed over: watching by other rules than those
//! a person believes in force is worse than not watching. So every mistake is
//! told at once, each with its place, and nothing is done. Only a key that is not
//! known is a warning: it may be of a newer version.

pub mod baseline;
mod error;
pub mod example;
pub mod file;
mod mutes;
mod notes;
mod rules;
mod section;
pub mod show;
mod thresholds;

use crate::explain::language::Language;
use crate::model::event::EventsChoice;
use crate::model::mute::Mute;
use crate::monitor::{Thresholds, UserRule};
pub use error::shown;
use notes::Notes;
pub use notes::{Mistake, Mistakes};
use section::Section;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::de::DeTable;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Nothing may be done to a process or a connection.
    pub read_only: bool,
    /// The language of all words, where one is chosen.
    pub language: Option<Language>,
    /// The terminal's bell rings once when an alarm begins.
    pub bell: bool,
    /// Whether the kernel's events are read between tables.
    pub events: EventsChoice,
    /// Where the listeners that are meant to be there are written down; relative
    /// to the folder of the settings.
    pub baseline: Option<PathBuf>,
    /// The limits of the rules.
    pub thresholds: Thresholds,
    /// What is not told as news.
    pub mutes: Vec<Mute>,
    /// Rules of a person's own.
    pub rules: Vec<UserRule>,
    /// Which of these the file says, by name, and in which line.
    pub said: BTreeMap<String, usize>,
}

/// What a text of settings comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The settings.
    pub settings: Settings,
    /// Keys that are not known.
    pub warnings: Vec<Mistake>,
}

/// Reads a text of settings.
///
/// # Errors
///
/// Every mistake in it, in the order of the text.
pub fn parse(text: &str) -> Result<Parsed, Mistakes> {
    let mut notes = Notes::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        notes.wrong(error.span().unwrap_or(0..0), error.message());
    }
    if !errors.is_empty() {
        // What else is wrong may only follow from these.
        return Err(notes.into_mistakes());
    }
    let settings = settings(root.get_ref(), &mut notes);
    notes.into_result(settings)
}

fn settings(root: &DeTable<'_>, notes: &mut Notes<'_>) -> Settings {
    let mut top = Section::new(root, "");
    let usual = Settings::default();
    let read_only = top.flag("read_only", notes).unwrap_or(usual.read_only);
    let bell = top.flag("bell", notes).unwrap_or(usual.bell);
    let language = top.language("language", notes);
    let events = top
        .word("events", &EventsChoice::ALL, notes)
        .unwrap_or(usual.events);
    let baseline = top.path("baseline", notes);
    let mut thresholds = usual.thresholds;
    if let Some(mut section) = top.table("thresholds", notes) {
        thresholds::read(&mut section, &mut thresholds, notes);
        top.take_said(section.finish(notes));
    }
    let mut rules = Vec::new();
    for mut section in top.tables("rule", notes) {
        if rules.len() >= rules::MOST {
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
        said: top.finish(notes),
    }
}

#[cfg(test)]
mod tests;
