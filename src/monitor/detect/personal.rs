//! What a person adds to the rules: rules of their own, a baseline of listeners,
//! and what they do not want to be told.

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

/// What a person adds to the rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    /// Rules of their own.
    pub rules: Vec<UserRule>,
    /// Who is meant to listen, if that was saved.
    pub baseline: Option<Baseline>,
    /// What stands apart.
    pub mutes: Vec<Mute>,
}

/// The wishes, and what is remembered to follow them.
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

    /// Forgets what stands: another part of the machine is watched.
    pub(in crate::monitor) fn restart(&mut self, wishes: Wishes) {
        let mutes = std::mem::take(&mut self.mutes);
        *self = Self::new(Wishes { mutes, ..wishes });
    }

    /// Whether a rule asks for what connections carry.
    pub(in crate::monitor) fn needs_flows(&self) -> bool {
        self.rules.iter().any(Judge::needs_flows)
    }

    /// From now on these are muted, and no others.
    pub(in crate::monitor) fn set_mutes(&mut self, mutes: Vec<Mute>) {
        self.mutes = mutes;
    }

    /// Parts findings into those to be told and those that are muted. A baseline
    /// knows better than "since watching began" who is new.
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

    /// Adds what these rules find in a table to what it was found to have.
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

/// The muted ones, and those to be told.
fn parted(mutes: &[Mute], found: Vec<Finding>) -> (Vec<Finding>, Vec<Finding>) {
    found
        .into_iter()
        .partition(|finding| mutes.iter().any(|mute| mute.covers(finding)))
}

/// Adds findings, and marks the rows of those to be told.
fn add(observation: &mut Observation, told: Vec<Finding>, muted: Vec<Finding>, rows: &[usize]) {
    flag(observation, rows, &told);
    observation.findings.extend(told);
    observation.muted.extend(muted);
}

/// Marks the rows that findings worth a look are about.
fn flag(observation: &mut Observation, rows: &[usize], found: &[Finding]) {
    let gravest = found.iter().map(|finding| finding.severity).max();
    if rows.is_empty() {
        return;
    }
    // The rows were just made, and nobody else has them.
    let all = Arc::make_mut(&mut observation.rows);
    for place in rows {
        if let Some(row) = all.get_mut(*place) {
            row.flagged = row.flagged.max(gravest);
        }
    }
}
