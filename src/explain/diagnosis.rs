//! Explains one socket from its own evidence: what it is in, why, who must act
//! next, and what to do.

mod case;
mod holders;
mod same;
#[cfg(test)]
mod tests;

use super::catalogue::{Catalogue, Language};
use super::pick::{Choice, pick};
use super::sentence::fill;
use super::siblings::Siblings;
pub use super::urgency::Urgency;
use crate::model::limits::Limits;
use crate::model::observation::Observation;
use crate::model::owner::Unowned;
use crate::model::row::{Phase, Row};
use case::Case;
use same::same_as;

/// The explanation of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Whether somebody should do something.
    pub urgency: Urgency,
    /// The state and for how long.
    pub headline: String,
    /// Why it is in it, from its own evidence.
    pub sentences: Vec<String>,
    /// What to do, without a heading, the most useful first: at most three
    /// things, and none for a row that has closed.
    pub next: Vec<String>,
    /// Who must act.
    pub waits_for: String,
    /// Whether that is told by its own evidence, and not by the state alone.
    pub waits_unusually: bool,
    /// Why nobody owns it, where nobody does.
    pub unowned: Option<String>,
    /// Whether that is said by the sentences already.
    pub unowned_is_said: bool,
    /// In the lab, how long it would be in this state at most outside, where the lab
    /// holds it longer.
    pub outside: Option<String>,
    /// An `ss` command that shows the same socket; empty where none would, because
    /// no way is known into its network namespace.
    pub same_as: String,
}

impl Diagnosis {
    /// The headline behind the word for how urgent it is, where it is at all,
    /// and how many bytes that word takes.
    #[must_use]
    pub fn marked_headline(&self, words: &Catalogue) -> (String, usize) {
        match self.urgency {
            Urgency::Normal => (self.headline.clone(), 0),
            urgency => {
                let word = words.diagnosis("urgency", urgency.key());
                (words.labelled(word, &self.headline), word.len())
            }
        }
    }
}

/// Explains a row of an observation.
#[must_use]
pub fn diagnose(row: &Row, observation: &Observation, words: &Catalogue) -> Diagnosis {
    explain(&Case::new(row, observation, words))
}

/// Explains a row of the lab, which keeps states for longer than the machine
/// around it, whose limits those `outside` are.
#[must_use]
pub fn diagnose_in_lab(
    row: &Row,
    observation: &Observation,
    outside: &Limits,
    words: &Catalogue,
) -> Diagnosis {
    explain(&Case::new(row, observation, words).in_lab(outside))
}

/// The urgency of one row.
#[must_use]
pub fn urgency(row: &Row, observation: &Observation) -> Urgency {
    // The choice does not depend on the language.
    let case = Case::new(row, observation, Catalogue::of(Language::English));
    urgency_of(&case)
}

/// The urgency of one row of many.
pub(super) fn urgency_among(
    row: &Row,
    observation: &Observation,
    siblings: &Siblings<'_>,
) -> Urgency {
    let words = Catalogue::of(Language::English);
    urgency_of(&Case::among(row, observation, siblings.of(row), words))
}

fn urgency_of(case: &Case<'_>) -> Urgency {
    if case.row.phase == Phase::Closed {
        return Urgency::Normal;
    }
    pick(&case.evidence()).urgency
}

fn explain(case: &Case<'_>) -> Diagnosis {
    let (row, observation, words) = (case.row, case.observation, case.words);
    if row.phase == Phase::Closed {
        // It is nowhere any more: nothing of what follows would be true of it.
        return Diagnosis {
            urgency: Urgency::Normal,
            headline: case.headline(),
            sentences: vec![words.diagnosis("words", "closed").to_owned()],
            next: Vec::new(),
            waits_for: String::new(),
            waits_unusually: false,
            unowned: None,
            unowned_is_said: true,
            outside: None,
            same_as: same_as(row, observation),
        };
    }
    let choice = pick(&case.evidence());
    let mut said = sentences(case, &choice);
    said.extend(case.held_by_lab());
    said.extend(case.stands_for());
    let texts = |said: Vec<(&str, String)>| said.into_iter().map(|(_, text)| text).collect();
    Diagnosis {
        urgency: choice.urgency,
        headline: case.headline(),
        sentences: texts(said),
        next: texts(next(case, &choice)),
        waits_for: case.waits_for(choice.who),
        waits_unusually: choice.who.is_some(),
        unowned: case.unowned(),
        unowned_is_said: matches!(
            row.unowned,
            Some(Unowned::TimeWait | Unowned::Orphan | Unowned::AcceptQueue)
        ),
        outside: case.outside(),
        same_as: same_as(row, observation),
    }
}

/// What is said, by name. A sentence with an unknown place falls out.
fn sentences(case: &Case<'_>, choice: &Choice) -> Vec<(&'static str, String)> {
    told(case, &choice.sentences)
}

/// What to do, by name.
fn next(case: &Case<'_>, choice: &Choice) -> Vec<(&'static str, String)> {
    told(case, &choice.next)
}

fn told(case: &Case<'_>, names: &[&'static str]) -> Vec<(&'static str, String)> {
    let say = |name| fill(case.sentence(name), |place| case.value(place));
    names
        .iter()
        .filter_map(|name| Some((*name, say(name)?)))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}
