//! Explains one socket from its own evidence: state, reason, next actor, and
//! advice.

mod context;
mod holders;
mod ss_command;
#[cfg(test)]
mod tests;

use super::catalogue::{Catalogue, Language};
use super::selection::{Selection, select};
use super::similar::SimilarIndex;
use super::template::render;
pub use super::urgency::Urgency;
use crate::model::limits::Limits;
use crate::model::observation::Observation;
use crate::model::owner::NoOwnerReason;
use crate::model::row::{Phase, Row};
use context::DiagnosisContext;
use ss_command::ss_command;

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
    pub advice: Vec<String>,
    /// Next actor.
    pub waits_for: String,
    /// True if the next actor follows from its own evidence, and not from the
    /// state alone.
    pub waits_for_is_specific: bool,
    /// Reason for a missing owner.
    pub no_owner_reason: Option<String>,
    /// True if the sentences already include that reason.
    pub reason_in_sentences: bool,
    /// In the lab, the maximum duration of this state on the host, where the
    /// lab extends it.
    pub host_duration: Option<String>,
    /// An `ss` command that shows the same socket; empty if there is none,
    /// because its network namespace cannot be entered.
    pub ss_command: String,
}

impl Diagnosis {
    /// Returns the headline with its urgency in front, if urgent, and the
    /// number of bytes of that prefix.
    #[must_use]
    pub fn headline_with_urgency(&self, words: &Catalogue) -> (String, usize) {
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
    explain(&DiagnosisContext::new(row, observation, words))
}

/// Explains a row of the lab, which extends states; `host_duration` are the limits of
/// the host.
#[must_use]
pub fn diagnose_in_lab(
    row: &Row,
    observation: &Observation,
    outside: &Limits,
    words: &Catalogue,
) -> Diagnosis {
    explain(&DiagnosisContext::new(row, observation, words).in_lab(outside))
}

/// The urgency of one row.
#[must_use]
pub fn urgency(row: &Row, observation: &Observation) -> Urgency {
    // The selection does not depend on the language.
    let case = DiagnosisContext::new(row, observation, Catalogue::of(Language::English));
    urgency_of(&case)
}

/// Returns the urgency of one row of many.
pub(super) fn urgency_with_relations(
    row: &Row,
    observation: &Observation,
    siblings: &SimilarIndex<'_>,
) -> Urgency {
    let words = Catalogue::of(Language::English);
    urgency_of(&DiagnosisContext::with_relations(
        row,
        observation,
        siblings.of(row),
        words,
    ))
}

fn urgency_of(case: &DiagnosisContext<'_>) -> Urgency {
    if case.row.phase == Phase::Closed {
        return Urgency::Normal;
    }
    select(&case.facts()).urgency
}

fn explain(case: &DiagnosisContext<'_>) -> Diagnosis {
    let (row, observation, words) = (case.row, case.observation, case.words);
    if row.phase == Phase::Closed {
        // The socket no longer exists: nothing of the following would be true
        // of it.
        return Diagnosis {
            urgency: Urgency::Normal,
            headline: case.headline(),
            sentences: vec![words.diagnosis("words", "closed").to_owned()],
            advice: Vec::new(),
            waits_for: String::new(),
            waits_for_is_specific: false,
            no_owner_reason: None,
            reason_in_sentences: true,
            host_duration: None,
            ss_command: ss_command(row, observation),
        };
    }
    let choice = select(&case.facts());
    let mut said = sentences(case, &choice);
    said.extend(case.lab_note());
    said.extend(case.proxy_note());
    said.extend(case.opened_by());
    let texts = |said: Vec<(&str, String)>| said.into_iter().map(|(_, text)| text).collect();
    Diagnosis {
        urgency: choice.urgency,
        headline: case.headline(),
        sentences: texts(said),
        advice: texts(advice(case, &choice)),
        waits_for: case.waits_for(choice.waits_on),
        waits_for_is_specific: choice.waits_on.is_some(),
        no_owner_reason: case.no_owner_text(),
        reason_in_sentences: matches!(
            row.no_owner_reason,
            Some(NoOwnerReason::TimeWait | NoOwnerReason::Orphan | NoOwnerReason::AcceptQueue)
        ),
        host_duration: case.host_duration(),
        ss_command: ss_command(row, observation),
    }
}

/// Returns the sentences with their names. A sentence with an unknown
/// placeholder is dropped.
fn sentences(case: &DiagnosisContext<'_>, choice: &Selection) -> Vec<(&'static str, String)> {
    render_all(case, &choice.sentences)
}

/// Returns the advice with its names.
fn advice(case: &DiagnosisContext<'_>, choice: &Selection) -> Vec<(&'static str, String)> {
    render_all(case, &choice.advice)
}

fn render_all(case: &DiagnosisContext<'_>, names: &[&'static str]) -> Vec<(&'static str, String)> {
    let say = |name| render(case.sentence(name), |place| case.value(place));
    names
        .iter()
        .filter_map(|name| Some((*name, say(name)?)))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}
