//! Explains one socket from its own evidence: state, reason, next actor, and
//! advice.

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
    /// Urgency of the advice.
    pub urgency: Urgency,
    /// The state and its duration.
    pub headline: String,
    /// Reason for the state, from its own evidence.
    pub sentences: Vec<String>,
    /// Advice, without a heading, the most useful first: at most three items,
    /// and none for a closed row.
    pub next: Vec<String>,
    /// Next actor.
    pub waits_for: String,
    /// True if the next actor follows from its own evidence, and not from the
    /// state alone.
    pub waits_unusually: bool,
    /// Reason for a missing owner.
    pub unowned: Option<String>,
    /// True if the sentences already include that reason.
    pub unowned_is_said: bool,
    /// In the lab, the maximum duration of this state on the host, where the
    /// lab extends it.
    pub outside: Option<String>,
    /// An `ss` command that shows the same socket; empty if there is none,
    /// because its network namespace cannot be entered.
    pub same_as: String,
}

impl Diagnosis {
    /// Returns the headline with its urgency in front, if urgent, and the
    /// number of bytes of that prefix.
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

/// Explains a row of the lab, which extends states; `outside` are the limits of
/// the host.
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
    // The selection does not depend on the language.
    let case = Case::new(row, observation, Catalogue::of(Language::English));
    urgency_of(&case)
}

/// Returns the urgency of one row of many.
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
        // The socket no longer exists: nothing of the following would be true
        // of it.
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
    said.extend(case.opened_by());
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

/// Returns the sentences with their names. A sentence with an unknown
/// placeholder is dropped.
fn sentences(case: &Case<'_>, choice: &Choice) -> Vec<(&'static str, String)> {
    told(case, &choice.sentences)
}

/// Returns the advice with its names.
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
