//! Compares the listeners with the baseline that the user saved.

use super::standing::{Holder, Level, Standing};
use crate::model::baseline::{Baseline, Listener};
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity, UnseenHolder};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::time::Stamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Time that a restarted service may be absent.
const AWAY: Duration = Duration::from_secs(5);

/// The baseline and the findings against it.
pub(super) struct AgainstBaseline {
    baseline: Baseline,
    unlisted: Standing<Listener>,
    missing: Standing<Listener>,
    /// Time since which each has been absent.
    away: BTreeMap<Listener, Stamp>,
}

impl AgainstBaseline {
    pub(super) fn new(baseline: Baseline) -> Self {
        Self {
            baseline,
            unlisted: Standing::default(),
            missing: Standing::default(),
            away: BTreeMap::new(),
        }
    }

    /// Evaluates a table.
    pub(super) fn judge(
        &mut self,
        observation: &Observation,
        now: Stamp,
        clearing: Duration,
    ) -> Vec<Finding> {
        let present = present(observation);
        for (listener, found) in &present {
            if !self.baseline.lists(listener) {
                let level = Level::Raise(Severity::Warn, Evidence::Unlisted(listener.clone()));
                self.unlisted.judge(listener.clone(), found, level, now);
            }
        }
        for wanted in &self.baseline.listeners {
            if present.keys().any(|listener| wanted.fits(listener)) {
                self.away.remove(wanted);
                // It is back for certain.
                self.missing
                    .judge(wanted.clone(), None, Level::Explained, now);
                continue;
            }
            let since = *self.away.entry(wanted.clone()).or_insert(now);
            if since.age(now) >= AWAY {
                let level = Level::Raise(Severity::Info, Evidence::Missing(wanted.clone()));
                self.missing.judge(wanted.clone(), None, level, now);
            }
        }
        let mut findings = self.unlisted.findings(now, clearing);
        findings.extend(self.missing.findings(now, clearing));
        findings
    }
}

/// A present holder of a listener, as far as it is known.
struct Found {
    process: Option<Arc<Process>>,
    unseen: Option<UnseenHolder>,
}

impl<'a> From<&'a Found> for Holder<'a> {
    fn from(found: &'a Found) -> Self {
        Holder {
            process: found.process.as_ref(),
            unseen: found.unseen,
            ..Holder::default()
        }
    }
}

/// Who listens, without those whose program is still being looked for: they
/// might be meant to or not.
fn present(observation: &Observation) -> BTreeMap<Listener, Found> {
    let rows = observation.rows.iter();
    rows.filter(|row| !row.owners.is_pending())
        .filter_map(|row| {
            let listener = Listener::of(row, observation)?;
            let process = observation.first_owner(row).cloned();
            let unseen = UnseenHolder::of(row).filter(|_| process.is_none());
            Some((listener, Found { process, unseen }))
        })
        .collect()
}

/// The rows of listeners that are not in the baseline.
pub(super) fn rows(found: &[Finding], observation: &Observation) -> Vec<usize> {
    let unlisted: BTreeSet<&Listener> = found
        .iter()
        .filter_map(|finding| match &finding.evidence {
            Evidence::Unlisted(listener) => Some(listener),
            _ => None,
        })
        .collect();
    if unlisted.is_empty() {
        return Vec::new();
    }
    let rows = observation.rows.iter().enumerate();
    rows.filter(|(_, row)| {
        let listener = Listener::of(row, observation);
        listener.is_some_and(|listener| unlisted.contains(&listener))
    })
    .map(|(place, _)| place)
    .collect()
}
