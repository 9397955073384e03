//! The user's additions to the rules: own rules, a baseline of listeners, and
//! mutes.

use super::against_baseline::{self, AgainstBaseline};
use super::rank;
use super::user_rule::{Judge, UserRule};
use crate::model::baseline::Baseline;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};
use crate::model::mute::Mute;
use crate::model::observation::Observation;
use crate::model::time::Stamp;
use std::sync::Arc;
use std::time::Duration;

/// The user's additions to the rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    /// Own rules.
    pub rules: Vec<UserRule>,
    /// Expected listeners, if saved.
    pub baseline: Option<Baseline>,
    /// Findings to mute.
    pub mutes: Vec<Mute>,
}

/// The additions and their state.
pub(in crate::monitor) struct Personal {
    rules: Vec<Judge>,
    baseline: Option<AgainstBaseline>,
    mutes: Vec<Mute>,
}

impl Personal {
    pub(in crate::monitor) fn new(wishes: Wishes) -> Self {
        Self {
            rules: wishes.rules.into_iter().map(Judge::new).collect(),
            baseline: wishes.baseline.map(AgainstBaseline::new),
            mutes: wishes.mutes,
        }
    }

    /// Forgets active findings: the scope has changed.
    pub(in crate::monitor) fn restart(&mut self, wishes: Wishes) {
        let mutes = std::mem::take(&mut self.mutes);
        *self = Self::new(Wishes { mutes, ..wishes });
    }

    /// True if a rule needs `TCP_INFO` counters.
    pub(in crate::monitor) fn needs_flows(&self) -> bool {
        self.rules.iter().any(Judge::needs_flows)
    }

    /// Sets the muted findings.
    pub(in crate::monitor) fn set_mutes(&mut self, mutes: Vec<Mute>) {
        self.mutes = mutes;
    }

    /// Splits findings into those to report and those muted. With a baseline,
    /// new listeners are not reported by the time they appeared.
    pub(in crate::monitor) fn part(&self, findings: Vec<Finding>) -> (Vec<Finding>, Vec<Finding>) {
        let known = findings.into_iter();
        let known = known.filter(|finding| !self.is_outdone(finding)).collect();
        let (muted, told) = parted(&self.mutes, known);
        (told, muted)
    }

    fn is_outdone(&self, finding: &Finding) -> bool {
        let of_beginning = matches!(finding.evidence, Evidence::NewListener { .. });
        self.baseline.is_some() && of_beginning && finding.severity < Severity::Warn
    }

    /// Adds the findings of these rules to an observation.
    pub(in crate::monitor) fn judge(
        &mut self,
        observation: &mut Observation,
        now: Stamp,
        clearing: Duration,
    ) {
        for rule in &mut self.rules {
            let found = rule.judge(observation, now, clearing);
            let (muted, told) = parted(&self.mutes, found);
            let rows = rule.rows(&told, observation);
            add(observation, told, muted, &rows);
        }
        if let Some(baseline) = &mut self.baseline {
            let found = baseline.judge(observation, now, clearing);
            let (muted, told) = parted(&self.mutes, found);
            let rows = against_baseline::rows(&told, observation);
            add(observation, told, muted, &rows);
        }
        observation.findings.sort_by_key(rank);
        observation.muted.sort_by_key(rank);
    }
}

/// Returns the muted findings and those to report.
fn parted(mutes: &[Mute], found: Vec<Finding>) -> (Vec<Finding>, Vec<Finding>) {
    found
        .into_iter()
        .partition(|finding| mutes.iter().any(|mute| mute.covers(finding)))
}

/// Adds findings, and marks the rows of those to report.
fn add(observation: &mut Observation, told: Vec<Finding>, muted: Vec<Finding>, rows: &[usize]) {
    flag(observation, rows, &told);
    observation.findings.extend(told);
    observation.muted.extend(muted);
}

/// Marks the rows of findings.
fn flag(observation: &mut Observation, rows: &[usize], found: &[Finding]) {
    let gravest = found.iter().map(|finding| finding.severity).max();
    if rows.is_empty() {
        return;
    }
    // The rows were just made, and nothing else refers to them.
    let all = Arc::make_mut(&mut observation.rows);
    for place in rows {
        if let Some(row) = all.get_mut(*place) {
            row.flagged = row.flagged.max(gravest);
        }
    }
}
