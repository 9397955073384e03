//! Compares the listeners with the baseline that the user saved.

use super::active_findings::{ActiveFindings, SocketHolder, TriggerLevel};
use crate::model::baseline::{Baseline, Listener};
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity, UnknownHolder};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Time that a restarted service may be absent.
const RESTART_GRACE: Duration = Duration::from_secs(5);

/// The baseline and the findings against it.
pub(super) struct BaselineChecker {
    baseline: Baseline,
    unlisted: ActiveFindings<Listener>,
    missing: ActiveFindings<Listener>,
    /// Time since which each has been absent.
    absent_since: BTreeMap<Listener, Timestamp>,
}

impl BaselineChecker {
    pub(super) fn new(baseline: Baseline) -> Self {
        Self {
            baseline,
            unlisted: ActiveFindings::default(),
            missing: ActiveFindings::default(),
            absent_since: BTreeMap::new(),
        }
    }

    /// Evaluates a table.
    pub(super) fn evaluate(
        &mut self,
        observation: &Observation,
        now: Timestamp,
        clearing: Duration,
    ) -> Vec<Finding> {
        let present = current_listeners(observation);
        for (listener, found) in &present {
            if !self.baseline.contains(listener) {
                let level = TriggerLevel::Raise(
                    Severity::Warning,
                    Evidence::NotInBaseline(listener.clone()),
                );
                self.unlisted.update(listener.clone(), found, level, now);
            }
        }
        for wanted in &self.baseline.listeners {
            if present.keys().any(|listener| wanted.matches(listener)) {
                self.absent_since.remove(wanted);
                // It is back for certain.
                self.missing
                    .update(wanted.clone(), None, TriggerLevel::Suppress, now);
                continue;
            }
            let since = *self.absent_since.entry(wanted.clone()).or_insert(now);
            if since.age(now) >= RESTART_GRACE {
                let level =
                    TriggerLevel::Raise(Severity::Info, Evidence::MissingListener(wanted.clone()));
                self.missing.update(wanted.clone(), None, level, now);
            }
        }
        let mut findings = self.unlisted.finish_round(now, clearing);
        findings.extend(self.missing.finish_round(now, clearing));
        findings
    }
}

/// A present holder of a listener, as far as it is known.
struct Found {
    process: Option<Arc<Process>>,
    unseen: Option<UnknownHolder>,
}

impl<'a> From<&'a Found> for SocketHolder<'a> {
    fn from(found: &'a Found) -> Self {
        SocketHolder {
            process: found.process.as_ref(),
            unknown: found.unseen,
            ..SocketHolder::default()
        }
    }
}

/// Who listens, without those whose program is still being looked for: they
/// might be meant to or not.
fn current_listeners(observation: &Observation) -> BTreeMap<Listener, Found> {
    let rows = observation.rows.iter();
    rows.filter(|row| !row.owners.is_pending())
        .filter_map(|row| {
            let listener = Listener::from_row(row, observation)?;
            let process = observation.first_owner(row).cloned();
            let unseen = UnknownHolder::from_row(row).filter(|_| process.is_none());
            Some((listener, Found { process, unseen }))
        })
        .collect()
}

/// The rows of listeners that are not in the baseline.
pub(super) fn unlisted_rows(found: &[Finding], observation: &Observation) -> Vec<usize> {
    let unlisted: BTreeSet<&Listener> = found
        .iter()
        .filter_map(|finding| match &finding.evidence {
            Evidence::NotInBaseline(listener) => Some(listener),
            _ => None,
        })
        .collect();
    if unlisted.is_empty() {
        return Vec::new();
    }
    let rows = observation.rows.iter().enumerate();
    rows.filter(|(_, row)| {
        let listener = Listener::from_row(row, observation);
        listener.is_some_and(|listener| unlisted.contains(&listener))
    })
    .map(|(place, _)| place)
    .collect()
}
