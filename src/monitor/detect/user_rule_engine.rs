//! The user's additions to the rules: own rules, a baseline of listeners, and
//! mutes.

use super::against_baseline::{self, BaselineChecker};
use super::sort_key;
use super::user_rule::{UserRule, UserRuleState};
use crate::model::baseline::Baseline;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};
use crate::model::mute::Mute;
use crate::model::observation::Observation;
use crate::model::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// The user's additions to the rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserRules {
    /// Own rules.
    pub rules: Vec<UserRule>,
    /// Expected listeners, if saved.
    pub baseline: Option<Baseline>,
    /// Findings to mute.
    pub mutes: Vec<Mute>,
}

/// The additions and their state.
pub(in crate::monitor) struct UserRuleEngine {
    rules: Vec<UserRuleState>,
    baseline: Option<BaselineChecker>,
    mutes: Vec<Mute>,
}

impl UserRuleEngine {
    pub(in crate::monitor) fn new(wishes: UserRules) -> Self {
        Self {
            rules: wishes.rules.into_iter().map(UserRuleState::new).collect(),
            baseline: wishes.baseline.map(BaselineChecker::new),
            mutes: wishes.mutes,
        }
    }

    /// Forgets active findings: the scope has changed.
    pub(in crate::monitor) fn reset(&mut self, wishes: UserRules) {
        let mutes = std::mem::take(&mut self.mutes);
        *self = Self::new(UserRules { mutes, ..wishes });
    }

    /// True if a rule needs `TCP_INFO` counters.
    pub(in crate::monitor) fn uses_tcp_metrics(&self) -> bool {
        self.rules.iter().any(UserRuleState::uses_tcp_metrics)
    }

    /// Sets the muted findings.
    pub(in crate::monitor) fn set_mutes(&mut self, mutes: Vec<Mute>) {
        self.mutes = mutes;
    }

    /// Splits findings into those to report and those muted. With a baseline,
    /// new listeners are not reported by the time they appeared.
    pub(in crate::monitor) fn split_muted(
        &self,
        findings: Vec<Finding>,
    ) -> (Vec<Finding>, Vec<Finding>) {
        let known = findings.into_iter();
        let known = known
            .filter(|finding| !self.is_superseded(finding))
            .collect();
        let (muted, told) = partition_muted(&self.mutes, known);
        (told, muted)
    }

    fn is_superseded(&self, finding: &Finding) -> bool {
        let of_beginning = matches!(finding.evidence, Evidence::NewListener { .. });
        self.baseline.is_some() && of_beginning && finding.severity < Severity::Warning
    }

    /// Adds the findings of these rules to an observation.
    pub(in crate::monitor) fn evaluate(
        &mut self,
        observation: &mut Observation,
        now: Timestamp,
        clearing: Duration,
    ) {
        for rule in &mut self.rules {
            let found = rule.evaluate(observation, now, clearing);
            let (muted, told) = partition_muted(&self.mutes, found);
            let rows = rule.rows_of_findings(&told, observation);
            add_findings(observation, told, muted, &rows);
        }
        if let Some(baseline) = &mut self.baseline {
            let found = baseline.evaluate(observation, now, clearing);
            let (muted, told) = partition_muted(&self.mutes, found);
            let rows = against_baseline::unlisted_rows(&told, observation);
            add_findings(observation, told, muted, &rows);
        }
        observation.findings.sort_by_key(sort_key);
        observation.muted.sort_by_key(sort_key);
    }
}

/// Returns the muted findings and those to report.
fn partition_muted(mutes: &[Mute], found: Vec<Finding>) -> (Vec<Finding>, Vec<Finding>) {
    found
        .into_iter()
        .partition(|finding| mutes.iter().any(|mute| mute.covers(finding)))
}

/// Adds findings, and marks the rows of those to report.
fn add_findings(
    observation: &mut Observation,
    told: Vec<Finding>,
    muted: Vec<Finding>,
    rows: &[usize],
) {
    set_row_severities(observation, rows, &told);
    observation.findings.extend(told);
    observation.muted.extend(muted);
}

/// Marks the rows of findings.
fn set_row_severities(observation: &mut Observation, rows: &[usize], found: &[Finding]) {
    let gravest = found.iter().map(|finding| finding.severity).max();
    if rows.is_empty() {
        return;
    }
    // The rows were just made, and nothing else refers to them.
    let all = Arc::make_mut(&mut observation.rows);
    for place in rows {
        if let Some(row) = all.get_mut(*place) {
            row.severity = row.severity.max(gravest);
        }
    }
}
