//! State of findings on the user's side: mutes, acknowledgements, the bell and
//! recently resolved findings.

use super::App;
use super::effect::Effect;
use super::finding_filter;
use super::mode::Mode;
use crate::filter::Filter;
use crate::model::finding::{Finding, Severity};
use crate::model::finding_key::FindingKey;
use crate::model::mute::Mute;
use crate::model::observation::Observation;
use crate::model::time::Time;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of resolved findings that are kept.
const MAX_RESOLVED: usize = 20;

/// Options for reporting findings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertOptions {
    /// Mutes.
    pub mutes: Vec<Mute>,
    /// True if the bell rings once when an alarm begins.
    pub bell: bool,
}

/// A resolved finding.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedFinding {
    /// Its last version.
    pub finding: Finding,
    /// Time at which it was first missing.
    pub resolved_at: Time,
    /// Time for which it was active.
    pub duration: Duration,
}

/// State of findings beyond one observation.
#[derive(Debug, Default)]
pub(super) struct FindingsState {
    alerts: AlertOptions,
    /// Acknowledged findings, with their severity at that time.
    acknowledged: Vec<(FindingKey, Severity)>,
    /// Reported findings of the latest observation.
    previous: Vec<Finding>,
    /// Alarms for which the bell has rung.
    bell_rung_for: Vec<FindingKey>,
    /// The latest first.
    resolved: VecDeque<ResolvedFinding>,
}

impl FindingsState {
    pub(super) fn new(alerts: AlertOptions) -> Self {
        Self {
            alerts,
            ..Self::default()
        }
    }

    /// Compares an observation with the one before it.
    fn update(&mut self, observation: &Observation) -> Option<Effect> {
        let told = observation.findings.iter().chain(&observation.muted);
        let standing: Vec<FindingKey> = told.map(FindingKey::from_finding).collect();
        let stands = |finding: &Finding| standing.contains(&FindingKey::from_finding(finding));
        for finding in std::mem::take(&mut self.previous) {
            if !stands(&finding) {
                let lasted = finding.since.age(observation.time.timestamp());
                self.resolved.push_front(ResolvedFinding {
                    finding,
                    resolved_at: observation.time,
                    duration: lasted,
                });
            }
        }
        self.resolved.truncate(MAX_RESOLVED);
        self.previous.clone_from(&observation.findings);
        self.acknowledged
            .retain(|(known, _)| standing.contains(known));
        let alarms = observation.findings.iter();
        let alarms: Vec<FindingKey> = alarms
            .filter(|finding| finding.severity == Severity::Critical)
            .map(FindingKey::from_finding)
            .collect();
        let fresh = alarms
            .iter()
            .any(|alarm| !self.bell_rung_for.contains(alarm));
        self.bell_rung_for = alarms;
        (fresh && self.alerts.bell).then_some(Effect::Bell)
    }
}

impl App {
    /// Records findings that begin and end, also while the screen is paused.
    pub(super) fn update_findings(&mut self, observation: &Observation) -> Option<Effect> {
        self.findings_state.update(observation)
    }

    /// True if a finding is acknowledged, and its severity has not risen.
    #[must_use]
    pub fn is_acknowledged(&self, finding: &Finding) -> bool {
        let acknowledged = &self.findings_state.acknowledged;
        if acknowledged.is_empty() {
            return false;
        }
        let identity = FindingKey::from_finding(finding);
        let mut known = acknowledged.iter();
        known.any(|(one, severity)| *one == identity && finding.severity <= *severity)
    }

    /// Findings that are neither muted nor acknowledged, the most severe first.
    pub fn unacknowledged_findings(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.observation.findings.iter();
        findings.filter(|finding| !self.is_acknowledged(finding))
    }

    /// Resolved findings, the latest first; at most the last 20.
    pub fn resolved_findings(&self) -> impl Iterator<Item = &ResolvedFinding> {
        self.findings_state.resolved.iter()
    }

    /// The finding that is marked on the page of findings.
    #[must_use]
    pub fn selected_finding(&self) -> Option<&Finding> {
        let Mode::Findings { index: place, .. } = self.mode else {
            return None;
        };
        let all = self.observation.findings.iter();
        all.chain(&self.observation.muted).nth(place)
    }

    /// Marks the same finding after the observation has changed.
    pub(super) fn keep_selected_finding(&mut self, before: Option<&FindingKey>) {
        let Mode::Findings { index: place, .. } = &mut self.mode else {
            return;
        };
        let mut all = self
            .observation
            .findings
            .iter()
            .chain(&self.observation.muted);
        let found = before.and_then(|before| {
            all.position(|finding| FindingKey::from_finding(finding) == *before)
        });
        let count = self.observation.findings.len() + self.observation.muted.len();
        *place = found.unwrap_or(*place).min(count.saturating_sub(1));
    }

    /// Shows the rows of the marked finding, or of the most severe.
    pub(super) fn show_finding(&mut self) -> Vec<Effect> {
        let gravest = || {
            self.unacknowledged_findings()
                .next()
                .or(self.observation.findings.first())
        };
        let own = || self.finding_of_row();
        let Some(finding) = self.selected_finding().or_else(own).or_else(gravest) else {
            self.notify_key("no_finding", &[]);
            return Vec::new();
        };
        let wanted = finding_filter::filter_text(finding);
        self.close_pages();
        self.apply_filter(&wanted);
        Vec::new()
    }

    /// Returns the most severe finding that the selected row is part of.
    fn finding_of_row(&self) -> Option<&Finding> {
        let row = self.selected().filter(|row| row.severity.is_some())?;
        let mut findings = self
            .unacknowledged_findings()
            .chain(&self.observation.findings);
        findings.find(|finding| {
            let lead = Filter::parse(&finding_filter::filter_text(finding));
            lead.is_ok_and(|lead| lead.matches(row, &self.observation))
        })
    }

    /// Acknowledges the marked finding, or undoes that.
    pub(super) fn acknowledge(&mut self) -> Vec<Effect> {
        let Some(finding) = self.selected_finding() else {
            return Vec::new();
        };
        let (identity, severity) = (FindingKey::from_finding(finding), finding.severity);
        let known = self.is_acknowledged(finding);
        self.findings_state
            .acknowledged
            .retain(|(one, _)| *one != identity);
        if known {
            self.notify_key("unacknowledged", &[]);
        } else {
            self.findings_state.acknowledged.push((identity, severity));
            self.notify_key("acknowledged", &[]);
        }
        Vec::new()
    }

    /// Mutes the marked finding's rule for its program file, or undoes that.
    pub(super) fn mute(&mut self) -> Vec<Effect> {
        let Some(finding) = self.selected_finding() else {
            return Vec::new();
        };
        let (identity, covering) = (FindingKey::from_finding(finding), finding.clone());
        let wanted = Mute::for_finding(finding);
        let mutes = &mut self.findings_state.alerts.mutes;
        if mutes.iter().any(|mute| mute.covers(&covering)) {
            // A mute that covers more than this finding is not removed by this
            // key.
            let whole = wanted.is_some_and(|wanted| wanted.program.is_none());
            mutes.retain(|mute| !mute.covers(&covering) || (mute.program.is_none() && !whole));
            if mutes.iter().any(|mute| mute.covers(&covering)) {
                self.notify_key("muted_whole", &[]);
            } else {
                self.notify_key("unmuted", &[]);
            }
        } else if let Some(mute) = wanted {
            let rule = mute.rule.as_str().to_owned();
            let (name, values) = match &mute.program {
                Some(program) => (
                    "muted",
                    vec![("rule", rule), ("program", program.to_string())],
                ),
                None => ("muted_rule", vec![("rule", rule)]),
            };
            mutes.push(mute);
            self.notify_key(name, &values);
        } else {
            self.notify_key("not_muted", &[]);
            return Vec::new();
        }
        self.split_muted_findings();
        self.keep_selected_finding(Some(&identity));
        vec![Effect::Mute(self.findings_state.alerts.mutes.clone())]
    }

    /// Splits the findings on screen into active and muted ones again; the next
    /// table comes split.
    fn split_muted_findings(&mut self) {
        let mutes = &self.findings_state.alerts.mutes;
        let observation = Arc::make_mut(&mut self.observation);
        let mut all = std::mem::take(&mut observation.findings);
        all.append(&mut observation.muted);
        all.sort_by_key(|finding| {
            let rule = finding.evidence.rule();
            (Reverse(finding.severity), finding.since, rule)
        });
        (observation.muted, observation.findings) = all
            .into_iter()
            .partition(|finding| mutes.iter().any(|mute| mute.covers(finding)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::Evidence;
    use crate::model::finding::FindingHolder;
    use crate::model::process::{Process, Program};
    use crate::model::time::Timestamp;

    fn finding(pid: u32, severity: Severity) -> Finding {
        Finding {
            severity,
            since: Timestamp(100),
            clearing_since: None,
            holder: FindingHolder::default(),
            process: Some(Arc::new(Process {
                pid,
                exe: Some(Program::verified("/usr/bin/x")),
                ..Process::default()
            })),
            evidence: Evidence::Ipv6Silent {
                failed: 9,
                reached: 9,
            },
        }
    }

    fn observed(findings: Vec<Finding>, second: u64) -> Observation {
        Observation {
            time: Time {
                wall_ms: 0,
                monotonic_ms: second * 1000,
            },
            findings,
            ..Observation::default()
        }
    }

    #[test]
    fn the_bell_rings_once_when_an_alarm_begins() {
        let mut troubles = FindingsState::new(AlertOptions {
            bell: true,
            ..AlertOptions::default()
        });
        let (warn, alarm) = (
            || vec![finding(1, Severity::Warning)],
            || vec![finding(1, Severity::Critical)],
        );
        assert_eq!(troubles.update(&observed(warn(), 1)), None);
        assert_eq!(troubles.update(&observed(alarm(), 2)), Some(Effect::Bell));
        assert_eq!(troubles.update(&observed(alarm(), 3)), None);
        let both = vec![
            finding(1, Severity::Critical),
            finding(2, Severity::Critical),
        ];
        assert_eq!(troubles.update(&observed(both, 4)), Some(Effect::Bell));
        let mut muted = observed(Vec::new(), 5);
        muted.muted = vec![finding(3, Severity::Critical)];
        assert_eq!(troubles.update(&muted), None);
        let mut silent = FindingsState::default();
        assert_eq!(silent.update(&observed(alarm(), 1)), None);
    }

    #[test]
    fn resolved_findings_are_kept_and_muted_ones_are_not_resolved() {
        let mut troubles = FindingsState::default();
        troubles.update(&observed(vec![finding(1, Severity::Warning)], 2));
        let mut muted = observed(Vec::new(), 3);
        muted.muted = vec![finding(1, Severity::Warning)];
        troubles.update(&muted);
        assert!(troubles.resolved.is_empty());
        for pid in 0..30 {
            troubles.update(&observed(vec![finding(pid, Severity::Warning)], 5));
            troubles.update(&observed(Vec::new(), 11));
        }
        assert_eq!(troubles.resolved.len(), MAX_RESOLVED);
        let latest = &troubles.resolved[0];
        assert_eq!(latest.finding.process.as_ref().unwrap().pid, 29);
        assert_eq!(latest.duration, Duration::from_secs(10));
    }
}
